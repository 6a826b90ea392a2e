/* figures -- what the journal tells of late, read in bounded pieces, for the pages of
 * users. */
#ifndef FIGURES_H
#define FIGURES_H

#include "store/journal.h"

#define RECENT_MAX	100 /* entries that one page shows */
#define RECENT_NETWORKS 10

/* What to show; "" and 0 for what does not matter. */
struct recent_wish {
	struct journal_query query;
	char rule[JOURNAL_NAME_SIZE];
	size_t most; /* <= RECENT_MAX */
};

/* Large: not for the stack. */
struct recent {
	enum store_result result;
	struct journal_entry entries[RECENT_MAX]; /* newest first */
	size_t count;
	uint64_t next; /* where older ones begin, 0: there are none */
};

/* Read a bounded part of the journal.  NULL: out of memory.  The caller frees it. */
struct recent *recent_read(struct store *store, const struct recent_wish *wish);

/* The networks with the most entries since `since`, as far as a bounded part of
 * the journal shows. */
struct recent_network {
	char name[NETWORK_TEXT_SIZE];
	int64_t deferred, passed;
};
struct recent_networks {
	enum store_result result;
	struct recent_network top[RECENT_NETWORKS];
	size_t count;
	int64_t seen; /* entries that were looked at */
};
void recent_read_networks(
    struct store *store, int64_t since, struct recent_networks *networks_r);

#endif
