/* clock -- the steady clock: for intervals and deadlines, whatever the calendar
 * does meanwhile.  What happened when is told in Unix seconds, by time(2). */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>
#include <time.h>

/* Microseconds since some moment of the past. */
int64_t clock_steady_us(void);

/* The moment that lies `ms` ahead on that clock, for pthread_cond_timedwait()
 * with a condition of thread_condition(). */
struct timespec clock_due(int64_t ms);

/* Do nothing for so long, whatever signals come. */
void clock_sleep(int64_t ms);

#endif
