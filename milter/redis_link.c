#include "redis_link.h"
#include "redis_error.h"
#include "redis_flow.h"
#include "redis_outage.h"
#include "redis_thread.h"
#include "redis_wake.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_PENDING = 8192,   /* calls handed over and not finished */
	MAX_UNSENT = 8 << 20, /* bytes of them that wait to be sent */
	PROVEN_MS = 1000,     /* a connection that has lasted so long is good */
	GUARD_BYTES = 64,     /* at most */
	LOOK_MS = 1000,	      /* without an address, look around so often */
	REFUSAL_MS = 2000,    /* a refusal is believed for so long */
};

struct redis_link {
	struct redis_link_terms terms;
	pthread_t thread;
	struct redis_wake wake;

	pthread_mutex_t mutex;
	atomic_bool is_up; /* changed under the mutex, as are all of these: */
	pthread_cond_t came_up;
	struct redis_address target; /* no host: none yet */
	char where[REDIS_WHERE_SIZE];
	char why[REDIS_WORDS_SIZE]; /* it is not up; empty: for no fault */
	bool is_leaving;	    /* for another target, or for good */
	bool is_stopping;
	struct resp_commands queue; /* what was handed over last */
	struct redis_call_list queued;
	size_t pending;
	int64_t guard; /* of the last call */
	size_t unsent; /* in the flow, as of late */

	atomic_llong refused_ms; /* the last refusal, or 0 */
	atomic_bool is_awake;	 /* the thread is about to look at the queue */

	/* The thread's own. */
	struct redis_flow *flow; /* NULL: not connected */
	struct redis_outage outage;
	int64_t up_since;
	int64_t retry_at;
	size_t tries;
};

/* ---- The thread: up and down */

/* Some servers let us in and then fail us at once. */
static bool
is_proven(const struct redis_link *link)
{
	return link->up_since != 0 &&
	    redis_thread_now() - link->up_since >= PROVEN_MS;
}

static void
report(struct redis_link *link)
{
	char where[REDIS_WHERE_SIZE];
	char why[REDIS_WORDS_SIZE];
	bool is_up = atomic_load(&link->is_up);
	enum redis_news news;

	if (is_up && (!link->outage.told || !is_proven(link)))
		return;
	(void)pthread_mutex_lock(&link->mutex);
	is_up = atomic_load(&link->is_up);
	memcpy(where, link->where, sizeof where);
	memcpy(why, link->why, sizeof why);
	(void)pthread_mutex_unlock(&link->mutex);

	if (!is_up && why[0] == '\0')
		return;
	news = redis_outage_note(
	    &link->outage, is_up ? NULL : why, redis_thread_now());
	if (news == REDIS_NEWS_NONE || link->terms.report == NULL)
		return;
	link->terms.report(link->terms.report_arg, is_up, where,
	    is_up ? "answers again" : why);
}

/* 0, 50, 100, 200, 250, 250, ... */
static int64_t
backoff(size_t tries)
{
	static const int64_t steps[] = {0, 50, 100, 200, 250};
	size_t last = sizeof steps / sizeof steps[0] - 1;

	return steps[tries < last ? tries : last];
}

static void
plan_retry(struct redis_link *link)
{
	if (is_proven(link))
		link->tries = 0;
	link->up_since = 0;
	link->retry_at = redis_thread_now() + backoff(link->tries++);
}

static void
finish_all(struct redis_call_list *lost)
{
	struct redis_call *call;

	while ((call = redis_call_shift(lost)) != NULL)
		redis_call_finish(call);
}

/* Give the connection up and fail all calls.  `why` NULL: of our own accord,
 * which is no fault, and the next try need not wait. */
static void
drop(struct redis_link *link, const char *why)
{
	struct redis_call_list lost = {0};
	struct redis_call_list queued;

	(void)pthread_mutex_lock(&link->mutex);
	atomic_store(&link->is_up, false);
	if (why != NULL)
		redis_error_clean(why, link->why, sizeof link->why);
	queued = link->queued;
	link->queued = (struct redis_call_list){0};
	resp_reset(&link->queue);
	link->pending = 0;
	link->unsent = 0;
	(void)pthread_mutex_unlock(&link->mutex);

	if (link->flow != NULL)
		redis_flow_close(&link->flow, &lost);
	finish_all(&lost);
	finish_all(&queued);
	if (why == NULL)
		link->tries = 0;
	plan_retry(link);
	if (why != NULL && link->terms.lost != NULL)
		link->terms.lost(link->terms.lost_arg);
}

