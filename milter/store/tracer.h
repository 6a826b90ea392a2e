/* tracer -- steps of sessions for whoever watches a client from any host.
 *
 * Who wants to watch puts a note on the board "traces" of the store: a name of his
 * own choice, and a network.  Every host looks there once a second, and gives the
 * steps of that network's sessions to the queue "trace:<name>". */
#ifndef TRACER_H
#define TRACER_H

#include <stdint.h>

#include "mail/netaddr.h"
#include "store/store.h"

#define TRACER_BOARD  "traces"
#define TRACER_QUEUE  "trace:"
#define TRACER_LIFE   INT64_C(30) /* seconds; renew the note before */
#define TRACER_NAME   32
#define TRACER_TEXT   1200 /* octets of a step */
#define TRACER_COUNT  8	   /* networks that are watched at once */
#define TRACER_FIELDS 7

/* Fields of a step, parted by tabs: Unix seconds, milliseconds since the client
 * connected, host, session, client, step, text.  The step "ready" says that a host
 * looks now. */

struct tracer;

/* NULL: out of memory. */
struct tracer *tracer_open(void);
void tracer_close(struct tracer **tracer);

/* Who watches this client: a bit for each, 0 for nobody.  Cheap while nobody
 * watches anybody. */
unsigned tracer_watchers(struct tracer *tracer, const struct netaddr *client);

/* Give them a step.  Waits for nothing; what is too much is dropped. */
void tracer_tell(struct tracer *tracer, unsigned watchers, const char *step);

/* Look who watches, and hand over what they were given.  One background thread, a
 * few times a second; may wait for the store. */
void tracer_tick(struct tracer *tracer, struct store *store, int64_t now);

#endif
