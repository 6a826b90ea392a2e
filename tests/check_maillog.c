#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "lib/check_main.h"
#include "maillog/maillog.h"
#include "maillog/maillog_clock.h"
#include "maillog/maillog_lines.h"

/* ---- One line */

#define T	"Nov 28 14:56:56 mx1 "
#define PF	T "postfix/smtpd[23116]: "
#define RFC5424 "<22>1 2026-11-28T14:56:56.5+01:00 mx1 "
#define FROM	"RCPT from mail.sender.example[198.51.100.7]: "
#define ENDS                                                                   \
	"; from=<a@s.example> to=<bob@local.test> proto=ESMTP "                \
	"helo=<h.example>"

/* What is read of a line, as "kind queue-id client name helo user sender
 * recipients size count fate step", "-" for what is not told. */
static const char *const kinds[] = {"garbage", "other", "connect", "close",
    "secure", "login", "client", "envelope", "recipient", "refused", "done",
    "screened", "ours"};
static const char *const fates[] = {"taken", "put-off", "rejected"};
static const char *const steps[] = {"recipient", "message", "other"};

static const struct {
	const char *when;
	const char *line;
	const char *said;
} lines[] = {
    {"a client connects", PF "connect from mail.sender.example[198.51.100.7]",
	"connect - 198.51.100.7 mail.sender.example - - - - -1 -1"},
    {"unknown is no name", PF "connect from unknown[2001:db8::25]",
	"connect - 2001:db8::25 - - - - - -1 -1"},
    {"a line that is cut in a field is garbage",
	PF "connect from mail.sender.exam", "garbage - - - - - - - -1 -1"},
    {"a connection ends",
	PF "disconnect from unknown[192.0.2.1] ehlo=1 quit=1 commands=2",
	"close - - - - - - - -1 -1"},
    {"a connection is encrypted",
	PF "Anonymous TLS connection established from h[192.0.2.1]: TLSv1.3",
	"secure - - - - - - - -1 -1"},
    {"a queue id is a client's",
	PF "42C25A724FA: client=mail.sender.example[198.51.100.7]",
	"client 42C25A724FA 198.51.100.7 mail.sender.example - - - - -1 -1"},
    {"the client has logged in",
	PF "4Rb1x2Xb3zz9: client=unknown[192.0.2.9], sasl_method=PLAIN, "
	   "sasl_username=joe@local.test",
	"client 4Rb1x2Xb3zz9 192.0.2.9 - - joe@local.test - - -1 -1"},
    {"what a content filter hands back is no attempt",
	PF "4Rb1x2Xb3zz9: client=localhost[127.0.0.1], "
	   "orig_queue_id=42C25A724FA, orig_client=a.example[192.0.2.9]",
	"other 4Rb1x2Xb3zz9 192.0.2.9 a.example - - - - -1 -1"},
    {"what a proxy filter hands on is its client's",
	PF "4Rb1x2Xb3zz9: client=localhost[127.0.0.1], "
	   "orig_queue_id=NOQUEUE, orig_client=a.example[192.0.2.9]",
	"client 4Rb1x2Xb3zz9 192.0.2.9 a.example - - - - -1 -1"},
    {"several instances go by other names",
	T "postfix/mx1/smtpd[5]: connect from unknown[192.0.2.1]",
	"connect - 192.0.2.1 - - - - - -1 -1"},
    {"or by these", T "postfix-in/smtpd[5]: connect from unknown[192.0.2.1]",
	"connect - 192.0.2.1 - - - - - -1 -1"},
    {"or by any", T "incoming/smtpd[5]: connect from unknown[192.0.2.1]",
	"connect - 192.0.2.1 - - - - - -1 -1"},
    {"what has a slash is not all Postfix's",
	T "cron/smtpd2[5]: connect from unknown[192.0.2.1]",
	"other - - - - - - - -1 -1"},
    {"the journal tells parts of a second",
	"Nov 28 14:56:56.123456 mx1 postfix/smtpd[5]: connect from "
	"unknown[192.0.2.1]",
	"connect - 192.0.2.1 - - - - - -1 -1"},
    {"a priority may stand before", "<22>" PF "connect from unknown[192.0.2.1]",
	"connect - 192.0.2.1 - - - - - -1 -1"},
    {"RFC 5424",
	RFC5424 "postfix/smtpd 23116 - - connect from unknown[2001:db8::25]",
	"connect - 2001:db8::25 - - - - - -1 -1"},
    {"RFC 5424 with data and a mark",
	RFC5424 "postfix/smtpd 23116 ID47 [a@1 b=\"] \\\" c\"][d e=\"f\"] "
		"\xef\xbb\xbf"
		"42C25A724FA: client=a.example[192.0.2.9]",
	"client 42C25A724FA 192.0.2.9 a.example - - - - -1 -1"},
    {"RFC 5424 that is cut", RFC5424 "postfix/smtpd 23116 - [a b=\"c",
	"garbage - - - - - - - -1 -1"},
    {"Sendmail may have a tag of its own",
	T "sm-mta-in[5]: STARTTLS=server, relay=a.example [192.0.2.9], "
	  "version=TLSv1.3",
	"secure - 192.0.2.9 a.example - - - - -1 -1"},
    {"a filter puts a recipient off",
	PF "NOQUEUE: milter-reject: " FROM "451 4.7.1 Try later." ENDS,
	"refused - 198.51.100.7 mail.sender.example h.example - a@s.example "
	"bob@local.test -1 -1 put-off recipient"},
    {"a filter rejects for ever",
	PF "NOQUEUE: milter-reject: " FROM "550 5.7.1 No." ENDS,
	"refused - 198.51.100.7 mail.sender.example h.example - a@s.example "
	"bob@local.test -1 -1 rejected recipient"},
    {"a greylist puts a recipient off",
	PF
	"NOQUEUE: reject: " FROM
	"450 4.2.0 <bob@local.test>: Recipient address rejected: Greylisted, "
	"see http://postgrey.schweikert.ch/help/local.test.html" ENDS,
	"refused - 198.51.100.7 mail.sender.example h.example - a@s.example "
	"bob@local.test -1 -1 put-off recipient"},
    {"what is temporary for another reason is the mail server's own",
	PF "NOQUEUE: reject: " FROM
	   "450 4.1.8 <a@s.example>: Sender address rejected: Domain not "
	   "found" ENDS,
	"refused - 198.51.100.7 mail.sender.example h.example - a@s.example "
	"bob@local.test -1 -1 rejected recipient"},
    {"a sender called greylist makes no greylist",
	PF "NOQUEUE: reject: " FROM
	   "450 4.1.8 no; from=<greylist@s.example> to=<b@c> proto=SMTP "
	   "helo=<h>",
	"refused - 198.51.100.7 mail.sender.example h - greylist@s.example "
	"b@c -1 -1 rejected recipient"},
    {"the null sender is one",
	PF "46676A721B4: milter-reject: DATA from unknown[198.51.100.7]: 451 "
	   "4.7.1 Later.; from=<> to=<bob@local.test> proto=ESMTP helo=<h>",
	"refused 46676A721B4 198.51.100.7 - h - <> bob@local.test -1 -1 "
	"put-off message"},
    {"cleanup gives no code",
	T "postfix/cleanup[9]: 46676A721B4: milter-reject: END-OF-MESSAGE from "
	  "unknown[198.51.100.7]: 5.7.1 Spam; from=<a@b> to=<c@d> proto=ESMTP "
	  "helo=<h>",
	"refused 46676A721B4 198.51.100.7 - h - a@b c@d -1 -1 rejected "
	"message"},
    {"a refusal that is cut is garbage",
	PF "NOQUEUE: reject: " FROM "550 5.1.1 No; from=<a@s.exam",
	"garbage - 198.51.100.7 mail.sender.example - - - - -1 -1"},
    {"a message is queued",
	T "postfix/qmgr[1]: 440E9A72510: from=<a@s.example>, size=338, "
	  "nrcpt=2 (queue active)",
	"envelope 440E9A72510 - - - - a@s.example - 338 2"},
    {"a message that is cut is garbage",
	T "postfix/qmgr[1]: 440E9A72510: from=<a@s.example>, size=3",
	"garbage 440E9A72510 - - - - a@s.example - 3 -1"},
    {"a message is removed", T "postfix/qmgr[1]: 440E9A72510: removed",
	"done 440E9A72510 - - - - - - -1 -1"},
    {"a recipient is delivered",
	T "postfix/lmtp[7]: 440E9A72510: to=<bob@local.test>, relay=x, "
	  "delay=0.01, delays=0/0/0/0, dsn=2.0.0, status=sent (ok)",
	"recipient 440E9A72510 - - - - - bob@local.test -1 -1"},
    {"the recipient is who was asked for",
	T "postfix/local[7]: 440E9A72510: to=<bob@local.test>, "
	  "orig_to=<info@local.test>, relay=local, status=sent (ok)",
	"recipient 440E9A72510 - - - - - info@local.test -1 -1"},
    {"postscreen lets a client through",
	T "postfix/postscreen[8]: PASS NEW [198.51.100.7]:3544",
	"screened - - - - - - - -1 -1"},
    {"Sendmail: a message is taken",
	T "sendmail[25856]: 6ASEvAVc025856: from=<a@s.example>, size=23, "
	  "class=0, nrcpts=2, msgid=<x@y>, proto=ESMTP, daemon=MTA, "
	  "relay=mail.sender.example [198.51.100.7]",
	"envelope 6ASEvAVc025856 198.51.100.7 mail.sender.example - - "
	"a@s.example - 23 2"},
    {"Sendmail: a name that may be forged is none",
	T "sm-mta[7]: 6ASEvAVc025856: from=<>, size=23, class=0, nrcpts=1, "
	  "proto=SMTP, daemon=MTA, relay=x.example [IPv6:2001:db8::1] (may be "
	  "forged)",
	"envelope 6ASEvAVc025856 2001:db8::1 - - - <> - 23 1"},
    {"Sendmail: a user of this host has no address",
	T "sendmail[7]: 6ASEvAVc025856: from=joe, size=23, class=0, "
	  "nrcpts=1, msgid=<x@y>, relay=joe@localhost",
	"envelope 6ASEvAVc025856 - - - - joe - 23 1"},
    {"Sendmail: recipients come together",
	T "sendmail[7]: 6ASEvAVc025856: to=<a@b>,<c@d>, delay=00:00:01, "
	  "xdelay=00:00:01, mailer=esmtp, pri=1, relay=x. [192.0.2.1], "
	  "dsn=2.0.0, stat=Sent (ok)",
	"recipient 6ASEvAVc025856 - - - - - <a@b>,<c@d> -1 -1"},
    {"Sendmail: a filter puts a recipient off",
	T "sendmail[7]: 6ASEv4fC025055: Milter: to=<later@local.test>, "
	  "reject=451 4.7.1 Greylisted, try again after some time.",
	"refused 6ASEv4fC025055 - - - - - later@local.test -1 -1 put-off "
	"recipient"},
    {"Sendmail: a filter puts a message off",
	T "sendmail[7]: 6ASEv4fC025055: Milter: cmd=data, reject=451 4.7.1 "
	  "Later",
	"refused 6ASEv4fC025055 - - - - - - -1 -1 put-off message"},
    {"Sendmail: a user is unknown",
	T "sendmail[7]: 6ASEv4fC025055: <x@y>... User unknown",
	"refused 6ASEv4fC025055 - - - - - x@y -1 -1 rejected recipient"},
    {"Sendmail: relaying is denied",
	T "sendmail[7]: 6ASEv4fC025055: ruleset=check_rcpt, arg1=<x@y>, "
	  "relay=[198.51.100.7], reject=550 5.7.1 <x@y>... Relaying denied",
	"refused 6ASEv4fC025055 198.51.100.7 - - - - x@y -1 -1 rejected "
	"recipient"},
    {"Sendmail: somebody logs in",
	T "sendmail[7]: AUTH=server, relay=h.example [192.0.2.1], "
	  "authid=joe, mech=PLAIN, bits=0",
	"login - 192.0.2.1 h.example - joe - - -1 -1"},
    {"a decision of ours",
	T "milter-defer[3]: session=HCSM17PG verdict=defer rule=\"g x\" "
	  "response=greylisted code=451 wait=5 reference=AZ stage=data "
	  "client=198.51.100.7 name=mail.s.example helo=h.example "
	  "sender=<a@s.example> recipient=<bob@local.test>,+1 recipients=2 "
	  "score=0 known=no load=0.00 id=42C25A724FA",
	"ours 42C25A724FA 198.51.100.7 mail.s.example h.example - a@s.example "
	"<bob@local.test> -1 -1 put-off"},
    {"other programs are nothing to us", T "sshd[1]: connect from x[192.0.2.1]",
	"other - - - - - - - -1 -1"},
    {"what syslogd says has no program", T "last message repeated 3 times",
	"other - - - - - - - -1 -1"},
    {"the kernel has no process", T "kernel: [1.0] hello",
	"other - - - - - - - -1 -1"},
    {"a time with a year and a zone",
	"2026-11-28T14:56:56.123456+01:00 mx1 postfix/qmgr[1]: AAAAAA: removed",
	"done AAAAAA - - - - - - -1 -1"},
    {"a day of one digit",
	"Nov  8 14:56:56 mx1 postfix/qmgr[1]: AAAAAA: removed",
	"done AAAAAA - - - - - - -1 -1"},
    {"no time at all", "postfix/smtpd[1]: connect from x[192.0.2.1]",
	"garbage - - - - - - - -1 -1"},
    {"a month that is none", "Foo 28 14:56:56 mx1 postfix/qmgr[1]: A: removed",
	"garbage - - - - - - - -1 -1"},
    {"an hour that is none",
	"Nov 28 25:56:56 mx1 postfix/qmgr[1]: AAAAAA: removed",
	"garbage - - - - - - - -1 -1"},
    {"nothing but a time", "Nov 28 14:56:56", "garbage - - - - - - - -1 -1"},
    {"an empty line", "", "garbage - - - - - - - -1 -1"},
};

