#include "maillog/maillog_line.h"

#include <string.h>

#include "base/ascii.h"
#include "base/decimal.h"

#define SIZE_MOST INT64_C(1000000000000)
#define CODE_SIZE 3

/* ---- Pieces of text */

static struct span
span_of(const char *at, size_t length)
{
	return (struct span){at, length};
}

bool
span_is(struct span span, const char *text)
{
	return span.length == strlen(text) &&
	    memcmp(span.at, text, span.length) == 0;
}

void
span_copy(struct span span, char *text_r, size_t size)
{
	size_t length = span.length < size ? span.length : size - 1;

	for (size_t i = 0; i < length; i++)
		text_r[i] = span.at[i] == '\0' ? ' ' : span.at[i];
	text_r[length] = '\0';
}

static bool
begins(struct span span, const char *text)
{
	size_t length = strlen(text);

	return span.length >= length && memcmp(span.at, text, length) == 0;
}

static void
skip(struct span *span, size_t length)
{
	span->at += length;
	span->length -= length;
}

static bool
take_text(struct span *span, const char *text)
{
	if (!begins(*span, text))
		return false;
	skip(span, strlen(text));
	return true;
}

/* The place of `text`, or the length: it is not in there. */
static size_t
find(struct span span, const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i + length <= span.length; i++) {
		const char *next =
		    memchr(span.at + i, text[0], span.length - i - length + 1);

		if (next == NULL)
			break;
		i = (size_t)(next - span.at);
		if (memcmp(next, text, length) == 0)
			return i;
	}
	return span.length;
}

/* What stands before `end`, which is skipped.  False: there is none. */
static bool
take_until(struct span *span, const char *end, struct span *taken_r)
{
	size_t length = find(*span, end);

	if (length == span->length)
		return false;
	*taken_r = span_of(span->at, length);
	skip(span, length + strlen(end));
	return true;
}

/* ---- Times */

static bool
take_number(struct span *span, size_t least, size_t most, int *number_r)
{
	int64_t number;
	size_t width = span->length < most ? span->length : most;
	size_t digits = decimal_read(span->at, width, 9999, &number);

	if (digits < least)
		return false;
	*number_r = (int)number;
	skip(span, digits);
	return true;
}

static bool
take_clock(struct span *span, struct maillog_stamp *stamp)
{
	return take_number(span, 2, 2, &stamp->hour) && take_text(span, ":") &&
	    take_number(span, 2, 2, &stamp->minute) && take_text(span, ":") &&
	    take_number(span, 2, 2, &stamp->second);
}

static bool
is_sane(const struct maillog_stamp *stamp)
{
	return stamp->month >= 1 && stamp->month <= 12 && stamp->day >= 1 &&
	    stamp->day <= 31 && stamp->hour < 24 && stamp->minute < 60 &&
	    stamp->second <= 60 && (!stamp->has_year || stamp->year >= 1970);
}

/* Of a second, as "14:51:41.123456" has it. */
static void
skip_fraction(struct span *span)
{
	if (take_text(span, ".") || take_text(span, ","))
		while (span->length > 0 && ascii_is_digit(span->at[0]))
			skip(span, 1);
}

/* "Nov 28 14:51:41", the day padded with a blank, a zero, or not at all. */
static bool
take_traditional(struct span *span, struct maillog_stamp *stamp)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	if (span->length < CODE_SIZE)
		return false;
	for (int month = 0; month < 12; month++)
		if (memcmp(span->at, months + month * 3, 3) == 0)
			stamp->month = month + 1;
	if (stamp->month == 0)
		return false;
	skip(span, 3);
	if (!take_text(span, " "))
		return false;
	(void)take_text(span, " ");
	if (!take_number(span, 1, 2, &stamp->day) || !take_text(span, " ") ||
	    !take_clock(span, stamp))
		return false;
	skip_fraction(span);
	return true;
}

