#include "store/memory/memory_record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/seconds.h"

#define ALLOCATION 16 /* what an allocator adds to each piece, about */

struct memory_record *
memory_record_new(const char *name)
{
	size_t size = strlen(name) + 1;
	struct memory_record *record = calloc(1, sizeof *record + size);

	if (record != NULL)
		memcpy(record->name, name, size);
	return record;
}

void
memory_record_free(struct memory_record **record)
{
	if (*record == NULL)
		return;
	free((*record)->hosts);
	free((*record)->clocks);
	free((*record)->index);
	free((*record)->trusts);
	free((*record)->crowds);
	free(*record);
	*record = NULL;
}

static size_t
octets_of(const void *array, size_t room, size_t size)
{
	return array == NULL ? 0 : room * size + ALLOCATION;
}

size_t
memory_record_octets(const struct memory_record *record)
{
	return sizeof *record + strlen(record->name) + 1 + ALLOCATION +
	    octets_of(record->hosts, record->host_room, sizeof *record->hosts) +
	    octets_of(
		record->clocks, record->clock_room, sizeof *record->clocks) +
	    octets_of(
		record->index, record->index_size, sizeof *record->index) +
	    octets_of(
		record->trusts, record->trust_room, sizeof *record->trusts) +
	    octets_of(
		record->crowds, record->crowd_room, sizeof *record->crowds);
}

/* What a point is worth `age` seconds after it was made. */
static double
fade(int64_t half_life, int64_t age)
{
	if (age <= 0)
		return 1;
	return exp2(-(double)age / (double)(half_life > 0 ? half_life : 1));
}

/* Points may come in out of order; then the older of the two are faded. */
void
memory_sums_add(struct memory_sums *sums, int64_t half_life, int64_t now,
    const struct reputation_sums *points)
{
	int64_t age = seconds_between(now, sums->at);
	double sums_fade = fade(half_life, age);
	double points_fade = fade(half_life, -age);

	sums->good = sums->good * sums_fade + points->good * points_fade;
	sums->bad = sums->bad * sums_fade + points->bad * points_fade;
	if (now > sums->at)
		sums->at = now;
}

struct reputation_sums
memory_sums_read(const struct memory_sums *sums, int64_t half_life, int64_t now)
{
	double left = fade(half_life, seconds_between(now, sums->at));

	return (struct reputation_sums){sums->good * left, sums->bad * left};
}

/* Make room for one more element; NULL: out of memory, `array` is as before. */
static void *
grow(void *array, size_t count, size_t *room, size_t size)
{
	size_t more = *room == 0 ? 1 : *room * 2;
	void *larger;

	if (count < *room)
		return array;
	larger = realloc(array, more * size);
	if (larger != NULL)
		*room = more;
	return larger;
}

struct memory_host *
memory_record_host(const struct memory_record *record, unsigned bucket)
{
	for (size_t i = 0; i < record->host_count; i++)
		if (record->hosts[i].bucket == bucket)
			return &record->hosts[i];
	return NULL;
}

struct memory_host *
memory_record_make_host(struct memory_record *record, unsigned bucket)
{
	struct memory_host *host = memory_record_host(record, bucket);
	struct memory_host *hosts;

	if (host != NULL)
		return host;
	hosts = grow(record->hosts, record->host_count, &record->host_room,
	    sizeof *hosts);
	if (hosts == NULL)
		return NULL;
	record->hosts = hosts;
	hosts += record->host_count++;
	*hosts = (struct memory_host){.bucket = (unsigned char)bucket};
	return hosts;
}

struct memory_trust *
memory_record_trust(const struct memory_record *record, const char *address)
{
	for (size_t i = 0; i < record->trust_count; i++)
		if (memcmp(record->trusts[i].address, address,
			TRIPLET_ADDRESS_LENGTH) == 0)
			return &record->trusts[i];
	return NULL;
}

static struct memory_trust *
oldest_trust(const struct memory_record *record)
{
	struct memory_trust *oldest = &record->trusts[0];

	for (size_t i = 1; i < record->trust_count; i++)
		if (record->trusts[i].last_used < oldest->last_used)
			oldest = &record->trusts[i];
	return oldest;
}

