/* matched -- which entries of the policy's lists matched, told to the store.
 *
 * A list is a file, a shared list of the store, or the values of a condition that may
 * have several.  What matches is noted in the compiled lists and in the policy
 * (mail/sightings.h), while a decision is made; a background thread tells it, under
 * keyed names. */
#ifndef MATCHED_H
#define MATCHED_H

#include "policy/policy.h"
#include "store/lists.h"
#include "store/store.h"
#include "store/triplet.h"

struct matched;

/* NULL: out of memory. */
struct matched *matched_open(void);
void matched_close(struct matched **matched);

/* Tell what is new of this policy, which is in force, and of those before it that
 * sessions may still go by: a bounded number at once.  One background thread; waits
 * for the store. */
void matched_tick(struct matched *matched, struct policy *policy,
    struct lists *lists, struct store *store, int64_t now);

/* ---- What lists and entries are called in the store */

void matched_name_list(const struct triplet_namer *namer,
    const struct list_source *source, char name_r[STORE_NAME_SIZE]);

/* An entry in its one form (list_entry_read), or the key of a number. */
void matched_name_entry(const struct triplet_namer *namer, const char *text,
    char name_r[STORE_NAME_SIZE]);

/* The list that the values of a condition are, and one of these. */
void
matched_name_values(const struct triplet_namer *namer, const struct rule *rule,
    const struct condition *condition, char name_r[STORE_NAME_SIZE]);
void matched_name_value(const struct triplet_namer *namer,
    const struct condition *condition, size_t index,
    char name_r[STORE_NAME_SIZE]);

#endif
