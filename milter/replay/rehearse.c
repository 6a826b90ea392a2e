#include "replay/rehearse.h"

#include <math.h>
#include <string.h>

#include "session/session_parts.h"

/* The load is told by the one source that needs no file: so many open sessions of so
 * many. */
#define SESSIONS_FULL 1000

void
rehearse_adapt(struct policy *policy)
{
	struct settings *settings = &policy->settings;

	settings->load.average = 0;
	settings->load.pressure_cpu = 0;
	settings->load.pressure_io = 0;
	settings->load.pressure_memory = 0;
	settings->load.queue_directory[0] = '\0';
	settings->load.disk_directory[0] = '\0';
	settings->load.figure_file[0] = '\0';
	settings->load.sessions = SESSIONS_FULL;
	settings->reputation.reports_file[0] = '\0';
	settings->log_accepted = false;
}

void
rehearse_load(struct shared *shared, double load)
{
	atomic_store(&shared->sessions, llround(load * SESSIONS_FULL));
}

/* What is known when the first verdict is reached: later it may have changed. */
static void
note_record(const struct session *session, struct rehearsed *result)
{
	const struct facts *facts = &session->message.facts;

	if (result->asked || facts->record_certainty != FACT_KNOWN)
		return;
	result->asked = true;
	result->known = facts->known;
	result->score = facts->score;
}

/* Each judgement, while its facts are there. */
static void
note_judgement(void *arg, const struct session *session, size_t recipient,
    enum stage stage, const struct outcome *outcome)
{
	struct rehearsed *result = arg;

	(void)recipient;
	(void)stage;
	note_record(session, result);
	result->judged = outcome->rule;
	if (outcome->observed != NULL)
		result->observed = outcome->observed;
}

static void
note_deferral(size_t recipient, struct rehearsed *result)
{
	result->deferred[recipient] = true;
	result->rules[recipient] = result->judged;
	result->any_deferred = true;
}

/* Of the whole message: those that were not put off before are so now. */
static enum action
note_whole(const struct rehearsal *attempt, enum stage stage,
    enum action action, struct rehearsed *result)
{
	result->reached = stage;
	for (size_t i = 0;
	     action == ACTION_DEFER && i < attempt->recipient_count; i++)
		if (!result->deferred[i])
			note_deferral(i, result);
	return action;
}

static void
introduce(struct session *session, const struct rehearsal *attempt, int64_t now)
{
	struct session_origin origin = {
	    .hostname = attempt->name == NULL ? "unknown" : attempt->name,
	    .address = attempt->address,
	    .resolve = attempt->name == NULL ? "FAIL" : "OK",
	    .daemon_name = "smtpd",
	    .daemon_port = "25",
	    .server = attempt->server};

	session_connect(session, &origin, now);
	if (attempt->helo != NULL)
		session_helo(session, attempt->helo);
}

static enum action
say_mail(struct session *session, const struct rehearsal *attempt, int64_t now)
{
	struct session_envelope envelope = {.sender = attempt->sender,
	    .auth_type = attempt->user == NULL ? NULL : "PLAIN",
	    .auth_user = attempt->user,
	    .tls_version = attempt->tls ? "TLSv1.3" : NULL};
	struct reply reply;

	return session_mail(session, &envelope, now, &reply);
}

/* The number of recipients that got through. */
static size_t
offer_recipients(struct session *session, const struct rehearsal *attempt,
    int64_t now, struct rehearsed *result)
{
	const struct policy *policy = session_policy(session);
	struct reply reply;
	size_t passed = 0;

	for (size_t i = 0; policy->wants_refused && i < attempt->refused; i++)
		session_refused_recipient(session);
	for (size_t i = 0; i < attempt->recipient_count; i++) {
		if (policy->wants_rcpt &&
		    session_rcpt(session, attempt->recipients[i], now,
			&reply) == ACTION_DEFER)
			note_deferral(i, result);
		else
			passed++;
	}
	return passed;
}

static void
send_content(struct session *session, const struct rehearsal *attempt,
    int64_t now, struct rehearsed *result)
{
	const struct policy *policy = session_policy(session);
	struct reply reply;
	enum action action = session_data(session, now, &reply);

	(void)note_whole(attempt, STAGE_DATA, action, result);
	if (action == ACTION_ACCEPT)
		result->reached = STAGE_EOM;
	if (action != ACTION_CONTINUE)
		return;
	if (policy->wants_headers && attempt->mark_name != NULL)
		session_header(session, attempt->mark_name, attempt->mark);
	if (policy->wants_body)
		session_body(session, attempt->size);
	if (attempt->end == REHEARSE_BROKEN_OFF) {
		session_abort(session);
		return;
	}
	(void)note_whole(
	    attempt, STAGE_EOM, session_eom(session, now, &reply), result);
}

static void
converse(struct session *session, const struct rehearsal *attempt, int64_t now,
    struct rehearsed *result)
{
	enum action action = note_whole(
	    attempt, STAGE_MAIL, say_mail(session, attempt, now), result);

	if (action == ACTION_ACCEPT)
		result->reached = STAGE_EOM;
	if (action != ACTION_CONTINUE)
		return;
	result->reached = STAGE_RCPT;
	if (offer_recipients(session, attempt, now, result) > 0 &&
	    attempt->end != REHEARSE_QUESTION)
		send_content(session, attempt, now, result);
}

bool
rehearse(struct shared *shared, const struct rehearsal *attempt, int64_t now,
    struct rehearsed *result_r)
{
	struct session *session = session_open(shared, now);

	memset(result_r, 0, sizeof *result_r);
	if (session == NULL)
		return false;
	shared->rehearse = note_judgement;
	shared->rehearse_arg = result_r;
	introduce(session, attempt, now);
	converse(session, attempt, now, result_r);
	/* A rule may defer whom it has not asked about. */
	if (!result_r->asked && result_r->any_deferred) {
		message_recall(&session->message);
		note_record(session, result_r);
	}
	memcpy(result_r->network, session->message.network,
	    sizeof result_r->network);
	memcpy(result_r->pool, session->message.pool, sizeof result_r->pool);
	session_close(&session, now);
	shared->rehearse = NULL;
	return true;
}
