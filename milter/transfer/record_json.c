#include "transfer/record_json.h"

#include <math.h>
#include <string.h>

#include "base/ascii.h"
#include "mail/mailaddr.h"

#define TIME_MAX   INT64_C(253402300799) /* the end of 9999 */
#define COUNT_MAX  INT64_C(1000000000)
#define POINTS_MAX 1e12
#define PASSES_MAX 1000000 /* of a client elsewhere */

static const char *const space_names[CLOCK_SPACES] = {
    "real", "observed", "deferred"};

/* ---- Rows: members that are the same there and here */

enum row_kind {
	ROW_REAL,   /* double, 0 or more; said if more than 0 */
	ROW_NUMBER, /* int64_t, 0 to `most`; said if not 0 */
	ROW_SMALL,  /* unsigned, the same */
	ROW_BUCKET, /* unsigned, 0 to `most`; always said */
	ROW_NAME    /* `most` characters of base64url; or "" and not said */
};

struct row {
	const char *key;
	enum row_kind kind;
	size_t at; /* in the struct */
	int64_t most;
};

static const struct row points_rows[] = {
    {"good", ROW_REAL, offsetof(struct record_points, good), 0},
    {"bad", ROW_REAL, offsetof(struct record_points, bad), 0},
    {"paced", ROW_NUMBER, offsetof(struct record_points, paced_at), TIME_MAX},
    {NULL, ROW_REAL, 0, 0}};
static const struct row host_rows[] = {
    {"host", ROW_BUCKET, offsetof(struct record_host, bucket), 255},
    {NULL, ROW_REAL, 0, 0}};
static const struct row trust_rows[] = {
    {"address", ROW_NAME, offsetof(struct record_trust, address),
	TRIPLET_ADDRESS_LENGTH},
    {"passes", ROW_NUMBER, offsetof(struct record_trust, passes), COUNT_MAX},
    {"used", ROW_NUMBER, offsetof(struct record_trust, last_used), TIME_MAX},
    {NULL, ROW_REAL, 0, 0}};
static const struct row clock_rows[] = {
    {"pair", ROW_NAME, offsetof(struct record_clock, pair), TRIPLET_LENGTH},
    {"address", ROW_NAME, offsetof(struct record_clock, address),
	TRIPLET_ADDRESS_LENGTH},
    {NULL, ROW_REAL, 0, 0}};
static const struct row at_rows[] = {
    {"first", ROW_NUMBER, offsetof(struct greylist_clock, first_seen),
	TIME_MAX},
    {"passed", ROW_NUMBER, offsetof(struct greylist_clock, last_passed),
	TIME_MAX},
    {NULL, ROW_REAL, 0, 0}};
static const struct row opener_rows[] = {
    {"host", ROW_BUCKET, offsetof(struct record_opener, host), 255},
    {"sender", ROW_SMALL, offsetof(struct record_opener, sender),
	TRIPLET_SENDERS - 1},
    {NULL, ROW_REAL, 0, 0}};

/* ---- To JSON */

static void
put(json_t *object, const char *key, json_t *value)
{
	(void)json_object_set_new(object, key, value);
}

static void
put_text(json_t *object, const char *key, const char *text)
{
	if (text[0] != '\0')
		put(object, key, json_string(text));
}

/* Nothing is said of what is 0. */
static void
put_number(json_t *object, const char *key, int64_t number)
{
	if (number != 0)
		put(object, key, json_integer((json_int_t)number));
}

static void
put_rows(json_t *object, const struct row *rows, const void *from)
{
	for (const struct row *row = rows; row->key != NULL; row++) {
		const void *member = (const char *)from + row->at;

		switch (row->kind) {
		case ROW_REAL:
			if (*(const double *)member > 0)
				put(object, row->key,
				    json_real(*(const double *)member));
			break;
		case ROW_NUMBER:
			put_number(object, row->key, *(const int64_t *)member);
			break;
		case ROW_SMALL:
			put_number(object, row->key, *(const unsigned *)member);
			break;
		case ROW_BUCKET:
			put(object, row->key,
			    json_integer(*(const unsigned *)member));
			break;
		case ROW_NAME:
			put_text(object, row->key, member);
			break;
		}
	}
}

