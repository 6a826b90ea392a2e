/* visitors -- how often may one visitor ask?  A bounded table: many visitors make
 * it forget some, and never grow. */
#ifndef VISITORS_H
#define VISITORS_H

#include <stdbool.h>
#include <stdint.h>

#include "mail/netaddr.h"

struct visitors;

/* NULL: out of memory. */
struct visitors *visitors_open(void);
void visitors_close(struct visitors **visitors);

/* Whether this visitor may ask once more at `now_us`, of a steady clock, when
 * `limit` times a minute are allowed; that is counted.  An IPv6 visitor is its
 * /64.  From any thread. */
bool visitors_may(struct visitors *visitors, const struct netaddr *visitor,
    int64_t limit, int64_t now_us);

#endif
