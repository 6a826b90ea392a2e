/* redis_sentinel -- keeps a link aimed at the master that the sentinels name.
 *
 * A background thread asks one sentinel after another until one knows, once a
 * second, and soon after the link was lost.  That the server is the master,
 * the link asks itself (must_be_master in its terms). */
#ifndef REDIS_SENTINEL_H
#define REDIS_SENTINEL_H

#include "redis_link.h"

struct redis_sentinel;

/* How to reach them; all of it is copied but for the strings. */
struct redis_sentinel_terms {
	struct redis_login login;
	const char *master_name;
	const struct redis_address *sentinels;
	size_t count;
};

/* Open the link and watch over it.  NULL: no memory, or no thread to be had.
 */
struct redis_sentinel *
redis_sentinel_open(const struct redis_sentinel_terms *terms,
    const struct redis_link_terms *link_terms);

/* Closes the link too. */
void redis_sentinel_close(struct redis_sentinel **sentinel);

/* The link; it stays the same when the master changes. */
struct redis_link *redis_sentinel_link(struct redis_sentinel *sentinel);

#endif
