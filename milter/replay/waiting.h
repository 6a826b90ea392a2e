/* waiting -- pairs that a policy has put off, until they pass or are given up.
 *
 * Bounded: when it is full, those that were begun longest ago make room. */
#ifndef WAITING_H
#define WAITING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct waiting {
	uint64_t key;
	int64_t since;
	struct figures_rule *rule; /* that put it off first */
	bool came_back;
	bool is_assumed; /* see figures_rule */
};

struct waiting_room;

/* `left` is told of each that is removed by waiting_expire(), or to make room
 * (`crowded`).  NULL: out of memory. */
typedef void
waiting_left(void *arg, const struct waiting *waiting, bool crowded);
struct waiting_room *waiting_open(size_t most, waiting_left *left, void *arg);
void waiting_close(struct waiting_room **room);

/* NULL: it does not wait. */
struct waiting *waiting_find(struct waiting_room *room, uint64_t key);

/* It does not wait yet.  NULL: out of memory. */
struct waiting *waiting_add(struct waiting_room *room, uint64_t key,
    int64_t since, struct figures_rule *rule);
void waiting_remove(struct waiting_room *room, struct waiting *waiting);

/* Remove all that began before then. */
void waiting_expire(struct waiting_room *room, int64_t before);

#endif
