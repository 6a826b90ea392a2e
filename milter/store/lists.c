#include "store/lists.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/thread.h"
#include "mail/list_file.h"

#define ENTRIES_MAX   64
#define BAD_LINES_MAX 10   /* that are named in the log for one reading */
#define HANGS_MS      3000 /* until a reading that is late is a fault */

struct list_snapshot {
	atomic_ulong holders;
	struct list *list;
	struct list_snapshot *older; /* of those that we have replaced */
};

enum { FAULT_NONE = 0, FAULT_HANGS = -1 }; /* besides what errno can be */

struct entry {
	char *name;
	bool shared;
	unsigned kinds;			/* what can match of it */
	int fault;			/* that was said last */
	size_t useless;			/* entries, likewise */
	struct list_snapshot *snapshot; /* NULL: never loaded */
	/* What it was before, the latest first, as long as messages hold it: what
	 * they find there counts for it as it is now. */
	struct list_snapshot *older;
	struct aside *aside; /* NULL: a shared one */
};

/* Reading a file: its file system may hang. */
struct reading {
	char *path;
	unsigned kinds;			    /* that it is read for */
	struct list_file_identity identity; /* of what was read last */
	struct list *list;		    /* NULL: it has not changed */
	int fault;
};

/* One thread at a time refreshes: it adds and removes entries and reads sources.
 * The other mutex guards the array and the snapshot pointers against the
 * sessions. */
struct lists {
	pthread_mutex_t refreshing;
	pthread_mutex_t mutex;
	struct entry entries[ENTRIES_MAX];
	size_t count;
};

static struct list_snapshot *
snapshot_hold(struct list_snapshot *snapshot)
{
	if (snapshot != NULL)
		atomic_fetch_add(&snapshot->holders, 1);
	return snapshot;
}

static void
snapshot_release(struct list_snapshot **snapshot)
{
	struct list_snapshot *mine = *snapshot;

	*snapshot = NULL;
	if (mine == NULL || atomic_fetch_sub(&mine->holders, 1) != 1)
		return;
	list_free(&mine->list);
	free(mine);
}

struct lists *
lists_open(void)
{
	struct lists *lists = calloc(1, sizeof *lists);

	if (lists == NULL)
		return NULL;
	if (pthread_mutex_init(&lists->mutex, NULL) != 0) {
		free(lists);
		return NULL;
	}
	if (pthread_mutex_init(&lists->refreshing, NULL) != 0) {
		pthread_mutex_destroy(&lists->mutex);
		free(lists);
		return NULL;
	}
	return lists;
}

static void
report_bad_line(void *context, const char *path, unsigned line, const char *why)
{
	int *left = context;

	if (*left > 0)
		log_warning("%s:%u: %s (line skipped)", path, line, why);
	else if (*left == 0)
		log_warning("%s: more bad lines follow", path);
	(*left)--;
}

/* Done aside. */
static void
read_file(void *data)
{
	struct reading *reading = data;
	struct list_file_identity identity;
	int bad_lines_left = BAD_LINES_MAX;
	const struct list_file_terms terms = {
	    reading->kinds, report_bad_line, &bad_lines_left};

	reading->fault = FAULT_NONE;
	if (!list_file_identify(reading->path, &identity)) {
		reading->fault = errno;
		return;
	}
	if (!list_file_is_same(&identity, &reading->identity) &&
	    list_file_load(reading->path, &terms, &reading->list,
		&reading->identity) != LIST_FILE_LOADED)
		reading->fault = errno;
}

static void
drop_reading(void *data)
{
	struct reading *reading = data;

	list_free(&reading->list);
	free(reading->path);
}

static void
entry_clear(struct entry *entry)
{
	struct list_snapshot *older;

	for (; entry->older != NULL; entry->older = older) {
		older = entry->older->older;
		snapshot_release(&entry->older);
	}
	aside_close(&entry->aside);
	snapshot_release(&entry->snapshot);
	free(entry->name);
}

void
lists_close(struct lists **lists)
{
	if (*lists == NULL)
		return;
	for (size_t i = 0; i < (*lists)->count; i++)
		entry_clear(&(*lists)->entries[i]);
	pthread_mutex_destroy(&(*lists)->refreshing);
	pthread_mutex_destroy(&(*lists)->mutex);
	free(*lists);
	*lists = NULL;
}