/* "Z", "+02:00" or "+0200"; nothing is local time. */
static bool
take_zone(struct span *span, struct maillog_stamp *stamp)
{
	int hours, minutes;
	bool west;

	stamp->has_zone = take_text(span, "Z");
	if (stamp->has_zone)
		return true;
	west = begins(*span, "-");
	if (!west && !begins(*span, "+"))
		return true;
	skip(span, 1);
	if (!take_number(span, 2, 2, &hours))
		return false;
	(void)take_text(span, ":");
	if (!take_number(span, 2, 2, &minutes))
		return false;
	stamp->has_zone = true;
	stamp->zone = (hours * 60 + minutes) * (west ? -60 : 60);
	return true;
}

/* RFC 3339: "2026-11-28T14:51:41.5+01:00". */
static bool
take_iso(struct span *span, struct maillog_stamp *stamp)
{
	if (!take_number(span, 4, 4, &stamp->year) || !take_text(span, "-") ||
	    !take_number(span, 2, 2, &stamp->month) || !take_text(span, "-") ||
	    !take_number(span, 2, 2, &stamp->day) ||
	    (!take_text(span, "T") && !take_text(span, " ")) ||
	    !take_clock(span, stamp))
		return false;
	stamp->has_year = true;
	skip_fraction(span);
	return take_zone(span, stamp);
}

static bool
take_stamp(struct span *span, struct maillog_stamp *stamp_r)
{
	bool done;

	memset(stamp_r, 0, sizeof *stamp_r);
	if (span->length == 0)
		return false;
	done = ascii_is_digit(span->at[0]) ? take_iso(span, stamp_r)
					   : take_traditional(span, stamp_r);
	return done && is_sane(stamp_r) && take_text(span, " ");
}

/* ---- Fields */

/* "<address>", whatever the address holds, up to the bracket before `end`. */
static bool
take_address(struct span *span, struct span *address_r)
{
	return take_text(span, "<") && take_until(span, ">", address_r);
}

/* The value of "name=" among fields, up to the next ", " or the end. */
static bool
get_field(struct span fields, const char *name, struct span *value_r)
{
	size_t length = strlen(name);

	for (;;) {
		size_t at = find(fields, name);

		if (at == fields.length)
			return false;
		if (at == 0 || fields.at[at - 1] == ' ') {
			skip(&fields, at + length);
			*value_r = span_of(fields.at, find(fields, ", "));
			return true;
		}
		skip(&fields, at + length);
	}
}

static int64_t
get_number(struct span fields, const char *name)
{
	struct span value;
	int64_t number;

	if (!get_field(fields, name, &value) ||
	    decimal_read(value.at, value.length, SIZE_MOST, &number) == 0)
		return -1;
	return number;
}

/* The address of "name=<...>".  False: it is not told, or cut. */
static bool
get_address(struct span fields, const char *name, struct span *address_r)
{
	size_t length = strlen(name), at = find(fields, name);

	while (at < fields.length && at > 0 && fields.at[at - 1] != ' ') {
		skip(&fields, at + length);
		at = find(fields, name);
	}
	if (at == fields.length)
		return false;
	skip(&fields, at + length);
	return take_address(&fields, address_r);
}

/* "name[address]" of Postfix, which says "unknown" where it verified none, or
 * "[address]:port" of postscreen. */
static bool
take_client(struct span *span, struct maillog_line *line)
{
	if (!take_until(span, "[", &line->name) ||
	    !take_until(span, "]", &line->client))
		return false;
	if (span_is(line->name, "unknown"))
		line->name.length = 0;
	return true;
}

/* ---- Postfix */

static bool
is_greylist_text(struct span text)
{
	return find(text, "reylist") < text.length ||
	    find(text, "REYLIST") < text.length ||
	    find(text, "raylist") < text.length;
}

/* "451 4.7.1 text", or without the code as cleanup has it, and what follows. */
static enum maillog_fate
fate_of(struct span reply, bool by_filter)
{
	reply.length = find(reply, "; from=");
	return begins(reply, "4") && (by_filter || is_greylist_text(reply))
	    ? MAILLOG_PUT_OFF
	    : MAILLOG_REJECTED;
}

