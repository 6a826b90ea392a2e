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

/* All zero at the beginning. */
#define MATCHED_POLICIES 8 /* kept in mind; of more the oldest is let go */
struct matched {
	struct policy *policies[MATCHED_POLICIES]; /* the first is in force */
	size_t count;
	/* Which lists of that one the store was told of on this day, that we look
	 * after them: first those of files and of the store.  NULL: none. */
	int64_t day;
	bool *is_told;
};

/* Let all go. */
void matched_clear(struct matched *matched);

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