static bool
is_source(const struct entry *entry, const struct list_source *source)
{
	return entry->shared == source->shared &&
	    strcmp(entry->name, source->name) == 0;
}

static bool
is_used(const struct entry *entry, const struct policy *policy)
{
	for (size_t i = 0; i < policy->list_count; i++)
		if (is_source(entry, &policy->lists[i]))
			return true;
	return false;
}

static struct entry *
find(struct lists *lists, const struct list_source *source)
{
	for (size_t i = 0; i < lists->count; i++)
		if (is_source(&lists->entries[i], source))
			return &lists->entries[i];
	return NULL;
}

/* Sessions of an earlier policy may still read its lists, and the next reload may
 * name them again; so they go only when their room is needed. */
static void
drop_unused(struct lists *lists, const struct policy *policy)
{
	size_t kept = 0;

	if (lists->count + policy->list_count <= ENTRIES_MAX)
		return;

	for (size_t i = 0; i < lists->count; i++) {
		if (is_used(&lists->entries[i], policy))
			lists->entries[kept++] = lists->entries[i];
		else
			entry_clear(&lists->entries[i]);
	}
	lists->count = kept;
}

/* False: out of memory. */
static bool
entry_open(struct entry *entry, const struct list_source *source)
{
	struct reading *reading;

	memset(entry, 0, sizeof *entry);
	entry->shared = source->shared;
	entry->name = strdup(source->name);
	if (source->shared || entry->name == NULL)
		return entry->name != NULL;
	entry->aside =
	    aside_open("list", sizeof *reading, read_file, drop_reading);
	if (entry->aside != NULL) {
		reading = aside_data(entry->aside);
		reading->path = strdup(source->name);
		if (reading->path != NULL)
			return true;
	}
	entry_clear(entry);
	return false;
}

static void
add_missing(struct lists *lists, const struct policy *policy)
{
	for (size_t i = 0; i < policy->list_count; i++) {
		const struct list_source *source = &policy->lists[i];

		struct entry *entry = find(lists, source);

		if (entry == NULL && lists->count < ENTRIES_MAX &&
		    entry_open(&lists->entries[lists->count], source))
			entry = &lists->entries[lists->count++];
		if (entry != NULL)
			entry->kinds = source->kinds;
	}
}

/* Puts `list`, which it takes over, in the place of the old one. */
static void
replace(struct lists *lists, struct entry *entry, struct list *list)
{
	struct list_snapshot *fresh = calloc(1, sizeof *fresh);
	struct list_snapshot *old;

	if (fresh == NULL) {
		list_free(&list);
		return;
	}
	atomic_init(&fresh->holders, 1);
	fresh->list = list;
	old = entry->snapshot;
	if (old != NULL) {
		list_carry(list, old->list);
		old->older = entry->older;
		entry->older = old;
	}
	pthread_mutex_lock(&lists->mutex);
	entry->snapshot = fresh;
	pthread_mutex_unlock(&lists->mutex);
}

/* Let go what no message holds any more. */
static void
drop_older(struct entry *entry)
{
	struct list_snapshot **at = &entry->older, *gone;

	while (*at != NULL) {
		gone = *at;
		if (atomic_load(&gone->holders) > 1) {
			at = &gone->older;
			continue;
		}
		*at = gone->older;
		list_carry(entry->snapshot->list, gone->list);
		snapshot_release(&gone);
	}
}

static const char *
fault_text(int fault)
{
	return fault == FAULT_HANGS ? "its file system does not answer"
				    : file_why(fault);
}

/* Each fault is told once, and its end. */
static void
report(struct entry *entry, int fault)
{
	if (fault == FAULT_NONE && entry->fault != FAULT_NONE)
		log_info("list %s: can be read again", entry->name);
	else if (fault != entry->fault)
		log_warning("list %s: %s; %s", entry->name, fault_text(fault),
		    entry->snapshot != NULL ? "the last one serves on"
					    : "it is not known");
	entry->fault = fault;
}

