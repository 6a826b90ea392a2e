#include "store/memory/store_memory_parts.h"

#include <string.h>

/* All hashes of one call, made before the lock is taken. */
struct names {
	struct memory_name network;
	struct memory_name identity; /* the pool's, or else the network's */
	char pairs[RECIPIENTS_MAX][TRIPLET_SIZE];
	size_t pair_count;
	struct memory_counter_key takes[STORE_TAKES_MAX];
	size_t take_count;
};

static bool
has_pool(const struct store_client *client)
{
	return client->pool != NULL && client->pool[0] != '\0';
}

static bool
name_client(const struct memory *memory, const struct store_client *client,
    struct names *names_r)
{
	if (!memory_book_name(memory->book, client->network, &names_r->network))
		return false;
	names_r->identity = names_r->network;
	return !has_pool(client) ||
	    memory_book_name(memory->book, client->pool, &names_r->identity);
}

static bool
name_pairs(const struct memory *memory, const struct store_pair *pairs,
    size_t count, struct names *names_r)
{
	if (count > RECIPIENTS_MAX)
		return false;
	names_r->pair_count = count;
	for (size_t i = 0; i < count; i++)
		if (!triplet_name(
			&memory->key.namer, &pairs[i], names_r->pairs[i]))
			return false;
	return true;
}

static bool
name_takes(const struct memory *memory, const struct store_client *client,
    const struct store_take *takes, size_t count, struct names *names_r)
{
	char holder[TRIPLET_SIZE];

	if (count > STORE_TAKES_MAX)
		return false;
	names_r->take_count = count;
	for (size_t i = 0; i < count; i++) {
		struct memory_counter_key *key = &names_r->takes[i];
		const char *text = takes[i].holder;
		bool of_host = text == NULL && takes[i].of_host;

		if (!triplet_holder(&memory->key.namer,
			text != NULL ? text : client->network, holder))
			return false;
		memcpy(key->holder, holder, sizeof key->holder);
		key->period = takes[i].period;
		key->id = takes[i].id;
		key->host = of_host ? 1 + (client->host & 0xff) : 0;
	}
	return true;
}

/* First attempts that nobody came back for count against the network that is
 * seen again; those of a pool count against the one that is seen. */
static void
settle_abandoned(
    struct memory *memory, const struct store_query *query, struct names *names)
{
	const struct memory_name *places[] = {
	    &names->network, &names->identity};
	struct reputation_sums points = {0};
	struct memory_record *record;
	size_t abandoned = 0;

	for (size_t i = 0; i < (has_pool(&query->client) ? 2 : 1); i++) {
		record = memory_book_find(memory->book, places[i], query->now);
		if (record != NULL)
			abandoned += memory_record_prune(record, &memory->terms,
			    names->pairs, names->pair_count, query->now);
	}
	if (abandoned > STORE_ABANDONED_MOST)
		abandoned = STORE_ABANDONED_MOST;
	points.bad = (double)abandoned * memory->terms.abandoned_points;
	if (points.bad <= 0)
		return;
	record = memory_book_make(memory->book, &names->network, query->now);
	if (record == NULL)
		return;
	memory_sums_add(
	    &record->sums, memory->terms.half_life, query->now, &points);
	memory_book_renew(memory->book, record, false, query->now);
}

static void
read_network(struct memory *memory, const struct memory_record *record,
    const struct store_query *query, struct store_answer *answer)
{
	const struct memory_sums *host =
	    memory_record_host(record, query->client.host & 0xff);

	answer->network = memory_sums_read(
	    &record->sums, memory->terms.half_life, query->now);
	if (host != NULL)
		answer->host =
		    memory_sums_read(host, memory->terms.half_life, query->now);
}

static void
read_identity(const struct memory_record *record,
    const struct store_query *query, char (*pairs)[TRIPLET_SIZE],
    struct store_answer *answer)
{
	answer->passes = record->passes;
	answer->last_used = record->last_used;
	for (int space = 0; space < CLOCK_SPACES; space++) {
		if (!query->spaces[space])
			continue;
		answer->client[space] =
		    greylist_clock_decode(record->client[space]);
		for (size_t i = 0; i < query->pair_count; i++)
			answer->pairs[i][space] =
			    greylist_clock_decode(memory_record_clock(
				record, pairs[i], (enum clock_space)space));
	}
}

static bool
take_units(struct memory *memory, const struct store_query *query,
    const struct names *names, struct store_answer *answer)
{
	for (size_t i = 0; i < names->take_count; i++)
		if (!memory_counters_take(memory->counters, &names->takes[i],
			query->now, query->takes[i].units, &answer->counts[i]))
			return false;
	return true;
}

