#include "redis/redis_call.h"

#include <time.h>

void
redis_call_append(struct redis_call_list *list, struct redis_call *call)
{
	call->next = NULL;
	if (list->head == NULL)
		list->head = call;
	else
		list->tail->next = call;
	list->tail = call;
}

void
redis_call_join(struct redis_call_list *list, struct redis_call_list *more)
{
	if (more->head == NULL)
		return;
	if (list->head == NULL)
		list->head = more->head;
	else
		list->tail->next = more->head;
	list->tail = more->tail;
	*more = (struct redis_call_list){0};
}

struct redis_call *
redis_call_shift(struct redis_call_list *list)
{
	struct redis_call *call = list->head;

	if (call != NULL)
		list->head = call->next;
	return call;
}

int64_t
redis_call_due(const struct redis_call_list *list)
{
	int64_t due_ms = INT64_MAX;

	for (const struct redis_call *at = list->head; at; at = at->next)
		if (at->due_ms < due_ms)
			due_ms = at->due_ms;
	return due_ms;
}

void
redis_call_finish_all(struct redis_call_list *list)
{
	struct redis_call *call;

	while ((call = redis_call_shift(list)) != NULL) {
		while (!call->is_answered && call->received > 0)
			resp_reply_free(&call->replies[--call->received]);
		call->done(call);
	}
}

int64_t
redis_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
