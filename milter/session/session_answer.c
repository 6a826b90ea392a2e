#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "session/session_parts.h"

#define FIELD_SIZE 320
#define LINK_SIZE  (REPLY_TEXT_MAX + 1)
#define WAIT_SIZE  32
#define LIST_SIZE  1200 /* of recipients in a line, with room for one more */

void
session_draw_token(char token_r[TOKEN_SIZE])
{
	static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
	unsigned char random[TOKEN_SIZE - 1] = {0};

	/* Without randomness a token is merely not unique. */
	(void)!getrandom(random, sizeof random, GRND_NONBLOCK);
	for (size_t i = 0; i < sizeof random; i++)
		token_r[i] = alphabet[random[i] % 32];
	token_r[sizeof random] = '\0';
}

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

void
session_fill_reply(struct session *session, const struct outcome *outcome,
    size_t recipient, struct reply *reply_r)
{
	const struct message *message = &session->message;
	const struct facts *facts = &message->facts;
	char wait[WAIT_SIZE], score[WAIT_SIZE], link[LINK_SIZE];
	struct response_values values = {{NULL}};

	journal_reference_new(facts->now, session->reference);
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

	if (session->shared->rehearse != NULL)
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

static void
say_acceptance(const struct session *session, const struct outcome *outcome,
    char *detail_r, size_t size)
{
	const struct rule *passed;
	int64_t waited = session_waited(session, outcome, &passed);
	int length = snprintf(detail_r, size, "rule=\"%s\"%s",
	    outcome->rule == NULL ? "" : outcome->rule->name,
	    outcome->capped ? " capped=yes" : "");

	if (waited >= 0)
		(void)snprintf(detail_r + length, size - (size_t)length,
		    " passed=\"%s\" waited=%" PRId64,
		    passed == NULL ? "" : passed->name, waited);
}

/* A rule's name is the postmaster's own, and was checked when it was read. */
void
session_log(struct session *session, const struct outcome *outcome,
    size_t recipient, enum stage stage)
{
	const struct rule *rule = outcome->rule;
	bool defers = outcome->verdict == VERDICT_DEFER && rule != NULL;
	char detail[2 * FIELD_SIZE];

	if (defers)
		(void)snprintf(detail, sizeof detail,
		    "rule=\"%s\" response=%s code=%s wait=%" PRId64
		    " reference=%s",
		    rule->name, response_name(rule->reply),
		    response_code(rule->reply), outcome->wait,
		    session->reference);
	else
		say_acceptance(session, outcome, detail, sizeof detail);
	log_message(
	    session, defers ? "defer" : "accept", detail, recipient, stage);
}

void
session_fill_own(struct session *session, enum own_reply which,
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
	journal_reference_new(session->message.facts.now, session->reference);
	(void)snprintf(detail, sizeof detail,
	    "rule=\"\" response=%s code=%s wait=0 reference=%s",
	    own[which].name, reply_r->code, session->reference);
	log_message(session, "defer", detail, MESSAGE_WHOLE, stage);
	session_record_deferral(
	    session, &outcome, MESSAGE_WHOLE, stage, reply_r);
}

void
session_log_observed(struct session *session, const struct outcome *outcome,
    size_t recipient, enum stage stage)
{
	const struct rule *rule = outcome->observed;
	char detail[2 * FIELD_SIZE];

	if (rule == NULL || session->observed != NULL)
		return;
	session->observed = rule;
	journal_reference_new(session->message.facts.now, session->reference);
	(void)snprintf(detail, sizeof detail,
	    "would=%s rule=\"%s\" response=%s wait=%" PRId64 " reference=%s",
	    rule->verdict == RULE_ACCEPT ? "accept" : "defer", rule->name,
	    rule->reply == NULL ? "" : response_name(rule->reply),
	    outcome->observed_wait, session->reference);
	log_message(session, "observe", detail, recipient, stage);
	session_record_observed(session, outcome, recipient, stage);
}
