#include "store/clock_worth.h"

#include "base/seconds.h"
#include "policy/greylist.h"

int64_t
clock_age(int64_t clock, int64_t now)
{
	struct greylist_clock at = greylist_clock_decode(clock);
	int64_t age =
	    seconds_between(now, clock > 0 ? at.first_seen : at.last_passed);

	return age > 0 ? age : 0;
}

enum clock_worth
clock_worth(int64_t clock, enum clock_space space,
    const struct store_terms *terms, int64_t now)
{
	int64_t age = clock_age(clock, now);

	if (clock == 0)
		return CLOCK_FORGOTTEN;
	if (clock < 0)
		return age > terms->worthy_life ? CLOCK_FORGOTTEN
						: CLOCK_PASSED;
	if (space == CLOCK_REAL && age >= terms->abandoned_after)
		return CLOCK_ABANDONED;
	return age > terms->pending_life ? CLOCK_FORGOTTEN : CLOCK_PENDING;
}

struct clock_surplus
clock_surplus(size_t cap, size_t pending, size_t passed)
{
	struct clock_surplus surplus = {0, 0};
	size_t half = cap / 2, more;

	if (pending + passed <= cap)
		return surplus;
	more = pending + passed - cap;
	if (pending > half)
		surplus.pending = more < pending - half ? more : pending - half;
	surplus.passed = more - surplus.pending;
	return surplus;
}
