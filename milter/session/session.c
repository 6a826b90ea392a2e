#include "session/session.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "mail/glob.h"
#include "session/session_parts.h"

/* ---- The envelope and headers of a message */

static void
forget_message(struct session *session)
{
	struct message *message = &session->message;
	struct facts *facts = &message->facts;

	for (size_t i = 0; i < facts->recipient_count; i++) {
		free((char *)message->recipients[i].address);
		free((char *)message->pairs[i].recipient);
	}
	facts->recipient_count = 0;
	for (size_t i = 0; i < facts->header_count; i++) {
		free((char *)session->headers[i].name);
		free((char *)session->headers[i].value);
	}
	facts->header_count = 0;
	session->headers_size = 0;
	facts->recipients_seen = 0;
	session->queue_id[0] = '\0';
	session->reference[0] = '\0';
	session->observed = NULL;
	session->own_logged = 0;
}

/* RFC 1870: SIZE=octets.  The client's word; the real size is counted too. */
static int64_t
declared_size(const char *const *arguments)
{
	for (; arguments != NULL && *arguments != NULL; arguments++)
		if (strncasecmp(*arguments, "SIZE=", 5) == 0) {
			int64_t size = decimal_scan(*arguments + 5, NULL);

			return size > 0 ? size : 0;
		}
	return 0;
}

static void
set_sender(struct session *session, const struct session_envelope *envelope)
{
	struct facts *facts = &session->message.facts;

	mailaddr_parse(envelope->sender, &session->sender);
	mailaddr_normalise_sender(&session->sender, &session->sender_normal);
	facts->sender = session->sender.text;
	facts->sender_domain = mailaddr_domain(&session->sender);
	facts->null_sender = session->sender.text[0] == '\0';
	facts->declared_size = declared_size(envelope->arguments);
	facts->authenticated =
	    envelope->auth_type != NULL && envelope->auth_type[0] != '\0';
	session->user[0] = '\0';
	if (facts->authenticated && envelope->auth_user != NULL)
		strncat(session->user, envelope->auth_user,
		    sizeof session->user - 1);
	facts->user = session->user;
	facts->tls =
	    envelope->tls_version != NULL && envelope->tls_version[0] != '\0';
}

/* Whether no recipient before this one has its domain. */
static bool
is_first_of_domain(const struct facts *facts, size_t recipient)
{
	const char *domain = facts->recipients[recipient].domain;

	for (size_t i = 0; i < recipient; i++)
		if (strcmp(facts->recipients[i].domain, domain) == 0)
			return false;
	return true;
}

static bool
add_recipient(struct session *session, const char *raw)
{
	struct message *message = &session->message;
	struct facts *facts = &message->facts;
	size_t i = facts->recipient_count;
	struct recipient *recipient = &message->recipients[i];
	struct mailaddr address, normal;
	char *text, *hashed;

	facts->recipients_seen++;
	if (i == RECIPIENTS_MAX)
		return false;
	mailaddr_parse(raw, &address);
	mailaddr_normalise_recipient(&address, &normal);
	text = strdup(address.text);
	hashed = strdup(normal.text);
	if (text == NULL || hashed == NULL) {
		free(text);
		free(hashed);
		return false;
	}
	memset(recipient, 0, sizeof *recipient);
	recipient->address = text;
	recipient->domain = text + address.domain_at;
	recipient->clock_certainty = FACT_ASK;
	message->pairs[i].sender = session->sender_normal.text;
	message->pairs[i].recipient = hashed;
	message->pairs[i].name = message->names[i];
	message->names[i][0] = '\0';
	facts->recipient_count++;
	facts->recipient_domains += is_first_of_domain(facts, i);
	return true;
}

static void
drop_recipient(struct session *session)
{
	struct message *message = &session->message;
	struct facts *facts = &message->facts;
	size_t last = --facts->recipient_count;

	facts->recipients_seen--;
	facts->recipient_domains -= is_first_of_domain(facts, last);
	free((char *)message->recipients[last].address);
	free((char *)message->pairs[last].recipient);
	if (message->pairs_asked > last)
		message->pairs_asked = last;
}

static bool
is_wanted(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->header_count; i++)
		if (strcasecmp(policy->headers[i], name) == 0)
			return true;
	return false;
}

/* Folding becomes a space (RFC 5322 2.2.3), so that patterns see one line. */
static void
unfold(char *value)
{
	char *out = value;

	for (const char *in = value; *in != '\0'; in++) {
		if (*in == '\r' || *in == '\n')
			continue;
		*out++ = *in == '\t' ? ' ' : *in;
	}
	*out = '\0';
}

