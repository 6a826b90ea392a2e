#include "redis/redis.h"
#include "redis/redis_health.h"
#include "redis/redis_nodes.h"

#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	DEFAULT_CALL_MS = 200,
	DEFAULT_CONNECT_MS = 1000,
	STRINGS = 6,
	RIDE_MS = 20, /* what nobody waits for may wait so long to be sent */
	HOPS = 5,     /* redirections that one request follows at most */
};

struct redis {
	int64_t call_ms;
	char *strings[STRINGS]; /* of the config, copied */
	struct redis_tls *tls;
	struct redis_health health;
	struct redis_nodes *nodes;
	pthread_t thread;
	bool is_running;
	int wake[2]; /* a pipe that the thread polls */

	pthread_mutex_t mutex; /* for all that follow, and what nodes has */
	uint64_t calls;	       /* ever handed over */
	bool is_asleep;	       /* the thread is, and nobody has woken it yet */
	bool is_ticking;       /* but it wakes by itself within RIDE_MS */
	bool is_stopping;
};

/* Somebody waits for so many requests. */
struct ask {
	sem_t is_over;
	size_t left;
};

/* A request under way, with its redirections. */
struct flight {
	struct redis *redis;
	struct redis_call call;
	struct ask *ask; /* NULL: nobody waits, and all of this is ours */
	enum redis_answer *answer_r; /* with it */
	int hops;		     /* that are left */

	/* What was redirected is sent again. */
	struct redis_redirect redirect;
	struct redis_call hop;
	struct resp_commands again;
	struct resp_reply **replies;

	/* Of a tell. */
	struct resp_commands commands;
	struct resp_reply *told[];
};

/* ---- In the thread: what came of a request */

static void
finish(struct flight *flight, enum redis_answer answer)
{
	struct redis_call *call = &flight->call;
	struct ask *ask = flight->ask;

	if (call->is_answered &&
	    !redis_health_note(&flight->redis->health, call)) {
		answer = REDIS_AWAY;
		redis_nodes_refresh(flight->redis->nodes);
		if (ask == NULL)
			redis_connection_note_refusal(call->conn);
	}
	if (ask == NULL) {
		for (size_t i = 0; i < flight->commands.count; i++)
			resp_reply_free(&flight->told[i]);
		resp_free(&flight->commands);
		free(flight);
		return;
	}
	*flight->answer_r = answer;
	if (--ask->left == 0)
		(void)sem_post(&ask->is_over);
}

/* It is over without an answer. */
static void
fail(struct flight *flight)
{
	finish(flight,
	    redis_now() >= flight->call.due_ms ? REDIS_LATE : REDIS_AWAY);
}

static void follow(struct flight *flight);

static void
take_hop(struct redis_call *hop)
{
	struct flight *flight = hop->arg;
	bool is_answered = hop->is_answered;

	if (is_answered)
		redis_redirect_merge(
		    &flight->call, &flight->redirect, flight->replies);
	free(flight->replies);
	resp_free(&flight->again);
	if (is_answered)
		follow(flight);
	else
		fail(flight);
}

/* False: it cannot be sent on. */
static bool
send_on(struct flight *flight)
{
	struct redis *redis = flight->redis;
	struct redis_connection *conn;
	bool is_sent = false;

	if (flight->hops-- == 0)
		return false;
	conn = redis_nodes_redirected(
	    redis->nodes, &flight->redirect, flight->call.conn);
	if (conn == NULL)
		return false;
	redis_redirect_collect(
	    &flight->call, &flight->redirect, &flight->again);
	flight->replies =
	    calloc(flight->again.count, sizeof(struct resp_reply *));
	flight->hop = (struct redis_call){
	    .commands = &flight->again,
	    .replies = flight->replies,
	    .due_ms = flight->call.due_ms,
	    .done = take_hop,
	    .arg = flight,
	};
	(void)pthread_mutex_lock(&redis->mutex);
	if (!redis->is_stopping && flight->replies != NULL &&
	    resp_is_complete(&flight->again) &&
	    redis_connection_has_room(conn, flight->again.length)) {
		flight->call.conn = conn; /* which redirects from now on */
		redis_connection_add(conn, &flight->hop);
		is_sent = true;
	}
	(void)pthread_mutex_unlock(&redis->mutex);
	if (!is_sent) {
		free(flight->replies);
		resp_free(&flight->again);
	}
	return is_sent;
}

