#include "mail/response.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/check_main.h"

static const struct response_values values = {
    .text = {[FILL_CLIENT_ADDR] = "198.51.100.7",
	[FILL_CLIENT_NAME] = "mail.example.net",
	[FILL_HELO] = "mail.example.net",
	[FILL_SENDER] = "ann@example.net",
	[FILL_RECIPIENT] = "bob@local.test",
	[FILL_SERVER] = "mx.local.test",
	[FILL_RULE] = "strangers",
	[FILL_REFERENCE] = "7kq2m9xa",
	[FILL_LINK] = "https://mx.local.test/why?7kq2m9xa",
	[FILL_WAIT] = "5 minutes",
	[FILL_SCORE] = "-37"}};

/* As an SMTP client sees line `index`. */
static const char *
seen(const struct reply *reply, size_t index)
{
	static char text[600];

	snprintf(text, sizeof text, "%s%s%s %s", reply->code,
	    reply->xcode[0] == '\0' ? "" : " ", reply->xcode,
	    reply->lines[index]);
	return text;
}

static struct response *
make(const char *line)
{
	struct response *response = NULL;
	char why[RESPONSE_WHY_SIZE];
	size_t at;

	ck_assert_msg(response_make("test", &line, 1, &response, why, &at),
	    "%s: %s", line, why);
	return response;
}

static void
fill_one(
    const char *line, const struct response_values *with, struct reply *reply_r)
{
	struct response *response = make(line);

	response_fill(response, with, reply_r);
	response_free(&response);
	ck_assert_ptr_null(response);
}

static const struct {
	const char *when;
	const char *template;
	const char *reply;
} good_rows[] = {
    {"row 1 of the reference table",
	"451 Internal resource temporarily unavailable - %{link}",
	"451 Internal resource temporarily unavailable - "
	"https://mx.local.test/why?7kq2m9xa"},
    {"row 2", "451 Try again later.", "451 Try again later."},
    {"row 3", "451 4.7.1 Greylisted, try again after some time.",
	"451 4.7.1 Greylisted, try again after some time."},
    {"row 4",
	"451 4.7.1 <%{recipient}>: Recipient address rejected: Intentional "
	"policy rejection, please try again later.",
	"451 4.7.1 <bob@local.test>: Recipient address rejected: Intentional "
	"policy rejection, please try again later."},
    {"row 5", "451 Temporary local problem - please try later.",
	"451 Temporary local problem - please try later."},
    {"row 6", "451 4.2.0 [%{client_addr}] blocked AUP#CDRBL.",
	"451 4.2.0 [198.51.100.7] blocked AUP#CDRBL."},
    {"row 7", "451 4.7.1 IP Reputation Greylisted.",
	"451 4.7.1 IP Reputation Greylisted."},
    {"row 8: an enhanced code may have three digits a part",
	"451 4.7.500 Server busy. Please try again later from "
	"[%{client_addr}].",
	"451 4.7.500 Server busy. Please try again later from "
	"[198.51.100.7]."},
    {"row 9", "451 4.3.0 Mail server temporarily rejected message.",
	"451 4.3.0 Mail server temporarily rejected message."},
    {"row 10",
	"451 4.3.0 Multiple destination domains per transaction is "
	"unsupported. Please try again.",
	"451 4.3.0 Multiple destination domains per transaction is "
	"unsupported. Please try again."},
    {"row 11 closes the connection", "421 4.4.2 Timeout - closing connection.",
	"421 4.4.2 Timeout - closing connection."},
    {"row 12", "451 4.5.0 SMTP protocol violation, visit RFC 2821.",
	"451 4.5.0 SMTP protocol violation, visit RFC 2821."},
    {"row 13",
	"451 4.7.650 The mail server [%{client_addr}] has been temporarily "
	"rate limited due to IP reputation.",
	"451 4.7.650 The mail server [198.51.100.7] has been temporarily rate "
	"limited due to IP reputation."},
    {"every placeholder has its value",
	"450 4.7.1 %{client_name} %{helo} %{sender} %{server} %{rule} "
	"%{reference} %{wait} %{score}",
	"450 4.7.1 mail.example.net mail.example.net ann@example.net "
	"mx.local.test strangers 7kq2m9xa 5 minutes -37"},
    {"a placeholder may come twice", "451 in %{wait}, %{wait}",
	"451 in 5 minutes, 5 minutes"},
    {"a percent sign stays single", "451 4.7.1 50% off, %s %n %",
	"451 4.7.1 50% off, %s %n %"},
    {"a percent sign may stand before a placeholder", "451 a %%{wait}",
	"451 a %5 minutes"},
    {"a text that starts with digits is text, and gets a code that Postfix "
     "cannot misread",
	"451 300 seconds", "451 4.0.0 300 seconds"},
    {"also when the digit comes with a value", "451 %{client_addr} waits",
	"451 4.0.0 198.51.100.7 waits"},
    {"an address is no enhanced code", "451 192.0.2.1 waits",
	"451 4.0.0 192.0.2.1 waits"},
    {"a version is no enhanced code", "451 10.0.1 waits",
	"451 4.0.0 10.0.1 waits"},
    {"blanks before the text are dropped", "451  4.7.1   text",
	"451 4.7.1 text"},
    {"the last code that defers", "459 4.999.999 text", "459 4.999.999 text"},
    {"quotes and brackets are printable", "451 <a@b> #\"\\` $j ?&=~",
	"451 <a@b> #\"\\` $j ?&=~"},
};

