#include "store/memory/store_memory_parts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNTERS_SHARE                                                         \
	8		   /* of the memory: one eighth, and half as much for
			    * what is counted once */
#define JOURNAL_SHARE  4   /* and that of the journal, beside it */
#define PLACES_AT_ONCE 256 /* looked at under one lock */

/* The farm is this host alone. */
static enum store_result
exchange_load(struct store *store, const struct load_report *own,
    struct load_report *reports_r, size_t size, int64_t *now_r, size_t *count_r)
{
	(void)store;
	*count_r = own != NULL && size > 0 ? 1 : 0;
	if (own != NULL)
		*now_r = own->at;
	if (*count_r > 0)
		reports_r[0] = *own;
	return STORE_OK;
}

static enum store_result
take_reports(struct store *store, int64_t now, store_text_each *each, void *arg)
{
	(void)store;
	(void)now;
	(void)each;
	(void)arg;
	return STORE_OK;
}

static bool
is_up(const struct store *store)
{
	(void)store;
	return true;
}

void
memory_say(const struct memory *memory, bool bad, const char *text)
{
	if (memory->report != NULL)
		memory->report(memory->report_arg, bad, text);
}

/* The clock was wrong, and what it gave lies ahead. */
static void
turn_back(struct memory *memory, int64_t now)
{
	size_t count = memory_book_places(memory->book);

	for (size_t from = 0; from < count; from += PLACES_AT_ONCE) {
		pthread_mutex_lock(&memory->mutex);
		for (size_t i = from; i < count && i < from + PLACES_AT_ONCE;
		     i++)
			memory_book_turn_back(memory->book, i, now);
		pthread_mutex_unlock(&memory->mutex);
	}
	memory_say(memory, false,
	    "the clock was ahead: what it told before counts as now");
}

static void
tidy(struct store *store, int64_t now)
{
	struct memory *memory = (struct memory *)store;

	if (now < memory->tidied_at - GREYLIST_SLACK)
		turn_back(memory, now);
	memory->tidied_at = now;
	pthread_mutex_lock(&memory->mutex);
	memory_book_expire(memory->book, now);
	memory_counters_expire(memory->counters, now);
	memory_lists_expire(&memory->lists, now);
	pthread_mutex_unlock(&memory->mutex);
}

/* Nothing takes long here. */
static void
stop(struct store *store)
{
	(void)store;
}

static void
free_memory(struct memory *memory)
{
	memory_lists_clear(&memory->lists);
	memory_matches_clear(&memory->matches);
	memory_book_close(&memory->book);
	memory_counters_close(&memory->counters);
	memory_journal_clear(&memory->journal);
	memory_board_clear(&memory->board);
	free(memory->host);
	triplet_hash_free(&memory->hash);
	pthread_mutex_destroy(&memory->mutex);
	pthread_mutex_destroy(&memory->aside);
	if (memory->lock >= 0)
		close(memory->lock);
	free(memory->file);
	free(memory);
}

static void
close_memory(struct store *store)
{
	struct memory *memory = (struct memory *)store;

	(void)memory_save(store, 0, true);
	free_memory(memory);
}

static bool
make_key(struct memory *memory, const unsigned char *given)
{
	struct triplet_namer *namer = &memory->key.namer;

	memory->hash = triplet_hash_new();
	namer->hash = memory->hash;
	memory->key.own = given == NULL;
	if (given == NULL && triplet_key_new(namer->key))
		given = namer->key;
	return memory->hash != NULL && given != NULL &&
	    triplet_namer_set(namer, given);
}

static const struct store_farm_ops farm_ops = {
    .exchange_load = exchange_load, .take_reports = take_reports};

static const struct store_ops operations = {
    .look_up = memory_look_up,
    .remember = memory_remember,
    .lists = &memory_list_ops,
    .matches = &memory_match_ops,
    .farm = &farm_ops,
    .journal = &memory_journal_ops,
    .board = &memory_board_ops,
    .records = &memory_record_ops,
    .is_up = is_up,
    .tidy = tidy,
    .save = memory_save,
    .stop = stop,
    .close = close_memory,
};

struct store *
store_memory_open(const struct store_memory_config *config, int64_t now)
{
	struct memory *memory = calloc(1, sizeof *memory);
	bool has_file = config->file != NULL && config->file[0] != '\0';
	size_t counter_octets = config->terms.memory_max / COUNTERS_SHARE;

	if (memory == NULL)
		return NULL;
	memory->store.ops = &operations;
	memory->lock = -1;
	memory->terms = config->terms;
	memory->terms.memory_max -= counter_octets + counter_octets / 2;
	memory->save_every = config->save_every;
	memory->saved_at = -1;
	memory->tidied_at = now;
	memory->report = config->report;
	memory->report_arg = config->report_arg;
	pthread_mutex_init(&memory->mutex, NULL);
	pthread_mutex_init(&memory->aside, NULL);
	memory->file = has_file ? strdup(config->file) : NULL;
	memory->counters = memory_counters_open(counter_octets);
	memory->journal.octets_max = config->terms.memory_max / JOURNAL_SHARE;
	memory->host =
	    strdup(config->terms.host == NULL ? "" : config->terms.host);
	memory->store.host = memory->terms.host = memory->host;
	if (make_key(memory, config->key))
		memory->book =
		    memory_book_open(&memory->terms, &memory->key.namer);
	if (memory->book == NULL || memory->counters == NULL ||
	    memory->host == NULL || (has_file && memory->file == NULL)) {
		free_memory(memory);
		return NULL;
	}
	memory_load(memory, now);
	return &memory->store;
}
