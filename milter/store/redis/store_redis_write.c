#include "store/redis/store_redis_parts.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/seconds.h"
#include "policy/window.h"
#include "store/redis/decay.h"
#include "store/store.h"

/* ---- What look-ups saw, for what is to be remembered */

uint64_t
seen_who(const char *network, const char *what)
{
	uint64_t sum = hash_64(HASH_64, network, strlen(network) + 1);

	return hash_64(sum, what, strlen(what));
}

static struct seen_place *
place_of(struct seen_table *table, uint64_t who)
{
	return &table->places[(who ^ who >> 32) % SEEN_PLACES];
}

/* What is on its way to Redis may not have been seen there yet. */
void
seen_note(struct seen_table *table, const struct seen_place *seen)
{
	struct seen_place *place = place_of(table, seen->who);
	int64_t paced_at;

	pthread_mutex_lock(&table->mutex);
	paced_at = place->who == seen->who ? place->paced_at : 0;
	*place = *seen;
	if (paced_at > place->paced_at)
		place->paced_at = paced_at;
	pthread_mutex_unlock(&table->mutex);
}

void
seen_forget(struct seen_table *table)
{
	pthread_mutex_lock(&table->mutex);
	memset(table->places, 0, sizeof table->places);
	pthread_mutex_unlock(&table->mutex);
}

/* A message was accepted now: what that earns.  Good points at most once in
 * STORE_ACCEPTED_EVERY, also for sessions that looked at once, else what there is
 * of bad ones. */
struct seen_gain {
	double good;
	double bad_less;
};

static struct seen_gain
seen_accept(struct seen_table *table, uint64_t who, double points, int64_t now)
{
	struct seen_place *place = place_of(table, who);
	struct seen_gain gain = {0, 0};

	pthread_mutex_lock(&table->mutex);
	if (place->who == who) {
		if (place->paced_at == 0 ||
		    seconds_apart(now, place->paced_at) >=
			STORE_ACCEPTED_EVERY) {
			gain.good = points;
			place->paced_at = now;
		} else {
			gain.bad_less =
			    place->bad < points ? place->bad : points;
			place->bad -= gain.bad_less;
		}
	}
	pthread_mutex_unlock(&table->mutex);
	return gain;
}

/* How many passes it lacks; it is given them with this, once. */
static int64_t
seen_lacking(struct seen_table *table, uint64_t who)
{
	struct seen_place *place = place_of(table, who);
	int64_t lacking = 0;

	pthread_mutex_lock(&table->mutex);
	if (place->who == who) {
		lacking = place->lacking;
		place->lacking = 0;
	}
	pthread_mutex_unlock(&table->mutex);
	return lacking;
}

/* So many seconds after its look-up a record may still be taken to be new. */
#define NEW_FOR 1

/* What the record in hand is told. */
struct share {
	bool of_network;
	const char *address; /* whose clocks are there; NULL: the pool's */
	bool is_new;	     /* there was none a moment ago */
};

struct writing {
	struct redis_store *store;
	const struct store_effects *effects;
	int64_t now; /* the effects' own */
	struct triplet_namer namer;
	struct redis_trip trip;
	char address[TRIPLET_ADDRESS_SIZE];
	struct keys_value opener; /* of clocks in the record in hand */
	struct share share;
};

bool
store_redis_place_take(struct redis_trip *trip,
    const struct triplet_namer *namer, const struct store_client *client,
    const struct store_take *take, struct limit_place *place_r)
{
	char name[TRIPLET_SIZE], tag[KEYS_TAG_SIZE];
	bool of_host = take->holder == NULL && take->of_host;

	if (take->holder == NULL) {
		place_r->stop = trip_stop_for(trip, client->network);
	} else {
		if (!triplet_holder(namer, take->holder, name))
			return false;
		keys_holder_tag(name, tag);
		place_r->stop = trip_stop_for(trip, tag);
	}
	place_r->tag = trip->stops[place_r->stop].tag;
	place_r->limit.id = take->id;
	place_r->limit.host = of_host ? client->host : KEYS_NO_HOST;
	return true;
}

void
store_redis_add_units(struct redis_trip *trip, const struct limit_place *place,
    const struct store_take *take, int64_t slot)
{
	struct resp_commands *commands = trip_commands(trip, place->stop);
	char key[KEYS_KEY_SIZE], field[KEYS_FIELD_SIZE];

	keys_window(trip->keys, place->tag, take->period, slot, key);
	keys_units(&place->limit, slot, field);
	resp_begin(commands, 4);
	resp_add_string(commands, "ZINCRBY");
	resp_add_string(commands, key);
	resp_add_integer(commands, take->units);
	resp_add_string(commands, field);
	trip_add_end(commands, key, window_life(take->period) + CLOCK_SLACK);
}

