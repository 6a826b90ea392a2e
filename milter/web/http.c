#include "web/http.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "base/log.h"
#include "base/thread.h"

#define THREADS	   4
#define HEAD_MAX   16384 /* octets of a request's head */
#define SLACK	   64	 /* connections that are being closed */
#define BACKLOG	   64
#define STALLED_US 1000000 /* then it may have to make room for another */
#define IPV6_HOME  8	   /* octets of a /64 */
/* Status codes; libmicrohttpd renames its own now and then. */
#define NOT_ALLOWED 405
#define TOO_LARGE   413
#define TYPE_HTML   "text/html; charset=utf-8"

/* One connection. */
struct guest {
	bool here;
	bool asked; /* its request is complete */
	int fd;
	struct netaddr home;
	int64_t since_us;
};

struct http {
	struct http_terms terms;
	int fd; /* -1 once libmicrohttpd has it */
	struct netaddr *proxies;
	size_t proxy_count;
	http_handler *handler;
	void *arg;
	struct MHD_Daemon *daemon;
	struct ticker *ticker;
	pthread_mutex_t mutex; /* guards `guests` */
	size_t guest_max;
	struct guest *guests;
};

/* A request as it comes in. */
struct incoming {
	bool is_post;
	bool is_old;
	size_t length;
	bool too_large;
	char body[HTTP_BODY_MAX + 1];
};

/* ---- What a request holds */

const char *
http_value(
    const struct http_request *request, enum http_part part, const char *name)
{
	static const enum MHD_ValueKind kinds[] = {
	    [HTTP_HEADER] = MHD_HEADER_KIND,
	    [HTTP_QUERY] = MHD_GET_ARGUMENT_KIND,
	    [HTTP_COOKIE] = MHD_COOKIE_KIND};

	return MHD_lookup_connection_value(
	    request->connection, kinds[part], name);
}

void
http_say(struct http_answer *answer, const char *name, const char *value)
{
	if (answer->header_count == HTTP_HEADERS_MAX ||
	    strlen(value) >= HTTP_VALUE_SIZE)
		return;
	answer->headers[answer->header_count].name = name;
	(void)snprintf(answer->headers[answer->header_count].value,
	    HTTP_VALUE_SIZE, "%s", value);
	answer->header_count++;
}

/* ---- Who is here */

/* What counts as one address. */
static struct netaddr
home_of(const struct netaddr *address)
{
	struct netaddr home = *address;

	if (home.length > IPV6_HOME)
		memset(
		    home.octets + IPV6_HOME, 0, sizeof home.octets - IPV6_HOME);
	return home;
}

static bool
is_proxy(const struct http *http, const struct netaddr *address)
{
	for (size_t i = 0; i < http->proxy_count; i++)
		if (netaddr_equal(&http->proxies[i], address))
			return true;
	return false;
}

/* One element of a list of addresses, some of which have a port. */
static bool
read_element(const char *from, size_t length, struct netaddr *address_r)
{
	char text[NETADDR_TEXT_SIZE + 10];
	unsigned port;

	while (length > 0 && (*from == ' ' || *from == '\t')) {
		from++;
		length--;
	}
	while (
	    length > 0 && (from[length - 1] == ' ' || from[length - 1] == '\t'))
		length--;
	if (length >= sizeof text)
		return false;
	memcpy(text, from, length);
	text[length] = '\0';
	return netaddr_parse(text, address_r) ||
	    netaddr_parse_port(text, address_r, &port);
}

struct last_field {
	const char *name;
	const char *value;
};

static enum MHD_Result
keep_last(
    void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct last_field *field = cls;

	(void)kind;
	if (strcasecmp(name, field->name) == 0)
		field->value = value;
	return MHD_YES;
}

/* Each proxy adds whom it sees at the end of the list; what stands before the
 * first that is not ours, anybody may have written. */
static void
find_visitor(const struct http *http, struct http_request *request)
{
	struct last_field field = {http->terms.proxy_header, NULL};
	const char *end;

	(void)MHD_get_connection_values(
	    request->connection, MHD_HEADER_KIND, keep_last, &field);
	if (field.value == NULL)
		return;
	end = field.value + strlen(field.value);
	while (is_proxy(http, &request->visitor) && end > field.value) {
		const char *from = end;

		while (from > field.value && from[-1] != ',')
			from--;
		if (!read_element(
			from, (size_t)(end - from), &request->visitor))
			break;
		end = from > field.value ? from - 1 : from;
	}
	request->is_forwarded = !is_proxy(http, &request->visitor) &&
	    end == field.value + strlen(field.value);
}