static enum maillog_step
step_of(struct span step)
{
	if (span_is(step, "RCPT"))
		return MAILLOG_OF_RECIPIENT;
	if (span_is(step, "DATA") || span_is(step, "END-OF-MESSAGE") ||
	    span_is(step, "BDAT"))
		return MAILLOG_OF_MESSAGE;
	return MAILLOG_OF_OTHER;
}

/* "RCPT from name[address]: 451 4.7.1 text; from=<a> to=<b> proto=X helo=<c>" */
static void
read_reject(struct span text, bool by_filter, struct maillog_line *line)
{
	struct span step, reply;

	line->kind = MAILLOG_GARBAGE;
	if (!take_until(&text, " from ", &step) || !take_client(&text, line) ||
	    !take_text(&text, ": "))
		return;
	line->fate = fate_of(text, by_filter);
	line->step = step_of(step);
	line->kind = MAILLOG_REFUSED;
	if (!take_until(&text, "; from=", &reply))
		return; /* of a client that has not said MAIL */
	line->has_sender = take_address(&text, &line->sender);
	(void)get_address(text, "to=", &line->recipients);
	(void)get_address(text, "helo=", &line->helo);
	if (!line->has_sender || find(text, " proto=") == text.length)
		line->kind = MAILLOG_GARBAGE;
}

/* What a content filter hands back had its attempt before, under another queue id;
 * what a proxy filter hands on (NOQUEUE) has it here. */
static void
read_smtpd_client(struct span text, struct maillog_line *line)
{
	struct span first, origin;

	if (!take_client(&text, line))
		return;
	line->kind = MAILLOG_CLIENT;
	(void)get_field(text, "sasl_username=", &line->user);
	if (get_field(text, "orig_queue_id=", &first) &&
	    !span_is(first, "NOQUEUE"))
		line->kind = MAILLOG_OTHER;
	if (get_field(text, "orig_client=", &origin) &&
	    !take_client(&origin, line))
		line->kind = MAILLOG_GARBAGE;
}

static void
read_smtpd(struct span text, struct maillog_line *line)
{
	struct span rest = text;

	if (take_text(&text, "connect from ")) {
		line->kind = take_client(&text, line) ? MAILLOG_CONNECT
						      : MAILLOG_GARBAGE;
	} else if (begins(text, "disconnect from ")) {
		line->kind = MAILLOG_CLOSE;
	} else if (find(text, " TLS connection established from ") <
	    text.length) {
		line->kind = MAILLOG_SECURE;
	} else if (take_text(&text, "reject: ") ||
	    take_text(&text, "milter-reject: ")) {
		read_reject(text, begins(rest, "milter"), line);
	} else if (take_text(&text, "client=")) {
		line->kind = MAILLOG_GARBAGE;
		read_smtpd_client(text, line);
	}
}

static void
read_cleanup(struct span text, struct maillog_line *line)
{
	if (take_text(&text, "milter-reject: ")) {
		read_reject(text, true, line);
	} else if (begins(text, "reject: ")) { /* header, body */
		line->kind = MAILLOG_REFUSED;
		line->fate = MAILLOG_REJECTED;
		line->step = MAILLOG_OF_MESSAGE;
	}
}

static void
read_qmgr(struct span text, struct maillog_line *line)
{
	if (begins(text, "removed")) {
		line->kind = MAILLOG_DONE;
	} else if (begins(text, "from=")) {
		line->has_sender = get_address(text, "from=", &line->sender);
		line->size = get_number(text, "size=");
		line->count = get_number(text, "nrcpt=");
		line->kind = line->has_sender && line->count >= 0
		    ? MAILLOG_ENVELOPE
		    : MAILLOG_GARBAGE;
	}
}

