/* TCP_KEEPIDLE, TCP_USER_TIMEOUT and their like are not in POSIX. */
#define _DEFAULT_SOURCE

#include "redis/redis_connection.h"
#include "redis/redis_error.h"
#include "redis/redis_outage.h"
#include "redis/redis_resolve.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	MAX_PENDING = 8192,   /* calls that are not over */
	MAX_UNSENT = 8 << 20, /* bytes of them that wait to be sent */
	GUARD_BYTES = 64,     /* at most */
	READ_SIZE = 64 << 10,
	GREETINGS = 4,	   /* AUTH, SELECT, PING, ROLE */
	IDLE_MS = 1000,	   /* after that long a silence we ask */
	PONG_MS = 1000,	   /* for the answer to that */
	PROVEN_MS = 1000,  /* a connection that has lasted so long is good */
	REFUSAL_MS = 2000, /* a refusal is believed for so long */
};

enum state { DOWN, RESOLVING, CONNECTING, SHAKING_HANDS, GREETING, UP };

struct redis_connection {
	const struct redis_connection_terms *terms;
	struct redis_address address; /* no host: none yet */
	char where[REDIS_WHERE_SIZE];
	char why[REDIS_WORDS_SIZE]; /* it is not up; empty: for no fault */
	enum state state;
	bool is_leaving; /* as soon as the calls under way are over */
	bool is_ending;	 /* and then for good */

	/* Being made */
	struct redis_resolving *resolving;
	struct addrinfo *found; /* all addresses of the host */
	struct addrinfo *untried;
	int64_t due_ms;
	int64_t share_due_ms; /* of the address that is being tried */
	size_t musts;	      /* greetings that have to succeed */
	size_t tries;
	int64_t retry_at;
	struct redis_outage outage;

	/* Made */
	int fd;
	struct redis_tls_session *tls; /* NULL: plain */
	short tls_wants;	       /* besides POLLIN */
	int64_t up_since;
	int64_t heard_at;
	struct resp_parser *parser;
	struct resp_commands sending;
	size_t sent; /* bytes of it */
	struct redis_call_list waiting;

	/* Our own question: the greetings, or whether it still lives. */
	struct redis_call own;
	struct resp_commands own_commands;
	struct resp_reply *own_replies[GREETINGS];

	atomic_bool is_up;
	atomic_llong refused_ms; /* the last refusal, or 0 */
	atomic_size_t pending;

	/* Under the mutex. */
	struct resp_commands outgoing;
	struct redis_call_list added;
	int64_t guard; /* of the last call */
};

/* ---- For any thread, and under the mutex */

bool
redis_connection_is_up(const struct redis_connection *conn)
{
	return atomic_load(&conn->is_up);
}

bool
redis_connection_takes_writes(const struct redis_connection *conn)
{
	int64_t refused_ms = atomic_load(&conn->refused_ms);

	return refused_ms == 0 || redis_now() - refused_ms > REFUSAL_MS;
}

bool
redis_connection_has_room(struct redis_connection *conn, size_t length)
{
	return atomic_load(&conn->pending) < MAX_PENDING &&
	    conn->outgoing.length + length + GUARD_BYTES <= MAX_UNSENT &&
	    resp_reserve(&conn->outgoing, length + GUARD_BYTES);
}

void
redis_connection_add(struct redis_connection *conn, struct redis_call *call)
{
	call->conn = conn;
	call->guard = ++conn->guard;
	call->received = 0;
	call->is_answered = false;
	resp_add_commands(&conn->outgoing, call->commands);
	if (!call->is_unguarded) {
		resp_begin(&conn->outgoing, 2);
		resp_add_string(&conn->outgoing, "PING");
		resp_add_integer(&conn->outgoing, call->guard);
	}
	redis_call_append(&conn->added, call);
	atomic_fetch_add(&conn->pending, 1);
}

/* ---- Going down */

/* Our own question is over with its connection. */
static void
forget_own(struct redis_connection *conn)
{
	while (conn->own.received > 0)
		resp_reply_free(&conn->own_replies[--conn->own.received]);
	resp_reset(&conn->own_commands);
}

