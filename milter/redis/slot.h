/* redis_slot -- the hash slot of a key in a Redis Cluster.  Pure. */
#ifndef REDIS_SLOT_H
#define REDIS_SLOT_H

enum { REDIS_SLOTS = 16384 };

/* CRC16/XMODEM of the key, or of what stands in its first {braces} if that is
 * not empty (Redis Cluster specification, "Hash tags"). */
unsigned redis_slot(const char *key);

#endif
