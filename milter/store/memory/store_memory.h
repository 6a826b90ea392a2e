/* store_memory -- the embedded store: keeps everything in this process.
 *
 * For a single server without Redis, for the tests and for replaying a log.  It
 * goes by the time that its callers give it, so time may be virtual.  Its size
 * is bounded (terms.memory_max); the least worthy records go first.  It has one
 * host and no reports. */
#ifndef STORE_MEMORY_H
#define STORE_MEMORY_H

#include "store/store.h"
#include "store/triplet.h"

struct store_memory_config {
	struct store_terms terms;
	const unsigned char *key; /* of TRIPLET_KEY octets; NULL: a random one,
				   * which the file keeps */
	const char *file;   /* where records are saved; NULL or "": nowhere */
	int64_t save_every; /* seconds; 0: only at the close */
	store_say *report;  /* NULL: nobody is told */
	void *report_arg;
};

/* The config is copied.  A file that is refused is reported, moved aside to
 * "<file>.refused", or "<file>.refused.2" up to 9 where there is one already, and
 * the store begins empty; one that cannot be moved stays as it is, and nothing is
 * saved.  Nor is it where another process uses the file, by a lock on
 * "<file>.lock".  NULL: out of memory. */
struct store *
store_memory_open(const struct store_memory_config *config, int64_t now);

#endif
