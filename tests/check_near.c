#include "base/near.h"

#include <string.h>

#include "lib/check_main.h"

#define WORDS                                                                  \
	"delay delay_cap keep at by observe verdict within recipients_above"

static const struct {
	const char *word;
	const char *said;
} rows[] = {
    {"dealy", "; did you mean delay?"},
    {"Delay", "; did you mean delay?"},
    {"delya", "; did you mean delay?"},
    {"ta", "; did you mean at?"},
    {"verdct", "; did you mean verdict?"},
    {"recipient_abov", "; did you mean recipients_above?"},
    {"recipients", "; did you mean recipients_above?"},
    {"delays", "; did you mean delay?"},
    {"delay-cap", "; did you mean delay_cap?"},
    {"observed", "; did you mean observe?"},
    {"frobnicate", ""},
    {"window", ""},
    {"x", ""},
    {"", ""},
    {"a_word_that_is_much_longer_than_any_that_there_is_here", ""},
};

START_TEST(words)
{
	struct near near;
	char said[NEAR_SIZE];

	near_begin(&near, rows[_i].word);
	near_try_words(&near, WORDS);
	near_say(&near, said);
	ck_assert_msg(strcmp(said, rows[_i].said) == 0, "%s: \"%s\"",
	    rows[_i].word, said);
}
END_TEST

CHECK_MAIN("near", tcase)
{
	tcase_add_loop_test(tcase, words, 0, COUNT(rows));
}
