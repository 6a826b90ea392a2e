#include "redis_crew.h"

#include <errno.h>

enum {
	LOOK_MS = 20, /* a leader looks so often for new deadlines */
	MANY = 8,     /* calls under way: more may wait for the next answer */
};

void
redis_crew_init(struct redis_crew *crew_r, const struct redis_wake *wake)
{
	*crew_r = (struct redis_crew){.wake = wake};
	(void)pthread_mutex_init(&crew_r->mutex, NULL);
	(void)pthread_cond_init(&crew_r->sent, NULL);
}

void
redis_crew_clear(struct redis_crew *crew)
{
	(void)pthread_mutex_destroy(&crew->mutex);
	(void)pthread_cond_destroy(&crew->sent);
}

/* Send all, also what rides, unless somebody is at it and will.  Under the mutex,
 * which is left meanwhile. */
static void
send_all(struct redis_crew *crew)
{
	struct redis_flow *flow = crew->flow;
	bool goes_on = flow != NULL;

	crew->is_held = false;
	while (goes_on && redis_flow_begin_send(flow)) {
		(void)pthread_mutex_unlock(&crew->mutex);
		redis_flow_write(flow);
		(void)pthread_mutex_lock(&crew->mutex);
		goes_on = redis_flow_end_send(flow);
		if (crew->flow != flow) {
			(void)pthread_cond_signal(&crew->sent);
			goes_on = false;
		}
	}
}

/* ---- Leading */

/* Under the mutex: there is a connection, and nobody sees to it. */
static bool
lacks_leader(const struct redis_crew *crew)
{
	return crew->leader == REDIS_LED_BY_NOBODY && crew->flow != NULL;
}

/* Send, receive and finish calls, once, after a wait of at most `wait_ms` for
 * answers.  Words: the connection is of no more use. */
static const char *
take_turn(struct redis_crew *crew, int wait_ms)
{
	struct redis_call_list over = {0};
	struct pollfd wait;
	const char *why;
	int patience;

	if (wait_ms > 0) {
		(void)pthread_mutex_lock(&crew->mutex);
		send_all(crew);
		patience = redis_flow_look(crew->flow, &wait);
		(void)pthread_mutex_unlock(&crew->mutex);
		(void)poll(&wait, 1, wait_ms < patience ? wait_ms : patience);
	}
	why = redis_flow_read(crew->flow);
	(void)pthread_mutex_lock(&crew->mutex);
	redis_flow_join(crew->flow);
	(void)pthread_mutex_unlock(&crew->mutex);
	if (why == NULL)
		why = redis_flow_digest(crew->flow, &over);
	redis_call_finish_all(&over);
	return why;
}

/* End leading.  A connection that is of no more use, or takes no more calls, is
 * for the watch. */
static void
pass_on(struct redis_crew *crew, const char *why)
{
	struct redis_call *next = NULL;

	(void)pthread_mutex_lock(&crew->mutex);
	crew->why = why;
	if (why != NULL)
		atomic_store(&crew->is_open, false);
	if (atomic_load(&crew->is_open)) {
		next = redis_flow_awaited(crew->flow);
		crew->leader =
		    next != NULL ? REDIS_LED_BY_CALLER : REDIS_LED_BY_NOBODY;
		/* Whoever pushed it may wait for another server first. */
		if (next == NULL && crew->is_held)
			send_all(crew);
	} else if (crew->leader != REDIS_LED_BY_WATCH) {
		crew->leader = REDIS_LED_BY_WATCH;
		redis_wake_up(crew->wake);
	}
	(void)pthread_mutex_unlock(&crew->mutex);
	if (next != NULL)
		(void)sem_post(&next->turn);
}

static void
lead(struct redis_crew *crew, const struct redis_call *call)
{
	const char *why;

	do
		why = take_turn(crew, LOOK_MS);
	while (why == NULL && !atomic_load(&call->is_over));
	pass_on(crew, why);
}

/* ---- For all threads */

bool
redis_crew_submit(struct redis_crew *crew, struct redis_call *call)
{
	bool is_taken;

	if (!atomic_load(&crew->is_open))
		return false;
	call->is_awaited = false;
	atomic_store(&call->is_over, false);
	if (call->done == NULL && sem_init(&call->turn, 0, 0) != 0)
		return false;
	(void)pthread_mutex_lock(&crew->mutex);
	is_taken =
	    atomic_load(&crew->is_open) && redis_flow_add(crew->flow, call);
	crew->calls += is_taken;
	(void)pthread_mutex_unlock(&crew->mutex);
	if (!is_taken && call->done == NULL)
		(void)sem_destroy(&call->turn);
	return is_taken;
}

void
redis_crew_push(struct redis_crew *crew)
{
	(void)pthread_mutex_lock(&crew->mutex);
	if (crew->leader == REDIS_LED_BY_CALLER &&
	    redis_flow_pending(crew->flow) > MANY)
		crew->is_held = true;
	else
		send_all(crew);
	(void)pthread_mutex_unlock(&crew->mutex);
}

void
redis_crew_let_ride(struct redis_crew *crew)
{
	(void)pthread_mutex_lock(&crew->mutex);
	if (!crew->is_ticking)
		send_all(crew);
	(void)pthread_mutex_unlock(&crew->mutex);
}

