/* What the client, the log, the counters and the journal are told of a message; and
 * what `milter-defer -d`, and whoever traces the client, is told of a session: its
 * steps, the facts of a message when it is judged, and how each rule answered. */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/seconds.h"
#include "session/session_parts.h"
#include "store/tracer.h"

#define FIELD_SIZE 320
#define LINK_SIZE  (REPLY_TEXT_MAX + 1)
#define WAIT_SIZE  32
#define TEXT_SIZE  (EVIDENCE_SIZE + 200)
#define LIST_SIZE  1200 /* of recipients in a line, with room for one more */

/* ---- Who watches: by milter-defer -d, or this client from anywhere */

static unsigned
watchers_of(const struct session *session)
{
	return tracer_watchers(
	    session->message.shared->tracer, &session->message.facts.client);
}

static bool
is_heard(const struct session *session)
{
	return log_is_verbose() || watchers_of(session) != 0;
}

static void
tell_watchers(const struct session *session, unsigned watchers,
    const char *step, const char *text)
{
	const char *host = session->message.shared->store->host;
	char line[TRACER_TEXT];

	(void)snprintf(line, sizeof line,
	    "%" PRId64 "\t%" PRId64 "\t%s\t%s\t%s\t%s\t%s",
	    session->message.facts.now,
	    (clock_steady_us() - session->opened_us) / 1000,
	    host == NULL ? "" : host, session->id, session->message.address,
	    step, text);
	tracer_tell(session->message.shared->tracer, watchers, line);
}

