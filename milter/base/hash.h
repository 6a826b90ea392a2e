/* hash -- octets as a number.  Pure.
 *
 * FNV-1a is the same on every host and for ever: it spreads, and detects accidents.
 * Against malice there is a hash with a key, and triplet.h. */
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

/* SipHash-2-4 (Aumasson and Bernstein, 2012), of short texts, in some ten
 * nanoseconds.  Who has no key cannot tell a text from its hash, nor find two that
 * agree. */
#define SIPHASH_KEY 16 /* octets */

uint64_t
siphash(const unsigned char key[SIPHASH_KEY], const void *data, size_t length);

#endif
