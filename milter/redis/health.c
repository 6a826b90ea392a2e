#include "redis/health.h"
#include "base/ascii.h"
#include "redis/connection.h"
#include "redis/error.h"

#include <stdio.h>
#include <string.h>

enum { QUIET_MS = 1000 };

static void
name_of(const struct redis_call *call, size_t index, char *name_r, size_t size)
{
	size_t length = 0;
	const char *name = resp_command_word(call->commands, index, 0, &length);

	(void)snprintf(name_r, size, "%.*s", (int)length, name ? name : "");
}

/* Redirections that are left here were not followed, so nothing was done. */
static bool
is_refusal(const struct resp_reply *reply)
{
	enum redis_error error = redis_error_judge(resp_error(reply));

	return error == REDIS_ERROR_REDIRECT || error >= REDIS_ERROR_REFUSED;
}

/* The words of a refusal, be it the reply itself or, in a transaction, one of
 * those that EXEC gives; or NULL. */
static const char *
refusal_in(const struct resp_reply *reply)
{
	if (is_refusal(reply))
		return resp_error(reply);
	for (size_t i = 0; i < resp_count(reply); i++)
		if (is_refusal(resp_element(reply, i)))
			return resp_error(resp_element(reply, i));
	return NULL;
}

/* The index of the first refused command, or the count of commands. */
static size_t
find_refusal(const struct redis_call *call)
{
	size_t i = 0;

	while (i < call->commands->count && !refusal_in(call->replies[i]))
		i++;
	return i;
}

static bool
accepts(const struct redis_call *call, const char *command)
{
	char name[sizeof((struct redis_health *)NULL)->command];

	for (size_t i = 0; i < call->commands->count; i++) {
		name_of(call, i, name, sizeof name);
		if (strcmp(name, command) == 0)
			return true;
	}
	return false;
}

static void
fall_ill(
    struct redis_health *health, const struct redis_call *call, size_t refused)
{
	const char *where = redis_connection_where(call->conn);
	const char *words = refusal_in(call->replies[refused]);
	char why[REDIS_WORDS_SIZE];
	enum redis_news news;

	ascii_clean(words, why, sizeof why);
	health->is_ill = true;
	health->refused_ms = redis_now();
	name_of(call, refused, health->command, sizeof health->command);
	(void)snprintf(health->where, sizeof health->where, "%s", where);
	news = (enum redis_news)outage_note(
	    &health->outage, why, health->refused_ms);
	if (news == REDIS_NEWS_DOWN && health->report != NULL)
		health->report(health->report_arg, news, where, why);
}

static void
perhaps_recover(struct redis_health *health, const struct redis_call *call)
{
	int64_t now = redis_now();

	if (now - health->refused_ms < QUIET_MS ||
	    !accepts(call, health->command))
		return;
	health->is_ill = false;
	if (outage_note(&health->outage, NULL, now) == OUTAGE_ENDED &&
	    health->report != NULL)
		health->report(health->report_arg, REDIS_NEWS_UP, health->where,
		    "accepts commands again");
}

bool
redis_health_note(struct redis_health *health, const struct redis_call *call)
{
	size_t refused = find_refusal(call);

	if (refused < call->commands->count) {
		fall_ill(health, call, refused);
		return false;
	}
	if (health->is_ill)
		perhaps_recover(health, call);
	return true;
}