static void
say(char *text, size_t size, struct span span, bool even_empty)
{
	size_t length = strlen(text);
	char piece[512];

	(void)snprintf(piece, sizeof piece, "%.*s", (int)span.length, span.at);
	(void)snprintf(text + length, size - length, " %s",
	    span.length > 0  ? piece
		: even_empty ? "<>"
			     : "-");
}

START_TEST(a_line_is_read)
{
	struct maillog_line line;
	char said[1024];
	size_t length;

	maillog_line_read(lines[_i].line, strlen(lines[_i].line), &line);
	(void)snprintf(said, sizeof said, "%s", kinds[line.kind]);
	say(said, sizeof said, line.queue_id, false);
	say(said, sizeof said, line.client, false);
	say(said, sizeof said, line.name, false);
	say(said, sizeof said, line.helo, false);
	say(said, sizeof said, line.user, false);
	say(said, sizeof said, line.sender, line.has_sender);
	say(said, sizeof said, line.recipients, false);
	length = strlen(said);
	if (line.kind == MAILLOG_OURS)
		(void)snprintf(said + length, sizeof said - length, " -1 -1 %s",
		    fates[line.fate]);
	else
		(void)snprintf(said + length, sizeof said - length,
		    " %" PRId64 " %" PRId64 "%s%s%s%s", line.size, line.count,
		    line.kind == MAILLOG_REFUSED ? " " : "",
		    line.kind == MAILLOG_REFUSED ? fates[line.fate] : "",
		    line.kind == MAILLOG_REFUSED ? " " : "",
		    line.kind == MAILLOG_REFUSED ? steps[line.step] : "");
	ck_assert_msg(strcmp(said, lines[_i].said) == 0, "%s:\n%s\nnot\n%s",
	    lines[_i].when, said, lines[_i].said);
}
END_TEST

