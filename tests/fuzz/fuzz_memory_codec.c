/* Whatever stands in a file, what is read as a record is written and read again
 * as the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/memory/memory_codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes_in in = {data, size, false};
	struct memory_record *record = memory_codec_get(&in), *again;
	struct bytes_out out = {0}, out_again = {0};

	if (record == NULL)
		return 0;
	memory_codec_put(&out, record);
	in = (struct bytes_in){out.data, out.length, false};
	again = memory_codec_get(&in);
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
