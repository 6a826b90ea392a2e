#include "store/redis/store_redis_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/seconds.h"
#include "policy/window.h"
#include "store/redis/decay.h"

/* In which a sum is kept: that of now, and the one before. */
#define GENERATIONS 2
/* KEYS_SWEPT and KEYS_OTHERS come first in what is asked of a record. */
#define SWEEP_FIELDS 2

/* Slots that lie in one key, and so are read by one command. */
struct slots {
	int64_t last;
	int64_t first; /* after the last: none */
};

/* What is read of a limit, and where the answers stand. */
struct counting {
	size_t stop;
	size_t position; /* of the first command */
	bool adds;
	bool is_distinct;
	int64_t newest;	     /* slot that counts */
	struct slots with;   /* that of now */
	struct slots beside; /* in the key before, or after */
};

/* What one record tells of clocks and trust; of each space the client's clock
 * first, then those of the pairs. */
struct clocks_read {
	int64_t passes;
	int64_t last_used;
	int64_t clocks[CLOCK_SPACES][1 + RECIPIENTS_MAX];
};

struct look_up {
	struct redis_store *store;
	const struct store_query *query;
	int64_t now;   /* by our reckoning */
	int64_t asked; /* of the steady clock */
	struct triplet_namer namer;
	char address[TRIPLET_ADDRESS_SIZE];
	char of_organisation[TRIPLET_ADDRESS_SIZE];
	char pairs[RECIPIENTS_MAX][TRIPLET_SIZE];
	bool asks_time;	     /* before all else */
	int generations;     /* of sums that are asked for */
	size_t network;	     /* stops */
	size_t pool;	     /* the network's if there is none */
	size_t organisation; /* likewise */
	struct clocks_read network_clocks;
	struct clocks_read pool_clocks;
	/* What a network's record tells of all its addresses, as another program
	 * knew it (record.h): of pairs, in CLOCK_REAL. */
	struct clocks_read wide;
	struct counting countings[STORE_TAKES_MAX];
	struct redis_trip trip; /* last: the rest is cleared */
};

static size_t
count_spaces(const struct store_query *query)
{
	size_t count = 0;

	for (int space = 0; space < CLOCK_SPACES; space++)
		count += query->spaces[space];
	return count;
}

/* Of a tag or of one host. */
static void
ask_sums(struct look_up *look_up, struct resp_commands *commands, uint32_t host)
{
	int64_t generation =
	    decay_generation(look_up->store->terms.half_life, look_up->now);
	char field[KEYS_FIELD_SIZE];

	for (int i = 0; i < 2 * look_up->generations; i++) {
		keys_sum(&look_up->store->keys, i % 2 == 0 ? 'g' : 'b',
		    generation - i / 2, host, field);
		resp_add_string(commands, field);
	}
}

/* Whose: an address's, or with NULL the pool's or, `is_wide`, all addresses'. */
struct whose {
	const char *address;
	bool is_wide;
};

static bool
asks_space(const struct look_up *look_up, int space, bool is_wide)
{
	return look_up->query->spaces[space] &&
	    (!is_wide || space == CLOCK_REAL);
}

static void
ask_clocks(
    struct look_up *look_up, struct resp_commands *commands, struct whose whose)
{
	char field[KEYS_FIELD_SIZE];

	keys_trust(KEYS_PASSES, whose.address, field);
	resp_add_string(commands, field);
	keys_trust(KEYS_USED, whose.address, field);
	resp_add_string(commands, field);
	for (int i = 0; i < CLOCK_SPACES; i++) {
		enum clock_space space = (enum clock_space)i;

		if (!asks_space(look_up, space, whose.is_wide))
			continue;
		if (!whose.is_wide) {
			keys_clock(space, whose.address, NULL, field);
			resp_add_string(commands, field);
		}
		for (size_t j = 0; j < look_up->query->pair_count; j++) {
			keys_clock(
			    space, whose.address, look_up->pairs[j], field);
			resp_add_string(commands, field);
		}
	}
}

static size_t
wide_fields(const struct store_query *query)
{
	return 2 + (query->spaces[CLOCK_REAL] ? query->pair_count : 0);
}

/* KEYS_PACED of the network and of the host, and KEYS_CROWD of the host. */
#define HOST_FIELDS 3

