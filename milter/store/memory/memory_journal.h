/* memory_journal -- the journal, and what this host tells of itself, as the
 * embedded store keeps them: in memory, and only there.
 *
 * Has a lock of its own, so that no decision waits for a reader. */
#ifndef MEMORY_JOURNAL_H
#define MEMORY_JOURNAL_H

#include "store/journal.h"

struct memory_journal;

/* It takes about so many octets at most.  NULL: out of memory. */
struct memory_journal *memory_journal_open(size_t octets_max);
void memory_journal_close(struct memory_journal **journal);

/* The operations of struct store_ops. */
enum store_result
memory_add_entries(struct store *store, const struct journal_terms *terms,
    const struct journal_item *items, size_t count);
enum store_result
memory_read_entries(struct store *store, const struct journal_range *range,
    bool (*each)(void *arg, const char *text, size_t length), void *arg);
enum store_result
memory_last_entries(struct store *store, const struct journal_terms *terms,
    const uint64_t *threads, size_t count, uint64_t *places_r);
enum store_result memory_put_host(
    struct store *store, const char *text, size_t length, int64_t now);
enum store_result memory_read_hosts(struct store *store, int64_t now,
    void (*each)(void *arg, const char *host, const char *text, size_t length),
    void *arg);

#endif
