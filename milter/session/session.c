#include "session/session.h"

#include <stdlib.h>
#include <string.h>

#include "session/session_parts.h"

struct session *
session_open(struct shared *shared, int64_t now)
{
	struct session *session = calloc(1, sizeof *session);
	struct session_origin nowhere = {.hostname = NULL};

	if (session == NULL)
		return NULL;
	session->shared = shared;
	session->message.policy = shared_policy(shared);
	session->opened = now;
	session->message.facts.helo = session->helo;
	session->message.facts.helo_certainty = FACT_UNKNOWN;
	session->message.facts.sender = session->sender.text;
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
	session->opened = now;
	session->message.facts.now = now;
	session_identify(session, origin);
}

void
session_unknown_command(struct session *session)
{
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

static bool
can_answer(const struct session *session, enum stage stage)
{
	return (session->message.policy->stage_mask >> stage & 1U) != 0;
}

/* An accepted message goes on to its end when a rule on trial waits for it, or
 * when somebody learns from it.  Of an exempt client, whose record nobody asked
 * for, nothing is learned. */
static enum action
accept_message(
    struct session *session, const struct outcome *outcome, enum stage stage)
{
	const struct message *message = &session->message;
	bool learns = message->policy->wants_eom &&
	    message->facts.record_certainty == FACT_KNOWN;

	if (stage == STAGE_EOM || learns || outcome->trial_waits)
		return ACTION_CONTINUE;
	end_message(session);
	return ACTION_ACCEPT;
}

static enum action
answer(struct session *session, size_t recipient, enum stage stage,
    struct reply *reply_r)
{
	struct message *message = &session->message;
	struct outcome outcome =
	    message_judge(session->shared, message, recipient, stage);

	session_log_observed(session, &outcome, recipient, stage);
	if (outcome.verdict == VERDICT_DEFER) {
		session_fill_reply(session, &outcome, recipient, reply_r);
		session_log(session, &outcome, recipient, stage);
		message_settle(session->shared, message, recipient, &outcome);
		return ACTION_DEFER;
	}
	/* One recipient that may pass settles nothing yet, and at the end of a
	 * message there is nothing left to wait for.  What passes at MAIL is
	 * judged again at DATA for the sake of rules on trial. */
	if (recipient != MESSAGE_WHOLE ||
	    (outcome.verdict == VERDICT_WAIT && stage != STAGE_EOM) ||
	    (outcome.trial_waits && stage == STAGE_MAIL))
		return ACTION_CONTINUE;
	if (message->policy->settings.log_accepted)
		session_log(session, &outcome, recipient, stage);
	message_settle(session->shared, message, recipient, &outcome);
	return accept_message(session, &outcome, stage);
}

static enum action
answer_whole(struct session *session, enum stage stage, struct reply *reply_r)
{
	enum action action;

	if (!session->message.begun || session->message.accepted ||
	    (!can_answer(session, stage) && stage != STAGE_EOM))
		return ACTION_CONTINUE;
	action = answer(session, MESSAGE_WHOLE, stage, reply_r);
	if (action == ACTION_DEFER)
		end_message(session);
	return action;
}

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
	session_set_sender(session, envelope);
	message_begin(session->shared, &session->message, now);
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

	if (!message->begun || message->accepted)
		return ACTION_CONTINUE;
	set_elapsed(session, now);
	if (!session_add_recipient(session, recipient) ||
	    !can_answer(session, STAGE_RCPT))
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
	set_elapsed(session, now);
	return answer_whole(session, STAGE_DATA, reply_r);
}

static void
learn_from_message(struct session *session)
{
	const struct settings *settings = &session->message.policy->settings;

	if (session_header_matches(session, settings->reputation.spam_headers))
		message_event(&session->message, REPUTATION_SPAM);
	else if (session_header_matches(
		     session, settings->reputation.ham_headers))
		message_event(&session->message, REPUTATION_HAM);
}

/* Rules on trial that wait for the end of a message see it here. */
static void
observe_accepted(struct session *session)
{
	struct outcome outcome = message_judge(
	    session->shared, &session->message, MESSAGE_WHOLE, STAGE_EOM);

	session_log_observed(session, &outcome, MESSAGE_WHOLE, STAGE_EOM);
	message_settle_trial(session->shared, &session->message, &outcome);
}

enum action
session_eom(struct session *session, int64_t now, struct reply *reply_r)
{
	struct message *message = &session->message;
	enum action action;

	if (!message->begun)
		return ACTION_CONTINUE;
	set_elapsed(session, now);
	message->facts.complete = true;
	if (!message->accepted) {
		action = answer_whole(session, STAGE_EOM, reply_r);
		if (action == ACTION_DEFER)
			return action;
	} else if (message->policy->observes_eom) {
		observe_accepted(session);
	}
	/* A deferred message is learned from when it comes again and passes. */
	if (message->begun) {
		learn_from_message(session);
		message_event(message, REPUTATION_ACCEPTED);
		end_message(session);
	}
	return ACTION_CONTINUE;
}

void
session_abort(struct session *session)
{
	end_message(session);
}
