/* Forgetting in the embedded store, because somebody wishes it. */
#include "store/memory/store_memory_parts.h"

#include <string.h>

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
	*count += memory_distinct_forget(memory->distinct, holder);
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

enum store_result
memory_forget(
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