/* smtp, lmtp, local, virtual, pipe, error, discard and others of one's own. */
static void
read_delivery(struct span text, struct maillog_line *line)
{
	if (!begins(text, "to="))
		return;
	line->kind = MAILLOG_GARBAGE;
	if (get_address(text, "orig_to=", &line->recipients) ||
	    get_address(text, "to=", &line->recipients))
		line->kind = MAILLOG_RECIPIENT;
}

static bool
is_queue_id(struct span word)
{
	if (word.length < 5 || word.length > 32)
		return false;
	for (size_t i = 0; i < word.length; i++)
		if (!ascii_is_alnum(word.at[i]))
			return false;
	return true;
}

/* "NOQUEUE: " or a queue id, where there is one. */
static void
take_queue_id(struct span *text, struct maillog_line *line)
{
	struct span word, rest = *text;

	if (!take_until(&rest, ": ", &word) || !is_queue_id(word))
		return;
	*text = rest;
	if (!span_is(word, "NOQUEUE"))
		line->queue_id = word;
}

static void
read_postfix(struct span program, struct span text, struct maillog_line *line)
{
	line->is_mail_server = true;
	take_queue_id(&text, line);
	if (span_is(program, "smtpd"))
		read_smtpd(text, line);
	else if (span_is(program, "postscreen") || span_is(program, "dnsblog"))
		line->kind = MAILLOG_SCREENED;
	else if (span_is(program, "cleanup"))
		read_cleanup(text, line);
	else if (span_is(program, "qmgr") || span_is(program, "oqmgr"))
		read_qmgr(text, line);
	else if (line->queue_id.length > 0)
		read_delivery(text, line);
}

/* ---- Sendmail */

/* "relay=name [address] (may be forged)", "relay=[address]"; a user of this host is
 * "root@localhost". */
static void
read_relay(struct span text, struct maillog_line *line)
{
	struct span relay;

	if (!get_field(text, "relay=", &relay) ||
	    !take_until(&relay, "[", &line->name) ||
	    !take_until(&relay, "]", &line->client)) {
		line->name.length = line->client.length = 0;
		return;
	}
	(void)take_text(&line->client, "IPv6:");
	while (line->name.length > 0 &&
	    line->name.at[line->name.length - 1] == ' ')
		line->name.length--;
	if (begins(relay, " (may be forged)"))
		line->name.length = 0;
}

/* "Milter: to=<a>, reject=451 text", "Milter: cmd=data, reject=451 text" */
static void
read_milter(struct span text, struct maillog_line *line)
{
	struct span reply;

	if (!get_field(text, "reject=", &reply))
		return;
	line->kind = MAILLOG_REFUSED;
	line->fate = fate_of(reply, true);
	if (get_address(text, "to=", &line->recipients))
		line->step = MAILLOG_OF_RECIPIENT;
	else if (begins(text, "data") || begins(text, "cmd=data") ||
	    begins(text, "cmd=eom") || begins(text, "eo"))
		line->step = MAILLOG_OF_MESSAGE;
}

static void
read_ruleset(struct span text, struct maillog_line *line)
{
	struct span reply;

	if (!begins(text, "check_rcpt") ||
	    !get_field(text, "reject=", &reply) ||
	    !get_address(text, "arg1=", &line->recipients))
		return;
	read_relay(text, line);
	line->kind = MAILLOG_REFUSED;
	line->step = MAILLOG_OF_RECIPIENT;
	line->fate = fate_of(reply, false);
}

static void
read_sendmail_from(struct span text, struct maillog_line *line)
{
	struct span sender;

	line->kind = MAILLOG_GARBAGE;
	line->count = get_number(text, "nrcpts=");
	line->size = get_number(text, "size=");
	if (line->count < 0 || !get_field(text, "relay=", &sender))
		return;
	line->has_sender = get_address(text, "from=", &line->sender) ||
	    get_field(text, "from=", &line->sender);
	read_relay(text, line);
	line->kind = MAILLOG_ENVELOPE;
}

