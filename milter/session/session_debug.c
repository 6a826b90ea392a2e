/* What `milter-defer -d` tells of a session: its steps, the facts of a message
 * when it is judged, and how each rule answered. */
#include <inttypes.h>

#include "base/log.h"
#include "session/session_parts.h"

#define FIELD_SIZE 320

void
session_debug_step(
    const struct session *session, const char *step, const char *text)
{
	char clean[FIELD_SIZE];

	if (log_is_verbose())
		log_debug("session=%s step=%s text=%s", session->id, step,
		    log_clean(text == NULL ? "" : text, clean, sizeof clean));
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
	log_debug("session=%s facts now=%" PRId64 " connected_for=%" PRId64
		  " recipients=%" PRId64 " declared=%" PRId64 " size=%" PRId64
		  " authenticated=%d tls=%d store=%s record=%s score=%.1f"
		  " load=%.2f%s",
	    session->id, facts->now, facts->connected_for,
	    facts->recipients_seen, facts->declared_size, facts->size,
	    facts->authenticated, facts->tls,
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

		log_debug("session=%s recipient=<%s> rule=\"%s\" answer=%s%s%s",
		    session->id, to, policy->rules[i].name,
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

	if (!log_is_verbose())
		return;
	say_facts(session);
	if (count == 0)
		say_rules(session, NULL, stage);
	for (size_t i = 0; i < count; i++)
		if (recipient == i || recipient == MESSAGE_WHOLE)
			say_rules(session, &message->recipients[i], stage);
	log_debug("session=%s settled=%s rule=\"%s\"", session->id,
	    verdict_words[outcome->verdict],
	    outcome->rule == NULL ? "" : outcome->rule->name);
}