/* Wherever a line is cut, nothing is read beyond it (under ASan), and of a line of a
 * mail server that is cut no more is believed than stands there. */
START_TEST(a_line_is_cut_anywhere)
{
	const char *whole = lines[_i].line;

	for (size_t length = 0; length < strlen(whole); length++) {
		char *copy = malloc(length);
		struct maillog_line line;
		struct span address;

		memcpy(copy, whole, length);
		maillog_line_read(copy, length, &line);
		while (maillog_next_recipient(&line.recipients, &address))
			ck_assert(address.length <= length);
		free(copy);
	}
}
END_TEST

/* ---- Times */

#define YOUNGEST INT64_C(1795900000) /* 2026-11-28 */

static int64_t
utc(int year, int month, int day, int hour, int minute)
{
	struct tm tm = {.tm_year = year - 1900,
	    .tm_mon = month - 1,
	    .tm_mday = day,
	    .tm_hour = hour,
	    .tm_min = minute};
	char before[64] = "";
	int64_t at;

	if (getenv("TZ") != NULL)
		(void)snprintf(before, sizeof before, "%s", getenv("TZ"));
	setenv("TZ", "UTC0", 1);
	at = (int64_t)mktime(&tm);
	setenv("TZ", before, 1);
	tzset();
	return at;
}

