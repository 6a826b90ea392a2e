#include "redis_teller.h"
#include "redis_follow.h"
#include "redis_thread.h"

#include <stdlib.h>

enum { MAX_QUEUED = 1024 };

struct tell {
	struct redis_call call;
	struct redis_teller *teller;
	struct resp_commands commands;
	int hops; /* that are left */
	struct redis_address asked;
	struct redis_redirect redirect;
	struct resp_reply *replies[]; /* room for an ASKING with each */
};

struct redis_teller {
	struct redis_health *health;
	struct redis_cluster *cluster;
	pthread_t thread;

	pthread_mutex_t mutex; /* for all that follow */
	pthread_cond_t wanted;
	struct redis_call_list queue; /* of calls to be sent on */
	size_t queued;
	bool is_stopping;
};

static void
free_replies(struct tell *tell)
{
	for (size_t i = 0; i < tell->commands.count; i++)
		resp_reply_free(&tell->replies[i]);
}

static void
free_tell(struct tell *tell)
{
	free_replies(tell);
	resp_free(&tell->commands);
	free(tell);
}

/* ---- In any thread: an answer has come, or none */

static bool
queue(struct redis_teller *teller, struct tell *tell)
{
	bool has_room;

	(void)pthread_mutex_lock(&teller->mutex);
	has_room = !teller->is_stopping && teller->queued < MAX_QUEUED;
	if (has_room) {
		redis_call_append(&teller->queue, &tell->call);
		teller->queued++;
		(void)pthread_cond_signal(&teller->wanted);
	}
	(void)pthread_mutex_unlock(&teller->mutex);
	return has_room;
}

static bool
send_on(struct redis_teller *teller, struct tell *tell)
{
	if (teller->cluster == NULL || tell->hops-- == 0 ||
	    !redis_redirect_find(&tell->call, &tell->redirect))
		return false;
	redis_link_address(tell->call.link, &tell->asked);
	return queue(teller, tell);
}

static void
finish(struct redis_call *call)
{
	struct tell *tell = call->arg;
	struct redis_teller *teller = tell->teller;

	if (call->is_answered && send_on(teller, tell))
		return;
	if (call->is_answered && !redis_health_note(teller->health, call)) {
		redis_link_note_refusal(call->link);
		if (teller->cluster != NULL)
			redis_cluster_refresh(teller->cluster);
	}
	free_tell(tell);
}

/* ---- The teller's thread: sending on */

/* Keep the redirected commands only; the others have been executed. */
static bool
reduce(struct tell *tell)
{
	struct resp_commands again = {0};

	redis_redirect_collect(&tell->call, &tell->redirect, &again);
	free_replies(tell);
	resp_free(&tell->commands);
	tell->commands = again;
	return resp_is_complete(&tell->commands);
}

static void
go_on(struct redis_teller *teller, struct tell *tell)
{
	struct redis_link *link = redis_cluster_take_redirect(
	    teller->cluster, &tell->redirect, &tell->asked);

	if (link == NULL) {
		free_tell(tell);
		return;
	}
	if (reduce(tell) && redis_link_wait_up(link, tell->call.due_ms) &&
	    redis_link_submit(link, &tell->call))
		redis_link_push(link);
	else
		free_tell(tell);
	redis_cluster_give(teller->cluster, link);
}

/* The next to send on, or NULL at the end. */
static struct tell *
await_next(struct redis_teller *teller)
{
	struct redis_call *call = NULL;

	(void)pthread_mutex_lock(&teller->mutex);
	while (!teller->is_stopping && teller->queue.head == NULL)
		(void)pthread_cond_wait(&teller->wanted, &teller->mutex);
	if (!teller->is_stopping) {
		call = redis_call_shift(&teller->queue);
		teller->queued--;
	}
	(void)pthread_mutex_unlock(&teller->mutex);
	return call != NULL ? call->arg : NULL;
}

static void *
run(void *arg)
{
	struct redis_teller *teller = arg;
	struct tell *tell;

	while ((tell = await_next(teller)) != NULL)
		go_on(teller, tell);
	return NULL;
}

/* ---- For other threads */

static void
free_teller(struct redis_teller *teller)
{
	struct redis_call *call;

	while ((call = redis_call_shift(&teller->queue)) != NULL)
		free_tell(call->arg);
	(void)pthread_mutex_destroy(&teller->mutex);
	(void)pthread_cond_destroy(&teller->wanted);
	free(teller);
}

struct redis_teller *
redis_teller_open(struct redis_health *health, struct redis_cluster *cluster)
{
	struct redis_teller *teller = calloc(1, sizeof *teller);

	if (teller == NULL)
		return NULL;
	teller->health = health;
	teller->cluster = cluster;
	(void)pthread_mutex_init(&teller->mutex, NULL);
	(void)pthread_cond_init(&teller->wanted, NULL);
	if (cluster != NULL &&
	    !redis_thread_start(&teller->thread, run, teller)) {
		free_teller(teller);
		return NULL;
	}
	return teller;
}

void
redis_teller_stop(struct redis_teller *teller)
{
	(void)pthread_mutex_lock(&teller->mutex);
	teller->is_stopping = true;
	(void)pthread_cond_signal(&teller->wanted);
	(void)pthread_mutex_unlock(&teller->mutex);
	if (teller->cluster != NULL)
		(void)pthread_join(teller->thread, NULL);
}

void
redis_teller_close(struct redis_teller **teller)
{
	if (*teller != NULL)
		free_teller(*teller);
	*teller = NULL;
}

bool
redis_teller_send(struct redis_teller *teller, struct redis_link *link,
    const struct resp_commands *commands, int64_t due_ms)
{
	size_t places = 2 * commands->count;
	struct tell *tell =
	    calloc(1, sizeof *tell + places * sizeof(struct resp_reply *));

	if (tell == NULL)
		return false;
	tell->teller = teller;
	tell->hops = REDIS_HOPS;
	resp_add_commands(&tell->commands, commands);
	tell->call = (struct redis_call){
	    .commands = &tell->commands,
	    .is_unguarded = true,
	    .replies = tell->replies,
	    .due_ms = due_ms,
	    .done = finish,
	    .arg = tell,
	};
	if (!redis_link_submit(link, &tell->call)) {
		free_tell(tell);
		return false;
	}
	redis_link_let_ride(link);
	return true;
}
