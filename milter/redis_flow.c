#include "redis_flow.h"
#include "redis_error.h"
#include "redis_thread.h"

#include <stdlib.h>

enum {
	MAX_PENDING = 8192,   /* calls that are not over */
	MAX_UNSENT = 8 << 20, /* bytes of them that wait to be sent */
	GUARD_BYTES = 64,     /* at most */
	READ_SIZE = 64 << 10,
	IDLE_MS = 1000,
	PONG_MS = 1000, /* for the answer to our own question */
};

struct redis_flow {
	struct redis_stream *stream;

	/* Under the mutex. */
	struct resp_commands outgoing;
	struct redis_call_list added;
	size_t pending;
	int64_t guard; /* of the last call */
	bool is_sending;

	/* His who is sending, and under the mutex while nobody is. */
	struct resp_commands sending;
	size_t sent; /* bytes of it */

	/* The leader's. */
	struct redis_call_list waiting;
	struct resp_parser *parser;
	size_t finished; /* calls; not subtracted from `pending` yet */
	size_t got;	 /* bytes to be digested */
	char bytes[READ_SIZE];
	char words[REDIS_WORDS_SIZE];

	struct redis_call ping; /* our own, when nobody else asks */
	struct resp_commands no_commands;
};

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
	redis_call_join(&flow->waiting, &flow->added);
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
	resp_free(&(*flow)->sending);
	free(*flow);
	*flow = NULL;
}

/* ---- Handing over */

static void
enqueue(struct redis_flow *flow, struct redis_call *call)
{
	call->guard = ++flow->guard;
	call->received = 0;
	call->is_answered = false;
	resp_add_commands(&flow->outgoing, call->commands);
	if (!call->is_unguarded) {
		resp_begin(&flow->outgoing, 2);
		resp_add_string(&flow->outgoing, "PING");
		resp_add_integer(&flow->outgoing, call->guard);
	}
	redis_call_append(&flow->added, call);
	flow->pending++;
}

bool
redis_flow_add(struct redis_flow *flow, struct redis_call *call)
{
	size_t length = call->commands->length + GUARD_BYTES;

	if (flow->pending >= MAX_PENDING ||
	    flow->outgoing.length + flow->sending.length + length >
		MAX_UNSENT ||
	    !resp_is_complete(call->commands) ||
	    !resp_reserve(&flow->outgoing, length))
		return false;
	enqueue(flow, call);
	return true;
}

/* The question of an idle connection is a call without commands, which has
 * nothing but its guard. */
static void
forget(struct redis_call *call)
{
	(void)call;
}

void
redis_flow_ping(struct redis_flow *flow)
{
	if (flow->waiting.head != NULL || flow->added.head != NULL ||
	    !resp_reserve(&flow->outgoing, GUARD_BYTES))
		return;
	flow->ping = (struct redis_call){
	    .commands = &flow->no_commands,
	    .due_ms = redis_thread_now() + PONG_MS,
	    .done = forget,
	};
	enqueue(flow, &flow->ping);
}

/* ---- Sending */

bool
redis_flow_begin_send(struct redis_flow *flow)
{
	struct resp_commands sent = flow->sending;

	if (flow->is_sending)
		return false;
	if (flow->sending.length == 0) {
		flow->sending = flow->outgoing;
		flow->outgoing = sent;
	}
	flow->is_sending = flow->sending.length > 0;
	return flow->is_sending;
}

void
redis_flow_write(struct redis_flow *flow)
{
	ssize_t more = 1;

	while (more > 0 && flow->sent < flow->sending.length) {
		more = redis_stream_write(flow->stream,
		    flow->sending.bytes + flow->sent,
		    flow->sending.length - flow->sent);
		if (more > 0)
			flow->sent += (size_t)more;
	}
}

bool
redis_flow_end_send(struct redis_flow *flow)
{
	bool is_done = flow->sent == flow->sending.length;

	if (is_done) {
		flow->sent = 0;
		resp_reset(&flow->sending);
	}
	flow->is_sending = false;
	return is_done;
}

size_t
redis_flow_pending(const struct redis_flow *flow)
{
	return flow->pending;
}