static void
ask_host(struct look_up *look_up, struct resp_commands *commands)
{
	uint32_t host = look_up->query->client.host;
	char field[KEYS_FIELD_SIZE];

	keys_host(KEYS_PACED, KEYS_NO_HOST, field);
	resp_add_string(commands, field);
	keys_host(KEYS_PACED, host, field);
	resp_add_string(commands, field);
	keys_host(KEYS_CROWD, host, field);
	resp_add_string(commands, field);
}

/* HMGET of what is wanted, then HLEN. */
static void
ask_record(struct look_up *look_up, size_t stop)
{
	struct resp_commands *commands = trip_commands(&look_up->trip, stop);
	const char *key = trip_key(&look_up->trip, stop);
	bool of_network = stop == look_up->network;
	bool of_organisation = !of_network && stop == look_up->organisation;
	size_t words = 2 + SWEEP_FIELDS + 2 +
	    count_spaces(look_up->query) * (1 + look_up->query->pair_count);

	if (of_network)
		words += (size_t)4 * (size_t)look_up->generations +
		    HOST_FIELDS + wide_fields(look_up->query);
	if (of_organisation)
		words += (size_t)2 * (size_t)look_up->generations;
	resp_begin(commands, words);
	resp_add_string(commands, "HMGET");
	resp_add_string(commands, key);
	resp_add_string(commands, KEYS_SWEPT);
	resp_add_string(commands, KEYS_OTHERS);
	if (of_network) {
		ask_sums(look_up, commands, KEYS_NO_HOST);
		ask_sums(look_up, commands, look_up->query->client.host);
		ask_host(look_up, commands);
	}
	if (of_organisation)
		ask_sums(look_up, commands, KEYS_NO_HOST);
	ask_clocks(look_up, commands,
	    (struct whose){of_network ? look_up->address
		    : of_organisation ? look_up->of_organisation
				      : NULL,
		false});
	if (of_network)
		ask_clocks(look_up, commands, (struct whose){NULL, true});
	resp_add(commands, "HLEN", key);
}

/* The slots that count lie in one key or in two. */
static void
part_slots(struct counting *counting, int64_t slot, int64_t period)
{
	int64_t begin = seconds_slot(slot, KEYS_SLOTS) * KEYS_SLOTS;
	int64_t end = begin + KEYS_SLOTS - 1;
	int64_t oldest = slot - window_slots_before(period);

	counting->newest = slot + WINDOW_SLOT_NOW;
	counting->with.first = oldest < begin ? begin : oldest;
	counting->with.last = counting->newest > end ? end : counting->newest;
	if (oldest < begin)
		counting->beside = (struct slots){begin - 1, oldest};
	else /* often none */
		counting->beside = (struct slots){counting->newest, end + 1};
}

static void
ask_slots(struct look_up *look_up, const struct limit_place *place,
    int64_t period, const struct slots *slots)
{
	struct resp_commands *commands =
	    trip_commands(&look_up->trip, place->stop);
	char key[KEYS_KEY_SIZE], field[KEYS_FIELD_SIZE];

	if (slots->first > slots->last)
		return;
	keys_window(
	    &look_up->store->keys, place->tag, period, slots->first, key);
	resp_begin(commands, 3 + (size_t)(slots->last - slots->first));
	resp_add_string(commands, "ZMSCORE");
	resp_add_string(commands, key);
	for (int64_t slot = slots->last; slot >= slots->first; slot--) {
		keys_units(&place->limit, slot, field);
		resp_add_string(commands, field);
	}
}

static bool
add_members(struct look_up *look_up, struct resp_commands *commands,
    const char *key, const struct store_take *take)
{
	char name[TRIPLET_SIZE];

	resp_begin(commands, 3 + 2 * take->pair_count);
	resp_add_string(commands, "ZADD");
	resp_add_string(commands, key);
	resp_add_string(commands, "GT");
	for (size_t i = 0; i < take->pair_count; i++) {
		if (!triplet_member(&look_up->namer, take, i, name))
			return false;
		resp_add_integer(commands, look_up->now);
		resp_add_string(commands, name);
	}
	return true;
}

/* A sorted set of the last times.  Who only looks counts what is there, and
 * thinks its own to be new: that is good for a deferral. */
