#include "store/memory/store_memory_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNTERS_SHARE                                                         \
	8		   /* of the memory: one eighth, and half as much for
			    * what is counted once */
#define JOURNAL_SHARE  4   /* and that of the journal, beside it */
#define PLACES_AT_ONCE 256 /* looked at under one lock */
#define REPORT_SIZE    1024
#define REFUSED_MAX    9 /* files that are kept aside */

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
take_reports(struct store *store, int64_t now,
    void (*each)(void *arg, const char *text), void *arg)
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

static void
tell(const struct memory *memory, bool bad, const char *text)
{
	if (memory->report != NULL)
		memory->report(memory->report_arg, bad, text);
}

/* Few places at a time, so that no session waits long. */
static void
write_records(struct memory *memory, struct memory_writer *writer)
{
	size_t count = memory_book_places(memory->book);
	const struct memory_record *record;

	for (size_t from = 0; from < count; from += PLACES_AT_ONCE) {
		pthread_mutex_lock(&memory->mutex);
		for (size_t i = from; i < count && i < from + PLACES_AT_ONCE;
		     i++)
			for (record = memory_book_at(memory->book, i);
			     record != NULL; record = record->next)
				memory_writer_put(writer, record);
		pthread_mutex_unlock(&memory->mutex);
		memory_writer_flush(writer);
	}
	pthread_mutex_lock(&memory->mutex);
	memory_writer_put_lists(writer, memory->lists);
	pthread_mutex_unlock(&memory->mutex);
}

/* A failure is told once, and once when it is over. */
static void
save(struct memory *memory)
{
	char error[REPORT_SIZE], text[REPORT_SIZE + 64];
	struct memory_writer *writer =
	    memory_writer_open(memory->file, &memory->key, error, sizeof error);
	bool saved = false;

	if (writer != NULL) {
		write_records(memory, writer);
		saved = memory_writer_commit(&writer, error, sizeof error);
	}
	if (!saved && !memory->save_failed) {
		snprintf(text, sizeof text, "cannot save records: %s", error);
		tell(memory, true, text);
	}
	if (saved && memory->save_failed)
		tell(memory, false, "records are saved again");
	memory->save_failed = !saved;
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
	tell(memory, false,
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
	memory_distinct_expire(memory->distinct, now);
	memory_lists_expire(memory->lists, now);
	pthread_mutex_unlock(&memory->mutex);
}

static bool
save_if_due(struct store *store, int64_t clock, bool last)
{
	struct memory *memory = (struct memory *)store;

	if (memory->saved_at < 0)
		memory->saved_at = clock;
	if (memory->file == NULL || memory->ended ||
	    (!last &&
		(memory->save_every <= 0 ||
		    clock - memory->saved_at < memory->save_every)))
		return true;
	memory->saved_at = clock;
	memory->ended = last;
	save(memory);
	return !memory->save_failed;
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
	memory_free_read(memory);
	memory_lists_close(&memory->lists);
	memory_book_close(&memory->book);
	memory_counters_close(&memory->counters);
	memory_distinct_close(&memory->distinct);
	memory_journal_close(&memory->journal);
	memory_board_close(&memory->board);
	free(memory->host);
	triplet_hash_free(&memory->hash);
	pthread_mutex_destroy(&memory->mutex);
	if (memory->lock >= 0)
		close(memory->lock);
	free(memory->file);
	free(memory);
}

static void
close_memory(struct store *store)
{
	struct memory *memory = (struct memory *)store;

	(void)save_if_due(store, 0, true);
	free_memory(memory);
}

/* Out of the way, so that the next save does not destroy what may be of use to
 * somebody; nor does the next file that is refused.  What is no file stays where
 * it is. */
static bool
put_aside(const struct memory *memory, char aside_r[PATH_MAX])
{
	struct stat status;
	int len = snprintf(aside_r, PATH_MAX, "%s.refused", memory->file);

	if (lstat(memory->file, &status) != 0 || !S_ISREG(status.st_mode))
		return false;
	for (int i = 2; i <= REFUSED_MAX && lstat(aside_r, &status) == 0; i++)
		len = snprintf(
		    aside_r, PATH_MAX, "%s.refused.%d", memory->file, i);
	return len < PATH_MAX && lstat(aside_r, &status) != 0 &&
	    rename(memory->file, aside_r) == 0;
}

/* What could not be moved is not replaced either. */
static void
leave_file(struct memory *memory)
{
	free(memory->file);
	memory->file = NULL;
}

static void
refuse_file(struct memory *memory, const char *error)
{
	char aside[PATH_MAX], text[2 * PATH_MAX];
	bool moved = put_aside(memory, aside);

	snprintf(text, sizeof text, "%s; starting without records%s%s", error,
	    moved ? ", the file is now "
		  : ", and what is learned is not saved: the file is "
		    "left as it is",
	    moved ? aside : "");
	tell(memory, true, text);
	if (!moved)
		leave_file(memory);
}

/* Two that save to one file would destroy what the other has learned.  The lock
 * ends with the process; where it cannot be made, nothing can be saved either, and
 * that is told then. */
static bool
is_ours(struct memory *memory)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[PATH_MAX], text[PATH_MAX + 128];

	if (snprintf(path, sizeof path, "%s.lock", memory->file) >=
	    (int)sizeof path)
		return true;
	memory->lock =
	    open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (memory->lock < 0 || fcntl(memory->lock, F_SETLK, &lock) == 0 ||
	    (errno != EACCES && errno != EAGAIN))
		return true;
	(void)fcntl(memory->lock, F_GETLK, &lock);
	snprintf(text, sizeof text,
	    "%s: another process (%ld) keeps its records there; these here "
	    "are not saved",
	    memory->file, (long)lock.l_pid);
	tell(memory, true, text);
	return false;
}

