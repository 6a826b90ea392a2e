/* Whatever stands in a file, of either version (the first octet says which): what
 * is read as a record is written and read again as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/memory/memory_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct triplet_namer *
namer(void)
{
	static struct triplet_namer made;

	if (made.hash == NULL) {
		made.hash = triplet_hash_new();
		(void)triplet_namer_set(&made, made.key);
	}
	return &made;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes_in in = {data, size, false};
	struct memory_record *record, *again;
	struct bytes_out out = {0}, out_again = {0};

	if (size == 0)
		return 0;
	in.data++;
	in.left--;
	record = memory_codec_get(&in,
	    data[0] % 2 == 0 ? MEMORY_CODEC_NOW : MEMORY_CODEC_FIRST, namer());
	if (record == NULL)
		return 0;
	memory_codec_put(&out, record);
	in = (struct bytes_in){out.data, out.length, false};
	again = memory_codec_get(&in, MEMORY_CODEC_NOW, namer());
	if (again == NULL || in.left != 0)
		abort();
	memory_codec_put(&out_again, again);
	if (out.length != out_again.length ||
	    memcmp(out.data, out_again.data, out.length) != 0)
		abort();
	bytes_free(&out);
	bytes_free(&out_again);
	memory_record_free(&record);
	memory_record_free(&again);
	return 0;
}
