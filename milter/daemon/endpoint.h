/* endpoint -- the milter socket as the system sees it: room is made for it, it
 * gets its mode and group, it is removed.
 *
 * libmilter itself would replace the socket of a running instance, and as root
 * it never removes its own. */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include <stdbool.h>
#include <stddef.h>

#include "config/socket_spec.h"

/* Make sure that nobody serves this endpoint, and remove a socket that a dead
 * process left.  Anything else that stands there is kept and refused.  False:
 * `why_r` has the reason. */
bool endpoint_clear(const struct socket_spec *spec, char *why_r, size_t size);

/* Whether a process listens on this unix socket, as far as we can know.  Always
 * true for other sockets. */
bool endpoint_is_served(const struct socket_spec *spec);

/* Why nothing can listen there; for when libmilter has failed to, which tells
 * its reason to nobody but the log. */
void endpoint_explain(const struct socket_spec *spec, char *why_r, size_t size);

/* Give a unix socket to this user and this group; "" is nobody in particular, and
 * the user's own group.  True, and nothing done, for other sockets.  Its mode
 * comes from the umask under which it is made: setting it later could be led
 * astray by a symbolic link. */
bool endpoint_give(const struct socket_spec *spec, const char *user,
    const char *group, char *why_r, size_t size);

/* Remove a unix socket; a no-op for the others. */
void endpoint_remove(const struct socket_spec *spec);

#endif
