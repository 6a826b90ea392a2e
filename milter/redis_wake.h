/* redis_wake -- gets a thread's attention while it waits in poll. */
#ifndef REDIS_WAKE_H
#define REDIS_WAKE_H

#include <stdbool.h>

struct redis_wake {
	int ends[2]; /* of a pipe */
};

bool redis_wake_open(struct redis_wake *wake_r);
void redis_wake_close(struct redis_wake *wake);

/* From any thread; never blocks. */
void redis_wake_up(const struct redis_wake *wake);

/* For poll: readable after redis_wake_up, until redis_wake_swallow. */
int redis_wake_fd(const struct redis_wake *wake);
void redis_wake_swallow(const struct redis_wake *wake);
bool redis_wake_is_due(const struct redis_wake *wake);

#endif