struct memory_trust *
memory_record_make_trust(struct memory_record *record, const char *address)
{
	struct memory_trust *trust = memory_record_trust(record, address);
	struct memory_trust *trusts;

	if (trust != NULL)
		return trust;
	if (record->trust_count == MEMORY_TRUSTS_MAX) {
		trust = oldest_trust(record);
	} else {
		trusts = grow(record->trusts, record->trust_count,
		    &record->trust_room, sizeof *trusts);
		if (trusts == NULL)
			return NULL;
		record->trusts = trusts;
		trust = &trusts[record->trust_count++];
	}
	*trust = (struct memory_trust){0};
	memcpy(trust->address, address, TRIPLET_ADDRESS_LENGTH);
	return trust;
}

/* --- finding clocks --- */

/* Names are keyed hashes: some bits of them will do. */
static size_t
index_start(
    const struct memory_record *record, const struct memory_clock_name *name)
{
	uint64_t pair;
	uint32_t address;

	memcpy(&pair, name->pair, sizeof pair);
	memcpy(&address, name->address, sizeof address);
	pair ^= ((uint64_t)address << 3 ^ name->space) *
	    UINT64_C(0x9e3779b97f4a7c15);
	pair *= UINT64_C(0xff51afd7ed558ccd);
	return (size_t)(pair >> 32) & (record->index_size - 1);
}

static bool
is_named(const struct memory_clock *clock, const struct memory_clock_name *name)
{
	return clock->name.space == name->space &&
	    memcmp(clock->name.pair, name->pair, TRIPLET_LENGTH) == 0 &&
	    memcmp(clock->name.address, name->address,
		TRIPLET_ADDRESS_LENGTH) == 0;
}

/* Where in the index that name stands, or else the empty place where it would.
 * The index is never full. */
static size_t
index_find(
    const struct memory_record *record, const struct memory_clock_name *name)
{
	size_t at = index_start(record, name);

	while (record->index[at] != 0 &&
	    !is_named(&record->clocks[record->index[at] - 1], name))
		at = (at + 1) & (record->index_size - 1);
	return at;
}

static void
index_all(struct memory_record *record)
{
	memset(record->index, 0, record->index_size * sizeof *record->index);
	for (size_t i = 0; i < record->clock_count; i++)
		record->index[index_find(record, &record->clocks[i].name)] =
		    (uint16_t)(i + 1);
}

/* Close the gap, so that every name is still met before an empty place. */
static void
index_remove(struct memory_record *record, size_t gap)
{
	size_t mask = record->index_size - 1;

	for (size_t at = (gap + 1) & mask; record->index[at] != 0;
	     at = (at + 1) & mask) {
		size_t start = index_start(
		    record, &record->clocks[record->index[at] - 1].name);

		if (((at - start) & mask) >= ((at - gap) & mask)) {
			record->index[gap] = record->index[at];
			gap = at;
		}
	}
	record->index[gap] = 0;
}

static struct memory_clock *
find_clock(
    const struct memory_record *record, const struct memory_clock_name *name)
{
	size_t place;

	if (record->clock_count == 0)
		return NULL;
	place = record->index[index_find(record, name)];
	return place == 0 ? NULL : &record->clocks[place - 1];
}

int64_t
memory_record_clock(
    const struct memory_record *record, const struct memory_clock_name *name)
{
	const struct memory_clock *clock = find_clock(record, name);

	return clock == NULL ? 0 : clock->clock;
}

/* The index has twice as many places as there is room for clocks. */
static bool
make_room(struct memory_record *record)
{
	struct memory_clock *clocks;
	size_t room = record->clock_room;
	uint16_t *index;

	if (record->clock_count < room)
		return record->clocks != NULL; /* as an analyser cannot see */
	if (room >= MEMORY_CLOCKS_MAX)
		return false;
	clocks = grow(record->clocks, record->clock_count, &record->clock_room,
	    sizeof *clocks);
	if (clocks == NULL)
		return false;
	record->clocks = clocks;
	index = realloc(
	    record->index, 2 * record->clock_room * sizeof *record->index);
	if (index == NULL) {
		record->clock_room = room;
		return false;
	}
	record->index = index;
	record->index_size = 2 * record->clock_room;
	index_all(record);
	return true;
}

