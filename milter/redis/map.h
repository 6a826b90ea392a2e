/* redis_map -- the hash slots of a Redis Cluster: in which one a key lies, and which
 * master serves which, as CLUSTER SLOTS tells.  Pure. */
#ifndef REDIS_MAP_H
#define REDIS_MAP_H

#include "redis/address.h"
#include "redis/resp.h"

#include <stdint.h>

enum { REDIS_SLOTS = 16384 };

/* CRC16/XMODEM of the key, or of what stands in its first {braces} if that is
 * not empty (Redis Cluster specification, "Hash tags"). */
unsigned redis_slot(const char *key);

enum {
	REDIS_NODES = 64, /* masters that we speak to at the same time */
	REDIS_NO_NODE = UINT8_MAX, /* nobody serves the slot */
};

struct redis_map {
	struct redis_address nodes[REDIS_NODES];
	size_t count;
	uint8_t owner[REDIS_SLOTS]; /* index in `nodes`, or REDIS_NO_NODE */
};

/* Read a reply.  A node without address is the one that was asked.  Nonsense
 * in it is skipped; false: no slot is served at all. */
bool redis_map_read(const struct resp_reply *reply,
    const struct redis_address *asked, struct redis_map *map_r);

#endif
