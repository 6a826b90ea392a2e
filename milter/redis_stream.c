/* TCP_KEEPIDLE, TCP_USER_TIMEOUT and their like are not in POSIX. */
#define _DEFAULT_SOURCE

#include "redis_stream.h"
#include "redis_thread.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct redis_stream {
	int fd;
	struct redis_tls_session *tls; /* NULL: plain */
	short tls_writes_on;	       /* POLLIN when TLS must read to write */
	short tls_reads_on;	       /* POLLOUT when TLS must write to read */
	char why[160];
};

static void
explain(struct redis_stream *stream, int error)
{
	if (strerror_r(error, stream->why, sizeof stream->why) != 0)
		(void)snprintf(
		    stream->why, sizeof stream->why, "error %d", error);
}

void
redis_stream_blame(struct redis_stream *stream, const char *words)
{
	(void)snprintf(stream->why, sizeof stream->why, "%s", words);
}

/* ---- Connecting.  Each step: true, or false with the reason noted. */

bool
redis_stream_await(struct redis_stream *stream,
    const struct redis_stream_terms *terms, short events)
{
	struct pollfd wait[2] = {
	    {.fd = stream->fd, .events = events},
	    {.fd = terms->cancel_fd, .events = POLLIN},
	};
	int64_t left;

	do {
		left = terms->due_ms - redis_thread_now();
		if (left <= 0) {
			redis_stream_blame(stream, "no answer in time");
			return false;
		}
		(void)poll(wait, 2, left > INT32_MAX ? INT32_MAX : (int)left);
		if (wait[1].revents != 0) {
			redis_stream_blame(stream, "called off");
			return false;
		}
	} while (wait[0].revents == 0);
	return true;
}

/* An idle connection through a firewall must be found dead at some time; the
 * deadlines of requests are much shorter than any of this. */
static void
set_tcp_options(int fd)
{
	static const struct {
		int level;
		int name;
		int value;
	} options[] = {
	    {IPPROTO_TCP, TCP_NODELAY, 1},
	    {SOL_SOCKET, SO_KEEPALIVE, 1},
	    {IPPROTO_TCP, TCP_KEEPIDLE, 15},
	    {IPPROTO_TCP, TCP_KEEPINTVL, 5},
	    {IPPROTO_TCP, TCP_KEEPCNT, 3},
	    {IPPROTO_TCP, TCP_USER_TIMEOUT, 10000},
	};

	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
		(void)setsockopt(fd, options[i].level, options[i].name,
		    &options[i].value, sizeof options[i].value);
}

static bool
connect_to(struct redis_stream *stream, const struct sockaddr *address,
    socklen_t length, const struct redis_stream_terms *terms)
{
	int error = 0;
	socklen_t size = sizeof error;

	stream->fd = socket(
	    address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (stream->fd < 0) {
		explain(stream, errno);
		return false;
	}
	if (address->sa_family != AF_UNIX)
		set_tcp_options(stream->fd);
	if (connect(stream->fd, address, length) == 0)
		return true;
	if (errno != EINPROGRESS) {
		explain(stream, errno);
		return false;
	}
	if (!redis_stream_await(stream, terms, POLLOUT))
		return false;
	(void)getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error != 0)
		explain(stream, error);
	return error == 0;
}

static void
hang_up(struct redis_stream *stream)
{
	redis_tls_end(&stream->tls);
	if (stream->fd >= 0)
		(void)close(stream->fd);
	stream->fd = -1;
}

static bool
shake_hands(struct redis_stream *stream, const struct redis_address *address,
    const struct redis_stream_terms *terms)
{
	const char *name =
	    terms->tls_name != NULL ? terms->tls_name : address->host;
	int done;

	if (terms->tls == NULL)
		return true;
	stream->tls = redis_tls_begin(terms->tls, stream->fd, name);
	if (stream->tls == NULL) {
		redis_stream_blame(stream, "no TLS session could be made");
		return false;
	}
	while ((done = redis_tls_handshake(stream->tls)) == 0)
		if (!redis_stream_await(
			stream, terms, redis_tls_wants(stream->tls)))
			return false;
	if (done < 0)
		redis_stream_blame(stream, redis_tls_why(stream->tls));
	return done > 0;
}

static bool
connect_unix(struct redis_stream *stream, const char *path,
    const struct redis_stream_terms *terms)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof address.sun_path) {
		explain(stream, ENAMETOOLONG);
		return false;
	}
	memcpy(address.sun_path, path, strlen(path) + 1);
	return connect_to(
	    stream, (const struct sockaddr *)&address, sizeof address, terms);
}

