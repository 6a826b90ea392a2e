#include "mail/sightings.h"

#include <stdbool.h>
#include <stdlib.h>

struct sightings *
sightings_new(size_t count)
{
	struct sightings *sightings =
	    calloc(1, sizeof *sightings + count * sizeof *sightings->days);

	if (sightings != NULL)
		sightings->count = count;
	return sightings;
}

static unsigned
read(atomic_uint *noted)
{
	return atomic_load_explicit(noted, memory_order_relaxed);
}

static bool
is_news(unsigned noted)
{
	return noted != 0 && (noted & 1) == 0;
}

/* As long as there were any they are looked for again, since not all may have been
 * picked, or told. */
size_t
sightings_pick(
    struct sightings *sightings, struct sighting *picked_r, size_t most)
{
	size_t count = 0;

	if (!atomic_exchange(&sightings->has_news, false))
		return 0;
	for (size_t i = 0; i < sightings->count && count < most; i++) {
		unsigned noted = read(&sightings->days[i]);

		if (is_news(noted))
			picked_r[count++] = (struct sighting){i, noted >> 1};
	}
	if (count > 0)
		atomic_store(&sightings->has_news, true);
	return count;
}

void
sightings_told(
    struct sightings *sightings, const struct sighting *picked, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		unsigned noted = picked[i].day << 1;

		/* Unless it has been seen on another day meanwhile. */
		(void)atomic_compare_exchange_strong(
		    &sightings->days[picked[i].which], &noted, noted | 1);
	}
}

void
sightings_carry(struct sightings *to, size_t to_which, struct sightings *from,
    size_t from_which)
{
	unsigned noted = read(&from->days[from_which]);

	if (noted >> 1 <= read(&to->days[to_which]) >> 1)
		return;
	atomic_store_explicit(&to->days[to_which], noted, memory_order_relaxed);
	if (is_news(noted))
		atomic_store(&to->has_news, true);
}
