#include "store/memory/store_memory_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_LIFE INT64_C(60) /* seconds */

static char *
take_first(struct memory_queue *queue)
{
	char *text = queue->texts[queue->first];

	queue->first = (queue->first + 1) % STORE_QUEUE_MAX;
	queue->count--;
	return text;
}

static void
empty_queue(struct memory_queue *queue)
{
	while (queue->count > 0)
		free(take_first(queue));
	queue->name[0] = '\0';
}

void
memory_board_clear(struct memory_board *board)
{
	for (size_t i = 0; i < MEMORY_QUEUES; i++)
		empty_queue(&board->queues[i]);
}

/* ---- Notes */

static bool
is_note(const struct memory_note *note, const char *board, const char *name)
{
	return strcmp(note->board, board) == 0 && strcmp(note->name, name) == 0;
}

/* The one of this name, or else a place for it; NULL: there is none. */
static struct memory_note *
find_note(
    struct memory_board *board, const char *on, const char *name, int64_t now)
{
	struct memory_note *place = NULL;

	for (size_t i = 0; i < STORE_NOTES_MAX; i++) {
		if (is_note(&board->notes[i], on, name))
			return &board->notes[i];
		if (board->notes[i].until <= now && place == NULL)
			place = &board->notes[i];
	}
	return place;
}

static enum store_result
put_note(struct store *store, const char *board, const struct store_note *note,
    int64_t now)
{
	struct memory *memory = (struct memory *)store;
	struct memory_note *place;

	if (strlen(board) >= MEMORY_NAME_SIZE ||
	    strlen(note->name) >= MEMORY_NAME_SIZE)
		return STORE_UNREADABLE;
	pthread_mutex_lock(&memory->aside);
	place = find_note(&memory->board, board, note->name, now);
	if (place != NULL) {
		strcpy(place->board, board);
		strcpy(place->name, note->name);
		(void)snprintf(place->text, sizeof place->text, "%s",
		    note->text == NULL ? "" : note->text);
		place->until = note->text == NULL ? 0 : now + note->life;
	}
	pthread_mutex_unlock(&memory->aside);
	return place == NULL ? STORE_DOWN : STORE_OK;
}

static enum store_result
read_notes(struct store *store, const char *board, int64_t now,
    void (*each)(void *arg, const char *name, const char *text), void *arg)
{
	struct memory *memory = (struct memory *)store;
	struct memory_note note;

	for (size_t i = 0; i < STORE_NOTES_MAX; i++) {
		pthread_mutex_lock(&memory->aside);
		note = memory->board.notes[i];
		pthread_mutex_unlock(&memory->aside);
		if (note.until > now && strcmp(note.board, board) == 0)
			each(arg, note.name, note.text);
	}
	return STORE_OK;
}

/* ---- Queues */

static struct memory_queue *
find_queue(struct memory_board *board, const char *name, int64_t now)
{
	struct memory_queue *place = NULL;

	for (size_t i = 0; i < MEMORY_QUEUES; i++) {
		struct memory_queue *queue = &board->queues[i];

		if (queue->name[0] != '\0' &&
		    now - queue->pushed_at > QUEUE_LIFE)
			empty_queue(queue);
		if (strcmp(queue->name, name) == 0)
			return queue;
		if (queue->name[0] == '\0')
			place = queue;
	}
	return place;
}

static void
push_text(struct memory_queue *queue, const char *text)
{
	char *copy = strdup(text);

	if (copy == NULL)
		return;
	if (queue->count == STORE_QUEUE_MAX)
		free(take_first(queue));
	queue->texts[(queue->first + queue->count++) % STORE_QUEUE_MAX] = copy;
}

static enum store_result
push(struct store *store, const char *queue, const char *const *texts,
    size_t count, int64_t now)
{
	struct memory *memory = (struct memory *)store;
	struct memory_queue *place;

	if (strlen(queue) >= MEMORY_NAME_SIZE)
		return STORE_UNREADABLE;
	pthread_mutex_lock(&memory->aside);
	place = find_queue(&memory->board, queue, now);
	if (place != NULL) {
		strcpy(place->name, queue);
		place->pushed_at = now;
		for (size_t i = 0; i < count; i++)
			push_text(place, texts[i]);
	}
	pthread_mutex_unlock(&memory->aside);
	return place == NULL ? STORE_DOWN : STORE_OK;
}

static enum store_result
pop(struct store *store, const char *queue,
    void (*each)(void *arg, const char *text), void *arg, size_t *count_r)
{
	struct memory *memory = (struct memory *)store;
	char *taken[STORE_PUSH_MAX];
	size_t count = 0;

	pthread_mutex_lock(&memory->aside);
	for (size_t i = 0; i < MEMORY_QUEUES; i++)
		while (strcmp(memory->board.queues[i].name, queue) == 0 &&
		    memory->board.queues[i].count > 0 && count < STORE_PUSH_MAX)
			taken[count++] = take_first(&memory->board.queues[i]);
	pthread_mutex_unlock(&memory->aside);
	*count_r = count;
	for (size_t i = 0; i < count; i++) {
		each(arg, taken[i]);
		free(taken[i]);
	}
	return STORE_OK;
}

const struct store_board_ops memory_board_ops = {
    .put_note = put_note,
    .read_notes = read_notes,
    .push = push,
    .pop = pop,
};
