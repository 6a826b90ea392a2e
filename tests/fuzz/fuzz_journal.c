/* Whatever stands in the place of an entry, or of a host's counters, is refused, or
 * read as what is written again the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/counters.h"
#include "store/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_entry(const char *text, size_t size)
{
	static struct journal_entry entry, again;
	static char written[JOURNAL_ITEM_MAX], twice[JOURNAL_ITEM_MAX];
	size_t length;

	if (!journal_decode(text, size, &entry))
		return;
	length = journal_encode(&entry, written);
	if (length >= sizeof written ||
	    !journal_decode(written, length, &again) ||
	    journal_encode(&again, twice) != length ||
	    memcmp(written, twice, length) != 0)
		abort();
}

static void
try_counters(const char *text, size_t size)
{
	static struct counters_view view, sum;
	static char written[COUNTERS_TEXT_MAX];
	size_t length;

	if (!counters_decode(text, size, 0, &view))
		return;
	memset(&sum, 0, sizeof sum);
	counters_add(&sum, &view);
	counters_add(&sum, &view);
	length = counters_encode(&view, written);
	if (length >= sizeof written - 1 ||
	    !counters_decode(written, length, 0, &sum))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1);
	char reference[JOURNAL_REFERENCE_SIZE];

	memcpy(text, data, size);
	try_entry(text, size);
	try_counters(text, size);
	(void)journal_reference_read(text, reference);
	free(text);
	return 0;
}