static void
list_lost(struct redis_connection *conn, struct redis_call_list *lost_r)
{
	struct redis_call *call;
	struct redis_call_list all = {0};

	*lost_r = all;
	(void)pthread_mutex_lock(conn->terms->mutex);
	atomic_store(&conn->is_up, false);
	redis_call_join(&all, &conn->waiting);
	redis_call_join(&all, &conn->added);
	resp_reset(&conn->outgoing);
	(void)pthread_mutex_unlock(conn->terms->mutex);
	conn->waiting = (struct redis_call_list){0};
	while ((call = redis_call_shift(&all)) != NULL)
		if (call != &conn->own)
			redis_call_append(lost_r, call);
	forget_own(conn);
	atomic_store(&conn->pending, 0);
}

static void
hang_up(struct redis_connection *conn)
{
	redis_tls_end(&conn->tls);
	if (conn->fd >= 0)
		(void)close(conn->fd);
	conn->fd = -1;
}

static void
forget_connection(struct redis_connection *conn)
{
	hang_up(conn);
	redis_resolve_forget(&conn->resolving);
	if (conn->found != NULL)
		freeaddrinfo(conn->found);
	conn->found = conn->untried = NULL;
	resp_parser_close(&conn->parser);
	resp_reset(&conn->sending);
	conn->sent = 0;
}

/* Some servers let us in and then fail us at once. */
static bool
is_proven(const struct redis_connection *conn)
{
	return conn->up_since != 0 && redis_now() - conn->up_since >= PROVEN_MS;
}

/* 0, 50, 100, 200, 250, 250, ... */
static void
plan_retry(struct redis_connection *conn)
{
	static const int64_t steps[] = {0, 50, 100, 200, 250};
	size_t last = sizeof steps / sizeof steps[0] - 1;

	if (is_proven(conn))
		conn->tries = 0;
	conn->up_since = 0;
	conn->retry_at =
	    redis_now() + steps[conn->tries < last ? conn->tries : last];
	conn->tries++;
}

/* `why` NULL: of our own accord, which is no fault, and the next try need not
 * wait. */
static void
go_down(struct redis_connection *conn, const char *why)
{
	struct redis_call_list lost;

	if (why != NULL)
		redis_error_clean(why, conn->why, sizeof conn->why);
	else
		conn->tries = 0;
	conn->state = DOWN;
	list_lost(conn, &lost);
	forget_connection(conn);
	plan_retry(conn);
	redis_call_finish_all(&lost);
	if (why != NULL && conn->terms->lost != NULL)
		conn->terms->lost(conn->terms->lost_arg);
}

static void
go_down_by_errno(struct redis_connection *conn, int error)
{
	char why[REDIS_WORDS_SIZE];

	if (strerror_r(error, why, sizeof why) != 0)
		(void)snprintf(why, sizeof why, "error %d", error);
	go_down(conn, why);
}

/* ---- Greeting */

static void
add_greetings(struct redis_connection *conn)
{
	const struct redis_connection_terms *terms = conn->terms;
	struct resp_commands *commands = &conn->own_commands;

	if (terms->password != NULL && terms->user != NULL)
		resp_add(commands, "AUTH", terms->user, terms->password);
	else if (terms->password != NULL)
		resp_add(commands, "AUTH", terms->password);
	if (terms->database != 0) {
		resp_begin(commands, 2);
		resp_add_string(commands, "SELECT");
		resp_add_integer(commands, terms->database);
	}
	conn->musts = commands->count;
	resp_add(commands, "PING");
	if (terms->must_be_master)
		resp_add(commands, "ROLE");
}

static bool
is_replica(const struct resp_reply *role)
{
	const char *name = resp_string(resp_element(role, 0), NULL);

	return name != NULL && strcmp(name, "master") != 0;
}

/* Why the server will not do, or NULL.  PING may be forbidden, and fails with
 * MISCONF where reading still works. */
static const char *
find_fault(const struct redis_connection *conn)
{
	size_t count = conn->own.received;

	for (size_t i = 0; i < count; i++) {
		const char *error = resp_error(conn->own_replies[i]);

		if (i < conn->musts && error != NULL)
			return error;
		if (redis_error_judge(error) == REDIS_ERROR_UNFIT)
			return error;
	}
	if (count == conn->own_commands.count && conn->terms->must_be_master &&
	    is_replica(conn->own_replies[count - 1]))
		return "the server is a replica, not the master";
	return NULL;
}

static void
greet(struct redis_connection *conn)
{
	add_greetings(conn);
	resp_add_commands(&conn->sending, &conn->own_commands);
	conn->own = (struct redis_call){
	    .commands = &conn->own_commands,
	    .replies = conn->own_replies,
	    .due_ms = conn->due_ms,
	    .is_unguarded = true,
	};
	redis_call_append(&conn->waiting, &conn->own);
	conn->parser = resp_parser_open();
	conn->state = GREETING;
	if (conn->parser == NULL || !resp_is_complete(&conn->sending))
		go_down(conn, "out of memory");
}

