/* redis_stream -- one connection to one address, plain or TLS, that never
 * blocks longer than a deadline.
 *
 * A stream belongs to one thread at a time, but while that reads, another may
 * write. */
#ifndef REDIS_STREAM_H
#define REDIS_STREAM_H

#include "redis_address.h"
#include "redis_tls.h"

#include <stdbool.h>
#include <stdint.h>

struct redis_stream;

/* How to connect, and for how long to try. */
struct redis_stream_terms {
	const struct redis_tls *tls; /* NULL: plain.  Must outlive the stream */
	const char *tls_name; /* in the certificate; NULL: the host's name */
	int64_t due_ms;
	int cancel_fd; /* readable: give up; -1: there is none */
};

/* Connect, trying all addresses of the host in turn.  Only the resolver, for
 * host names, may take longer than the deadline.  NULL: see `why_r`. */
struct redis_stream *redis_stream_open(const struct redis_address *address,
    const struct redis_stream_terms *terms, char *why_r, size_t size);
void redis_stream_close(struct redis_stream **stream);

/* Bytes read or written, 0 when one must wait for redis_stream_events, -1 when
 * the connection is lost: redis_stream_why tells whoever reads. */
ssize_t
redis_stream_read(struct redis_stream *stream, void *bytes_r, size_t size);
ssize_t redis_stream_write(
    struct redis_stream *stream, const void *bytes, size_t length);

/* For poll: the socket, and what to wait for to read (and to write too). */
int redis_stream_fd(const struct redis_stream *stream);
short redis_stream_events(struct redis_stream *stream, bool is_writing);

/* True when there is more to read that poll will not tell of. */
bool redis_stream_holds_bytes(struct redis_stream *stream);

/* Wait for these events (as poll has them); false when the deadline of the
 * terms has passed or they were called off. */
bool redis_stream_await(struct redis_stream *stream,
    const struct redis_stream_terms *terms, short events);

/* Why the last call failed, or what a caller blamed it for. */
void redis_stream_blame(struct redis_stream *stream, const char *words);
const char *redis_stream_why(const struct redis_stream *stream);

#endif
