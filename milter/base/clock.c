#include "base/clock.h"

#include <errno.h>

int64_t
clock_steady_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct timespec
clock_due(int64_t ms)
{
	struct timespec due;

	(void)clock_gettime(CLOCK_MONOTONIC, &due);
	due.tv_sec += (time_t)(ms / 1000);
	due.tv_nsec += (long)(ms % 1000) * 1000000;
	if (due.tv_nsec >= 1000000000) {
		due.tv_sec++;
		due.tv_nsec -= 1000000000;
	}
	return due;
}

void
clock_sleep(int64_t ms)
{
	struct timespec due = clock_due(ms);

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) ==
	    EINTR)
		continue;
}