static json_t *
hosts_to_json(const struct store_record *record)
{
	json_t *hosts = json_array();

	for (size_t i = 0; i < record->host_count; i++) {
		json_t *host = json_object();

		put_rows(host, host_rows, &record->hosts[i]);
		put_rows(host, points_rows, &record->hosts[i].points);
		(void)json_array_append_new(hosts, host);
	}
	return hosts;
}

static json_t *
trusts_to_json(const struct store_record *record)
{
	json_t *trusts = json_array();

	for (size_t i = 0; i < record->trust_count; i++) {
		json_t *trust = json_object();

		put_rows(trust, trust_rows, &record->trusts[i]);
		(void)json_array_append_new(trusts, trust);
	}
	return trusts;
}

static json_t *
clock_to_json(const struct record_clock *clock)
{
	json_t *object = json_object();

	put_rows(object, clock_rows, clock);
	if (clock->space != CLOCK_REAL)
		put_text(object, "space", space_names[clock->space]);
	put_rows(object, at_rows, &clock->at);
	if (!clock->opener.is_known)
		return object;
	put_text(object, "network", clock->opener.network);
	put_rows(object, opener_rows, &clock->opener);
	if (clock->opener.spared)
		put(object, "spared", json_true());
	return object;
}

json_t *
record_to_json(const struct store_record *record, size_t first)
{
	json_t *object = json_object(), *clocks = json_array();

	put_text(object, "kind", "record");
	put_text(object, "client", record->name);
	put_number(object, "expires", record->expires);
	put(object, "known", json_boolean(record->worthy));
	if (first == 0 && record->has_points) {
		put(object, "points", json_true());
		put_rows(object, points_rows, &record->points);
		if (record->host_count > 0)
			put(object, "hosts", hosts_to_json(record));
	}
	if (first == 0 && record->trust_count > 0)
		put(object, "trust", trusts_to_json(record));
	for (size_t i = first;
	     i < record->clock_count && i - first < RECORD_JSON_CLOCKS; i++)
		(void)json_array_append_new(
		    clocks, clock_to_json(&record->clocks[i]));
	if (json_array_size(clocks) > 0)
		put(object, "clocks", clocks);
	else
		json_decref(clocks);
	return object;
}

/* ---- From JSON */

/* A whole number from 0 to `most`, 0 where there is none.  False: it is something
 * else. */
static bool
get_number(
    const json_t *object, const char *key, int64_t most, int64_t *number_r)
{
	const json_t *value = json_object_get(object, key);

	*number_r = value == NULL ? 0 : (int64_t)json_integer_value(value);
	return (value == NULL || json_is_integer(value)) && *number_r >= 0 &&
	    *number_r <= most;
}

static bool
get_real(const json_t *object, const char *key, double *real_r)
{
	const json_t *value = json_object_get(object, key);

	*real_r = value == NULL ? 0 : json_number_value(value);
	return (value == NULL || json_is_number(value)) && isfinite(*real_r) &&
	    *real_r >= 0 && *real_r <= POINTS_MAX;
}

/* A name of so many characters of base64url, or none. */
static bool
get_name(const json_t *object, const char *key, size_t length, char *name_r)
{
	const json_t *value = json_object_get(object, key);
	const char *text = json_string_value(value);

	name_r[0] = '\0';
	if (value == NULL)
		return true;
	if (text == NULL || strlen(text) != length)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!ascii_is_alnum(text[i]) && text[i] != '-' &&
		    text[i] != '_')
			return false;
	memcpy(name_r, text, length + 1);
	return true;
}

static bool
get_record_name(
    const json_t *object, const char *key, char name_r[STORE_POOL_MAX])
{
	const char *text = json_string_value(json_object_get(object, key));

	if (text == NULL || strlen(text) >= STORE_POOL_MAX ||
	    !record_name_is_good(text))
		return false;
	memcpy(name_r, text, strlen(text) + 1);
	return true;
}

static bool
get_row(const json_t *object, const struct row *row, void *member)
{
	int64_t number;

	switch (row->kind) {
	case ROW_REAL:
		return get_real(object, row->key, member);
	case ROW_NUMBER:
		return get_number(object, row->key, row->most, member);
	case ROW_SMALL:
	case ROW_BUCKET:
		if (!get_number(object, row->key, row->most, &number))
			return false;
		*(unsigned *)member = (unsigned)number;
		return true;
	case ROW_NAME:
		break;
	}
	return get_name(object, row->key, (size_t)row->most, member);
}