bool
redis_flow_is_sending(const struct redis_flow *flow)
{
	return flow->is_sending;
}

/* ---- Receiving */

void
redis_flow_join(struct redis_flow *flow)
{
	redis_call_join(&flow->waiting, &flow->added);
	flow->pending -= flow->finished;
	flow->finished = 0;
}

/* The connection did not take all, and nobody is sending. */
static bool
is_stuck(const struct redis_flow *flow)
{
	return !flow->is_sending && flow->sending.length > 0;
}

int
redis_flow_look(struct redis_flow *flow, struct pollfd *wait_r)
{
	int64_t left;

	redis_flow_join(flow);
	wait_r->fd = redis_stream_fd(flow->stream);
	wait_r->events = redis_stream_events(flow->stream, is_stuck(flow));
	left = redis_call_due(&flow->waiting) - redis_thread_now();
	if (left < 0 || redis_stream_holds_bytes(flow->stream))
		return 0;
	return left < IDLE_MS ? (int)left : IDLE_MS;
}

const char *
redis_flow_read(struct redis_flow *flow)
{
	ssize_t got;

	flow->got = 0;
	do {
		got = redis_stream_read(flow->stream, flow->bytes + flow->got,
		    sizeof flow->bytes - flow->got);
		if (got < 0 && flow->got == 0)
			return redis_stream_why(flow->stream);
		if (got > 0)
			flow->got += (size_t)got;
	} while (got > 0 && flow->got < sizeof flow->bytes &&
	    redis_stream_holds_bytes(flow->stream));
	return NULL;
}

static void
finish_head(struct redis_flow *flow, struct redis_call_list *over)
{
	flow->waiting.head->is_answered = true;
	redis_call_append(over, redis_call_shift(&flow->waiting));
	flow->finished++;
}

/* The call has all its replies; this one must be the number that was sent
 * behind it.  A server may refuse a PING, which tells nothing. */
static const char *
take_guard(struct redis_flow *flow, const struct resp_reply *reply,
    struct redis_call_list *over)
{
	struct redis_call *call = flow->waiting.head;
	int64_t guard;

	if (resp_error(reply) == NULL &&
	    (!resp_integer(reply, &guard) || guard != call->guard))
		return "a reply that nobody asked for";
	finish_head(flow, over);
	return NULL;
}

/* The reply is the first waiting call's, unless it ends the connection. */
static const char *
take_reply(struct redis_flow *flow, struct resp_reply *reply,
    struct redis_call_list *over)
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
		why = take_guard(flow, reply, over);
	} else {
		call->replies[call->received++] = reply;
		if (call->is_unguarded &&
		    call->received == call->commands->count)
			finish_head(flow, over);
		return NULL;
	}
	resp_reply_free(&reply);
	return why;
}

static const char *
take_replies(struct redis_flow *flow, struct redis_call_list *over)
{
	struct resp_reply *reply;
	enum resp_parsed parsed;
	const char *why = NULL;

	while (why == NULL &&
	    (parsed = resp_next(flow->parser, &reply)) != RESP_MORE)
		why = parsed == RESP_REPLY ? take_reply(flow, reply, over)
					   : resp_wrong(flow->parser);
	return why;
}

const char *
redis_flow_digest(struct redis_flow *flow, struct redis_call_list *over)
{
	const char *why;

	resp_feed(flow->parser, flow->bytes, flow->got);
	flow->got = 0;
	why = take_replies(flow, over);
	if (why == NULL && redis_call_due(&flow->waiting) <= redis_thread_now())
		why = "no answer in time";
	return why;
}

/* ---- What is under way */

struct redis_call *
redis_flow_awaited(const struct redis_flow *flow)
{
	struct redis_call *call = redis_call_awaited(&flow->waiting);

	return call != NULL ? call : redis_call_awaited(&flow->added);
}

bool
redis_flow_is_idle(const struct redis_flow *flow)
{
	const struct redis_call *head = flow->waiting.head;

	return flow->added.head == NULL &&
	    (head == NULL || (head == &flow->ping && head->next == NULL));
}