/* True if that can make the key. */
static bool
add_mark(const struct writing *writing, struct resp_commands *commands,
    const char *key, const char *field, enum clock_mark mark)
{
	const struct greylist_clock first = {.first_seen = writing->now};
	const struct greylist_clock passed = {.last_passed = writing->now};
	struct keys_value value = writing->opener;
	char text[KEYS_VALUE_SIZE];

	if (mark == MARK_NONE)
		return false;
	if (mark == MARK_FORGET) {
		if (!writing->share.is_new)
			resp_add(commands, "HDEL", key, field);
		return false;
	}
	value.clock =
	    greylist_clock_encode(mark == MARK_PASSED ? &passed : &first);
	keys_put_value(&value, text);
	if (writing->share.is_new) { /* add_trust() has begun the command */
		resp_add_string(commands, field);
		resp_add_string(commands, text);
	} else {
		resp_add(commands, mark == MARK_FIRST ? "HSETNX" : "HSET", key,
		    field, text);
	}
	return true;
}

static size_t
clocks_in(const enum clock_mark marks[CLOCK_SPACES])
{
	size_t count = 0;

	for (int i = 0; i < CLOCK_SPACES; i++)
		count += marks[i] != MARK_NONE && marks[i] != MARK_FORGET;
	return count;
}

/* All clocks of a new record are set at once.  If another server makes it in the
 * same moment, the later of two equal clocks stands. */
static void
begin_clocks(const struct writing *writing, struct resp_commands *commands,
    const char *key)
{
	const struct store_effects *effects = writing->effects;
	size_t count = clocks_in(effects->client_mark);

	for (size_t i = 0; i < effects->pair_count; i++)
		count += clocks_in(effects->marks[i]);
	if (count == 0)
		return;
	resp_begin(commands, 2 + 2 * count);
	resp_add_string(commands, "HSET");
	resp_add_string(commands, key);
}

/* Nobody needs to be told who started them. */
static bool
add_client_marks(
    struct writing *writing, struct resp_commands *commands, size_t stop)
{
	const char *key = trip_key(&writing->trip, stop);
	char field[KEYS_FIELD_SIZE];
	bool made = false;

	writing->opener.is_known = false;
	for (int i = 0; i < CLOCK_SPACES; i++) {
		keys_clock(
		    (enum clock_space)i, writing->share.address, NULL, field);
		made |= add_mark(writing, commands, key, field,
		    writing->effects->client_mark[i]);
	}
	writing->opener.is_known = true;
	return made;
}

static bool
add_pair_marks(struct writing *writing, struct resp_commands *commands,
    size_t stop, size_t pair)
{
	const struct store_effects *effects = writing->effects;
	const char *key = trip_key(&writing->trip, stop);
	char name[TRIPLET_SIZE], field[KEYS_FIELD_SIZE];
	bool made = false, admitted = true;

	if (!triplet_name(&writing->namer, &effects->pairs[pair], name))
		return false;
	if (pair == 0 ||
	    effects->pairs[pair].sender != effects->pairs[pair - 1].sender)
		writing->opener.sender = triplet_sender(
		    &writing->namer, effects->pairs[pair].sender);
	for (int i = 0; i < CLOCK_SPACES; i++) {
		enum clock_mark mark = effects->marks[pair][i];

		if (mark == MARK_FIRST || mark == MARK_RESTART)
			admitted = writing->share.is_new ||
			    (admitted &&
				sweep_admits(&writing->store->sweeps,
				    writing->trip.stops[stop].tag,
				    effects->client.network,
				    effects->client.host,
				    writing->opener.sender));
		else if (mark == MARK_NONE)
			continue;
		if (!admitted)
			continue;
		keys_clock(
		    (enum clock_space)i, writing->share.address, name, field);
		made |= add_mark(writing, commands, key, field, mark);
	}
	return made;
}

static bool
has_mark(const struct store_effects *effects, size_t pair)
{
	for (int i = 0; i < CLOCK_SPACES; i++)
		if (effects->marks[pair][i] != MARK_NONE)
			return true;
	return false;
}

/* An address that is seen using what its organisation has earned, or all of its
 * network had, keeps that when the DNS fails, or for good. */
