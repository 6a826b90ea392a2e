/* store_memory_parts -- what the files of store_memory share. */
#ifndef STORE_MEMORY_PARTS_H
#define STORE_MEMORY_PARTS_H

#include <pthread.h>

#include "store/memory/memory_board.h"
#include "store/memory/memory_book.h"
#include "store/memory/memory_counters.h"
#include "store/memory/memory_distinct.h"
#include "store/memory/memory_file.h"
#include "store/memory/memory_journal.h"
#include "store/memory/memory_lists.h"
#include "store/memory/store_memory.h"

struct memory {
	struct store store; /* first: a store is cast to this */
	struct store_terms terms;
	struct triplet_hash *hash;
	struct memory_key key;
	char *file; /* NULL: nothing is saved */
	int lock;   /* held on a file beside it, or -1 */
	int64_t save_every;
	int64_t tidied_at; /* only for the background thread */
	int64_t saved_at;  /* these for the one that saves; -1: not yet */
	bool save_failed;  /* and that was reported */
	bool ended;	   /* saved for the last time */
	store_say *report;
	void *report_arg;
	struct listed_name *read; /* only for the background thread */
	struct memory_journal *journal;
	struct memory_board *board;
	char *host; /* terms.host */

	pthread_mutex_t mutex; /* guards what follows */
	struct memory_book *book;
	struct memory_counters *counters;
	struct memory_distinct *distinct;
	struct memory_lists *lists;
};

/* store_look_up() and store_remember(). */
enum store_result memory_look_up(struct store *store,
    const struct store_query *query, struct store_answer *answer_r);
enum store_result
memory_remember(struct store *store, const struct store_effects *effects);

/* The shared lists. */
enum store_result
memory_read_list(struct store *store, const char *name, struct list **list_r);
enum store_result memory_list_add(struct store *store, const char *name,
    const struct store_entry *entry, enum store_change *change_r);
enum store_result memory_list_remove(struct store *store, const char *name,
    const char *text, enum store_change *change_r);
enum store_result memory_list_each(
    struct store *store, const char *name, store_entry_each *each, void *arg);
void memory_free_read(struct memory *memory);

enum store_result memory_forget(
    struct store *store, const struct store_forget *forget, size_t *count_r);
/* What record.h asks of a store. */
enum store_result memory_walk(struct store *store, struct store_walk *walk,
    int64_t now, store_record_each *each, void *arg);
enum store_result memory_read_record(struct store *store, const char *name,
    int64_t now, store_record_each *each, void *arg);
enum store_result memory_restore(struct store *store,
    struct store_record *records, size_t count, int64_t now);
enum store_result
memory_namer(struct store *store, struct triplet_namer *namer_r);

#endif
