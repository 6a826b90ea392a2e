#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "session_parts.h"

struct session *
session_open(struct gate *gate, int64_t now)
{
	struct session *session = calloc(1, sizeof *session);
	struct session_origin nowhere = {.hostname = NULL};

	if (session == NULL)
		return NULL;
	session->gate = gate;
	session->inquiry.policy = gate_policy(gate);
	session->opened = now;
	session->inquiry.facts.helo = session->helo;
	session->inquiry.facts.helo_certainty = FACT_UNKNOWN;
	session->inquiry.facts.sender = session->sender.text;
	session_draw_token(session->id);
	session_identify(session, &nowhere);
	/* Nobody has connected yet, so there is nobody to remember. */
	session->inquiry.network[0] = '\0';
	gate_session_began(gate);
	return session;
}

static void
end_message(struct session *session)
{
	inquiry_end(session->gate, &session->inquiry);
	session_forget_message(session);
}

void
session_close(struct session **session, int64_t now)
{
	struct session *mine = *session;

	if (mine == NULL)
		return;
	end_message(mine);
	if (mine->inquiry.network[0] != '\0')
		inquiry_count_connection(mine->gate, &mine->inquiry, now);
	policy_release(&mine->inquiry.policy);
	gate_session_ended(mine->gate);
	free(mine);
	*session = NULL;
}

const struct policy *
session_policy(const struct session *session)
{
	return session->inquiry.policy;
}

void
session_connect(
    struct session *session, const struct session_origin *origin, int64_t now)
{
	session->opened = now;
	session->inquiry.facts.now = now;
	session_identify(session, origin);
}

void
session_unknown_command(struct session *session)
{
	session->inquiry.facts.unknown_commands++;
	inquiry_event(&session->inquiry, REPUTATION_UNKNOWN_COMMAND);
}

void
session_refused_recipient(struct session *session)
{
	session->inquiry.facts.refused_recipients++;
	inquiry_refused(&session->inquiry);
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
	return (session->inquiry.policy->stage_mask >> stage & 1U) != 0;
}

/* An accepted message goes on to its end when a rule on trial waits for it, or
 * when somebody learns from it.  Of an exempt client, whose record nobody asked
 * for, nothing is learned. */
static enum action
accept_message(
    struct session *session, const struct outcome *outcome, enum stage stage)
{
	const struct inquiry *inquiry = &session->inquiry;
	bool learns = inquiry->policy->wants_eom &&
	    inquiry->facts.record_certainty == FACT_KNOWN;

	if (stage == STAGE_EOM || learns || outcome->trial_waits)
		return ACTION_CONTINUE;
	end_message(session);
	return ACTION_ACCEPT;
}

static enum action
answer(struct session *session, size_t recipient, enum stage stage,
    struct reply *reply_r)
{
	struct inquiry *inquiry = &session->inquiry;
	struct outcome outcome =
	    inquiry_judge(session->gate, inquiry, recipient, stage);

	session_log_observed(session, &outcome, recipient, stage);
	if (outcome.verdict == VERDICT_DEFER) {
		session_fill_reply(session, &outcome, recipient, reply_r);
		session_log(session, &outcome, recipient, stage);
		inquiry_settle(session->gate, inquiry, recipient, &outcome);
		return ACTION_DEFER;
	}
	/* One recipient that may pass settles nothing yet, and at the end of a
	 * message there is nothing left to wait for.  What passes at MAIL is
	 * judged again at DATA for the sake of rules on trial. */
	if (recipient != INQUIRY_WHOLE ||
	    (outcome.verdict == VERDICT_WAIT && stage != STAGE_EOM) ||
	    (outcome.trial_waits && stage == STAGE_MAIL))
		return ACTION_CONTINUE;
	if (inquiry->policy->settings.log_accepted)
		session_log(session, &outcome, recipient, stage);
	inquiry_settle(session->gate, inquiry, recipient, &outcome);
	return accept_message(session, &outcome, stage);
}

