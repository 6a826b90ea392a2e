/* memory_codec -- one record of the embedded store as octets, and back. */
#ifndef MEMORY_CODEC_H
#define MEMORY_CODEC_H

#include "base/bytes.h"
#include "store/memory/memory_record.h"

void
memory_codec_put(struct bytes_out *out, const struct memory_record *record);

/* Versions of what stands in a file; the last is what is written.  In the first
 * everything belonged to the whole network: what can be told to be a single
 * host's is taken over as that.  The second had no lists, the third nothing of
 * what matched of them. */
enum {
	MEMORY_CODEC_FIRST = 1,
	MEMORY_CODEC_HOSTS,
	MEMORY_CODEC_LISTS,
	MEMORY_CODEC_NOW
};

/* NULL: what stands there is no record, or memory ran out. */
struct memory_record *memory_codec_get(
    struct bytes_in *in, int version, const struct triplet_namer *namer);

#endif
