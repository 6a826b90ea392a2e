#include "redis/resp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/check_main.h"

/* ---- Commands */

static void
assert_bytes(const struct resp_commands *commands, const char *expected)
{
	ck_assert(resp_is_complete(commands));
	ck_assert_uint_eq(commands->length, strlen(expected));
	ck_assert_mem_eq(commands->bytes, expected, commands->length);
}

START_TEST(a_command_is_an_array_of_strings)
{
	struct resp_commands commands = {0};

	resp_add(&commands, "EXPIRE", "key", "60", "NX");
	assert_bytes(&commands,
	    "*4\r\n$6\r\nEXPIRE\r\n$3\r\nkey\r\n$2\r\n60\r\n$2\r\nNX\r\n");
	resp_free(&commands);
}
END_TEST

START_TEST(it_can_be_added_word_by_word)
{
	struct resp_commands commands = {0};

	resp_begin(&commands, 4);
	resp_add_string(&commands, "HSET");
	resp_add_bytes(&commands, "", 0);
	resp_add_bytes(&commands, "a\r\nb", 4);
	resp_add_integer(&commands, INT64_MIN);
	assert_bytes(&commands,
	    "*4\r\n$4\r\nHSET\r\n$0\r\n\r\n$4\r\na\r\nb\r\n"
	    "$20\r\n-9223372036854775808\r\n");
	resp_free(&commands);
}
END_TEST

START_TEST(commands_are_found_again_one_by_one)
{
	struct resp_commands commands = {0};
	struct resp_commands picked = {0};
	const char *name;
	size_t length;

	for (int i = 0; i < 1000; i++) {
		resp_add(&commands, "PING");
		resp_add(&commands, "ECHO", "*1\r\n$4\r\nPING\r\n");
	}
	name = resp_command_word(&commands, 1999, 0, &length);
	ck_assert_uint_eq(length, 4);
	ck_assert_mem_eq(name, "ECHO", 4);
	resp_add_command(&picked, &commands, 1999);
	assert_bytes(
	    &picked, "*2\r\n$4\r\nECHO\r\n$14\r\n*1\r\n$4\r\nPING\r\n\r\n");
	resp_add_command(&picked, &commands, 2000);
	ck_assert(!resp_is_complete(&picked));
	ck_assert_ptr_null(resp_command_word(&commands, 2000, 0, &length));
	name = resp_command_word(&commands, 1, 1, &length);
	ck_assert_uint_eq(length, 14);
	ck_assert_mem_eq(name, "*1\r\n$4\r\n", 8);
	ck_assert_ptr_null(resp_command_word(&commands, 1, 2, &length));
	resp_free(&commands);
	resp_free(&picked);
}
END_TEST

START_TEST(buffers_can_be_joined_and_used_again)
{
	struct resp_commands commands = {0};
	struct resp_commands more = {0};

	resp_add(&commands, "PING");
	resp_add(&more, "TIME");
	resp_add_commands(&commands, &more);
	assert_bytes(&commands, "*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nTIME\r\n");
	ck_assert_uint_eq(commands.count, 2);
	resp_reset(&commands);
	ck_assert(!resp_is_complete(&commands));
	resp_add(&commands, "ROLE");
	assert_bytes(&commands, "*1\r\n$4\r\nROLE\r\n");
	resp_free(&commands);
	resp_free(&more);
}
END_TEST

/* Each makes the buffer unfit; the last also tells that errors stick. */
static void
add_nothing(struct resp_commands *commands)
{
	(void)commands;
}

static void
add_too_few(struct resp_commands *commands)
{
	resp_begin(commands, 2);
	resp_add_string(commands, "ECHO");
}

static void
add_too_many(struct resp_commands *commands)
{
	resp_begin(commands, 1);
	resp_add_string(commands, "PING");
	resp_add_string(commands, "PING");
}

static void
add_no_words(struct resp_commands *commands)
{
	resp_begin(commands, 0);
}

static void
add_into_another(struct resp_commands *commands)
{
	resp_begin(commands, 2);
	resp_add(commands, "PING");
	resp_add_string(commands, "PING");
}

static void
add_good_after_bad(struct resp_commands *commands)
{
	add_too_many(commands);
	resp_add(commands, "PING");
}

static const struct {
	const char *when;
	void (*add)(struct resp_commands *commands);
} unfit_rows[] = {
    {"nothing is no command", add_nothing},
    {"a word is missing", add_too_few},
    {"a word is too much", add_too_many},
    {"a command has at least a name", add_no_words},
    {"a command begins inside another", add_into_another},
    {"an error is not forgotten", add_good_after_bad},
};

