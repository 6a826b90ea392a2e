#include "redis/exchange.h"

#include <stdlib.h>

#include "base/ascii.h"

enum {
	MAX_PENDING = 8192,   /* answers that are owed */
	MAX_UNSENT = 8 << 20, /* bytes that wait to be sent */
	GUARD_BYTES = 64,     /* at most */
	READ_SIZE = 64 << 10,
	READS = 16,		/* in a row; others want their turn */
	SILENT_CALLS = 5,	/* a silence of so many deadlines, */
	SILENT_LEAST_MS = 1000, /* and no less, ends the connection */
	STUCK_MS = 30000,	/* so does one reply that takes so long */
	PROVEN_MS = 1000,	/* after that long without it nothing is slow */
	FIRST_PLACES = 64,
};

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- Calls that are over */

/* All zero is empty. */
struct call_list {
	struct redis_call *head;
	struct redis_call *tail;
};

static void
list_over(
    struct call_list *list, struct redis_call *call, enum redis_answer answer)
{
	call->answer = answer;
	call->next = NULL;
	if (list->head == NULL)
		list->head = call;
	else
		list->tail->next = call;
	list->tail = call;
}

/* Tell each, and free the replies of those that have not all of them. */
static void
finish_all(struct call_list *list)
{
	struct redis_call *next;

	for (struct redis_call *call = list->head; call != NULL; call = next) {
		next = call->next;
		while (call->answer != REDIS_ANSWERED && call->received > 0)
			resp_reply_free(&call->replies[--call->received]);
		call->done(call);
	}
	list->head = NULL;
}

/* ---- The answers that are owed */

/* The place with this index; 0 is the next to be answered. */
static struct redis_place *
queue_at(const struct redis_queue *queue, size_t index)
{
	return &queue->places[(queue->head + index) & (queue->size - 1)];
}

/* There is room. */
static void
queue_add(struct redis_queue *queue, const struct redis_place *place)
{
	*queue_at(queue, queue->count++) = *place;
}

/* False: no memory, nothing changed. */
static bool
queue_reserve(struct redis_queue *queue, size_t more)
{
	struct redis_queue wider = {.size = queue->size};

	if (queue->size - queue->count >= more)
		return true;
	if (wider.size == 0)
		wider.size = FIRST_PLACES;
	while (wider.size - queue->count < more)
		wider.size *= 2;
	wider.places = calloc(wider.size, sizeof *wider.places);
	if (wider.places == NULL)
		return false;
	for (size_t i = 0; i < queue->count; i++)
		queue_add(&wider, queue_at(queue, i));
	free(queue->places);
	*queue = wider;
	return true;
}

/* Move all of `more` to the end.  False: no memory, nothing changed. */
static bool
queue_join(struct redis_queue *queue, struct redis_queue *more)
{
	if (!queue_reserve(queue, more->count))
		return false;
	for (size_t i = 0; i < more->count; i++)
		queue_add(queue, queue_at(more, i));
	more->count = 0;
	return true;
}

/* The first has all it waited for. */
static void
queue_drop(struct redis_queue *queue)
{
	queue->head = (queue->head + 1) & (queue->size - 1);
	queue->count--;
}

static void
queue_free(struct redis_queue *queue)
{
	free(queue->places);
	*queue = (struct redis_queue){0};
}

/* ---- Under the mutex */

bool
redis_exchange_has_room(struct redis_exchange *exchange, size_t length)
{
	return atomic_load(&exchange->pending) < MAX_PENDING &&
	    exchange->outgoing.length + length + GUARD_BYTES <= MAX_UNSENT &&
	    queue_reserve(&exchange->added, 1 + REDIS_REQUESTS) &&
	    resp_reserve(&exchange->outgoing, length + GUARD_BYTES);
}

static void
put(struct redis_exchange *exchange, struct redis_call *call,
    struct resp_commands *commands, struct redis_queue *queue)
{
	struct redis_place place = {
	    .call = call,
	    .left = call->commands->count,
	    .since_ms = redis_now(),
	};

	call->received = 0;
	resp_add_commands(commands, call->commands);
	queue_add(queue, &place);
	atomic_fetch_add(&exchange->pending, 1);
}

void
redis_exchange_add(struct redis_exchange *exchange, struct redis_call *call)
{
	put(exchange, call, &exchange->outgoing, &exchange->added);
	exchange->is_unsealed |= !call->is_unguarded;
	if (call->due_ms < exchange->added_due_ms)
		exchange->added_due_ms = call->due_ms;
}

