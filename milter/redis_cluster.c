#include "redis_cluster.h"
#include "redis_error.h"
#include "redis_map.h"
#include "redis_outage.h"
#include "redis_thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SEEDS = 16,
	REFRESH_MS = 5000,
	HASTE_MS = 100, /* between two refreshes, at least */
	QUERY_MS = 300, /* for one node to connect and to answer */
};

struct node {
	struct redis_address address;
	struct redis_link *link; /* NULL: the place is free */
	size_t users;
	bool is_listed; /* in the map, or the target of a redirection since */
};

struct redis_cluster {
	struct redis_link_terms terms;
	struct redis_address seeds[SEEDS];
	size_t seed_count;
	pthread_t thread;
	struct redis_outage outage; /* of the map; the thread's own */
	size_t turn;		    /* which node to ask; the thread's own */

	pthread_mutex_t mutex; /* for all that follow */
	pthread_cond_t wanted;
	bool is_wanted; /* a refresh */
	bool is_stopping;
	struct node nodes[REDIS_NODES];
	uint8_t owner[REDIS_SLOTS];
};

/* ---- Nodes; under the mutex */

static struct node *
open_node(struct redis_cluster *cluster, const struct redis_address *address)
{
	struct node *node = cluster->nodes;
	const struct node *end = cluster->nodes + REDIS_NODES;

	while (node < end && node->link != NULL)
		node++;
	if (node == end)
		return NULL;
	*node = (struct node){
	    .address = *address,
	    .link = redis_link_open(&cluster->terms, address),
	    .is_listed = true,
	};
	return node->link != NULL ? node : NULL;
}

static struct node *
find_or_open(struct redis_cluster *cluster, const struct redis_address *address)
{
	for (size_t i = 0; i < REDIS_NODES; i++) {
		struct node *node = &cluster->nodes[i];

		if (node->link != NULL &&
		    redis_address_equals(&node->address, address)) {
			node->is_listed = true;
			return node;
		}
	}
	return open_node(cluster, address);
}

static struct node *
find_link(struct redis_cluster *cluster, const struct redis_link *link)
{
	struct node *node = cluster->nodes;

	while (node->link != link)
		node++;
	return node;
}

static struct redis_link *
take(struct node *node)
{
	node->users++;
	return node->link;
}

/* ---- The thread: keeping the map */

static void
apply(struct redis_cluster *cluster, const struct redis_map *map)
{
	uint8_t place[REDIS_NODES]; /* of the map's nodes among ours */

	memset(place, REDIS_NO_NODE, sizeof place);
	(void)pthread_mutex_lock(&cluster->mutex);
	for (size_t i = 0; i < REDIS_NODES; i++)
		cluster->nodes[i].is_listed = false;
	for (size_t i = 0; i < map->count; i++) {
		struct node *node = find_or_open(cluster, &map->nodes[i]);

		if (node != NULL)
			place[i] = (uint8_t)(node - cluster->nodes);
	}
	for (size_t i = 0; i < REDIS_SLOTS; i++)
		cluster->owner[i] = map->owner[i] != REDIS_NO_NODE
		    ? place[map->owner[i]]
		    : REDIS_NO_NODE;
	(void)pthread_mutex_unlock(&cluster->mutex);
}

/* Ask one node.  False with the reason in `why_r`. */
static bool
ask_slots(struct redis_cluster *cluster, const struct redis_address *node,
    struct redis_map *map_r, char *why_r, size_t size)
{
	struct redis_login login = cluster->terms.login;
	struct redis_stream_terms terms = {.cancel_fd = -1};
	struct resp_commands question = {0};
	struct resp_reply *reply = NULL;
	struct redis_stream *stream;
	bool is_read = false;

	login.connect_ms = QUERY_MS;
	stream = redis_login(&login, node, -1, why_r, size);
	if (stream == NULL)
		return false;
	terms.due_ms = redis_thread_now() + QUERY_MS;
	resp_add(&question, "CLUSTER", "SLOTS");
	if (!redis_login_exchange(stream, &terms, &question, &reply))
		redis_error_clean(redis_stream_why(stream), why_r, size);
	else if (resp_error(reply) != NULL)
		redis_error_clean(resp_error(reply), why_r, size);
	else if (!(is_read = redis_map_read(reply, node, map_r)))
		(void)snprintf(why_r, size, "the cluster serves no slot");
	resp_reply_free(&reply);
	resp_free(&question);
	redis_stream_close(&stream);
	return is_read;
}

