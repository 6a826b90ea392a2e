/* The fields of a record as plain values, and back. */
#include "store/redis/store_redis_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/decimal.h"
#include "store/record.h"
#include "store/redis/decay.h"

#define HOSTS 256
#define WHOLE HOSTS /* the network itself stands behind its hosts */

/* ---- From fields */

/* The counters of this generation and of the one before. */
struct sums {
	int64_t good[2];
	int64_t bad[2];
	int64_t paced_at;
	bool is_there;
};

struct decoding {
	const struct store_redis_keys *keys;
	int64_t generation;
	struct store_record *record;
	struct sums sums[HOSTS + 1];
};

static int64_t
time_of(int64_t number)
{
	return greylist_clock_decode(number).first_seen;
}

/* ".c7" -> 0xc7, "" -> WHOLE; -1: neither. */
static int
host_of(const char *text)
{
	char *end;
	unsigned long host;

	if (text[0] == '\0')
		return WHOLE;
	if (text[0] != '.' || strlen(text) != 3 || !ascii_is_hex(text[1]) ||
	    !ascii_is_hex(text[2]))
		return -1;
	host = strtoul(text + 1, &end, 16);
	return (int)host;
}

/* g7d.121 or b7d.121.c7 */
static bool
decode_sum(struct decoding *decoding, const char *field, int64_t number)
{
	size_t life = strlen(decoding->keys->life);
	int64_t generation;
	const char *end;
	int host;

	if ((field[0] != 'g' && field[0] != 'b') ||
	    strncmp(field + 1, decoding->keys->life, life) != 0 ||
	    field[1 + life] != '.')
		return false;
	generation = decimal_scan(field + 2 + life, &end);
	host = host_of(end);
	if (end == field + 2 + life || host < 0 ||
	    generation > decoding->generation ||
	    generation < decoding->generation - 1)
		return false;
	decoding->sums[host].is_there = true;
	(field[0] == 'g'
		? decoding->sums[host].good
		: decoding->sums[host].bad)[decoding->generation - generation] =
	    number;
	return true;
}

static bool
decode_paced(struct decoding *decoding, const char *field, int64_t number)
{
	int host = field[0] == KEYS_PACED ? host_of(field + 1) : -1;

	if (host < 0)
		return false;
	decoding->sums[host].is_there = true;
	decoding->sums[host].paced_at = time_of(number);
	return true;
}

/* "" or ".Qx3k": whose; false: nobody's. */
static bool
decode_address(const char *text, char address_r[TRIPLET_ADDRESS_SIZE])
{
	address_r[0] = '\0';
	if (text[0] == '\0')
		return true;
	if (text[0] != '.' || strlen(text + 1) != TRIPLET_ADDRESS_LENGTH)
		return false;
	memcpy(address_r, text + 1, TRIPLET_ADDRESS_SIZE);
	return true;
}

/* p.Qx3k or u.Qx3k.  False: out of memory. */
static bool
decode_trust(struct decoding *decoding, const char *field, int64_t number)
{
	struct store_record *record = decoding->record;
	char address[TRIPLET_ADDRESS_SIZE];
	struct record_trust *trust = NULL;

	if ((field[0] != KEYS_PASSES && field[0] != KEYS_USED) ||
	    !decode_address(field + 1, address))
		return true;
	for (size_t i = 0; trust == NULL && i < record->trust_count; i++)
		if (strcmp(record->trusts[i].address, address) == 0)
			trust = &record->trusts[i];
	if (trust == NULL)
		trust = record_add_trust(record);
	if (trust == NULL)
		return record->trust_count == RECORD_TRUSTS_MAX;
	memcpy(trust->address, address, sizeof address);
	if (field[0] == KEYS_PASSES)
		trust->passes = number;
	else
		trust->last_used = time_of(number);
	return true;
}

static void
decode_opener(const struct keys_value *value, struct record_opener *opener)
{
	opener->is_known = value->is_known;
	opener->host = value->host;
	opener->sender = value->sender;
	opener->spared = value->spared;
	memcpy(opener->network, value->network, sizeof value->network);
}

