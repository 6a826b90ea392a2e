/* stream -- bytes to and from an address: the host looked up, each of its
 * addresses tried, encrypted where that is wanted.
 *
 * Nothing here waits.  Words in `why` are the system's or OpenSSL's.  OpenSSL
 * writes to closed connections too, so the process must ignore SIGPIPE. */
#ifndef REDIS_STREAM_H
#define REDIS_STREAM_H

#include "redis/address.h"
#include "redis/error.h"

#include <netdb.h>
#include <poll.h>

struct redis_resolving;
struct ssl_ctx_st; /* of redis_tls_open() */
struct ssl_st;

/* They may be changed between calls, for connections that are still to be made. */
struct redis_stream_terms {
	struct ssl_ctx_st *tls; /* NULL: plain; unix sockets always are */
	const char *tls_name;	/* NULL: that of the address */
	int wake_fd;		/* when a host is looked up */
};

enum redis_stream_state {
	REDIS_STREAM_CLOSED, /* by us, or for what `why` says */
	REDIS_STREAM_RESOLVING,
	REDIS_STREAM_CONNECTING,
	REDIS_STREAM_SHAKING_HANDS,
	REDIS_STREAM_OPEN,
};

/* All but state and `why` are its own.  One that is made has no `fd`, -1. */
struct redis_stream {
	enum redis_stream_state state;
	char why[REDIS_WORDS_SIZE];

	const struct redis_stream_terms *terms;
	bool is_local;		    /* a unix socket */
	char name[REDIS_HOST_SIZE]; /* in the certificate */
	int64_t due_ms;
	int64_t share_due_ms; /* of the address that is being tried */
	struct redis_resolving *resolving;
	struct addrinfo *found; /* all addresses of the host */
	struct addrinfo *untried;

	int fd;		    /* while it is not closed; or -1 */
	struct ssl_st *ssl; /* NULL: plain */
	short tls_wants;    /* POLLIN or POLLOUT, to go on */
};

/* Begin to open a closed one, which is to be done at `due_ms`. */
void redis_stream_open(struct redis_stream *stream,
    const struct redis_address *address, const struct redis_stream_terms *terms,
    int64_t due_ms);

/* Do what can be done now. */
void redis_stream_work(struct redis_stream *stream);

void redis_stream_close(struct redis_stream *stream);

/* Bytes; 0: none now; -1: it is lost. */
ssize_t
redis_stream_read(struct redis_stream *stream, char *bytes_r, size_t size);
ssize_t redis_stream_write(
    struct redis_stream *stream, const char *bytes, size_t length);

/* What to poll for; and when there is something to do even if nothing comes, or
 * INT64_MAX. */
int64_t redis_stream_prepare(const struct redis_stream *stream,
    bool wants_to_write, struct pollfd *wait_r);

/* There is something to read that poll will not tell of. */
bool redis_stream_holds_bytes(const struct redis_stream *stream);

#endif
