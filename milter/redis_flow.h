/* redis_flow -- calls under way on one connection: commands out, replies in,
 * in order.
 *
 * Belongs to one thread, started by redis_thread_start.  Functions that return
 * words say why the connection is of no more use; NULL is well. */
#ifndef REDIS_FLOW_H
#define REDIS_FLOW_H

#include "redis_call.h"
#include "redis_stream.h"
#include "redis_wake.h"

struct redis_flow;

/* Takes the stream over.  NULL: no memory, and the stream is closed. */
struct redis_flow *redis_flow_open(struct redis_stream *stream);

/* Close the connection.  `lost_r` gets the calls that have no answer, for
 * redis_call_finish. */
void redis_flow_close(struct redis_flow **flow, struct redis_call_list *lost_r);

/* Take over all these calls, whose encoded commands are in `bytes` in the same
 * order.  Both are empty afterwards. */
const char *redis_flow_take(struct redis_flow *flow,
    struct resp_commands *bytes, struct redis_call_list *calls);

/* Send, wait, receive and finish calls, once.  Waits until there is something
 * to read, until it is woken, or until the next deadline, but at
 * most a second.  A connection that was idle for so long is asked whether it
 * still lives. */
const char *
redis_flow_work(struct redis_flow *flow, const struct redis_wake *wake);

/* Nobody waits for an answer. */
bool redis_flow_is_idle(const struct redis_flow *flow);

/* Bytes that wait to be sent. */
size_t redis_flow_unsent(const struct redis_flow *flow);

/* How many calls were finished since this was asked last. */
size_t redis_flow_finished(struct redis_flow *flow);

#endif
