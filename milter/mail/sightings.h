/* sightings -- on which day each of many things was last seen, noted by any thread.
 *
 * Noting what was noted on the same day before costs one load and one comparison.
 * There is neither a lock nor a queue: with each day stands whether the one reader
 * has been told of it, so nothing is lost while nobody listens. */
#ifndef SIGHTINGS_H
#define SIGHTINGS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define SIGHTINGS_DAY INT64_C(86400) /* seconds */

struct sightings {
	size_t count;
	atomic_bool has_news;
	/* Twice the day since 1970, plus 1 once that was told; 0: never. */
	atomic_uint days[];
};

/* All of them never seen; free() it.  NULL: out of memory. */
struct sightings *sightings_new(size_t count);

/* Thing number `which` was seen at `now`, Unix seconds.  From any thread.  The order
 * is such that who clears `has_news` finds each day that was set before. */
static inline void
sightings_note(struct sightings *sightings, size_t which, int64_t now)
{
	unsigned day = (unsigned)(now / SIGHTINGS_DAY);
	atomic_uint *noted = &sightings->days[which];

	if (atomic_load_explicit(noted, memory_order_relaxed) >> 1 == day)
		return;
	atomic_store_explicit(noted, day << 1, memory_order_relaxed);
	(void)atomic_exchange(&sightings->has_news, 1);
}

struct sighting {
	size_t which;
	unsigned day;
};

/* What was seen and has not been told: up to `most`, which then are to be told, or
 * will be picked again.  One thread. */
size_t sightings_pick(
    struct sightings *sightings, struct sighting *picked_r, size_t most);
void sightings_told(
    struct sightings *sightings, const struct sighting *picked, size_t count);

/* What was noted of a thing elsewhere counts here, if it was later. */
void sightings_carry(struct sightings *to, size_t to_which,
    struct sightings *from, size_t from_which);

#endif