static bool
ask_distinct(struct look_up *look_up, size_t i, const struct limit_place *place)
{
	const struct store_take *take = &look_up->query->takes[i];
	struct counting *counting = &look_up->countings[i];
	struct resp_commands *commands =
	    trip_commands(&look_up->trip, place->stop);
	int64_t gone = look_up->now - take->period;
	char key[KEYS_KEY_SIZE];

	keys_distinct(&look_up->store->keys, place->tag, take->period,
	    &place->limit, key);
	counting->stop = place->stop;
	counting->position = trip_position(&look_up->trip, place->stop);
	counting->is_distinct = true;
	counting->adds = !look_up->query->peeks && take->pair_count > 0;
	if (counting->adds) {
		trip_begin_whole(commands);
		if (!add_members(look_up, commands, key, take))
			return false;
		trip_add_bounds(commands, key, gone, take->most);
		trip_add_end(commands, key, take->period + 1);
	}
	resp_begin(commands, 4);
	resp_add_string(commands, "ZCOUNT");
	resp_add_string(commands, key);
	resp_add_integer(commands, gone + 1);
	resp_add_string(commands, "+inf");
	if (counting->adds)
		trip_end_whole(commands);
	return true;
}

/* What is added is read in the same moment, so that no two sessions see the
 * same number; what others have in the key beside, after it, or two that add on
 * either side of its border might both not see each other. */
static bool
ask_take(struct look_up *look_up, size_t i)
{
	const struct store_take *take = &look_up->query->takes[i];
	int64_t slot = window_slot(look_up->now, take->period);
	struct counting *counting = &look_up->countings[i];
	struct limit_place place;

	if (!store_redis_place_take(&look_up->trip, &look_up->namer,
		&look_up->query->client, take, &place))
		return false;
	if (take->distinct != STORE_UNITS)
		return ask_distinct(look_up, i, &place);
	part_slots(counting, slot, take->period);
	counting->stop = place.stop;
	counting->position = trip_position(&look_up->trip, place.stop);
	counting->adds = take->units > 0;
	if (counting->adds) {
		trip_begin_whole(trip_commands(&look_up->trip, place.stop));
		store_redis_add_units(&look_up->trip, &place, take, slot);
	}
	ask_slots(look_up, &place, take->period, &counting->with);
	if (counting->adds)
		trip_end_whole(trip_commands(&look_up->trip, place.stop));
	ask_slots(look_up, &place, take->period, &counting->beside);
	return true;
}

/* Its record is that of a network without addresses. */
static bool
ask_organisation(struct look_up *look_up)
{
	const char *organisation = look_up->query->organisation;
	const struct store_client client = {.network = organisation};

	look_up->organisation = look_up->network;
	if (organisation == NULL)
		return true;
	look_up->organisation = trip_stop_for(&look_up->trip, organisation);
	if (!triplet_address(
		&look_up->namer, &client, look_up->of_organisation))
		return false;
	ask_record(look_up, look_up->organisation);
	return true;
}

static bool
ask(struct look_up *look_up)
{
	const struct store_query *query = look_up->query;
	struct redis_trip *trip = &look_up->trip;

	if (!triplet_address(
		&look_up->namer, &query->client, look_up->address) ||
	    !triplet_names(&look_up->namer, query->pairs, query->pair_count,
		look_up->pairs))
		return false;
	look_up->network = look_up->pool =
	    trip_stop_for(trip, query->client.network);
	if (query->client.pool != NULL && query->client.pool[0] != '\0')
		look_up->pool = trip_stop_for(trip, query->client.pool);
	look_up->generations =
	    decay_remembers(look_up->store->terms.half_life, look_up->now)
	    ? GENERATIONS
	    : 1;
	look_up->asks_time = !look_up->query->peeks &&
	    !redis_clock_is_fresh(&look_up->store->clock);
	if (look_up->asks_time)
		resp_add(trip_commands(trip, look_up->network), "TIME");
	ask_record(look_up, look_up->network);
	if (look_up->pool != look_up->network)
		ask_record(look_up, look_up->pool);
	if (!ask_organisation(look_up))
		return false;
	for (size_t i = 0; i < query->take_count; i++)
		if (!ask_take(look_up, i))
			return false;
	return true;
}

/* ---- The answers */

/* A field, which is 0 where there is none. */
static int64_t
number_of(const struct resp_reply *reply)
{
	int64_t number = 0;

	(void)resp_integer(reply, &number);
	return number;
}

static int64_t
next_number(const struct resp_reply *fields, size_t *at)
{
	return number_of(resp_element(fields, (*at)++));
}