static bool
get_rows(const json_t *object, const struct row *rows, void *to)
{
	for (const struct row *row = rows; row->key != NULL; row++)
		if (!get_row(object, row, (char *)to + row->at))
			return false;
	return true;
}

static bool
get_hosts(const json_t *object, struct store_record *record)
{
	const json_t *hosts = json_object_get(object, "hosts"), *host;
	size_t i;

	json_array_foreach(hosts, i, host)
	{
		struct record_host *added = record_add_host(record);

		if (added == NULL || !get_rows(host, host_rows, added) ||
		    !get_rows(host, points_rows, &added->points))
			return false;
	}
	return hosts == NULL || json_is_array(hosts);
}

static bool
get_trusts(const json_t *object, struct store_record *record)
{
	const json_t *trusts = json_object_get(object, "trust"), *trust;
	size_t i;

	json_array_foreach(trusts, i, trust)
	{
		struct record_trust *added = record_add_trust(record);

		if (added == NULL || !get_rows(trust, trust_rows, added))
			return false;
	}
	return trusts == NULL || json_is_array(trusts);
}

static bool
get_space(const json_t *object, enum clock_space *space_r)
{
	const json_t *value = json_object_get(object, "space");

	*space_r = CLOCK_REAL;
	if (value == NULL)
		return true;
	for (int i = 0; json_is_string(value) && i < CLOCK_SPACES; i++)
		if (strcmp(json_string_value(value), space_names[i]) == 0) {
			*space_r = (enum clock_space)i;
			return true;
		}
	return false;
}

static bool
get_opener(const json_t *object, struct record_opener *opener_r)
{
	opener_r->is_known = json_object_get(object, "host") != NULL;
	opener_r->spared = json_is_true(json_object_get(object, "spared"));
	if (json_object_get(object, "network") != NULL &&
	    !get_record_name(object, "network", opener_r->network))
		return false;
	return get_rows(object, opener_rows, opener_r);
}

static bool
get_clocks(const json_t *object, struct store_record *record)
{
	const json_t *clocks = json_object_get(object, "clocks"), *clock;
	size_t i;

	json_array_foreach(clocks, i, clock)
	{
		struct record_clock *added = record_add_clock(record);

		if (added == NULL || !get_rows(clock, clock_rows, added) ||
		    !get_space(clock, &added->space) ||
		    !get_rows(clock, at_rows, &added->at) ||
		    (added->at.first_seen == 0) ==
			(added->at.last_passed == 0) ||
		    !get_opener(clock, &added->opener))
			return false;
	}
	return clocks == NULL || json_is_array(clocks);
}

const char *
record_from_json(const json_t *object, struct store_record *record_r)
{
	*record_r = (struct store_record){0};
	if (!get_record_name(object, "client", record_r->name))
		return "\"client\" is no network and no domain";
	if (!get_number(object, "expires", TIME_MAX, &record_r->expires))
		return "\"expires\" is no time";
	record_r->worthy = json_is_true(json_object_get(object, "known"));
	record_r->has_points = json_is_true(json_object_get(object, "points"));
	if (!get_rows(object, points_rows, &record_r->points) ||
	    !get_hosts(object, record_r))
		return "its points are none";
	if (!get_trusts(object, record_r))
		return "its \"trust\" is none";
	return get_clocks(object, record_r) ? NULL : "its \"clocks\" are none";
}

/* ---- What another program knew of a client */

/* Whose what is known is. */
struct who {
	char network[STORE_NETWORK_SIZE];
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
	const json_t *pairs = json_object_get(object, "pairs");
	struct making making = {.terms = terms, .object = object, .who = who};
	const char *wrong = NULL;

	memcpy(making.record.name, who->network, sizeof who->network);
	making.record.expires = INT64_MAX; /* as long as its kind lives */
	if (!add_trust(&making))
		wrong = "out of memory";
	for (size_t i = 0; wrong == NULL && i < json_array_size(pairs); i++)
		if (!add_pair(&making, json_array_get(pairs, i)))
			wrong = "one of \"pairs\" has no sender, recipient "
				"or time";
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

	store_name_network(terms->settings, address, who.network);
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

		store_name_network(settings, &address, who.network);
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