static int64_t
read_time(struct maillog_clock *clock, const char *time)
{
	struct maillog_line line;
	char text[128];

	(void)snprintf(text, sizeof text, "%s mx1 x: y", time);
	maillog_line_read(text, strlen(text), &line);
	ck_assert_msg(line.has_stamp, "%s", time);
	return maillog_clock_read(clock, &line.stamp);
}

START_TEST(times_have_their_year)
{
	struct maillog_clock clock;

	setenv("TZ", "UTC0", 1);
	tzset();
	clock = (struct maillog_clock){.youngest = YOUNGEST};
	ck_assert_int_eq(
	    read_time(&clock, "Nov 27 10:00:00"), utc(2026, 11, 27, 10, 0));
	clock = (struct maillog_clock){.youngest = YOUNGEST};
	ck_assert_int_eq(
	    read_time(&clock, "Dec 31 23:59:00"), utc(2025, 12, 31, 23, 59));
	ck_assert_int_eq(
	    read_time(&clock, "Jan  1 00:00:00"), utc(2026, 1, 1, 0, 0));
	ck_assert_int_eq(read_time(&clock, "Dec 31 23:59:59"),
	    utc(2025, 12, 31, 23, 59) + 59);
	ck_assert_int_eq(
	    read_time(&clock, "Jan  1 00:00:01"), utc(2026, 1, 1, 0, 0) + 1);
	clock = (struct maillog_clock){.youngest = YOUNGEST};
	ck_assert_int_eq(
	    read_time(&clock, "Feb 29 12:00:00"), utc(2024, 2, 29, 12, 0));
	clock = (struct maillog_clock){.youngest = YOUNGEST, .year = 2019};
	ck_assert_int_eq(
	    read_time(&clock, "Nov 27 10:00:00"), utc(2019, 11, 27, 10, 0));
}
END_TEST

START_TEST(times_have_their_zone)
{
	struct maillog_clock clock;

	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	clock = (struct maillog_clock){.youngest = YOUNGEST};
	ck_assert_int_eq(read_time(&clock, "2026-10-25T00:30:00Z"),
	    utc(2026, 10, 25, 0, 30));
	ck_assert_int_eq(read_time(&clock, "2026-10-25T02:30:00.5+02:00"),
	    utc(2026, 10, 25, 0, 30));
	ck_assert_int_eq(read_time(&clock, "2026-10-25T01:30:00-0130"),
	    utc(2026, 10, 25, 3, 0));
	clock = (struct maillog_clock){.youngest = YOUNGEST};
	ck_assert_int_eq(
	    read_time(&clock, "Jul  1 12:00:00"), utc(2026, 7, 1, 10, 0));
	ck_assert_int_eq(
	    read_time(&clock, "Nov  1 12:00:00"), utc(2026, 11, 1, 11, 0));
}
END_TEST