static void
follow(struct flight *flight)
{
	if (!redis_redirect_find(&flight->call, &flight->redirect))
		finish(flight, REDIS_ANSWERED);
	else if (!send_on(flight))
		fail(flight);
}

static void
take_answer(struct redis_call *call)
{
	struct flight *flight = call->arg;

	if (call->is_answered)
		follow(flight);
	else
		fail(flight);
}

/* ---- The thread */

/* True: all is over. */
static bool
sleep_for_a_while(struct redis *redis, struct redis_connection *const *conns,
    struct pollfd *waits, size_t count, uint64_t seen, int patience)
{
	bool is_busy, is_stopping;

	for (size_t i = 0; i < count; i++) {
		int left = redis_connection_prepare(conns[i], &waits[1 + i]);

		patience = left < patience ? left : patience;
	}
	waits[0] = (struct pollfd){.fd = redis->wake[0], .events = POLLIN};
	(void)pthread_mutex_lock(&redis->mutex);
	is_stopping = redis->is_stopping;
	is_busy = redis->calls != seen;
	if (is_busy)
		patience = 0;
	else if (redis->is_ticking || is_stopping)
		patience = patience < RIDE_MS ? patience : RIDE_MS;
	redis->is_asleep = patience > 0;
	(void)pthread_mutex_unlock(&redis->mutex);
	if (is_stopping && redis_nodes_end(redis->nodes))
		return true;
	(void)poll(waits, 1 + count, patience);
	return false;
}

/* Of the calls, how many there are now; swallow what woke us. */
static uint64_t
wake_up(struct redis *redis, const struct pollfd *wait, uint64_t before)
{
	char bytes[64];
	uint64_t calls;

	if (wait->revents != 0)
		(void)!read(redis->wake[0], bytes, sizeof bytes);
	(void)pthread_mutex_lock(&redis->mutex);
	redis->is_asleep = false;
	redis->is_ticking = redis->calls != before;
	calls = redis->calls;
	(void)pthread_mutex_unlock(&redis->mutex);
	return calls;
}

static void *
run(void *arg)
{
	struct redis *redis = arg;
	struct redis_connection *conns[REDIS_CONNS];
	struct pollfd waits[1 + REDIS_CONNS];
	uint64_t seen = 0;
	size_t count;

	for (;;) {
		int patience = redis_nodes_work(redis->nodes);

		count = redis_nodes_list(redis->nodes, conns);
		if (sleep_for_a_while(
			redis, conns, waits, count, seen, patience))
			return NULL;
		seen = wake_up(redis, &waits[0], seen);
		for (size_t i = 0; i < count; i++)
			redis_connection_work(conns[i], waits[1 + i].revents);
	}
}

/* Signals are the main thread's. */
static bool
start(struct redis *redis)
{
	sigset_t all;
	sigset_t before;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	redis->is_running =
	    pthread_create(&redis->thread, NULL, run, redis) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return redis->is_running;
}

/* ---- Opening */

/* What is wrong, or NULL. */
static const char *
check(const struct redis_config *config)
{
	if (config->server_count == 0 || config->server_count > REDIS_SERVERS)
		return "between 1 and 16 servers are needed";
	if (config->mode == REDIS_SINGLE && config->server_count != 1)
		return "more than one server needs mode sentinel or cluster";
	if (config->mode == REDIS_SENTINEL && config->master_name == NULL)
		return "mode sentinel needs the name of the master";
	if (config->mode == REDIS_CLUSTER && config->database != 0)
		return "a cluster has no database but 0";
	if (config->user != NULL && config->password == NULL)
		return "a user needs a password";
	return NULL;
}

