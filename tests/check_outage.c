#include "base/outage.h"

#include <stdlib.h>

#include "lib/check_main.h"

#define REFUSED "Connection refused"
#define CLOSED	"closed by the server"
#define LOADING "LOADING Redis is loading the dataset in memory"
#define NOAUTH	"NOAUTH Authentication required."

enum { NONE = OUTAGE_SAME, DOWN = OUTAGE_BEGAN, UP = OUTAGE_ENDED };

/* Rows of one story follow each other; a row at 0 begins a new one. */
static const struct {
	const char *when;
	int64_t ms;
	const char *why; /* NULL: it is well */
	int news;
} rows[] = {
    {"all is well from the start", 0, NULL, NONE},

    {"a fault is told at once", 0, REFUSED, DOWN},
    {"it is not told again", 50, REFUSED, NONE},
    {"nor after a long time", 90000, REFUSED, NONE},
    {"its end is told", 90001, NULL, UP},
    {"and not told again", 90002, NULL, NONE},
    {"the next fault is told at once", 90003, REFUSED, DOWN},

    {"lost", 0, CLOSED, DOWN},
    {"then for another cause", 50, REFUSED, NONE},
    {"which may be gone in a moment", 10049, REFUSED, NONE},
    {"but if it stays it is told", 10050, REFUSED, DOWN},
    {"once", 90000, REFUSED, NONE},
    {"so is the next", 90001, LOADING, NONE},
    {"when it has stayed", 100001, LOADING, DOWN},
    {"one end for all of it", 100002, NULL, UP},

    {"causes that take turns", 0, CLOSED, DOWN},
    {"are not told again and again", 50, REFUSED, NONE},
    {"neither the one", 20000, CLOSED, NONE},
    {"nor the other", 20050, REFUSED, NONE},
    {"however long it goes on", 3000000, CLOSED, NONE},

    {"what lasts", 0, NOAUTH, DOWN},
    {"is not told anew within the hour", 3599999, NOAUTH, NONE},
    {"but after it", 3600000, NOAUTH, DOWN},
    {"and not again at once", 3600050, NOAUTH, NONE},
    {"but an hour later", 7200000, NOAUTH, DOWN},
    {"and ends", 7200001, NULL, UP},

    {"flapping, first fault", 0, CLOSED, DOWN},
    {"first end", 1, NULL, UP},
    {"second fault", 2, CLOSED, DOWN},
    {"second end", 3, NULL, UP},
    {"third fault", 4, CLOSED, DOWN},
    {"third end", 5, NULL, UP},
    {"fourth fault", 6, CLOSED, DOWN},
    {"fourth end", 7, NULL, UP},
    {"fifth fault", 8, CLOSED, DOWN},
    {"fifth end", 9, NULL, UP},
    {"the sixth finds the allowance used up", 10, CLOSED, NONE},
    {"what was not told does not end", 11, NULL, NONE},
    {"a seventh stays", 12, CLOSED, NONE},
    {"until there is an allowance", 29999, CLOSED, NONE},
    {"then it is told after all", 30000, CLOSED, DOWN},
    {"and ends", 30001, NULL, UP},
    {"a fault after that waits again", 30002, CLOSED, NONE},
    {"but in quiet times the allowance grows again", 200000, CLOSED, DOWN},
    {"which ends", 200001, NULL, UP},
    {"and may come again", 200002, CLOSED, DOWN},
};

START_TEST(stories)
{
	struct outage outage = {0};

	for (int i = 0; i < COUNT(rows); i++) {
		enum outage_news news;

		if (rows[i].ms == 0)
			outage = (struct outage){0};
		news = outage_note(&outage, rows[i].why, rows[i].ms);
		ck_assert_msg((int)news == rows[i].news, "%s", rows[i].when);
	}
}
END_TEST

CHECK_MAIN("outage", all)
{
	tcase_add_test(all, stories);
}
