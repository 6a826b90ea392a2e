/* figures -- what the pages for users show, read from the store in bounded pieces:
 * what the farm did, and what the journal tells of late. */
#ifndef FIGURES_H
#define FIGURES_H

#include "store/counters.h"
#include "store/journal.h"

/* ---- The farm */

#define FARM_HOSTS_MAX 64
#define FARM_NAME_SIZE 128

struct farm_host {
	char name[FARM_NAME_SIZE];
	int64_t since, at;		/* Unix seconds */
	int64_t hour[COUNT_PASSED + 1]; /* in the last hour */
	int64_t sessions, late, away;	/* since it began */
};

/* Large: not for the stack. */
struct farm {
	enum store_result result;
	struct counters_view sum;
	struct farm_host hosts[FARM_HOSTS_MAX];
	size_t host_count;
};

/* Read it from the store; where that does not tell, from this host's own `counters`.
 * `host` is what we call ourselves then.  NULL: out of memory.  The caller frees
 * it. */
struct farm *farm_read(struct store *store, struct counters *counters,
    const char *host, int64_t now);

/* How often something happened in the last hour. */
int64_t farm_hour(const struct counters_view *view, enum count which);

/* ---- The journal */

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