/* One silent address may not use up the time of those after it. */
static bool
connect_each(struct redis_stream *stream, const struct redis_address *address,
    const struct addrinfo *found, const struct redis_stream_terms *terms)
{
	int64_t untried = 0;

	for (const struct addrinfo *at = found; at != NULL; at = at->ai_next)
		untried++;
	for (; found != NULL; found = found->ai_next, untried--) {
		struct redis_stream_terms share = *terms;
		int64_t now = redis_thread_now();

		share.due_ms = now + (terms->due_ms - now) / untried;
		if (connect_to(
			stream, found->ai_addr, found->ai_addrlen, &share) &&
		    shake_hands(stream, address, &share))
			return true;
		hang_up(stream);
	}
	return false;
}

static bool
connect_tcp(struct redis_stream *stream, const struct redis_address *address,
    const struct redis_stream_terms *terms)
{
	const struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *found;
	bool is_connected;
	int error = getaddrinfo(address->host, address->port, &hints, &found);

	if (error != 0) {
		redis_stream_blame(stream, gai_strerror(error));
		return false;
	}
	is_connected = connect_each(stream, address, found, terms);
	freeaddrinfo(found);
	return is_connected;
}

struct redis_stream *
redis_stream_open(const struct redis_address *address,
    const struct redis_stream_terms *terms, char *why_r, size_t size)
{
	struct redis_stream *stream = calloc(1, sizeof *stream);
	bool is_connected;

	if (stream == NULL) {
		(void)snprintf(why_r, size, "out of memory");
		return NULL;
	}
	stream->fd = -1;
	if (redis_address_is_unix(address))
		is_connected = connect_unix(stream, address->host, terms);
	else
		is_connected = connect_tcp(stream, address, terms);
	if (!is_connected) {
		(void)snprintf(why_r, size, "%s", stream->why);
		redis_stream_close(&stream);
	}
	return stream;
}

void
redis_stream_close(struct redis_stream **stream)
{
	if (*stream == NULL)
		return;
	hang_up(*stream);
	free(*stream);
	*stream = NULL;
}

/* ---- Connected */

/* What a call of the kernel that moved nothing means: 0 or -1. */
static ssize_t
settle(struct redis_stream *stream)
{
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
		return 0;
	explain(stream, errno);
	return -1;
}

static ssize_t
settle_tls(struct redis_stream *stream, ssize_t result)
{
	if (result < 0)
		redis_stream_blame(stream, redis_tls_why(stream->tls));
	return result;
}

ssize_t
redis_stream_read(struct redis_stream *stream, void *bytes_r, size_t size)
{
	ssize_t got;

	if (stream->tls != NULL) {
		got = redis_tls_read(stream->tls, bytes_r, size);
		stream->tls_reads_on =
		    got == 0 ? redis_tls_wants(stream->tls) : POLLIN;
		return settle_tls(stream, got);
	}
	got = recv(stream->fd, bytes_r, size, 0);
	if (got > 0)
		return got;
	if (got < 0)
		return settle(stream);
	redis_stream_blame(stream, "closed by the server");
	return -1;
}

ssize_t
redis_stream_write(
    struct redis_stream *stream, const void *bytes, size_t length)
{
	ssize_t sent;

	if (stream->tls != NULL) {
		sent = redis_tls_write(stream->tls, bytes, length);
		stream->tls_writes_on =
		    sent == 0 ? redis_tls_wants(stream->tls) : POLLOUT;
		return settle_tls(stream, sent);
	}
	sent = send(stream->fd, bytes, length, MSG_NOSIGNAL);
	return sent >= 0 ? sent : settle(stream);
}

int
redis_stream_fd(const struct redis_stream *stream)
{
	return stream->fd;
}

short
redis_stream_events(const struct redis_stream *stream, bool is_writing)
{
	short events = POLLIN;

	if (stream->tls != NULL)
		events = (short)(events | stream->tls_reads_on);
	if (is_writing)
		events = (short)(events |
		    (stream->tls != NULL ? stream->tls_writes_on : POLLOUT));
	return events;
}

bool
redis_stream_holds_bytes(const struct redis_stream *stream)
{
	return stream->tls != NULL && redis_tls_holds_bytes(stream->tls);
}

const char *
redis_stream_why(const struct redis_stream *stream)
{
	return stream->why;
}