static struct reputation_sums
read_sums(
    const struct look_up *look_up, const struct resp_reply *fields, size_t *at)
{
	int64_t half_life = look_up->store->terms.half_life;
	int64_t good[GENERATIONS] = {0}, bad[GENERATIONS] = {0};

	for (int i = 0; i < look_up->generations; i++) {
		good[i] = next_number(fields, at);
		bad[i] = next_number(fields, at);
	}
	return (struct reputation_sums){
	    decay_value(half_life, look_up->now, good[0], good[1]),
	    decay_value(half_life, look_up->now, bad[0], bad[1])};
}

/* A clock, which is 0 where there is none. */
static int64_t
next_clock(const struct resp_reply *fields, size_t *at)
{
	const struct resp_reply *reply = resp_element(fields, (*at)++);
	struct keys_value value;

	keys_get_value(
	    resp_type(reply) == RESP_STRING ? resp_string(reply, NULL) : NULL,
	    &value);
	return value.clock;
}

static void
read_clocks(const struct look_up *look_up, const struct resp_reply *fields,
    size_t *at, bool is_wide, struct clocks_read *read_r)
{
	read_r->passes = next_number(fields, at);
	read_r->last_used =
	    greylist_clock_decode(next_number(fields, at)).first_seen;
	for (int space = 0; space < CLOCK_SPACES; space++) {
		if (!asks_space(look_up, space, is_wide))
			continue;
		for (size_t i = is_wide; i <= look_up->query->pair_count; i++)
			read_r->clocks[space][i] = next_clock(fields, at);
	}
	/* kept alive by others, but of no use for long */
	if (read_r->last_used != 0 &&
	    seconds_between(look_up->now, read_r->last_used) >
		look_up->store->terms.worthy_life)
		read_r->passes = read_r->last_used = 0;
}

/* The oldest pending clock of those that were read, or 0. */
static int64_t
oldest_of(const struct look_up *look_up, const struct clocks_read *read)
{
	int64_t oldest = 0;

	for (int space = 0; space < CLOCK_SPACES; space++)
		for (size_t i = 0; i <= look_up->query->pair_count; i++) {
			int64_t clock = read->clocks[space][i];

			if (clock > 0 && (oldest == 0 || clock < oldest))
				oldest = clock;
		}
	return greylist_clock_decode(oldest).first_seen;
}

/* What stands in the record of the network only. */
static void
read_network(const struct look_up *look_up, const struct resp_reply *fields,
    size_t *at, struct store_answer *answer)
{
	const struct store_client *client = &look_up->query->client;
	struct seen_place network = {0}, host = {0};
	char field[KEYS_FIELD_SIZE];
	struct clock_crowd crowd;

	answer->network = read_sums(look_up, fields, at);
	answer->host = read_sums(look_up, fields, at);
	network.who = seen_who(client->network, "");
	network.paced_at =
	    greylist_clock_decode(next_number(fields, at)).first_seen;
	network.bad = answer->network.bad;
	keys_host(KEYS_PACED, client->host, field);
	host.who = seen_who(client->network, field);
	host.paced_at =
	    greylist_clock_decode(next_number(fields, at)).first_seen;
	host.bad = answer->host.bad;
	seen_note(&look_up->store->seen, &network);
	seen_note(&look_up->store->seen, &host);
	crowd = keys_get_crowd(next_number(fields, at));
	answer->crowded_since = clock_crowd_since(&crowd, look_up->now);
}

/* What its clocks tell stands for a pool's, of which there is none then. */
static void
join(struct look_up *look_up, const struct clocks_read *joined)
{
	if (look_up->query->joins && look_up->pool == look_up->network)
		memcpy(&look_up->pool_clocks.clocks[CLOCK_REAL][1],
		    &joined->clocks[CLOCK_REAL][1],
		    look_up->query->pair_count *
			sizeof joined->clocks[CLOCK_REAL][1]);
}

static void
read_record(struct look_up *look_up, size_t stop, size_t position,
    struct store_answer *answer)
{
	const struct resp_reply *fields =
	    trip_reply(&look_up->trip, stop, position);
	bool of_network = stop == look_up->network;
	bool of_organisation = !of_network && stop == look_up->organisation;
	struct clocks_read joined = {0};
	struct clocks_read *clocks = of_network ? &look_up->network_clocks
	    : of_organisation			? &joined
						: &look_up->pool_clocks;
	struct sweep_reading reading = {.others = -1};
	size_t at = 0;