/* When there will be something to prune: pending clocks end sooner. */
static void
note_end(struct memory_record *record, const struct store_terms *terms,
    const struct memory_clock *clock)
{
	struct greylist_clock at = greylist_clock_decode(clock->clock);
	int64_t life = clock->clock < 0 ? terms->worthy_life
	    : clock->name.space == CLOCK_REAL &&
		terms->abandoned_after < terms->pending_life
	    ? terms->abandoned_after
	    : terms->pending_life;
	int64_t since = clock->clock < 0 ? at.last_passed : at.first_seen;
	int64_t end = seconds_between(life, -since);

	if (end < record->prune_at)
		record->prune_at = end;
}

bool
memory_record_add(
    struct memory_record *record, const struct memory_clock *clock)
{
	if (find_clock(record, &clock->name) != NULL || !make_room(record))
		return false;
	record->clocks[record->clock_count] = *clock;
	record->index[index_find(record, &clock->name)] =
	    (uint16_t)(record->clock_count + 1);
	record->clock_count++;
	record->prune_at = 0;
	return true;
}

/* The last clock takes the place of the one that goes. */
static void
remove_clock(struct memory_record *record, struct memory_clock *clock)
{
	struct memory_clock *last = &record->clocks[record->clock_count - 1];

	index_remove(record, index_find(record, &clock->name));
	if (clock != last) {
		size_t at = index_find(record, &last->name);

		*clock = *last;
		record->index[at] = (uint16_t)(clock - record->clocks + 1);
	}
	record->clock_count--;
}

/* --- marking them --- */

static bool
change_clock(int64_t *clock, enum clock_mark mark, int64_t now)
{
	const struct greylist_clock first = {.first_seen = now};
	const struct greylist_clock passed = {.last_passed = now};
	int64_t before = *clock;

	switch (mark) {
	case MARK_NONE:
		break;
	case MARK_FIRST:
		if (*clock == 0)
			*clock = greylist_clock_encode(&first);
		break;
	case MARK_RESTART:
		*clock = greylist_clock_encode(&first);
		break;
	case MARK_PASSED:
		*clock = greylist_clock_encode(&passed);
		break;
	case MARK_FORGET:
		*clock = 0;
		break;
	}
	return *clock != before;
}

static uint64_t
author_of(const struct memory_opener *opener)
{
	return opener->network ^ (uint64_t)opener->host << 56;
}

static struct memory_crowd *
find_crowd(const struct memory_record *record, uint64_t author)
{
	for (size_t i = 0; i < record->crowd_count; i++)
		if (record->crowds[i].author == author)
			return &record->crowds[i];
	return NULL;
}

int64_t
memory_record_crowded(const struct memory_record *record,
    const struct memory_opener *opener, int64_t now)
{
	const struct memory_crowd *crowd =
	    find_crowd(record, author_of(opener));

	return crowd == NULL ? 0 : clock_crowd_since(&crowd->crowd, now);
}

static void
note_crowd(struct memory_record *record, uint64_t author, int64_t now)
{
	struct memory_crowd *crowd = find_crowd(record, author), *crowds;

	for (size_t i = 0; crowd == NULL && i < record->crowd_count; i++)
		if (clock_crowd_since(&record->crowds[i].crowd, now) == 0)
			crowd = &record->crowds[i];
	if (crowd == NULL) {
		if (record->crowd_count == CLOCK_CROWDS_MAX)
			return;
		crowds = grow(record->crowds, record->crowd_count,
		    &record->crowd_room, sizeof *crowds);
		if (crowds == NULL)
			return;
		record->crowds = crowds;
		crowd = &crowds[record->crowd_count++];
		*crowd = (struct memory_crowd){0};
	}
	if (crowd->author != author)
		*crowd = (struct memory_crowd){.author = author};
	clock_crowd_note(&crowd->crowd, now);
}

static int
compare_items(const void *a, const void *b)
{
	const struct clock_place *x = a, *y = b;

	return (x->item < y->item) - (x->item > y->item);
}

/* From the back, so that what takes the place of one that goes is no other one
 * that is to go. */
static void
remove_places(
    struct memory_record *record, struct clock_place *places, size_t count)
{
	qsort(places, count, sizeof *places, compare_items);
	for (size_t i = 0; i < count; i++)
		remove_clock(record, &record->clocks[places[i].item]);
}