/* Connected; but meanwhile other orders may have come. */
static void
come_up(struct redis_link *link)
{
	link->up_since = redis_thread_now();
	(void)pthread_mutex_lock(&link->mutex);
	if (!link->is_leaving) {
		link->why[0] = '\0';
		atomic_store(&link->is_up, true);
		(void)pthread_cond_broadcast(&link->came_up);
	}
	(void)pthread_mutex_unlock(&link->mutex);
}

static void
connect_to(struct redis_link *link, const struct redis_address *target)
{
	char why[REDIS_WORDS_SIZE];
	struct redis_stream *stream = redis_login(&link->terms.login, target,
	    redis_wake_fd(&link->wake), why, sizeof why);

	if (stream == NULL) {
		drop(link, redis_wake_is_due(&link->wake) ? NULL : why);
		return;
	}
	link->flow = redis_flow_open(stream);
	if (link->flow == NULL)
		drop(link, "out of memory");
	else
		come_up(link);
}

/* Wait for the time of the next try, or for other orders, or try.  False when
 * it is time to end. */
static bool
be_down(struct redis_link *link)
{
	struct pollfd wait = {
	    .fd = redis_wake_fd(&link->wake), .events = POLLIN};
	int64_t left = link->retry_at - redis_thread_now();
	struct redis_address target;
	bool is_stopping;

	redis_wake_swallow(&link->wake);
	(void)pthread_mutex_lock(&link->mutex);
	is_stopping = link->is_stopping;
	link->is_leaving = is_stopping;
	target = link->target;
	(void)pthread_mutex_unlock(&link->mutex);

	if (is_stopping)
		return false;
	if (target.host[0] == '\0')
		(void)poll(&wait, 1, LOOK_MS);
	else if (left > 0)
		(void)poll(&wait, 1, (int)left);
	else
		connect_to(link, &target);
	return true;
}

static void
be_up(struct redis_link *link)
{
	const char *why;
	bool is_leaving;

	(void)pthread_mutex_lock(&link->mutex);
	why = redis_flow_take(link->flow, &link->queue, &link->queued);
	link->pending -= redis_flow_finished(link->flow);
	link->unsent = redis_flow_unsent(link->flow);
	is_leaving = link->is_leaving;
	atomic_store(&link->is_awake, false);
	(void)pthread_mutex_unlock(&link->mutex);

	if (why == NULL && is_leaving && redis_flow_is_idle(link->flow)) {
		drop(link, NULL);
		return;
	}
	if (why == NULL)
		why = redis_flow_work(link->flow, &link->wake);
	atomic_store(&link->is_awake, true);
	if (why != NULL)
		drop(link, why);
}

static void *
run(void *arg)
{
	struct redis_link *link = arg;

	bool is_going_on = true;

	while (is_going_on) {
		if (link->flow != NULL)
			be_up(link);
		else
			is_going_on = be_down(link);
		report(link);
	}
	return NULL;
}

/* ---- For other threads */

static void
set_target(struct redis_link *link, const struct redis_address *address)
{
	link->target = *address;
	redis_address_print(address, link->where, sizeof link->where);
}

static void
free_link(struct redis_link *link)
{
	redis_wake_close(&link->wake);
	(void)pthread_mutex_destroy(&link->mutex);
	(void)pthread_cond_destroy(&link->came_up);
	resp_free(&link->queue);
	free(link);
}

struct redis_link *
redis_link_open(
    const struct redis_link_terms *terms, const struct redis_address *address)
{
	struct redis_link *link = calloc(1, sizeof *link);

	if (link == NULL)
		return NULL;
	if (!redis_wake_open(&link->wake)) {
		free(link);
		return NULL;
	}
	link->terms = *terms;
	(void)pthread_mutex_init(&link->mutex, NULL);
	redis_thread_condition(&link->came_up);
	if (address != NULL)
		set_target(link, address);
	if (!redis_thread_start(&link->thread, run, link)) {
		free_link(link);
		return NULL;
	}
	return link;
}

