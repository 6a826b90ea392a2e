/* Whatever stands in a file of records with a right checksum, of any version
 * (the first octet says which), is read or refused, and is then kept. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "store/memory/memory_book.h"
#include "store/memory/memory_file.h"

#define NOON INT64_C(1780000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
put_file(int fd, const uint8_t *data, size_t size)
{
	struct bytes_out out = {0};
	uint64_t sum;
	static const char *const versions[] = {"milter-defer records 3\n",
	    "milter-defer records 2\n", "milter-defer records 1\n"};

	bytes_put(&out, versions[data[0] % 3], 23);
	bytes_put(&out, data + 1, size - 1);
	sum = hash_64(HASH_64, out.data, out.length);
	bytes_put_number(&out, sum);
	if (ftruncate(fd, 0) != 0 ||
	    pwrite(fd, out.data, out.length, 0) != (ssize_t)out.length)
		abort();
	bytes_free(&out);
}

static void
keep(struct memory_records *records, const struct memory_key *key)
{
	const struct store_terms terms = {.pending_life = 90000,
	    .worthy_life = 3110400,
	    .abandoned_after = 90000,
	    .network_cap = 256,
	    .memory_max = 1 << 20};
	struct memory_book *book = memory_book_open(&terms, &key->namer);

	for (size_t i = 0; i < records->count; i++)
		memory_book_adopt(book, records->array[i], NOON);
	free(records->array);
	memory_book_expire(book, NOON + 86400);
	memory_book_close(&book);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct memory_key key;
	static struct memory_lists lists;
	static char path[64];
	static int fd = -1;
	struct memory_records records = {0};
	char error[512];

	if (size == 0)
		return 0;
	if (fd < 0) {
		strcpy(path, "/tmp/fuzz_memory_file.XXXXXX");
		fd = mkstemp(path);
		unlink(path);
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		key.namer.hash = triplet_hash_new();
		(void)triplet_namer_set(&key.namer, key.namer.key);
		key.own = true;
	}
	put_file(fd, data, size);
	records.lists = &lists;
	if (memory_file_read(path, &key, &records, error, sizeof error) ==
	    MEMORY_READ_OK)
		keep(&records, &key);
	memory_lists_clear(&lists);
	return 0;
}
