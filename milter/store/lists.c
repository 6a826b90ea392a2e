#include "store/lists.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "mail/list_file.h"

#define ENTRIES_MAX   64
#define BAD_LINES_MAX 10 /* that are named in the log for one reading */

struct list_snapshot {
	atomic_ulong holders;
	struct list *list;
};

struct entry {
	char *name;
	bool shared;
	bool failed; /* and that was said */
	struct list_file_identity identity;
	struct list_snapshot *snapshot; /* NULL: never loaded */
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
entry_clear(struct entry *entry)
{
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

static void
add_missing(struct lists *lists, const struct policy *policy)
{
	for (size_t i = 0; i < policy->list_count; i++) {
		const struct list_source *source = &policy->lists[i];
		struct entry *entry = &lists->entries[lists->count];

		if (find(lists, source) != NULL || lists->count == ENTRIES_MAX)
			continue;
		memset(entry, 0, sizeof *entry);
		entry->name = strdup(source->name);
		entry->shared = source->shared;
		if (entry->name != NULL)
			lists->count++;
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
	pthread_mutex_lock(&lists->mutex);
	old = entry->snapshot;
	entry->snapshot = fresh;
	pthread_mutex_unlock(&lists->mutex);
	snapshot_release(&old);
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

static void
report_failure(struct entry *entry)
{
	if (!entry->failed)
		log_warning("list %s: %s; %s", entry->name, strerror(errno),
		    entry->snapshot != NULL ? "the last one serves on"
					    : "it is not known");
	entry->failed = true;
}

static void
report_recovery(struct entry *entry)
{
	if (entry->failed)
		log_info("list %s: can be read again", entry->name);
	entry->failed = false;
}

static void
refresh_file(struct lists *lists, struct entry *entry)
{
	struct list_file_identity identity;
	struct list *list = NULL;
	int bad_lines_left = BAD_LINES_MAX;

	if (!list_file_identify(entry->name, &identity)) {
		report_failure(entry);
		return;
	}
	if (list_file_is_same(&identity, &entry->identity)) {
		report_recovery(entry);
		return;
	}
	if (list_file_load(entry->name, report_bad_line, &bad_lines_left, &list,
		&entry->identity) != LIST_FILE_LOADED) {
		report_failure(entry);
		return;
	}
	report_recovery(entry);
	replace(lists, entry, list);
}

/* A store that is away is reported by its keeper, not here. */
static void
refresh_shared(struct lists *lists, struct entry *entry, struct store *store)
{
	struct list *list = NULL;

	if (store_read_list(store, entry->name, &list) == STORE_OK &&
	    list != NULL)
		replace(lists, entry, list);
}

void
lists_refresh(
    struct lists *lists, const struct policy *policy, struct store *store)
{
	pthread_mutex_lock(&lists->refreshing);
	pthread_mutex_lock(&lists->mutex);
	drop_unused(lists, policy);
	add_missing(lists, policy);
	pthread_mutex_unlock(&lists->mutex);
	for (size_t i = 0; i < lists->count; i++) {
		struct entry *entry = &lists->entries[i];

		if (!is_used(entry, policy))
			continue;
		if (!entry->shared)
			refresh_file(lists, entry);
		else if (store != NULL)
			refresh_shared(lists, entry, store);
	}
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