static bool
parse_servers(const struct redis_config *config,
    struct redis_address addresses_r[REDIS_SERVERS], char *error_r, size_t size)
{
	for (size_t i = 0; i < config->server_count; i++)
		if (!redis_address_parse(config->servers[i], &addresses_r[i])) {
			(void)snprintf(error_r, size,
			    "server \"%s\" is neither host:port, [IPv6]:port "
			    "nor /path",
			    config->servers[i]);
			return false;
		}
	return true;
}

/* Point the config at our own copies of what outlives the opening. */
static bool
keep_strings(struct redis *redis, struct redis_config *config)
{
	const char **strings[STRINGS] = {
	    &config->master_name,
	    &config->user,
	    &config->password,
	    &config->sentinel_user,
	    &config->sentinel_password,
	    &config->tls_name,
	};

	for (size_t i = 0; i < STRINGS; i++) {
		if (*strings[i] == NULL)
			continue;
		redis->strings[i] = strdup(*strings[i]);
		if (redis->strings[i] == NULL)
			return false;
		*strings[i] = redis->strings[i];
	}
	return true;
}

static bool
open_tls(struct redis *redis, const struct redis_config *config, char *error_r,
    size_t size)
{
	if (!config->tls)
		return true;
	redis->tls = redis_tls_open(config->tls_ca_file, config->tls_cert_file,
	    config->tls_key_file, error_r, size);
	return redis->tls != NULL;
}

static bool
open_wake(struct redis *redis)
{
	if (pipe(redis->wake) != 0)
		return false;
	for (int i = 0; i < 2; i++) {
		(void)fcntl(redis->wake[i], F_SETFL, O_NONBLOCK);
		(void)fcntl(redis->wake[i], F_SETFD, FD_CLOEXEC);
	}
	return true;
}

static bool
open_nodes(struct redis *redis, const struct redis_config *config,
    const struct redis_address *addresses)
{
	struct redis_nodes_terms terms = {
	    .mode = config->mode,
	    .master_name = config->master_name,
	    .count = config->server_count,
	    .conn =
		{
		    .user = config->user,
		    .password = config->password,
		    .database = config->database,
		    .must_be_master = config->mode != REDIS_CLUSTER,
		    .tls = redis->tls,
		    .tls_name = config->tls_name,
		    .connect_ms = config->connect_ms > 0 ? config->connect_ms
							 : DEFAULT_CONNECT_MS,
		    .report = config->report,
		    .report_arg = config->report_arg,
		    .mutex = &redis->mutex,
		    .wake_fd = redis->wake[1],
		},
	    .sentinel =
		{
		    .user = config->sentinel_user,
		    .password = config->sentinel_password,
		    .tls = redis->tls,
		    .tls_name = config->tls_name,
		    .mutex = &redis->mutex,
		    .wake_fd = redis->wake[1],
		},
	};

	memcpy(
	    terms.servers, addresses, config->server_count * sizeof *addresses);
	redis->nodes = redis_nodes_open(&terms);
	return redis->nodes != NULL;
}

struct redis *
redis_open(const struct redis_config *config, char *error_r, size_t size)
{
	struct redis_address addresses[REDIS_SERVERS];
	struct redis_config mine = *config;
	struct redis *redis;
	const char *wrong = check(config);

	if (wrong != NULL) {
		(void)snprintf(error_r, size, "%s", wrong);
		return NULL;
	}
	if (!parse_servers(config, addresses, error_r, size))
		return NULL;
	(void)snprintf(error_r, size, "out of memory, threads or descriptors");
	redis = calloc(1, sizeof *redis);
	if (redis == NULL)
		return NULL;
	redis->wake[0] = redis->wake[1] = -1;
	redis->call_ms =
	    config->call_ms > 0 ? config->call_ms : DEFAULT_CALL_MS;
	redis->health = (struct redis_health){
	    .report = config->report, .report_arg = config->report_arg};
	(void)pthread_mutex_init(&redis->mutex, NULL);
	if (!open_tls(redis, config, error_r, size) || !open_wake(redis) ||
	    !keep_strings(redis, &mine) ||
	    !open_nodes(redis, &mine, addresses) || !start(redis))
		redis_close(&redis);
	return redis;
}

