/* redis_address -- where a Redis server listens.  Pure. */
#ifndef REDIS_ADDRESS_H
#define REDIS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

enum {
	REDIS_HOST_SIZE = 256,	/* host names, and any sun_path */
	REDIS_WHERE_SIZE = 272, /* with port, colon and brackets */
};

struct redis_address {
	char host[REDIS_HOST_SIZE]; /* name, IP literal, or path of a socket */
	char port[8];		    /* empty for a unix socket */
};

/* As an administrator writes it: "host:port", "[IPv6]:port", "/path" or
 * "unix:/path".  False, with `*address_r` untouched, for anything else. */
bool redis_address_parse(const char *text, struct redis_address *address_r);

/* As Redis gives it in a redirection, "host:port", where IPv6 addresses have
 * no brackets and an empty host is the one that was asked. */
bool redis_address_redirect(const char *text, const struct redis_address *asked,
    struct redis_address *address_r);

/* From its parts, as a server names another: those end in our log, so anything
 * but letters, digits, ".", ":", "_" and "-" in the host is refused.  False: it is
 * none. */
bool redis_address_make(const char *host, size_t host_length, const char *port,
    struct redis_address *address_r);

bool redis_address_is_unix(const struct redis_address *address);
bool redis_address_equals(
    const struct redis_address *a, const struct redis_address *b);

/* As an administrator writes it. */
void redis_address_print(
    const struct redis_address *address, char *text_r, size_t size);

#endif
