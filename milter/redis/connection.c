#include "redis/connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/clock.h"
#include "base/outage.h"

enum {
	IDLE_MS = 1000,	  /* after that long a silence we ask */
	PROVEN_MS = 1000, /* a connection that has lasted so long is good */
	UNFIT_MS = 2000,  /* the longest pause where a server will not do, */
	LOGIN_MS = 30000, /* and where it does not let us in */
	FIRST_PAUSE_MS = 250,
};

/* ---- What we say first: who we are, and will the server do? */

static void
add_greeting(
    struct resp_commands *commands, const struct redis_greeting_terms *terms)
{
	if (terms->password != NULL && terms->user != NULL)
		resp_add(commands, "AUTH", terms->user, terms->password);
	if (terms->password != NULL &&
	    (terms->user == NULL || terms->or_default))
		resp_add(commands, "AUTH", terms->password);
	if (terms->database != 0) {
		resp_begin(commands, 2);
		resp_add_string(commands, "SELECT");
		resp_add_integer(commands, terms->database);
	}
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

/* After AUTH that failed, one is who one was before. */
static bool
is_let_in(const struct redis_call *call, size_t logins)
{
	for (size_t i = 0; i < logins; i++)
		if (i >= call->received || resp_error(call->replies[i]) == NULL)
			return true;
	return false;
}

/* Why the server will not do, as far as the replies go, or NULL.  With
 * `*is_refused_r` it would have let in somebody else.
 *
 * PING may be forbidden, and fails with MISCONF where reading still works. */
static const char *
greeting_fault(const struct redis_call *call,
    const struct redis_greeting_terms *terms, bool *is_refused_r)
{
	size_t logins = 0, musts;

	if (terms->password != NULL)
		logins = terms->user != NULL && terms->or_default ? 2 : 1;
	musts = logins;
	if (terms->database != 0)
		musts++;
	*is_refused_r = true;
	if (logins > 0 && !is_let_in(call, logins))
		return resp_error(call->replies[0]);
	for (size_t i = logins; i < call->received; i++) {
		const char *error = resp_error(call->replies[i]);

		if (error != NULL &&
		    (i < musts || strncmp(error, "NOAUTH ", 7) == 0))
			return error;
	}
	*is_refused_r = false;
	if (call->received == call->commands->count && terms->must_be_master &&
	    is_replica(call->replies[call->received - 1]))
		return "the server is a replica, not the master";
	return NULL;
}

/* ---- Going down */

/* Some servers let us in and then fail us at once. */
static bool
is_proven(const struct redis_connection *conn)
{
	return conn->up_since != 0 && redis_now() - conn->up_since >= PROVEN_MS;
}

int64_t
redis_pause(size_t failures, int64_t most_ms)
{
	int64_t pause = FIRST_PAUSE_MS;

	while (--failures > 0 && pause < most_ms)
		pause *= 2;
	if (pause > most_ms)
		pause = most_ms;
	/* Two hosts never see the same microsecond. */
	return pause - pause / 4 + clock_steady_us() % 1000000 % (pause / 2);
}

/* 0, 50, 100, 200, 250, 250, ..., and longer where that would be a nuisance. */
static int64_t
pause_of(struct redis_connection *conn)
{
	static const int64_t steps[] = {0, 50, 100, 200, 250};
	size_t last = sizeof steps / sizeof steps[0] - 1;

	if (is_proven(conn)) {
		conn->tries = 0;
		conn->failures = 0;
	} else if (conn->is_unfit) {
		return redis_pause(
		    ++conn->failures, conn->is_refused ? LOGIN_MS : UNFIT_MS);
	}
	return steps[conn->tries < last ? conn->tries++ : last];
}

/* From now on, or no more, for whoever has the mutex. */
static void
set_up(struct redis_connection *conn, bool is_up)
{
	(void)pthread_mutex_lock(conn->terms->mutex);
	atomic_store(&conn->is_up, is_up);
	(void)pthread_mutex_unlock(conn->terms->mutex);
}

static void
take_down(struct redis_connection *conn)
{
	int64_t pause = pause_of(conn);

	conn->state = REDIS_DOWN;
	conn->retry_at = redis_now() + pause;
	conn->up_since = 0;
	set_up(conn, false);
	redis_stream_close(&conn->stream);
	redis_exchange_end(&conn->exchange);
}

static void
fail(struct redis_connection *conn, const char *why)
{
	ascii_clean(why, conn->why, sizeof conn->why);
	take_down(conn);
	if (conn->terms->lost != NULL)
		conn->terms->lost(conn->terms->lost_arg);
}

/* Of our own accord, which is no fault. */
static void
part(struct redis_connection *conn)
{
	take_down(conn);
	redis_connection_hurry(conn);
}

/* ---- Coming up */

static void
end_own(struct redis_call *call)
{
	struct redis_connection *conn = call->arg;

	for (size_t i = 0; i < REDIS_GREETINGS; i++)
		resp_reply_free(&conn->own_replies[i]);
	resp_reset(&conn->own_commands);
	conn->is_asking = false;
}

static const char *
judge_greeting(struct redis_call *call)
{
	struct redis_connection *conn = call->arg;

	return greeting_fault(call, &conn->terms->greeting, &conn->is_refused);
}

static void
come_up(struct redis_call *call)
{
	struct redis_connection *conn = call->arg;

	end_own(call);
	if (call->answer != REDIS_ANSWERED)
		return;
	conn->state = REDIS_UP;
	conn->is_unfit = false;
	conn->up_since = redis_now();
	conn->exchange.is_open = true;
	if (conn->is_leaving)
		return;
	set_up(conn, true);
	conn->why[0] = '\0';
}

static struct redis_call *
own_call(struct redis_connection *conn, void (*done)(struct redis_call *call))
{
	conn->own = (struct redis_call){
	    .commands = &conn->own_commands,
	    .replies = conn->own_replies,
	    .due_ms = INT64_MAX, /* the connection ends before */
	    .done = done,
	    .arg = conn,
	    .conn = conn,
	};
	conn->is_asking = true;
	return &conn->own;
}

static void
greet(struct redis_connection *conn)
{
	struct redis_call *call = own_call(conn, come_up);

	call->judge = judge_greeting;
	call->is_unguarded = true;
	add_greeting(&conn->own_commands, &conn->terms->greeting);
	conn->state = REDIS_GREETING;
	conn->is_refused = false;
	if (!redis_exchange_begin(&conn->exchange, call))
		fail(conn, "out of memory");
}

static void
open_stream(struct redis_connection *conn)
{
	bool is_encrypting = conn->stream.state == REDIS_STREAM_SHAKING_HANDS;

	redis_stream_work(&conn->stream);
	if (conn->stream.state == REDIS_STREAM_OPEN) {
		greet(conn);
	} else if (conn->stream.state == REDIS_STREAM_CLOSED) {
		conn->is_unfit = is_encrypting;
		conn->is_refused = false;
		fail(conn, conn->stream.why);
	}
}

static void
begin(struct redis_connection *conn)
{
	conn->due_ms = redis_now() + conn->terms->connect_ms;
	conn->state = REDIS_OPENING;
	redis_stream_open(
	    &conn->stream, &conn->address, &conn->terms->stream, conn->due_ms);
	open_stream(conn);
}

/* ---- Up */

/* Ask whether the server still lives, unless something is asked anyway. */
static void
ping(struct redis_connection *conn)
{
	struct redis_exchange *exchange = &conn->exchange;

	if (conn->state != REDIS_UP || conn->is_asking ||
	    atomic_load(&exchange->pending) > 0 ||
	    redis_now() - exchange->heard_ms < IDLE_MS)
		return;
	(void)pthread_mutex_lock(conn->terms->mutex);
	if (redis_exchange_has_room(exchange, 0))
		redis_exchange_add(exchange, own_call(conn, end_own));
	(void)pthread_mutex_unlock(conn->terms->mutex);
}

static bool
is_idle(struct redis_connection *conn)
{
	return conn->exchange.live == (conn->is_asking ? 1 : 0) &&
	    !redis_exchange_has_more(&conn->exchange);
}

static void
serve(struct redis_connection *conn, bool is_readable)
{
	const char *why;

	ping(conn);
	why = redis_exchange_work(&conn->exchange, &conn->stream, is_readable);
	if (why != NULL) {
		conn->is_unfit = conn->state == REDIS_GREETING &&
		    why == conn->exchange.why; /* its own words */
		fail(conn, why);
	} else if (conn->is_leaving && conn->state == REDIS_UP &&
	    is_idle(conn)) {
		part(conn);
	}
}

/* ---- For the client's thread */

/* What is wrong with it now, or NULL. */
static const char *
fault_of(const struct redis_connection *conn)
{
	if (conn->state != REDIS_UP)
		return conn->why;
	return conn->exchange.is_slow ? "no answer in time" : NULL;
}

static void
report(struct redis_connection *conn)
{
	const char *why = fault_of(conn);
	enum redis_news news;

	if (why != NULL && why[0] == '\0')
		return;
	if (why == NULL && (!redis_connection_is_up(conn) || !is_proven(conn)))
		return;
	news = (enum redis_news)outage_note(&conn->outage, why, redis_now());
	if (news != REDIS_NEWS_NONE && conn->terms->report != NULL)
		conn->terms->report(conn->terms->report_arg, news, conn->where,
		    why != NULL ? why : "answers again");
}

/* Other orders, or too late. */
static void
give_up_connecting(struct redis_connection *conn)
{
	if (conn->is_leaving && conn->state != REDIS_UP) {
		if (conn->state != REDIS_DOWN)
			take_down(conn);
		redis_connection_hurry(conn);
		conn->is_leaving = conn->is_ending;
	}
	if (conn->state == REDIS_GREETING && conn->due_ms <= redis_now())
		fail(conn, "no answer in time");
}

static int64_t
next_try(const struct redis_connection *conn)
{
	return conn->address.host[0] == '\0' || conn->is_ending
	    ? INT64_MAX
	    : conn->retry_at;
}

void
redis_connection_work(struct redis_connection *conn, short revents)
{
	bool is_readable;

	give_up_connecting(conn);
	is_readable = revents != 0 &&
	    (conn->state == REDIS_GREETING || conn->state == REDIS_UP);
	if (conn->state == REDIS_OPENING)
		open_stream(conn);
	else if (conn->state == REDIS_DOWN && next_try(conn) <= redis_now())
		begin(conn);
	serve(conn, is_readable);
	report(conn);
}

/* When we have something to do ourselves, at the latest. */
static int64_t
next_event(struct redis_connection *conn)
{
	int64_t next = redis_exchange_next(&conn->exchange), own;

	if (conn->state == REDIS_UP)
		return next != INT64_MAX ? next
					 : conn->exchange.heard_ms + IDLE_MS;
	own = conn->state == REDIS_DOWN ? next_try(conn) : conn->due_ms;
	return own < next ? own : next;
}

int
redis_connection_prepare(struct redis_connection *conn, struct pollfd *wait_r)
{
	int64_t own = next_event(conn);
	int64_t left = redis_stream_prepare(&conn->stream,
	    conn->exchange.sent < conn->exchange.sending.length, wait_r);

	left = (own < left ? own : left) - redis_now();
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
	conn->stream.fd = -1;
	redis_exchange_init(&conn->exchange, terms->mutex, terms->call_ms);
	if (address != NULL)
		set_address(conn, address);
	return conn;
}

void
redis_connection_close(struct redis_connection **conn)
{
	if (*conn == NULL)
		return;
	take_down(*conn);
	redis_exchange_free(&(*conn)->exchange);
	resp_free(&(*conn)->own_commands);
	free(*conn);
	*conn = NULL;
}

static void
leave(struct redis_connection *conn)
{
	set_up(conn, false);
	conn->is_leaving = true;
}

void
redis_connection_end(struct redis_connection *conn, const char *why)
{
	if (conn->is_ending)
		return;
	leave(conn);
	conn->is_ending = true;
	if (why != NULL && conn->outage.told && conn->terms->report != NULL)
		conn->terms->report(
		    conn->terms->report_arg, REDIS_NEWS_GONE, conn->where, why);
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
	ascii_clean(why, conn->why, sizeof conn->why);
}

void
redis_connection_hurry(struct redis_connection *conn)
{
	conn->retry_at = 0;
	conn->tries = 0;
	conn->failures = 0;
}
