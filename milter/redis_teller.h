/* redis_teller -- sends commands that nobody waits for.
 *
 * Their answers are watched for faults.  In a cluster a background thread
 * sends on what was redirected; more than it can hold is forgotten. */
#ifndef REDIS_TELLER_H
#define REDIS_TELLER_H

#include "redis_cluster.h"
#include "redis_health.h"

struct redis_teller;

/* `cluster` may be NULL: redirections are then not followed.  Both must
 * outlive the teller's calls.  NULL: no memory, or no thread to be had. */
struct redis_teller *
redis_teller_open(struct redis_health *health, struct redis_cluster *cluster);

/* First stop: nothing is sent on any more.  Close when all links are closed.
 */
void redis_teller_stop(struct redis_teller *teller);
void redis_teller_close(struct redis_teller **teller);

/* Copy the commands and hand them over.  False: refused. */
bool redis_teller_send(struct redis_teller *teller, struct redis_link *link,
    const struct resp_commands *commands, int64_t due_ms);

#endif
