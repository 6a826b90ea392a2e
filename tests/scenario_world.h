/* scenario_world -- what a scenario takes place in: what sessions share, with an embedded
 * store, a clock that only the scenario moves, a directory, and a log.
 *
 * It begins on Thursday, 2026-01-01 12:00:00 UTC.  Whatever goes wrong in it
 * fails the running test. */
#ifndef SCENARIO_WORLD_H
#define SCENARIO_WORLD_H

#include <stdbool.h>

#include "scenario_keeper.h"
#include "session/shared.h"

struct world {
	struct shared *shared;
	struct keeper *keeper; /* owned by `shared` */
	int64_t now;
	int64_t ticks_max; /* of world_pass(); the caller may set it */
	char directory[64];
	double load;	  /* the figure that a program keeps publishing */
	double published; /* what its file says; -1: there is none */
	int log;	  /* a file that standard error goes to */
	int stderr_before;
	long log_mark;
};

/* `$DIR` in a policy stands for the world's directory; `$SHIPPED` makes the
 * policy that of conf/milter-defer.conf, whatever else it says. */
void world_open(struct world *world, const char *policy);
void world_close(struct world *world);
void world_reload(struct world *world, const char *policy);

/* Time passes; the background thread has its turn each second, or
 * 120 times if it is more than that. */
void world_pass(struct world *world, int64_t seconds);

void world_set_load(struct world *world, double load);

/* Write a file of the directory, one line each; with no lines it is removed. */
void world_set_file(
    struct world *world, const char *name, char *const *lines, size_t count);

/* What was logged since world_mark_log(), or all with `whole`.  Good until the
 * next call. */
const char *world_log(struct world *world, bool whole);
void world_mark_log(struct world *world);

#endif