START_TEST(unfit)
{
	struct resp_commands commands = {0};
	size_t length;

	unfit_rows[_i].add(&commands);
	ck_assert_msg(!resp_is_complete(&commands), "%s", unfit_rows[_i].when);
	ck_assert_ptr_null(resp_command_word(&commands, 0, 0, &length));
	resp_reset(&commands);
	resp_add(&commands, "PING");
	ck_assert(resp_is_complete(&commands));
	resp_free(&commands);
}
END_TEST

/* ---- Replies */

/* The one reply in these bytes; they must hold just that. */
static struct resp_reply *
parse(const char *bytes, size_t length)
{
	struct resp_parser *parser = resp_parser_open();
	struct resp_reply *reply = NULL;

	resp_feed(parser, bytes, length);
	ck_assert_int_eq(resp_next(parser, &reply), RESP_REPLY);
	ck_assert_int_eq(
	    resp_next(parser, &(struct resp_reply *){NULL}), RESP_MORE);
	resp_parser_close(&parser);
	return reply;
}

static const struct {
	const char *when;
	const char *bytes;
	enum resp_type type;
	const char *string;
	const char *error;
	bool is_integer;
	int64_t integer;
	size_t count;
} reply_rows[] = {
    {"a status", "+OK\r\n", RESP_STATUS, "OK", NULL, false, 0, 0},
    {"an error", "-OOM no\r\n", RESP_ERROR, NULL, "OOM no", false, 0, 0},
    {"an integer", ":-5\r\n", RESP_INTEGER, NULL, NULL, true, -5, 0},
    {"a string", "$2\r\nhi\r\n", RESP_STRING, "hi", NULL, false, 0, 0},
    {"an empty string", "$0\r\n\r\n", RESP_STRING, "", NULL, false, 0, 0},
    {"nil", "$-1\r\n", RESP_NIL, NULL, NULL, false, 0, 0},
    {"the null array", "*-1\r\n", RESP_NIL, NULL, NULL, false, 0, 0},
    {"an array", "*2\r\n:1\r\n$-1\r\n", RESP_ARRAY, NULL, NULL, false, 0, 2},
    {"an empty array", "*0\r\n", RESP_ARRAY, NULL, NULL, false, 0, 0},
    {"a number as string", "$2\r\n42\r\n", RESP_STRING, "42", NULL, true, 42,
	0},
    {"a negative one", "$2\r\n-7\r\n", RESP_STRING, "-7", NULL, true, -7, 0},
    {"the largest", "$19\r\n9223372036854775807\r\n", RESP_STRING,
	"9223372036854775807", NULL, true, INT64_MAX, 0},
    {"one more is none", "$19\r\n9223372036854775808\r\n", RESP_STRING,
	"9223372036854775808", NULL, false, 0, 0},
    {"a blank before is none", "$2\r\n 1\r\n", RESP_STRING, " 1", NULL, false,
	0, 0},
    {"a plus is none", "$2\r\n+1\r\n", RESP_STRING, "+1", NULL, false, 0, 0},
    {"a fraction is none", "$3\r\n1.5\r\n", RESP_STRING, "1.5", NULL, false, 0,
	0},
    {"a minus alone is none", "$1\r\n-\r\n", RESP_STRING, "-", NULL, false, 0,
	0},
    {"a status is none", "+12\r\n", RESP_STATUS, "12", NULL, false, 0, 0},
};

static void
assert_same(const char *when, const char *got, const char *expected)
{
	if (expected == NULL)
		ck_assert_msg(got == NULL, "%s", when);
	else
		ck_assert_msg(
		    got != NULL && strcmp(got, expected) == 0, "%s", when);
}

START_TEST(replies)
{
	const char *when = reply_rows[_i].when;
	const char *bytes = reply_rows[_i].bytes;
	struct resp_reply *reply = parse(bytes, strlen(bytes));
	int64_t integer = 0;

	ck_assert_msg(resp_type(reply) == reply_rows[_i].type, "%s", when);
	assert_same(when, resp_string(reply, NULL), reply_rows[_i].string);
	assert_same(when, resp_error(reply), reply_rows[_i].error);
	ck_assert_msg(
	    resp_integer(reply, &integer) == reply_rows[_i].is_integer, "%s",
	    when);
	ck_assert_msg(integer == reply_rows[_i].integer, "%s", when);
	ck_assert_msg(resp_count(reply) == reply_rows[_i].count, "%s", when);
	ck_assert_msg(
	    resp_element(reply, reply_rows[_i].count) == NULL, "%s", when);
	resp_reply_free(&reply);
	ck_assert_ptr_null(reply);
}
END_TEST

