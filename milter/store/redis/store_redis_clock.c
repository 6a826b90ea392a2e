#include "store/redis/store_redis_clock.h"

#include "base/clock.h"
#include "base/seconds.h"

#define MICROSECONDS INT64_C(1000000)
#define FRESH	     (2 * MICROSECONDS)
#define SECONDS_MAX  INT64_C(253402300799) /* the end of the year 9999 */
#define LEAP	     (60 * MICROSECONDS)
#define LEAP_LASTS   (600 * MICROSECONDS)
#define NEAR	     INT64_C(60) /* seconds: two clocks say the same */
#define FAR	     INT64_C(3600)

/* Microseconds since 1970; false: it is no time. */
static bool
read_time(const struct resp_reply *reply, int64_t *time_r)
{
	int64_t seconds, microseconds;

	if (resp_count(reply) != 2 ||
	    !resp_integer(resp_element(reply, 0), &seconds) ||
	    !resp_integer(resp_element(reply, 1), &microseconds) ||
	    seconds < 0 || seconds > SECONDS_MAX || microseconds < 0 ||
	    microseconds >= MICROSECONDS)
		return false;
	*time_r = seconds * MICROSECONDS + microseconds;
	return true;
}

/* Whether a jump to `ahead` is one to follow, after so many seconds at least. */
static enum clock_news
judge_leap(struct redis_clock *clock, int64_t ahead,
    const struct clock_moment *moment, int64_t now)
{
	if (seconds_apart(now, moment->calendar) <= NEAR)
		return CLOCK_FOLLOWED;
	if (!clock->is_leaping ||
	    seconds_apart(ahead, clock->leapt_to) > LEAP) {
		clock->is_leaping = true;
		clock->leapt_to = ahead;
		clock->leapt_at = moment->answered;
		return CLOCK_LEAPT;
	}
	return moment->answered - clock->leapt_at >= LEAP_LASTS ? CLOCK_FOLLOWED
								: CLOCK_STILL;
}

static enum clock_news
judge(struct redis_clock *clock, int64_t ahead,
    const struct clock_moment *moment, int64_t *change_r)
{
	int64_t now = (moment->answered + ahead) / MICROSECONDS;
	int64_t before = atomic_load(&clock->ahead);

	if (!atomic_load(&clock->known)) {
		*change_r = seconds_between(now, moment->calendar);
		return seconds_apart(now, moment->calendar) > FAR ? CLOCK_APART
								  : CLOCK_GOOD;
	}
	*change_r = (ahead - before) / MICROSECONDS;
	if (seconds_apart(ahead, before) <= LEAP)
		return CLOCK_GOOD;
	return judge_leap(clock, ahead, moment, now);
}

static enum clock_news
note_nonsense(struct redis_clock *clock)
{
	enum clock_news news =
	    clock->is_nonsense ? CLOCK_STILL : CLOCK_NONSENSE;

	clock->is_nonsense = true;
	return news;
}

enum clock_news
redis_clock_learn(struct redis_clock *clock, const struct resp_reply *reply,
    const struct clock_moment *moment, int64_t *change_r)
{
	enum clock_news news;
	int64_t time, ahead;

	*change_r = 0;
	pthread_mutex_lock(&clock->mutex);
	/* It was read somewhere between the question and the answer. */
	if (!read_time(reply, &time)) {
		news = note_nonsense(clock);
	} else {
		ahead = time -
		    (moment->asked + (moment->answered - moment->asked) / 2);
		news = judge(clock, ahead, moment, change_r);
		clock->is_nonsense = false;
	}
	if (news == CLOCK_GOOD || news == CLOCK_APART ||
	    news == CLOCK_FOLLOWED) {
		clock->is_leaping = false;
		atomic_store(&clock->ahead, ahead);
		atomic_store(&clock->known, true);
	}
	atomic_store(&clock->learned, moment->asked);
	pthread_mutex_unlock(&clock->mutex);
	return news;
}

bool
redis_clock_is_known(const struct redis_clock *clock)
{
	return atomic_load(&clock->known);
}

bool
redis_clock_is_fresh(const struct redis_clock *clock)
{
	return redis_clock_is_known(clock) &&
	    clock_steady_us() - atomic_load(&clock->learned) < FRESH;
}

int64_t
redis_clock_now(const struct redis_clock *clock)
{
	return (clock_steady_us() + atomic_load(&clock->ahead)) / MICROSECONDS;
}
