/* TCP_KEEPIDLE, TCP_USER_TIMEOUT and their like are not in POSIX. */
#define _DEFAULT_SOURCE

#include "redis_stream.h"
#include "redis_thread.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct redis_stream {
	int fd;
	char why[160];
	struct redis_tls_session *tls; /* NULL: plain */

	pthread_mutex_t tls_mutex; /* OpenSSL does one thing at a time */
	short tls_writes_on;	   /* POLLIN when TLS must read to write */
	short tls_reads_on;	   /* POLLOUT when TLS must write to read */
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
	(void)pthread_mutex_init(&stream->tls_mutex, NULL);
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
	(void)pthread_mutex_destroy(&(*stream)->tls_mutex);
	free(*stream);
	*stream = NULL;
}

/* ---- Connected */

/* A call of the kernel has moved nothing, and may later. */
static bool
is_for_later(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

static ssize_t
read_tls(struct redis_stream *stream, void *bytes_r, size_t size)
{
	ssize_t got;

	(void)pthread_mutex_lock(&stream->tls_mutex);
	got = redis_tls_read(stream->tls, bytes_r, size);
	stream->tls_reads_on = got == 0 ? redis_tls_wants(stream->tls) : POLLIN;
	if (got < 0)
		redis_stream_blame(stream, redis_tls_why(stream->tls));
	(void)pthread_mutex_unlock(&stream->tls_mutex);
	return got;
}

static ssize_t
write_tls(struct redis_stream *stream, const void *bytes, size_t length)
{
	ssize_t sent;

	(void)pthread_mutex_lock(&stream->tls_mutex);
	sent = redis_tls_write(stream->tls, bytes, length);
	stream->tls_writes_on =
	    sent == 0 ? redis_tls_wants(stream->tls) : POLLOUT;
	(void)pthread_mutex_unlock(&stream->tls_mutex);
	return sent;
}

ssize_t
redis_stream_read(struct redis_stream *stream, void *bytes_r, size_t size)
{
	ssize_t got;

	if (stream->tls != NULL)
		return read_tls(stream, bytes_r, size);
	got = recv(stream->fd, bytes_r, size, 0);
	if (got > 0)
		return got;
	if (got < 0 && is_for_later())
		return 0;
	if (got < 0)
		explain(stream, errno);
	else
		redis_stream_blame(stream, "closed by the server");
	return -1;
}

ssize_t
redis_stream_write(
    struct redis_stream *stream, const void *bytes, size_t length)
{
	ssize_t sent;

	if (stream->tls != NULL)
		return write_tls(stream, bytes, length);
	sent = send(stream->fd, bytes, length, MSG_NOSIGNAL);
	if (sent >= 0)
		return sent;
	return is_for_later() ? 0 : -1;
}

int
redis_stream_fd(const struct redis_stream *stream)
{
	return stream->fd;
}

short
redis_stream_events(struct redis_stream *stream, bool is_writing)
{
	short events = POLLIN;

	if (stream->tls == NULL)
		return is_writing ? POLLIN | POLLOUT : POLLIN;
	(void)pthread_mutex_lock(&stream->tls_mutex);
	events = (short)(events | stream->tls_reads_on);
	if (is_writing)
		events = (short)(events | stream->tls_writes_on);
	(void)pthread_mutex_unlock(&stream->tls_mutex);
	return events;
}

bool
redis_stream_holds_bytes(struct redis_stream *stream)
{
	bool holds;

	if (stream->tls == NULL)
		return false;
	(void)pthread_mutex_lock(&stream->tls_mutex);
	holds = redis_tls_holds_bytes(stream->tls);
	(void)pthread_mutex_unlock(&stream->tls_mutex);
	return holds;
}

const char *
redis_stream_why(const struct redis_stream *stream)
{
	return stream->why;
}