START_TEST(strings_may_hold_any_byte)
{
	struct resp_reply *reply = parse("$4\r\n1\0\r\n\r\n", 10);
	size_t length = 0;
	int64_t integer;

	ck_assert_mem_eq(resp_string(reply, &length), "1\0\r\n", 4);
	ck_assert_uint_eq(length, 4);
	ck_assert(!resp_integer(reply, &integer));
	resp_reply_free(&reply);
}
END_TEST

START_TEST(elements_are_replies)
{
	static const char bytes[] = "*2\r\n*1\r\n:7\r\n-ERR no\r\n";
	struct resp_reply *reply = parse(bytes, sizeof bytes - 1);
	int64_t integer = 0;

	ck_assert(
	    resp_integer(resp_element(resp_element(reply, 0), 0), &integer));
	ck_assert_int_eq(integer, 7);
	ck_assert_str_eq(resp_error(resp_element(reply, 1)), "ERR no");
	resp_reply_free(&reply);
}
END_TEST

START_TEST(no_reply_answers_no)
{
	struct resp_reply *none = NULL;
	int64_t integer = 3;

	ck_assert_int_eq(resp_type(none), RESP_NIL);
	ck_assert_ptr_null(resp_string(none, NULL));
	ck_assert_ptr_null(resp_error(none));
	ck_assert_ptr_null(resp_element(none, 0));
	ck_assert_uint_eq(resp_count(none), 0);
	ck_assert(!resp_integer(none, &integer));
	ck_assert_int_eq(integer, 3);
	resp_reply_free(&none);
}
END_TEST

/* ---- Parser */

START_TEST(bytes_may_come_one_by_one)
{
	static const char bytes[] = "+OK\r\n*2\r\n$2\r\nhi\r\n:1\r\n$-1\r\n";
	struct resp_parser *parser = resp_parser_open();
	struct resp_reply *reply;
	size_t count = 0;

	for (const char *at = bytes; *at != '\0'; at++) {
		resp_feed(parser, at, 1);
		while (resp_next(parser, &reply) == RESP_REPLY) {
			count++;
			resp_reply_free(&reply);
		}
	}
	ck_assert_uint_eq(count, 3);
	resp_parser_close(&parser);
}
END_TEST

START_TEST(many_replies_may_come_at_once)
{
	static char bytes[4 * 10000];
	struct resp_parser *parser = resp_parser_open();
	struct resp_reply *reply;

	for (size_t i = 0; i < sizeof bytes; i += 4)
		memcpy(bytes + i, ":1\r\n", 4);
	resp_feed(parser, bytes, sizeof bytes);
	for (int i = 0; i < 10000; i++) {
		ck_assert_int_eq(resp_next(parser, &reply), RESP_REPLY);
		resp_reply_free(&reply);
	}
	ck_assert_int_eq(resp_next(parser, &reply), RESP_MORE);
	resp_parser_close(&parser);
}
END_TEST

static const struct {
	const char *when;
	const char *bytes;
} bad_rows[] = {
    {"another protocol", "HTTP/1.1 400 Bad Request\r\n"},
    {"binary", "\x15\x03\x01\x02\x02\r\n"},
    {"a length that is no number", "$x\r\n"},
    {"a negative length", "$-2\r\n"},
    {"a length beyond all bounds", "$99999999999999999999\r\n"},
    {"a line that ends by half", "+OK\n:1\r\n"},
    {"a string beyond all bounds", "$99999999\r\n"},
    {"an array that would take gigabytes", "*2147483647\r\n"},
    {"arrays nested too deep",
	"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"},
    {"a map, of RESP3", "%1\r\n+a\r\n+b\r\n"},
    {"a set, of RESP3", "~1\r\n+a\r\n"},
    {"a push, of RESP3", ">1\r\n+a\r\n"},
    {"a double, of RESP3", ",1.5\r\n"},
    {"a boolean, of RESP3", "#t\r\n"},
    {"a big number, of RESP3", "(12345678901234567890\r\n"},
    {"a verbatim string, of RESP3", "=7\r\ntxt:abc\r\n"},
    {"RESP3 inside an array", "*1\r\n#t\r\n"},
};

START_TEST(bad)
{
	const char *bytes = bad_rows[_i].bytes;
	struct resp_parser *parser = resp_parser_open();
	struct resp_reply *reply = NULL;

	resp_feed(parser, bytes, strlen(bytes));
	ck_assert_msg(
	    resp_next(parser, &reply) == RESP_BAD, "%s", bad_rows[_i].when);
	ck_assert_ptr_null(reply);
	ck_assert_uint_gt(strlen(resp_wrong(parser)), 0);
	resp_feed(parser, "+OK\r\n", 5);
	ck_assert_msg(resp_next(parser, &reply) == RESP_BAD, "%s: it stays bad",
	    bad_rows[_i].when);
	resp_parser_close(&parser);
}
END_TEST