/* The number that ends a batch; each of its calls has reserved room for it. */
static void
seal(struct redis_exchange *exchange)
{
	struct redis_queue *added = &exchange->added;

	if (!exchange->is_unsealed)
		return;
	exchange->is_unsealed = false;
	exchange->guard++;
	for (size_t i = 0; i < added->count; i++)
		queue_at(added, i)->is_held = true;
	queue_at(added, added->count - 1)->is_held = false;
	queue_at(added, added->count - 1)->guard = exchange->guard;
	resp_begin(&exchange->outgoing, 2);
	resp_add_string(&exchange->outgoing, "PING");
	resp_add_integer(&exchange->outgoing, exchange->guard);
}

/* ---- Sending */

/* What was handed over is owed, whether it has been sent or not. */
static bool
take_over(struct redis_exchange *exchange)
{
	size_t before = exchange->waiting.count;
	bool is_taken;

	(void)pthread_mutex_lock(exchange->mutex);
	seal(exchange);
	is_taken = queue_join(&exchange->waiting, &exchange->added);
	if (is_taken && exchange->added_due_ms < exchange->due_ms)
		exchange->due_ms = exchange->added_due_ms;
	exchange->added_due_ms = INT64_MAX;
	if (exchange->sending.length == 0) {
		struct resp_commands empty = exchange->sending;

		exchange->sending = exchange->outgoing;
		exchange->outgoing = empty;
	}
	(void)pthread_mutex_unlock(exchange->mutex);
	exchange->live += exchange->waiting.count - before;
	if (before == 0)
		exchange->owed_ms = redis_now();
	return is_taken;
}

/* That the connection is lost shows when it is read. */
static void
send_some(struct redis_exchange *exchange, struct redis_stream *stream)
{
	struct resp_commands *sending = &exchange->sending;
	ssize_t more = 1;

	while (more > 0 && exchange->sent < sending->length) {
		more =
		    redis_stream_write(stream, sending->bytes + exchange->sent,
			sending->length - exchange->sent);
		if (more > 0)
			exchange->sent += (size_t)more;
	}
	if (exchange->sent == sending->length) {
		exchange->sent = 0;
		resp_reset(sending);
	}
}

static const char *
send_all(struct redis_exchange *exchange, struct redis_stream *stream)
{
	if (exchange->sending.length > 0)
		send_some(exchange, stream);
	if (!exchange->is_open || !redis_exchange_has_more(exchange))
		return NULL;
	if (!take_over(exchange))
		return "out of memory";
	send_some(exchange, stream);
	return NULL;
}

/* ---- Receiving */

static void
finish_head(struct redis_exchange *exchange, struct call_list *over)
{
	const struct redis_place *place = queue_at(&exchange->waiting, 0);
	struct redis_call *call = place->call;

	if (exchange->heard_ms - place->since_ms < exchange->call_ms &&
	    exchange->heard_ms - exchange->late_ms >= PROVEN_MS)
		exchange->is_slow = false;
	queue_drop(&exchange->waiting);
	atomic_fetch_sub(&exchange->pending, 1);
	if (call == NULL)
		return;
	exchange->live--;
	list_over(over, call, REDIS_ANSWERED);
}

/* All up to the one that is being filled. */
static void
finish_batch(struct redis_exchange *exchange, struct call_list *over)
{
	for (size_t i = 0; i <= exchange->at; i++)
		finish_head(exchange, over);
	exchange->at = 0;
}

/* To which the next reply belongs; NULL: to none. */
static struct redis_place *
next_place(struct redis_exchange *exchange)
{
	for (; exchange->at < exchange->waiting.count; exchange->at++) {
		struct redis_place *place =
		    queue_at(&exchange->waiting, exchange->at);

		if (place->left > 0 || !place->is_held)
			return place;
	}
	return NULL;
}

/* A server may refuse a PING, which tells nothing. */
static bool
is_guard(const struct redis_place *place, const struct resp_reply *reply)
{
	int64_t guard;

	return resp_error(reply) != NULL ||
	    (resp_integer(reply, &guard) && guard == place->guard);
}

