/* TCP_KEEPIDLE, TCP_USER_TIMEOUT and their like are not in POSIX. */
#define _DEFAULT_SOURCE

#include "redis/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/thread.h"
#include "redis/call.h"
#include "redis/tls.h"

/* ---- The addresses of a host, without waiting for the DNS */

struct redis_resolving {
	struct redis_address address;
	int wake_fd;		/* our own copy */
	atomic_int owners;	/* the asker, and the thread while it runs */
	atomic_bool is_done;	/* then the rest is the asker's */
	int error;		/* of getaddrinfo */
	struct addrinfo *found; /* NULL: none, or taken */
};

static void
let_go(struct redis_resolving *resolving)
{
	if (atomic_fetch_sub(&resolving->owners, 1) != 1)
		return;
	if (resolving->found != NULL)
		freeaddrinfo(resolving->found);
	(void)close(resolving->wake_fd);
	free(resolving);
}

/* Nobody wants to know any more; NULL in it is fine. */
static void
forget_resolving(struct redis_resolving **resolving)
{
	if (*resolving != NULL)
		let_go(*resolving);
	*resolving = NULL;
}

static void
resolve(struct redis_resolving *resolving, int flags)
{
	const struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = flags,
	};

	resolving->error = getaddrinfo(resolving->address.host,
	    resolving->address.port, &hints, &resolving->found);
	if (resolving->error != 0)
		resolving->found = NULL;
}

static void *
resolve_aside(void *arg)
{
	struct redis_resolving *resolving = arg;

	resolve(resolving, 0);
	atomic_store(&resolving->is_done, true);
	(void)!write(resolving->wake_fd, "", 1);
	let_go(resolving);
	return NULL;
}

static bool
start_thread(struct redis_resolving *resolving)
{
	atomic_store(&resolving->owners, 2);
	if (thread_start(NULL, "resolve", resolve_aside, resolving))
		return true;
	atomic_store(&resolving->owners, 1);
	return false;
}

/* Begin.  A byte comes to `wake_fd` when it is done.  NULL: no memory or no
 * thread. */
static struct redis_resolving *
begin_resolving(const struct redis_address *address, int wake_fd)
{
	struct redis_resolving *resolving = calloc(1, sizeof *resolving);

	if (resolving == NULL)
		return NULL;
	resolving->address = *address;
	resolving->wake_fd = fcntl(wake_fd, F_DUPFD_CLOEXEC, 0);
	atomic_init(&resolving->owners, 1);
	/* An IP address needs no thread. */
	resolve(resolving, AI_NUMERICHOST | AI_NUMERICSERV);
	if (resolving->error == 0)
		atomic_store(&resolving->is_done, true);
	else if (resolving->wake_fd < 0 || !start_thread(resolving))
		forget_resolving(&resolving);
	return resolving;
}

static bool
is_resolved(const struct redis_resolving *resolving)
{
	return atomic_load(&resolving->is_done);
}

/* What came of it: NULL and `*found_r`, to be freed by freeaddrinfo(), or else
 * what is wrong. */
static const char *
take_resolved(struct redis_resolving **resolving, struct addrinfo **found_r)
{
	int error = (*resolving)->error;

	*found_r = (*resolving)->found;
	(*resolving)->found = NULL;
	forget_resolving(resolving);
	return error != 0 ? gai_strerror(error) : NULL;
}

/* ---- Closing */

static void
hang_up(struct redis_stream *stream)
{
	if (stream->ssl != NULL) {
		SSL_free(stream->ssl);
		ERR_clear_error();
	}
	stream->ssl = NULL;
	if (stream->fd >= 0)
		(void)close(stream->fd);
	stream->fd = -1;
}

void
redis_stream_close(struct redis_stream *stream)
{
	hang_up(stream);
	forget_resolving(&stream->resolving);
	if (stream->found != NULL)
		freeaddrinfo(stream->found);
	stream->found = stream->untried = NULL;
	stream->state = REDIS_STREAM_CLOSED;
}

static void
fail(struct redis_stream *stream, const char *why)
{
	ascii_clean(why, stream->why, sizeof stream->why);
	redis_stream_close(stream);
}

static void
explain(struct redis_stream *stream, int error)
{
	if (strerror_r(error, stream->why, sizeof stream->why) != 0)
		(void)snprintf(
		    stream->why, sizeof stream->why, "error %d", error);
}

static void
fail_by_errno(struct redis_stream *stream, int error)
{
	explain(stream, error);
	redis_stream_close(stream);
}

