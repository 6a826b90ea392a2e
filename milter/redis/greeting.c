#include "redis/greeting.h"
#include "redis/error.h"

#include <string.h>

void
redis_greeting_add(
    struct resp_commands *commands, const struct redis_greeting_terms *terms)
{
	if (terms->password != NULL && terms->user != NULL)
		resp_add(commands, "AUTH", terms->user, terms->password);
	else if (terms->password != NULL)
		resp_add(commands, "AUTH", terms->password);
	if (terms->database != 0) {
		resp_begin(commands, 2);
		resp_add_string(commands, "SELECT");
		resp_add_integer(commands, terms->database);
	}
	resp_add(commands, "PING");
	if (terms->must_be_master)
		resp_add(commands, "ROLE");
}

static bool
is_replica(const struct resp_reply *role)
{
	const char *name = resp_string(resp_element(role, 0), NULL);

	return name != NULL && strcmp(name, "master") != 0;
}

/* PING may be forbidden, and fails with MISCONF where reading still works. */
const char *
redis_greeting_fault(const struct redis_call *call,
    const struct redis_greeting_terms *terms, bool *is_refused_r)
{
	size_t musts = 0; /* the first so many have to succeed */

	if (terms->password != NULL)
		musts++;
	if (terms->database != 0)
		musts++;
	*is_refused_r = true;
	for (size_t i = 0; i < call->received; i++) {
		const char *error = resp_error(call->replies[i]);

		if (error != NULL &&
		    (i < musts || strncmp(error, "NOAUTH ", 7) == 0))
			return error;
	}
	*is_refused_r = false;
	if (call->received == call->commands->count && terms->must_be_master &&
	    is_replica(call->replies[call->received - 1]))
		return "the server is a replica, not the master";
	return NULL;
}