/* Without memory nothing is cut, and make_room() bounds the record. */
static void
cut_down(struct memory_record *record, size_t cap, int64_t now)
{
	struct clock_place *places =
	    malloc(record->clock_count * sizeof *places);
	struct clock_surplus surplus;
	size_t pending;

	if (places == NULL)
		return;
	for (size_t i = 0; i < record->clock_count; i++) {
		const struct memory_clock *clock = &record->clocks[i];

		places[i] = (struct clock_place){author_of(&clock->opener),
		    clock->opener.sender, clock->clock, i, 0};
	}
	clock_places_sort(places, record->clock_count, cap, &surplus, &pending);
	for (size_t i = 0; i < surplus.pending; i++)
		note_crowd(record, places[i].author, now);
	memmove(&places[surplus.pending], &places[pending],
	    surplus.passed * sizeof *places);
	remove_places(record, places, surplus.pending + surplus.passed);
	free(places);
}

static bool
add_marked(struct memory_record *record, const struct store_terms *terms,
    const struct memory_clock *clock, int64_t now)
{
	size_t cap = terms->network_cap > 0 ? terms->network_cap : 1;
	int64_t prune_at = record->prune_at;

	if (!memory_record_add(record, clock))
		return false;
	record->prune_at = prune_at;
	note_end(record, terms, clock);
	if (record->clock_count > cap + cap / 8)
		cut_down(record, cap, now);
	return true;
}

bool
memory_record_mark(struct memory_record *record,
    const struct store_terms *terms, const struct memory_clock *clock,
    enum clock_mark mark, int64_t now)
{
	struct memory_clock *found, fresh = *clock;

	if (mark == MARK_NONE)
		return false;
	found = find_clock(record, &clock->name);
	if (found == NULL) {
		fresh.clock = 0;
		return change_clock(&fresh.clock, mark, now) &&
		    add_marked(record, terms, &fresh, now);
	}
	if (!change_clock(&found->clock, mark, now))
		return false;
	if (mark == MARK_RESTART)
		found->opener = clock->opener;
	if (found->clock == 0)
		remove_clock(record, found);
	else
		note_end(record, terms, found);
	return true;
}

/* --- clocks that end --- */

static bool
is_asked(const struct memory_clock *clock, char (*asked)[TRIPLET_SIZE],
    size_t asked_count)
{
	for (size_t i = 0; i < asked_count; i++)
		if (memcmp(clock->name.pair, asked[i], TRIPLET_LENGTH) == 0)
			return true;
	return false;
}

static size_t
blame(struct memory_blame *blamed, size_t count,
    const struct memory_opener *opener)
{
	for (size_t i = 0; i < count; i++)
		if (author_of(&blamed[i].opener) == author_of(opener)) {
			blamed[i].count++;
			return count;
		}
	if (count == MEMORY_BLAMED_MAX)
		return count;
	blamed[count] = (struct memory_blame){*opener, 1};
	return count + 1;
}

/* A client's own clock is no attempt, and none is abandoned. */
static bool
is_of_client(const struct memory_clock *clock)
{
	static const char none[TRIPLET_LENGTH];

	return memcmp(clock->name.pair, none, sizeof none) == 0;
}

static enum clock_worth
worth_of(const struct memory_clock *clock, const struct store_terms *terms,
    int64_t now)
{
	return clock_worth(clock->clock,
	    is_of_client(clock) ? CLOCK_OBSERVED
				: (enum clock_space)clock->name.space,
	    terms, now);
}

size_t
memory_record_blamed(const struct memory_record *record,
    const struct store_terms *terms, char (*asked)[TRIPLET_SIZE],
    size_t asked_count, int64_t now,
    struct memory_blame blamed_r[MEMORY_BLAMED_MAX])
{
	size_t blamed = 0;

	if (now < record->prune_at)
		return 0;
	for (size_t i = record->clock_count; i-- > 0;) {
		const struct memory_clock *clock = &record->clocks[i];

		if (worth_of(clock, terms, now) == CLOCK_ABANDONED &&
		    !clock->opener.spared &&
		    !is_asked(clock, asked, asked_count))
			blamed = blame(blamed_r, blamed, &clock->opener);
	}
	return blamed;
}

