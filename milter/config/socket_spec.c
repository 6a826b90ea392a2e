#include "config/socket_spec.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"

static bool
starts_with(const char *text, const char *start, const char **rest_r)
{
	size_t len = strlen(start);

	if (strncmp(text, start, len) != 0)
		return false;
	*rest_r = text + len;
	return true;
}

static bool
parse_path(const char *text, struct socket_spec *spec, const char **why_r)
{
	if (text[0] != '/') {
		*why_r = "the path of a unix socket must begin with /";
		return false;
	}
	if (strlen(text) > SOCKET_PATH_MAX) {
		*why_r = "the path of a unix socket has at most 107 characters";
		return false;
	}
	(void)snprintf(spec->path, sizeof spec->path, "%s", text);
	return true;
}

static bool
parse_port(const char *text, size_t len, struct socket_spec *spec)
{
	int64_t port;

	if (len >= sizeof spec->port ||
	    !decimal_read_all(text, len, UINT16_MAX, &port) || port == 0)
		return false;
	(void)snprintf(spec->port, sizeof spec->port, "%d", (int)port);
	return true;
}

static bool
parse_host(const char *text, struct socket_spec *spec)
{
	size_t len = strlen(text);

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len == 0 || len > SOCKET_HOST_MAX)
		return false;
	memcpy(spec->host, text, len);
	spec->host[len] = '\0';
	return true;
}

static bool
parse_inet(const char *text, struct socket_spec *spec, const char **why_r)
{
	const char *at = strchr(text, '@');
	size_t len = at == NULL ? strlen(text) : (size_t)(at - text);

	if (!parse_port(text, len, spec)) {
		*why_r = "the port must be a number from 1 to 65535";
		return false;
	}
	if (at == NULL || !parse_host(at + 1, spec)) {
		*why_r = "a host is needed, as in inet:8891@127.0.0.1; for all "
			 "addresses say inet:8891@0.0.0.0";
		return false;
	}
	return true;
}

bool
socket_spec_parse(
    const char *text, struct socket_spec *spec_r, const char **why_r)
{
	const char *rest;

	memset(spec_r, 0, sizeof *spec_r);
	if (text[0] == '/')
		return parse_path(text, spec_r, why_r);
	if (starts_with(text, "unix:", &rest) ||
	    starts_with(text, "local:", &rest))
		return parse_path(rest, spec_r, why_r);
	if (starts_with(text, "inet:", &rest)) {
		spec_r->family = SOCKET_INET;
		return parse_inet(rest, spec_r, why_r);
	}
	if (starts_with(text, "inet6:", &rest)) {
		spec_r->family = SOCKET_INET6;
		return parse_inet(rest, spec_r, why_r);
	}
	*why_r = "a socket is unix:/path, inet:port@host or inet6:port@[::1]";
	return false;
}