START_TEST(good_templates)
{
	struct reply reply;

	fill_one(good_rows[_i].template, &values, &reply);
	ck_assert_msg(strcmp(seen(&reply, 0), good_rows[_i].reply) == 0,
	    "%s: got \"%s\"", good_rows[_i].when, seen(&reply, 0));
	ck_assert_int_eq((int)reply.line_count, 1);
}
END_TEST

#define CODE_NEEDED                                                            \
	"a reply starts with a code of three digits and a blank, such as "     \
	"\"451 \""
#define ONLY_DEFERS                                                            \
	": milter-defer only defers, so a code from 400 to 459 is needed, "    \
	"such as 451"
#define CLASS_4                                                                \
	": it has to be of class 4 with one to three digits in each part, "    \
	"such as 4.7.1"
#define THERE_ARE                                                              \
	"; there are client_addr client_name helo sender recipient server "    \
	"rule reference link wait score"

static const struct {
	const char *when;
	const char *template;
	const char *why;
} bad_rows[] = {
    {"nothing at all", "", CODE_NEEDED},
    {"no code", "Try again later.", CODE_NEEDED},
    {"two digits", "45 later", CODE_NEEDED},
    {"four digits", "4510 later", CODE_NEEDED},
    {"a letter in the code", "4a1 later", CODE_NEEDED},
    {"the continuation sign of a longer reply", "451-later", CODE_NEEDED},
    {"a code alone", "451", CODE_NEEDED},
    {"a permanent rejection", "550 5.7.1 Go away", "code 550" ONLY_DEFERS},
    {"a success", "250 2.0.0 Ok", "code 250" ONLY_DEFERS},
    {"a question", "354 Go on", "code 354" ONLY_DEFERS},
    {"a second digit that SMTP does not have", "460 later",
	"code 460" ONLY_DEFERS},
    {"a code without text", "451 ", "there is no text behind the code"},
    {"two codes without text", "451 4.7.1", "there is no text behind the code"},
    {"a permanent enhanced code", "451 5.7.1 later",
	"enhanced code 5.7.1" CLASS_4},
    {"an enhanced code of success", "451 2.0.0 later",
	"enhanced code 2.0.0" CLASS_4},
    {"an enhanced code of no class", "451 3.1.1 later",
	"enhanced code 3.1.1" CLASS_4},
    {"four digits in the detail", "451 4.7.5000 later",
	"enhanced code 4.7.5000" CLASS_4},
    {"four digits in the subject", "451 4.7000.5 later",
	"enhanced code 4.7000.5" CLASS_4},
    {"an unknown placeholder", "451 wait %{minutes}",
	"unknown placeholder %{minutes}" THERE_ARE},
    {"an empty placeholder", "451 wait %{}",
	"unknown placeholder %{}" THERE_ARE},
    {"a placeholder in capitals", "451 wait %{WAIT}",
	"unknown placeholder %{WAIT}; did you mean wait?" THERE_ARE},
    {"a placeholder that is never closed", "451 wait %{wait",
	"a placeholder without its brace; it is written %{wait}"},
    {"nor one that there is not", "451 wait %{so",
	"the brace of a placeholder is never closed"},
    {"a placeholder without braces", "451 wait %wait",
	"a placeholder without its brace; it is written %{wait}"},
    {"a placeholder of the shell", "451 $client_addr",
	"a placeholder without its brace; it is written %{client_addr}"},
    {"braces without the sign", "451 wait {wait} or so",
	"a placeholder without its brace; it is written %{wait}"},
    {"a placeholder within another", "451 wait %{%{wait}}",
	"unknown placeholder %{%{wait}" THERE_ARE},
    {"a line break", "451 a\nb",
	"a line break in the text; give a list of texts for a reply of "
	"several lines"},
    {"a carriage return", "451 a\r",
	"a line break in the text; give a list of texts for a reply of "
	"several lines"},
    {"a tab", "451 a\tb", "only printable ASCII may stand in a reply"},
    {"an escape", "451 \033[1m", "only printable ASCII may stand in a reply"},
    {"an umlaut", "451 sp\303\244ter",
	"only printable ASCII may stand in a reply"},
};

