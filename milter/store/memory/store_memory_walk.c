/* Every record as plain values, and back: see store/record.h. */
#include "store/memory/store_memory_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "store/record.h"

/* Copied under one lock; a walk through a large book has many empty places. */
#define PLACES_AT_ONCE	512
#define RECORDS_AT_ONCE 64

/* ---- To plain values */

static struct record_points
points_of(const struct memory *memory, const struct memory_sums *sums,
    int64_t paced_at, int64_t now)
{
	struct reputation_sums points =
	    memory_sums_read(sums, memory->terms.half_life, now);

	return (struct record_points){points.good, points.bad, paced_at};
}

static bool
copy_hosts(const struct memory *memory, const struct memory_record *record,
    int64_t now, struct store_record *plain)
{
	for (size_t i = 0; i < record->host_count; i++) {
		const struct memory_host *host = &record->hosts[i];
		struct record_host *copy = record_add_host(plain);

		if (copy == NULL)
			return false;
		copy->bucket = host->bucket;
		copy->points =
		    points_of(memory, &host->sums, host->paced_at, now);
	}
	return true;
}

static bool
copy_trusts(const struct memory_record *record, struct store_record *plain)
{
	for (size_t i = 0; i < record->trust_count; i++) {
		const struct memory_trust *trust = &record->trusts[i];
		struct record_trust *copy = record_add_trust(plain);

		if (copy == NULL)
			return false;
		memcpy(copy->address, trust->address, TRIPLET_ADDRESS_LENGTH);
		copy->passes = trust->passes;
		copy->last_used = trust->last_used;
	}
	return true;
}

/* A network is known by its number alone, as long as its record is there. */
static void
copy_opener(const struct memory *memory, const struct memory_record *record,
    const struct memory_opener *opener, int64_t now, struct record_opener *copy)
{
	const struct memory_record *network = opener->network == record->number
	    ? record
	    : memory_book_find_number(memory->book, opener->network, now);

	if (network == NULL)
		return;
	copy->is_known = true;
	copy->host = opener->host;
	copy->sender = opener->sender;
	copy->spared = opener->spared;
	if (network != record)
		memcpy(copy->network, network->name, strlen(network->name) + 1);
}

static bool
copy_clocks(const struct memory *memory, const struct memory_record *record,
    int64_t now, struct store_record *plain)
{
	for (size_t i = 0; i < record->clock_count; i++) {
		const struct memory_clock *clock = &record->clocks[i];
		struct record_clock *copy = record_add_clock(plain);

		if (copy == NULL)
			return false;
		memcpy(copy->pair, clock->name.pair, TRIPLET_LENGTH);
		memcpy(
		    copy->address, clock->name.address, TRIPLET_ADDRESS_LENGTH);
		copy->space = (enum clock_space)clock->name.space;
		copy->at = greylist_clock_decode(clock->clock);
		copy_opener(memory, record, &clock->opener, now, &copy->opener);
	}
	return true;
}

/* False: out of memory. */
static bool
copy_record(const struct memory *memory, const struct memory_record *record,
    int64_t now, struct store_record *plain_r)
{
	*plain_r = (struct store_record){.expires = record->expires,
	    .worthy = record->worthy,
	    .has_points = true,
	    .points = points_of(memory, &record->sums, record->paced_at, now)};
	memcpy(plain_r->name, record->name, strlen(record->name) + 1);
	return copy_hosts(memory, record, now, plain_r) &&
	    copy_trusts(record, plain_r) &&
	    copy_clocks(memory, record, now, plain_r);
}

/* ---- Walking */

struct page {
	struct store_record *records;
	size_t count;
};

static bool
add_to_page(const struct memory *memory, struct page *page,
    const struct memory_record *record, int64_t now)
{
	if (record->expires <= now)
		return true;
	if (!array_grow(&page->records, page->count, sizeof *page->records))
		return false;
	return copy_record(memory, record, now, &page->records[page->count++]);
}

/* Given away after the lock: whoever takes them may be slow. */
static void
give_page(struct page *page, store_record_each *each, void *arg)
{
	for (size_t i = 0; i < page->count; i++) {
		if (each != NULL)
			each(arg, &page->records[i]);
		record_clear(&page->records[i]);
	}
	free(page->records);
}

