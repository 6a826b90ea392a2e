#include "base/outage.h"

#include <stdio.h>
#include <string.h>

enum {
	STABLE_MS = 10000,	 /* a cause that stays so long is one */
	REMIND_MS = 3600 * 1000, /* of what goes on */
	LINE_MS = 30000,	 /* the allowance fills at one line in */
	ALLOWANCE_MS = 5 * LINE_MS,
};

/* What is still spent of the allowance. */
static int64_t
spent(const struct outage *outage, int64_t now_ms)
{
	int64_t left = outage->spent_ms - (now_ms - outage->told_ms);

	return left > 0 ? left : 0;
}

/* Of a fault that has been told, but perhaps for another cause. */
static bool
has_changed(struct outage *outage, const char *why, int64_t now_ms)
{
	if (strcmp(outage->cause, why) != 0) {
		(void)snprintf(outage->cause, sizeof outage->cause, "%s", why);
		outage->cause_ms = now_ms;
	}
	return strcmp(outage->told_cause, why) != 0 &&
	    now_ms - outage->cause_ms >= STABLE_MS;
}

static bool
is_worth_telling(struct outage *outage, const char *why, int64_t now_ms)
{
	if (outage->told && !has_changed(outage, why, now_ms) &&
	    now_ms - outage->told_ms < REMIND_MS)
		return false;
	return spent(outage, now_ms) + LINE_MS <= ALLOWANCE_MS;
}

enum outage_news
outage_note(struct outage *outage, const char *why, int64_t now_ms)
{
	if (why == NULL && !outage->told)
		return OUTAGE_SAME;
	if (why == NULL) {
		outage->told = false;
		return OUTAGE_ENDED;
	}
	if (!is_worth_telling(outage, why, now_ms))
		return OUTAGE_SAME;
	outage->spent_ms = spent(outage, now_ms) + LINE_MS;
	outage->told_ms = outage->cause_ms = now_ms;
	outage->told = true;
	(void)snprintf(
	    outage->told_cause, sizeof outage->told_cause, "%s", why);
	(void)snprintf(outage->cause, sizeof outage->cause, "%s", why);
	return OUTAGE_BEGAN;
}