/* Whom to ask: nodes that answer, beginning with another one each time, then
 * the seeds. */
static size_t
list_candidates(struct redis_cluster *cluster,
    struct redis_address candidates_r[REDIS_NODES + SEEDS])
{
	size_t count = 0;
	size_t turn = cluster->turn++;

	(void)pthread_mutex_lock(&cluster->mutex);
	for (size_t i = 0; i < REDIS_NODES; i++) {
		const struct node *node =
		    &cluster->nodes[(turn + i) % REDIS_NODES];

		if (node->link != NULL && redis_link_is_up(node->link))
			candidates_r[count++] = node->address;
	}
	(void)pthread_mutex_unlock(&cluster->mutex);
	for (size_t i = 0; i < cluster->seed_count; i++)
		candidates_r[count++] = cluster->seeds[i];
	return count;
}

static bool
is_stopping(struct redis_cluster *cluster)
{
	bool is_so;

	(void)pthread_mutex_lock(&cluster->mutex);
	is_so = cluster->is_stopping;
	(void)pthread_mutex_unlock(&cluster->mutex);
	return is_so;
}

static void
report_map(struct redis_cluster *cluster, const struct redis_address *asked,
    const char *why)
{
	char where[REDIS_WHERE_SIZE];
	enum redis_news news =
	    redis_outage_note(&cluster->outage, why, redis_thread_now());

	if (news == REDIS_NEWS_NONE || cluster->terms.report == NULL)
		return;
	redis_address_print(asked, where, sizeof where);
	cluster->terms.report(cluster->terms.report_arg, news == REDIS_NEWS_UP,
	    where, news == REDIS_NEWS_UP ? "knows the cluster again" : why);
}

static bool
refresh(struct redis_cluster *cluster)
{
	struct redis_address candidates[REDIS_NODES + SEEDS];
	size_t count = list_candidates(cluster, candidates);
	struct redis_map map;
	char why[REDIS_WORDS_SIZE];

	for (size_t i = 0; i < count && !is_stopping(cluster); i++)
		if (ask_slots(cluster, &candidates[i], &map, why, sizeof why)) {
			apply(cluster, &map);
			report_map(cluster, &candidates[i], NULL);
			return true;
		}
	if (!is_stopping(cluster))
		report_map(cluster, &candidates[count - 1], why);
	return false;
}

/* A link that no map lists and nobody uses, taken out of its place, or NULL.
 * No one can get at it any more. */
static struct redis_link *
take_out(struct redis_cluster *cluster)
{
	struct redis_link *link = NULL;

	(void)pthread_mutex_lock(&cluster->mutex);
	for (size_t i = 0; i < REDIS_NODES && link == NULL; i++) {
		struct node *node = &cluster->nodes[i];

		if (!node->is_listed && node->users == 0) {
			link = node->link;
			node->link = NULL;
		}
	}
	(void)pthread_mutex_unlock(&cluster->mutex);
	return link;
}

static void
retire(struct redis_cluster *cluster)
{
	struct redis_link *link;
	char where[REDIS_WHERE_SIZE];

	while ((link = take_out(cluster)) != NULL) {
		redis_link_where(link, where, sizeof where);
		if (!redis_link_is_up(link) && cluster->terms.report != NULL)
			cluster->terms.report(cluster->terms.report_arg, true,
			    where, "serves no slot any more");
		redis_link_close(&link);
	}
}

/* Until it is time for a refresh; false: for the end. */
static bool
await_refresh(struct redis_cluster *cluster, int64_t last_ms)
{
	bool is_going_on;

	(void)pthread_mutex_lock(&cluster->mutex);
	while (!cluster->is_stopping &&
	    redis_thread_wait(&cluster->wanted, &cluster->mutex,
		last_ms + (cluster->is_wanted ? HASTE_MS : REFRESH_MS)))
		continue;
	cluster->is_wanted = false;
	is_going_on = !cluster->is_stopping;
	(void)pthread_mutex_unlock(&cluster->mutex);
	return is_going_on;
}