/* The first one goes: what an earlier filter adds comes last. */
static void
drop_first_header(struct session *session)
{
	struct facts *facts = &session->message.facts;

	session->headers_size -= strlen(session->headers[0].value);
	free((char *)session->headers[0].name);
	free((char *)session->headers[0].value);
	facts->header_count--;
	memmove(&session->headers[0], &session->headers[1],
	    facts->header_count * sizeof session->headers[0]);
}

void
session_header(struct session *session, const char *name, const char *value)
{
	struct facts *facts = &session->message.facts;
	struct header *header;

	if (name == NULL || value == NULL || !session->message.begun)
		return;
	facts->size += (int64_t)(strlen(name) + strlen(value) + 4);
	if (!is_wanted(session->message.policy, name))
		return;
	if (facts->header_count == SESSION_HEADERS_MAX)
		drop_first_header(session);
	while (*value == ' ' || *value == '\t')
		value++;
	header = &session->headers[facts->header_count];
	header->name = strdup(name);
	header->value = strndup(value, HEADER_VALUE_MAX);
	if (header->name == NULL || header->value == NULL) {
		free((char *)header->name);
		free((char *)header->value);
		return;
	}
	unfold((char *)header->value);
	session->headers_size += strlen(header->value);
	facts->headers = session->headers;
	facts->header_count++;
	while (session->headers_size > HEADERS_SIZE_MAX)
		drop_first_header(session);
}

void
session_body(struct session *session, size_t octets)
{
	session->message.facts.size += (int64_t)octets;
}

static bool
header_is(const struct header *header, const char *pattern)
{
	size_t length = strcspn(pattern, ":");
	const char *glob = pattern + length;

	if (strlen(header->name) != length ||
	    strncasecmp(header->name, pattern, length) != 0)
		return false;
	glob += *glob == ':';
	glob += strspn(glob, " \t");
	return glob_match(glob, header->value);
}

static bool
header_matches(const struct session *session, char *const *patterns)
{
	const struct facts *facts = &session->message.facts;

	for (; *patterns != NULL; patterns++)
		for (size_t i = 0; i < facts->header_count; i++)
			if (header_is(&session->headers[i], *patterns))
				return true;
	return false;
}

/* ---- The life of a session */

struct session *
session_open(struct shared *shared, int64_t now)
{
	struct session *session = malloc(sizeof *session);
	struct session_origin nowhere = {.hostname = NULL};
	struct session_envelope nobody = {.sender = NULL};
	char token[JOURNAL_REFERENCE_SIZE];

	if (session == NULL)
		return NULL;
	memset(session, 0, offsetof(struct session, message.recipients));
	session->message.shared = shared;
	session->message.policy = shared_policy(shared);
	session->message.evidence.dns = shared->dns;
	session->message.evidence.policy = session->message.policy;
	session->message.evidence.facts = &session->message.facts;
	session->opened = now;
	session->opened_us = clock_steady_us();
	session->message.facts.helo = session->helo;
	session->message.facts.helo_certainty = FACT_UNKNOWN;
	set_sender(session, &nobody);
	journal_reference_new(
	    random_draw(&session->message.random), now, token);
	memcpy(session->id, token, sizeof session->id - 1);
	session_identify(session, &nowhere);
	/* Nobody has connected yet, so there is nobody to remember. */
	session->message.network[0] = '\0';
	atomic_fetch_add(&shared->sessions, 1);
	counters_count(shared->counters, COUNT_SESSIONS);
	return session;
}

static void
end_message(struct session *session)
{
	message_end(&session->message);
	forget_message(session);
}

void
session_close(struct session **session, int64_t now)
{
	struct session *mine = *session;

	if (mine == NULL)
		return;
	session_debug_step(mine, "close", NULL);
	end_message(mine);
	if (mine->message.network[0] != '\0')
		message_count_connection(&mine->message, now);
	policy_release(&mine->message.policy);
	atomic_fetch_sub(&mine->message.shared->sessions, 1);
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
	evidence_ask(&session->message.evidence, EVIDENCE_CONNECT);
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
	session_debug_step(session, "refused", NULL);
	session->message.facts.refused_recipients++;
	message_event(&session->message, REPUTATION_REFUSED_RECIPIENT);
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
		session_tell_own(session, OWN_LOST, stage, &session->reply);
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
	session_tell_deferral(session, outcome, recipient, stage, reply_r);
	message_deferred(&session->message, recipient);
	if (recipient == MESSAGE_WHOLE) {
		session->standing = STANDS_DEFERRED;
		session->reply = *reply_r;
		/* else what DNS says may still be told, see
		 * settle_organisation() */
		if (!session->message.joins_late)
			end_message(session);
	}
	return ACTION_DEFER;
}

