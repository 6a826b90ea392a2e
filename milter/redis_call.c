#include "redis_call.h"

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

struct redis_call *
redis_call_awaited(const struct redis_call_list *list)
{
	struct redis_call *call = list->head;

	while (call != NULL && !call->is_awaited)
		call = call->next;
	return call;
}

void
redis_call_finish(struct redis_call *call)
{
	if (!call->is_answered)
		while (call->received > 0)
			resp_reply_free(&call->replies[--call->received]);
	if (call->done != NULL) {
		call->done(call);
		return;
	}
	atomic_store(&call->is_over, true);
	(void)sem_post(&call->turn); /* and from now on it is not ours */
}

void
redis_call_finish_all(struct redis_call_list *list)
{
	struct redis_call *call;

	while ((call = redis_call_shift(list)) != NULL)
		redis_call_finish(call);
}
