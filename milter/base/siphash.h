/* siphash -- SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash of short texts
 * that costs some ten nanoseconds.  Pure.
 *
 * Who has no key cannot tell a text from its hash, nor find two that agree. */
#ifndef SIPHASH_H
#define SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY 16 /* octets */

uint64_t
siphash(const unsigned char key[SIPHASH_KEY], const void *data, size_t length);

#endif
