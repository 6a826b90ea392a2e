#include "agenda.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_AT_FIRST 1024

static bool
is_before(const struct event *a, const struct event *b)
{
	return a->at != b->at ? a->at < b->at : a->number < b->number;
}

static void
swap(struct event *a, struct event *b)
{
	struct event kept = *a;

	*a = *b;
	*b = kept;
}

static bool
make_room(struct agenda *agenda)
{
	size_t room = agenda->room == 0 ? ROOM_AT_FIRST : 2 * agenda->room;
	struct event *heap;

	if (agenda->count < agenda->room)
		return true;
	heap = realloc(agenda->heap, room * sizeof *heap);
	if (heap == NULL)
		return false;
	agenda->heap = heap;
	agenda->room = room;
	return true;
}

bool
agenda_add(struct agenda *agenda, int64_t at, struct sender *sender,
    struct letter *letter)
{
	size_t i = agenda->count;

	if (!make_room(agenda))
		return false;
	agenda->heap[i] = (struct event){at, sender, letter, agenda->number++};
	agenda->count++;
	while (
	    i > 0 && is_before(&agenda->heap[i], &agenda->heap[(i - 1) / 2])) {
		swap(&agenda->heap[i], &agenda->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	return true;
}

static size_t
earliest_of(const struct agenda *agenda, size_t parent)
{
	size_t earliest = parent;

	for (size_t child = 2 * parent + 1; child <= 2 * parent + 2; child++)
		if (child < agenda->count &&
		    is_before(&agenda->heap[child], &agenda->heap[earliest]))
			earliest = child;
	return earliest;
}

bool
agenda_take(struct agenda *agenda, struct event *event_r)
{
	size_t i = 0, next;

	if (agenda->count == 0)
		return false;
	*event_r = agenda->heap[0];
	agenda->heap[0] = agenda->heap[--agenda->count];
	while ((next = earliest_of(agenda, i)) != i) {
		swap(&agenda->heap[i], &agenda->heap[next]);
		i = next;
	}
	return true;
}

void
agenda_clear(struct agenda *agenda)
{
	free(agenda->heap);
	memset(agenda, 0, sizeof *agenda);
}
