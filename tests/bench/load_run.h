/* load_run -- many sessions at once against one milter, and what they show.
 *
 * One thread: a session that ends makes room for the next at once, so there are
 * always as many open as the terms say. */
#ifndef LOAD_RUN_H
#define LOAD_RUN_H

#include "mta_session.h"
#include "samples.h"
#include "traffic.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PIDS_MAX 8

struct load_terms {
	struct mta_plan plan;
	struct traffic traffic;
	unsigned concurrency; /* sessions open at once */
	double warmup;	      /* seconds before anything counts */
	double seconds;	      /* that count */
	uint64_t sessions;    /* if not 0: end after so many; all count */
	pid_t pids[PIDS_MAX]; /* whose CPU time to read */
	size_t pid_count;
};

struct load_result {
	double seconds; /* in which all of this happened */
	uint64_t outcomes[MTA_OUTCOMES];
	uint64_t stalled;	  /* open at the end, unanswered for long */
	struct samples decisions; /* of messages that were decided */
	double cpu_us[PIDS_MAX];  /* of each process, its threads included */
	double own_cpu_us;
	uint64_t started;  /* sessions, those of the warm-up included */
	uint64_t next;	   /* message number to go on with */
	uint32_t protocol; /* SMFIP_ flags that the milter chose last */
};

/* False: something could not be had, and `errno` says what.  A milter that
 * only fails ends the run early; the outcomes show it. */
bool load_run(const struct load_terms *terms, struct load_result *result_r);

uint64_t load_result_sessions(const struct load_result *result);
void load_result_free(struct load_result *result);

#endif