/* ---- Encrypted */

/* An IP address stands in a certificate in another place than a name, and is
 * never sent as the server's name (RFC 6066, section 3). */
static bool
expect_name(SSL *ssl, const char *name)
{
	X509_VERIFY_PARAM *wanted = SSL_get0_param(ssl);

	if (X509_VERIFY_PARAM_set1_ip_asc(wanted, name) == 1)
		return true;
	X509_VERIFY_PARAM_set_hostflags(
	    wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(wanted, name, 0) == 1 &&
	    SSL_set_tlsext_host_name(ssl, name) == 1;
}

static bool
begin_tls(struct redis_stream *stream)
{
	stream->ssl = SSL_new(stream->terms->tls);
	if (stream->ssl == NULL || SSL_set_fd(stream->ssl, stream->fd) != 1 ||
	    !expect_name(stream->ssl, stream->name))
		return false;
	SSL_set_connect_state(stream->ssl);
	return true;
}

/* Old errors of this thread may not be taken for new ones. */
static void
forget_errors(void)
{
	ERR_clear_error();
	errno = 0;
}

static void
explain_tls(struct redis_stream *stream, int error, int system_error)
{
	long verified = SSL_get_verify_result(stream->ssl);
	char words[REDIS_WORDS_SIZE];
	const char *text = words;

	if (verified != X509_V_OK)
		text = X509_verify_cert_error_string(verified);
	else if (ERR_peek_last_error() != 0)
		redis_tls_reason(words, sizeof words);
	else if (error == SSL_ERROR_ZERO_RETURN || system_error == 0 ||
	    strerror_r(system_error, words, sizeof words) != 0)
		text = "closed by the server";
	ascii_clean(text, stream->why, sizeof stream->why);
}

/* What a call of OpenSSL that moved nothing means: 0, to be called again when what
 * it wants has come, or -1. */
static int
settle(struct redis_stream *stream, int result)
{
	int system_error = errno;
	int error = SSL_get_error(stream->ssl, result);

	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		stream->tls_wants =
		    error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
		return 0;
	}
	explain_tls(stream, error, system_error);
	return -1;
}

/* ---- Opening */

static void
shake_hands(struct redis_stream *stream)
{
	int result;

	forget_errors();
	result = SSL_do_handshake(stream->ssl);
	if (result == 1)
		stream->state = REDIS_STREAM_OPEN;
	else if (settle(stream, result) < 0)
		redis_stream_close(stream);
}