/* `name` is the field without its mark.  False: out of memory. */
static bool
decode_clock(struct decoding *decoding, const char *name,
    enum clock_space space, const char *text)
{
	size_t length = strlen(name);
	struct record_clock *clock;
	struct keys_value value;

	keys_get_value(text, &value);
	if (value.clock == 0)
		return true;
	clock = record_add_clock(decoding->record);
	if (clock == NULL)
		return decoding->record->clock_count == RECORD_CLOCKS_MAX;
	clock->space = space;
	clock->at = greylist_clock_decode(value.clock);
	decode_opener(&value, &clock->opener);
	if (name[0] == 'c' && (length == 1 || name[1] == '.'))
		(void)decode_address(name + 1, clock->address);
	else if (length == TRIPLET_LENGTH)
		memcpy(clock->pair, name, TRIPLET_SIZE);
	else {
		memcpy(clock->address, name, TRIPLET_ADDRESS_LENGTH);
		memcpy(
		    clock->pair, name + TRIPLET_ADDRESS_LENGTH, TRIPLET_SIZE);
	}
	return true;
}

static bool
decode_field(struct decoding *decoding, const char *field, const char *text)
{
	enum clock_space space = CLOCK_REAL;
	enum keys_kind kind =
	    keys_kind_of(decoding->keys, field, decoding->generation, &space);
	const char *name = field + (space != CLOCK_REAL);
	int64_t number = decimal_scan(text, NULL);

	if (kind == KEYS_PAIR || kind == KEYS_CLIENT || strcmp(name, "c") == 0)
		return decode_clock(decoding, name, space, text);
	if (decode_sum(decoding, field, number) ||
	    decode_paced(decoding, field, number))
		return true;
	return decode_trust(decoding, field, number);
}

static struct record_points
points_of(
    const struct store_redis_keys *keys, const struct sums *sums, int64_t now)
{
	int64_t half_life = keys->half_life;

	return (struct record_points){
	    decay_value(half_life, now, sums->good[0], sums->good[1]),
	    decay_value(half_life, now, sums->bad[0], sums->bad[1]),
	    sums->paced_at};
}

static bool
decode_points(struct decoding *decoding, int64_t now)
{
	struct store_record *record = decoding->record;

	record->points = points_of(decoding->keys, &decoding->sums[WHOLE], now);
	for (unsigned i = 0; i < HOSTS; i++) {
		struct record_host *host;

		if (!decoding->sums[i].is_there)
			continue;
		host = record_add_host(record);
		if (host == NULL)
			return false;
		host->bucket = i;
		host->points =
		    points_of(decoding->keys, &decoding->sums[i], now);
	}
	return true;
}

/* Who earned a longer life has its record kept for that. */
static bool
is_worthy(const struct store_record *record)
{
	for (size_t i = 0; i < record->trust_count; i++)
		if (record->trusts[i].last_used != 0)
			return true;
	return false;
}

bool
record_decode(const struct redis_store *store,
    const struct redis_request *request, const char *tag, int64_t now,
    struct store_record *record_r)
{
	const struct resp_reply *fields = request->replies[0];
	struct decoding decoding = {.keys = &store->keys,
	    .generation = decay_generation(store->keys.half_life, now),
	    .record = record_r};
	int64_t life = -1;
	bool good = true;

	*record_r = (struct store_record){.has_points = true};
	if (resp_count(fields) == 0 || strlen(tag) >= sizeof record_r->name)
		return false;
	memcpy(record_r->name, tag, strlen(tag) + 1);
	(void)resp_integer(request->replies[1], &life);
	record_r->expires =
	    now + (life >= 0 ? life : store->terms.pending_life);
	for (size_t i = 0; good && i + 1 < resp_count(fields); i += 2) {
		const char *field = resp_string(resp_element(fields, i), NULL);
		const char *text =
		    resp_string(resp_element(fields, i + 1), NULL);

		if (field != NULL && text != NULL)
			good = decode_field(&decoding, field, text);
	}
	good = good && decode_points(&decoding, now);
	record_r->worthy = is_worthy(record_r);
	if (!good)
		record_clear(record_r);
	return good;
}

/* ---- To commands */

struct encoding {
	const struct store_redis_keys *keys;
	int64_t now;
	char key[KEYS_KEY_SIZE];
	struct resp_commands *commands;
};