static enum store_result
walk_on(struct store *store, struct store_walk *walk, int64_t now,
    store_record_each *each, void *arg)
{
	struct memory *memory = (struct memory *)store;
	size_t count = memory_book_places(memory->book);
	size_t place = (size_t)walk->place, first = place;
	struct page page = {0};
	bool copied = true;

	pthread_mutex_lock(&memory->mutex);
	for (; copied && place < count && place - first < PLACES_AT_ONCE &&
	     page.count < RECORDS_AT_ONCE;
	     place++)
		for (const struct memory_record *record =
			 memory_book_at(memory->book, place);
		     record != NULL && copied; record = record->next)
			copied = add_to_page(memory, &page, record, now);
	pthread_mutex_unlock(&memory->mutex);
	give_page(&page, copied ? each : NULL, arg);
	if (!copied)
		return STORE_DOWN;
	walk->place = place;
	walk->is_done = place >= count;
	return STORE_OK;
}

static enum store_result
read_record(struct store *store, const char *name, int64_t now,
    store_record_each *each, void *arg)
{
	struct memory *memory = (struct memory *)store;
	const struct memory_record *record;
	struct memory_name named;
	struct page page = {0};
	bool copied = true;

	if (!memory_book_name(memory->book, name, &named))
		return STORE_DOWN;
	pthread_mutex_lock(&memory->mutex);
	record = memory_book_peek(memory->book, &named);
	if (record != NULL)
		copied = add_to_page(memory, &page, record, now);
	pthread_mutex_unlock(&memory->mutex);
	give_page(&page, copied ? each : NULL, arg);
	return copied ? STORE_OK : STORE_DOWN;
}

/* ---- And back */

static struct memory_sums
sums_of(const struct record_points *points, int64_t now)
{
	return (struct memory_sums){points->good, points->bad, now};
}

static bool
take_hosts(
    struct memory_record *record, const struct store_record *plain, int64_t now)
{
	for (size_t i = 0; i < plain->host_count; i++) {
		struct memory_host *host = memory_record_make_host(
		    record, plain->hosts[i].bucket & 0xff);

		if (host == NULL)
			return false;
		host->sums = sums_of(&plain->hosts[i].points, now);
		host->paced_at = plain->hosts[i].points.paced_at;
	}
	return true;
}

static bool
take_trusts(struct memory_record *record, const struct store_record *plain)
{
	for (size_t i = 0; i < plain->trust_count; i++) {
		struct memory_trust *trust =
		    memory_record_make_trust(record, plain->trusts[i].address);

		if (trust == NULL)
			return false;
		trust->passes = plain->trusts[i].passes;
		trust->last_used = plain->trusts[i].last_used;
	}
	return true;
}

/* Nobody is to blame for a clock of which nobody knows who started it. */
static bool
take_opener(const struct memory *memory, const struct store_record *plain,
    const struct record_opener *opener, struct memory_opener *opener_r)
{
	struct memory_name name;

	*opener_r = (struct memory_opener){.spared = true};
	if (!opener->is_known)
		return true;
	if (!memory_book_name(memory->book,
		opener->network[0] != '\0' ? opener->network : plain->name,
		&name))
		return false;
	*opener_r = (struct memory_opener){name.number,
	    (unsigned char)(opener->host & 0xff),
	    (unsigned char)(opener->sender % TRIPLET_SENDERS), opener->spared};
	return true;
}

static bool
take_clocks(const struct memory *memory, struct memory_record *record,
    const struct store_record *plain)
{
	for (size_t i = 0; i < plain->clock_count; i++) {
		const struct record_clock *from = &plain->clocks[i];
		struct memory_clock clock = {
		    .clock = greylist_clock_encode(&from->at)};

		memcpy(clock.name.pair, from->pair, TRIPLET_LENGTH);
		memcpy(
		    clock.name.address, from->address, TRIPLET_ADDRESS_LENGTH);
		clock.name.space = (unsigned char)from->space;
		if (!take_opener(memory, plain, &from->opener, &clock.opener))
			return false;
		if (clock.clock != 0)
			(void)memory_record_add(record, &clock);
	}
	return true;
}

