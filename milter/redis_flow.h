/* redis_flow -- calls under way on one connection: commands out, replies in,
 * in order.
 *
 * What stands under the mutex here is for whoever holds that of the crew; a
 * part is for the leader of the crew, and a part for one who sends.  Reading
 * and writing need no mutex. */
#ifndef REDIS_FLOW_H
#define REDIS_FLOW_H

#include "redis_call.h"
#include "redis_stream.h"

#include <poll.h>

struct redis_flow;

/* Takes the stream over.  NULL: no memory, and the stream is closed. */
struct redis_flow *redis_flow_open(struct redis_stream *stream);

/* Close the connection.  `lost_r` gets the calls that have no answer. */
void redis_flow_close(struct redis_flow **flow, struct redis_call_list *lost_r);

/* ---- Under the mutex */

/* Take a call over, to be sent.  False: there are too many of them, or too many
 * bytes, or no memory; nothing has changed. */
bool redis_flow_add(struct redis_flow *flow, struct redis_call *call);

/* True: there is something to send, and whoever asked has to, with
 * redis_flow_write; end_send must follow. */
bool redis_flow_begin_send(struct redis_flow *flow);

/* False: the connection did not take all of it.  That it is lost shows when it
 * is read. */
bool redis_flow_end_send(struct redis_flow *flow);

/* Calls that are not over, as of the last join. */
size_t redis_flow_pending(const struct redis_flow *flow);

/* Somebody is sending. */
bool redis_flow_is_sending(const struct redis_flow *flow);

/* Be ready for the answers to all calls that were added.  For the leader,
 * between reading and digesting. */
void redis_flow_join(struct redis_flow *flow);

/* For the leader: what to poll for, and for how many milliseconds: until the
 * next deadline, and not above a second. */
int redis_flow_look(struct redis_flow *flow, struct pollfd *wait_r);

/* Ask whether the server still lives, unless something is asked anyway. */
void redis_flow_ping(struct redis_flow *flow);

/* The first call for whose turn somebody waits, or NULL. */
struct redis_call *redis_flow_awaited(const struct redis_flow *flow);

/* Nobody waits for an answer. */
bool redis_flow_is_idle(const struct redis_flow *flow);

/* ---- For one who sends */

/* Send what the connection takes now. */
void redis_flow_write(struct redis_flow *flow);

/* ---- For the leader.  Words say why the connection is of no more use; NULL is
 * well. */

/* Read what is there, to be digested. */
const char *redis_flow_read(struct redis_flow *flow);

/* Make replies of what was read.  `over` gets, at its end, the calls that have
 * all of theirs.  Then see to deadlines. */
const char *
redis_flow_digest(struct redis_flow *flow, struct redis_call_list *over);

#endif
