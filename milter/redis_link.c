#include "redis_link.h"
#include "redis_crew.h"
#include "redis_error.h"
#include "redis_outage.h"
#include "redis_thread.h"
#include "redis_wake.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	PROVEN_MS = 1000,  /* a connection that has lasted so long is good */
	LOOK_MS = 1000,	   /* without an address, look around so often */
	REFUSAL_MS = 2000, /* a refusal is believed for so long */
};

struct redis_link {
	struct redis_link_terms terms;
	pthread_t thread;
	struct redis_wake wake;

	struct redis_crew crew;

	pthread_mutex_t mutex; /* for all that follow */
	pthread_cond_t came_up;
	struct redis_address target; /* no host: none yet */
	char where[REDIS_WHERE_SIZE];
	char why[REDIS_WORDS_SIZE]; /* it is not up; empty: for no fault */
	bool is_leaving;	    /* for another target, or for good */
	bool is_stopping;

	atomic_llong refused_ms; /* the last refusal, or 0 */

	/* The thread's own. */
	bool is_connected;
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
	bool is_up = redis_crew_is_open(&link->crew);
	enum redis_news news;

	if (is_up && (!link->outage.told || !is_proven(link)))
		return;
	(void)pthread_mutex_lock(&link->mutex);
	is_up = redis_crew_is_open(&link->crew);
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

/* Not connected, or not any more.  `why` NULL: of our own accord, which is no
 * fault, and the next try need not wait. */
static void
go_down(struct redis_link *link, const char *why)
{
	link->is_connected = false;
	if (why != NULL) {
		(void)pthread_mutex_lock(&link->mutex);
		redis_error_clean(why, link->why, sizeof link->why);
		(void)pthread_mutex_unlock(&link->mutex);
	} else {
		link->tries = 0;
	}
	plan_retry(link);
	if (why != NULL && link->terms.lost != NULL)
		link->terms.lost(link->terms.lost_arg);
}

/* Connected; but meanwhile other orders may have come. */
static void
come_up(struct redis_link *link, struct redis_flow *flow)
{
	link->is_connected = true;
	link->up_since = redis_thread_now();
	(void)pthread_mutex_lock(&link->mutex);
	redis_crew_start(&link->crew, flow, !link->is_leaving);
	if (!link->is_leaving) {
		link->why[0] = '\0';
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
	struct redis_flow *flow;

	if (stream == NULL) {
		go_down(link, redis_wake_is_due(&link->wake) ? NULL : why);
		return;
	}
	flow = redis_flow_open(stream);
	if (flow == NULL)
		go_down(link, "out of memory");
	else
		come_up(link, flow);
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
	char why[REDIS_WORDS_SIZE];
	bool is_fault;

	if (redis_crew_watch(&link->crew))
		return;
	/* The words may be the connection's own. */
	is_fault = redis_crew_why(&link->crew) != NULL;
	if (is_fault)
		(void)snprintf(
		    why, sizeof why, "%s", redis_crew_why(&link->crew));
	redis_crew_stop(&link->crew);
	go_down(link, is_fault ? why : NULL);
}

static void *
run(void *arg)
{
	struct redis_link *link = arg;

	bool is_going_on = true;

	while (is_going_on) {
		if (link->is_connected)
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
	redis_crew_clear(&link->crew);
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
	redis_crew_init(&link->crew, &link->wake);
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
	(*link)->is_leaving = true;
	(*link)->is_stopping = true;
	redis_crew_shut(&(*link)->crew);
	(void)pthread_mutex_unlock(&(*link)->mutex);
	(void)pthread_join((*link)->thread, NULL);
	free_link(*link);
	*link = NULL;
}

void
redis_link_aim(struct redis_link *link, const struct redis_address *address)
{
	(void)pthread_mutex_lock(&link->mutex);
	if (!redis_address_equals(&link->target, address)) {
		set_target(link, address);
		link->is_leaving = true;
		redis_crew_shut(&link->crew);
	}
	(void)pthread_mutex_unlock(&link->mutex);
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

bool
redis_link_submit(struct redis_link *link, struct redis_call *call)
{
	call->link = link;
	return redis_crew_submit(&link->crew, call);
}

void
redis_link_push(struct redis_link *link)
{
	redis_crew_push(&link->crew);
}

void
redis_link_let_ride(struct redis_link *link)
{
	redis_crew_let_ride(&link->crew);
}

void
redis_link_await(struct redis_call *call)
{
	redis_crew_await(&call->link->crew, call);
}

bool
redis_link_is_up(struct redis_link *link)
{
	return redis_crew_is_open(&link->crew);
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
	while (!(is_up = redis_link_is_up(link)) &&
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
