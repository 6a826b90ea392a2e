#include <string.h>
#include <strings.h>

#include "base/decimal.h"
#include "base/hash.h"
#include "session/session_parts.h"

static void
copy_text(char *out_r, size_t size, const char *text)
{
	size_t length = text == NULL ? 0 : strnlen(text, size - 1);

	if (length > 0)
		memcpy(out_r, text, length);
	out_r[length] = '\0';
}

/* Only a name that resolves back to the address counts; the MTA gives "[addr]"
 * for all others, and tells apart "none" from "the DNS failed for now". */
static void
set_name(struct session *session, const struct session_origin *origin)
{
	struct facts *facts = &session->message.facts;
	const char *resolve = origin->resolve;
	bool failed = resolve != NULL && strcasecmp(resolve, "TEMP") == 0;
	bool verified = resolve == NULL || strcasecmp(resolve, "OK") == 0;

	facts->name_certainty = failed ? FACT_UNKNOWN : FACT_KNOWN;
	facts->name = session->name;
	session->name[0] = '\0';
	if (failed || !verified || origin->hostname == NULL ||
	    origin->hostname[0] == '[' ||
	    strcasecmp(origin->hostname, "unknown") == 0)
		return;
	if (!hostname_clean(
		origin->hostname, session->name, sizeof session->name))
		session->name[0] = '\0';
}

/* The same on every host and for ever, as a share must be. */
static unsigned
share_of(const char *network)
{
	uint32_t hash = hash_32(HASH_32, network, strlen(network));

	return (hash ^ hash >> 16) % 10000;
}

static void
set_network(struct session *session)
{
	struct message *message = &session->message;
	const struct netaddr *client = &message->facts.client;

	store_name_network(
	    &message->policy->settings, client, message->network);
	netaddr_format(client, message->address);
	message->host = netaddr_host_bucket(client);
	message->facts.share = share_of(message->network);
}

/* The organisation whose pool it is, NULL if none.  Where the DNS fails, what it
 * was before. */
static const char *
find_pool(struct session *session, char organisation[HOSTNAME_SIZE])
{
	struct facts *facts = &session->message.facts;
	struct shared *shared = session->message.shared;
	bool found;

	facts->name_class = HOSTNAME_NONE;
	if (facts->name_certainty == FACT_UNKNOWN)
		return client_names_recall(shared->client_names, &facts->client,
			   facts->now, organisation)
		    ? organisation
		    : NULL;
	found = facts->name[0] != '\0' &&
	    hostname_organisation(facts->name, shared->psl, organisation);
	if (facts->name[0] != '\0')
		facts->name_class = hostname_classify(
		    facts->name, &facts->client, found ? organisation : NULL);
	found = found && facts->name_class == HOSTNAME_OWN;
	client_names_note(shared->client_names, &facts->client,
	    found ? organisation : NULL, facts->now);
	return found ? organisation : NULL;
}

static void
set_pool(struct session *session)
{
	struct message *message = &session->message;
	char organisation[HOSTNAME_SIZE];
	const char *pool = find_pool(session, organisation);

	if (message->policy->settings.identity != IDENTITY_POOL)
		pool = NULL;
	copy_text(message->pool, sizeof message->pool, pool);
	store_name_family(&message->policy->settings, &message->facts.client,
	    message->pool, sizeof message->family, message->family);
}

void
session_identify(struct session *session, const struct session_origin *origin)
{
	struct facts *facts = &session->message.facts;
	const char *server = session->message.policy->settings.server_name;

	copy_text(session->daemon_name, sizeof session->daemon_name,
	    origin->daemon_name);
	copy_text(session->server, sizeof session->server,
	    server[0] != '\0' ? server : origin->server);
	copy_text(session->server_address, sizeof session->server_address,
	    origin->server_address);
	session->message.server = session->server;
	facts->daemon_name = session->daemon_name;
	facts->daemon_port = origin->daemon_port == NULL
	    ? 0
	    : decimal_scan(origin->daemon_port, NULL);
	/* A client without an IP address is a program on this host. */
	if (!netaddr_from_sockaddr(origin->address, &facts->client))
		(void)netaddr_parse("127.0.0.1", &facts->client);
	set_name(session, origin);
	set_network(session);
	set_pool(session);
}

void
session_helo(struct session *session, const char *helo)
{
	struct facts *facts = &session->message.facts;
	struct netaddr ours;
	bool have_ours = netaddr_parse(session->server_address, &ours);

	session_debug_step(session, "helo", helo);
	copy_text(session->helo, sizeof session->helo, helo);
	facts->helo = session->helo;
	facts->helo_certainty = FACT_KNOWN;
	/* Judged whole: what was cut here is too long for a name anyway. */
	facts->helo_malformed = hostname_is_malformed_helo(helo);
	facts->helo_ours = hostname_helo_is_ours(
	    helo, session->server, have_ours ? &ours : NULL);
	facts->helo_fits = hostname_helo_fits(
	    helo, session->name, session->message.shared->psl);
	evidence_ask(&session->message.evidence, EVIDENCE_HELO);
}
