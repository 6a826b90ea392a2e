#include "redis/outage.h"

#include <stdio.h>
#include <string.h>

enum {
	LINE_MS = 30000,
	ALLOWANCE_MS = 5 * LINE_MS,
};

/* Redis's errors begin with a word in capitals, the system's do not; those
 * ("Connection refused", "closed") are all of one kind. */
static void
kind_of(const char *why, char *kind_r, size_t size)
{
	size_t length = strspn(why, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	if (why[length] != ' ' && why[length] != '\0')
		length = 0;
	(void)snprintf(kind_r, size, "%.*s", (int)length, why);
}

/* What is still spent of the allowance. */
static int64_t
spent(const struct redis_outage *outage, int64_t now_ms)
{
	int64_t left = outage->spent_ms - (now_ms - outage->told_ms);

	return left > 0 ? left : 0;
}

static bool
is_worth_telling(
    const struct redis_outage *outage, const char *kind, int64_t now_ms)
{
	if (outage->told && strcmp(outage->kind, kind) == 0)
		return false;
	if (outage->told && now_ms - outage->told_ms < LINE_MS)
		return false;
	return spent(outage, now_ms) + LINE_MS <= ALLOWANCE_MS;
}

enum redis_news
redis_outage_note(struct redis_outage *outage, const char *why, int64_t now_ms)
{
	char kind[sizeof outage->kind];

	if (why == NULL && !outage->told)
		return REDIS_NEWS_NONE;
	if (why == NULL) {
		outage->told = false;
		return REDIS_NEWS_UP;
	}
	kind_of(why, kind, sizeof kind);
	if (!is_worth_telling(outage, kind, now_ms))
		return REDIS_NEWS_NONE;
	outage->spent_ms = spent(outage, now_ms) + LINE_MS;
	outage->told_ms = now_ms;
	outage->told = true;
	memcpy(outage->kind, kind, sizeof kind);
	return REDIS_NEWS_DOWN;
}
