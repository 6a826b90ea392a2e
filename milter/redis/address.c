#include "redis/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"

/* The longest name of a host (RFC 1035, section 2.3.4). */
enum { HOST_MOST = 253 };

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

static bool
is_port(const char *text)
{
	size_t length = strlen(text);
	int64_t port;

	return length <= 5 && decimal_read_all(text, length, 65535, &port) &&
	    port > 0;
}

/* A zone ("fe80::1%eth0") is for the administrator to name. */
static bool
fill(const char *host, size_t host_length, const char *port,
    struct redis_address *address_r)
{
	if (host_length == 0 || host_length > HOST_MOST || !is_port(port))
		return false;
	for (size_t i = 0; i < host_length; i++)
		if (host[i] == '\0' ||
		    strchr(LETTERS "0123456789.:_-%", host[i]) == NULL)
			return false;
	memcpy(address_r->host, host, host_length);
	address_r->host[host_length] = '\0';
	(void)snprintf(address_r->port, sizeof address_r->port, "%s", port);
	return true;
}

bool
redis_address_make(const char *host, size_t host_length, const char *port,
    struct redis_address *address_r)
{
	return memchr(host, '%', host_length) == NULL &&
	    fill(host, host_length, port, address_r);
}

static bool
parse_path(const char *path, struct redis_address *address_r)
{
	if (strlen(path) >= sizeof address_r->host)
		return false;
	(void)snprintf(address_r->host, sizeof address_r->host, "%s", path);
	address_r->port[0] = '\0';
	return true;
}

bool
redis_address_parse(const char *text, struct redis_address *address_r)
{
	const char *colon = strrchr(text, ':');

	if (strncmp(text, "unix:/", 6) == 0)
		return parse_path(text + 5, address_r);
	if (text[0] == '/')
		return parse_path(text, address_r);
	if (colon == NULL || colon == text)
		return false;
	if (text[0] == '[' && colon[-1] == ']')
		return fill(
		    text + 1, (size_t)(colon - text) - 2, colon + 1, address_r);
	if (memchr(text, ':', (size_t)(colon - text)) != NULL)
		return false; /* IPv6 without brackets: which part is the port? */
	return fill(text, (size_t)(colon - text), colon + 1, address_r);
}

bool
redis_address_redirect(const char *text, const struct redis_address *asked,
    struct redis_address *address_r)
{
	const char *colon = strrchr(text, ':');

	if (colon == NULL)
		return false;
	if (colon == text)
		return fill(
		    asked->host, strlen(asked->host), colon + 1, address_r);
	return redis_address_make(
	    text, (size_t)(colon - text), colon + 1, address_r);
}

bool
redis_address_is_unix(const struct redis_address *address)
{
	return address->port[0] == '\0';
}

bool
redis_address_equals(
    const struct redis_address *a, const struct redis_address *b)
{
	return strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0;
}

void
redis_address_print(
    const struct redis_address *address, char *text_r, size_t size)
{
	if (redis_address_is_unix(address))
		(void)snprintf(text_r, size, "%s", address->host);
	else if (strchr(address->host, ':') != NULL)
		(void)snprintf(
		    text_r, size, "[%s]:%s", address->host, address->port);
	else
		(void)snprintf(
		    text_r, size, "%s:%s", address->host, address->port);
}
