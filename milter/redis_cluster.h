/* redis_cluster -- the links to the masters of a Redis Cluster.
 *
 * A background thread keeps the map of slots fresh: every five seconds, and
 * soon after a redirection or the loss of a node, but at most ten times a
 * second.  Nodes that have left the cluster are closed when nobody uses them
 * any more. */
#ifndef REDIS_CLUSTER_H
#define REDIS_CLUSTER_H

#include "redis_link.h"
#include "redis_redirect.h"

struct redis_cluster;

/* The terms are for each link; `lost` in them is ours.  NULL: no memory, or no
 * thread to be had.  The seeds are copied. */
struct redis_cluster *redis_cluster_open(const struct redis_link_terms *terms,
    const struct redis_address *seeds, size_t count);

/* Close all links, which finishes all calls. */
void redis_cluster_close(struct redis_cluster **cluster);

/* Does any of the masters answer? */
bool redis_cluster_is_up(struct redis_cluster *cluster);

/* The link to the master of a slot, or NULL.  Give it back when nothing will
 * be handed over to it any more; what was is finished in any case. */
struct redis_link *
redis_cluster_take(struct redis_cluster *cluster, unsigned slot);

/* The same for a redirection by the server at `asked`; it may not be up yet.
 * The map follows if the slot has moved. */
struct redis_link *redis_cluster_take_redirect(struct redis_cluster *cluster,
    const struct redis_redirect *redirect, const struct redis_address *asked);

void redis_cluster_give(
    struct redis_cluster *cluster, const struct redis_link *link);

/* Something is wrong with the map: get a new one soon.  The pointer is to a
 * struct redis_cluster; links call it as their `lost`. */
void redis_cluster_refresh(void *cluster);

#endif