/* 02:00 to 03:00 comes twice on 25 October, and not at all on 29 March. */
START_TEST(an_hour_comes_twice)
{
	struct maillog_clock clock;

	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	clock = (struct maillog_clock){.youngest = YOUNGEST};
	for (int minute = 0; minute < 120; minute++) {
		char text[32];

		(void)snprintf(
		    text, sizeof text, "Oct 25 02:%02d:07", minute % 60);
		ck_assert_int_eq(read_time(&clock, text),
		    utc(2026, 10, 25, 0, 0) + minute * 60 + 7);
	}
	ck_assert_int_eq(
	    read_time(&clock, "Oct 25 03:00:00"), utc(2026, 10, 25, 2, 0));
	clock = (struct maillog_clock){.youngest = YOUNGEST};
	ck_assert_int_eq(
	    read_time(&clock, "Mar 29 01:59:59"), utc(2026, 3, 29, 0, 59) + 59);
	ck_assert_int_eq(
	    read_time(&clock, "Mar 29 03:00:00"), utc(2026, 3, 29, 1, 0));
}
END_TEST

/* ---- Attempts */

#define SECONDS "2026-11-28T14:56:"
#define SMTPD	"+00:00 mx1 postfix/smtpd[1]: "
#define QMGR	"+00:00 mx1 postfix/qmgr[2]: "
#define LMTP	"+00:00 mx1 postfix/lmtp[3]: "
#define SM	"+00:00 mx1 sendmail[4]: "
#define OURS	"+00:00 mx1 milter-defer[5]: "
#define REFUSE(second, what, code, sender, recipient)                          \
	SECONDS second SMTPD what ": RCPT from a.example[192.0.2.1]: " code    \
				  "; from=<" sender "> to=<" recipient         \
				  "> proto=ESMTP helo=<h>\n"

/* Each attempt as "second client name helo user sender recipient,+put off,-rejected
 * refused", " tls" at the end. */