/* The one that has longest not said what it wants, or NULL.  With the mutex. */
static struct guest *
most_stalled(struct http *http, int64_t now_us)
{
	struct guest *found = NULL;

	for (size_t i = 0; i < http->guest_max; i++) {
		struct guest *guest = &http->guests[i];

		if (guest->here && !guest->asked &&
		    now_us - guest->since_us > STALLED_US &&
		    (found == NULL || guest->since_us < found->since_us))
			found = guest;
	}
	return found;
}

/* Somebody wants in.  When all is full, whoever has long been silent has to go. */
static enum MHD_Result
on_accept(void *cls, const struct sockaddr *sockaddr, socklen_t length)
{
	struct http *http = cls;
	struct netaddr address, home;
	size_t all = 0, of_home = 0;
	struct guest *stalled;

	(void)length;
	if (!netaddr_from_sockaddr(sockaddr, &address))
		return MHD_NO;
	home = home_of(&address);
	pthread_mutex_lock(&http->mutex);
	for (size_t i = 0; i < http->guest_max; i++) {
		if (!http->guests[i].here)
			continue;
		all++;
		of_home += netaddr_equal(&http->guests[i].home, &home);
	}
	if (!is_proxy(http, &address) &&
	    of_home >= http->terms.connections_per_address) {
		pthread_mutex_unlock(&http->mutex);
		return MHD_NO;
	}
	stalled = all < http->terms.connections
	    ? NULL
	    : most_stalled(http, clock_steady_us());
	if (stalled != NULL) {
		(void)shutdown(stalled->fd, SHUT_RDWR);
		stalled->asked = true; /* it is asked to go only once */
	}
	pthread_mutex_unlock(&http->mutex);
	return all < http->terms.connections || stalled != NULL ? MHD_YES
								: MHD_NO;
}

