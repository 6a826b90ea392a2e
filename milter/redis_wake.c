#include "redis_wake.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

bool
redis_wake_open(struct redis_wake *wake_r)
{
	if (pipe(wake_r->ends) != 0)
		return false;
	for (int i = 0; i < 2; i++) {
		(void)fcntl(wake_r->ends[i], F_SETFL, O_NONBLOCK);
		(void)fcntl(wake_r->ends[i], F_SETFD, FD_CLOEXEC);
	}
	return true;
}

void
redis_wake_close(struct redis_wake *wake)
{
	(void)close(wake->ends[0]);
	(void)close(wake->ends[1]);
}

void
redis_wake_up(const struct redis_wake *wake)
{
	/* A full pipe wakes as well as one with a byte more. */
	(void)!write(wake->ends[1], "", 1);
}

int
redis_wake_fd(const struct redis_wake *wake)
{
	return wake->ends[0];
}

void
redis_wake_swallow(const struct redis_wake *wake)
{
	char bytes[64];

	while (read(wake->ends[0], bytes, sizeof bytes) == sizeof bytes)
		continue;
}

bool
redis_wake_is_due(const struct redis_wake *wake)
{
	struct pollfd look = {.fd = wake->ends[0], .events = POLLIN};

	return poll(&look, 1, 0) > 0;
}
