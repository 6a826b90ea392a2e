#include "policy/greylist.h"

#include "base/seconds.h"

#define TERM_MAX (INT64_MAX / 4)

/* The terms as the header promises to read them. */
static struct greylist_terms
sane_terms(const struct greylist_terms *terms)
{
	struct greylist_terms sane;

	sane.delay = seconds_clamp(terms->delay, 0, TERM_MAX);
	sane.window = seconds_clamp(terms->window, 0, TERM_MAX);
	sane.keep = seconds_clamp(terms->keep, 0, TERM_MAX);
	if (sane.window <= sane.delay)
		sane.window = 2 * sane.delay;
	return sane;
}

enum greylist_state
greylist_judge(const struct greylist_terms *terms,
    const struct greylist_clock *clock, int64_t now, int64_t *wait_r)
{
	const struct greylist_terms t = sane_terms(terms);
	int64_t first_seen = clock->first_seen;
	int64_t age;

	*wait_r = 0;
	if (clock->last_passed != 0) {
		if (seconds_apart(now, clock->last_passed) <= t.keep)
			return GREYLIST_PASSED;
		first_seen = 0;
	}
	age = seconds_between(now, first_seen);
	if (first_seen == 0 || age > t.window || age < -GREYLIST_SLACK) {
		*wait_r = t.delay;
		return GREYLIST_FIRST;
	}
	if (age >= t.delay)
		return GREYLIST_PASSED;
	*wait_r = t.delay - (age > 0 ? age : 0);
	return GREYLIST_EARLY;
}
