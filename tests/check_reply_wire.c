#include "mail/response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/check_main.h"

static const struct row {
	const char *when;
	const char *xcode;
	const char *text;
	const char *wire_xcode;
	const char *wire_text;
} rows[] = {
    {"a plain reply goes as it is", "4.7.1", "Greylisted.", "4.7.1",
	"Greylisted."},
    {"a percent sign is doubled, or Sendmail says 550", "4.7.1", "50% off",
	"4.7.1", "50%% off"},
    {"each of several percent signs is doubled", "4.7.1", "%s%%", "4.7.1",
	"%%s%%%%"},
    {"a text without enhanced code gets none", "", "Try again later.", "",
	"Try again later."},
    {"without enhanced code a first digit would confuse Postfix", "",
	"5 minutes", "4.0.0", "5 minutes"},
    {"so would a 4, unless it is a whole enhanced code", "", "4 minutes",
	"4.0.0", "4 minutes"},
    {"an enhanced code of its own makes any first digit harmless", "4.7.1",
	"5 minutes", "4.7.1", "5 minutes"},
    {"an empty text needs an enhanced code", "", "", "4.0.0", ""},
};

static struct reply
reply_of(const char *xcode, const char *text)
{
	struct reply reply = {.code = "451", .line_count = 1};

	(void)snprintf(reply.xcode, sizeof reply.xcode, "%s", xcode);
	(void)snprintf(reply.lines[0], sizeof reply.lines[0], "%s", text);
	return reply;
}

START_TEST(each_reply_goes_unharmed)
{
	const struct row *row = &rows[_i];
	struct reply reply = reply_of(row->xcode, row->text);
	struct reply_wire wire;

	reply_wire_make(&reply, &wire);
	ck_assert_str_eq(wire.code, "451");
	ck_assert_uint_eq(wire.line_count, 1);
	ck_assert_msg(
	    strcmp(wire.xcode, row->wire_xcode) == 0, "%s", row->when);
	ck_assert_msg(
	    strcmp(wire.lines[0], row->wire_text) == 0, "%s", row->when);
}
END_TEST

START_TEST(the_longest_text_has_room_for_nothing_but_percent_signs)
{
	struct reply reply = reply_of("4.7.1", "");
	struct reply_wire wire;

	reply.line_count = REPLY_LINES_MAX;
	for (size_t i = 0; i < REPLY_LINES_MAX; i++) {
		memset(reply.lines[i], '%', REPLY_TEXT_MAX);
		reply.lines[i][REPLY_TEXT_MAX] = '\0';
	}
	reply_wire_make(&reply, &wire);
	ck_assert_uint_eq(wire.line_count, REPLY_LINES_MAX);
	for (size_t i = 0; i < REPLY_LINES_MAX; i++)
		ck_assert_uint_eq(strlen(wire.lines[i]), REPLY_WIRE_TEXT_MAX);
}
END_TEST

START_TEST(libmilter_takes_no_line_above_980_octets)
{
	ck_assert_uint_le(REPLY_WIRE_TEXT_MAX, 980);
}
END_TEST

CHECK_MAIN("reply_wire", tests)
{
	tcase_add_loop_test(tests, each_reply_goes_unharmed, 0, COUNT(rows));
	tcase_add_test(
	    tests, the_longest_text_has_room_for_nothing_but_percent_signs);
	tcase_add_test(tests, libmilter_takes_no_line_above_980_octets);
}
