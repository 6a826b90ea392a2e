/* What `milter-defer -d`, and whoever traces the client, is told of a session: its
 * steps, the facts of a message when it is judged, and how each rule answered. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "session/session_parts.h"
#include "store/tracer.h"

#define FIELD_SIZE 320
#define TEXT_SIZE  (EVIDENCE_SIZE + 200)

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

void
session_debug_reply(const struct session *session, const struct reply *reply)
{
	if (is_heard(session))
		say(session, "reply", "reply=\"%s%s%s %s\"", reply->code,
		    reply->xcode[0] == '\0' ? "" : " ", reply->xcode,
		    reply->lines[0]);
}
