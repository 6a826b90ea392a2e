#include "redis/call.h"

#include <stdlib.h>

#include "base/clock.h"

enum { FIRST_PLACES = 64, FIRST_PAUSE_MS = 250 };

void
redis_call_append(struct redis_call_list *list, struct redis_call *call,
    enum redis_answer answer)
{
	call->answer = answer;
	call->next = NULL;
	if (list->head == NULL)
		list->head = call;
	else
		list->tail->next = call;
	list->tail = call;
}

void
redis_call_finish_all(struct redis_call_list *list)
{
	struct redis_call *next;

	for (struct redis_call *call = list->head; call != NULL; call = next) {
		next = call->next;
		while (call->answer != REDIS_ANSWERED && call->received > 0)
			resp_reply_free(&call->replies[--call->received]);
		call->done(call);
	}
	list->head = NULL;
}

/* ---- The answers that are owed */

struct redis_place *
redis_queue_at(const struct redis_queue *queue, size_t index)
{
	return &queue->places[(queue->head + index) & (queue->size - 1)];
}

bool
redis_queue_reserve(struct redis_queue *queue, size_t more)
{
	struct redis_queue wider = {.size = queue->size};

	if (queue->size - queue->count >= more)
		return true;
	if (wider.size == 0)
		wider.size = FIRST_PLACES;
	while (wider.size - queue->count < more)
		wider.size *= 2;
	wider.places = calloc(wider.size, sizeof *wider.places);
	if (wider.places == NULL)
		return false;
	for (size_t i = 0; i < queue->count; i++)
		redis_queue_add(&wider, redis_queue_at(queue, i));
	free(queue->places);
	*queue = wider;
	return true;
}

void
redis_queue_add(struct redis_queue *queue, const struct redis_place *place)
{
	*redis_queue_at(queue, queue->count++) = *place;
}

bool
redis_queue_join(struct redis_queue *queue, struct redis_queue *more)
{
	if (!redis_queue_reserve(queue, more->count))
		return false;
	for (size_t i = 0; i < more->count; i++)
		redis_queue_add(queue, redis_queue_at(more, i));
	more->count = 0;
	return true;
}

void
redis_queue_drop(struct redis_queue *queue)
{
	queue->head = (queue->head + 1) & (queue->size - 1);
	queue->count--;
}

void
redis_queue_free(struct redis_queue *queue)
{
	free(queue->places);
	*queue = (struct redis_queue){0};
}

/* ---- Time */

int64_t
redis_now(void)
{
	return clock_steady_us() / 1000;
}

int64_t
redis_pause(size_t failures, int64_t most_ms)
{
	int64_t pause = FIRST_PAUSE_MS;

	while (--failures > 0 && pause < most_ms)
		pause *= 2;
	if (pause > most_ms)
		pause = most_ms;
	/* Two hosts never see the same microsecond. */
	return pause - pause / 4 + clock_steady_us() % 1000000 % (pause / 2);
}