static void
read_file(struct memory *memory, int64_t now)
{
	struct memory_records records = {.lists = memory->lists};
	char error[REPORT_SIZE], text[REPORT_SIZE];

	switch (memory_file_read(
	    memory->file, &memory->key, &records, error, sizeof error)) {
	case MEMORY_READ_NONE:
		return;
	case MEMORY_READ_REFUSED:
		refuse_file(memory, error);
		return;
	case MEMORY_READ_OK:
		break;
	}
	for (size_t i = 0; i < records.count; i++)
		memory_book_adopt(memory->book, records.array[i], now);
	free(records.array);
	snprintf(text, sizeof text, "read %zu records from %s",
	    memory_book_count(memory->book), memory->file);
	tell(memory, false, text);
}

static bool
make_key(struct memory *memory, const unsigned char *given)
{
	struct triplet_namer *namer = &memory->key.namer;

	memory->hash = triplet_hash_new();
	namer->hash = memory->hash;
	memory->key.own = given == NULL;
	if (given == NULL)
		return memory->hash != NULL && triplet_key_new(namer->key);
	memcpy(namer->key, given, sizeof namer->key);
	return memory->hash != NULL;
}

static const struct store_ops operations = {
    .look_up = memory_look_up,
    .remember = memory_remember,
    .exchange_load = exchange_load,
    .read_list = memory_read_list,
    .take_reports = take_reports,
    .add_entries = memory_add_entries,
    .read_entries = memory_read_entries,
    .last_entries = memory_last_entries,
    .put_host = memory_put_host,
    .read_hosts = memory_read_hosts,
    .put_note = memory_put_note,
    .read_notes = memory_read_notes,
    .push = memory_push,
    .pop = memory_pop,
    .is_up = is_up,
    .tidy = tidy,
    .save = save_if_due,
    .stop = stop,
    .close = close_memory,
    .list_add = memory_list_add,
    .list_remove = memory_list_remove,
    .list_each = memory_list_each,
    .forget = memory_forget,
    .walk = memory_walk,
    .read_record = memory_read_record,
    .restore = memory_restore,
    .namer = memory_namer,
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
	memory->file = has_file ? strdup(config->file) : NULL;
	memory->counters = memory_counters_open(counter_octets);
	memory->distinct = memory_distinct_open(counter_octets / 2);
	memory->lists = memory_lists_open();
	memory->journal =
	    memory_journal_open(config->terms.memory_max / JOURNAL_SHARE);
	memory->board = memory_board_open();
	memory->host =
	    strdup(config->terms.host == NULL ? "" : config->terms.host);
	memory->store.host = memory->terms.host = memory->host;
	if (make_key(memory, config->key))
		memory->book =
		    memory_book_open(&memory->terms, &memory->key.namer);
	if (memory->book == NULL || memory->counters == NULL ||
	    memory->distinct == NULL || memory->lists == NULL ||
	    memory->journal == NULL || memory->board == NULL ||
	    memory->host == NULL || (has_file && memory->file == NULL)) {
		free_memory(memory);
		return NULL;
	}
	if (has_file && is_ours(memory))
		read_file(memory, now);
	else
		leave_file(memory);
	return &memory->store;
}