static void
come_up(struct redis_connection *conn)
{
	conn->state = UP;
	conn->up_since = conn->heard_at = redis_now();
	(void)pthread_mutex_lock(conn->terms->mutex);
	atomic_store(&conn->is_up, !conn->is_leaving);
	(void)pthread_mutex_unlock(conn->terms->mutex);
	if (!conn->is_leaving)
		conn->why[0] = '\0';
}

/* ---- Connecting */

static void
shake_hands(struct redis_connection *conn)
{
	int done = redis_tls_handshake(conn->tls);

	if (done > 0)
		greet(conn);
	else if (done < 0)
		go_down(conn, redis_tls_why(conn->tls));
	else
		conn->tls_wants = redis_tls_wants(conn->tls);
}

static void
connected(struct redis_connection *conn)
{
	const struct redis_connection_terms *terms = conn->terms;
	const char *name =
	    terms->tls_name != NULL ? terms->tls_name : conn->address.host;

	if (terms->tls == NULL || redis_address_is_unix(&conn->address)) {
		greet(conn);
		return;
	}
	conn->state = SHAKING_HANDS;
	conn->tls = redis_tls_begin(terms->tls, conn->fd, name);
	if (conn->tls == NULL)
		go_down(conn, "no TLS session could be made");
	else
		shake_hands(conn);
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
connect_to(struct redis_connection *conn, const struct sockaddr *address,
    socklen_t length)
{
	hang_up(conn);
	conn->fd = socket(
	    address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (conn->fd < 0)
		return errno;
	if (address->sa_family != AF_UNIX)
		set_tcp_options(conn->fd);
	return connect(conn->fd, address, length) == 0 ? 0 : errno;
}

/* One silent address may not use up the time of those after it. */
static void
try_next(struct redis_connection *conn, int error)
{
	int64_t now = redis_now(), count = 0;

	while (conn->untried != NULL) {
		const struct addrinfo *at = conn->untried;

		for (count = 0; at != NULL; at = at->ai_next)
			count++;
		at = conn->untried;
		conn->untried = at->ai_next;
		conn->share_due_ms = now + (conn->due_ms - now) / count;
		error = connect_to(conn, at->ai_addr, at->ai_addrlen);
		if (error == EINPROGRESS) {
			conn->state = CONNECTING;
			return;
		}
		if (error == 0) {
			connected(conn);
			return;
		}
	}
	go_down_by_errno(conn, error);
}

static void
connect_unix(struct redis_connection *conn)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = conn->address.host;
	int error = ENAMETOOLONG;

	if (strlen(path) < sizeof address.sun_path) {
		memcpy(address.sun_path, path, strlen(path) + 1);
		error = connect_to(
		    conn, (const struct sockaddr *)&address, sizeof address);
	}
	if (error == 0)
		connected(conn);
	else
		go_down_by_errno(conn, error);
}

static void
begin(struct redis_connection *conn)
{
	conn->due_ms = redis_now() + conn->terms->connect_ms;
	if (redis_address_is_unix(&conn->address)) {
		connect_unix(conn);
		return;
	}
	conn->state = RESOLVING;
	conn->resolving = redis_resolve(&conn->address, conn->terms->wake_fd);
	if (conn->resolving == NULL)
		go_down(conn, "out of memory or threads");
}

static void
take_addresses(struct redis_connection *conn)
{
	const char *why = redis_resolve_take(&conn->resolving, &conn->found);

	conn->untried = conn->found;
	if (why != NULL)
		go_down(conn, why);
	else
		try_next(conn, EHOSTUNREACH);
}

static void
finish_connect(struct redis_connection *conn)
{
	struct pollfd look = {.fd = conn->fd, .events = POLLOUT};
	int error = ETIMEDOUT;
	socklen_t size = sizeof error;

	if (poll(&look, 1, 0) > 0)
		(void)getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	else if (redis_now() < conn->share_due_ms)
		return;
	if (error == 0)
		connected(conn);
	else if (error == ETIMEDOUT && conn->untried == NULL)
		go_down(conn, "no answer in time");
	else
		try_next(conn, error);
}

/* ---- Connected.  Words: the connection is of no more use. */

/* That it is lost shows when it is read. */
static void
send_some(struct redis_connection *conn)
{
	ssize_t more = 1;

	while (more > 0 && conn->sent < conn->sending.length) {
		const char *bytes = conn->sending.bytes + conn->sent;
		size_t length = conn->sending.length - conn->sent;

		more = conn->tls != NULL
		    ? redis_tls_write(conn->tls, bytes, length)
		    : send(conn->fd, bytes, length, MSG_NOSIGNAL);
		if (more > 0)
			conn->sent += (size_t)more;
		else if (more == 0 && conn->tls != NULL)
			conn->tls_wants = redis_tls_wants(conn->tls);
	}
	if (conn->sent == conn->sending.length) {
		conn->sent = 0;
		resp_reset(&conn->sending);
	}
}

/* Take over what was handed over, unless the last of it is still on its way. */
static void
send_all(struct redis_connection *conn)
{
	struct resp_commands empty;

	send_some(conn);
	if (conn->sending.length > 0 || conn->state != UP)
		return;
	(void)pthread_mutex_lock(conn->terms->mutex);
	empty = conn->sending;
	conn->sending = conn->outgoing;
	conn->outgoing = empty;
	redis_call_join(&conn->waiting, &conn->added);
	(void)pthread_mutex_unlock(conn->terms->mutex);
	send_some(conn);
}

static void
finish_head(struct redis_connection *conn, struct redis_call_list *over)
{
	struct redis_call *call = redis_call_shift(&conn->waiting);

	call->is_answered = true;
	if (call == &conn->own) {
		forget_own(conn);
		if (conn->state == GREETING)
			come_up(conn);
		else
			atomic_fetch_sub(&conn->pending, 1);
		return;
	}
	atomic_fetch_sub(&conn->pending, 1);
	redis_call_append(over, call);
}

/* A server may refuse a PING, which tells nothing. */
static bool
is_guard(const struct redis_call *call, const struct resp_reply *reply)
{
	int64_t guard;

	return resp_error(reply) != NULL ||
	    (resp_integer(reply, &guard) && guard == call->guard);
}

static const char *
take_reply(struct redis_connection *conn, struct resp_reply *reply,
    struct redis_call_list *over)
{
	struct redis_call *call = conn->waiting.head;
	const char *why = NULL;

	if (call != NULL && call->received < call->commands->count) {
		call->replies[call->received++] = reply;
		if (redis_error_judge(resp_error(reply)) == REDIS_ERROR_UNFIT)
			why = resp_error(reply);
		else if (call == &conn->own)
			why = find_fault(conn);
		if (why != NULL) /* before the reply is freed with its call */
			redis_error_clean(why, conn->why, sizeof conn->why);
		else if (call->is_unguarded &&
		    call->received == call->commands->count)
			finish_head(conn, over);
		return why != NULL ? conn->why : NULL;
	}
	if (call != NULL && is_guard(call, reply))
		finish_head(conn, over);
	else
		why = "a reply that nobody asked for";
	resp_reply_free(&reply);
	return why;
}

static const char *
take_replies(struct redis_connection *conn, struct redis_call_list *over)
{
	struct resp_reply *reply;
	enum resp_parsed parsed;
	const char *why = NULL;

	while (why == NULL &&
	    (parsed = resp_next(conn->parser, &reply)) != RESP_MORE)
		why = parsed == RESP_REPLY ? take_reply(conn, reply, over)
					   : resp_wrong(conn->parser);
	return why;
}

/* Bytes; 0: none now; -1: it is lost, with the reason in `why`. */
static ssize_t
receive(struct redis_connection *conn, char *bytes, size_t size)
{
	ssize_t got;

	if (conn->tls != NULL) {
		got = redis_tls_read(conn->tls, bytes, size);
		if (got == 0)
			conn->tls_wants = redis_tls_wants(conn->tls);
		if (got < 0)
			redis_error_clean(redis_tls_why(conn->tls), conn->why,
			    sizeof conn->why);
		return got;
	}
	got = recv(conn->fd, bytes, size, 0);
	if (got > 0)
		return got;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got == 0)
		(void)snprintf(
		    conn->why, sizeof conn->why, "closed by the server");
	else if (strerror_r(errno, conn->why, sizeof conn->why) != 0)
		(void)snprintf(conn->why, sizeof conn->why, "error %d", errno);
	return -1;
}