static void
enter(struct http *http, struct MHD_Connection *connection, void **place)
{
	const union MHD_ConnectionInfo *fd = MHD_get_connection_info(
	    connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	const union MHD_ConnectionInfo *address = MHD_get_connection_info(
	    connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct netaddr peer;

	if (fd == NULL || address == NULL ||
	    !netaddr_from_sockaddr(address->client_addr, &peer))
		return;
	pthread_mutex_lock(&http->mutex);
	for (size_t i = 0; i < http->guest_max; i++) {
		if (http->guests[i].here)
			continue;
		http->guests[i] = (struct guest){true, false, fd->connect_fd,
		    home_of(&peer), clock_steady_us()};
		*place = &http->guests[i];
		break;
	}
	pthread_mutex_unlock(&http->mutex);
}

static void
leave(struct http *http, struct guest *guest)
{
	pthread_mutex_lock(&http->mutex);
	guest->here = false;
	pthread_mutex_unlock(&http->mutex);
}

/* libmicrohttpd closes the socket after it has told that it will. */
static void
on_connection(void *cls, struct MHD_Connection *connection, void **place,
    enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED)
		enter(cls, connection, place);
	else if (*place != NULL)
		leave(cls, *place);
}

/* Once a second: who has been here for too long goes, however busy he seems. */
static void
send_home(void *arg, int64_t now)
{
	struct http *http = arg;
	int64_t before_us =
	    clock_steady_us() - http->terms.timeout * INT64_C(1000000);

	(void)now;
	pthread_mutex_lock(&http->mutex);
	for (size_t i = 0; i < http->guest_max; i++)
		if (http->guests[i].here &&
		    http->guests[i].since_us < before_us)
			(void)shutdown(http->guests[i].fd, SHUT_RDWR);
	pthread_mutex_unlock(&http->mutex);
}

static void
has_asked(struct http *http, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *place = MHD_get_connection_info(
	    connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct guest *guest = place == NULL ? NULL : place->socket_context;

	if (guest == NULL)
		return;
	pthread_mutex_lock(&http->mutex);
	guest->asked = true;
	pthread_mutex_unlock(&http->mutex);
}

/* ---- Requests and answers */

static const char *const always[][2] = {
    {"Content-Security-Policy",
	"default-src 'none'; style-src 'self'; img-src 'self'; "
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"X-Robots-Tag", "noindex, nofollow"},
    {"Referrer-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Connection", "close"},
};

/* Takes the body of `answer`. */
static enum MHD_Result
reply(struct MHD_Connection *connection, struct http_answer *answer)
{
	struct MHD_Response *response;
	enum MHD_Result result;

	if (answer->body.failed) {
		bytes_free(&answer->body);
		answer->status = 503;
	}
	response = MHD_create_response_from_buffer(
	    answer->body.length, answer->body.data, MHD_RESPMEM_MUST_FREE);
	if (response == NULL) {
		bytes_free(&answer->body);
		return MHD_NO;
	}
	for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
		(void)MHD_add_response_header(
		    response, always[i][0], always[i][1]);
	(void)MHD_add_response_header(response, "Content-Type",
	    answer->type == NULL ? TYPE_HTML : answer->type);
	(void)MHD_add_response_header(response, "Cache-Control",
	    answer->keep ? "public, max-age=86400" : "no-store");
	for (size_t i = 0; i < answer->header_count; i++)
		(void)MHD_add_response_header(response, answer->headers[i].name,
		    answer->headers[i].value);
	result = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result
refuse(struct MHD_Connection *connection, unsigned status)
{
	struct http_answer answer = {.status = status, .type = "text/plain"};
	char text[32];

	(void)snprintf(text, sizeof text, "%u\n", status);
	bytes_put(&answer.body, text, strlen(text));
	if (status == NOT_ALLOWED)
		http_say(&answer, "Allow", "GET, HEAD, POST");
	return reply(connection, &answer);
}

static enum MHD_Result
handle(struct http *http, struct MHD_Connection *connection, const char *path,
    const struct incoming *incoming)
{
	const union MHD_ConnectionInfo *address = MHD_get_connection_info(
	    connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct http_request request = {.is_post = incoming->is_post,
	    .is_old = incoming->is_old,
	    .path = path,
	    .body = incoming->body,
	    .connection = connection};
	struct http_answer answer = {.status = 200};

	if (address == NULL ||
	    !netaddr_from_sockaddr(address->client_addr, &request.visitor))
		return MHD_NO;
	has_asked(http, connection);
	find_visitor(http, &request);
	http->handler(http->arg, &request, &answer);
	return reply(connection, &answer);
}

/* A body that has zeros in it ends there. */
static void
take_body(struct incoming *incoming, const char *data, size_t length)
{
	if (length > HTTP_BODY_MAX - incoming->length) {
		incoming->too_large = true;
		return;
	}
	memcpy(incoming->body + incoming->length, data, length);
	incoming->length += length;
}

/* Whoever asks before he sends a body need not send what would be refused. */
static bool
asks_in_vain(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(
	    connection, MHD_HEADER_KIND, "Content-Length");
	int64_t number;

	return length != NULL &&
	    MHD_lookup_connection_value(
		connection, MHD_HEADER_KIND, "Expect") != NULL &&
	    !decimal_read_all(length, strlen(length), HTTP_BODY_MAX, &number);
}

/* libmicrohttpd calls this for the head, for each piece of the body, and at its
 * end.  A refusal has to wait for the end, or comes at the head. */
static enum MHD_Result
/* NOLINTNEXTLINE(readability-function-size) ; the library wants it so */
on_request(void *cls, struct MHD_Connection *connection, const char *path,
    const char *method, const char *version, const char *data, size_t *length,
    void **place)
{
	bool is_post = strcmp(method, "POST") == 0;
	struct incoming *incoming = *place;

	if (incoming == NULL) {
		if (!is_post && strcmp(method, "GET") != 0 &&
		    strcmp(method, "HEAD") != 0)
			return refuse(connection, NOT_ALLOWED);
		if (asks_in_vain(connection))
			return refuse(connection, TOO_LARGE);
		incoming = calloc(1, sizeof *incoming);
		*place = incoming;
		if (incoming == NULL)
			return MHD_NO;
		incoming->is_post = is_post;
		incoming->is_old = strcmp(version, "HTTP/1.0") == 0;
		return MHD_YES;
	}
	if (*length > 0) {
		take_body(incoming, data, *length);
		*length = 0;
		return MHD_YES;
	}
	if (incoming->too_large)
		return refuse(connection, TOO_LARGE);
	return handle(cls, connection, path, incoming);
}

static void
on_end(void *cls, struct MHD_Connection *connection, void **place,
    enum MHD_RequestTerminationCode code)
{
	(void)cls;
	(void)connection;
	(void)code;
	free(*place);
	*place = NULL;
}

/* ---- The server */

/* What libmicrohttpd believes to be beyond repair ends its own thread alone. */
static void
on_panic(void *cls, const char *file, unsigned line, const char *reason)
{
	(void)cls;
	(void)file;
	log_error("web: libmicrohttpd gives up at line %u: %s", line,
	    reason == NULL ? "" : reason);
	for (;;)
		clock_sleep(INT64_C(3600000));
}

/* What clients do wrong is no news. */
static void
on_log(void *cls, const char *format, va_list args)
{
	char text[256];

	(void)cls;
	if (!log_is_verbose())
		return;
	(void)vsnprintf(text, sizeof text, format, args);
	log_debug("web: %s", text);
}

static bool
to_sockaddr(
    const char *listen, struct sockaddr_storage *to_r, socklen_t *size_r)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)to_r;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to_r;
	struct netaddr address;
	unsigned port = 0;

	if (!netaddr_parse_port(listen, &address, &port) || port == 0)
		return false;
	*size_r = (socklen_t)netaddr_to_sockaddr(&address, to_r);
	if (address.length == 4)
		v4->sin_port = htons((uint16_t)port);
	else
		v6->sin6_port = htons((uint16_t)port);
	return true;
}

static int
take_port(const char *listen_at, char *why_r, size_t size)
{
	struct sockaddr_storage address;
	socklen_t length = 0;
	int fd, on = 1;

	if (!to_sockaddr(listen_at, &address, &length)) {
		(void)snprintf(
		    why_r, size, "%s: no address and port", listen_at);
		return -1;
	}
	fd = socket(
	    address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
	    bind(fd, (struct sockaddr *)&address, length) == 0 &&
	    listen(fd, BACKLOG) == 0)
		return fd;
	(void)snprintf(why_r, size, "%s: %s", listen_at, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

/* An address that is none is no proxy. */
static bool
read_proxies(struct http *http, char *const *proxies)
{
	size_t count = 0;

	while (proxies != NULL && proxies[count] != NULL)
		count++;
	http->proxies = calloc(count + 1, sizeof *http->proxies);
	for (size_t i = 0; http->proxies != NULL && i < count; i++)
		if (netaddr_parse(
			proxies[i], &http->proxies[http->proxy_count]))
			http->proxy_count++;
	return http->proxies != NULL;
}

struct http *
http_open(const struct http_terms *terms, char *why_r, size_t size)
{
	struct http *http = calloc(1, sizeof *http);

	if (http == NULL || pthread_mutex_init(&http->mutex, NULL) != 0) {
		free(http);
		(void)snprintf(why_r, size, "out of memory");
		return NULL;
	}
	http->terms = *terms;
	http->guest_max = terms->connections + SLACK;
	http->guests = calloc(http->guest_max, sizeof *http->guests);
	if (http->guests == NULL || !read_proxies(http, terms->proxies)) {
		http->fd = -1;
		(void)snprintf(why_r, size, "out of memory");
	} else {
		http->fd = take_port(terms->listen, why_r, size);
	}
	if (http->fd < 0)
		http_close(&http);
	return http;
}

/* Mail needs files, too: visitors get half of them at most, those that are being
 * closed included. */
static void
spare_files(struct http *http)
{
	struct rlimit limit;
	rlim_t most;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
	    limit.rlim_cur / 4 >= http->terms.connections)
		return;
	most = limit.rlim_cur / 4;
	log_warning("web: connections = %zu, but this process may have %llu "
		    "files open: %llu connections are served at once",
	    http->terms.connections, (unsigned long long)limit.rlim_cur,
	    (unsigned long long)most);
	http->terms.connections = most;
	http->guest_max = most + (most < SLACK ? most : SLACK);
}

bool
http_start(struct http *http, http_handler *handler, void *arg)
{
	spare_files(http);
	http->handler = handler;
	http->arg = arg;
	MHD_set_panic_func(on_panic, NULL);
	http->ticker = ticker_start("web", 1000, send_home, http);
	if (http->ticker == NULL)
		return false;
	http->daemon =
	    MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG,
		0, on_accept, http, on_request, http, MHD_OPTION_LISTEN_SOCKET,
		http->fd, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
		MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)http->guest_max,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)http->terms.timeout,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_MAX,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
		MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL, MHD_OPTION_END);
	if (http->daemon != NULL)
		http->fd = -1;
	return http->daemon != NULL;
}

void
http_close(struct http **http)
{
	struct http *mine = *http;

	if (mine == NULL)
		return;
	if (mine->daemon != NULL)
		MHD_stop_daemon(mine->daemon);
	if (mine->ticker != NULL)
		(void)ticker_stop(&mine->ticker, INT64_C(60000));
	if (mine->fd >= 0)
		(void)close(mine->fd);
	pthread_mutex_destroy(&mine->mutex);
	free(mine->guests);
	free(mine->proxies);
	free(mine);
	*http = NULL;
}
