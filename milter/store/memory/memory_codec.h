/* memory_codec -- one record of the embedded store as octets, and back. */
#ifndef MEMORY_CODEC_H
#define MEMORY_CODEC_H

#include "base/bytes.h"
#include "store/memory/memory_record.h"

void
memory_codec_put(struct bytes_out *out, const struct memory_record *record);

/* NULL: what stands there is no record, or memory ran out. */
struct memory_record *memory_codec_get(struct bytes_in *in);

#endif
