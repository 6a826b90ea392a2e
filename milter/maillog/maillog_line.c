#include "maillog/maillog_line.h"

#include <string.h>

#include "base/ascii.h"
#include "base/decimal.h"

#define SIZE_MOST INT64_C(1000000000000)

/* ---- Fields */

/* "<address>", whatever the address holds, up to the bracket before `end`. */
static bool
take_address(struct span *span, struct span *address_r)
{
	return span_take(span, "<") && span_take_until(span, ">", address_r);
}

/* The value of "name=" among fields, up to the next ", " or the end. */
static bool
get_field(struct span fields, const char *name, struct span *value_r)
{
	size_t length = strlen(name);

	for (;;) {
		size_t at = span_find(fields, name);

		if (at == fields.length)
			return false;
		if (at == 0 || fields.at[at - 1] == ' ') {
			span_skip(&fields, at + length);
			*value_r = span_of(fields.at, span_find(fields, ", "));
			return true;
		}
		span_skip(&fields, at + length);
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
	size_t length = strlen(name), at = span_find(fields, name);

	while (at < fields.length && at > 0 && fields.at[at - 1] != ' ') {
		span_skip(&fields, at + length);
		at = span_find(fields, name);
	}
	if (at == fields.length)
		return false;
	span_skip(&fields, at + length);
	return take_address(&fields, address_r);
}

/* "name[address]" of Postfix, which says "unknown" where it verified none, or
 * "[address]:port" of postscreen. */
static bool
take_client(struct span *span, struct maillog_line *line)
{
	if (!span_take_until(span, "[", &line->name) ||
	    !span_take_until(span, "]", &line->client))
		return false;
	if (span_is(line->name, "unknown"))
		line->name.length = 0;
	return true;
}

/* ---- Postfix */

static bool
is_greylist_text(struct span text)
{
	return span_find(text, "reylist") < text.length ||
	    span_find(text, "REYLIST") < text.length ||
	    span_find(text, "raylist") < text.length;
}

/* "451 4.7.1 text", or without the code as cleanup has it, and what follows. */
static enum maillog_fate
fate_of(struct span reply, bool by_filter)
{
	reply.length = span_find(reply, "; from=");
	return span_begins(reply, "4") && (by_filter || is_greylist_text(reply))
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
	if (!span_take_until(&text, " from ", &step) ||
	    !take_client(&text, line) || !span_take(&text, ": "))
		return;
	line->fate = fate_of(text, by_filter);
	line->step = step_of(step);
	line->kind = MAILLOG_REFUSED;
	if (!span_take_until(&text, "; from=", &reply))
		return; /* of a client that has not said MAIL */
	line->has_sender = take_address(&text, &line->sender);
	(void)get_address(text, "to=", &line->recipients);
	(void)get_address(text, "helo=", &line->helo);
	if (!line->has_sender || span_find(text, " proto=") == text.length)
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

	if (span_take(&text, "connect from ")) {
		line->kind = take_client(&text, line) ? MAILLOG_CONNECT
						      : MAILLOG_GARBAGE;
	} else if (span_begins(text, "disconnect from ")) {
		line->kind = MAILLOG_CLOSE;
	} else if (span_find(text, " TLS connection established from ") <
	    text.length) {
		line->kind = MAILLOG_SECURE;
	} else if (span_take(&text, "reject: ") ||
	    span_take(&text, "milter-reject: ")) {
		read_reject(text, span_begins(rest, "milter"), line);
	} else if (span_take(&text, "client=")) {
		line->kind = MAILLOG_GARBAGE;
		read_smtpd_client(text, line);
	}
}

static void
read_cleanup(struct span text, struct maillog_line *line)
{
	if (span_take(&text, "milter-reject: ")) {
		read_reject(text, true, line);
	} else if (span_begins(text, "reject: ")) { /* header, body */
		line->kind = MAILLOG_REFUSED;
		line->fate = MAILLOG_REJECTED;
		line->step = MAILLOG_OF_MESSAGE;
	}
}

static void
read_qmgr(struct span text, struct maillog_line *line)
{
	if (span_begins(text, "removed")) {
		line->kind = MAILLOG_DONE;
	} else if (span_begins(text, "from=")) {
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
	if (!span_begins(text, "to="))
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

	if (!span_take_until(&rest, ": ", &word) || !is_queue_id(word))
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
	    !span_take_until(&relay, "[", &line->name) ||
	    !span_take_until(&relay, "]", &line->client)) {
		line->name.length = line->client.length = 0;
		return;
	}
	(void)span_take(&line->client, "IPv6:");
	while (line->name.length > 0 &&
	    line->name.at[line->name.length - 1] == ' ')
		line->name.length--;
	if (span_begins(relay, " (may be forged)"))
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
	else if (span_begins(text, "data") || span_begins(text, "cmd=data") ||
	    span_begins(text, "cmd=eom") || span_begins(text, "eo"))
		line->step = MAILLOG_OF_MESSAGE;
}

static void
read_ruleset(struct span text, struct maillog_line *line)
{
	struct span reply;

	if (!span_begins(text, "check_rcpt") ||
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
	    span_find(text, ", ") < text.length)
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
	if (span_begins(text, "STARTTLS=server, ")) {
		line->kind = MAILLOG_SECURE;
		read_relay(text, line);
	} else if (span_begins(text, "AUTH=server, ")) {
		line->kind = MAILLOG_LOGIN;
		read_relay(text, line);
		(void)get_field(text, "authid=", &line->user);
	} else if (span_begins(text, "connect from ")) {
		line->kind = MAILLOG_CONNECT;
	} else if (line->queue_id.length == 0) {
		return;
	} else if (span_begins(text, "from=")) {
		read_sendmail_from(text, line);
	} else if (span_begins(text, "to=")) {
		read_sendmail_to(text, line);
	} else if (span_take(&text, "Milter: ")) {
		read_milter(text, line);
	} else if (span_take(&text, "ruleset=")) {
		read_ruleset(text, line);
	} else if (take_address(&text, &address) &&
	    span_find(text, "User unknown") < text.length) {
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
	size_t length = strlen(name), at = span_find(text, name);

	if (at == text.length)
		return span_of("", 0);
	span_skip(&text, at + length);
	return span_of(text.at, span_find(text, " "));
}

static void
read_ours(struct span text, struct maillog_line *line)
{
	if (span_find(text, "session=") != 0 ||
	    (span_find(text, " verdict=defer ") == text.length &&
		span_find(text, " verdict=accept ") == text.length))
		return;
	line->fate = span_find(text, " verdict=defer ") < text.length
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
	line->recipients.length = span_find(line->recipients, ",+");
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
	return span_begins(tag, "postfix");
}

static void
read_program(struct span tag, struct span text, struct maillog_line *line)
{
	size_t slash = tag.length;
	struct span program = tag;

	while (slash > 0 && tag.at[slash - 1] != '/')
		slash--;
	span_skip(&program, slash);
	line->instance = span_of(tag.at, slash);
	if (slash > 0 && is_of_postfix(tag, program))
		read_postfix(program, text, line);
	else if (span_begins(tag, "sendmail") || span_begins(tag, "sm-"))
		read_sendmail(text, line);
	else if (span_is(tag, "milter-defer"))
		read_ours(text, line);
}

/* "program[123]: ", and the text behind it. */
static bool
take_tag(struct span *rest, struct span *tag_r, struct maillog_line *line)
{
	size_t bracket;

	if (!span_take_until(rest, ": ", tag_r))
		return false;
	bracket = span_find(*tag_r, "[");
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

	if (span_take(rest, "- "))
		return true;
	if (!span_begins(*rest, "["))
		return false;
	while (rest->length > 0 &&
	    (quoted || rest->at[0] != ' ' || rest->at[-1] != ']')) {
		if (quoted && rest->at[0] == '\\' && rest->length > 1)
			span_skip(rest, 1);
		else if (rest->at[0] == '"')
			quoted = !quoted;
		span_skip(rest, 1);
	}
	return span_take(rest, " ");
}

/* RFC 5424 6: "program 123 - - text", with a mark before a text in UTF-8. */
static bool
take_header(struct span *rest, struct span *tag_r, struct maillog_line *line)
{
	struct span message_id;

	if (!span_take_until(rest, " ", tag_r) ||
	    !span_take_until(rest, " ", &line->pid) ||
	    !span_take_until(rest, " ", &message_id) || !skip_data(rest))
		return false;
	(void)span_take(rest, "\xef\xbb\xbf");
	return true;
}

/* "<22>", which some write to files, and "1 " before the time of RFC 5424. */
static bool
take_priority(struct span *rest)
{
	struct span after = *rest;
	int priority;

	if (span_take(&after, "<") &&
	    span_take_number(&after, 1, 3, &priority) && span_take(&after, ">"))
		*rest = after;
	return span_take(rest, "1 ");
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
	line_r->has_stamp = maillog_stamp_take(&rest, &line_r->stamp);
	if (!line_r->has_stamp || !span_take_until(&rest, " ", &line_r->host))
		return;
	if (of_5424 ? !take_header(&rest, &tag, line_r)
		    : !take_tag(&rest, &tag, line_r)) {
		/* What syslogd says itself has no program. */
		if (span_begins(rest, "last message repeated "))
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
		span_skip(recipients, 1);
	if (recipients->length == 0)
		return false;
	if (span_begins(*recipients, "<") &&
	    take_address(recipients, address_r))
		return address_r->length > 0;
	*address_r = span_of(recipients->at, span_find(*recipients, ","));
	span_skip(recipients, address_r->length);
	if (span_begins(*address_r, "<"))
		span_skip(address_r, 1);
	return address_r->length > 0;
}