static void
end_file(struct lists *lists, struct entry *entry, int64_t due_us)
{
	struct reading *reading;

	if (!aside_wait(entry->aside, (due_us - clock_steady_us()) / 1000)) {
		if (aside_age(entry->aside) >= HANGS_MS)
			report(entry, FAULT_HANGS);
		return;
	}
	reading = aside_data(entry->aside);
	report(entry, reading->fault);
	if (reading->list != NULL)
		replace(lists, entry, reading->list);
	reading->list = NULL;
}

/* All files at once, so that those which hang cost the others nothing. */
static void
refresh_files(
    struct lists *lists, const struct policy *policy, int64_t within_ms)
{
	int64_t due_us = clock_steady_us() + within_ms * 1000;
	struct reading *reading;

	for (size_t i = 0; i < lists->count; i++) {
		struct entry *entry = &lists->entries[i];

		if (entry->shared || !is_used(entry, policy))
			continue;
		reading = aside_data(entry->aside);
		if (reading != NULL && reading->kinds != entry->kinds) {
			reading->kinds = entry->kinds;
			memset(&reading->identity, 0, sizeof reading->identity);
		}
		if (reading != NULL && reading->list == NULL &&
		    !aside_start(entry->aside))
			report(entry, EAGAIN);
	}
	for (size_t i = 0; i < lists->count; i++)
		if (!lists->entries[i].shared &&
		    is_used(&lists->entries[i], policy))
			end_file(lists, &lists->entries[i], due_us);
}

/* Entries that are of use for nothing that asks this list, as the networks of one
 * that only senders are looked up in. */
static void
report_useless(struct entry *entry, size_t count)
{
	if (count > 0 && count != entry->useless)
		log_warning("list %s: %zu entries can never match: they are %s",
		    entry->name, count,
		    (entry->kinds & LIST_NETWORK) == 0
			? "addresses or networks, and it is not asked for "
			  "clients' addresses"
			: "mail addresses, and it is not asked for senders or "
			  "recipients");
	entry->useless = count;
}

/* A store that is away is reported by its keeper, not here. */
static void
refresh_shared(struct lists *lists, struct entry *entry, struct store *store)
{
	struct list *list = NULL;

	if (store_read_list(store, entry->name, &list) != STORE_OK ||
	    list == NULL)
		return;
	report_useless(entry, list_count_of(list, LIST_ALL & ~entry->kinds));
	replace(lists, entry, list);
}

void
lists_refresh(struct lists *lists, const struct policy *policy,
    struct store *store, int64_t within_ms)
{
	if (store == NULL)
		pthread_mutex_lock(&lists->refreshing);
	else if (pthread_mutex_trylock(&lists->refreshing) != 0)
		return; /* a reload waits for files, and we have more to do */
	pthread_mutex_lock(&lists->mutex);
	drop_unused(lists, policy);
	add_missing(lists, policy);
	pthread_mutex_unlock(&lists->mutex);
	refresh_files(lists, policy, within_ms);
	for (size_t i = 0; store != NULL && i < lists->count; i++)
		if (lists->entries[i].shared &&
		    is_used(&lists->entries[i], policy))
			refresh_shared(lists, &lists->entries[i], store);
	for (size_t i = 0; i < lists->count; i++)
		drop_older(&lists->entries[i]);
	pthread_mutex_unlock(&lists->refreshing);
}

void
lists_hold(struct lists *lists, const struct policy *policy,
    struct list_snapshot **snapshots_r, const struct list **lists_r)
{
	pthread_mutex_lock(&lists->mutex);
	for (size_t i = 0; i < policy->list_count; i++) {
		struct entry *entry = find(lists, &policy->lists[i]);

		snapshots_r[i] =
		    entry == NULL ? NULL : snapshot_hold(entry->snapshot);
		lists_r[i] =
		    snapshots_r[i] == NULL ? NULL : snapshots_r[i]->list;
	}
	pthread_mutex_unlock(&lists->mutex);
}

void
lists_release(struct list_snapshot **snapshots, size_t count)
{
	for (size_t i = 0; i < count; i++)
		snapshot_release(&snapshots[i]);
}