static const char *
read_all(struct redis_connection *conn, struct redis_call_list *over)
{
	char bytes[READ_SIZE];
	const char *why = NULL;
	ssize_t got;

	do {
		got = receive(conn, bytes, sizeof bytes);
		if (got < 0)
			return conn->why;
		if (got == 0)
			break;
		conn->heard_at = redis_now();
		resp_feed(conn->parser, bytes, (size_t)got);
		why = take_replies(conn, over);
	} while (
	    why == NULL && ((size_t)got == sizeof bytes || conn->tls != NULL));
	return why;
}

/* Ask whether the server still lives, unless something is asked anyway. */
static void
ping(struct redis_connection *conn)
{
	int64_t now = redis_now();

	if (conn->state != UP || conn->waiting.head != NULL ||
	    now - conn->heard_at < IDLE_MS)
		return;
	conn->own = (struct redis_call){
	    .commands = &conn->own_commands,
	    .due_ms = now + PONG_MS,
	};
	(void)pthread_mutex_lock(conn->terms->mutex);
	if (conn->added.head == NULL && redis_connection_has_room(conn, 0))
		redis_connection_add(conn, &conn->own);
	(void)pthread_mutex_unlock(conn->terms->mutex);
}

static bool
is_idle(const struct redis_connection *conn)
{
	const struct redis_call *head = conn->waiting.head;

	return head == NULL || (head == &conn->own && head->next == NULL);
}