/* Why the connection is of no more use, or NULL. */
static const char *
judge(struct redis_exchange *exchange, struct redis_call *call,
    const struct resp_reply *reply)
{
	enum redis_error error = redis_error_judge(resp_error(reply));
	const char *why = NULL;

	if (call != NULL && call->judge != NULL)
		why = call->judge(call);
	if (why == NULL && error == REDIS_ERROR_UNFIT)
		why = resp_error(reply);
	if (why != NULL) /* before the reply is freed with its call */
		ascii_clean(why, exchange->why, sizeof exchange->why);
	if (call != NULL && error == REDIS_ERROR_REDIRECT)
		call->is_redirected = true;
	if (error == REDIS_ERROR_UNABLE)
		atomic_store(&exchange->refused_ms, redis_now());
	return why != NULL ? exchange->why : NULL;
}

static const char *
take_reply(struct redis_exchange *exchange, struct resp_reply *reply,
    struct call_list *over)
{
	struct redis_place *place = next_place(exchange);
	const char *why = NULL;

	if (place == NULL || (place->left == 0 && !is_guard(place, reply))) {
		resp_reply_free(&reply);
		return "a reply that nobody asked for";
	}
	if (place->left == 0) {
		resp_reply_free(&reply);
		finish_batch(exchange, over);
		return NULL;
	}
	place->left--;
	if (place->call != NULL)
		place->call->replies[place->call->received++] = reply;
	why = judge(exchange, place->call, reply);
	if (place->call == NULL)
		resp_reply_free(&reply);
	if (why == NULL && place->left == 0 && place->guard == 0 &&
	    !place->is_held)
		finish_batch(exchange, over);
	return why;
}

static const char *
take_replies(struct redis_exchange *exchange, struct call_list *over)
{
	struct resp_reply *reply;
	enum resp_parsed parsed;
	const char *why = NULL;

	while (why == NULL &&
	    (parsed = resp_next(exchange->parser, &reply)) != RESP_MORE) {
		why = parsed == RESP_REPLY ? take_reply(exchange, reply, over)
					   : resp_wrong(exchange->parser);
		exchange->whole_ms = exchange->heard_ms;
	}
	return why;
}

static const char *
read_all(struct redis_exchange *exchange, struct redis_stream *stream,
    struct call_list *over)
{
	char bytes[READ_SIZE];
	const char *why = NULL;
	int reads = READS;
	ssize_t got;

	do {
		got = redis_stream_read(stream, bytes, sizeof bytes);
		if (got < 0)
			return stream->why;
		if (got == 0)
			break;
		exchange->heard_ms = redis_now();
		resp_feed(exchange->parser, bytes, (size_t)got);
		why = take_replies(exchange, over);
	} while (why == NULL && --reads > 0 &&
	    ((size_t)got == sizeof bytes || redis_stream_holds_bytes(stream)));
	return why;
}

/* ---- What takes long */

/* Their callers are free to go: nothing here may touch a call from then on. */
static void
give_up_late(struct redis_exchange *exchange, struct call_list *over)
{
	int64_t now = redis_now();
	bool is_long = false;

	if (exchange->due_ms > now)
		return;
	exchange->due_ms = INT64_MAX;
	for (size_t i = 0; i < exchange->waiting.count; i++) {
		struct redis_place *place = queue_at(&exchange->waiting, i);
		struct redis_call *call = place->call;

		if (call == NULL)
			continue;
		if (call->due_ms > now) {
			if (call->due_ms < exchange->due_ms)
				exchange->due_ms = call->due_ms;
			continue;
		}
		is_long |= now - place->since_ms >= exchange->call_ms / 2;
		place->call = NULL;
		exchange->live--;
		list_over(over, call, REDIS_LATE);
	}
	if (is_long) {
		exchange->late_ms = now;
		exchange->is_slow = true;
	}
}

/* Who asked while the answer to an older call is late would be late, too, and make
 * it worse for those behind him. */
static void
choke(struct redis_exchange *exchange)
{
	int64_t waits = exchange->waiting.count == 0
	    ? 0
	    : redis_now() - queue_at(&exchange->waiting, 0)->since_ms;

	if (waits >= exchange->call_ms && exchange->is_slow)
		atomic_store(&exchange->is_choked, true);
	else if (waits <= exchange->call_ms / 2)
		atomic_store(&exchange->is_choked, false);
	if (atomic_load(&exchange->is_choked))
		exchange->late_ms = redis_now();
}

/* When silence, or one endless reply, ends the connection. */
static int64_t
end_of_patience(const struct redis_exchange *exchange)
{
	int64_t silence = exchange->call_ms * SILENT_CALLS;
	int64_t heard = later(exchange->owed_ms, exchange->heard_ms);
	int64_t whole = later(exchange->owed_ms, exchange->whole_ms);

	if (!exchange->is_open || exchange->waiting.count == 0)
		return INT64_MAX;
	heard += later(silence, SILENT_LEAST_MS);
	whole += STUCK_MS;
	return earlier(heard, whole);
}