static const struct {
	const char *when;
	const char *log;
	const char *attempts;
} stories[] = {
    {"a message with two recipients",
	SECONDS "01" SMTPD "AAAAAA: client=a.example[192.0.2.1]\n" SECONDS
		"02" QMGR "AAAAAA: from=<s@a>, size=99, nrcpt=2 (q)\n" SECONDS
		"03" LMTP "AAAAAA: to=<b@c>, relay=x, status=sent\n" SECONDS
		"04" LMTP "AAAAAA: to=<d@c>, relay=x, status=sent\n",
	"01 192.0.2.1 a.example - - s@a b@c,d@c 0\n"},
    {"an alias of two is one recipient",
	SECONDS
	"01" SMTPD "AAAAAA: client=a.example[192.0.2.1]\n" SECONDS "02" QMGR
	"AAAAAA: from=<s@a>, size=99, nrcpt=2 (q)\n" SECONDS "03" LMTP
	"AAAAAA: to=<b@c>, orig_to=<x@c>, status=sent\n" SECONDS "04" LMTP
	"AAAAAA: to=<d@c>, orig_to=<x@c>, status=sent\n",
	"01 192.0.2.1 a.example - - s@a x@c 0\n"},
    {"they come in the order in which they begin",
	SECONDS "01" SMTPD "AAAAAA: client=a.example[192.0.2.1]\n" SECONDS
		"02" SMTPD "BBBBBB: client=unknown[192.0.2.2]\n" SECONDS
		"03" QMGR "BBBBBB: from=<>, size=99, nrcpt=1 (q)\n" SECONDS
		"03" LMTP "BBBBBB: to=<b@c>, status=sent\n" SECONDS "04" QMGR
		"AAAAAA: from=<s@a>, size=99, nrcpt=1 (q)\n" SECONDS "04" LMTP
		"AAAAAA: to=<b@c>, status=sent\n",
	"01 192.0.2.1 a.example - - s@a b@c 0\n02 192.0.2.2 - - - <> b@c 0\n"},
    {"what a greylist put off is an attempt, with what was refused",
	SECONDS "01" SMTPD "connect from a.example[192.0.2.1]\n" REFUSE(
	    "02", "NOQUEUE: milter-reject", "451 4.7.1 Later", "s@a", "b@c")
	    REFUSE("03", "NOQUEUE: reject", "550 5.1.1 Unknown", "s@a", "x@c")
		REFUSE("04", "NOQUEUE: milter-reject", "451 4.7.1 Later", "s@a",
		    "d@c"),
	"02 192.0.2.1 a.example h - s@a +b@c,+d@c 1\n"},
    {"the same recipient again is another attempt",
	REFUSE("02", "NOQUEUE: milter-reject", "451 4.7.1 Later", "s@a", "b@c")
	    REFUSE("03", "NOQUEUE: milter-reject", "451 4.7.1 Later", "s@a",
		"b@c"),
	"02 192.0.2.1 a.example h - s@a +b@c 0\n"
	"03 192.0.2.1 a.example h - s@a +b@c 0\n"},
    {"another connection of the same process is another attempt",
	REFUSE("02", "NOQUEUE: milter-reject", "451 4.7.1 Later", "s@a", "b@c")
	    SECONDS
	"03" SMTPD "disconnect from a.example[192.0.2.1]\n" REFUSE(
	    "04", "NOQUEUE: milter-reject", "451 4.7.1 Later", "s@a", "d@c"),
	"02 192.0.2.1 a.example h - s@a +b@c 0\n"
	"04 192.0.2.1 a.example h - s@a +d@c 0\n"},
    {"a message put off at DATA has what is told of it",
	SECONDS "01" SMTPD "AAAAAA: client=a.example[192.0.2.1]\n" SECONDS
		"02" SMTPD
		"AAAAAA: milter-reject: DATA from a.example[192.0.2.1]: 451 "
		"4.7.1 Later; from=<s@a> to=<b@c> proto=ESMTP helo=<h>\n",
	"01 192.0.2.1 a.example h - s@a +b@c 0\n"},
    {"a queue id that is used again is another message",
	SECONDS "01" SMTPD "AAAAAA: client=a.example[192.0.2.1]\n" SECONDS
		"02" QMGR "AAAAAA: from=<s@a>, size=99, nrcpt=1 (q)\n" SECONDS
		"03" LMTP "AAAAAA: to=<b@c>, status=sent\n" SECONDS "03" QMGR
		"AAAAAA: removed\n" SECONDS "04" SMTPD
		"AAAAAA: client=b.example[192.0.2.2]\n" SECONDS "05" QMGR
		"AAAAAA: from=<t@a>, size=99, nrcpt=1 (q)\n" SECONDS "06" LMTP
		"AAAAAA: to=<d@c>, status=sent\n",
	"01 192.0.2.1 a.example - - s@a b@c 0\n"
	"04 192.0.2.2 b.example - - t@a d@c 0\n"},
    {"what a proxy filter is asked has no queue id yet",
	SECONDS "01" SMTPD "NOQUEUE: client=a.example[192.0.2.1]\n" SECONDS
		"01" SMTPD "NOQUEUE: client=b.example[192.0.2.2]\n" SECONDS
		"02" SMTPD
		"AAAAAA: client=localhost[127.0.0.1], orig_queue_id=NOQUEUE, "
		"orig_client=a.example[192.0.2.1]\n" SECONDS "02" QMGR
		"AAAAAA: from=<s@a>, size=99, nrcpt=1 (q)\n" SECONDS "03" LMTP
		"AAAAAA: to=<b@c>, status=sent\n",
	"02 192.0.2.1 a.example - - s@a b@c 0\n"},
    {"encryption and log-in are the connection's",
	SECONDS
	"01" SMTPD "connect from a.example[192.0.2.1]\n" SECONDS "01" SMTPD
	"Anonymous TLS connection established from a.example[192.0.2.1]"
	": TLSv1.3\n" SECONDS "01" SMTPD
	"AAAAAA: client=a.example[192.0.2.1], sasl_username=joe\n" SECONDS
	"02" QMGR "AAAAAA: from=<s@a>, size=99, nrcpt=1 (q)\n" SECONDS "03" LMTP
	"AAAAAA: to=<b@c>, status=sent\n" SECONDS "04" SMTPD
	"connect from a.example[192.0.2.1]\n" SECONDS "04" SMTPD
	"BBBBBB: client=a.example[192.0.2.1]\n" SECONDS "05" QMGR
	"BBBBBB: from=<s@a>, size=99, nrcpt=1 (q)\n" SECONDS "06" LMTP
	"BBBBBB: to=<b@c>, status=sent\n",
	"01 192.0.2.1 a.example - joe s@a b@c 0 tls\n"
	"04 192.0.2.1 a.example - - s@a b@c 0\n"},
    {"mail of this host is no attempt",
	SECONDS "02" QMGR "AAAAAA: from=<s@a>, size=99, nrcpt=1 (q)\n" SECONDS
		"03" LMTP "AAAAAA: to=<b@c>, status=sent\n",
	""},
    {"of whom nothing more is told, nothing is made up",
	SECONDS "01" SMTPD "AAAAAA: client=a.example[192.0.2.1]\n", ""},
    {"Sendmail: some put off, some taken",
	SECONDS
	"01" SM
	"6ASEv4fC025055: Milter: to=<b@c>, reject=451 4.7.1 Later\n" SECONDS
	"02" SM "6ASEv4fC025055: from=<s@a>, size=9, class=0, nrcpts=1, "
	"proto=ESMTP, daemon=MTA, relay=a.example [192.0.2.1]\n" SECONDS "03" SM
	"6ASEv4fC025055: to=<d@c>, delay=0, stat=Sent\n",
	"01 192.0.2.1 a.example - - s@a +b@c,d@c 0\n"},
    {"Sendmail: put off at DATA",
	SECONDS
	"01" SM
	"6ASEv4fC025055: Milter: cmd=data, reject=451 4.7.1 Later\n" SECONDS
	"01" SM "6ASEv4fC025055: to=<b@c>, delay=0, stat=RSET\n" SECONDS "01" SM
	"6ASEv4fC025055: to=<d@c>, delay=0, stat=RSET\n" SECONDS "02" SM
	"6ASEv4fC025055: from=<s@a>, size=9, class=0, nrcpts=2, "
	"proto=ESMTP, daemon=MTA, relay=[192.0.2.1]\n",
	"01 192.0.2.1 - - - s@a +b@c,+d@c 0\n"},
    {"ours stand alone where no mail server tells of them",
	SECONDS "01" OURS
		"session=A verdict=defer rule=\"x\" client=192.0.2.1 name= "
		"helo=h sender=<s@a> recipient=<b@c> recipients=1 id=\n" SECONDS
		"02" OURS "session=A verdict=accept rule=\"\" client=192.0.2.1 "
		"name=a.example helo=h sender=<> recipient=<b@c> recipients=1 "
		"id=AAAAAA\n",
	"01 192.0.2.1 - h - s@a +b@c 0\n"
	"02 192.0.2.1 a.example h - <> b@c 0\n"},
    {"ours name the recipients of what Sendmail only says was put off",
	SECONDS
	"01" SM
	"6ASEv4fC025055: Milter: cmd=data, reject=451 4.7.1 Later\n" SECONDS
	"01" OURS "session=A verdict=defer rule=\"x\" client=192.0.2.1 name= "
	"helo=h sender=<s@a> recipient=<b@c> recipients=1 "
	"id=6ASEv4fC025055\n" SECONDS "02" SM
	"6ASEv4fC025055: from=<s@a>, size=9, class=0, nrcpts=1, "
	"proto=ESMTP, daemon=MTA, relay=[192.0.2.1]\n",
	"01 192.0.2.1 - h - s@a +b@c 0\n"},
    {"ours only add the greeting where one does",
	SECONDS "01" SMTPD "AAAAAA: client=a.example[192.0.2.1]\n" SECONDS
		"01" OURS "session=A verdict=accept rule=\"\" client=192.0.2.1 "
		"name=a.example helo=h sender=<s@a> recipient=<b@c> "
		"recipients=1 id=AAAAAA\n" SECONDS "02" QMGR
		"AAAAAA: from=<s@a>, size=99, nrcpt=1 (q)\n" SECONDS "03" LMTP
		"AAAAAA: to=<b@c>, relay=x, status=sent\n",
	"01 192.0.2.1 a.example h - s@a b@c 0\n"},
};