static struct memory_record *
record_of(
    const struct memory *memory, const struct store_record *plain, int64_t now)
{
	struct memory_record *record = memory_record_new(plain->name);

	if (record == NULL)
		return NULL;
	record->expires = plain->expires;
	record->worthy = plain->worthy;
	record->paced_at = plain->points.paced_at;
	record->sums = sums_of(&plain->points, now);
	if (!take_hosts(record, plain, now) || !take_trusts(record, plain) ||
	    !take_clocks(memory, record, plain))
		memory_record_free(&record);
	return record;
}

/* What is there is taken out, merged, and put in again. */
static bool
restore(struct memory *memory, const struct memory_name *name,
    const struct store_record *other, int64_t now)
{
	struct memory_record *found = memory_book_find(memory->book, name, now);
	struct store_record mine = {0};
	struct memory_record *record = NULL;

	memcpy(mine.name, other->name, sizeof mine.name);
	if ((found == NULL || copy_record(memory, found, now, &mine)) &&
	    record_merge(&mine, other, &memory->terms, now))
		record = record_of(memory, &mine, now);
	record_clear(&mine);
	if (record == NULL)
		return false;
	if (found != NULL)
		memory_book_remove(memory->book, found);
	memory_book_adopt(memory->book, record, now);
	return true;
}

static enum store_result
restore_all(struct store *store, struct store_record *records, size_t count,
    int64_t now)
{
	struct memory *memory = (struct memory *)store;
	struct memory_name name;
	bool taken = true;

	for (size_t i = 0; taken && i < count; i++) {
		if (!memory_book_name(memory->book, records[i].name, &name))
			return STORE_DOWN;
		record_tidy(&records[i], &memory->terms, now);
		pthread_mutex_lock(&memory->mutex);
		taken = restore(memory, &name, &records[i], now);
		pthread_mutex_unlock(&memory->mutex);
	}
	return taken ? STORE_OK : STORE_DOWN;
}

static enum store_result
give_namer(struct store *store, struct triplet_namer *namer_r)
{
	*namer_r = ((struct memory *)store)->key.namer;
	return STORE_OK;
}

/* ---- Forgetting, because somebody wishes it */

/* False: out of memory. */
static bool
forget_counters(
    struct memory *memory, const struct store_forget *forget, size_t *count)
{
	char holder[TRIPLET_SIZE];

	if (forget->pair != NULL)
		return true;
	if (!triplet_holder(&memory->key.namer, forget->tag, holder))
		return false;
	*count += memory_counters_forget(memory->counters, holder);
	return true;
}

static size_t
forget_record(struct memory *memory, struct memory_record *record)
{
	size_t count =
	    record->clock_count + record->trust_count + record->host_count + 1;

	memory_book_remove(memory->book, record);
	return count;
}

static enum store_result
forget_client(
    struct store *store, const struct store_forget *forget, size_t *count_r)
{
	struct memory *memory = (struct memory *)store;
	const struct triplet_namer *namer = &memory->key.namer;
	const struct store_client client = {
	    .network = forget->tag, .address = forget->address};
	char address[TRIPLET_ADDRESS_SIZE], pair[TRIPLET_SIZE];
	struct memory_forgotten forgotten = {.bucket = forget->host};
	struct memory_record *record;
	struct memory_name name;
	bool named;

	if (forget->tag == NULL)
		return STORE_OK;
	named = memory_book_name(memory->book, forget->tag, &name);
	if (forget->address != NULL) {
		named = named && triplet_address(namer, &client, address);
		forgotten.address = address;
	}
	if (forget->pair != NULL) {
		named = named && triplet_name(namer, forget->pair, pair);
		forgotten.pair = pair;
	}
	if (!named)
		return STORE_DOWN;
	pthread_mutex_lock(&memory->mutex);
	record = memory_book_find(memory->book, &name, 0);
	if (record != NULL)
		*count_r = forget->address == NULL && forget->pair == NULL
		    ? forget_record(memory, record)
		    : memory_record_forget(
			  record, memory->terms.half_life, &forgotten);
	named = forget_counters(memory, forget, count_r);
	pthread_mutex_unlock(&memory->mutex);
	return named ? STORE_OK : STORE_DOWN;
}

const struct store_record_ops memory_record_ops = {
    .walk = walk_on,
    .read = read_record,
    .restore = restore_all,
    .namer = give_namer,
    .forget = forget_client,
};
