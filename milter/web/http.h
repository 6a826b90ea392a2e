/* http -- an HTTP server that is bounded in everything: connections, in all and of
 * each address, octets, and the time that a connection may take, slow or not.
 *
 * It has threads of its own.  Each connection is one request, which is answered
 * by one function.  This alone knows libmicrohttpd. */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "mail/netaddr.h"

#define HTTP_BODY_MAX	 8192
#define HTTP_HEADERS_MAX 4
#define HTTP_VALUE_SIZE	 256

struct http_terms {
	const char *listen; /* an address with a port */
	size_t connections;
	size_t connections_per_address; /* an IPv6 address is its /64 */
	int64_t timeout;		/* seconds from connect to close */
	/* Reverse proxies: their connections are not counted by address, and who
	 * is behind them is what the last field of that name says.  Ends with
	 * NULL; or NULL.  Need not outlive the call. */
	char *const *proxies;
	const char *proxy_header; /* outlives the server */
};

/* Strings are borrowed for the call. */
struct http_request {
	bool is_post;
	bool is_old;	  /* HTTP/1.0 */
	const char *path; /* without the query */
	struct netaddr visitor;
	bool is_forwarded; /* there is a proxy that we do not know */
	const char *body;  /* of a POST, "" if there is none */
	void *connection;  /* for http_value() */
};

/* A field of the head, one of the query, decoded, or a cookie; NULL: there is none. */
enum http_part { HTTP_HEADER, HTTP_QUERY, HTTP_COOKIE };
const char *http_value(
    const struct http_request *request, enum http_part part, const char *name);

struct http_answer { /* all zero but for the status at first */
	unsigned status;
	const char *type; /* NULL: HTML */
	bool keep; /* it may be kept for a day; else it is not to be kept */
	struct bytes_out body; /* freed by the server */
	struct {
		const char *name;
		char value[HTTP_VALUE_SIZE];
	} headers[HTTP_HEADERS_MAX];
	size_t header_count;
};

/* One more field of the head; what is too long, or one too many, is left out. */
void http_say(struct http_answer *answer, const char *name, const char *value);

/* Called by several threads at once.  May wait, for a little while. */
typedef void http_handler(
    void *arg, const struct http_request *request, struct http_answer *answer);

struct http;

/* Take the port.  Whatever needs root is over then.  NULL: `why_r` tells. */
struct http *
http_open(const struct http_terms *terms, char *why_r, size_t size);

/* Answer from now on.  False: out of threads or memory. */
bool http_start(struct http *http, http_handler *handler, void *arg);

/* Wait until all that is being answered is answered. */
void http_close(struct http **http);

#endif
