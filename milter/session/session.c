#include "session/session.h"

#include <stdlib.h>
#include <string.h>

#include "session/evidence.h"
#include "session/session_parts.h"

struct session *
session_open(struct shared *shared, int64_t now)
{
	struct session *session = calloc(1, sizeof *session);
	struct session_origin nowhere = {.hostname = NULL};
	struct session_envelope nobody = {.sender = NULL};

	if (session == NULL)
		return NULL;
	session->shared = shared;
	session->message.policy = shared_policy(shared);
	session->opened = now;
	session->message.facts.helo = session->helo;
	session->message.facts.helo_certainty = FACT_UNKNOWN;
	session_set_sender(session, &nobody);
	session_draw_token(session->id);
	session_identify(session, &nowhere);
	/* Nobody has connected yet, so there is nobody to remember. */
	session->message.network[0] = '\0';
	shared_session_began(shared);
	return session;
}

static void
end_message(struct session *session)
{
	message_end(session->shared, &session->message);
	session_forget_message(session);
}

void
session_close(struct session **session, int64_t now)
{
	struct session *mine = *session;

	if (mine == NULL)
		return;
	end_message(mine);
	if (mine->message.network[0] != '\0')
		message_count_connection(mine->shared, &mine->message, now);
	policy_release(&mine->message.policy);
	shared_session_ended(mine->shared);
	free(mine);
	*session = NULL;
}

const struct policy *
session_policy(const struct session *session)
{
	return session->message.policy;
}

void
session_connect(
    struct session *session, const struct session_origin *origin, int64_t now)
{
	session->message.facts.now = now;
	session_identify(session, origin);
	session_debug_step(session, "connect", session->message.address);
	evidence_ask(session->shared, &session->message);
}

void
session_unknown_command(struct session *session)
{
	session_debug_step(session, "unknown", NULL);
	session->message.facts.unknown_commands++;
	message_event(&session->message, REPUTATION_UNKNOWN_COMMAND);
}

void
session_refused_recipient(struct session *session)
{
	session->message.facts.refused_recipients++;
	message_refused(&session->message);
}

void
session_queue_id(struct session *session, const char *queue_id)
{
	if (queue_id == NULL)
		return;
	session->queue_id[0] = '\0';
	strncat(session->queue_id, queue_id, sizeof session->queue_id - 1);
}

/* ---- What stands of a message */

static bool
can_answer(const struct session *session, enum stage stage)
{
	return stage == STAGE_EOM ||
	    (session->message.policy->stage_mask >> stage & 1U) != 0;
}

/* The same answer as before, without asking anybody again. */
static enum action
answer_again(struct session *session, enum stage stage, struct reply *reply_r)
{
	if (!can_answer(session, stage))
		return ACTION_CONTINUE;
	if (session->standing == STANDS_LOST) {
		session_fill_own(session, OWN_LOST, stage, &session->reply);
		session->standing = STANDS_DEFERRED;
	}
	*reply_r = session->reply;
	return ACTION_DEFER;
}

static bool
stands_against(const struct session *session)
{
	return session->standing == STANDS_DEFERRED ||
	    session->standing == STANDS_LOST;
}

/* The MTA goes on with a message of which we no longer know all. */
static void
lose_message(struct session *session)
{
	if (session->message.begun)
		session->standing = STANDS_LOST;
	end_message(session);
}

/* ---- Verdicts */

/* A message of which something was asked goes on to its end, where it is
 * settled, and one that a rule on trial waits for.  Any other is let go, unless
 * it might still get recipients that nobody judged. */
static enum action
accept_message(
    struct session *session, const struct outcome *outcome, enum stage stage)
{
	bool final = stage == STAGE_MAIL ||
	    (stage != STAGE_EOM && outcome->rule != NULL &&
		outcome->rule->of_client);

	session->standing = STANDS_ACCEPTED;
	session->accepted = *outcome;
	session->accepted_at = stage;
	if (!final || outcome->trial_waits ||
	    session->message.facts.record_certainty == FACT_KNOWN)
		return ACTION_CONTINUE;
	session->standing = STANDS_NOTHING;
	end_message(session);
	return ACTION_ACCEPT;
}

static enum action
defer(struct session *session, const struct outcome *outcome, size_t recipient,
    enum stage stage, struct reply *reply_r)
{
	session_fill_reply(session, outcome, recipient, reply_r);
	session_log(session, outcome, recipient, stage);
	message_deferred(session->shared, &session->message, recipient);
	if (recipient == MESSAGE_WHOLE) {
		session->standing = STANDS_DEFERRED;
		session->reply = *reply_r;
		end_message(session);
	}
	return ACTION_DEFER;
}

static enum action
answer(struct session *session, size_t recipient, enum stage stage,
    struct reply *reply_r)
{
	struct message *message = &session->message;
	struct outcome outcome =
	    message_judge(session->shared, message, recipient, stage);

	session_debug_rules(session, recipient, stage, &outcome);
	session_log_observed(session, &outcome, recipient, stage);
	if (outcome.verdict == VERDICT_DEFER)
		return defer(session, &outcome, recipient, stage, reply_r);
	/* One recipient that may pass settles nothing yet, and at the end of a
	 * message there is nothing left to wait for.  What passes at MAIL is
	 * judged again at DATA for the sake of rules on trial. */
	if (recipient != MESSAGE_WHOLE ||
	    (outcome.verdict == VERDICT_WAIT && stage != STAGE_EOM) ||
	    (outcome.trial_waits && stage == STAGE_MAIL))
		return ACTION_CONTINUE;
	if (message->policy->settings.log_accepted)
		session_log(session, &outcome, recipient, stage);
	return accept_message(session, &outcome, stage);
}