void
redis_close(struct redis **redis)
{
	struct redis *self = *redis;

	if (self == NULL)
		return;
	*redis = NULL;
	(void)pthread_mutex_lock(&self->mutex);
	self->is_stopping = true;
	(void)pthread_mutex_unlock(&self->mutex);
	(void)!write(self->wake[1], "", 1);
	if (self->is_running)
		(void)pthread_join(self->thread, NULL);
	redis_nodes_close(&self->nodes);
	redis_tls_close(&self->tls);
	(void)pthread_mutex_destroy(&self->mutex);
	(void)close(self->wake[0]);
	(void)close(self->wake[1]);
	for (size_t i = 0; i < STRINGS; i++)
		free(self->strings[i]);
	free(self);
}

/* ---- Asking and telling */

int64_t
redis_due(const struct redis *redis, int64_t within_ms)
{
	return redis_now() + (within_ms > 0 ? within_ms : redis->call_ms);
}

static void
free_replies(struct redis_request *request)
{
	if (request->replies == NULL)
		return;
	for (size_t i = 0; i < request->commands.count; i++)
		resp_reply_free(&request->replies[i]);
	free(request->replies);
	request->replies = NULL;
}

/* Under the mutex.  All or none, so that what belongs together is not sent by half
 * while one of the servers is known to be away. */
static bool
find_all(struct redis *redis, const struct redis_request *requests,
    size_t count, struct redis_connection **conns_r)
{
	if (count > REDIS_REQUESTS || redis->is_stopping)
		return false;
	for (size_t i = 0; i < count; i++) {
		size_t length = 0;

		conns_r[i] = redis_nodes_find(redis->nodes, requests[i].key);
		for (size_t j = 0; j <= i; j++)
			if (conns_r[j] == conns_r[i])
				length += requests[j].commands.length + 64;
		if (conns_r[i] == NULL ||
		    !resp_is_complete(&requests[i].commands) ||
		    !redis_connection_has_room(conns_r[i], length))
			return false;
	}
	return true;
}

/* Hand all over, and wake the thread if that is due.  False: none. */
static bool
hand_over(struct redis *redis, const struct redis_request *requests,
    struct flight *const *flights, size_t count, bool can_ride)
{
	struct redis_connection *conns[REDIS_REQUESTS];
	bool is_taken, wakes;

	(void)pthread_mutex_lock(&redis->mutex);
	is_taken = find_all(redis, requests, count, conns);
	for (size_t i = 0; i < count && is_taken; i++) {
		/* One number is enough for all that go to one server. */
		if (i + 1 < count && conns[i + 1] == conns[i])
			flights[i]->call.is_unguarded = true;
		redis_connection_add(conns[i], &flights[i]->call);
	}
	wakes =
	    is_taken && redis->is_asleep && !(can_ride && redis->is_ticking);
	if (wakes)
		redis->is_asleep = false;
	redis->calls += is_taken;
	(void)pthread_mutex_unlock(&redis->mutex);
	if (wakes)
		(void)!write(redis->wake[1], "", 1);
	return is_taken;
}

/* False: no memory. */
static bool
board(struct redis *redis, struct redis_request *requests, size_t count,
    struct flight *flights)
{
	for (size_t i = 0; i < count; i++) {
		requests[i].replies = calloc(requests[i].commands.count + 1,
		    sizeof(struct resp_reply *));
		if (requests[i].replies == NULL)
			return false;
		flights[i] = (struct flight){
		    .redis = redis,
		    .call =
			{
			    .commands = &requests[i].commands,
			    .replies = requests[i].replies,
			    .done = take_answer,
			    .arg = &flights[i],
			},
		    .hops = HOPS,
		};
	}
	return true;
}

