#include "redis_health.h"
#include "redis_error.h"
#include "redis_link.h"
#include "redis_thread.h"

#include <stdio.h>
#include <string.h>

enum { QUIET_MS = 1000 };

void
redis_health_open(struct redis_health *health_r,
    void (*report)(void *arg, bool up, const char *where, const char *why),
    void *report_arg)
{
	*health_r = (struct redis_health){
	    .report = report,
	    .report_arg = report_arg,
	};
	(void)pthread_mutex_init(&health_r->mutex, NULL);
}

void
redis_health_close(struct redis_health *health)
{
	(void)pthread_mutex_destroy(&health->mutex);
}

static void
name_of(const struct redis_call *call, size_t index, char *name_r, size_t size)
{
	size_t length = 0;
	const char *name = resp_command_name(call->commands, index, &length);

	(void)snprintf(name_r, size, "%.*s", (int)length, name ? name : "");
}

/* Redirections that are left here were not followed, so nothing was done. */
static bool
is_refusal(const struct resp_reply *reply)
{
	enum redis_error error = redis_error_judge(resp_error(reply));

	return error != REDIS_ERROR_NONE && error != REDIS_ERROR_HARMLESS;
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
	char where[REDIS_WHERE_SIZE];
	char why[REDIS_WORDS_SIZE];
	const char *words = refusal_in(call->replies[refused]);
	enum redis_news news;

	if (redis_error_judge(words) == REDIS_ERROR_UNABLE)
		redis_link_note_refusal(call->link);
	redis_link_where(call->link, where, sizeof where);
	redis_error_clean(words, why, sizeof why);

	(void)pthread_mutex_lock(&health->mutex);
	health->refused_ms = redis_thread_now();
	name_of(call, refused, health->command, sizeof health->command);
	memcpy(health->where, where, sizeof health->where);
	news = redis_outage_note(&health->outage, why, health->refused_ms);
	atomic_store(&health->is_ill, true);
	(void)pthread_mutex_unlock(&health->mutex);

	if (news == REDIS_NEWS_DOWN && health->report != NULL)
		health->report(health->report_arg, false, where, why);
}

static void
perhaps_recover(struct redis_health *health, const struct redis_call *call)
{
	char where[REDIS_WHERE_SIZE];
	enum redis_news news = REDIS_NEWS_NONE;
	int64_t now = redis_thread_now();

	(void)pthread_mutex_lock(&health->mutex);
	if (now - health->refused_ms >= QUIET_MS &&
	    accepts(call, health->command)) {
		news = redis_outage_note(&health->outage, NULL, now);
		atomic_store(&health->is_ill, false);
	}
	memcpy(where, health->where, sizeof where);
	(void)pthread_mutex_unlock(&health->mutex);

	if (news == REDIS_NEWS_UP && health->report != NULL)
		health->report(
		    health->report_arg, true, where, "accepts commands again");
}

bool
redis_health_note(struct redis_health *health, const struct redis_call *call)
{
	size_t refused = find_refusal(call);

	if (refused < call->commands->count) {
		fall_ill(health, call, refused);
		return false;
	}
	if (atomic_load(&health->is_ill))
		perhaps_recover(health, call);
	return true;
}