static enum action
answer_whole(struct session *session, enum stage stage, struct reply *reply_r)
{
	enum action action;

	if (!session->inquiry.begun || session->inquiry.accepted ||
	    (!can_answer(session, stage) && stage != STAGE_EOM))
		return ACTION_CONTINUE;
	action = answer(session, INQUIRY_WHOLE, stage, reply_r);
	if (action == ACTION_DEFER)
		end_message(session);
	return action;
}

static void
set_elapsed(struct session *session, int64_t now)
{
	struct facts *facts = &session->inquiry.facts;

	facts->connected_for =
	    now > session->opened ? now - session->opened : 0;
}

/* Also where MAIL is not answered, so that recipients which the MTA refuses to an
 * exempt client are not held against it. */
static void
note_exemption(struct session *session)
{
	struct inquiry *inquiry = &session->inquiry;
	struct outcome outcome =
	    decide(inquiry->policy, &inquiry->facts, NULL, STAGE_MAIL, NULL);

	if (outcome.verdict == VERDICT_ACCEPT && outcome.rule != NULL &&
	    outcome.rule->of_client)
		inquiry_exempt(inquiry);
}

enum action
session_mail(struct session *session, const struct session_envelope *envelope,
    int64_t now, struct reply *reply_r)
{
	struct facts *facts = &session->inquiry.facts;

	end_message(session);
	session_set_sender(session, envelope);
	inquiry_begin(session->gate, &session->inquiry, now);
	set_elapsed(session, now);
	note_exemption(session);
	if (facts->helo_certainty == FACT_KNOWN && facts->helo_malformed &&
	    !session->helo_counted) {
		session->helo_counted = true;
		inquiry_event(&session->inquiry, REPUTATION_MALFORMED_HELO);
	}
	return answer_whole(session, STAGE_MAIL, reply_r);
}

enum action
session_rcpt(struct session *session, const char *recipient, int64_t now,
    struct reply *reply_r)
{
	struct inquiry *inquiry = &session->inquiry;
	enum action action;

	if (!inquiry->begun || inquiry->accepted)
		return ACTION_CONTINUE;
	set_elapsed(session, now);
	if (!session_add_recipient(session, recipient) ||
	    !can_answer(session, STAGE_RCPT))
		return ACTION_CONTINUE;
	action = answer(
	    session, inquiry->facts.recipient_count - 1, STAGE_RCPT, reply_r);
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
	const struct settings *settings = &session->inquiry.policy->settings;

	if (session_header_matches(session, settings->reputation.spam_headers))
		inquiry_event(&session->inquiry, REPUTATION_SPAM);
	else if (session_header_matches(
		     session, settings->reputation.ham_headers))
		inquiry_event(&session->inquiry, REPUTATION_HAM);
}

/* Rules on trial that wait for the end of a message see it here. */
static void
observe_accepted(struct session *session)
{
	struct outcome outcome = inquiry_judge(
	    session->gate, &session->inquiry, INQUIRY_WHOLE, STAGE_EOM);

	session_log_observed(session, &outcome, INQUIRY_WHOLE, STAGE_EOM);
	inquiry_settle_trial(session->gate, &session->inquiry, &outcome);
}

enum action
session_eom(struct session *session, int64_t now, struct reply *reply_r)
{
	struct inquiry *inquiry = &session->inquiry;
	enum action action;

	if (!inquiry->begun)
		return ACTION_CONTINUE;
	set_elapsed(session, now);
	inquiry->facts.complete = true;
	if (!inquiry->accepted) {
		action = answer_whole(session, STAGE_EOM, reply_r);
		if (action == ACTION_DEFER)
			return action;
	} else if (inquiry->policy->observes_eom) {
		observe_accepted(session);
	}
	/* A deferred message is learned from when it comes again and passes. */
	if (inquiry->begun) {
		learn_from_message(session);
		inquiry_event(inquiry, REPUTATION_ACCEPTED);
		end_message(session);
	}
	return ACTION_CONTINUE;
}

void
session_abort(struct session *session)
{
	end_message(session);
}
