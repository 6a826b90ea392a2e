#include "redis/redirect.h"
#include "redis/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"

/* "MOVED 3999 127.0.0.1:6381" or "ASK 3999 127.0.0.1:6381" */
static bool
read_redirect(const char *error, struct redis_redirect *redirect_r)
{
	const char *end;
	int64_t slot;

	if (error == NULL)
		return false;
	redirect_r->is_ask = strncmp(error, "ASK ", 4) == 0;
	if (!redirect_r->is_ask && strncmp(error, "MOVED ", 6) != 0)
		return false;
	slot = decimal_scan(strchr(error, ' ') + 1, &end);
	if (slot < 0 || slot >= REDIS_SLOTS || *end != ' ' ||
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

static bool
find(const struct redis_call *call, struct redis_redirect *redirect_r)
{
	for (size_t i = 0; i < call->commands->count; i++)
		if (read_redirect(resp_error(call->replies[i]), redirect_r))
			return true;
	return false;
}

/* A transaction (MULTI to EXEC) is redirected as a whole: nothing of it was
 * executed.  Any other command stands alone. */
static bool
is_named(const struct redis_call *call, size_t index, const char *name)
{
	size_t length;
	const char *found =
	    resp_command_word(call->commands, index, 0, &length);

	return found != NULL && length == strlen(name) &&
	    memcmp(found, name, length) == 0;
}

/* The end of the group that begins with this command. */
static size_t
group_end(const struct redis_call *call, size_t first)
{
	size_t last = first;

	if (is_named(call, first, "MULTI"))
		while (last + 1 < call->commands->count &&
		    !is_named(call, last, "EXEC"))
			last++;
	return last + 1;
}

static bool
is_redirected(const struct redis_call *call, size_t first, size_t end,
    const struct redis_redirect *redirect)
{
	while (first < end && !is_same(call->replies[first], redirect))
		first++;
	return first < end;
}

bool
redis_redirect_collect(const struct redis_call *call,
    struct redis_redirect *redirect_r, struct resp_commands *commands)
{
	size_t end;

	if (!find(call, redirect_r))
		return false;
	for (size_t first = 0; first < call->commands->count; first = end) {
		end = group_end(call, first);
		if (!is_redirected(call, first, end, redirect_r))
			continue;
		if (redirect_r->is_ask)
			resp_add(commands, "ASKING");
		for (size_t i = first; i < end; i++)
			resp_add_command(commands, call->commands, i);
	}
	return true;
}

void
redis_redirect_merge(struct redis_call *call,
    const struct redis_redirect *redirect, struct resp_reply **replies)
{
	size_t end;

	for (size_t first = 0; first < call->commands->count; first = end) {
		end = group_end(call, first);
		if (!is_redirected(call, first, end, redirect))
			continue;
		if (redirect->is_ask)
			resp_reply_free(replies++);
		for (size_t i = first; i < end; i++) {
			resp_reply_free(&call->replies[i]);
			call->replies[i] = *replies++;
		}
	}
}