static void
serve(struct redis_connection *conn, bool is_readable)
{
	struct redis_call_list over = {0};
	const char *why = NULL;

	ping(conn);
	send_all(conn);
	if (is_readable || conn->tls != NULL)
		why = read_all(conn, &over);
	redis_call_finish_all(&over);
	if (why == NULL && redis_call_due(&conn->waiting) <= redis_now())
		why = "no answer in time";
	if (why != NULL)
		go_down(conn, why);
	else if (conn->is_leaving && is_idle(conn))
		go_down(conn, NULL);
	else if (is_readable && conn->state == UP)
		send_all(conn); /* what has come meanwhile */
}

/* ---- For the client's thread */

static void
report(struct redis_connection *conn)
{
	bool is_up = redis_connection_is_up(conn);
	enum redis_news news;

	if (is_up ? !conn->outage.told || !is_proven(conn)
		  : conn->state == UP || conn->why[0] == '\0')
		return;
	news = redis_outage_note(
	    &conn->outage, is_up ? NULL : conn->why, redis_now());
	if (news != REDIS_NEWS_NONE && conn->terms->report != NULL)
		conn->terms->report(conn->terms->report_arg, is_up, conn->where,
		    is_up ? "answers again" : conn->why);
}

/* Calls that wait for a connection do not wait beyond their deadline. */
static void
drop_late(struct redis_connection *conn)
{
	struct redis_call_list late = {0};

	(void)pthread_mutex_lock(conn->terms->mutex);
	if (redis_call_due(&conn->added) <= redis_now()) {
		late = conn->added;
		conn->added = (struct redis_call_list){0};
		resp_reset(&conn->outgoing);
		atomic_store(&conn->pending, 0);
	}
	(void)pthread_mutex_unlock(conn->terms->mutex);
	redis_call_finish_all(&late);
}

/* Other orders, or too late. */
static void
give_up_connecting(struct redis_connection *conn)
{
	if (conn->is_leaving && conn->state != UP) {
		if (conn->state != DOWN)
			go_down(conn, NULL);
		conn->retry_at = 0;
		conn->is_leaving = conn->is_ending;
	}
	if (conn->state != DOWN && conn->state != UP &&
	    conn->due_ms <= redis_now())
		go_down(conn, "no answer in time");
}

void
redis_connection_work(struct redis_connection *conn, short revents)
{
	give_up_connecting(conn);
	switch (conn->state) {
	case DOWN:
		if (conn->address.host[0] != '\0' && !conn->is_ending &&
		    conn->retry_at <= redis_now())
			begin(conn);
		break;
	case RESOLVING:
		if (redis_resolve_is_done(conn->resolving))
			take_addresses(conn);
		break;
	case CONNECTING:
		finish_connect(conn);
		break;
	case SHAKING_HANDS:
		shake_hands(conn);
		break;
	case GREETING:
	case UP:
		serve(conn, revents != 0);
		break;
	}
	if (conn->state != UP)
		drop_late(conn);
	report(conn);
}