/* True: this call leads from now on.  False: it follows, or is over. */
static bool
lead_or_follow(struct redis_crew *crew, struct redis_call *call)
{
	bool is_mine;

	(void)pthread_mutex_lock(&crew->mutex);
	is_mine = lacks_leader(crew) && !atomic_load(&call->is_over);
	if (is_mine)
		crew->leader = REDIS_LED_BY_CALLER;
	else
		call->is_awaited = true;
	(void)pthread_mutex_unlock(&crew->mutex);
	return is_mine;
}

/* `turn` is posted once to make a follower lead, and once when the call is over,
 * also to him who led.  Whoever posts it then still touches the call, so this
 * must not be left before. */
void
redis_crew_await(struct redis_crew *crew, struct redis_call *call)
{
	bool is_mine = lead_or_follow(crew, call);

	do {
		if (is_mine)
			lead(crew, call);
		while (sem_wait(&call->turn) != 0 && errno == EINTR)
			continue;
		is_mine = true;
	} while (!atomic_load(&call->is_over));
	(void)sem_destroy(&call->turn);
}

bool
redis_crew_is_open(const struct redis_crew *crew)
{
	return atomic_load(&crew->is_open);
}

void
redis_crew_shut(struct redis_crew *crew)
{
	(void)pthread_mutex_lock(&crew->mutex);
	atomic_store(&crew->is_open, false);
	(void)pthread_mutex_unlock(&crew->mutex);
	redis_wake_up(crew->wake);
}

/* ---- For the watch */

void
redis_crew_start(struct redis_crew *crew, struct redis_flow *flow, bool is_open)
{
	(void)pthread_mutex_lock(&crew->mutex);
	crew->flow = flow;
	crew->why = NULL;
	crew->leader = REDIS_LED_BY_NOBODY;
	crew->is_ticking = false;
	crew->is_held = false;
	atomic_store(&crew->is_open, is_open);
	(void)pthread_mutex_unlock(&crew->mutex);
}

/* Wait, unless the watch leads already.  While others call, they see what comes;
 * else the watch does. */
static void
await_events(struct redis_crew *crew)
{
	struct pollfd wait[2] = {
	    {.fd = redis_wake_fd(crew->wake), .events = POLLIN},
	    {.fd = -1},
	};
	int patience = REDIS_RIDE_MS;
	bool is_busy;
	int ready;

	(void)pthread_mutex_lock(&crew->mutex);
	is_busy = crew->calls != crew->seen || !lacks_leader(crew);
	crew->seen = crew->calls;
	crew->is_ticking = is_busy;
	if (crew->leader == REDIS_LED_BY_WATCH)
		patience = 0;
	else if (!is_busy)
		patience = redis_flow_look(crew->flow, &wait[1]);
	(void)pthread_mutex_unlock(&crew->mutex);

	ready = poll(wait, 2, patience);
	crew->is_quiet = !is_busy && ready == 0;
	if (wait[0].revents != 0)
		redis_wake_swallow(crew->wake);
}

/* Lead, if nobody else does or if the lead was passed to the watch. */
static bool
take_lead(struct redis_crew *crew)
{
	bool is_mine;

	(void)pthread_mutex_lock(&crew->mutex);
	if (lacks_leader(crew))
		crew->leader = REDIS_LED_BY_WATCH;
	is_mine = crew->leader == REDIS_LED_BY_WATCH;
	if (is_mine && crew->is_quiet)
		redis_flow_ping(crew->flow);
	if (is_mine)
		send_all(crew);
	(void)pthread_mutex_unlock(&crew->mutex);
	return is_mine;
}

/* The connection is of no more use, or takes no calls and has none any more. */
static bool
has_to_end(struct redis_crew *crew)
{
	bool is_so;

	(void)pthread_mutex_lock(&crew->mutex);
	is_so = crew->why != NULL ||
	    (!atomic_load(&crew->is_open) && redis_flow_is_idle(crew->flow));
	(void)pthread_mutex_unlock(&crew->mutex);
	return is_so;
}

bool
redis_crew_watch(struct redis_crew *crew)
{
	await_events(crew);
	if (!take_lead(crew))
		return true;
	if (has_to_end(crew))
		return false;
	pass_on(crew, take_turn(crew, redis_crew_is_open(crew) ? 0 : LOOK_MS));
	return true;
}

const char *
redis_crew_why(const struct redis_crew *crew)
{
	return crew->why;
}

void
redis_crew_stop(struct redis_crew *crew)
{
	struct redis_call_list lost;
	struct redis_flow *flow = crew->flow;

	(void)pthread_mutex_lock(&crew->mutex);
	atomic_store(&crew->is_open, false);
	crew->flow = NULL;
	crew->leader = REDIS_LED_BY_NOBODY;
	while (redis_flow_is_sending(flow))
		(void)pthread_cond_wait(&crew->sent, &crew->mutex);
	(void)pthread_mutex_unlock(&crew->mutex);

	redis_flow_close(&flow, &lost);
	redis_call_finish_all(&lost);
}
