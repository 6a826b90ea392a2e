/* greeting -- what we say first on a new connection: who we are, and will the
 * server do?  Pure, but for the memory of the commands. */
#ifndef REDIS_GREETING_H
#define REDIS_GREETING_H

#include "redis/call.h"

enum { REDIS_GREETINGS = 5 }; /* AUTH twice, SELECT, PING, ROLE */

struct redis_greeting_terms {
	const char *user;     /* with a password; NULL: the default user */
	const char *password; /* NULL: none */
	bool or_default; /* who does not know the user may let in without */
	int database;
	bool must_be_master; /* replicas will not do */
};

void redis_greeting_add(
    struct resp_commands *commands, const struct redis_greeting_terms *terms);

/* Why the server will not do, as far as the replies go, or NULL.  With
 * `*is_refused_r` it would have let in somebody else. */
const char *redis_greeting_fault(const struct redis_call *call,
    const struct redis_greeting_terms *terms, bool *is_refused_r);

#endif
