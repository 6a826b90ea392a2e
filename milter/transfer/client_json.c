/* What another program knew of a client, as records: see record_json.h. */
#include "transfer/record_json.h"

#include <string.h>

#include "mail/mailaddr.h"
#include "policy/identity.h"

#define PASSES_MAX 1000000

/* Whose what is known is. */
struct who {
	char network[IDENTITY_NETWORK_SIZE];
	char address[TRIPLET_ADDRESS_SIZE]; /* "": all of the network */
	unsigned host;
};

struct making {
	const struct client_json *terms;
	const json_t *object;
	const struct who *who;
	struct store_record record;
};

static int64_t
time_of(const json_t *object, const char *key)
{
	return (int64_t)json_integer_value(json_object_get(object, key));
}

/* As a session makes it. */
static bool
name_pair(
    const struct making *making, const json_t *pair, struct record_clock *clock)
{
	const char *sender = json_string_value(json_object_get(pair, "sender"));
	const char *recipient =
	    json_string_value(json_object_get(pair, "recipient"));
	const struct triplet_namer *namer = making->terms->namer;
	struct mailaddr address, from, to;
	struct store_pair named = {from.text, to.text, NULL};

	if (sender == NULL || recipient == NULL)
		return false;
	mailaddr_parse(sender, &address);
	mailaddr_normalise_sender(&address, &from);
	mailaddr_parse(recipient, &address);
	mailaddr_normalise_recipient(&address, &to);
	clock->opener.sender = triplet_sender(namer, from.text);
	return triplet_name(namer, &named, clock->pair);
}

static bool
add_pair(struct making *making, const json_t *pair)
{
	struct record_clock *clock = record_add_clock(&making->record);

	if (clock == NULL || !name_pair(making, pair, clock))
		return false;
	memcpy(clock->address, making->who->address, sizeof clock->address);
	clock->opener.host = making->who->host;
	clock->opener.is_known = clock->address[0] != '\0';
	clock->opener.spared = true; /* what it did elsewhere costs nothing */
	clock->at.first_seen = time_of(pair, "first");
	clock->at.last_passed = time_of(pair, "passed");
	if (clock->at.last_passed > 0) {
		making->record.worthy = true;
		clock->at.first_seen = 0;
	}
	return clock->at.first_seen > 0 || clock->at.last_passed > 0;
}

/* Who was known is known. */
static bool
add_trust(struct making *making)
{
	const struct settings *settings = making->terms->settings;
	bool known = json_is_true(json_object_get(making->object, "known"));
	int64_t passes = time_of(making->object, "passes");
	struct record_trust *trust;

	if (known && passes < settings->known_after)
		passes = settings->known_after;
	if (passes <= 0)
		return true;
	if (passes > PASSES_MAX)
		passes = PASSES_MAX;
	trust = record_add_trust(&making->record);
	if (trust == NULL)
		return false;
	memcpy(trust->address, making->who->address, sizeof trust->address);
	trust->passes = passes;
	trust->last_used = time_of(making->object, "used");
	if (trust->last_used <= 0 || trust->last_used > making->terms->now)
		trust->last_used = making->terms->now;
	making->record.worthy = true;
	return true;
}

static const char *
make(const struct client_json *terms, const json_t *object,
    const struct who *who)
{
	const json_t *pairs = json_object_get(object, "pairs"), *pair;
	struct making making = {.terms = terms, .object = object, .who = who};
	const char *wrong = NULL;
	size_t i;

	memcpy(making.record.name, who->network, sizeof who->network);
	making.record.expires = INT64_MAX; /* as long as its kind lives */
	if (!add_trust(&making))
		wrong = "out of memory";
	json_array_foreach(pairs, i,
	    pair) if (wrong == NULL && !add_pair(&making, pair)) wrong =
	    "one of \"pairs\" has no sender, recipient or time";
	if (wrong == NULL && making.record.trust_count == 0 &&
	    making.record.clock_count == 0)
		wrong = "nothing is known of it";
	if (wrong == NULL)
		terms->each(terms->arg, &making.record);
	record_clear(&making.record);
	return wrong;
}

static const char *
make_address(const struct client_json *terms, const json_t *object,
    const struct netaddr *address)
{
	char text[NETADDR_TEXT_SIZE];
	struct who who = {.host = netaddr_host_bucket(address)};
	struct store_client client = {.network = who.network, .address = text};

	identity_network(terms->settings, address, who.network);
	netaddr_format(address, text);
	if (terms->settings->identity == IDENTITY_NETWORK)
		client.address = NULL;
	if (!triplet_address(terms->namer, &client, who.address))
		return "out of memory";
	return make(terms, object, &who);
}

static void
next_network(struct netaddr *address, unsigned bits)
{
	unsigned octet = (bits - 1) / 8;
	unsigned step = 1u << (7 - (bits - 1) % 8);

	for (;;) {
		unsigned sum = address->octets[octet] + step;

		address->octets[octet] = (unsigned char)sum;
		if (sum < 256 || octet == 0)
			return;
		octet--;
		step = 1;
	}
}

/* Cut into networks as they are remembered by these settings. */
static const char *
make_network(const struct client_json *terms, const json_t *object,
    const struct network *network)
{
	const struct settings *settings = terms->settings;
	unsigned whole = 8u * network->base.length;
	unsigned bits = settings->identity == IDENTITY_ADDRESS ? whole
	    : network->base.length == 4 ? (unsigned)settings->network_ipv4
					: (unsigned)settings->network_ipv6;
	struct netaddr address = network->base;
	const char *wrong = NULL;

	if (network->bits == whole)
		return make_address(terms, object, &address);
	if (network->bits > bits)
		return "it is narrower than the networks that are remembered";
	if (bits - network->bits > 8)
		return "it is far wider than the networks that are remembered";
	for (unsigned i = 0; wrong == NULL && i < 1u << (bits - network->bits);
	     i++) {
		struct who who = {.host = 0};

		identity_network(settings, &address, who.network);
		wrong = make(terms, object, &who);
		next_network(&address, bits);
	}
	return wrong;
}

const char *
client_from_json(const struct client_json *terms, const json_t *object)
{
	const char *text = json_string_value(json_object_get(object, "client"));
	char why[NETWORK_WHY_SIZE];
	struct network network;

	if (text == NULL || !network_parse(text, &network, why))
		return "\"client\" is no address and no network";
	return make_network(terms, object, &network);
}