	reading.swept =
	    greylist_clock_decode(next_number(fields, &at)).first_seen;
	(void)resp_integer(resp_element(fields, at++), &reading.others);
	if (of_network)
		read_network(look_up, fields, &at, answer);
	if (of_organisation)
		answer->organisation = read_sums(look_up, fields, &at);
	read_clocks(look_up, fields, &at, false, clocks);
	if (of_network)
		read_clocks(look_up, fields, &at, true, &look_up->wide);
	if (of_organisation)
		join(look_up, clocks);
	reading.oldest = oldest_of(look_up, clocks);
	reading.fields =
	    number_of(trip_reply(&look_up->trip, stop, position + 1));
	if (!of_organisation)
		*(of_network ? &answer->is_new : &answer->pool_is_new) =
		    reading.fields == 0;
	if (!look_up->query->peeks)
		sweep_notice(&look_up->store->sweeps, &look_up->store->terms,
		    &reading, look_up->trip.stops[stop].tag, look_up->now);
}

static void
combine_trust(const struct look_up *look_up, struct store_answer *answer)
{
	const struct store_query *query = look_up->query;
	const struct clocks_read *own = &look_up->network_clocks;
	const struct clocks_read *pool = &look_up->pool_clocks;
	bool has_pool = look_up->pool != look_up->network;
	struct seen_place seen = {0};

	answer->passes = own->passes;
	answer->last_used = own->last_used;
	if (look_up->wide.passes > answer->passes)
		answer->passes = look_up->wide.passes;
	if (has_pool && pool->passes > answer->passes)
		answer->passes = pool->passes;
	if (has_pool && pool->last_used < own->last_used)
		answer->last_used = pool->last_used;
	seen.lacking = answer->passes - own->passes;
	if (!has_pool && seen.lacking == 0)
		return;
	seen.who = seen_who(query->client.network, look_up->address);
	seen_note(&look_up->store->seen, &seen);
}

/* What either record knows. */
static void
combine(const struct look_up *look_up, struct store_answer *answer)
{
	const struct store_query *query = look_up->query;
	const struct clocks_read *own = &look_up->network_clocks;
	const struct clocks_read *pool = &look_up->pool_clocks;
	const int64_t *wide = look_up->wide.clocks[CLOCK_REAL];

	combine_trust(look_up, answer);
	for (int space = 0; space < CLOCK_SPACES; space++)
		for (size_t i = 0; i <= query->pair_count; i++)
			*(i == 0 ? &answer->client[space]
				 : &answer->pairs[i - 1][space]) =
			    clock_either(own->clocks[space][i],
				pool->clocks[space][i], &look_up->store->terms,
				look_up->now);
	for (size_t i = 0; i < query->pair_count; i++) {
		struct greylist_clock *pair = &answer->pairs[i][CLOCK_REAL];

		if (wide[1 + i] != 0)
			*pair = clock_either(greylist_clock_encode(pair),
			    wide[1 + i], &look_up->store->terms, look_up->now);
	}
}

/* 0 where there is none; one that has outgrown whole numbers is as full as can
 * be. */
static int64_t
count_of(const struct resp_reply *reply)
{
	int64_t count = 0;

	if (resp_type(reply) != RESP_NIL && !resp_integer(reply, &count))
		return WINDOW_MAX;
	return count;
}

static void
read_slots(const struct resp_reply *reply, const struct counting *counting,
    const struct slots *slots, struct window_counts *counts)
{
	bool is_list = resp_type(reply) == RESP_ARRAY;

	for (int64_t slot = slots->last; slot >= slots->first; slot--)
		counts->slots[counting->newest - slot] = count_of(is_list
			? resp_element(reply, (size_t)(slots->last - slot))
			: reply);
}

/* The last of five within MULTI and EXEC. */
static void
read_distinct(
    const struct look_up *look_up, size_t i, struct window_counts *counts_r)
{
	const struct counting *counting = &look_up->countings[i];
	const struct resp_reply *reply = trip_reply(&look_up->trip,
	    counting->stop, counting->position + (counting->adds ? 6 : 0));
	int64_t own =
	    counting->adds ? 0 : (int64_t)look_up->query->takes[i].pair_count;

	counts_r->slots[WINDOW_SLOT_NOW] =
	    own + count_of(counting->adds ? resp_element(reply, 4) : reply);
}

