/* control -- the control socket: what only the daemon knows, for milter-deferctl.
 *
 * Who connects says one line, the daemon runs that command of ctl/ in a thread of
 * the connection, and its objects go back as lines.  Nobody there can hold up
 * mail: connections are few, requests short, and who does not read is cut off.
 * Whoever is neither root nor the daemon's own user may look, and change nothing. */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/settings.h"
#include "session/shared.h"

struct control;

/* Make the socket that the settings name, for their user, and listen: before
 * privileges are dropped.  NULL: `why_r` has the reason. */
struct control *
control_open(const struct settings *settings, char *why_r, size_t size);

/* Serve; `shared` and `file`, the configuration, have to stay.  False: no thread
 * could be had. */
bool
control_start(struct control *control, struct shared *shared, const char *file);

/* Remove the socket, break off what is under way, and wait for that at most
 * `within_ms`.  False: something hangs; the control is then left as it is. */
bool control_close(struct control **control, int64_t within_ms);

#endif