static void say(const struct session *session, const char *step,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

static void
say(const struct session *session, const char *step, const char *format, ...)
{
	unsigned watchers = watchers_of(session);
	char text[TEXT_SIZE];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	log_debug("session=%s %s", session->id, text);
	if (watchers != 0)
		tell_watchers(session, watchers, step, text);
}

void
session_debug_step(
    const struct session *session, const char *step, const char *text)
{
	unsigned watchers = watchers_of(session);
	char clean[FIELD_SIZE];

	if (watchers == 0 && !log_is_verbose())
		return;
	log_clean(text == NULL ? "" : text, clean, sizeof clean);
	log_debug("session=%s step=%s text=%s", session->id, step, clean);
	if (watchers != 0)
		tell_watchers(session, watchers, step, clean);
}

static const char *const certainty_words[] = {[FACT_LATER] = "later",
    [FACT_ASK] = "unasked",
    [FACT_UNKNOWN] = "unknown",
    [FACT_KNOWN] = "stranger"};
static const char *const answer_words[] = {[ANSWER_YES] = "yes",
    [ANSWER_ASK] = "ask",
    [ANSWER_LATER] = "later",
    [ANSWER_UNKNOWN] = "unknown",
    [ANSWER_NO] = "no"};
static const char *const verdict_words[] = {[VERDICT_ACCEPT] = "accept",
    [VERDICT_DEFER] = "defer",
    [VERDICT_WAIT] = "wait",
    [VERDICT_ASK] = "ask"};

static void
say_facts(const struct session *session)
{
	const struct facts *facts = &session->message.facts;
	char evidence[EVIDENCE_SIZE];

	evidence_say(&session->message.evidence, evidence);
	say(session, "facts",
	    "facts now=%" PRId64 " connected_for=%" PRId64
	    " recipients=%" PRId64 " declared=%" PRId64 " size=%" PRId64
	    " authenticated=%d tls=%d store=%s record=%s score=%.1f"
	    " load=%.2f%s",
	    facts->now, facts->connected_for, facts->recipients_seen,
	    facts->declared_size, facts->size, facts->authenticated, facts->tls,
	    facts->store_down	    ? "away"
		: facts->store_late ? "late"
				    : "up",
	    facts->record_certainty == FACT_KNOWN && facts->known
		? "known"
		: certainty_words[facts->record_certainty],
	    facts->score, facts->load, evidence);
}

static void
say_rules(const struct session *session, const struct recipient *recipient,
    enum stage stage)
{
	const struct policy *policy = session->message.policy;
	char to[FIELD_SIZE];
	struct trace trace;

	(void)decide(policy, &session->message.facts, recipient, stage, &trace);
	log_clean(recipient == NULL ? "" : recipient->address, to, sizeof to);
	for (size_t i = 0; i < trace.step_count; i++) {
		const struct condition *by = trace.steps[i].condition;

		say(session, "rule", "recipient=<%s> rule=\"%s\" answer=%s%s%s",
		    to, policy->rules[i].name,
		    answer_words[trace.steps[i].answer],
		    by == NULL ? "" : " by=",
		    by == NULL ? "" : condition_name(by));
	}
}

void
session_debug_rules(const struct session *session, size_t recipient,
    enum stage stage, const struct outcome *outcome)
{
	const struct message *message = &session->message;
	size_t count = message->facts.recipient_count;

	if (!is_heard(session))
		return;
	say_facts(session);
	if (count == 0)
		say_rules(session, NULL, stage);
	for (size_t i = 0; i < count; i++)
		if (recipient == i || recipient == MESSAGE_WHOLE)
			say_rules(session, &message->recipients[i], stage);
	say(session, "verdict", "settled=%s rule=\"%s\"",
	    verdict_words[outcome->verdict],
	    outcome->rule == NULL ? "" : outcome->rule->name);
}

static void
debug_reply(const struct session *session, const struct reply *reply)
{
	if (is_heard(session))
		say(session, "reply", "reply=\"%s%s%s %s\"", reply->code,
		    reply->xcode[0] == '\0' ? "" : " ", reply->xcode,
		    reply->lines[0]);
}

/* A rehearsal leaves no trace. */
static bool
is_rehearsed(const struct session *session)
{
	return session->message.shared->rehearse != NULL;
}

/* ---- The client */

static const char *
recipient_text(const struct session *session, size_t recipient)
{
	const struct facts *facts = &session->message.facts;

	if (recipient == MESSAGE_WHOLE)
		recipient = 0;
	return recipient < facts->recipient_count
	    ? facts->recipients[recipient].address
	    : "";
}

/* Whoever is known to be bad is not told how long to wait. */
static void
say_wait(const struct session *session, int64_t wait, char wait_r[WAIT_SIZE])
{
	const struct facts *facts = &session->message.facts;

	if (wait <= 0 ||
	    (facts->record_certainty == FACT_KNOWN &&
		facts->score <
		    session->message.policy->settings.hide_wait_below))
		(void)snprintf(wait_r, WAIT_SIZE, "some time");
	else
		response_say_wait(wait, wait_r, WAIT_SIZE);
}

static void
say_score(const struct facts *facts, char *score_r, size_t size)
{
	if (facts->record_certainty == FACT_KNOWN)
		(void)snprintf(score_r, size, "%ld", lround(facts->score));
	else
		(void)snprintf(score_r, size, "unknown");
}

/* Where there are no random numbers it is merely not unique. */
static void
draw_reference(struct session *session)
{
	struct message *message = &session->message;

	journal_reference_new(random_draw(&message->random), message->facts.now,
	    session->reference);
}

static void
fill_reply(struct session *session, const struct outcome *outcome,
    size_t recipient, struct reply *reply_r)
{
	const struct message *message = &session->message;
	const struct facts *facts = &message->facts;
	char wait[WAIT_SIZE], score[WAIT_SIZE], link[LINK_SIZE];
	struct response_values values = {{NULL}};

	draw_reference(session);
	say_wait(session, outcome->wait, wait);
	say_score(facts, score, sizeof score);
	values.text[FILL_CLIENT_ADDR] = message->address;
	values.text[FILL_CLIENT_NAME] = session->name;
	values.text[FILL_HELO] = session->helo;
	values.text[FILL_SENDER] = facts->sender;
	values.text[FILL_RECIPIENT] = recipient_text(session, recipient);
	values.text[FILL_SERVER] = session->server;
	values.text[FILL_RULE] = outcome->rule->name;
	values.text[FILL_REFERENCE] = session->reference;
	values.text[FILL_WAIT] = wait;
	values.text[FILL_SCORE] = score;
	response_fill_text(
	    message->policy->settings.link, &values, link, sizeof link);
	values.text[FILL_LINK] = link;
	response_fill(outcome->rule->reply, &values, reply_r);
}

/* ---- The log */

/* Those that the line is about: <a>,<b>,+3 where the rest has no room. */
static void
say_recipients(const struct session *session, size_t recipient,
    char text_r[LIST_SIZE + WAIT_SIZE])
{
	const struct facts *facts = &session->message.facts;
	bool of_one = recipient < facts->recipient_count;
	size_t at = of_one ? recipient : 0;
	int64_t left = of_one ? 1 : facts->recipients_seen;
	size_t end = of_one ? recipient + 1 : facts->recipient_count;
	size_t length = 0;

	text_r[0] = '\0';
	for (; at < end && length + FIELD_SIZE + 4 < LIST_SIZE; at++, left--) {
		if (length > 0)
			text_r[length++] = ',';
		text_r[length++] = '<';
		log_clean(
		    facts->recipients[at].address, text_r + length, FIELD_SIZE);
		length += strlen(text_r + length);
		text_r[length++] = '>';
		text_r[length] = '\0';
	}
	if (length == 0)
		(void)snprintf(text_r, LIST_SIZE, "<>");
	else if (left > 0)
		(void)snprintf(text_r + length, WAIT_SIZE, ",+%" PRId64, left);
}

static const char *
name_status(const struct session *session)
{
	if (session->message.facts.name_certainty != FACT_KNOWN)
		return "unknown";
	return session->name[0] != '\0' ? "verified" : "none";
}

/* What every line about this message tells of it. */
static void
log_message(struct session *session, const char *verdict, const char *detail,
    size_t recipient, enum stage stage)
{
	const struct message *message = &session->message;
	const struct facts *facts = &message->facts;
	char name[FIELD_SIZE], helo[FIELD_SIZE], sender[FIELD_SIZE];
	char to[LIST_SIZE + WAIT_SIZE], score[WAIT_SIZE], id[FIELD_SIZE];
	char user[FIELD_SIZE];
	char evidence[EVIDENCE_SIZE];

	if (is_rehearsed(session))
		return;
	say_score(facts, score, sizeof score);
	evidence_say(&message->evidence, evidence);
	say_recipients(session, recipient, to);
	log_info("session=%s verdict=%s %s stage=%s client=%s name=%s "
		 "name_status=%s helo=%s user=%s sender=<%s> recipient=%s "
		 "recipients=%" PRId64
		 " score=%s known=%s load=%.2f load_source=%s id=%s%s",
	    session->id, verdict, detail, stage_names[stage], message->address,
	    log_clean(session->name, name, sizeof name), name_status(session),
	    log_clean(session->helo, helo, sizeof helo),
	    log_clean(session->user, user, sizeof user),
	    log_clean(facts->sender, sender, sizeof sender), to,
	    facts->recipients_seen, score,
	    facts->record_certainty != FACT_KNOWN ? "unknown"
		: facts->known			  ? "yes"
						  : "no",
	    facts->load, facts->load_source,
	    log_clean(session->queue_id, id, sizeof id), evidence);
}

/* ---- The counters and the journal */

static void
count(const struct session *session, enum count which, const struct rule *rule)
{
	if (!is_rehearsed(session))
		counters_verdict(session->message.shared->counters, which, rule,
		    0, session->message.clock);
}

/* Add what all entries about a message tell of it, of one recipient or of all, to
 * what this one does. */
static void
put_entry(const struct session *session, struct journal_note *note,
    const struct rule *rule, size_t recipient, enum stage stage)
{
	const struct message *message = &session->message;
	const struct facts *facts = &message->facts;
	bool is_known = facts->record_certainty == FACT_KNOWN;
	bool of_one = recipient < facts->recipient_count;

	if (is_rehearsed(session) ||
	    message->policy->settings.journal.entries == 0)
		return;
	note->rule = rule == NULL ? "" : rule->name;
	if (note->kind != JOURNAL_PASS && rule != NULL && rule->reply != NULL)
		note->response = rule->reply->name;
	note->at = facts->now;
	note->reference = session->reference;
	note->session = session->id;
	note->host = session->server[0] != '\0'
	    ? session->server
	    : session->message.shared->store->host;
	note->stage = stage;
	note->client = message->address;
	note->network = message->network;
	note->name = session->name;
	note->identity = message_identity(message);
	note->null_sender = facts->null_sender;
	note->pairs = of_one ? &message->pairs[recipient] : message->pairs;
	note->pair_count = of_one ? 1 : facts->recipient_count;
	note->recipient_count = of_one ? 1 : facts->recipients_seen;
	note->has_score = is_known;
	note->score = is_known ? (int)lround(facts->score) : 0;
	note->known = !is_known ? JOURNAL_UNKNOWN
	    : facts->known	? JOURNAL_IS_KNOWN
				: JOURNAL_STRANGER;
	note->load = facts->load;
	if (!journal_put(message->shared->journal, note))
		counters_count(message->shared->counters, COUNT_DROPPED);
}

static void
record_deferral(const struct session *session, const struct outcome *outcome,
    size_t recipient, enum stage stage, const struct reply *reply)
{
	char text[JOURNAL_TEXT_SIZE];
	struct journal_note note = {
	    .kind = JOURNAL_DEFER, .text = text, .wait = outcome->wait};

	count(session, COUNT_DEFERRED, outcome->rule);
	reply_say(reply, text, sizeof text);
	put_entry(session, &note, outcome->rule, recipient, stage);
}

/* ---- All of them.  A rule's name is the postmaster's own, and was checked when it
 * was read. */

void
session_tell_deferral(struct session *session, const struct outcome *outcome,
    size_t recipient, enum stage stage, struct reply *reply_r)
{
	const struct rule *rule = outcome->rule;
	char detail[2 * FIELD_SIZE];

	fill_reply(session, outcome, recipient, reply_r);
	(void)snprintf(detail, sizeof detail,
	    "rule=\"%s\" response=%s code=%s wait=%" PRId64 " reference=%s",
	    rule->name, rule->reply->name, reply_r->code, outcome->wait,
	    session->reference);
	log_message(session, "defer", detail, recipient, stage);
	record_deferral(session, outcome, recipient, stage, reply_r);
	debug_reply(session, reply_r);
}

void
session_tell_own(struct session *session, enum own_reply which,
    enum stage stage, struct reply *reply_r)
{
	static const struct {
		const char *name;
		struct reply reply;
	} own[] = {
	    [OWN_LOST] = {"out-of-order",
		{"451", "4.3.0", 1,
		    {"Temporary local problem - please try later."}}},
	    [OWN_TOO_MANY] = {"too-many-recipients",
		{"452", "4.5.3", 1, {"Too many recipients"}}},
	};
	const struct outcome outcome = {.verdict = VERDICT_DEFER};
	char detail[FIELD_SIZE];

	*reply_r = own[which].reply;
	if (session->own_logged >> which & 1U)
		return;
	session->own_logged |= 1U << which;
	draw_reference(session);
	(void)snprintf(detail, sizeof detail,
	    "rule=\"\" response=%s code=%s wait=0 reference=%s",
	    own[which].name, reply_r->code, session->reference);
	log_message(session, "defer", detail, MESSAGE_WHOLE, stage);
	record_deferral(session, &outcome, MESSAGE_WHOLE, stage, reply_r);
}

void
session_tell_observed(struct session *session, const struct outcome *outcome,
    size_t recipient, enum stage stage)
{
	const struct rule *rule = outcome->observed;
	struct journal_note note = {
	    .kind = JOURNAL_OBSERVE, .wait = outcome->observed_wait};
	char detail[2 * FIELD_SIZE];

	if (rule == NULL || session->observed != NULL)
		return;
	session->observed = rule;
	draw_reference(session);
	(void)snprintf(detail, sizeof detail,
	    "would=%s rule=\"%s\" response=%s wait=%" PRId64 " reference=%s",
	    rule->verdict == RULE_ACCEPT ? "accept" : "defer", rule->name,
	    rule->reply == NULL ? "" : rule->reply->name,
	    outcome->observed_wait, session->reference);
	log_message(session, "observe", detail, recipient, stage);
	count(session, COUNT_OBSERVED, rule);
	put_entry(session, &note, rule, recipient, stage);
}

/* Since when the message that is let through has been put off: how many seconds,
 * and by `*rule_r` (NULL: by one that would not do so any more).  -1: it was
 * not. */
static int64_t
time_waited(const struct session *session, const struct outcome *outcome,
    const struct rule **rule_r)
{
	const struct facts *facts = &session->message.facts;
	int64_t longest = -1;

	*rule_r = outcome->passed;
	if (outcome->passed != NULL)
		return outcome->waited;
	for (size_t i = 0; i < facts->recipient_count; i++) {
		const struct recipient *recipient = &facts->recipients[i];
		int64_t since, waited;

		if (recipient->clock_certainty != FACT_KNOWN ||
		    recipient->is_supposed)
			continue;
		since = put_off_since(
		    session->message.policy, recipient, facts->now);
		waited = seconds_between(facts->now, since);
		if (since != 0 && waited > longest)
			longest = waited;
	}
	return longest;
}

static void
log_acceptance(
    struct session *session, const struct outcome *outcome, enum stage stage)
{
	const struct rule *rule = outcome->rule, *passed;
	int64_t waited = time_waited(session, outcome, &passed);
	char detail[2 * FIELD_SIZE];
	int length = snprintf(detail, sizeof detail, "rule=\"%s\"%s",
	    rule == NULL ? "" : rule->name,
	    outcome->capped ? " capped=yes" : "");

	if (waited >= 0)
		(void)snprintf(detail + length, sizeof detail - (size_t)length,
		    " passed=\"%s\" waited=%" PRId64,
		    passed == NULL ? "" : passed->name, waited);
	log_message(session, "accept", detail, MESSAGE_WHOLE, stage);
}

void
session_tell_acceptance(
    struct session *session, const struct outcome *outcome, enum stage stage)
{
	if (session->message.policy->settings.log_accepted)
		log_acceptance(session, outcome, stage);
	count(session, COUNT_ACCEPTED, outcome->rule);
}

void
session_tell_pass(struct session *session)
{
	const struct rule *rule;
	int64_t waited = time_waited(session, &session->accepted, &rule);
	struct journal_note note = {.kind = JOURNAL_PASS, .waited = waited};

	if (waited < 0 || is_rehearsed(session))
		return;
	draw_reference(session);
	/* What users quote, under the name that the postmaster gave it. */
	(void)snprintf(session->passed_header, sizeof session->passed_header,
	    "delayed %" PRId64 " seconds by milter-defer at %s (reference %s)",
	    waited, session->server[0] == '\0' ? "localhost" : session->server,
	    session->reference);
	counters_verdict(session->message.shared->counters, COUNT_PASSED, rule,
	    waited, session->message.clock);
	put_entry(session, &note, rule, MESSAGE_WHOLE, STAGE_EOM);
}
