#include "redis_sentinel.h"
#include "redis_error.h"
#include "redis_thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SENTINELS = 16,
	POLL_MS = 1000,
	HASTE_MS = 250, /* while there is no master */
	QUERY_MS = 300, /* for one sentinel to connect and to answer */
};

struct redis_sentinel {
	struct redis_login login;
	const char *master_name;
	struct redis_address sentinels[SENTINELS];
	size_t count;
	struct redis_link *link;
	pthread_t thread;

	/* The thread's own: whom it asks, and the connection to him. */
	size_t current;
	struct redis_stream *stream;

	pthread_mutex_t mutex; /* for all that follow */
	pthread_cond_t wanted;
	bool is_lost; /* the link was */
	bool is_stopping;
};

/* ---- The thread */

/* The answer is (host, port), or nil from a sentinel that does not know. */
static bool
read_master(const struct resp_reply *reply, struct redis_address *master_r)
{
	size_t length = 0;
	const char *host = resp_string(resp_element(reply, 0), &length);
	const char *port = resp_string(resp_element(reply, 1), NULL);

	return host != NULL && port != NULL &&
	    redis_address_make(host, length, port, master_r);
}

/* Ask the current sentinel.  The connection is kept while it is good. */
static bool
ask_current(struct redis_sentinel *sentinel, struct redis_address *master_r,
    char *why_r, size_t size)
{
	struct redis_stream_terms terms = {.cancel_fd = -1};
	struct resp_commands question = {0};
	struct resp_reply *reply = NULL;
	bool is_known = false;

	if (sentinel->stream == NULL)
		sentinel->stream = redis_login(&sentinel->login,
		    &sentinel->sentinels[sentinel->current], -1, why_r, size);
	if (sentinel->stream == NULL)
		return false;
	terms.due_ms = redis_thread_now() + QUERY_MS;
	resp_add(&question, "SENTINEL", "get-master-addr-by-name",
	    sentinel->master_name);
	if (!redis_login_exchange(sentinel->stream, &terms, &question, &reply))
		redis_error_clean(
		    redis_stream_why(sentinel->stream), why_r, size);
	else if (resp_error(reply) != NULL)
		redis_error_clean(resp_error(reply), why_r, size);
	else if (!(is_known = read_master(reply, master_r)))
		(void)snprintf(why_r, size,
		    "the sentinel knows no master \"%s\"",
		    sentinel->master_name);
	if (!is_known)
		redis_stream_close(&sentinel->stream);
	resp_reply_free(&reply);
	resp_free(&question);
	return is_known;
}

static bool
is_stopping(struct redis_sentinel *sentinel)
{
	bool is_so;

	(void)pthread_mutex_lock(&sentinel->mutex);
	is_so = sentinel->is_stopping;
	(void)pthread_mutex_unlock(&sentinel->mutex);
	return is_so;
}

/* Ask one after another, beginning with the one that knew last time. */
static void
resolve(struct redis_sentinel *sentinel)
{
	struct redis_address master;
	char where[REDIS_WHERE_SIZE];
	char why[REDIS_WORDS_SIZE];

	for (size_t i = 0; i < sentinel->count && !is_stopping(sentinel); i++) {
		if (ask_current(sentinel, &master, why, sizeof why)) {
			redis_link_aim(sentinel->link, &master);
			return;
		}
		redis_address_print(&sentinel->sentinels[sentinel->current],
		    where, sizeof where);
		sentinel->current = (sentinel->current + 1) % sentinel->count;
		redis_link_excuse(sentinel->link, where, why);
	}
}

/* Until the next time; false: for the end. */
static bool
await_next(struct redis_sentinel *sentinel)
{
	bool is_up = redis_link_is_up(sentinel->link);
	int64_t due_ms = redis_thread_now() + (is_up ? POLL_MS : HASTE_MS);
	bool is_going_on;

	(void)pthread_mutex_lock(&sentinel->mutex);
	while (!sentinel->is_stopping && !(is_up && sentinel->is_lost) &&
	    redis_thread_wait(&sentinel->wanted, &sentinel->mutex, due_ms))
		continue;
	sentinel->is_lost = false;
	is_going_on = !sentinel->is_stopping;
	(void)pthread_mutex_unlock(&sentinel->mutex);
	return is_going_on;
}

static void *
run(void *arg)
{
	struct redis_sentinel *sentinel = arg;

	do
		resolve(sentinel);
	while (await_next(sentinel));
	redis_stream_close(&sentinel->stream);
	return NULL;
}

/* ---- For other threads */

static void
note_loss(void *arg)
{
	struct redis_sentinel *sentinel = arg;

	(void)pthread_mutex_lock(&sentinel->mutex);
	sentinel->is_lost = true;
	(void)pthread_cond_signal(&sentinel->wanted);
	(void)pthread_mutex_unlock(&sentinel->mutex);
}

static void
free_all(struct redis_sentinel *sentinel)
{
	redis_link_close(&sentinel->link);
	(void)pthread_mutex_destroy(&sentinel->mutex);
	(void)pthread_cond_destroy(&sentinel->wanted);
	free(sentinel);
}

struct redis_sentinel *
redis_sentinel_open(const struct redis_sentinel_terms *terms,
    const struct redis_link_terms *link_terms)
{
	struct redis_sentinel *sentinel = calloc(1, sizeof *sentinel);
	struct redis_link_terms watched = *link_terms;

	if (sentinel == NULL || terms->count > SENTINELS) {
		free(sentinel);
		return NULL;
	}
	sentinel->login = terms->login;
	sentinel->login.connect_ms = QUERY_MS;
	sentinel->master_name = terms->master_name;
	sentinel->count = terms->count;
	memcpy(sentinel->sentinels, terms->sentinels,
	    terms->count * sizeof *terms->sentinels);
	(void)pthread_mutex_init(&sentinel->mutex, NULL);
	redis_thread_condition(&sentinel->wanted);
	watched.lost = note_loss;
	watched.lost_arg = sentinel;
	sentinel->link = redis_link_open(&watched, NULL);
	if (sentinel->link == NULL ||
	    !redis_thread_start(&sentinel->thread, run, sentinel)) {
		free_all(sentinel);
		return NULL;
	}
	return sentinel;
}

void
redis_sentinel_close(struct redis_sentinel **sentinel)
{
	if (*sentinel == NULL)
		return;
	(void)pthread_mutex_lock(&(*sentinel)->mutex);
	(*sentinel)->is_stopping = true;
	(void)pthread_cond_signal(&(*sentinel)->wanted);
	(void)pthread_mutex_unlock(&(*sentinel)->mutex);
	(void)pthread_join((*sentinel)->thread, NULL);
	free_all(*sentinel);
	*sentinel = NULL;
}

struct redis_link *
redis_sentinel_link(struct redis_sentinel *sentinel)
{
	return sentinel->link;
}