static int64_t
new_passes(const struct writing *writing)
{
	const struct store_effects *effects = writing->effects;
	int64_t passes = effects->passes > 0 ? effects->passes : 0;

	if (effects->worthy && writing->share.of_network)
		passes += seen_lacking(&writing->store->seen,
		    seen_who(effects->client.network, writing->address));
	return passes;
}

/* True if that can make the key. */
static bool
add_trust(struct writing *writing, size_t stop)
{
	const struct store_effects *effects = writing->effects;
	struct resp_commands *commands = trip_commands(&writing->trip, stop);
	const char *key = trip_key(&writing->trip, stop);
	int64_t passes = new_passes(writing);
	char field[KEYS_FIELD_SIZE];
	bool made;

	if (writing->share.is_new)
		begin_clocks(writing, commands, key);
	made = add_client_marks(writing, commands, stop);
	for (size_t i = 0; i < effects->pair_count; i++)
		if (has_mark(effects, i))
			made |= add_pair_marks(writing, commands, stop, i);
	if (passes > 0) {
		keys_trust(KEYS_PASSES, writing->share.address, field);
		trip_add_number(commands, "HINCRBY", key, field, passes);
	}
	if (effects->worthy) {
		keys_trust(KEYS_USED, writing->share.address, field);
		trip_add_time(commands, key, field, writing->now);
	}
	return made || passes > 0 || effects->worthy;
}

/* Points, when and to whom. */
struct sum {
	char which; /* 'g' or 'b' */
	double points;
	int64_t now;
	uint32_t host;
};

/* Points below 0 are taken back. */
static void
add_points(const struct redis_store *store, struct resp_commands *commands,
    const char *key, const struct sum *sum)
{
	int64_t half_life = store->terms.half_life;
	double points = sum->points < 0 ? -sum->points : sum->points;
	int64_t weight = decay_weight(half_life, sum->now, points);
	char field[KEYS_FIELD_SIZE];

	if (weight == 0)
		return;
	keys_sum(&store->keys, sum->which,
	    decay_generation(half_life, sum->now), sum->host, field);
	trip_add_number(commands, "HINCRBY", key, field,
	    sum->points < 0 ? -weight : weight);
}

/* Of the network or of a host; true if that can make the key. */
static bool
add_sums(struct writing *writing, size_t stop, uint32_t host)
{
	const struct store_effects *effects = writing->effects;
	struct resp_commands *commands = trip_commands(&writing->trip, stop);
	const char *key = trip_key(&writing->trip, stop);
	struct sum good = {
	    'g', effects->good > 0 ? effects->good : 0, writing->now, host};
	struct sum bad = {
	    'b', effects->bad > 0 ? effects->bad : 0, writing->now, host};
	char field[KEYS_FIELD_SIZE];
	struct seen_gain gain = {0, 0};

	keys_host(KEYS_PACED, host, field);
	if (effects->accepted > 0)
		gain = seen_accept(&writing->store->seen,
		    seen_who(effects->client.network,
			host == KEYS_NO_HOST ? "" : field),
		    effects->accepted, writing->now);
	if (gain.good > 0)
		trip_add_time(commands, key, field, writing->now);
	good.points += gain.good;
	bad.points -= gain.bad_less;
	add_points(writing->store, commands, key, &good);
	add_points(writing->store, commands, key, &bad);
	return good.points > 0 || bad.points < 0 || bad.points > 0;
}

static void
add_life(struct writing *writing, size_t stop)
{
	const struct store_terms *terms = &writing->store->terms;
	struct resp_commands *commands = trip_commands(&writing->trip, stop);
	const char *key = trip_key(&writing->trip, stop);

	if (writing->effects->worthy)
		trip_add_life(commands, key, terms->worthy_life);
	else if (writing->share.is_new)
		trip_add_first_life(commands, key, terms->pending_life);
	else
		trip_add_life(commands, key, terms->pending_life);
}

static bool
has_any(const struct store_effects *effects, struct share share)
{
	if (effects->worthy || effects->passes > 0 || store_has_marks(effects))
		return true;
	return share.of_network &&
	    (effects->good > 0 || effects->bad > 0 || effects->accepted > 0);
}

static void
add_record(struct writing *writing, const char *tag, struct share share)
{
	const struct store_effects *effects = writing->effects;
	struct resp_commands *commands;
	bool made = effects->worthy;
	size_t stop, length, count;

	if (!has_any(effects, share))
		return;
	writing->share = share;
	stop = trip_stop_for(&writing->trip, tag);
	commands = trip_commands(&writing->trip, stop);
	length = commands->length;
	count = commands->count;
	trip_begin_whole(commands);
	made |= add_trust(writing, stop);
	if (share.of_network) {
		made |= add_sums(writing, stop, KEYS_NO_HOST);
		made |= add_sums(writing, stop, effects->client.host);
	}
	if (made)
		add_life(writing, stop);
	trip_end_whole(commands);
	if (commands->count == count + 2) { /* nothing came between */
		commands->length = length;
		commands->count = count;
	}
}