START_TEST(bad_templates)
{
	struct response *response = NULL;
	char why[RESPONSE_WHY_SIZE] = "";
	size_t at;
	bool made = response_make(
	    "test", &bad_rows[_i].template, 1, &response, why, &at);

	ck_assert_msg(!made && strcmp(why, bad_rows[_i].why) == 0,
	    "%s: got \"%s\"", bad_rows[_i].when, why);
	ck_assert_ptr_null(response);
}
END_TEST

/* `count` octets of 'x' behind `start`. */
static void
long_line(char *out_r, const char *start, size_t count)
{
	size_t length = strlen(start);

	memcpy(out_r, start, length);
	memset(out_r + length, 'x', count);
	out_r[length + count] = '\0';
}

static const struct {
	const char *when;
	const char *start;
	size_t more;
	bool good;
} length_rows[] = {
    {"450 octets of text fit", "451 4.7.1 ", 450, true},
    {"451 do not", "451 4.7.1 ", 451, false},
    {"a placeholder needs 40 of them", "451 %{helo}", 410, true},
    {"and not one less", "451 %{helo}", 411, false},
    {"each of them does", "451 %{helo}%{helo}", 371, false},
    {"eleven placeholders leave no room for text",
	"451 %{helo}%{helo}%{helo}%{helo}%{helo}%{helo}%{helo}%{helo}%{helo}"
	"%{helo}%{helo}",
	11, false},
};

START_TEST(lengths)
{
	char line[1024];
	const char *lines[] = {line};
	struct response *response = NULL;
	char why[RESPONSE_WHY_SIZE];
	size_t at;

	long_line(line, length_rows[_i].start, length_rows[_i].more);
	ck_assert_msg(response_make("test", lines, 1, &response, why, &at) ==
		length_rows[_i].good,
	    "%s", length_rows[_i].when);
	response_free(&response);
}
END_TEST

