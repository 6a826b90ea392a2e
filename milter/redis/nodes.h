/* redis_nodes -- the servers that we speak to, and which of them has a key: the
 * one, the master that Sentinel names, or the masters of a Cluster.
 *
 * Sentinels are asked one after another until one knows, once a second, and
 * soon after the connection was lost.  A cluster's map of slots is read every
 * five seconds, and soon after a redirection or the loss of a node, but at most
 * ten times a second.  All of it is the client's thread's, but for what may be
 * asked under the mutex. */
#ifndef REDIS_NODES_H
#define REDIS_NODES_H

#include "redis/connection.h"
#include "redis/redirect.h"
#include "redis/redis.h"

struct redis_nodes;

/* For the servers, and for the sentinels where there are any. */
struct redis_nodes_terms {
	enum redis_mode mode;
	const char *master_name;
	struct redis_address servers[REDIS_SERVERS];
	size_t count;
	/* `lost`, and how long to wait for sentinels, are ours to fill in. */
	struct redis_connection_terms conn;
	struct redis_connection_terms sentinel;
};

/* The terms must outlive it.  NULL: no memory. */
struct redis_nodes *redis_nodes_open(struct redis_nodes_terms *terms);
void redis_nodes_close(struct redis_nodes **nodes);

/* ---- Under the mutex */

/* The connection to whoever has this key, or NULL if it is not up. */
struct redis_connection *
redis_nodes_find(struct redis_nodes *nodes, const char *key);

/* Whether a server can be asked; or `all`: each node of a cluster, whose map is
 * known. */
bool redis_nodes_are_up(const struct redis_nodes *nodes, bool all);

/* ---- For the client's thread */

/* Ask for the master or the map, if it is time.  The connections to poll for, and
 * for how many milliseconds at most. */
enum { REDIS_CONNS = 64 + 1 };
size_t redis_nodes_work(struct redis_nodes *nodes,
    struct redis_connection *conns_r[REDIS_CONNS], int *patience_r);

/* The connection to where the server at `asked` has redirected; it may not be up
 * yet.  The map follows if the slot has moved.  NULL: nowhere. */
struct redis_connection *redis_nodes_redirected(struct redis_nodes *nodes,
    const struct redis_redirect *redirect,
    const struct redis_connection *asked);

/* Something is wrong with the map: read it soon. */
void redis_nodes_refresh(struct redis_nodes *nodes);

/* Try at once what failed, as if it had not before. */
void redis_nodes_hurry(struct redis_nodes *nodes);

/* Take no more calls; true when none is under way. */
bool redis_nodes_end(struct redis_nodes *nodes);

#endif
