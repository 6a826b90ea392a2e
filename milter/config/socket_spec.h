/* socket_spec -- where the mail server finds us, as the `socket` setting says.
 *
 *	unix:/path  local:/path  /path  inet:port@host  inet6:port@[::1]
 *
 * libmilter takes more than is good: it takes a port modulo 65536, and listens
 * on all addresses where no host is given.  Both are refused here.  Pure. */
#ifndef SOCKET_SPEC_H
#define SOCKET_SPEC_H

#include <stdbool.h>

#define SOCKET_PATH_MAX 107 /* sun_path and its NUL */
#define SOCKET_HOST_MAX 255

enum socket_family { SOCKET_UNIX, SOCKET_INET, SOCKET_INET6 };

struct socket_spec {
	enum socket_family family;
	char path[SOCKET_PATH_MAX + 1]; /* absolute; of SOCKET_UNIX */
	char host[SOCKET_HOST_MAX + 1]; /* name or address, no brackets */
	char port[6];			/* 1..65535 */
};

/* False: `*why_r` says what is wrong with `text`, in plain words. */
bool socket_spec_parse(
    const char *text, struct socket_spec *spec_r, const char **why_r);

#endif
