#include "store/memory/store_memory_parts.h"

#include <string.h>

#include "base/seconds.h"

/* All hashes of one call, made before the lock is taken. */
struct names {
	struct memory_name network;
	struct memory_name pool; /* if there is one */
	char address[TRIPLET_ADDRESS_SIZE];
	char organisation[TRIPLET_ADDRESS_SIZE];
	char pairs[RECIPIENTS_MAX][TRIPLET_SIZE];
	unsigned char senders[RECIPIENTS_MAX];
	size_t pair_count;
	struct memory_counter_key takes[STORE_TAKES_MAX];
	size_t take_count;
	uint64_t members[STORE_RECIPIENTS + 1][RECIPIENTS_MAX]; /* different */
};

/* What is kept of a pool is all of its addresses'. */
static const char all_addresses[TRIPLET_ADDRESS_SIZE];

static bool
has_pool(const struct store_client *client)
{
	return client->pool != NULL && client->pool[0] != '\0';
}

static bool
name_client(const struct memory *memory, const struct store_client *client,
    struct names *names_r)
{
	return memory_book_name(
		   memory->book, client->network, &names_r->network) &&
	    triplet_address(&memory->key.namer, client, names_r->address) &&
	    (!has_pool(client) ||
		memory_book_name(memory->book, client->pool, &names_r->pool));
}