static enum action
answer(struct session *session, size_t recipient, enum stage stage,
    struct reply *reply_r)
{
	struct message *message = &session->message;
	struct outcome outcome = message_judge(message, recipient, stage);

	session_debug_rules(session, recipient, stage, &outcome);
	if (session->message.shared->rehearse != NULL)
		session->message.shared->rehearse(
		    session->message.shared->rehearse_arg, session, recipient,
		    stage, &outcome);
	session_tell_observed(session, &outcome, recipient, stage);
	if (outcome.verdict == VERDICT_DEFER)
		return defer(session, &outcome, recipient, stage, reply_r);
	/* One recipient that may pass settles nothing yet, and at the end of a
	 * message there is nothing left to wait for.  What passes at MAIL is
	 * judged again at DATA for the sake of rules on trial. */
	if (recipient != MESSAGE_WHOLE ||
	    (outcome.verdict == VERDICT_WAIT && stage != STAGE_EOM) ||
	    (outcome.trial_waits && stage == STAGE_MAIL))
		return ACTION_CONTINUE;
	session_tell_acceptance(session, &outcome, stage);
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
set_time(struct session *session, int64_t now)
{
	struct facts *facts = &session->message.facts;

	session->message.clock = now;
	facts->connected_for =
	    now > session->opened ? now - session->opened : 0;
}

enum action
session_mail(struct session *session, const struct session_envelope *envelope,
    int64_t now, struct reply *reply_r)
{
	struct facts *facts = &session->message.facts;

	end_message(session);
	session->standing = STANDS_NOTHING;
	session_debug_step(session, "mail", envelope->sender);
	set_sender(session, envelope);
	session_queue_id(session, envelope->queue_id);
	set_time(session, now);
	message_begin(&session->message, now);
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
	set_time(session, now);
	if (!add_recipient(session, recipient)) {
		if (!can_answer(session, STAGE_RCPT))
			return ACTION_CONTINUE;
		message->facts.recipients_seen--;
		session_tell_own(session, OWN_TOO_MANY, STAGE_RCPT, reply_r);
		return ACTION_DEFER;
	}
	if (!can_answer(session, STAGE_RCPT))
		return ACTION_CONTINUE;
	action = answer(
	    session, message->facts.recipient_count - 1, STAGE_RCPT, reply_r);
	if (action == ACTION_DEFER)
		drop_recipient(session);
	return action;
}

enum action
session_data(struct session *session, int64_t now, struct reply *reply_r)
{
	session_debug_step(session, "data", NULL);
	set_time(session, now);
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
	if (header_matches(session, settings->reputation.spam_headers))
		message_event(&session->message, REPUTATION_SPAM);
	else if (header_matches(session, settings->reputation.ham_headers))
		message_event(&session->message, REPUTATION_HAM);
	message_event(&session->message, REPUTATION_ACCEPTED);
}

/* Rules on trial that wait for the end of an accepted message see it here. */
static void
observe_accepted(struct session *session)
{
	struct outcome *accepted = &session->accepted;
	struct outcome outcome =
	    message_judge(&session->message, MESSAGE_WHOLE, STAGE_EOM);

	session_tell_observed(session, &outcome, MESSAGE_WHOLE, STAGE_EOM);
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
	session->passed_header[0] = '\0';
	set_time(session, now);
	message->facts.complete = true;
	if (session->standing == STANDS_ACCEPTED &&
	    message->policy->observes_eom)
		observe_accepted(session);
	action = answer_whole(session, STAGE_EOM, reply_r);
	/* A deferred message is learned from when it comes again and passes. */
	if (action == ACTION_CONTINUE && message->begun) {
		learn_from_message(session);
		session_tell_pass(session);
		message_completed(message, &session->accepted);
		session->standing = STANDS_NOTHING;
		end_message(session);
	}
	return action;
}

const char *
session_passed_header(const struct session *session)
{
	const struct settings *settings = &session->message.policy->settings;

	return settings->passed_header[0] != '\0' &&
		session->passed_header[0] != '\0'
	    ? session->passed_header
	    : NULL;
}

void
session_abort(struct session *session)
{
	session_debug_step(session, "abort", NULL);
	if (!stands_against(session))
		lose_message(session);
}
