/* lists -- the lists in use, each replaced whole when its source changes.
 *
 * A source is a file, or a shared list of the store.  A background thread
 * keeps them fresh; sessions hold snapshots, so a list never changes or goes
 * away under a message.  A source that cannot be read leaves the last good
 * list in place. */
#ifndef LISTS_H
#define LISTS_H

#include "mail/list.h"
#include "policy/policy.h"
#include "store/store.h"

struct lists;

/* A sealed list with its holders counted. */
struct list_snapshot;

/* NULL: out of memory. */
struct lists *lists_open(void);
void lists_close(struct lists **lists);

/* Read what has changed, and what the policy names for the first time.  Shared
 * lists are skipped when `store` is NULL.  Files are waited for no longer than
 * that; one that is late, or hangs, takes its place when it has been read. */
void lists_refresh(struct lists *lists, const struct policy *policy,
    struct store *store, int64_t within_ms);

/* Hold the lists of a policy: fills one snapshot and one list for each of
 * policy->lists, NULL where none is loaded.  Give them back by release. */
void lists_hold(struct lists *lists, const struct policy *policy,
    struct list_snapshot **snapshots_r, const struct list **lists_r);
void lists_release(struct list_snapshot **snapshots, size_t count);

#endif
