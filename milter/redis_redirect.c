#include "redis_redirect.h"
#include "redis_slot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "MOVED 3999 127.0.0.1:6381" or "ASK 3999 127.0.0.1:6381" */
static bool
read_redirect(const char *error, struct redis_redirect *redirect_r)
{
	unsigned long slot;
	char *end;

	if (error == NULL)
		return false;
	redirect_r->is_ask = strncmp(error, "ASK ", 4) == 0;
	if (!redirect_r->is_ask && strncmp(error, "MOVED ", 6) != 0)
		return false;
	slot = strtoul(strchr(error, ' ') + 1, &end, 10);
	if (slot >= REDIS_SLOTS || *end != ' ' ||
	    strlen(end + 1) >= sizeof redirect_r->to)
		return false;
	redirect_r->slot = (unsigned)slot;
	(void)snprintf(redirect_r->to, sizeof redirect_r->to, "%s", end + 1);
	return true;
}

static bool
is_same(const struct resp_reply *reply, const struct redis_redirect *redirect)
{
	struct redis_redirect other;

	return read_redirect(resp_error(reply), &other) &&
	    other.is_ask == redirect->is_ask &&
	    strcmp(other.to, redirect->to) == 0;
}

bool
redis_redirect_find(
    const struct redis_call *call, struct redis_redirect *redirect_r)
{
	for (size_t i = 0; i < call->commands->count; i++)
		if (read_redirect(resp_error(call->replies[i]), redirect_r))
			return true;
	return false;
}

void
redis_redirect_collect(const struct redis_call *call,
    const struct redis_redirect *redirect, struct resp_commands *commands)
{
	for (size_t i = 0; i < call->commands->count; i++) {
		const char *bytes;
		size_t length;

		if (!is_same(call->replies[i], redirect))
			continue;
		if (redirect->is_ask)
			resp_add(commands, "ASKING");
		bytes = resp_command_at(call->commands, i, &length);
		resp_add_encoded(commands, bytes, length);
	}
}

void
redis_redirect_merge(struct redis_call *call,
    const struct redis_redirect *redirect, struct resp_reply **replies)
{
	for (size_t i = 0; i < call->commands->count; i++) {
		if (!is_same(call->replies[i], redirect))
			continue;
		if (redirect->is_ask)
			resp_reply_free(replies++);
		resp_reply_free(&call->replies[i]);
		call->replies[i] = *replies++;
	}
}
