#include "redis/greeting.h"
#include "redis/error.h"

#include <string.h>

void
redis_greeting_add(
    struct resp_commands *commands, const struct redis_greeting_terms *terms)
{
	if (terms->password != NULL && terms->user != NULL)
		resp_add(commands, "AUTH", terms->user, terms->password);
	if (terms->password != NULL &&
	    (terms->user == NULL || terms->or_default))
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

/* After AUTH that failed, one is who one was before. */
static bool
is_let_in(const struct redis_call *call, size_t logins)
{
	for (size_t i = 0; i < logins; i++)
		if (i >= call->received || resp_error(call->replies[i]) == NULL)
			return true;
	return false;
}

/* PING may be forbidden, and fails with MISCONF where reading still works. */
const char *
redis_greeting_fault(const struct redis_call *call,
    const struct redis_greeting_terms *terms, bool *is_refused_r)
{
	size_t logins = 0, musts;

	if (terms->password != NULL)
		logins = terms->user != NULL && terms->or_default ? 2 : 1;
	musts = logins;
	if (terms->database != 0)
		musts++;
	*is_refused_r = true;
	if (logins > 0 && !is_let_in(call, logins))
		return resp_error(call->replies[0]);
	for (size_t i = logins; i < call->received; i++) {
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