/* "to=<a>,<b>, delay=..." */
static void
read_sendmail_to(struct span text, struct maillog_line *line)
{
	if (get_field(text, "to=", &line->recipients) &&
	    find(text, ", ") < text.length)
		line->kind = MAILLOG_RECIPIENT;
	else
		line->kind = MAILLOG_GARBAGE;
}

static void
read_sendmail(struct span text, struct maillog_line *line)
{
	struct span address;

	line->is_mail_server = true;
	take_queue_id(&text, line);
	if (begins(text, "STARTTLS=server, ")) {
		line->kind = MAILLOG_SECURE;
		read_relay(text, line);
	} else if (begins(text, "AUTH=server, ")) {
		line->kind = MAILLOG_LOGIN;
		read_relay(text, line);
		(void)get_field(text, "authid=", &line->user);
	} else if (begins(text, "connect from ")) {
		line->kind = MAILLOG_CONNECT;
	} else if (line->queue_id.length == 0) {
		return;
	} else if (begins(text, "from=")) {
		read_sendmail_from(text, line);
	} else if (begins(text, "to=")) {
		read_sendmail_to(text, line);
	} else if (take_text(&text, "Milter: ")) {
		read_milter(text, line);
	} else if (take_text(&text, "ruleset=")) {
		read_ruleset(text, line);
	} else if (take_address(&text, &address) &&
	    find(text, "User unknown") < text.length) {
		line->kind = MAILLOG_REFUSED;
		line->fate = MAILLOG_REJECTED;
		line->recipients = address;
	}
}

/* ---- milter-defer itself */

/* The value of " name=", up to the next blank. */
static struct span
our_field(struct span text, const char *name)
{
	size_t length = strlen(name), at = find(text, name);

	if (at == text.length)
		return span_of("", 0);
	skip(&text, at + length);
	return span_of(text.at, find(text, " "));
}

static void
read_ours(struct span text, struct maillog_line *line)
{
	if (find(text, "session=") != 0 ||
	    (find(text, " verdict=defer ") == text.length &&
		find(text, " verdict=accept ") == text.length))
		return;
	line->fate = find(text, " verdict=defer ") < text.length
	    ? MAILLOG_PUT_OFF
	    : MAILLOG_TAKEN;
	line->kind = MAILLOG_GARBAGE;
	line->client = our_field(text, " client=");
	line->name = our_field(text, " name=");
	line->helo = our_field(text, " helo=");
	line->queue_id = our_field(text, " id=");
	line->sender = our_field(text, " sender=<");
	line->user = our_field(text, " user=");
	line->recipients = our_field(text, " recipient=");
	/* "<a>,<b>,+3": three more that are not named. */
	line->recipients.length = find(line->recipients, ",+");
	if (line->client.length == 0 || line->recipients.length < 2 ||
	    line->sender.length == 0 ||
	    line->sender.at[line->sender.length - 1] != '>')
		return;
	line->sender.length--;
	line->has_sender = true;
	line->kind = MAILLOG_OURS;
}

/* ---- Any line */

/* Postfix may be called anything (syslog_name), its programs not. */
static bool
is_of_postfix(struct span tag, struct span program)
{
	static const char *const programs[] = {"smtpd", "cleanup", "qmgr",
	    "oqmgr", "smtp", "lmtp", "local", "virtual", "pipe", "error",
	    "discard", "bounce", "postscreen", "dnsblog"};

	for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
		if (span_is(program, programs[i]))
			return true;
	return begins(tag, "postfix");
}

static void
read_program(struct span tag, struct span text, struct maillog_line *line)
{
	size_t slash = tag.length;
	struct span program = tag;

	while (slash > 0 && tag.at[slash - 1] != '/')
		slash--;
	skip(&program, slash);
	line->instance = span_of(tag.at, slash);
	if (slash > 0 && is_of_postfix(tag, program))
		read_postfix(program, text, line);
	else if (begins(tag, "sendmail") || begins(tag, "sm-"))
		read_sendmail(text, line);
	else if (span_is(tag, "milter-defer"))
		read_ours(text, line);
}

