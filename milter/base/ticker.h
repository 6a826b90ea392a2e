/* ticker -- one background thread that does something once a second. */
#ifndef TICKER_H
#define TICKER_H

#include <stdbool.h>
#include <stdint.h>

struct ticker;

/* Call `tick` at once and then every second, until ticker_stop().  `now` is
 * Unix seconds.  NULL: no thread or no memory could be had. */
struct ticker *ticker_start(void (*tick)(void *arg, int64_t now), void *arg);

/* Tick no more, and wait at most `within_ms` for a tick that is under way.
 * False: it still is; the ticker is then left as it is. */
bool ticker_stop(struct ticker **ticker, int64_t within_ms);

#endif
