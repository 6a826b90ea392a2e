#include "redis_flow.h"
#include "redis_error.h"
#include "redis_thread.h"

#include <poll.h>
#include <stdlib.h>

enum {
	READ_SIZE = 64 << 10,
	IDLE_MS = 1000,
	PONG_MS = 1000, /* for the answer to our own question */
};

struct redis_flow {
	struct redis_stream *stream;
	struct resp_parser *parser;
	struct resp_commands outgoing;
	size_t sent; /* bytes of `outgoing` */
	struct redis_call_list waiting;
	size_t finished;

	struct redis_call ping; /* our own, when nobody else asks */
	struct resp_commands no_commands;

	char words[REDIS_WORDS_SIZE];
	char bytes[READ_SIZE];
};

/* ---- The question of an idle connection: a call without commands, which has
 * nothing but its guard */

static void
forget(struct redis_call *call)
{
	(void)call;
}

static void
ping(struct redis_flow *flow)
{
	flow->ping = (struct redis_call){
	    .commands = &flow->no_commands,
	    .due_ms = redis_thread_now() + PONG_MS,
	    .done = forget,
	};
	resp_add(&flow->outgoing, "PING", "0");
	redis_call_append(&flow->waiting, &flow->ping);
}

/* ---- Opening and closing */

struct redis_flow *
redis_flow_open(struct redis_stream *stream)
{
	struct redis_flow *flow = calloc(1, sizeof *flow);
	struct resp_parser *parser = resp_parser_open();

	if (flow == NULL || parser == NULL) {
		free(flow);
		resp_parser_close(&parser);
		redis_stream_close(&stream);
		return NULL;
	}
	flow->stream = stream;
	flow->parser = parser;
	return flow;
}

/* Calls of others; our own question is over with its connection. */
static void
list_lost(struct redis_flow *flow, struct redis_call_list *lost_r)
{
	struct redis_call *call;

	*lost_r = (struct redis_call_list){0};
	while ((call = redis_call_shift(&flow->waiting)) != NULL)
		if (call != &flow->ping)
			redis_call_append(lost_r, call);
}

void
redis_flow_close(struct redis_flow **flow, struct redis_call_list *lost_r)
{
	list_lost(*flow, lost_r);
	redis_stream_close(&(*flow)->stream);
	resp_parser_close(&(*flow)->parser);
	resp_free(&(*flow)->outgoing);
	free(*flow);
	*flow = NULL;
}

/* ---- Sending */

const char *
redis_flow_take(struct redis_flow *flow, struct resp_commands *bytes,
    struct redis_call_list *calls)
{
	struct resp_commands empty = flow->outgoing;

	redis_call_join(&flow->waiting, calls);
	if (flow->outgoing.length == 0) {
		flow->outgoing = *bytes;
		*bytes = empty;
	} else {
		resp_add_commands(&flow->outgoing, bytes);
		resp_reset(bytes);
	}
	return flow->outgoing.failed ? "out of memory" : NULL;
}

static const char *
send_some(struct redis_flow *flow)
{
	while (flow->sent < flow->outgoing.length) {
		ssize_t more = redis_stream_write(flow->stream,
		    flow->outgoing.bytes + flow->sent,
		    flow->outgoing.length - flow->sent);

		if (more < 0)
			return redis_stream_why(flow->stream);
		if (more == 0)
			return NULL;
		flow->sent += (size_t)more;
	}
	flow->sent = 0;
	resp_reset(&flow->outgoing);
	return NULL;
}

/* ---- Receiving */

/* The call has all its replies; this one must be the number that was sent
 * behind it.  A server may refuse a PING, which tells nothing. */
static const char *
take_guard(struct redis_flow *flow, const struct resp_reply *reply)
{
	struct redis_call *call = flow->waiting.head;
	int64_t guard;

	if (resp_error(reply) == NULL &&
	    (!resp_integer(reply, &guard) || guard != call->guard))
		return "a reply that nobody asked for";
	(void)redis_call_shift(&flow->waiting);
	flow->finished += call != &flow->ping;
	redis_call_finish(call);
	return NULL;
}

/* The reply is the first waiting call's, unless it ends the connection. */
static const char *
take_reply(struct redis_flow *flow, struct resp_reply *reply)
{
	struct redis_call *call = flow->waiting.head;
	const char *why = NULL;

	if (redis_error_judge(resp_error(reply)) == REDIS_ERROR_UNFIT) {
		redis_error_clean(
		    resp_error(reply), flow->words, sizeof flow->words);
		why = flow->words;
	} else if (call == NULL) {
		why = "a reply that nobody asked for";
	} else if (call->received == call->commands->count) {
		why = take_guard(flow, reply);
	} else {
		call->replies[call->received++] = reply;
		return NULL;
	}
	resp_reply_free(&reply);
	return why;
}

static const char *
take_replies(struct redis_flow *flow)
{
	struct resp_reply *reply;
	enum resp_parsed parsed;
	const char *why = NULL;

	while (why == NULL &&
	    (parsed = resp_next(flow->parser, &reply)) != RESP_MORE)
		why = parsed == RESP_REPLY ? take_reply(flow, reply)
					   : resp_wrong(flow->parser);
	return why;
}

static const char *
receive_some(struct redis_flow *flow)
{
	const char *why;

	do {
		ssize_t got = redis_stream_read(
		    flow->stream, flow->bytes, sizeof flow->bytes);

		if (got < 0)
			return redis_stream_why(flow->stream);
		if (got == 0)
			return NULL;
		resp_feed(flow->parser, flow->bytes, (size_t)got);
		why = take_replies(flow);
	} while (why == NULL && redis_stream_holds_bytes(flow->stream));
	return why;
}

/* ---- Waiting */

static int
patience(const struct redis_flow *flow)
{
	int64_t left = redis_call_due(&flow->waiting) - redis_thread_now();

	if (left < 0)
		return 0;
	return left < IDLE_MS ? (int)left : IDLE_MS;
}

const char *
redis_flow_work(struct redis_flow *flow, const struct redis_wake *wake)
{
	const char *why = send_some(flow);
	bool is_writing = flow->sent < flow->outgoing.length;
	struct pollfd wait[2] = {
	    {
		.fd = redis_stream_fd(flow->stream),
		.events = redis_stream_events(flow->stream, is_writing),
	    },
	    {.fd = redis_wake_fd(wake), .events = POLLIN},
	};
	int ready;

	if (why != NULL)
		return why;
	ready = poll(wait, 2, patience(flow));
	if (wait[1].revents != 0)
		redis_wake_swallow(wake);
	if (wait[0].revents != 0)
		why = receive_some(flow);
	if (why == NULL && redis_call_due(&flow->waiting) <= redis_thread_now())
		why = "no answer in time";
	if (ready == 0 && flow->waiting.head == NULL)
		ping(flow);
	return why;
}

bool
redis_flow_is_idle(const struct redis_flow *flow)
{
	const struct redis_call *head = flow->waiting.head;

	return head == NULL || (head == &flow->ping && head->next == NULL);
}

size_t
redis_flow_unsent(const struct redis_flow *flow)
{
	return flow->outgoing.length - flow->sent;
}

size_t
redis_flow_finished(struct redis_flow *flow)
{
	size_t finished = flow->finished;

	flow->finished = 0;
	return finished;
}
