/* What the counters and the journal are told of a message. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/seconds.h"
#include "session/session_parts.h"

/* A rehearsal leaves no trace. */
static bool
is_recorded(const struct session *session)
{
	return session->shared->rehearse == NULL;
}

static bool
is_kept(const struct session *session)
{
	return is_recorded(session) &&
	    session->message.policy->settings.journal.entries > 0;
}

/* What all entries about a message tell of it; of one recipient, or of all. */
static struct journal_note
begin_note(const struct session *session, enum journal_kind kind,
    size_t recipient, enum stage stage)
{
	const struct message *message = &session->message;
	const struct facts *facts = &message->facts;
	bool is_known = facts->record_certainty == FACT_KNOWN;
	bool of_one = recipient < facts->recipient_count;

	return (struct journal_note){
	    .kind = kind,
	    .at = facts->now,
	    .reference = session->reference,
	    .session = session->id,
	    .host = session->server[0] != '\0' ? session->server
					       : session->shared->store->host,
	    .stage = stage,
	    .client = message->address,
	    .network = message->network,
	    .name = session->name,
	    .identity = message_identity(message),
	    .null_sender = facts->null_sender,
	    .pairs = of_one ? &message->pairs[recipient] : message->pairs,
	    .pair_count = of_one ? 1 : facts->recipient_count,
	    .recipient_count = of_one ? 1 : facts->recipients_seen,
	    .has_score = is_known,
	    .score = is_known ? (int)lround(facts->score) : 0,
	    .known = !is_known ? JOURNAL_UNKNOWN
		: facts->known ? JOURNAL_IS_KNOWN
			       : JOURNAL_STRANGER,
	    .load = facts->load,
	};
}

/* The lines as the client sees them. */
static void
say_reply(const struct reply *reply, char text_r[JOURNAL_TEXT_SIZE])
{
	size_t length = 0;

	text_r[0] = '\0';
	for (size_t i = 0; i < reply->line_count; i++) {
		int size = snprintf(text_r + length, JOURNAL_TEXT_SIZE - length,
		    "%s%s%c%s%s%s", i > 0 ? "\n" : "", reply->code,
		    i + 1 < reply->line_count ? '-' : ' ', reply->xcode,
		    reply->xcode[0] != '\0' ? " " : "", reply->lines[i]);

		if (size < 0 || (size_t)size >= JOURNAL_TEXT_SIZE - length)
			return;
		length += (size_t)size;
	}
}

void
session_record_deferral(struct session *session, const struct outcome *outcome,
    size_t recipient, enum stage stage, const struct reply *reply)
{
	const struct rule *rule = outcome->rule;
	char text[JOURNAL_TEXT_SIZE];
	struct journal_note note;

	if (is_recorded(session))
		counters_verdict(session->shared->counters, COUNT_DEFERRED,
		    rule, session->message.clock);
	if (!is_kept(session))
		return;
	note = begin_note(session, JOURNAL_DEFER, recipient, stage);
	say_reply(reply, text);
	note.text = text;
	note.rule = rule == NULL ? "" : rule->name;
	note.response = rule == NULL ? "" : response_name(rule->reply);
	note.wait = outcome->wait;
	journal_put(session->shared->journal, &note);
}

void
session_record_observed(struct session *session, const struct outcome *outcome,
    size_t recipient, enum stage stage)
{
	const struct rule *rule = outcome->observed;
	struct journal_note note;

	if (is_recorded(session))
		counters_verdict(session->shared->counters, COUNT_OBSERVED,
		    rule, session->message.clock);
	if (!is_kept(session))
		return;
	note = begin_note(session, JOURNAL_OBSERVE, recipient, stage);
	note.rule = rule->name;
	note.response = rule->reply == NULL ? "" : response_name(rule->reply);
	note.wait = outcome->observed_wait;
	journal_put(session->shared->journal, &note);
}

void
session_record_acceptance(
    struct session *session, const struct outcome *outcome)
{
	if (is_recorded(session))
		counters_verdict(session->shared->counters, COUNT_ACCEPTED,
		    outcome->rule, session->message.clock);
}

/* Since when this pair has been put off; 0: it has not, or nobody has seen it. */
static int64_t
put_off_since(const struct recipient *recipient)
{
	const struct greylist_clock *clocks = recipient->clock;

	if (recipient->clock_certainty != FACT_KNOWN || recipient->is_supposed)
		return 0;
	return clocks[CLOCK_REAL].last_passed == 0
	    ? clocks[CLOCK_REAL].first_seen
	    : clocks[CLOCK_DEFERRED].first_seen;
}

int64_t
session_waited(const struct session *session, const struct outcome *outcome,
    const struct rule **rule_r)
{
	const struct facts *facts = &session->message.facts;
	int64_t longest = -1;

	*rule_r = outcome->passed;
	if (outcome->passed != NULL)
		return outcome->waited;
	for (size_t i = 0; i < facts->recipient_count; i++) {
		int64_t since = put_off_since(&facts->recipients[i]);
		int64_t waited = seconds_between(facts->now, since);

		if (since != 0 && waited > longest &&
		    waited <= session->message.policy->settings.retry_window)
			longest = waited;
	}
	return longest;
}

/* What users quote, under the name that the postmaster gave it. */
static void
say_passed(struct session *session, int64_t waited)
{
	(void)snprintf(session->passed_header, sizeof session->passed_header,
	    "delayed %lld seconds by milter-defer at %s (reference %s)",
	    (long long)waited,
	    session->server[0] == '\0' ? "localhost" : session->server,
	    session->reference);
}

void
session_record_pass(struct session *session)
{
	const struct outcome *accepted = &session->accepted;
	const struct facts *facts = &session->message.facts;
	const struct rule *rule;
	int64_t waited = session_waited(session, accepted, &rule);
	struct journal_note note;

	if (waited < 0 || !is_recorded(session))
		return;
	journal_reference_new(facts->now, session->reference);
	say_passed(session, waited);
	counters_passed(
	    session->shared->counters, rule, waited, session->message.clock);
	if (!is_kept(session))
		return;
	note = begin_note(session, JOURNAL_PASS, MESSAGE_WHOLE, STAGE_EOM);
	note.rule = rule == NULL ? "" : rule->name;
	note.waited = waited;
	journal_put(session->shared->journal, &note);
}