static enum action
answer_whole(struct session *session, enum stage stage, struct reply *reply_r)
{
	if (stands_against(session))
		return answer_again(session, stage, reply_r);
	if (!session->message.begun || session->standing == STANDS_ACCEPTED ||
	    !can_answer(session, stage))
		return ACTION_CONTINUE;
	return answer(session, MESSAGE_WHOLE, stage, reply_r);
}

/* ---- Steps of a message */

static void
set_elapsed(struct session *session, int64_t now)
{
	struct facts *facts = &session->message.facts;

	facts->connected_for =
	    now > session->opened ? now - session->opened : 0;
}

/* Also where MAIL is not answered, so that recipients which the MTA refuses to an
 * exempt client are not held against it. */
static void
note_exemption(struct session *session)
{
	struct message *message = &session->message;
	struct outcome outcome =
	    decide(message->policy, &message->facts, NULL, STAGE_MAIL, NULL);

	if (outcome.verdict == VERDICT_ACCEPT && outcome.rule != NULL &&
	    outcome.rule->of_client)
		message_exempt(message);
}

enum action
session_mail(struct session *session, const struct session_envelope *envelope,
    int64_t now, struct reply *reply_r)
{
	struct facts *facts = &session->message.facts;

	end_message(session);
	session->standing = STANDS_NOTHING;
	session_debug_step(session, "mail", envelope->sender);
	session_set_sender(session, envelope);
	session_queue_id(session, envelope->queue_id);
	message_begin(session->shared, &session->message, now);
	evidence_ask(session->shared, &session->message);
	set_elapsed(session, now);
	note_exemption(session);
	if (facts->helo_certainty == FACT_KNOWN && facts->helo_malformed &&
	    !session->helo_counted) {
		session->helo_counted = true;
		message_event(&session->message, REPUTATION_MALFORMED_HELO);
	}
	return answer_whole(session, STAGE_MAIL, reply_r);
}

enum action
session_rcpt(struct session *session, const char *recipient, int64_t now,
    struct reply *reply_r)
{
	struct message *message = &session->message;
	enum action action;

	session_debug_step(session, "rcpt", recipient);
	/* Nobody has judged that one. */
	if (session->standing == STANDS_ACCEPTED &&
	    session->accepted_at != STAGE_MAIL)
		lose_message(session);
	if (stands_against(session))
		return answer_again(session, STAGE_RCPT, reply_r);
	if (!message->begun || session->standing == STANDS_ACCEPTED)
		return ACTION_CONTINUE;
	set_elapsed(session, now);
	if (!session_add_recipient(session, recipient)) {
		if (!can_answer(session, STAGE_RCPT))
			return ACTION_CONTINUE;
		message->facts.recipients_seen--;
		session_fill_own(session, OWN_TOO_MANY, STAGE_RCPT, reply_r);
		return ACTION_DEFER;
	}
	if (!can_answer(session, STAGE_RCPT))
		return ACTION_CONTINUE;
	action = answer(
	    session, message->facts.recipient_count - 1, STAGE_RCPT, reply_r);
	if (action == ACTION_DEFER)
		session_drop_recipient(session);
	return action;
}

enum action
session_data(struct session *session, int64_t now, struct reply *reply_r)
{
	session_debug_step(session, "data", NULL);
	set_elapsed(session, now);
	return answer_whole(session, STAGE_DATA, reply_r);
}

/* Of a client whose record nobody asked for, nothing is learned. */
static void
learn_from_message(struct session *session)
{
	const struct settings *settings = &session->message.policy->settings;

	if (session->message.facts.record_certainty != FACT_KNOWN &&
	    session->accepted_at != STAGE_EOM)
		return;
	if (session_header_matches(session, settings->reputation.spam_headers))
		message_event(&session->message, REPUTATION_SPAM);
	else if (session_header_matches(
		     session, settings->reputation.ham_headers))
		message_event(&session->message, REPUTATION_HAM);
	message_event(&session->message, REPUTATION_ACCEPTED);
}

/* Rules on trial that wait for the end of an accepted message see it here. */
static void
observe_accepted(struct session *session)
{
	struct outcome *accepted = &session->accepted;
	struct outcome outcome = message_judge(
	    session->shared, &session->message, MESSAGE_WHOLE, STAGE_EOM);

	session_log_observed(session, &outcome, MESSAGE_WHOLE, STAGE_EOM);
	accepted->observed = outcome.observed;
	accepted->triplet_passed[CLOCK_OBSERVED] =
	    outcome.triplet_passed[CLOCK_OBSERVED];
	accepted->client_passed[CLOCK_OBSERVED] =
	    outcome.client_passed[CLOCK_OBSERVED];
}

enum action
session_eom(struct session *session, int64_t now, struct reply *reply_r)
{
	struct message *message = &session->message;
	enum action action;

	session_debug_step(session, "eom", NULL);
	set_elapsed(session, now);
	message->facts.complete = true;
	if (session->standing == STANDS_ACCEPTED &&
	    message->policy->observes_eom)
		observe_accepted(session);
	action = answer_whole(session, STAGE_EOM, reply_r);
	/* A deferred message is learned from when it comes again and passes. */
	if (action == ACTION_CONTINUE && message->begun) {
		learn_from_message(session);
		message_completed(session->shared, message, &session->accepted);
		session->standing = STANDS_NOTHING;
		end_message(session);
	}
	return action;
}

void
session_abort(struct session *session)
{
	session_debug_step(session, "abort", NULL);
	if (!stands_against(session))
		lose_message(session);
}
