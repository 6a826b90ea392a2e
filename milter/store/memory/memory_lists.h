/* memory_lists -- the shared lists of the embedded store: entries that are added
 * and removed, some of which expire.
 *
 * Their number and size are bounded.  Not locked: the owner does that. */
#ifndef MEMORY_LISTS_H
#define MEMORY_LISTS_H

#include "base/bytes.h"
#include "store/store.h"

/* Of all lists together. */
#define MEMORY_LISTS_ENTRIES 100000
#define MEMORY_LISTS_OCTETS  (16 << 20)
#define MEMORY_LISTS_MAX     256

#define MEMORY_LISTS_PLACES 16384

/* All zero so far. */
struct memory_lists {
	struct named *named;
	size_t named_count;
	size_t count;
	size_t octets;
	uint64_t version; /* that was given last */
	struct entry *places[MEMORY_LISTS_PLACES];
};

/* Empty all of them. */
void memory_lists_clear(struct memory_lists *lists);

/* Remove what has expired. */
void memory_lists_expire(struct memory_lists *lists, int64_t now);

/* All lists as octets, and back into empty ones; false: that is none. */
void memory_lists_put(const struct memory_lists *lists, struct bytes_out *out);
bool memory_lists_get(struct memory_lists *lists, struct bytes_in *in);

#endif
