#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mail/glob.h"
#include "session/session_parts.h"

void
session_forget_message(struct session *session)
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
			long long size = strtoll(*arguments + 5, NULL, 10);

			return size > 0 ? size : 0;
		}
	return 0;
}

void
session_set_sender(
    struct session *session, const struct session_envelope *envelope)
{
	struct facts *facts = &session->message.facts;

	mailaddr_parse(envelope->sender, &session->sender);
	mailaddr_normalise_sender(&session->sender, &session->sender_normal);
	facts->sender = session->sender.text;
	facts->sender_domain = mailaddr_domain(&session->sender);
	facts->null_sender = mailaddr_is_null(&session->sender);
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

/* Distinct domains of the recipients that are still in. */
static int64_t
count_domains(const struct facts *facts)
{
	int64_t count = 0;

	for (size_t i = 0; i < facts->recipient_count; i++) {
		bool again = false;

		for (size_t j = 0; j < i && !again; j++)
			again = strcmp(facts->recipients[i].domain,
				    facts->recipients[j].domain) == 0;
		if (!again)
			count++;
	}
	return count;
}

bool
session_add_recipient(struct session *session, const char *raw)
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
	facts->recipient_domains = count_domains(facts);
	return true;
}

void
session_drop_recipient(struct session *session)
{
	struct message *message = &session->message;
	struct facts *facts = &message->facts;
	size_t last = --facts->recipient_count;

	facts->recipients_seen--;
	free((char *)message->recipients[last].address);
	free((char *)message->pairs[last].recipient);
	if (message->pairs_asked > last)
		message->pairs_asked = last;
	facts->recipient_domains = count_domains(facts);
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
matches(const struct header *header, const char *pattern)
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

bool
session_header_matches(const struct session *session, char *const *patterns)
{
	const struct facts *facts = &session->message.facts;

	for (; *patterns != NULL; patterns++)
		for (size_t i = 0; i < facts->header_count; i++)
			if (matches(&session->headers[i], *patterns))
				return true;
	return false;
}
