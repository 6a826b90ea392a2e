#include "redis/redirect.h"

#include <stdlib.h>
#include <string.h>

#include "lib/check_main.h"

enum { COMMANDS = 4 };

/* A call of ECHO 0, ECHO 1, ... or of other words, with these replies. */
struct answered {
	struct resp_commands commands;
	struct resp_reply *replies[COMMANDS];
	struct redis_call call;
};

static void
parse(const char *bytes, struct resp_reply **replies_r, size_t count)
{
	struct resp_parser *parser = resp_parser_open();

	resp_feed(parser, bytes, strlen(bytes));
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(resp_next(parser, &replies_r[i]), RESP_REPLY);
	resp_parser_close(&parser);
}

static void
open_answered(
    struct answered *answered, const char *const *words, const char *replies)
{
	*answered = (struct answered){0};
	for (int i = 0; i < COMMANDS; i++) {
		if (words[i] != NULL) {
			resp_add(&answered->commands, words[i]);
			continue;
		}
		resp_begin(&answered->commands, 2);
		resp_add_string(&answered->commands, "ECHO");
		resp_add_integer(&answered->commands, i);
	}
	parse(replies, answered->replies, COMMANDS);
	answered->call.commands = &answered->commands;
	answered->call.replies = answered->replies;
}

static void
close_answered(struct answered *answered)
{
	for (size_t i = 0; i < COMMANDS; i++)
		resp_reply_free(&answered->replies[i]);
	resp_free(&answered->commands);
}

#define OK	    "+OK\r\n"
#define MOVED	    "-MOVED 3999 h:7001\r\n"
#define OTHER	    "-MOVED 3999 h:7002\r\n"
#define ASK	    "-ASK 3999 h:7001\r\n"
#define ECHO(digit) "*2\r\n$4\r\nECHO\r\n$1\r\n" digit "\r\n"
#define ASKING	    "*1\r\n$6\r\nASKING\r\n"

#define MULTI "*1\r\n$5\r\nMULTI\r\n"
#define EXEC  "*1\r\n$4\r\nEXEC\r\n"
#define ABORT "-EXECABORT Transaction discarded\r\n"
#define TOGETHER                                                               \
	{                                                                      \
		"MULTI", NULL, "EXEC", NULL                                    \
	}

static const struct {
	const char *when;
	const char *words[COMMANDS]; /* NULL: ECHO and the index */
	const char *replies;
	const char *again; /* NULL: nothing is redirected */
	const char *next_replies;
	const char *merged; /* letters of the replies in the end */
} rows[] = {
    {"nothing is redirected", {NULL}, OK OK OK OK, NULL, NULL, NULL},
    {"other errors are no redirection", {NULL}, OK OK OK "-ERR no\r\n", NULL,
	NULL, NULL},
    {"a slot beyond the last is nonsense", {NULL},
	"-MOVED 16384 h:7001\r\n" OK OK OK, NULL, NULL, NULL},
    {"an address is needed", {NULL}, "-MOVED 3999\r\n" OK OK OK, NULL, NULL,
	NULL},
    {"all that moved is sent again", {NULL}, MOVED MOVED MOVED MOVED,
	ECHO("0") ECHO("1") ECHO("2") ECHO("3"), "+a\r\n+b\r\n+c\r\n+d\r\n",
	"abcd"},
    {"what was done is not sent again", {NULL}, OK MOVED OK MOVED,
	ECHO("1") ECHO("3"), "+a\r\n+b\r\n", "OaOb"},
    {"what asks gets ASKING before each", {NULL}, OK ASK ASK OK,
	ASKING ECHO("1") ASKING ECHO("2"), "+x\r\n+a\r\n+x\r\n+b\r\n", "OabO"},
    {"one target at a time", {NULL}, MOVED OTHER OK MOVED, ECHO("0") ECHO("3"),
	"+a\r\n+b\r\n", "aMOb"},
    {"one kind at a time", {NULL}, ASK MOVED OK OK, ASKING ECHO("0"),
	"+x\r\n+a\r\n", "aMOO"},
    {"a transaction is sent again as a whole", TOGETHER, OK MOVED ABORT OK,
	MULTI ECHO("1") EXEC, "+a\r\n+b\r\n+c\r\n", "abcO"},
    {"so it is when only its end was redirected", TOGETHER, OK OK MOVED OK,
	MULTI ECHO("1") EXEC, "+a\r\n+b\r\n+c\r\n", "abcO"},
    {"it gets one ASKING", TOGETHER, OK ASK ABORT ASK,
	ASKING MULTI ECHO("1") EXEC ASKING ECHO("3"),
	"+x\r\n+a\r\n+b\r\n+c\r\n+x\r\n+d\r\n", "abcd"},
    {"it stays when what stands beside it has moved", TOGETHER, OK OK OK MOVED,
	ECHO("3"), "+d\r\n", "OOOd"},
    {"one that has no end ends with the call", {NULL, NULL, "MULTI", NULL},
	OK OK OK MOVED, MULTI ECHO("3"), "+a\r\n+b\r\n", "OOab"},
};

static char
letter(const struct resp_reply *reply)
{
	const char *string = resp_string(reply, NULL);

	return string != NULL ? string[0] : resp_error(reply)[0];
}

START_TEST(redirections)
{
	const char *when = rows[_i].when;
	struct answered answered;
	struct redis_redirect redirect;
	struct resp_commands again = {0};
	struct resp_reply *next[2 * COMMANDS] = {0};

	open_answered(&answered, rows[_i].words, rows[_i].replies);
	ck_assert_msg(redis_redirect_collect(&answered.call, &redirect,
			  &again) == (rows[_i].again != NULL),
	    "%s", when);
	if (rows[_i].again != NULL) {
		ck_assert_uint_eq(redirect.slot, 3999);
		ck_assert_str_eq(redirect.to, "h:7001");
		ck_assert_msg(again.length == strlen(rows[_i].again) &&
			memcmp(again.bytes, rows[_i].again, again.length) == 0,
		    "%s", when);
		parse(rows[_i].next_replies, next, again.count);
		redis_redirect_merge(&answered.call, &redirect, next);
		for (size_t i = 0; i < COMMANDS; i++)
			ck_assert_msg(
			    letter(answered.replies[i]) == rows[_i].merged[i],
			    "%s", when);
	}
	resp_free(&again);
	close_answered(&answered);
}
END_TEST

CHECK_MAIN("redis_redirect", all)
{
	tcase_add_loop_test(all, redirections, 0, COUNT(rows));
}
