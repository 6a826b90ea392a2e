#include "store/redis/store_redis_parts.h"

#include <string.h>

#include "policy/decay.h"
#include "policy/window.h"

/* Redis's answer and our reckoning may differ by this much: then the latter is
 * the time of the answer, since windows and generations were chosen by it. */
#define CLOCK_SLACK 2

/* In which a sum is kept: that of now, and the one before. */
#define GENERATIONS 2
/* KEYS_SWEPT and KEYS_OTHERS come first in what is asked of a record. */
#define SWEEP_FIELDS 2

struct look_up {
	struct redis_store *store;
	const struct store_query *query;
	int64_t now;   /* by our reckoning */
	int64_t asked; /* of the steady clock */
	struct triplet_namer namer;
	char pairs[RECIPIENTS_MAX][TRIPLET_SIZE];
	struct redis_trip trip;
	bool asks_time;	 /* before all else */
	int generations; /* of sums that are asked for */
	size_t network;	 /* stops */
	size_t identity;
	size_t takes[STORE_TAKES_MAX]; /* positions of the first command */
	size_t take_stops[STORE_TAKES_MAX];
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

static void
ask_clocks(struct look_up *look_up, struct resp_commands *commands)
{
	const struct store_query *query = look_up->query;
	char field[KEYS_FIELD_SIZE];

	resp_add_string(commands, KEYS_PASSES);
	resp_add_string(commands, KEYS_USED);
	for (int i = 0; i < CLOCK_SPACES; i++) {
		enum clock_space space = (enum clock_space)i;

		if (!query->spaces[space])
			continue;
		keys_clock(space, NULL, field);
		resp_add_string(commands, field);
		for (size_t j = 0; j < query->pair_count; j++) {
			keys_clock(space, look_up->pairs[j], field);
			resp_add_string(commands, field);
		}
	}
}

/* HMGET of what is wanted, then HLEN; `stop` is one or both of the two. */
static void
ask_record(struct look_up *look_up, size_t stop)
{
	struct resp_commands *commands = trip_commands(&look_up->trip, stop);
	const char *key = trip_key(&look_up->trip, stop);
	size_t words = 2 + SWEEP_FIELDS;

	if (stop == look_up->network)
		words += (size_t)4 * (size_t)look_up->generations;
	if (stop == look_up->identity)
		words += 2 +
		    count_spaces(look_up->query) *
			(1 + look_up->query->pair_count);
	resp_begin(commands, words);
	resp_add_string(commands, "HMGET");
	resp_add_string(commands, key);
	resp_add_string(commands, KEYS_SWEPT);
	resp_add_string(commands, KEYS_OTHERS);
	if (stop == look_up->network) {
		ask_sums(look_up, commands, KEYS_NO_HOST);
		ask_sums(look_up, commands, look_up->query->client.host);
	}
	if (stop == look_up->identity)
		ask_clocks(look_up, commands);
	resp_add(commands, "HLEN", key);
}

/* One command for the window before, and one or more for that of now. */
static bool
ask_take(struct look_up *look_up, size_t i)
{
	const struct store_take *take = &look_up->query->takes[i];
	struct keys_window window = {
	    take->period, window_id(look_up->now, take->period)};
	struct resp_commands *commands;
	struct limit_place place;
	char key[KEYS_KEY_SIZE];

	if (!store_redis_place_take(&look_up->trip, &look_up->namer,
		&look_up->query->client, take, &place))
		return false;
	commands = trip_commands(&look_up->trip, place.stop);
	look_up->take_stops[i] = place.stop;
	window.id--;
	keys_window(&look_up->store->keys, place.tag, &window, key);
	look_up->takes[i] = trip_position(&look_up->trip, place.stop);
	resp_add(commands, "ZSCORE", key, place.field);
	window.id++;
	keys_window(&look_up->store->keys, place.tag, &window, key);
	if (take->units > 0)
		store_redis_add_units(commands, key, &place, take);
	else
		resp_add(commands, "ZSCORE", key, place.field);
	return true;
}

static bool
ask(struct look_up *look_up)
{
	const struct store_query *query = look_up->query;
	struct redis_trip *trip = &look_up->trip;

	for (size_t i = 0; i < query->pair_count; i++)
		if (!triplet_name(
			&look_up->namer, &query->pairs[i], look_up->pairs[i]))
			return false;
	look_up->network = look_up->identity =
	    trip_stop_for(trip, query->client.network);
	if (query->client.pool != NULL && query->client.pool[0] != '\0')
		look_up->identity = trip_stop_for(trip, query->client.pool);
	look_up->generations =
	    decay_remembers(look_up->store->terms.half_life, look_up->now)
	    ? GENERATIONS
	    : 1;
	look_up->asks_time = !redis_clock_is_fresh(&look_up->store->clock);
	if (look_up->asks_time)
		resp_add(trip_commands(trip, look_up->network), "TIME");
	ask_record(look_up, look_up->network);
	if (look_up->identity != look_up->network)
		ask_record(look_up, look_up->identity);
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

static void
read_clocks(const struct look_up *look_up, const struct resp_reply *fields,
    size_t *at, struct store_answer *answer)
{
	answer->passes = next_number(fields, at);
	answer->last_used =
	    greylist_clock_decode(next_number(fields, at)).first_seen;
	for (int space = 0; space < CLOCK_SPACES; space++) {
		if (!look_up->query->spaces[space])
			continue;
		answer->client[space] =
		    greylist_clock_decode(next_number(fields, at));
		for (size_t i = 0; i < look_up->query->pair_count; i++)
			answer->pairs[i][space] =
			    greylist_clock_decode(next_number(fields, at));
	}
}

static int64_t
older(int64_t oldest, const struct greylist_clock *clock)
{
	if (clock->first_seen == 0 ||
	    (oldest != 0 && oldest < clock->first_seen))
		return oldest;
	return clock->first_seen;
}

/* The oldest pending clock of those that were read, or 0. */
static int64_t
oldest_of(const struct look_up *look_up, const struct store_answer *answer)
{
	int64_t oldest = 0;

	for (int space = 0; space < CLOCK_SPACES; space++) {
		oldest = older(oldest, &answer->client[space]);
		for (size_t i = 0; i < look_up->query->pair_count; i++)
			oldest = older(oldest, &answer->pairs[i][space]);
	}
	return oldest;
}

static void
notice_sweep(
    struct look_up *look_up, size_t stop, const struct sweep_reading *reading)
{
	struct sweep_entry entry = {0};

	/* longer ones never get here: their trip has failed */
	strncpy(entry.tag, look_up->trip.stops[stop].tag, sizeof entry.tag - 1);
	strncpy(entry.network, look_up->query->client.network,
	    sizeof entry.network - 1);
	sweep_notice(&look_up->store->sweeps, &look_up->store->terms, reading,
	    &entry, look_up->now);
}

static void
read_record(struct look_up *look_up, size_t stop, size_t position,
    struct store_answer *answer)
{
	const struct resp_reply *fields =
	    trip_reply(&look_up->trip, stop, position);
	struct sweep_reading reading = {.others = -1};
	size_t at = 0;

	reading.swept =
	    greylist_clock_decode(next_number(fields, &at)).first_seen;
	(void)resp_integer(resp_element(fields, at++), &reading.others);
	if (stop == look_up->network) {
		answer->network = read_sums(look_up, fields, &at);
		answer->host = read_sums(look_up, fields, &at);
	}
	if (stop == look_up->identity) {
		read_clocks(look_up, fields, &at, answer);
		reading.oldest = oldest_of(look_up, answer);
	}
	reading.fields =
	    number_of(trip_reply(&look_up->trip, stop, position + 1));
	notice_sweep(look_up, stop, &reading);
}

/* What the window of now has: the answer to the last command of a take, which for
 * one that adds is the EXEC that begins with the new number. */
static const struct resp_reply *
current_of(const struct look_up *look_up, size_t i)
{
	size_t stop = look_up->take_stops[i], first = look_up->takes[i];

	if (look_up->query->takes[i].units <= 0)
		return trip_reply(&look_up->trip, stop, first + 1);
	return resp_element(
	    trip_reply(&look_up->trip, stop, first + ADD_UNITS_COMMANDS), 0);
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
read_take(const struct look_up *look_up, size_t i, struct store_count *count_r)
{
	const struct redis_trip *trip = &look_up->trip;
	size_t stop = look_up->take_stops[i], position = look_up->takes[i];

	count_r->previous = count_of(trip_reply(trip, stop, position));
	count_r->current = count_of(current_of(look_up, i));
}

static bool
read_time(struct look_up *look_up, int64_t *now_r)
{
	int64_t told;

	*now_r = look_up->now;
	if (!look_up->asks_time)
		return true;
	if (!redis_clock_learn(&look_up->store->clock,
		trip_reply(&look_up->trip, look_up->network, 0), look_up->asked,
		&told))
		return false;
	if (told > look_up->now + CLOCK_SLACK ||
	    told < look_up->now - CLOCK_SLACK)
		*now_r = told;
	return true;
}

static enum store_result
read_answers(struct look_up *look_up, struct store_answer *answer_r)
{
	if (!read_time(look_up, &answer_r->now))
		return STORE_DOWN;
	read_record(
	    look_up, look_up->network, look_up->asks_time ? 1 : 0, answer_r);
	if (look_up->identity != look_up->network)
		read_record(look_up, look_up->identity, 0, answer_r);
	for (size_t i = 0; i < look_up->query->take_count; i++)
		read_take(look_up, i, &answer_r->counts[i]);
	return STORE_OK;
}

enum store_result
store_redis_look_up(struct store *store, const struct store_query *query,
    struct store_answer *answer_r)
{
	struct look_up look_up = {.store = (struct redis_store *)store};
	enum store_result result = STORE_DOWN;

	look_up.query = query;
	memset(answer_r, 0, sizeof *answer_r);
	if (query->pair_count > RECIPIENTS_MAX ||
	    query->take_count > STORE_TAKES_MAX ||
	    !store_redis_prepare(look_up.store, &look_up.namer))
		return STORE_DOWN;
	trip_init(&look_up.trip, &look_up.store->keys);
	look_up.now = redis_clock_now(&look_up.store->clock);
	look_up.asked = redis_clock_steady();
	if (ask(&look_up) && trip_ask(&look_up.trip, look_up.store->redis))
		result = read_answers(&look_up, answer_r);
	trip_free(&look_up.trip);
	return result;
}