static void
append(char *text, size_t size, const char *word, const char *before)
{
	size_t length = strlen(text);

	(void)snprintf(text + length, size - length, "%s%s", before,
	    word == NULL	  ? "-"
		: word[0] == '\0' ? "<>"
				  : word);
}

static void
take_attempts(struct maillog *log, bool is_end, char *said, size_t size)
{
	static const char *const marks[] = {"", "+", "-"};
	struct maillog_attempt attempt;
	char word[64];

	while (maillog_take(log, is_end, &attempt)) {
		(void)snprintf(
		    word, sizeof word, "%02d", (int)(attempt.at % 60));
		append(said, size, word, "");
		append(said, size, attempt.client, " ");
		append(said, size, attempt.name, " ");
		append(said, size, attempt.helo, " ");
		append(said, size, attempt.user, " ");
		append(said, size, attempt.sender, " ");
		for (size_t i = 0; i < attempt.recipient_count; i++) {
			append(said, size, marks[attempt.fates[i]],
			    i == 0 ? " " : ",");
			if (marks[attempt.fates[i]][0] == '\0')
				said[strlen(said) - 2] = '\0';
			append(said, size, attempt.recipients[i], "");
		}
		(void)snprintf(word, sizeof word, "%zu%s\n", attempt.refused,
		    attempt.tls ? " tls" : "");
		append(said, size, word, " ");
	}
}

START_TEST(a_log_tells_of_attempts)
{
	struct maillog *log = maillog_open();
	struct maillog_clock clock;
	char said[2048] = "";
	const char *at = stories[_i].log;

	clock = (struct maillog_clock){.youngest = YOUNGEST};
	while (*at != '\0') {
		size_t length = strcspn(at, "\n");
		struct maillog_line line;

		maillog_line_read(at, length, &line);
		ck_assert(maillog_feed(
		    log, &line, maillog_clock_read(&clock, &line.stamp)));
		take_attempts(log, false, said, sizeof said);
		at += length + 1;
	}
	take_attempts(log, true, said, sizeof said);
	ck_assert_msg(strcmp(said, stories[_i].attempts) == 0, "%s:\n%snot\n%s",
	    stories[_i].when, said, stories[_i].attempts);
	maillog_close(&log);
}
END_TEST

/* ---- Files */

static char directory[] = "/tmp/milter-defer-maillog.XXXXXX";

static const char *
path_of(const char *name)
{
	static char paths[4][128];
	static int next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof paths[0], "%s/%s", directory, name);
	return path;
}

static void
write_file(const char *name, const void *data, size_t length)
{
	FILE *file = fopen(path_of(name), "w");

	ck_assert_uint_eq(fwrite(data, 1, length, file), length);
	fclose(file);
}

/* "first-second": one line each second, of host `host`. */
static size_t
make_lines(int first, int last, const char *host, char *text, size_t size)
{
	size_t length = 0;

	for (int i = first; i <= last; i++)
		length += (size_t)snprintf(text + length, size - length,
		    "2026-11-28T%02d:%02d:%02d+00:00 %s postfix/qmgr[1]: "
		    "AAAAAA: removed\n",
		    i / 3600, i / 60 % 60, i % 60, host);
	return length;
}