enum store_result
memory_look_up(struct store *store, const struct store_query *query,
    struct store_answer *answer_r)
{
	struct memory *memory = (struct memory *)store;
	const struct memory_record *record;
	struct names names;
	bool taken;

	memset(answer_r, 0, sizeof *answer_r);
	answer_r->now = query->now;
	if (!name_client(memory, &query->client, &names) ||
	    !name_pairs(memory, query->pairs, query->pair_count, &names) ||
	    !name_takes(memory, &query->client, query->takes, query->take_count,
		&names))
		return STORE_DOWN;

	pthread_mutex_lock(&memory->mutex);
	settle_abandoned(memory, query, &names);
	record = memory_book_find(memory->book, &names.network, query->now);
	if (record != NULL)
		read_network(memory, record, query, answer_r);
	record = memory_book_find(memory->book, &names.identity, query->now);
	if (record != NULL)
		read_identity(record, query, names.pairs, answer_r);
	taken = take_units(memory, query, &names, answer_r);
	pthread_mutex_unlock(&memory->mutex);
	return taken ? STORE_OK : STORE_DOWN;
}

/* True if something changed. */
static bool
mark_all(struct memory *memory, struct memory_record *record,
    const struct store_effects *effects, const struct names *names)
{
	bool changed = false;

	for (int space = 0; space < CLOCK_SPACES; space++)
		if (memory_clock_mark(&record->client[space],
			effects->client_mark[space], effects->now))
			changed = true;
	for (size_t i = 0; i < names->pair_count; i++) {
		struct memory_pair pair = {0};

		memcpy(pair.name, names->pairs[i], sizeof pair.name);
		for (; pair.space < CLOCK_SPACES; pair.space++)
			if (memory_record_mark(record, &memory->terms, &pair,
				effects->marks[i][pair.space], effects->now))
				changed = true;
	}
	return changed;
}

static void
remember_identity(struct memory *memory, const struct store_effects *effects,
    const struct names *names)
{
	struct memory_record *record;
	bool changed;

	if (!store_has_marks(effects) && effects->passes <= 0 &&
	    !effects->worthy)
		return;
	record = memory_book_make(memory->book, &names->identity, effects->now);
	if (record == NULL)
		return;
	changed = mark_all(memory, record, effects, names);
	if (effects->passes > 0)
		record->passes += effects->passes;
	if (effects->worthy)
		record->last_used = effects->now;
	if (changed || effects->passes > 0 || effects->worthy)
		memory_book_renew(
		    memory->book, record, effects->worthy, effects->now);
}

static void
remember_network(struct memory *memory, const struct store_effects *effects,
    const struct names *names)
{
	const struct reputation_sums points = {
	    effects->good > 0 ? effects->good : 0,
	    effects->bad > 0 ? effects->bad : 0};
	struct memory_record *record;
	struct memory_sums *host;
	bool earned = points.good > 0 || points.bad > 0;

	if (!earned && !effects->worthy)
		return;
	record = (earned ? memory_book_make : memory_book_find)(
	    memory->book, &names->network, effects->now);
	if (record == NULL)
		return;
	if (earned) {
		memory_sums_add(&record->sums, memory->terms.half_life,
		    effects->now, &points);
		host = memory_record_make_host(
		    record, effects->client.host & 0xff);
		if (host != NULL)
			memory_sums_add(host, memory->terms.half_life,
			    effects->now, &points);
	}
	memory_book_renew(memory->book, record, effects->worthy, effects->now);
}

/* Units to give back, or if they are negative to add. */
static void
return_units(struct memory *memory, const struct store_effects *effects,
    const struct names *names)
{
	struct window_counts counts;

	for (size_t i = 0; i < names->take_count; i++) {
		int64_t units = effects->returned[i].units;

		if (units > 0)
			memory_counters_return(memory->counters,
			    &names->takes[i], effects->returned[i].at, units);
		else if (units < 0)
			memory_counters_take(memory->counters, &names->takes[i],
			    effects->now, -units, &counts);
	}
}

enum store_result
memory_remember(struct store *store, const struct store_effects *effects)
{
	struct memory *memory = (struct memory *)store;
	struct names names;

	if (!name_client(memory, &effects->client, &names) ||
	    !name_pairs(memory, effects->pairs, effects->pair_count, &names) ||
	    !name_takes(memory, &effects->client, effects->returned,
		effects->returned_count, &names))
		return STORE_DOWN;

	pthread_mutex_lock(&memory->mutex);
	remember_identity(memory, effects, &names);
	remember_network(memory, effects, &names);
	return_units(memory, effects, &names);
	pthread_mutex_unlock(&memory->mutex);
	return STORE_OK;
}
