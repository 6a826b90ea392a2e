/* load_sample -- how busy is this host, by the busiest of its measures?
 *
 * Reads the system (Linux), so it runs beside the sessions and not in them. */
#ifndef LOAD_SAMPLE_H
#define LOAD_SAMPLE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/thread.h"
#include "load/load.h"

enum load_source {
	LOAD_CPU,	      /* 1-minute load average per online CPU */
	LOAD_CPU_PRESSURE,    /* share of the last seconds in which some task */
	LOAD_IO_PRESSURE,     /*   stood still for want of CPU, input/output */
	LOAD_MEMORY_PRESSURE, /*   or memory; 0..1, Linux PSI */
	LOAD_SESSIONS,	      /* open SMTP sessions */
	LOAD_QUEUE,	      /* files in a queue directory */
	LOAD_SPACE,	      /* free share of a file system's blocks, 0..1 */
	LOAD_INODES,	      /* free share of its inodes, 0..1 */
	LOAD_FIGURE, /* the number in a file, from the admin's program */
	LOAD_SOURCE_COUNT,
	LOAD_SOURCE_NONE = LOAD_SOURCE_COUNT
};

/* What to measure: plain data, filled from the config.
 *
 * A capacity is the measure at which a source counts as a load of 1.0; 0
 * switches the source off.  Most sources are linear: half of the capacity is
 * 0.5.  What is free (LOAD_SPACE, LOAD_INODES) runs the other way: twice as
 * much free as the capacity is 0.5, so that a disk which is merely well used
 * does not look like a busy host.
 *
 * The strings belong to the caller.  A source whose directory or file is NULL
 * is off.  So is a pressure that this kernel does not count, which is common and
 * no fault; CPU pressure is then guessed from the length of the run queue. */
struct load_sources {
	double capacity[LOAD_SOURCE_COUNT];
	const char *queue_dir;
	const char *space_dir; /* for LOAD_SPACE and LOAD_INODES */
	const char *figure_file;
	int64_t figure_max_age; /* seconds after which the figure is ignored */
	const char *proc_dir;	/* NULL: "/proc" */
};

/* Why a source is ignored: 0 it is not, > 0 an errno value, or one of these. */
enum load_fault {
	LOAD_FAULT_OLD = -1,	  /* the figure file is not kept up to date */
	LOAD_FAULT_NONSENSE = -2, /* it does not hold what it should */
	LOAD_FAULT_HANGS = -3	  /* its file system does not answer */
};

/* A measure that may hang, and where it is taken. */
struct load_slow {
	struct aside *aside;
	char path[PATH_MAX];
};

struct load_sample {
	double load;		 /* the largest, 0..LOAD_MAX; 0 if none */
	enum load_source source; /* which one that was, or LOAD_SOURCE_NONE */
	double loads[LOAD_SOURCE_COUNT]; /* of each; 0 if off or ignored */
	int faults[LOAD_SOURCE_COUNT];
	bool fault_changed[LOAD_SOURCE_COUNT]; /* since the sample before */
	struct load_pressure pressures[LOAD_SOURCE_COUNT]; /* for the next */
	struct load_slow slow[LOAD_SOURCE_COUNT];
};

/* The name of a source as in config and log; "none" for LOAD_SOURCE_NONE. */
const char *load_source_name(enum load_source source);

/* Words for a fault, also for 0; to be used before this thread asks again. */
const char *load_fault_text(int fault);

/* Measure.  `sessions` are the sessions now open, `now` the Unix time by this
 * host's own clock, by which the age of the figure file is judged.
 *
 * *sample holds the sample before (all zero at first) and gets the new one.  A
 * source that cannot be read is ignored, never an error, and logged once when that
 * starts and once when it heals.  A file system that hangs costs a fraction of a
 * second each time and one thread a source, and nothing of the other sources. */
void load_sample_take(const struct load_sources *sources, int64_t sessions,
    int64_t now, struct load_sample *sample);

/* Give back what it holds. */
void load_sample_clear(struct load_sample *sample);

/* Count the regular files in `dir` and, for Postfix's hash_queue_names, in its
 * subdirectories down to four levels.  Symbolic links are neither followed nor
 * counted, names that begin with a dot are skipped.  May block as long as a
 * directory read blocks.
 *
 * Counting stops at `limit` files, and when `budget_ms` milliseconds have
 * passed; *count_r is then what was seen so far, so always a lower bound and
 * never above `limit`.  What vanishes meanwhile does not matter.
 *
 * Returns 0, or the errno value of what could not be read. */
int queue_count(
    const char *dir, int64_t limit, int64_t budget_ms, int64_t *count_r);

#endif
