/* summary -- a line in the log, now and then, of what was decided since the last
 * one. */
#ifndef SUMMARY_H
#define SUMMARY_H

#include "store/counters.h"

struct summary;

/* Together with the counters.  NULL: out of memory. */
struct summary *summary_open(int64_t now);
void summary_close(struct summary **summary);

/* Write it when `every` seconds are over since the last; 0: never.  One background
 * thread. */
void summary_tick(struct summary *summary, struct counters *counters,
    int64_t every, int64_t now);

#endif