/* "program[123]: ", and the text behind it. */
static bool
take_tag(struct span *rest, struct span *tag_r, struct maillog_line *line)
{
	size_t bracket;

	if (!take_until(rest, ": ", tag_r))
		return false;
	bracket = find(*tag_r, "[");
	if (bracket == tag_r->length)
		return true;
	line->pid =
	    span_of(tag_r->at + bracket + 1, tag_r->length - bracket - 1);
	if (line->pid.length > 0 && line->pid.at[line->pid.length - 1] == ']')
		line->pid.length--;
	tag_r->length = bracket;
	return true;
}

/* Structured data (RFC 5424 6.3): "-", or elements in brackets, in whose values a
 * backslash stands before a quote, a bracket or itself. */
static bool
skip_data(struct span *rest)
{
	bool quoted = false;

	if (take_text(rest, "- "))
		return true;
	if (!begins(*rest, "["))
		return false;
	while (rest->length > 0 &&
	    (quoted || rest->at[0] != ' ' || rest->at[-1] != ']')) {
		if (quoted && rest->at[0] == '\\' && rest->length > 1)
			skip(rest, 1);
		else if (rest->at[0] == '"')
			quoted = !quoted;
		skip(rest, 1);
	}
	return take_text(rest, " ");
}

/* RFC 5424 6: "program 123 - - text", with a mark before a text in UTF-8. */
static bool
take_header(struct span *rest, struct span *tag_r, struct maillog_line *line)
{
	struct span message_id;

	if (!take_until(rest, " ", tag_r) ||
	    !take_until(rest, " ", &line->pid) ||
	    !take_until(rest, " ", &message_id) || !skip_data(rest))
		return false;
	(void)take_text(rest, "\xef\xbb\xbf");
	return true;
}

/* "<22>", which some write to files, and "1 " before the time of RFC 5424. */
static bool
take_priority(struct span *rest)
{
	struct span after = *rest;
	int priority;

	if (take_text(&after, "<") && take_number(&after, 1, 3, &priority) &&
	    take_text(&after, ">"))
		*rest = after;
	return take_text(rest, "1 ");
}

void
maillog_line_read(const char *text, size_t length, struct maillog_line *line_r)
{
	struct span rest = {text, length}, tag;
	bool of_5424;

	memset(line_r, 0, sizeof *line_r);
	line_r->size = line_r->count = -1;
	line_r->host = line_r->pid = span_of("", 0);
	while (rest.length > 0 && rest.at[rest.length - 1] == '\r')
		rest.length--;
	of_5424 = take_priority(&rest);
	line_r->has_stamp = take_stamp(&rest, &line_r->stamp);
	if (!line_r->has_stamp || !take_until(&rest, " ", &line_r->host))
		return;
	if (of_5424 ? !take_header(&rest, &tag, line_r)
		    : !take_tag(&rest, &tag, line_r)) {
		/* What syslogd says itself has no program. */
		if (begins(rest, "last message repeated "))
			line_r->kind = MAILLOG_OTHER;
		return;
	}
	line_r->kind = MAILLOG_OTHER;
	read_program(tag, rest, line_r);
}

/* Sendmail writes "<a@b>,<c@d>", and a local user without brackets. */
bool
maillog_next_recipient(struct span *recipients, struct span *address_r)
{
	while (recipients->length > 0 &&
	    (recipients->at[0] == ',' || recipients->at[0] == ' '))
		skip(recipients, 1);
	if (recipients->length == 0)
		return false;
	if (begins(*recipients, "<") && take_address(recipients, address_r))
		return address_r->length > 0;
	*address_r = span_of(recipients->at, find(*recipients, ","));
	skip(recipients, address_r->length);
	if (begins(*address_r, "<"))
		skip(address_r, 1);
	return address_r->length > 0;
}