size_t
memory_record_prune(struct memory_record *record,
    const struct store_terms *terms, char (*asked)[TRIPLET_SIZE],
    size_t asked_count, int64_t now,
    struct memory_blame blamed_r[MEMORY_BLAMED_MAX])
{
	size_t blamed = memory_record_blamed(
	    record, terms, asked, asked_count, now, blamed_r);

	if (now < record->prune_at)
		return 0;
	record->prune_at = INT64_MAX;
	for (size_t i = record->clock_count; i-- > 0;) {
		struct memory_clock *clock = &record->clocks[i];
		enum clock_worth worth = worth_of(clock, terms, now);

		if ((worth != CLOCK_FORGOTTEN && worth != CLOCK_ABANDONED) ||
		    is_asked(clock, asked, asked_count)) {
			note_end(record, terms, clock);
			continue;
		}
		remove_clock(record, clock);
	}
	return blamed;
}

static void
turn_back(int64_t *time, int64_t now)
{
	if (*time > now)
		*time = now;
}

static void
turn_clock_back(int64_t *clock, int64_t now)
{
	struct greylist_clock times = greylist_clock_decode(*clock);

	turn_back(&times.first_seen, now);
	turn_back(&times.last_passed, now);
	*clock = greylist_clock_encode(&times);
}

void
memory_record_turn_back(struct memory_record *record, int64_t now)
{
	turn_back(&record->paced_at, now);
	turn_back(&record->sums.at, now);
	record->prune_at = 0;
	for (size_t i = 0; i < record->host_count; i++) {
		turn_back(&record->hosts[i].paced_at, now);
		turn_back(&record->hosts[i].sums.at, now);
	}
	for (size_t i = 0; i < record->trust_count; i++)
		turn_back(&record->trusts[i].last_used, now);
	for (size_t i = 0; i < record->crowd_count; i++) {
		turn_back(&record->crowds[i].crowd.since, now);
		turn_back(&record->crowds[i].crowd.last, now);
	}
	for (size_t i = 0; i < record->clock_count; i++)
		turn_clock_back(&record->clocks[i].clock, now);
}

/* --- forgetting --- */

static bool
is_forgotten(
    const struct memory_clock *clock, const struct memory_forgotten *forgotten)
{
	return (forgotten->address == NULL ||
		   memcmp(clock->name.address, forgotten->address,
		       TRIPLET_ADDRESS_LENGTH) == 0) &&
	    (forgotten->pair == NULL ||
		memcmp(clock->name.pair, forgotten->pair, TRIPLET_LENGTH) == 0);
}

static size_t
forget_clocks(
    struct memory_record *record, const struct memory_forgotten *forgotten)
{
	size_t count = 0;

	for (size_t i = record->clock_count; i-- > 0;)
		if (is_forgotten(&record->clocks[i], forgotten)) {
			remove_clock(record, &record->clocks[i]);
			count++;
		}
	return count;
}

/* What a host has earned is its network's as well. */
static void
forget_host(
    struct memory_record *record, struct memory_host *host, int64_t half_life)
{
	int64_t at =
	    record->sums.at > host->sums.at ? record->sums.at : host->sums.at;
	struct reputation_sums of_host =
	    memory_sums_read(&host->sums, half_life, at);
	struct reputation_sums all =
	    memory_sums_read(&record->sums, half_life, at);

	record->sums = (struct memory_sums){fmax(all.good - of_host.good, 0),
	    fmax(all.bad - of_host.bad, 0), at};
	*host = record->hosts[--record->host_count];
}

size_t
memory_record_forget(struct memory_record *record, int64_t half_life,
    const struct memory_forgotten *forgotten)
{
	const struct memory_opener opener = {.network = record->number,
	    .host = (unsigned char)forgotten->bucket};
	size_t count = forget_clocks(record, forgotten);
	struct memory_trust *trust;
	struct memory_crowd *crowd;
	struct memory_host *host;

	if (forgotten->pair != NULL || forgotten->address == NULL)
		return count;
	trust = memory_record_trust(record, forgotten->address);
	if (trust != NULL) {
		*trust = record->trusts[--record->trust_count];
		count++;
	}
	crowd = find_crowd(record, author_of(&opener));
	if (crowd != NULL)
		*crowd = record->crowds[--record->crowd_count];
	host = memory_record_host(record, forgotten->bucket);
	if (host != NULL) {
		forget_host(record, host, half_life);
		count++;
	}
	return count;
}