enum redis_answer
redis_ask(struct redis *redis, struct redis_request *requests, size_t count,
    int64_t due_ms)
{
	struct flight flights[REDIS_REQUESTS], *each[REDIS_REQUESTS];
	struct ask ask = {.left = count};
	enum redis_answer worst = REDIS_ANSWERED;

	for (size_t i = 0; i < count; i++) {
		free_replies(&requests[i]);
		requests[i].answer = REDIS_AWAY;
	}
	if (count == 0 || count > REDIS_REQUESTS)
		return count == 0 ? REDIS_ANSWERED : REDIS_AWAY;
	if (due_ms == 0)
		due_ms = redis_due(redis, 0);
	if (!board(redis, requests, count, flights) ||
	    sem_init(&ask.is_over, 0, 0) != 0)
		return REDIS_AWAY;
	for (size_t i = 0; i < count; i++) {
		flights[i].call.due_ms = due_ms;
		flights[i].ask = &ask;
		flights[i].answer_r = &requests[i].answer;
		each[i] = &flights[i];
	}
	if (hand_over(redis, requests, each, count, false)) {
		while (sem_wait(&ask.is_over) != 0)
			continue;
	} else {
		for (size_t i = 0; i < count; i++)
			free_replies(&requests[i]);
	}
	(void)sem_destroy(&ask.is_over);
	for (size_t i = 0; i < count; i++)
		if (requests[i].answer > worst)
			worst = requests[i].answer;
	return worst;
}

static struct flight *
copy(struct redis *redis, const struct redis_request *request)
{
	size_t places = request->commands.count;
	struct flight *flight =
	    calloc(1, sizeof *flight + places * sizeof(struct resp_reply *));

	if (flight == NULL)
		return NULL;
	flight->redis = redis;
	flight->hops = HOPS;
	resp_add_commands(&flight->commands, &request->commands);
	flight->call = (struct redis_call){
	    .commands = &flight->commands,
	    .replies = flight->told,
	    .due_ms = redis_now() + RIDE_MS + redis->call_ms,
	    .is_unguarded = true,
	    .done = take_answer,
	    .arg = flight,
	};
	if (resp_is_complete(&flight->commands))
		return flight;
	resp_free(&flight->commands);
	free(flight);
	return NULL;
}

bool
redis_tell(
    struct redis *redis, const struct redis_request *requests, size_t count)
{
	struct flight *flights[REDIS_REQUESTS];
	size_t copied = 0;
	bool is_told;

	if (count > REDIS_REQUESTS)
		return false;
	while (copied < count &&
	    (flights[copied] = copy(redis, &requests[copied])) != NULL)
		copied++;
	is_told =
	    copied == count && hand_over(redis, requests, flights, count, true);
	for (size_t i = 0; i < copied && !is_told; i++) {
		resp_free(&flights[i]->commands);
		free(flights[i]);
	}
	return is_told;
}

bool
redis_is_up(struct redis *redis)
{
	bool is_up;

	(void)pthread_mutex_lock(&redis->mutex);
	is_up = redis_nodes_are_up(redis->nodes);
	(void)pthread_mutex_unlock(&redis->mutex);
	return is_up;
}

bool
redis_takes_writes(struct redis *redis, const char *key)
{
	struct redis_connection *conn;
	bool takes;

	(void)pthread_mutex_lock(&redis->mutex);
	conn = redis_nodes_find(redis->nodes, key);
	takes = conn != NULL && redis_connection_takes_writes(conn);
	(void)pthread_mutex_unlock(&redis->mutex);
	return takes;
}

void
redis_request_free(struct redis_request *request)
{
	free_replies(request);
	resp_free(&request->commands);
}