/* One that adds has its reading as the last within MULTI and EXEC. */
static void
read_take(
    const struct look_up *look_up, size_t i, struct window_counts *counts_r)
{
	const struct counting *counting = &look_up->countings[i];
	size_t end = counting->position + (counting->adds ? 4 : 0);
	const struct resp_reply *with =
	    trip_reply(&look_up->trip, counting->stop, end);

	counts_r->units = look_up->query->takes[i].units;
	read_slots(counting->adds ? resp_element(with, 2) : with, counting,
	    &counting->with, counts_r);
	read_slots(trip_reply(&look_up->trip, counting->stop, end + 1),
	    counting, &counting->beside, counts_r);
}

static int64_t
read_time(struct look_up *look_up)
{
	int64_t told;

	if (!look_up->asks_time)
		return look_up->now;
	store_redis_learn_time(look_up->store,
	    trip_reply(&look_up->trip, look_up->network, 0), look_up->asked);
	told = redis_clock_now(&look_up->store->clock);
	return seconds_apart(told, look_up->now) > CLOCK_SLACK ? told
							       : look_up->now;
}

static void
read_answers(struct look_up *look_up, struct store_answer *answer_r)
{
	answer_r->now = read_time(look_up);
	read_record(
	    look_up, look_up->network, look_up->asks_time ? 1 : 0, answer_r);
	if (look_up->pool != look_up->network)
		read_record(look_up, look_up->pool, 0, answer_r);
	if (look_up->organisation != look_up->network)
		read_record(look_up, look_up->organisation, 0, answer_r);
	combine(look_up, answer_r);
	for (size_t i = 0; i < look_up->query->take_count; i++)
		if (look_up->countings[i].is_distinct)
			read_distinct(look_up, i, &answer_r->counts[i]);
		else
			read_take(look_up, i, &answer_r->counts[i]);
}

/* STORE_DOWN also where a server answers but takes no writes: a first attempt that
 * is not remembered would have to wait for ever. */
static enum store_result
go(struct look_up *look_up, int64_t due_ms)
{
	struct redis_trip *trip = &look_up->trip;

	if (!ask(look_up) || trip->failed)
		return STORE_UNREADABLE;
	for (size_t i = 0; i < trip->count; i++)
		if (!redis_takes_writes(
			look_up->store->redis, trip->requests[i].key))
			return STORE_DOWN;
	return store_redis_ask_until(
	    look_up->store, trip->requests, trip->count, due_ms);
}

static enum store_result
look_up_in(struct look_up *look_up, struct store_answer *answer_r)
{
	const struct store_query *query = look_up->query;
	/* For all that it takes. */
	int64_t due_ms = redis_due(look_up->store->redis, 0) - query->waited_ms;
	enum store_result result;

	result = store_redis_prepare(look_up->store, &look_up->namer, due_ms);
	if (result != STORE_OK)
		return result;
	trip_init(&look_up->trip, &look_up->store->keys);
	look_up->now =
	    query->peeks ? query->now : redis_clock_now(&look_up->store->clock);
	look_up->asked = clock_steady_us();
	result = go(look_up, due_ms);
	if (result == STORE_OK)
		read_answers(look_up, answer_r);
	else if (result == STORE_UNREADABLE && !query->peeks)
		for (size_t i = 0; i < look_up->trip.count; i++)
			store_redis_heal(
			    look_up->store, &look_up->trip.requests[i]);
	trip_free(&look_up->trip);
	return result;
}

/* What it takes is too large for a stack. */
enum store_result
store_redis_look_up(struct store *store, const struct store_query *query,
    struct store_answer *answer_r)
{
	struct look_up *look_up;
	enum store_result result;

	memset(answer_r, 0, sizeof *answer_r);
	if (query->pair_count > RECIPIENTS_MAX ||
	    query->take_count > STORE_TAKES_MAX)
		return STORE_UNREADABLE;
	look_up = malloc(sizeof *look_up);
	if (look_up == NULL)
		return STORE_UNREADABLE;
	memset(look_up, 0, offsetof(struct look_up, trip));
	look_up->store = (struct redis_store *)store;
	look_up->query = query;
	result = look_up_in(look_up, answer_r);
	free(look_up);
	return result;
}
