#include "redis/client.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ascii.h"
#include "redis/connection.h"
#include "redis/error.h"

enum { HOPS = 5 }; /* redirections that one request follows at most */

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

/* ---- Do servers that answer also do what they are told?
 *
 * A full or read-protected server keeps its connections and refuses single
 * commands (OOM, MISCONF, NOPERM, ...).  That is told once, when a command is
 * refused, and once when it is over: when a command of the same name has been
 * accepted and none was refused for a second. */

enum { QUIET_MS = 1000 };

static void
name_of(const struct redis_call *call, size_t index, char *name_r, size_t size)
{
	size_t length = 0;
	const char *name = resp_command_word(call->commands, index, 0, &length);

	(void)snprintf(name_r, size, "%.*s", (int)length, name ? name : "");
}

/* Redirections that are left here were not followed, so nothing was done. */
static bool
is_refusal(const struct resp_reply *reply)
{
	enum redis_error error = redis_error_judge(resp_error(reply));

	return error == REDIS_ERROR_REDIRECT || error >= REDIS_ERROR_REFUSED;
}

/* The words of a refusal, be it the reply itself or, in a transaction, one of
 * those that EXEC gives; or NULL. */
static const char *
refusal_in(const struct resp_reply *reply)
{
	if (is_refusal(reply))
		return resp_error(reply);
	for (size_t i = 0; i < resp_count(reply); i++)
		if (is_refusal(resp_element(reply, i)))
			return resp_error(resp_element(reply, i));
	return NULL;
}

/* The index of the first refused command, or the count of commands. */
static size_t
find_refusal(const struct redis_call *call)
{
	size_t i = 0;

	while (i < call->commands->count && !refusal_in(call->replies[i]))
		i++;
	return i;
}

static bool
accepts(const struct redis_call *call, const char *command)
{
	char name[sizeof((struct redis_health *)NULL)->command];

	for (size_t i = 0; i < call->commands->count; i++) {
		name_of(call, i, name, sizeof name);
		if (strcmp(name, command) == 0)
			return true;
	}
	return false;
}

static void
fall_ill(
    struct redis_health *health, const struct redis_call *call, size_t refused)
{
	const char *where = call->conn->where;
	const char *words = refusal_in(call->replies[refused]);
	char why[REDIS_WORDS_SIZE];
	enum redis_news news;

	ascii_clean(words, why, sizeof why);
	health->is_ill = true;
	health->refused_ms = redis_now();
	name_of(call, refused, health->command, sizeof health->command);
	(void)snprintf(health->where, sizeof health->where, "%s", where);
	news = (enum redis_news)outage_note(
	    &health->outage, why, health->refused_ms);
	if (news == REDIS_NEWS_DOWN && health->report != NULL)
		health->report(health->report_arg, news, where, why);
}

static void
perhaps_recover(struct redis_health *health, const struct redis_call *call)
{
	int64_t now = redis_now();

	if (now - health->refused_ms < QUIET_MS ||
	    !accepts(call, health->command))
		return;
	health->is_ill = false;
	if (outage_note(&health->outage, NULL, now) == OUTAGE_ENDED &&
	    health->report != NULL)
		health->report(health->report_arg, REDIS_NEWS_UP, health->where,
		    "accepts commands again");
}

/* Look at the replies of a call that was answered.  True: none of its commands was
 * refused, other than for its key. */
static bool
note_health(struct redis_health *health, const struct redis_call *call)
{
	size_t refused = find_refusal(call);

	if (refused < call->commands->count) {
		fall_ill(health, call, refused);
		return false;
	}
	if (health->is_ill)
		perhaps_recover(health, call);
	return true;
}

/* ---- In the thread: what came of a request */

