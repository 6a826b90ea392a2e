/* agenda -- what happens next, in the order of virtual time. */
#ifndef AGENDA_H
#define AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct letter;
struct sender;

struct event {
	int64_t at;
	struct sender *sender; /* who acts */
	struct letter *letter; /* to be tried; NULL: one is to be written */
	uint64_t number;       /* of events of one moment, the first first */
};

/* All zero at first. */
struct agenda {
	struct event *heap;
	size_t count;
	size_t room;
	uint64_t number;
};

/* False: out of memory. */
bool agenda_add(struct agenda *agenda, int64_t at, struct sender *sender,
    struct letter *letter);

/* False: nothing is left. */
bool agenda_take(struct agenda *agenda, struct event *event_r);

/* Frees what it holds itself. */
void agenda_clear(struct agenda *agenda);

#endif