/* A pool's clocks tell the network of who started them, and those of the network
 * that there are others. */
static void
add_records(struct writing *writing)
{
	const struct store_client *client = &writing->effects->client;
	bool is_pooled = client->pool != NULL && client->pool[0] != '\0';
	bool is_fresh = redis_clock_now(&writing->store->clock) <=
	    writing->effects->now + NEW_FOR;
	const struct share network = {
	    true, writing->address, is_fresh && writing->effects->is_new};
	const struct share pool = {
	    false, NULL, is_fresh && writing->effects->pool_is_new};

	writing->opener.host = client->host;
	writing->opener.spared = is_pooled;
	add_record(writing, client->network, network);
	if (!is_pooled)
		return;
	writing->opener.spared = false;
	snprintf(writing->opener.network, sizeof writing->opener.network, "%s",
	    client->network);
	add_record(writing, client->pool, pool);
}

/* Where the key or the count is gone, there is nothing to give back to: XX
 * makes neither anew, so that no life has to be seen to. */
static void
give_back(struct redis_trip *trip, const struct limit_place *place,
    const struct store_take *take)
{
	struct resp_commands *commands = trip_commands(trip, place->stop);
	int64_t slot = window_slot(take->at, take->period);
	char key[KEYS_KEY_SIZE], field[KEYS_FIELD_SIZE];

	keys_window(trip->keys, place->tag, take->period, slot, key);
	keys_units(&place->limit, slot, field);
	resp_begin(commands, 6);
	resp_add_string(commands, "ZADD");
	resp_add_string(commands, key);
	resp_add_string(commands, "XX");
	resp_add_string(commands, "INCR");
	resp_add_integer(commands, -take->units);
	resp_add_string(commands, field);
}

/* What is given back goes to the slot from which it was taken; what is added
 * without asking, to that of now. */
static bool
add_returned(struct writing *writing, const struct store_take *returned)
{
	int64_t now = redis_clock_now(&writing->store->clock);
	struct store_take added = *returned;
	struct resp_commands *commands;
	struct limit_place place;

	if (!store_redis_place_take(&writing->trip, &writing->namer,
		&writing->effects->client, returned, &place))
		return false;
	if (returned->units > 0) {
		give_back(&writing->trip, &place, returned);
		return true;
	}
	added.units = -returned->units;
	commands = trip_commands(&writing->trip, place.stop);
	trip_begin_whole(commands);
	store_redis_add_units(
	    &writing->trip, &place, &added, window_slot(now, added.period));
	trip_end_whole(commands);
	return true;
}

/* The time of a decision may lie behind ours, but not ahead: an event in the
 * future would outweigh all others for as long as it lies there. */
static int64_t
sane_time(const struct redis_store *store, int64_t now)
{
	int64_t ours = redis_clock_now(&store->clock);

	return now < ours ? now : ours;
}

/* Stops without commands are left out. */
static bool
tell(struct writing *writing)
{
	const struct redis_trip *trip = &writing->trip;
	struct redis_request busy[TRIP_STOPS];
	size_t count = 0;

	for (size_t i = 0; i < trip->count; i++)
		if (trip->requests[i].commands.count > 0)
			busy[count++] = trip->requests[i];
	if (trip->failed)
		return false;
	return count == 0 || redis_tell(writing->store->redis, busy, count);
}

enum store_result
store_redis_remember(struct store *store, const struct store_effects *effects)
{
	struct writing writing = {.store = (struct redis_store *)store};
	bool told = true;

	writing.effects = effects;
	if (!redis_clock_is_known(&writing.store->clock) ||
	    !redis_secret_read(&writing.store->secret, &writing.namer) ||
	    !triplet_address(&writing.namer, &effects->client, writing.address))
		return STORE_DOWN;
	writing.now = sane_time(writing.store, effects->now);
	trip_init(&writing.trip, &writing.store->keys);
	add_records(&writing);
	for (size_t i = 0; i < effects->returned_count; i++)
		told = told && add_returned(&writing, &effects->returned[i]);
	told = tell(&writing) && told;
	trip_free(&writing.trip);
	return told ? STORE_OK : STORE_DOWN;
}