static void
finish(struct flight *flight, enum redis_answer answer)
{
	struct redis_call *call = &flight->call;
	struct ask *ask = flight->ask;

	if (call->answer == REDIS_ANSWERED &&
	    !note_health(&flight->redis->health, call)) {
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

static void follow(struct flight *flight);

static void
free_hop(struct flight *flight)
{
	free(flight->replies);
	flight->replies = NULL;
	resp_free(&flight->again);
}

static void
take_hop(struct redis_call *hop)
{
	struct flight *flight = hop->arg;

	if (hop->answer == REDIS_ANSWERED)
		redis_redirect_merge(
		    &flight->call, &flight->redirect, flight->replies);
	free_hop(flight);
	if (hop->answer == REDIS_ANSWERED)
		follow(flight);
	else
		finish(flight, hop->answer);
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
	return is_sent;
}

static void
follow(struct flight *flight)
{
	if (!redis_redirect_collect(
		&flight->call, &flight->redirect, &flight->again)) {
		finish(flight, REDIS_ANSWERED);
	} else if (!send_on(flight)) {
		free_hop(flight);
		finish(flight, REDIS_AWAY);
	}
}

static void
take_answer(struct redis_call *call)
{
	struct flight *flight = call->arg;

	if (call->is_redirected && call->answer == REDIS_ANSWERED)
		follow(flight);
	else
		finish(flight, call->answer);
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
 * while one of the servers is known to be away.  What is told was asked for before
 * by somebody who had his answer: so there is never much more of it. */
static enum redis_answer
find_all(struct redis *redis, const struct redis_request *requests,
    size_t count, bool is_told, struct redis_connection **conns_r)
{
	if (redis->is_stopping)
		return REDIS_AWAY;
	for (size_t i = 0; i < count; i++) {
		size_t length = 0;

		conns_r[i] = redis_nodes_find(redis->nodes, requests[i].key);
		for (size_t j = 0; j <= i; j++)
			if (conns_r[j] == conns_r[i])
				length += requests[j].commands.length + 64;
		if (conns_r[i] == NULL ||
		    !resp_is_complete(&requests[i].commands))
			return REDIS_AWAY;
		if (!redis_connection_has_room(conns_r[i], length) ||
		    (!is_told && redis_connection_is_choked(conns_r[i])))
			return REDIS_LATE;
	}
	return REDIS_ANSWERED;
}

/* Hand all over, and wake the thread if that is due.  If it is not answered, none
 * was. */
static enum redis_answer
hand_over(struct redis *redis, const struct redis_request *requests,
    struct flight *const *flights, size_t count, bool is_told)
{
	struct redis_connection *conns[REDIS_REQUESTS];
	enum redis_answer answer;
	bool is_taken, wakes;

	(void)pthread_mutex_lock(&redis->mutex);
	answer = find_all(redis, requests, count, is_told, conns);
	is_taken = answer == REDIS_ANSWERED;
	for (size_t i = 0; i < count && is_taken; i++)
		redis_connection_add(conns[i], &flights[i]->call);
	wakes = is_taken && redis->is_asleep && !(is_told && redis->is_ticking);
	if (wakes)
		redis->is_asleep = false;
	redis->calls += is_taken;
	(void)pthread_mutex_unlock(&redis->mutex);
	if (wakes)
		(void)!write(redis->wake[1], "", 1);
	return answer;
}

/* NULL: no memory. */
static struct flight *
board(struct redis *redis, struct redis_request *requests, size_t count)
{
	struct flight *flights = calloc(count, sizeof *flights);

	for (size_t i = 0; i < count && flights != NULL; i++) {
		struct redis_call *call = &flights[i].call;

		requests[i].replies = calloc(requests[i].commands.count + 1,
		    sizeof(struct resp_reply *));
		if (requests[i].replies == NULL) {
			free(flights);
			return NULL;
		}
		flights[i].redis = redis;
		flights[i].hops = HOPS;
		call->commands = &requests[i].commands;
		call->replies = requests[i].replies;
		call->done = take_answer;
		call->arg = &flights[i];
	}
	return flights;
}

/* None of them was sent. */
static enum redis_answer
give_all(struct redis_request *requests, size_t count, enum redis_answer answer)
{
	for (size_t i = 0; i < count; i++) {
		free_replies(&requests[i]);
		requests[i].answer = answer;
	}
	return answer;
}

enum redis_answer
redis_ask(struct redis *redis, struct redis_request *requests, size_t count,
    int64_t due_ms)
{
	struct flight *flights, *each[REDIS_REQUESTS];
	struct ask ask = {.left = count};
	enum redis_answer worst;

	for (size_t i = 0; i < count; i++)
		free_replies(&requests[i]);
	if (count == 0 || count > REDIS_REQUESTS)
		return give_all(
		    requests, count, count == 0 ? REDIS_ANSWERED : REDIS_AWAY);
	if (due_ms == 0)
		due_ms = redis_due(redis, 0);
	if (due_ms <= redis_now())
		return give_all(requests, count, REDIS_LATE);
	flights = board(redis, requests, count);
	if (flights == NULL || sem_init(&ask.is_over, 0, 0) != 0) {
		free(flights);
		return give_all(requests, count, REDIS_AWAY);
	}
	for (size_t i = 0; i < count; i++) {
		flights[i].call.due_ms = due_ms;
		flights[i].ask = &ask;
		flights[i].answer_r = &requests[i].answer;
		each[i] = &flights[i];
	}
	worst = hand_over(redis, requests, each, count, false);
	if (worst == REDIS_ANSWERED)
		while (sem_wait(&ask.is_over) != 0)
			continue;
	else
		(void)give_all(requests, count, worst);
	(void)sem_destroy(&ask.is_over);
	free(flights);
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
	    .due_ms = redis_now() + REDIS_RIDE_MS + redis->call_ms,
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
	is_told = copied == count &&
	    hand_over(redis, requests, flights, count, true) == REDIS_ANSWERED;
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
	is_up = redis_nodes_are_up(redis->nodes, false);
	(void)pthread_mutex_unlock(&redis->mutex);
	return is_up;
}

bool
redis_is_whole(struct redis *redis)
{
	bool is_whole;

	(void)pthread_mutex_lock(&redis->mutex);
	is_whole = redis_nodes_are_up(redis->nodes, true);
	(void)pthread_mutex_unlock(&redis->mutex);
	return is_whole;
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