/* The earliest deadline of a call that has not been taken over. */
static int64_t
added_due(struct redis_exchange *exchange)
{
	int64_t due_ms;

	(void)pthread_mutex_lock(exchange->mutex);
	due_ms = exchange->added_due_ms;
	(void)pthread_mutex_unlock(exchange->mutex);
	return due_ms;
}

static void
list_lost(struct redis_queue *queue, struct call_list *lost)
{
	for (size_t i = 0; i < queue->count; i++) {
		struct redis_call *call = queue_at(queue, i)->call;

		if (call != NULL)
			list_over(lost, call, REDIS_AWAY);
	}
	queue->count = 0;
}

static void
drop_added(struct redis_exchange *exchange, struct call_list *lost)
{
	(void)pthread_mutex_lock(exchange->mutex);
	atomic_fetch_sub(&exchange->pending, exchange->added.count);
	list_lost(&exchange->added, lost);
	exchange->is_unsealed = false;
	resp_reset(&exchange->outgoing);
	exchange->added_due_ms = INT64_MAX;
	(void)pthread_mutex_unlock(exchange->mutex);
}

/* Calls that wait for a connection do not wait beyond their deadline. */
static void
drop_late(struct redis_exchange *exchange)
{
	struct call_list lost = {0};

	if (redis_exchange_has_more(exchange) &&
	    added_due(exchange) <= redis_now())
		drop_added(exchange, &lost);
	finish_all(&lost);
}

const char *
redis_exchange_work(struct redis_exchange *exchange,
    struct redis_stream *stream, bool is_readable)
{
	struct call_list over = {0};
	const char *why = send_all(exchange, stream);

	if (why == NULL && (is_readable || redis_stream_holds_bytes(stream)))
		why = read_all(exchange, stream, &over);
	give_up_late(exchange, &over);
	choke(exchange);
	finish_all(&over);
	if (!exchange->is_open)
		drop_late(exchange);
	if (why == NULL && end_of_patience(exchange) <= redis_now())
		why = "no answer in time";
	if (why == NULL)
		why = send_all(exchange, stream); /* what came meanwhile */
	return why;
}

bool
redis_exchange_has_more(struct redis_exchange *exchange)
{
	return atomic_load(&exchange->pending) > exchange->waiting.count;
}

int64_t
redis_exchange_next(struct redis_exchange *exchange)
{
	int64_t next = earlier(exchange->due_ms, end_of_patience(exchange));

	if (!redis_exchange_has_more(exchange))
		return next;
	return exchange->is_open ? 0 : earlier(next, added_due(exchange));
}

/* ---- Beginning and ending */

void
redis_exchange_init(
    struct redis_exchange *exchange, pthread_mutex_t *mutex, int64_t call_ms)
{
	*exchange = (struct redis_exchange){
	    .mutex = mutex,
	    .call_ms = call_ms,
	    .due_ms = INT64_MAX,
	    .added_due_ms = INT64_MAX,
	};
}

void
redis_exchange_free(struct redis_exchange *exchange)
{
	redis_exchange_end(exchange);
	resp_free(&exchange->outgoing);
	resp_free(&exchange->sending);
	queue_free(&exchange->added);
	queue_free(&exchange->waiting);
}

bool
redis_exchange_begin(struct redis_exchange *exchange, struct redis_call *first)
{
	exchange->parser = resp_parser_open();
	if (exchange->parser == NULL || !queue_reserve(&exchange->waiting, 1))
		return false;
	put(exchange, first, &exchange->sending, &exchange->waiting);
	exchange->live = 1;
	exchange->owed_ms = redis_now();
	return resp_is_complete(&exchange->sending);
}

void
redis_exchange_end(struct redis_exchange *exchange)
{
	struct call_list lost = {0};

	exchange->is_open = false;
	exchange->is_slow = false;
	atomic_fetch_sub(&exchange->pending, exchange->waiting.count);
	list_lost(&exchange->waiting, &lost);
	drop_added(exchange, &lost);
	resp_parser_close(&exchange->parser);
	resp_reset(&exchange->sending);
	exchange->sent = 0;
	exchange->at = 0;
	exchange->live = 0;
	exchange->due_ms = INT64_MAX;
	atomic_store(&exchange->is_choked, false);
	finish_all(&lost);
}
