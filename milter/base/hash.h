/* hash -- FNV-1a, the same on every host and for ever.  It spreads, and detects
 * accidents; against malice there is triplet.h.  Pure. */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_32 UINT32_C(2166136261)	     /* to begin with */
#define HASH_64 UINT64_C(0xcbf29ce484222325) /* the same */

static inline uint32_t
hash_32(uint32_t hash, const void *data, size_t length)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * UINT32_C(16777619);
	return hash;
}

static inline uint64_t
hash_64(uint64_t hash, const void *data, size_t length)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

#endif