static bool
name_pairs(const struct memory *memory, const struct store_pair *pairs,
    size_t count, struct names *names_r)
{
	if (count > RECIPIENTS_MAX ||
	    !triplet_names(&memory->key.namer, pairs, count, names_r->pairs))
		return false;
	names_r->pair_count = count;
	for (size_t i = 0; i < count; i++) {
		bool same = i > 0 && pairs[i].sender == pairs[i - 1].sender;

		names_r->senders[i] = same
		    ? names_r->senders[i - 1]
		    : (unsigned char)triplet_sender(
			  &memory->key.namer, pairs[i].sender);
	}
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

/* Bad points for who made first attempts that nobody came back for, if that
 * network is still known. */
static void
charge(struct memory *memory, const struct memory_blame *blame, size_t count,
    int64_t now)
{
	const struct reputation_sums points = {
	    0, (double)count * memory->terms.abandoned_points};
	struct memory_record *record =
	    memory_book_find_number(memory->book, blame->opener.network, now);
	struct memory_host *host;

	if (record == NULL || points.bad <= 0)
		return;
	memory_sums_add(&record->sums, memory->terms.half_life, now, &points);
	host = memory_record_make_host(record, blame->opener.host);
	if (host != NULL)
		memory_sums_add(
		    &host->sums, memory->terms.half_life, now, &points);
	memory_book_renew(memory->book, record, false, now);
}

static void
settle_abandoned(struct memory *memory, const struct memory_name *name,
    struct names *names, int64_t now)
{
	struct memory_record *record =
	    memory_book_find(memory->book, name, now);
	struct memory_blame blamed[MEMORY_BLAMED_MAX];
	size_t count, left = STORE_ABANDONED_MOST, most;

	if (record == NULL)
		return;
	count = memory_record_prune(record, &memory->terms, names->pairs,
	    names->pair_count, now, blamed);
	for (size_t i = 0; i < count && left > 0; i++) {
		most = blamed[i].count < left ? blamed[i].count : left;
		charge(memory, &blamed[i], most, now);
		left -= most;
	}
}

static void
read_network(struct memory *memory, const struct memory_record *record,
    const struct store_query *query, struct store_answer *answer)
{
	const struct memory_opener opener = {
	    .network = record->number, .host = query->client.host & 0xff};
	const struct memory_host *host =
	    memory_record_host(record, opener.host);

	answer->network = memory_sums_read(
	    &record->sums, memory->terms.half_life, query->now);
	if (host != NULL)
		answer->host = memory_sums_read(
		    &host->sums, memory->terms.half_life, query->now);
	answer->crowded_since =
	    memory_record_crowded(record, &opener, query->now);
}

/* What first attempts that nobody came back for will have cost by then: other
 * look-ups charge it before they read. */
static void
foresee_charge(const struct memory *memory, const struct memory_record *record,
    struct names *names, const struct store_query *query,
    struct store_answer *answer)
{
	struct memory_blame blamed[MEMORY_BLAMED_MAX];
	size_t left = STORE_ABANDONED_MOST;
	size_t count = memory_record_blamed(record, &memory->terms,
	    names->pairs, names->pair_count, query->now, blamed);

	for (size_t i = 0; i < count && left > 0; i++) {
		size_t most = blamed[i].count < left ? blamed[i].count : left;
		double bad = (double)most * memory->terms.abandoned_points;

		left -= most;
		if (blamed[i].opener.network != record->number)
			continue;
		answer->network.bad += bad;
		if (blamed[i].opener.host == (query->client.host & 0xff))
			answer->host.bad += bad;
	}
}

/* What both know of a clock, the network also of all of its addresses; NULL: that
 * record is not there. */
static struct greylist_clock
read_clock(const struct memory *memory, const struct memory_record *records[2],
    const struct names *names, const struct memory_clock_name *asked,
    int64_t now)
{
	struct memory_clock_name name = *asked;
	struct greylist_clock clock = {0, 0};

	for (int i = 0; i < 2; i++)
		if (records[i] != NULL)
			clock = clock_either(greylist_clock_encode(&clock),
			    memory_record_clock(records[i], &name),
			    &memory->terms, now);
	memcpy(name.address, names->address, sizeof name.address);
	if (records[0] != NULL)
		clock = clock_either(greylist_clock_encode(&clock),
		    memory_record_clock(records[0], &name), &memory->terms,
		    now);
	return clock;
}

static void
read_clocks(const struct memory *memory, const struct memory_record *records[2],
    const struct names *names, const struct store_query *query,
    struct store_answer *answer)
{
	struct memory_clock_name name = {0};

	for (int space = 0; space < CLOCK_SPACES; space++) {
		if (!query->spaces[space])
			continue;
		memset(name.pair, 0, sizeof name.pair);
		name.space = (unsigned char)space;
		answer->client[space] =
		    read_clock(memory, records, names, &name, query->now);
		for (size_t i = 0; i < query->pair_count; i++) {
			memcpy(name.pair, names->pairs[i], sizeof name.pair);
			answer->pairs[i][space] = read_clock(
			    memory, records, names, &name, query->now);
		}
	}
}

/* What was not used for long is none any more, though the record lives on for
 * others. */
static struct memory_trust
trust_of(const struct memory *memory, const struct memory_record *record,
    const char *address, int64_t now)
{
	const struct memory_trust *trust =
	    record == NULL ? NULL : memory_record_trust(record, address);

	if (trust == NULL ||
	    (trust->last_used != 0 &&
		seconds_between(now, trust->last_used) >
		    memory->terms.worthy_life))
		return (struct memory_trust){0};
	return *trust;
}

static void
read_trust(const struct memory *memory, const struct memory_record *records[2],
    const struct names *names, const struct store_query *query,
    struct store_answer *answer)
{
	struct memory_trust own =
	    trust_of(memory, records[0], names->address, query->now);
	struct memory_trust wide =
	    trust_of(memory, records[0], all_addresses, query->now);
	struct memory_trust pool =
	    trust_of(memory, records[1], all_addresses, query->now);

	answer->passes = own.passes;
	answer->last_used = own.last_used;
	if (wide.passes > answer->passes)
		answer->passes = wide.passes;
	if (!has_pool(&query->client))
		return;
	if (pool.passes > answer->passes)
		answer->passes = pool.passes;
	if (pool.last_used < own.last_used)
		answer->last_used = pool.last_used;
}

/* One that has expired is none. */
static const struct memory_record *
peek(const struct memory *memory, const struct memory_name *name, int64_t now)
{
	const struct memory_record *record =
	    memory_book_peek(memory->book, name);

	return record == NULL || record->expires <= now ? NULL : record;
}

/* The sums of an organisation, and what it knows of the pairs. */
static bool
read_organisation(struct memory *memory, const struct store_query *query,
    struct names *names, struct store_answer *answer)
{
	const struct store_client client = {.network = query->organisation};
	const struct memory_record *record;
	struct memory_clock_name asked = {.space = CLOCK_REAL};
	struct memory_name name;

	if (!memory_book_name(memory->book, query->organisation, &name) ||
	    !triplet_address(&memory->key.namer, &client, names->organisation))
		return false;
	if (!query->peeks)
		settle_abandoned(memory, &name, names, query->now);
	record = peek(memory, &name, query->now);
	if (record == NULL)
		return true;
	answer->organisation = memory_sums_read(
	    &record->sums, memory->terms.half_life, query->now);
	memcpy(asked.address, names->organisation, sizeof asked.address);
	for (size_t i = 0; query->joins && i < names->pair_count; i++) {
		struct greylist_clock *clock = &answer->pairs[i][CLOCK_REAL];

		memcpy(asked.pair, names->pairs[i], sizeof asked.pair);
		*clock = clock_either(greylist_clock_encode(clock),
		    memory_record_clock(record, &asked), &memory->terms,
		    query->now);
	}
	return true;
}

/* The records of the network and of the pool, pruned. */
static void
find_records(struct memory *memory, const struct store_query *query,
    struct names *names, const struct memory_record *records_r[2])
{
	bool pools = has_pool(&query->client);

	if (query->peeks) {
		records_r[0] = peek(memory, &names->network, query->now);
		records_r[1] =
		    pools ? peek(memory, &names->pool, query->now) : NULL;
		return;
	}
	settle_abandoned(memory, &names->network, names, query->now);
	if (pools)
		settle_abandoned(memory, &names->pool, names, query->now);
	records_r[0] =
	    memory_book_find(memory->book, &names->network, query->now);
	records_r[1] = pools
	    ? memory_book_find(memory->book, &names->pool, query->now)
	    : NULL;
}

/* Members were named by name_members(). */
static bool
take_units(struct memory *memory, const struct store_query *query,
    const struct names *names, struct store_answer *answer)
{
	for (size_t i = 0; i < names->take_count; i++) {
		const struct store_take *take = &query->takes[i];
		const struct memory_counting counting = {.now = query->now,
		    .peeks = query->peeks,
		    .units = take->units,
		    .is_distinct = take->distinct != STORE_UNITS,
		    .who = names->members[take->distinct],
		    .count = take->pair_count,
		    .most = (size_t)take->most};

		if (!memory_counters_take(memory->counters, &names->takes[i],
			&counting, &answer->counts[i]))
			return false;
	}
	return true;
}

static bool
name_members_of(const struct memory *memory, const struct store_take *take,
    uint64_t members_r[RECIPIENTS_MAX])
{
	char name[TRIPLET_SIZE];

	if (take->pair_count > RECIPIENTS_MAX)
		return false;
	for (size_t i = 0; i < take->pair_count; i++) {
		if (!triplet_member(&memory->key.namer, take, i, name))
			return false;
		_Static_assert(TRIPLET_LENGTH == sizeof *members_r,
		    "a name is not a number");
		memcpy(&members_r[i], name, sizeof *members_r);
	}
	return true;
}

/* All takes of a query are about the same pairs. */
static bool
name_members(const struct memory *memory, const struct store_query *query,
    struct names *names_r)
{
	bool named[STORE_RECIPIENTS + 1] = {false};

	for (size_t i = 0; i < query->take_count; i++) {
		const struct store_take *take = &query->takes[i];

		if (take->distinct == STORE_UNITS || named[take->distinct])
			continue;
		named[take->distinct] = true;
		if (!name_members_of(
			memory, take, names_r->members[take->distinct]))
			return false;
	}
	return true;
}

enum store_result
memory_look_up(struct store *store, const struct store_query *query,
    struct store_answer *answer_r)
{
	struct memory *memory = (struct memory *)store;
	const struct memory_record *records[2];
	struct names names;
	bool taken;

	memset(answer_r, 0, sizeof *answer_r);
	answer_r->now = query->now;
	if (!name_client(memory, &query->client, &names) ||
	    !name_pairs(memory, query->pairs, query->pair_count, &names) ||
	    !name_takes(memory, &query->client, query->takes, query->take_count,
		&names) ||
	    !name_members(memory, query, &names))
		return STORE_DOWN;

	pthread_mutex_lock(&memory->mutex);
	find_records(memory, query, &names, records);
	if (records[0] != NULL)
		read_network(memory, records[0], query, answer_r);
	if (query->peeks && records[0] != NULL)
		foresee_charge(memory, records[0], &names, query, answer_r);
	read_trust(memory, records, &names, query, answer_r);
	read_clocks(memory, records, &names, query, answer_r);
	taken = (query->organisation == NULL ||
		    read_organisation(memory, query, &names, answer_r)) &&
	    take_units(memory, query, &names, answer_r);
	pthread_mutex_unlock(&memory->mutex);
	return taken ? STORE_OK : STORE_DOWN;
}

/* One of the two records that are told of clocks and passes. */
struct told {
	struct memory_record *record;
	struct memory_opener opener;
	const char *address;
};

static bool
mark_clock(struct memory *memory, const struct told *told, const char *pair,
    const enum clock_mark marks[CLOCK_SPACES], int64_t now)
{
	struct memory_clock clock = {.opener = told->opener};
	bool changed = false;

	if (pair != NULL)
		memcpy(clock.name.pair, pair, sizeof clock.name.pair);
	memcpy(clock.name.address, told->address, sizeof clock.name.address);
	for (; clock.name.space < CLOCK_SPACES; clock.name.space++)
		if (memory_record_mark(told->record, &memory->terms, &clock,
			marks[clock.name.space], now))
			changed = true;
	return changed;
}

/* True if something changed. */
static bool
mark_all(struct memory *memory, struct told *told,
    const struct store_effects *effects, const struct names *names)
{
	bool changed =
	    mark_clock(memory, told, NULL, effects->client_mark, effects->now);

	for (size_t i = 0; i < names->pair_count; i++) {
		told->opener.sender = names->senders[i];
		if (mark_clock(memory, told, names->pairs[i], effects->marks[i],
			effects->now))
			changed = true;
	}
	return changed;
}

/* `passes` is what its organisation or all of the network have, or 0: an address
 * that is seen using that keeps it when the DNS fails, or for good. */
static void
add_trust(
    struct told *told, const struct store_effects *effects, int64_t passes)
{
	struct memory_trust *trust =
	    memory_record_make_trust(told->record, told->address);

	if (trust == NULL)
		return;
	if (effects->passes > 0)
		trust->passes += effects->passes;
	if (trust->passes < passes)
		trust->passes = passes;
	if (effects->worthy)
		trust->last_used = effects->now;
}

static void
remember_trust(struct memory *memory, const struct store_effects *effects,
    const struct names *names, bool of_pool)
{
	const struct memory_name *name =
	    of_pool ? &names->pool : &names->network;
	struct told told = {
	    .opener = {.network = names->network.number,
		.host = effects->client.host & 0xff,
		.spared = !of_pool && has_pool(&effects->client)},
	    .address = of_pool ? all_addresses : names->address};
	struct memory_trust pool = {0}, wide = {0};
	bool changed;

	if (!store_has_marks(effects) && effects->passes <= 0 &&
	    !effects->worthy)
		return;
	told.record = memory_book_make(memory->book, name, effects->now);
	if (told.record == NULL)
		return;
	if (effects->worthy && !of_pool)
		wide =
		    trust_of(memory, told.record, all_addresses, effects->now);
	if (effects->worthy && told.opener.spared)
		pool = trust_of(memory,
		    memory_book_find(memory->book, &names->pool, effects->now),
		    all_addresses, effects->now);
	changed = mark_all(memory, &told, effects, names);
	if (effects->passes > 0 || effects->worthy)
		add_trust(&told, effects,
		    pool.passes > wide.passes ? pool.passes : wide.passes);
	if (changed || effects->passes > 0 || effects->worthy)
		memory_book_renew(
		    memory->book, told.record, effects->worthy, effects->now);
}

/* Take bad points back, as far as there are any. */
static void
take_back(struct memory_sums *sums, int64_t half_life, int64_t now, double bad)
{
	struct reputation_sums left = memory_sums_read(sums, half_life, now);

	left.bad = left.bad > bad ? left.bad - bad : 0;
	if (now > sums->at)
		*sums = (struct memory_sums){left.good, left.bad, now};
	else
		sums->bad = left.bad;
}

/* Once in a while good points, else a bad one less. */
static void
pace(const struct memory *memory, struct memory_sums *sums, int64_t *paced_at,
    const struct store_effects *effects)
{
	const struct reputation_sums points = {effects->accepted, 0};

	if (effects->accepted <= 0)
		return;
	if (*paced_at != 0 &&
	    seconds_apart(effects->now, *paced_at) < STORE_ACCEPTED_EVERY) {
		take_back(sums, memory->terms.half_life, effects->now,
		    effects->accepted);
		return;
	}
	memory_sums_add(sums, memory->terms.half_life, effects->now, &points);
	*paced_at = effects->now;
}

static void
add_points(struct memory *memory, struct memory_record *record,
    const struct store_effects *effects)
{
	const struct reputation_sums points = {
	    effects->good > 0 ? effects->good : 0,
	    effects->bad > 0 ? effects->bad : 0};
	struct memory_host *host;

	memory_sums_add(
	    &record->sums, memory->terms.half_life, effects->now, &points);
	pace(memory, &record->sums, &record->paced_at, effects);
	host = memory_record_make_host(record, effects->client.host & 0xff);
	if (host == NULL)
		return;
	memory_sums_add(
	    &host->sums, memory->terms.half_life, effects->now, &points);
	pace(memory, &host->sums, &host->paced_at, effects);
}

static void
remember_points(struct memory *memory, const struct store_effects *effects,
    const struct names *names)
{
	struct memory_record *record;

	if (effects->good <= 0 && effects->bad <= 0 && effects->accepted <= 0)
		return;
	record = memory_book_make(memory->book, &names->network, effects->now);
	if (record == NULL)
		return;
	add_points(memory, record, effects);
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
		const struct memory_counting counting = {
		    .now = units > 0 ? effects->returned[i].at : effects->now,
		    .units = -units};

		if (units != 0)
			(void)memory_counters_take(memory->counters,
			    &names->takes[i], &counting, &counts);
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
	if (has_pool(&effects->client))
		remember_trust(memory, effects, &names, true);
	remember_trust(memory, effects, &names, false);
	remember_points(memory, effects, &names);
	return_units(memory, effects, &names);
	pthread_mutex_unlock(&memory->mutex);
	return STORE_OK;
}
