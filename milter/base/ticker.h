/* ticker -- a background thread that does something again and again. */
#ifndef TICKER_H
#define TICKER_H

#include <stdbool.h>
#include <stdint.h>

struct ticker;

/* Call `tick` at once and then every `every_ms` milliseconds, until ticker_stop();
 * or, if that is 0, once after each ticker_nudge().  `now` is Unix seconds; how long
 * a second is does not depend on that clock.  `name` is that of the thread.  NULL: no
 * thread or no memory could be had. */
struct ticker *ticker_start(const char *name, int64_t every_ms,
    void (*tick)(void *arg, int64_t now), void *arg);

/* Let it tick once more, as soon as no tick is under way.  Waits for nothing;
 * several nudges before that are one. */
void ticker_nudge(struct ticker *ticker);

/* Tick no more, and wait at most `within_ms` for a tick that is under way.
 * False: it still is; the ticker is then left as it is, and may be stopped once
 * more. */
bool ticker_stop(struct ticker **ticker, int64_t within_ms);

#endif