void
redis_link_close(struct redis_link **link)
{
	if (*link == NULL)
		return;
	(void)pthread_mutex_lock(&(*link)->mutex);
	atomic_store(&(*link)->is_up, false);
	(*link)->is_leaving = true;
	(*link)->is_stopping = true;
	(void)pthread_mutex_unlock(&(*link)->mutex);
	redis_wake_up(&(*link)->wake);
	(void)pthread_join((*link)->thread, NULL);
	free_link(*link);
	*link = NULL;
}

void
redis_link_aim(struct redis_link *link, const struct redis_address *address)
{
	bool is_news;

	(void)pthread_mutex_lock(&link->mutex);
	is_news = !redis_address_equals(&link->target, address);
	if (is_news) {
		set_target(link, address);
		atomic_store(&link->is_up, false);
		link->is_leaving = true;
	}
	(void)pthread_mutex_unlock(&link->mutex);
	if (is_news)
		redis_wake_up(&link->wake);
}

void
redis_link_excuse(struct redis_link *link, const char *where, const char *why)
{
	(void)pthread_mutex_lock(&link->mutex);
	if (link->target.host[0] == '\0') {
		(void)snprintf(link->where, sizeof link->where, "%s", where);
		redis_error_clean(why, link->why, sizeof link->why);
	}
	(void)pthread_mutex_unlock(&link->mutex);
	redis_wake_up(&link->wake);
}

/* Under the mutex; there is room. */
static void
enqueue(struct redis_link *link, struct redis_call *call)
{
	call->link = link;
	call->guard = ++link->guard;
	call->received = 0;
	resp_add_commands(&link->queue, call->commands);
	resp_begin(&link->queue, 2);
	resp_add_string(&link->queue, "PING");
	resp_add_integer(&link->queue, call->guard);
	redis_call_append(&link->queued, call);
	link->pending++;
}

bool
redis_link_submit(struct redis_link *link, struct redis_call *call)
{
	size_t length = call->commands->length + GUARD_BYTES;
	bool is_taken;
	bool rides;
	bool was_awake = true;

	if (!atomic_load(&link->is_up))
		return false;
	(void)pthread_mutex_lock(&link->mutex);
	is_taken = atomic_load(&link->is_up) && link->pending < MAX_PENDING &&
	    link->unsent + link->queue.length + length <= MAX_UNSENT &&
	    resp_is_complete(call->commands) &&
	    resp_reserve(&link->queue, length);
	rides = call->may_ride && link->pending > 0;
	if (is_taken)
		enqueue(link, call);
	if (is_taken && !rides)
		was_awake = atomic_exchange(&link->is_awake, true);
	(void)pthread_mutex_unlock(&link->mutex);
	if (!was_awake)
		redis_wake_up(&link->wake);
	return is_taken;
}

bool
redis_link_is_up(struct redis_link *link)
{
	return atomic_load(&link->is_up);
}

void
redis_link_note_refusal(struct redis_link *link)
{
	atomic_store(&link->refused_ms, redis_thread_now());
}

bool
redis_link_takes_writes(struct redis_link *link)
{
	int64_t refused_ms = atomic_load(&link->refused_ms);

	return refused_ms == 0 || redis_thread_now() - refused_ms > REFUSAL_MS;
}

bool
redis_link_wait_up(struct redis_link *link, int64_t due_ms)
{
	bool is_up;

	(void)pthread_mutex_lock(&link->mutex);
	while (!(is_up = atomic_load(&link->is_up)) &&
	    redis_thread_wait(&link->came_up, &link->mutex, due_ms))
		continue;
	(void)pthread_mutex_unlock(&link->mutex);
	return is_up;
}

void
redis_link_where(struct redis_link *link, char *where_r, size_t size)
{
	(void)pthread_mutex_lock(&link->mutex);
	(void)snprintf(where_r, size, "%s", link->where);
	(void)pthread_mutex_unlock(&link->mutex);
}

void
redis_link_address(struct redis_link *link, struct redis_address *address_r)
{
	(void)pthread_mutex_lock(&link->mutex);
	*address_r = link->target;
	(void)pthread_mutex_unlock(&link->mutex);
}