static void *
run(void *arg)
{
	struct redis_cluster *cluster = arg;
	int64_t last_ms;

	do {
		last_ms = redis_thread_now();
		if (!refresh(cluster))
			redis_cluster_refresh(cluster);
		retire(cluster);
	} while (await_refresh(cluster, last_ms));
	return NULL;
}

/* ---- For other threads */

struct redis_cluster *
redis_cluster_open(const struct redis_link_terms *terms,
    const struct redis_address *seeds, size_t count)
{
	struct redis_cluster *cluster = calloc(1, sizeof *cluster);

	if (cluster == NULL || count > SEEDS) {
		free(cluster);
		return NULL;
	}
	cluster->terms = *terms;
	cluster->terms.lost = redis_cluster_refresh;
	cluster->terms.lost_arg = cluster;
	memcpy(cluster->seeds, seeds, count * sizeof *seeds);
	cluster->seed_count = count;
	memset(cluster->owner, REDIS_NO_NODE, sizeof cluster->owner);
	(void)pthread_mutex_init(&cluster->mutex, NULL);
	redis_thread_condition(&cluster->wanted);
	if (!redis_thread_start(&cluster->thread, run, cluster)) {
		free(cluster);
		return NULL;
	}
	return cluster;
}

void
redis_cluster_close(struct redis_cluster **cluster)
{
	if (*cluster == NULL)
		return;
	(void)pthread_mutex_lock(&(*cluster)->mutex);
	(*cluster)->is_stopping = true;
	(void)pthread_cond_signal(&(*cluster)->wanted);
	(void)pthread_mutex_unlock(&(*cluster)->mutex);
	(void)pthread_join((*cluster)->thread, NULL);
	for (size_t i = 0; i < REDIS_NODES; i++)
		redis_link_close(&(*cluster)->nodes[i].link);
	(void)pthread_mutex_destroy(&(*cluster)->mutex);
	(void)pthread_cond_destroy(&(*cluster)->wanted);
	free(*cluster);
	*cluster = NULL;
}

void
redis_cluster_refresh(void *arg)
{
	struct redis_cluster *cluster = arg;

	(void)pthread_mutex_lock(&cluster->mutex);
	cluster->is_wanted = true;
	(void)pthread_cond_signal(&cluster->wanted);
	(void)pthread_mutex_unlock(&cluster->mutex);
}

bool
redis_cluster_is_up(struct redis_cluster *cluster)
{
	bool is_up = false;

	(void)pthread_mutex_lock(&cluster->mutex);
	for (size_t i = 0; i < REDIS_NODES && !is_up; i++) {
		const struct node *node = &cluster->nodes[i];

		is_up = node->is_listed && redis_link_is_up(node->link);
	}
	(void)pthread_mutex_unlock(&cluster->mutex);
	return is_up;
}

struct redis_link *
redis_cluster_take(struct redis_cluster *cluster, unsigned slot)
{
	struct redis_link *link = NULL;
	uint8_t owner;

	(void)pthread_mutex_lock(&cluster->mutex);
	owner = cluster->owner[slot];
	if (owner != REDIS_NO_NODE &&
	    redis_link_is_up(cluster->nodes[owner].link))
		link = take(&cluster->nodes[owner]);
	(void)pthread_mutex_unlock(&cluster->mutex);
	if (link == NULL)
		redis_cluster_refresh(cluster);
	return link;
}

struct redis_link *
redis_cluster_take_redirect(struct redis_cluster *cluster,
    const struct redis_redirect *redirect, const struct redis_address *asked)
{
	struct redis_link *link = NULL;
	struct redis_address address;
	struct node *node = NULL;

	(void)pthread_mutex_lock(&cluster->mutex);
	if (redis_address_redirect(redirect->to, asked, &address))
		node = find_or_open(cluster, &address);
	if (node != NULL) {
		link = take(node);
		if (!redirect->is_ask)
			cluster->owner[redirect->slot] =
			    (uint8_t)(node - cluster->nodes);
	}
	(void)pthread_mutex_unlock(&cluster->mutex);
	redis_cluster_refresh(cluster);
	return link;
}

void
redis_cluster_give(struct redis_cluster *cluster, const struct redis_link *link)
{
	(void)pthread_mutex_lock(&cluster->mutex);
	find_link(cluster, link)->users--;
	(void)pthread_mutex_unlock(&cluster->mutex);
}
