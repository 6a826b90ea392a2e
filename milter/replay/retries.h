/* retries -- messages that are assumed to be tried again, by the time at which they
 * are.
 *
 * A log shows mail as delivered that a policy would have put off: so it does not
 * show how its sender would have come back. */
#ifndef RETRIES_H
#define RETRIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maillog/maillog.h"

/* One piece of memory, so that many can wait.  Its strings are its own. */
struct retry {
	int64_t at;
	int64_t gap; /* to the last try, seconds */
	const char *client, *name, *helo, *user, *sender;
	bool tls;
	int64_t size;
	size_t recipient_count;
	const char *recipients[];
};

struct retries;

/* NULL: out of memory. */
struct retries *retries_open(size_t most);
void retries_close(struct retries **retries);

/* A copy of the attempt, with those recipients alone for whom `again` is true.
 * NULL: out of memory. */
struct retry *retry_new(
    const struct maillog_attempt *attempt, const bool *again, int64_t gap);

/* As an attempt of a log, which borrows from it. */
void
retry_describe(const struct retry *retry, struct maillog_attempt *attempt_r);

/* Takes it over, to be given at `at`, and free()d by whoever takes it.  False: there
 * is no room, and it is freed. */
bool retries_add(struct retries *retries, struct retry *retry, int64_t at);

/* The next one, if it is due by `now`.  NULL: none. */
struct retry *retries_take(struct retries *retries, int64_t now);

#endif