/* Something to read that poll will not tell of, or to send. */
static bool
has_more(struct redis_connection *conn)
{
	bool is_added;

	(void)pthread_mutex_lock(conn->terms->mutex);
	is_added = conn->added.head != NULL && conn->state == UP &&
	    conn->sending.length == 0;
	(void)pthread_mutex_unlock(conn->terms->mutex);
	return is_added ||
	    (conn->tls != NULL && redis_tls_holds_bytes(conn->tls));
}

static int64_t
next_event(struct redis_connection *conn, int64_t now)
{
	switch (conn->state) {
	case DOWN:
		return conn->address.host[0] == '\0' || conn->is_ending
		    ? now + IDLE_MS
		    : conn->retry_at;
	case RESOLVING:
		return redis_resolve_is_done(conn->resolving) ? now
							      : conn->due_ms;
	case CONNECTING:
		return conn->share_due_ms;
	case SHAKING_HANDS:
		return conn->due_ms;
	case GREETING:
	case UP:
		break;
	}
	if (has_more(conn))
		return now;
	if (conn->waiting.head != NULL)
		return redis_call_due(&conn->waiting);
	return conn->heard_at + IDLE_MS;
}

int
redis_connection_prepare(struct redis_connection *conn, struct pollfd *wait_r)
{
	int64_t now = redis_now();
	int64_t left = next_event(conn, now) - now;

	wait_r->fd = conn->fd;
	wait_r->events = POLLIN;
	if (conn->state == CONNECTING)
		wait_r->events = POLLOUT;
	else if (conn->tls != NULL && conn->state == SHAKING_HANDS)
		wait_r->events = conn->tls_wants;
	else if (conn->sent < conn->sending.length)
		wait_r->events = conn->tls != NULL
		    ? (short)(POLLIN | conn->tls_wants)
		    : POLLIN | POLLOUT;
	if (left < 0)
		return 0;
	return left < IDLE_MS ? (int)left : IDLE_MS;
}

static void
set_address(struct redis_connection *conn, const struct redis_address *address)
{
	conn->address = *address;
	redis_address_print(address, conn->where, sizeof conn->where);
}

struct redis_connection *
redis_connection_open(const struct redis_connection_terms *terms,
    const struct redis_address *address)
{
	struct redis_connection *conn = calloc(1, sizeof *conn);

	if (conn == NULL)
		return NULL;
	conn->terms = terms;
	conn->fd = -1;
	if (address != NULL)
		set_address(conn, address);
	return conn;
}

void
redis_connection_close(struct redis_connection **conn)
{
	if (*conn == NULL)
		return;
	go_down(*conn, NULL);
	resp_free(&(*conn)->outgoing);
	resp_free(&(*conn)->sending);
	resp_free(&(*conn)->own_commands);
	free(*conn);
	*conn = NULL;
}

static void
leave(struct redis_connection *conn)
{
	(void)pthread_mutex_lock(conn->terms->mutex);
	atomic_store(&conn->is_up, false);
	(void)pthread_mutex_unlock(conn->terms->mutex);
	conn->is_leaving = true;
}

void
redis_connection_end(struct redis_connection *conn)
{
	if (!conn->is_ending)
		leave(conn);
	conn->is_ending = true;
}

void
redis_connection_aim(
    struct redis_connection *conn, const struct redis_address *address)
{
	if (redis_address_equals(&conn->address, address))
		return;
	leave(conn);
	set_address(conn, address);
}

void
redis_connection_excuse(
    struct redis_connection *conn, const char *where, const char *why)
{
	if (conn->address.host[0] != '\0')
		return;
	(void)snprintf(conn->where, sizeof conn->where, "%s", where);
	redis_error_clean(why, conn->why, sizeof conn->why);
}

bool
redis_connection_is_used(const struct redis_connection *conn)
{
	return atomic_load(&conn->pending) > 0;
}

bool
redis_connection_is_ending(const struct redis_connection *conn)
{
	return conn->is_ending;
}

bool
redis_connection_is_over(const struct redis_connection *conn)
{
	return conn->is_ending && conn->state == DOWN;
}

void
redis_connection_note_refusal(struct redis_connection *conn)
{
	atomic_store(&conn->refused_ms, redis_now());
}

const struct redis_address *
redis_connection_address(const struct redis_connection *conn)
{
	return &conn->address;
}

const char *
redis_connection_where(const struct redis_connection *conn)
{
	return conn->where;
}

const char *
redis_connection_why(const struct redis_connection *conn)
{
	return conn->why;
}