START_TEST(a_multi_line_reply_has_the_same_codes_on_each_line)
{
	const char *lines[] = {
	    "451 4.7.1 first", "451 4.7.1 %{wait}", "451 4.7.2 last", NULL};
	struct response *response = NULL;
	struct reply reply;
	char why[RESPONSE_WHY_SIZE];
	size_t at;

	ck_assert(!response_make("test", lines, 3, &response, why, &at));
	ck_assert_uint_eq(at, 2);
	ck_assert_str_eq(
	    why, "all lines of a reply need the same codes, here 451 4.7.1");
	ck_assert(response_make("test", lines, 2, &response, why, &at));
	response_fill(response, &values, &reply);
	ck_assert_uint_eq(reply.line_count, 2);
	ck_assert_str_eq(seen(&reply, 0), "451 4.7.1 first");
	ck_assert_str_eq(seen(&reply, 1), "451 4.7.1 5 minutes");
	ck_assert_str_eq(response->lines[1].whole, "451 4.7.1 %{wait}");
	ck_assert_uint_eq(response->line_count, 2);
	response_free(&response);
}
END_TEST

START_TEST(a_reply_has_one_to_eight_lines)
{
	const char *lines[REPLY_LINES_MAX + 1];
	struct response *response = NULL;
	char why[RESPONSE_WHY_SIZE];
	size_t at;

	for (size_t i = 0; i <= REPLY_LINES_MAX; i++)
		lines[i] = "451 again";
	ck_assert(!response_make(
	    "test", lines, REPLY_LINES_MAX + 1, &response, why, &at));
	ck_assert_str_eq(why, "a reply has 1 to 8 lines, not 9");
	ck_assert(!response_make("test", lines, 0, &response, why, &at));
	ck_assert(
	    response_make("test", lines, REPLY_LINES_MAX, &response, why, &at));
	response_free(&response);
}
END_TEST

static const struct {
	const char *when;
	const char *value;
	const char *reply;
} value_rows[] = {
    {"no value is the empty text", NULL, "451 4.7.1 []"},
    {"line breaks cannot break out", "a\r\n250 ok", "451 4.7.1 [a??250 ok]"},
    {"eight-bit letters become question marks", "caf\303\251",
	"451 4.7.1 [caf??]"},
    {"a value is never read as a template", "%{client_addr}%n%s",
	"451 4.7.1 [%{client_addr}%n%s]"},
    {"delete is no letter", "a\177b\001", "451 4.7.1 [a?b?]"},
};

START_TEST(values_are_cleaned)
{
	struct response_values hostile = {.text = {NULL}};
	struct reply reply;

	hostile.text[FILL_HELO] = value_rows[_i].value;
	fill_one("451 4.7.1 [%{helo}]", &hostile, &reply);
	ck_assert_msg(strcmp(seen(&reply, 0), value_rows[_i].reply) == 0,
	    "%s: got \"%s\"", value_rows[_i].when, seen(&reply, 0));
}
END_TEST

START_TEST(long_values_are_cut_and_the_text_stays_whole)
{
	char lengthy[2000];
	struct response_values hostile = values;
	struct reply reply;

	long_line(lengthy, "", sizeof lengthy - 1);
	hostile.text[FILL_HELO] = lengthy;
	hostile.text[FILL_SENDER] = lengthy;
	fill_one("451 4.7.1 helo=%{helo} from=%{sender} ref=%{reference}",
	    &hostile, &reply);
	/* 450 less 16 octets of text and 8 of the reference, shared by two */
	ck_assert_uint_eq(strlen(reply.lines[0]), 450);
	ck_assert_uint_eq(strspn(reply.lines[0] + 5, "x"), 213);
	ck_assert_ptr_nonnull(strstr(reply.lines[0], "x ref=7kq2m9xa"));
}
END_TEST