static void
connected(struct redis_stream *stream)
{
	if (stream->terms->tls == NULL || stream->is_local) {
		stream->state = REDIS_STREAM_OPEN;
		return;
	}
	stream->state = REDIS_STREAM_SHAKING_HANDS;
	if (begin_tls(stream))
		shake_hands(stream);
	else
		fail(stream, "TLS session could not be made");
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

/* 0, EINPROGRESS, or what is wrong. */
static int
connect_to(struct redis_stream *stream, const struct sockaddr *address,
    socklen_t length)
{
	hang_up(stream);
	stream->fd = socket(
	    address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (stream->fd < 0)
		return errno;
	if (address->sa_family != AF_UNIX)
		set_tcp_options(stream->fd);
	return connect(stream->fd, address, length) == 0 ? 0 : errno;
}

/* One silent address may not use up the time of those after it. */
static void
try_next(struct redis_stream *stream, int error)
{
	int64_t now = redis_now(), count = 0;

	while (stream->untried != NULL) {
		const struct addrinfo *at = stream->untried;

		for (count = 0; at != NULL; at = at->ai_next)
			count++;
		at = stream->untried;
		stream->untried = at->ai_next;
		stream->share_due_ms = now + (stream->due_ms - now) / count;
		error = connect_to(stream, at->ai_addr, at->ai_addrlen);
		if (error == EINPROGRESS) {
			stream->state = REDIS_STREAM_CONNECTING;
			return;
		}
		if (error == 0) {
			connected(stream);
			return;
		}
	}
	fail_by_errno(stream, error);
}

static void
connect_unix(struct redis_stream *stream, const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int error = ENAMETOOLONG;

	if (strlen(path) < sizeof address.sun_path) {
		memcpy(address.sun_path, path, strlen(path) + 1);
		error = connect_to(
		    stream, (const struct sockaddr *)&address, sizeof address);
	}
	if (error == 0)
		connected(stream);
	else
		fail_by_errno(stream, error);
}

static void
take_addresses(struct redis_stream *stream)
{
	const char *why;

	if (!is_resolved(stream->resolving))
		return;
	why = take_resolved(&stream->resolving, &stream->found);
	stream->untried = stream->found;
	if (why != NULL)
		fail(stream, why);
	else
		try_next(stream, EHOSTUNREACH);
}

static void
finish_connect(struct redis_stream *stream)
{
	struct pollfd look = {.fd = stream->fd, .events = POLLOUT};
	int error = ETIMEDOUT;
	socklen_t size = sizeof error;

	if (poll(&look, 1, 0) > 0)
		(void)getsockopt(
		    stream->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	else if (redis_now() < stream->share_due_ms)
		return;
	if (error == 0)
		connected(stream);
	else if (error == ETIMEDOUT && stream->untried == NULL)
		fail(stream, "no answer in time");
	else
		try_next(stream, error);
}

void
redis_stream_open(struct redis_stream *stream,
    const struct redis_address *address, const struct redis_stream_terms *terms,
    int64_t due_ms)
{
	stream->terms = terms;
	stream->is_local = redis_address_is_unix(address);
	stream->due_ms = due_ms;
	(void)snprintf(stream->name, sizeof stream->name, "%s",
	    terms->tls_name != NULL ? terms->tls_name : address->host);
	if (stream->is_local) {
		connect_unix(stream, address->host);
		return;
	}
	stream->state = REDIS_STREAM_RESOLVING;
	stream->resolving = begin_resolving(address, terms->wake_fd);
	if (stream->resolving == NULL)
		fail(stream, "out of memory, threads or descriptors");
	else
		take_addresses(stream);
}

void
redis_stream_work(struct redis_stream *stream)
{
	switch (stream->state) {
	case REDIS_STREAM_CLOSED:
	case REDIS_STREAM_OPEN:
		return;
	case REDIS_STREAM_RESOLVING:
		take_addresses(stream);
		break;
	case REDIS_STREAM_CONNECTING:
		finish_connect(stream);
		break;
	case REDIS_STREAM_SHAKING_HANDS:
		shake_hands(stream);
		break;
	}
	if (stream->state != REDIS_STREAM_OPEN &&
	    stream->state != REDIS_STREAM_CLOSED &&
	    stream->due_ms <= redis_now())
		fail(stream, "no answer in time");
}

/* ---- Open */

ssize_t
redis_stream_read(struct redis_stream *stream, char *bytes_r, size_t size)
{
	ssize_t got;

	if (stream->ssl != NULL) {
		size_t decrypted;
		int result;

		forget_errors();
		result = SSL_read_ex(stream->ssl, bytes_r, size, &decrypted);
		return result == 1 ? (ssize_t)decrypted
				   : settle(stream, result);
	}
	got = recv(stream->fd, bytes_r, size, 0);
	if (got > 0)
		return got;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got == 0)
		(void)snprintf(
		    stream->why, sizeof stream->why, "closed by the server");
	else
		explain(stream, errno);
	return -1;
}

/* That it is lost shows when it is read. */
ssize_t
redis_stream_write(
    struct redis_stream *stream, const char *bytes, size_t length)
{
	size_t sent;
	int result;

	if (stream->ssl == NULL)
		return send(stream->fd, bytes, length, MSG_NOSIGNAL);
	forget_errors();
	result = SSL_write_ex(stream->ssl, bytes, length, &sent);
	return result == 1 ? (ssize_t)sent : settle(stream, result);
}

bool
redis_stream_holds_bytes(const struct redis_stream *stream)
{
	return stream->ssl != NULL && SSL_pending(stream->ssl) > 0;
}

int64_t
redis_stream_prepare(const struct redis_stream *stream, bool wants_to_write,
    struct pollfd *wait_r)
{
	wait_r->fd = stream->fd;
	wait_r->events = POLLIN;
	switch (stream->state) {
	case REDIS_STREAM_CLOSED:
		break;
	case REDIS_STREAM_RESOLVING:
		return stream->due_ms;
	case REDIS_STREAM_CONNECTING:
		wait_r->events = POLLOUT;
		return stream->share_due_ms;
	case REDIS_STREAM_SHAKING_HANDS:
		wait_r->events = stream->tls_wants;
		return stream->due_ms;
	case REDIS_STREAM_OPEN:
		if (wants_to_write)
			wait_r->events |=
			    stream->ssl != NULL ? stream->tls_wants : POLLOUT;
		if (redis_stream_holds_bytes(stream))
			return 0;
		break;
	}
	return INT64_MAX;
}