/* All in order; how many. */
static int64_t
count_lines(const char *const *paths, size_t count)
{
	char why[MAILLOG_WHY_SIZE];
	const struct maillog_terms terms = {.paths = paths, .count = count};
	struct maillog_lines *all = maillog_lines_open(&terms, why);
	const struct maillog_line *line;
	int64_t at, last = 0, number = 0;

	ck_assert_msg(all != NULL, "%s", why);
	for (; maillog_lines_next(all, &line, &at); number++) {
		ck_assert(at >= last);
		last = at;
	}
	ck_assert_int_eq(
	    maillog_lines_counts(all)->lines, number + (number == 0));
	maillog_lines_close(&all);
	return number;
}

START_TEST(files_are_read_in_the_order_of_their_times)
{
	static char text[400000], packed[400000];
	size_t length, zstd_length;
	const char *paths[4];
	gzFile gzip;

	ck_assert(mkdtemp(directory) != NULL);
	length = make_lines(2000, 3999, "mx1", text, sizeof text);
	write_file("plain", text, length);
	length = make_lines(0, 999, "mx1", text, sizeof text);
	gzip = gzopen(path_of("gzip"), "wb");
	gzwrite(gzip, text, (unsigned)length);
	gzclose(gzip);
	gzip = gzopen(path_of("gzip"), "ab"); /* appended to */
	length = make_lines(1000, 1999, "mx1", text, sizeof text);
	gzwrite(gzip, text, (unsigned)length);
	gzclose(gzip);
	length = make_lines(500, 2499, "mx2", text, sizeof text);
	zstd_length = ZSTD_compress(packed, sizeof packed, text, length, 3);
	write_file("zstd", packed, zstd_length);
	write_file("empty", "", 0);
	for (int i = 0; i < 4; i++) {
		static const char *const names[] = {
		    "plain", "empty", "zstd", "gzip"};

		paths[i] = strdup(path_of(names[i]));
	}
	ck_assert_int_eq(count_lines(paths, 4), 6000);
	for (int i = 0; i < 4; i++) {
		unlink(paths[i]);
		free((char *)paths[i]);
	}
	rmdir(directory);
}
END_TEST

static void
hear(void *arg, const char *text)
{
	(void)snprintf(arg, 256, "%s", text);
}

START_TEST(garbage_is_counted)
{
	static char text[200000];
	const char *path;
	struct maillog_terms terms = {.paths = &path, .count = 1};
	struct maillog_lines *all;
	const struct maillog_line *line;
	char why[MAILLOG_WHY_SIZE], said[256] = "";
	int64_t at, number = 0;
	size_t length;

	ck_assert(mkdtemp(directory) != NULL);
	length = make_lines(0, 9, "mx1", text, sizeof text);
	memset(text + length, 'x', 100000); /* a huge line */
	length += 100000;
	text[length++] = '\n';
	memcpy(text + length, "\0\0\0\n\n", 5);
	length += 5;
	length += (size_t)sprintf(
	    text + length, "2099-01-01T00:00:00Z mx1 kernel: what a clock\n");
	length += make_lines(10, 19, "mx1", text + length, 10000);
	text[--length] = 'x'; /* no end of line at the end */
	write_file("log", text, length);
	path = path_of("log");
	all = maillog_lines_open(&terms, why);
	for (; maillog_lines_next(all, &line, &at); number++)
		ck_assert(at < utc(2026, 11, 29, 0, 0));
	ck_assert_int_eq(number, 21);
	ck_assert_int_eq(maillog_lines_counts(all)->lines, 24);
	ck_assert_int_eq(maillog_lines_counts(all)->garbage, 3);
	ck_assert_int_eq(maillog_lines_counts(all)->misplaced, 1);
	maillog_lines_close(&all);
	/* A file that is cut gives what can be read, and that is told. */
	write_file("log", "\x1f\x8b\x08\0\0\0\0\0\0\3\x4b\x4c", 12);
	terms.say = hear;
	terms.arg = said;
	all = maillog_lines_open(&terms, why);
	ck_assert(!maillog_lines_next(all, &line, &at));
	ck_assert_int_eq(maillog_lines_counts(all)->damaged, 1);
	ck_assert(strstr(said, "ends in the middle") != NULL);
	maillog_lines_close(&all);
	unlink(path);
	rmdir(directory);
	ck_assert(maillog_lines_open(&terms, why) == NULL);
	ck_assert(strstr(why, "No such file") != NULL);
}
END_TEST

CHECK_MAIN("maillog", tcase)
{
	tcase_add_loop_test(tcase, a_line_is_read, 0, COUNT(lines));
	tcase_add_loop_test(tcase, a_line_is_cut_anywhere, 0, COUNT(lines));
	tcase_add_test(tcase, times_have_their_year);
	tcase_add_test(tcase, times_have_their_zone);
	tcase_add_test(tcase, an_hour_comes_twice);
	tcase_add_loop_test(tcase, a_log_tells_of_attempts, 0, COUNT(stories));
	tcase_add_test(tcase, files_are_read_in_the_order_of_their_times);
	tcase_add_test(tcase, garbage_is_counted);
}