/* Feed `count` times the same, in pieces of `step` bytes. */
static void
feed(struct resp_parser *parser, const char *bytes, size_t count, size_t step)
{
	struct resp_reply *reply;
	size_t length = strlen(bytes);
	bool is_hungry = true;

	for (; count > 0; count--)
		for (size_t at = 0; at < length; at += step) {
			resp_feed(parser, bytes + at,
			    length - at < step ? length - at : step);
			is_hungry =
			    is_hungry && resp_next(parser, &reply) == RESP_MORE;
		}
	ck_assert(is_hungry);
}

static const struct {
	const char *when;
	const char *head;
	const char *body;
	size_t count;
	const char *tail;
} long_rows[] = {
    {"a string", "$2000000\r\n", "0123456789", 200000, "\r\n"},
    {"a field among others", "*3\r\n:1\r\n$2000000\r\n", "0123456789", 200000,
	"\r\n$-1\r\n"},
    {"one in a transaction", "*2\r\n*1\r\n$2000000\r\n", "0123456789", 200000,
	"\r\n+OK\r\n"},
    {"many elements", "*70000\r\n", ":1\r\n", 69999, ":1\r\n"},
    {"elements that are long together", "*60000\r\n",
	"$20\r\n01234567890123456789\r\n", 59999, "*0\r\n"},
};

START_TEST(what_is_too_long_is_thrown_away_by_place)
{
	static const size_t steps[] = {3, 100};
	char end[64];

	for (int i = 0; i < COUNT(steps); i++) {
		struct resp_parser *parser = resp_parser_open();
		struct resp_reply *reply = NULL;

		(void)snprintf(end, sizeof end, "%s:7\r\n", long_rows[_i].tail);
		feed(parser, long_rows[_i].head, 1, steps[i]);
		feed(parser, long_rows[_i].body, long_rows[_i].count, steps[i]);
		resp_feed(parser, end, strlen(end));
		ck_assert_int_eq(resp_next(parser, &reply), RESP_REPLY);
		ck_assert_msg(resp_error(reply) != NULL &&
			strncmp(resp_error(reply), "TOOLONG ", 8) == 0,
		    "%s", long_rows[_i].when);
		resp_reply_free(&reply);
		ck_assert_int_eq(resp_next(parser, &reply), RESP_REPLY);
		ck_assert_int_eq(resp_type(reply), RESP_INTEGER);
		resp_reply_free(&reply);
		resp_parser_close(&parser);
	}
}
END_TEST

START_TEST(an_unfinished_reply_is_freed_with_its_parser)
{
	struct resp_parser *parser = resp_parser_open();
	struct resp_reply *reply;

	resp_feed(parser, "*3\r\n$2\r\nhi\r\n*2\r\n:1\r\n", 20);
	ck_assert_int_eq(resp_next(parser, &reply), RESP_MORE);
	resp_parser_close(&parser);
	ck_assert_ptr_null(parser);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("resp");
	TCase *commands = tcase_create("commands");
	TCase *decoded = tcase_create("replies");
	TCase *parser = tcase_create("parser");

	tcase_add_test(commands, a_command_is_an_array_of_strings);
	tcase_add_test(commands, it_can_be_added_word_by_word);
	tcase_add_test(commands, commands_are_found_again_one_by_one);
	tcase_add_test(commands, buffers_can_be_joined_and_used_again);
	tcase_add_loop_test(commands, unfit, 0, COUNT(unfit_rows));
	suite_add_tcase(suite, commands);
	tcase_add_loop_test(decoded, replies, 0, COUNT(reply_rows));
	tcase_add_test(decoded, strings_may_hold_any_byte);
	tcase_add_test(decoded, elements_are_replies);
	tcase_add_test(decoded, no_reply_answers_no);
	suite_add_tcase(suite, decoded);
	tcase_add_test(parser, bytes_may_come_one_by_one);
	tcase_add_test(parser, many_replies_may_come_at_once);
	tcase_add_loop_test(parser, bad, 0, COUNT(bad_rows));
	tcase_add_loop_test(parser, what_is_too_long_is_thrown_away_by_place, 0,
	    COUNT(long_rows));
	tcase_add_test(parser, an_unfinished_reply_is_freed_with_its_parser);
	suite_add_tcase(suite, parser);
	return check_run(suite);
}
