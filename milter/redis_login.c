#include "redis_login.h"
#include "redis_error.h"
#include "redis_thread.h"

#include <string.h>

/* ---- One synchronous exchange */

/* What cannot be sent on a lost connection shows when it is read. */
static bool
send_all(struct redis_stream *stream, const struct redis_stream_terms *terms,
    const struct resp_commands *commands)
{
	size_t sent = 0;

	while (sent < commands->length) {
		ssize_t more = redis_stream_write(
		    stream, commands->bytes + sent, commands->length - sent);

		if (more < 0)
			return true;
		sent += (size_t)more;
		if (more == 0 &&
		    !redis_stream_await(
			stream, terms, redis_stream_events(stream, true)))
			return false;
	}
	return true;
}

static bool
feed(struct redis_stream *stream, const struct redis_stream_terms *terms,
    struct resp_parser *parser)
{
	char bytes[4096];
	ssize_t got = redis_stream_read(stream, bytes, sizeof bytes);

	if (got > 0)
		resp_feed(parser, bytes, (size_t)got);
	if (got != 0)
		return got > 0;
	return redis_stream_await(
	    stream, terms, redis_stream_events(stream, false));
}

static bool
receive(struct redis_stream *stream, const struct redis_stream_terms *terms,
    struct resp_parser *parser, struct resp_reply **reply_r)
{
	enum resp_parsed parsed;

	while ((parsed = resp_next(parser, reply_r)) == RESP_MORE)
		if (!feed(stream, terms, parser))
			return false;
	if (parsed == RESP_BAD)
		redis_stream_blame(stream, resp_wrong(parser));
	return parsed == RESP_REPLY;
}

/* False when there is one byte too many: it would be taken for the answer to
 * the next question. */
static bool
receive_all(struct redis_stream *stream, const struct redis_stream_terms *terms,
    size_t count, struct resp_reply **replies_r)
{
	struct resp_parser *parser = resp_parser_open();
	size_t i = 0;
	bool is_good;

	if (parser == NULL) {
		redis_stream_blame(stream, "out of memory");
		return false;
	}
	while (i < count && receive(stream, terms, parser, &replies_r[i]))
		i++;
	is_good = i == count;
	if (is_good && !resp_is_drained(parser)) {
		redis_stream_blame(stream, "a reply that nobody asked for");
		is_good = false;
	}
	resp_parser_close(&parser);
	return is_good;
}

bool
redis_login_exchange(struct redis_stream *stream,
    const struct redis_stream_terms *terms,
    const struct resp_commands *commands, struct resp_reply **replies_r)
{
	memset(replies_r, 0, commands->count * sizeof *replies_r);
	if (!resp_is_complete(commands)) {
		redis_stream_blame(stream, "out of memory");
		return false;
	}
	if (send_all(stream, terms, commands) &&
	    receive_all(stream, terms, commands->count, replies_r))
		return true;
	/* Who turns us away says why, and hangs up. */
	if (resp_error(replies_r[0]) != NULL)
		redis_stream_blame(stream, resp_error(replies_r[0]));
	for (size_t i = 0; i < commands->count; i++)
		resp_reply_free(&replies_r[i]);
	return false;
}

/* ---- Logging in */

enum { GREETINGS = 4 }; /* AUTH, SELECT, PING, ROLE */

/* Those before PING must succeed. */
static size_t
add_greetings(const struct redis_login *login, struct resp_commands *commands)
{
	size_t musts;

	if (login->password != NULL && login->user != NULL)
		resp_add(commands, "AUTH", login->user, login->password);
	else if (login->password != NULL)
		resp_add(commands, "AUTH", login->password);
	if (login->database != 0) {
		resp_begin(commands, 2);
		resp_add_string(commands, "SELECT");
		resp_add_integer(commands, login->database);
	}
	musts = commands->count;
	resp_add(commands, "PING");
	if (login->must_be_master)
		resp_add(commands, "ROLE");
	return musts;
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
find_fault(const struct redis_login *login, struct resp_reply *const *replies,
    size_t count, size_t musts)
{
	for (size_t i = 0; i < count; i++) {
		const char *error = resp_error(replies[i]);

		if (i < musts && error != NULL)
			return error;
		if (redis_error_judge(error) == REDIS_ERROR_UNFIT)
			return error;
	}
	if (login->must_be_master && is_replica(replies[count - 1]))
		return "the server is a replica, not the master";
	return NULL;
}

static bool
greet(const struct redis_login *login, struct redis_stream *stream,
    const struct redis_stream_terms *terms)
{
	struct resp_commands commands = {0};
	struct resp_reply *replies[GREETINGS];
	size_t musts = add_greetings(login, &commands);
	bool is_welcome =
	    redis_login_exchange(stream, terms, &commands, replies);
	size_t count = is_welcome ? commands.count : 0;
	const char *fault;

	if (is_welcome &&
	    (fault = find_fault(login, replies, count, musts)) != NULL) {
		redis_stream_blame(stream, fault);
		is_welcome = false;
	}
	for (size_t i = 0; i < count; i++)
		resp_reply_free(&replies[i]);
	resp_free(&commands);
	return is_welcome;
}

struct redis_stream *
redis_login(const struct redis_login *login,
    const struct redis_address *address, int cancel_fd, char *why_r,
    size_t size)
{
	struct redis_stream_terms terms = {
	    .tls = redis_address_is_unix(address) ? NULL : login->tls,
	    .tls_name = login->tls_name,
	    .due_ms = redis_thread_now() + login->connect_ms,
	    .cancel_fd = cancel_fd,
	};
	struct redis_stream *stream =
	    redis_stream_open(address, &terms, why_r, size);

	if (stream != NULL && !greet(login, stream, &terms)) {
		redis_error_clean(redis_stream_why(stream), why_r, size);
		redis_stream_close(&stream);
	}
	return stream;
}