static void
encode_sum(
    const struct encoding *encoding, char which, uint32_t host, double more)
{
	int64_t half_life = encoding->keys->half_life;
	int64_t weight = decay_weight(half_life, encoding->now, more);
	char field[KEYS_FIELD_SIZE];

	/* what is lost by rounding is no difference */
	if (weight <= 1)
		return;
	keys_sum(encoding->keys, which,
	    decay_generation(half_life, encoding->now), host, field);
	trip_add_number(
	    encoding->commands, "HINCRBY", encoding->key, field, weight);
}

static void
encode_points(const struct encoding *encoding, uint32_t host,
    const struct record_points *before, const struct record_points *after)
{
	char field[KEYS_FIELD_SIZE];

	encode_sum(encoding, 'g', host, after->good - before->good);
	encode_sum(encoding, 'b', host, after->bad - before->bad);
	if (after->paced_at == before->paced_at)
		return;
	keys_host(KEYS_PACED, host, field);
	trip_add_time(
	    encoding->commands, encoding->key, field, after->paced_at);
}

/* Both begin with the same elements, in the same order. */
static void
encode_trust(const struct encoding *encoding, const struct record_trust *before,
    const struct record_trust *after)
{
	const char *address = after->address[0] == '\0' ? NULL : after->address;
	char field[KEYS_FIELD_SIZE];

	if (after->passes != before->passes) {
		keys_trust(KEYS_PASSES, address, field);
		trip_add_number(encoding->commands, "HINCRBY", encoding->key,
		    field, after->passes - before->passes);
	}
	if (after->last_used != before->last_used) {
		keys_trust(KEYS_USED, address, field);
		trip_add_time(
		    encoding->commands, encoding->key, field, after->last_used);
	}
}

static void
encode_clock(const struct encoding *encoding, const struct record_clock *before,
    const struct record_clock *after)
{
	struct keys_value value = {.clock = greylist_clock_encode(&after->at),
	    .host = after->opener.host,
	    .sender = after->opener.sender,
	    .spared = after->opener.spared,
	    .is_known = after->opener.is_known};
	const char *address = after->address[0] == '\0' ? NULL : after->address;
	char field[KEYS_FIELD_SIZE], text[KEYS_VALUE_SIZE];

	if (before != NULL && greylist_clock_encode(&before->at) == value.clock)
		return;
	(void)snprintf(value.network, sizeof value.network, "%.*s",
	    (int)sizeof value.network - 1, after->opener.network);
	keys_clock(after->space, address,
	    after->pair[0] == '\0' ? NULL : after->pair, field);
	keys_put_value(&value, text);
	resp_add(encoding->commands, before == NULL ? "HSETNX" : "HSET",
	    encoding->key, field, text);
}

void
record_encode(const struct store_redis_keys *keys,
    const struct store_record *before, const struct store_record *after,
    int64_t now, struct resp_commands *commands)
{
	static const struct record_points no_points;
	static const struct record_trust no_trust;
	struct encoding encoding = {keys, now, "", commands};

	keys_record(keys, after->name, encoding.key);
	encode_points(&encoding, KEYS_NO_HOST, &before->points, &after->points);
	for (size_t i = 0; i < after->host_count; i++)
		encode_points(&encoding, after->hosts[i].bucket,
		    i < before->host_count ? &before->hosts[i].points
					   : &no_points,
		    &after->hosts[i].points);
	for (size_t i = 0; i < after->trust_count; i++)
		encode_trust(&encoding,
		    i < before->trust_count ? &before->trusts[i] : &no_trust,
		    &after->trusts[i]);
	for (size_t i = 0; i < after->clock_count; i++)
		encode_clock(&encoding,
		    i < before->clock_count ? &before->clocks[i] : NULL,
		    &after->clocks[i]);
	/* Each such life is a little longer than it is said, so one that was read is
	 * not given again: it would grow with each. */
	if (after->expires > now && after->expires > before->expires)
		trip_add_life(commands, encoding.key, after->expires - now);
	else if (after->expires > now)
		trip_add_first_life(
		    commands, encoding.key, after->expires - now);
}
