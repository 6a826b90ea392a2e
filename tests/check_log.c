#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "lib/check_main.h"

static const struct row {
	const char *when;
	const char *text;
	size_t size;
	const char *clean;
} rows[] = {
    {"what is harmless stays", "a.b+c@d.example", 99, "a.b+c@d.example"},
    {"no text is an empty one", NULL, 99, ""},
    {"an equals sign stays, as the first of a word is ours", "SRS0=x=y@z", 99,
	"SRS0=x=y@z"},
    {"a space would end a value", "a b", 99, "a\\x20b"},
    {"a quote would end a value", "a\"b'c", 99, "a\\x22b\\x27c"},
    {"a backslash would look like ours", "a\\x20", 99, "a\\x5cx20"},
    {"a line break would forge a line", "a\r\nb", 99, "a\\x0d\\x0ab"},
    {"an escape would reach a terminal", "\033[2J", 99, "\\x1b[2J"},
    {"DEL is a control character", "\177", 99, "\\x7f"},
    {"octets above ASCII are shown as such", "\303\251", 99, "\\xc3\\xa9"},
    {"a long text is cut", "abcdef", 4, "abc"},
    {"a text that just fits is whole", "abc", 4, "abc"},
    {"an escaped octet is never cut in two", "ab\n", 6, "ab"},
    {"an escaped octet that just fits is whole", "ab\n", 7, "ab\\x0a"},
    {"one octet of room holds the end", "abc", 1, ""},
};

START_TEST(each_text_is_made_fit)
{
	const struct row *row = &rows[_i];
	char out[100];

	ck_assert_ptr_eq(log_clean(row->text, out, row->size), out);
	ck_assert_msg(strcmp(out, row->clean) == 0, "%s: %s", row->when, out);
}
END_TEST

static void
log_one_of_each(void)
{
	log_debug("%d", 1);
	log_info("%d", 2);
	log_warning("%d", 3);
	log_error("%d", 4);
}

static void
log_long_line(void)
{
	char text[5000];

	memset(text, 'x', sizeof text);
	text[sizeof text - 1] = '\0';
	log_error("%s", text);
}

/* What a function writes to standard error. */
static size_t
captured(void (*say)(void), char *text_r, size_t size)
{
	FILE *file = tmpfile();
	int saved = dup(STDERR_FILENO);
	size_t len;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(dup2(fileno(file), STDERR_FILENO), 0);
	say();
	ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
	(void)close(saved);
	rewind(file);
	len = fread(text_r, 1, size - 1, file);
	text_r[len] = '\0';
	(void)fclose(file);
	return len;
}

START_TEST(bad_news_begins_with_its_level)
{
	char text[200];

	(void)captured(log_one_of_each, text, sizeof text);
	ck_assert_str_eq(text, "2\nwarning: 3\nerror: 4\n");
}
END_TEST

START_TEST(debug_lines_are_written_only_when_wanted)
{
	char text[200];

	log_verbose(true);
	(void)captured(log_one_of_each, text, sizeof text);
	log_verbose(false);
	ck_assert_str_eq(text, "debug: 1\n2\nwarning: 3\nerror: 4\n");
}
END_TEST

START_TEST(a_line_that_is_too_long_is_cut_and_still_ends)
{
	char text[9000];
	size_t len = captured(log_long_line, text, sizeof text);

	ck_assert_uint_lt(len, 4200);
	ck_assert_ptr_eq(strchr(text, '\n'), text + len - 1);
}
END_TEST

static void
log_two_lines(void)
{
	log_info("host %s is well", "a\nerror: forged\033[2J\177");
	log_info("a library ends its lines\n");
}

START_TEST(nobody_can_make_two_lines_of_one)
{
	char text[200];

	(void)captured(log_two_lines, text, sizeof text);
	ck_assert_str_eq(text,
	    "host a error: forged [2J  is well\n"
	    "a library ends its lines\n");
}
END_TEST

static void
say_to_syslog(void)
{
	syslog(LOG_ERR, "mi_rd_cmd: %d\n", 5);
}

START_TEST(what_a_library_tells_syslog_stands_in_our_log)
{
	char text[200];

	(void)captured(say_to_syslog, text, sizeof text);
	ck_assert_str_eq(text, "libmilter: mi_rd_cmd: 5\n");
}
END_TEST

static int64_t
steady_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Read the numbered lines that come; the next number that is missed, or told as
 * lost. */
static int
read_lines(FILE *file, int next, int last, int *lost_r)
{
	char text[400];
	int number;

	while (next < last && fgets(text, sizeof text, file) != NULL) {
		if (sscanf(text, "line %d", &number) == 1) {
			ck_assert_int_eq(number, next);
			next++;
		} else {
			ck_assert_msg(sscanf(text,
					  "warning: the log took no lines for "
					  "a while: %d lines were lost",
					  lost_r) == 1,
			    "%s", text);
			next += *lost_r;
		}
	}
	return next;
}

#define SAID 30000

/* Standard error is a pipe that nobody reads at first.  `saved` is where it led. */
START_TEST(a_reader_that_stalls_costs_lines_and_no_time)
{
	const char *padding =
	    "as long as a line of a decision, more or less, so that it takes "
	    "as much room in the queue as a line of a decision does there";
	int ends[2], saved = dup(STDERR_FILENO), lost = 0, next = 0;
	int64_t began;
	FILE *file;

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_ge(dup2(ends[1], STDERR_FILENO), 0);
	ck_assert(log_open(LOG_TO_STDERR, "mail"));
	began = steady_ms();
	for (int i = 0; i < SAID; i++)
		log_info("line %d %s", i, padding);
	ck_assert_int_lt(steady_ms() - began, 10000);
	ck_assert(!log_flush(50));

	file = fdopen(ends[0], "r");
	ck_assert_ptr_nonnull(file);
	next = read_lines(file, next, SAID, &lost);
	ck_assert_int_eq(next, SAID);
	ck_assert_int_gt(lost, 0);
	log_info("line %d", next);
	ck_assert(log_flush(5000));
	ck_assert_int_eq(read_lines(file, next, SAID + 1, &lost), SAID + 1);
	ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
	(void)fclose(file);
}
END_TEST

START_TEST(only_facilities_of_syslog_are_taken)
{
	ck_assert(log_open(LOG_TO_STDERR, "mail"));
	ck_assert(log_open(LOG_TO_STDERR, "local7"));
	ck_assert(!log_open(LOG_TO_STDERR, "male"));
	ck_assert(!log_open(LOG_TO_STDERR, ""));
}
END_TEST

CHECK_MAIN("log", tests)
{
	tcase_add_loop_test(tests, each_text_is_made_fit, 0, COUNT(rows));
	tcase_add_test(tests, bad_news_begins_with_its_level);
	tcase_add_test(tests, debug_lines_are_written_only_when_wanted);
	tcase_add_test(tests, a_line_that_is_too_long_is_cut_and_still_ends);
	tcase_add_test(tests, nobody_can_make_two_lines_of_one);
	tcase_add_test(tests, what_a_library_tells_syslog_stands_in_our_log);
	tcase_add_test(tests, a_reader_that_stalls_costs_lines_and_no_time);
	tcase_add_test(tests, only_facilities_of_syslog_are_taken);
}