static const struct {
	const char *when;
	const char *template;
	bool doubtful;
} doubt_rows[] = {
    {"no enhanced code raises no doubt", "421 Timeout", false},
    {"row 11 fits", "421 4.4.2 Timeout", false},
    {"421 also goes with a security reason", "421 4.7.0 Too many", false},
    {"421 does not go with a mailbox", "421 4.2.1 Timeout", true},
    {"452 is about space", "452 4.3.1 Full", false},
    {"452 is not about policy", "452 4.7.1 Greylisted", true},
    {"454 is not about space", "454 4.2.2 No", true},
    {"455 is about parameters", "455 4.7.1 No", true},
    {"451 goes with all subjects", "451 4.2.0 blocked", false},
    {"450 too", "450 4.1.1 later", false},
    {"RFC 3463 ends at subject 7", "451 4.8.1 later", true},
    {"and has one digit there", "451 4.10.1 later", true},
};

START_TEST(doubts)
{
	struct response *response = make(doubt_rows[_i].template);

	ck_assert_msg(
	    (response_doubt(response) != NULL) == doubt_rows[_i].doubtful, "%s",
	    doubt_rows[_i].when);
	response_free(&response);
}
END_TEST

START_TEST(placeholders_in_use_are_known)
{
	struct response *response = make("451 see %{link}");

	ck_assert(response_uses(response, FILL_LINK));
	ck_assert(!response_uses(response, FILL_WAIT));
	ck_assert_str_eq(response->name, "test");
	ck_assert_str_eq(response->code, "451");
	ck_assert_str_eq(response->xcode, "");
	response_free(&response);
}
END_TEST

START_TEST(the_link_is_a_text_of_its_own)
{
	char why[RESPONSE_WHY_SIZE];
	char out[REPLY_TEXT_MAX + 1];

	ck_assert(response_check_text("", why));
	ck_assert(response_check_text("https://a.test/?%{reference}", why));
	ck_assert(!response_check_text("https://a.test/?%{link}", why));
	ck_assert_str_eq(why, "%{link} cannot stand in the link itself");
	ck_assert(!response_check_text("https://a.test/?%{ref}", why));
	response_fill_text(
	    "https://a.test/?%{reference}", &values, out, sizeof out);
	ck_assert_str_eq(out, "https://a.test/?7kq2m9xa");
	response_fill_text("https://a.test/", &values, out, 10);
	ck_assert_str_eq(out, "https://a");
}
END_TEST

static const struct {
	long long seconds;
	const char *text;
} wait_rows[] = {
    {-5, "0 seconds"},
    {0, "0 seconds"},
    {1, "1 second"},
    {40, "40 seconds"},
    {119, "119 seconds"},
    {120, "2 minutes"},
    {121, "3 minutes"},
    {300, "5 minutes"},
    {7199, "120 minutes"},
    {7200, "2 hours"},
    {7201, "3 hours"},
    {172799, "48 hours"},
    {172800, "2 days"},
    {172801, "3 days"},
};

START_TEST(waits_are_rounded_up)
{
	char text[40];

	response_say_wait(wait_rows[_i].seconds, text, sizeof text);
	ck_assert_str_eq(text, wait_rows[_i].text);
}
END_TEST

CHECK_MAIN("response", tcase)
{
	tcase_add_loop_test(tcase, good_templates, 0, COUNT(good_rows));
	tcase_add_loop_test(tcase, bad_templates, 0, COUNT(bad_rows));
	tcase_add_loop_test(tcase, lengths, 0, COUNT(length_rows));
	tcase_add_test(
	    tcase, a_multi_line_reply_has_the_same_codes_on_each_line);
	tcase_add_test(tcase, a_reply_has_one_to_eight_lines);
	tcase_add_loop_test(tcase, values_are_cleaned, 0, COUNT(value_rows));
	tcase_add_test(tcase, long_values_are_cut_and_the_text_stays_whole);
	tcase_add_loop_test(tcase, doubts, 0, COUNT(doubt_rows));
	tcase_add_test(tcase, placeholders_in_use_are_known);
	tcase_add_test(tcase, the_link_is_a_text_of_its_own);
	tcase_add_loop_test(tcase, waits_are_rounded_up, 0, COUNT(wait_rows));
}
