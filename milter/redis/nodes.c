#include "redis/nodes.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/outage.h"
#include "redis/error.h"
#include "redis/map.h"

enum {
	POLL_MS = 1000,	   /* for the master */
	REFRESH_MS = 5000, /* of the map */
	HASTE_MS = 250,	   /* while there is no master */
	SOON_MS = 100,	   /* between two maps, at least */
	QUERY_MS = 300,	   /* for an answer */
	LOGIN_MS = 30000,  /* longest pause where sentinels do not let us in */
};

struct node {
	struct redis_connection *conn; /* NULL: the place is free */
	bool is_listed; /* in the map, or the target of a redirection since */
	bool is_seed;	/* of the configuration, until there is a map */
};

struct redis_nodes {
	struct redis_nodes_terms *terms;
	struct outage outage;  /* of the map */
	atomic_bool is_wanted; /* an answer, soon */
	int64_t asked_at;
	size_t turn; /* whom to ask */

	/* The question under way. */
	bool is_asking;
	struct redis_call question;
	struct resp_commands words;
	struct resp_reply *answer[1];

	struct redis_connection *sentinel;
	char sentinel_why[REDIS_WORDS_SIZE]; /* it does not know; or empty */
	bool is_rebuffed; /* by one of them, since the first was asked */
	size_t rebuffs;	  /* rounds in a row in which one did not let us in */
	int64_t rebuffed_ms; /* how long the last keeps us away */

	/* Changed under the mutex.  Without a cluster there is the first. */
	struct node nodes[REDIS_NODES];
	uint8_t owner[REDIS_SLOTS];
};

static bool
is_cluster(const struct redis_nodes *nodes)
{
	return nodes->terms->mode == REDIS_CLUSTER;
}

/* ---- Under the mutex */

struct redis_connection *
redis_nodes_find(struct redis_nodes *nodes, const char *key)
{
	size_t i = is_cluster(nodes) ? nodes->owner[redis_slot(key)] : 0;

	if (i != REDIS_NO_NODE && redis_connection_is_up(nodes->nodes[i].conn))
		return nodes->nodes[i].conn;
	redis_nodes_refresh(nodes);
	return NULL;
}

bool
redis_nodes_are_up(const struct redis_nodes *nodes, bool all)
{
	size_t listed = 0, up = 0;

	for (size_t i = 0; i < REDIS_NODES; i++) {
		if (!nodes->nodes[i].is_listed)
			continue;
		listed++;
		up += redis_connection_is_up(nodes->nodes[i].conn);
	}
	return all && is_cluster(nodes) ? listed > 1 && up == listed : up > 0;
}

/* ---- Nodes */

static void
lock(struct redis_nodes *nodes)
{
	(void)pthread_mutex_lock(nodes->terms->conn.mutex);
}

static void
unlock(struct redis_nodes *nodes)
{
	(void)pthread_mutex_unlock(nodes->terms->conn.mutex);
}

static struct node *
open_node(struct redis_nodes *nodes, const struct redis_address *address)
{
	struct redis_connection *conn =
	    redis_connection_open(&nodes->terms->conn, address);
	struct node *node = nodes->nodes;

	while (node < nodes->nodes + REDIS_NODES && node->conn != NULL)
		node++;
	if (conn == NULL || node == nodes->nodes + REDIS_NODES) {
		redis_connection_close(&conn);
		return NULL;
	}
	lock(nodes);
	*node = (struct node){.conn = conn};
	unlock(nodes);
	return node;
}

static struct node *
find_or_open(struct redis_nodes *nodes, const struct redis_address *address)
{
	for (size_t i = 0; i < REDIS_NODES; i++) {
		struct node *node = &nodes->nodes[i];

		if (node->conn != NULL && !node->conn->is_ending &&
		    redis_address_equals(&node->conn->address, address))
			return node;
	}
	return open_node(nodes, address);
}

/* Those that no map lists are closed when nothing is under way with them. */
static void
retire(struct redis_nodes *nodes)
{
	for (size_t i = 0; i < REDIS_NODES; i++) {
		struct node *node = &nodes->nodes[i];
		struct redis_connection *conn = node->conn;

		if (conn == NULL || node->is_listed || node->is_seed ||
		    (!conn->is_ending && redis_connection_is_used(conn)))
			continue;
		redis_connection_end(conn, "serves no slot any more");
		if (!redis_connection_is_over(conn))
			continue;
		lock(nodes);
		node->conn = NULL;
		unlock(nodes);
		redis_connection_close(&conn);
	}
}

/* ---- Asking */

static void
ask(struct redis_nodes *nodes, struct redis_connection *conn,
    void (*done)(struct redis_call *call))
{
	nodes->question = (struct redis_call){
	    .commands = &nodes->words,
	    .replies = nodes->answer,
	    .due_ms = redis_now() + QUERY_MS,
	    .done = done,
	    .arg = nodes,
	};
	lock(nodes);
	nodes->is_asking = resp_is_complete(&nodes->words) &&
	    redis_connection_has_room(conn, nodes->words.length);
	if (nodes->is_asking)
		redis_connection_add(conn, &nodes->question);
	unlock(nodes);
}

static void
end_question(struct redis_nodes *nodes)
{
	nodes->is_asking = false;
	resp_reply_free(&nodes->answer[0]);
	resp_reset(&nodes->words);
}

/* ---- Sentinel */

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

static void
take_master(struct redis_call *call)
{
	struct redis_nodes *nodes = call->arg;
	const struct resp_reply *reply = nodes->answer[0];
	struct redis_address master;

	nodes->sentinel_why[0] = '\0';
	if (call->answer == REDIS_AWAY)
		; /* the connection knows why */
	else if (call->answer == REDIS_LATE)
		(void)snprintf(nodes->sentinel_why, sizeof nodes->sentinel_why,
		    "no answer in time");
	else if (resp_error(reply) != NULL)
		ascii_clean(resp_error(reply), nodes->sentinel_why,
		    sizeof nodes->sentinel_why);
	else if (read_master(reply, &master))
		redis_connection_aim(nodes->nodes[0].conn, &master);
	else
		(void)snprintf(nodes->sentinel_why, sizeof nodes->sentinel_why,
		    "the sentinel knows no master \"%s\"",
		    nodes->terms->master_name);
	end_question(nodes);
}

static void
open_sentinel(struct redis_nodes *nodes)
{
	size_t i = nodes->turn++ % nodes->terms->count;

	redis_connection_close(&nodes->sentinel);
	nodes->sentinel_why[0] = '\0';
	nodes->sentinel = redis_connection_open(
	    &nodes->terms->sentinel, &nodes->terms->servers[i]);
}

/* Why the sentinel is of no use, or "". */
static const char *
sentinel_fault(const struct redis_nodes *nodes)
{
	if (nodes->sentinel_why[0] != '\0')
		return nodes->sentinel_why;
	return nodes->sentinel->why;
}

/* None of them knows. */
static void
end_round(struct redis_nodes *nodes)
{
	nodes->rebuffs = nodes->is_rebuffed ? nodes->rebuffs + 1 : 0;
	nodes->rebuffed_ms =
	    nodes->is_rebuffed ? redis_pause(nodes->rebuffs, LOGIN_MS) : 0;
	nodes->is_rebuffed = false;
	nodes->asked_at = redis_now();
	redis_connection_close(&nodes->sentinel);
}

static void
work_sentinel(struct redis_nodes *nodes, int64_t pause)
{
	struct redis_connection *master = nodes->nodes[0].conn;

	if (nodes->is_asking)
		return;
	if (nodes->sentinel == NULL) {
		if (redis_now() - nodes->asked_at >= pause)
			open_sentinel(nodes);
	} else if (sentinel_fault(nodes)[0] != '\0') {
		nodes->is_rebuffed |= nodes->sentinel->is_refused;
		redis_connection_excuse(
		    master, nodes->sentinel->where, sentinel_fault(nodes));
		if (nodes->turn % nodes->terms->count != 0) {
			open_sentinel(nodes);
			return;
		}
		end_round(nodes);
	} else if (redis_connection_is_up(nodes->sentinel) &&
	    (redis_now() - nodes->asked_at >= pause ||
		atomic_exchange(&nodes->is_wanted, false))) {
		nodes->asked_at = redis_now();
		resp_add(&nodes->words, "SENTINEL", "get-master-addr-by-name",
		    nodes->terms->master_name);
		ask(nodes, nodes->sentinel, take_master);
	}
}

/* ---- Cluster */

static void
apply(struct redis_nodes *nodes, const struct redis_map *map)
{
	uint8_t place[REDIS_NODES]; /* of the map's nodes among ours */

	memset(place, REDIS_NO_NODE, sizeof place);
	for (size_t i = 0; i < REDIS_NODES; i++)
		nodes->nodes[i].is_seed = false;
	for (size_t i = 0; i < map->count; i++) {
		struct node *node = find_or_open(nodes, &map->nodes[i]);

		if (node != NULL)
			place[i] = (uint8_t)(node - nodes->nodes);
	}
	lock(nodes);
	for (size_t i = 0; i < REDIS_NODES; i++)
		nodes->nodes[i].is_listed = false;
	for (size_t i = 0; i < map->count; i++)
		if (place[i] != REDIS_NO_NODE)
			nodes->nodes[place[i]].is_listed = true;
	for (size_t i = 0; i < REDIS_SLOTS; i++)
		nodes->owner[i] = map->owner[i] != REDIS_NO_NODE
		    ? place[map->owner[i]]
		    : REDIS_NO_NODE;
	unlock(nodes);
}

static void
report_map(struct redis_nodes *nodes, const char *where, const char *why)
{
	const struct redis_connection_terms *terms = &nodes->terms->conn;
	enum redis_news news =
	    (enum redis_news)outage_note(&nodes->outage, why, redis_now());

	if (news != REDIS_NEWS_NONE && terms->report != NULL)
		terms->report(terms->report_arg, news, where,
		    news == REDIS_NEWS_UP ? "knows the cluster again" : why);
}

static void
take_map(struct redis_call *call)
{
	struct redis_nodes *nodes = call->arg;
	const struct resp_reply *reply = nodes->answer[0];
	const char *where = call->conn->where;
	char why[REDIS_WORDS_SIZE];
	struct redis_map map;

	if (call->answer != REDIS_ANSWERED) {
		redis_nodes_refresh(nodes);
	} else if (resp_error(reply) != NULL) {
		ascii_clean(resp_error(reply), why, sizeof why);
		report_map(nodes, where, why);
	} else if (redis_map_read(reply, &call->conn->address, &map)) {
		apply(nodes, &map);
		report_map(nodes, where, NULL);
	} else {
		report_map(nodes, where, "the cluster serves no slot");
		redis_nodes_refresh(nodes);
	}
	end_question(nodes);
}

/* A node that answers, another one each time; NULL: there is none. */
static struct redis_connection *
choose_node(struct redis_nodes *nodes)
{
	for (size_t i = 0; i < REDIS_NODES; i++) {
		struct redis_connection *conn =
		    nodes->nodes[nodes->turn++ % REDIS_NODES].conn;

		if (conn != NULL && redis_connection_is_up(conn))
			return conn;
	}
	return NULL;
}

static void
open_seeds(struct redis_nodes *nodes)
{
	for (size_t i = 0; i < nodes->terms->count; i++) {
		struct node *node =
		    find_or_open(nodes, &nodes->terms->servers[i]);

		if (node != NULL)
			node->is_seed = true;
	}
}

static void
work_cluster(struct redis_nodes *nodes, int64_t pause)
{
	struct redis_connection *conn;

	retire(nodes);
	if (nodes->is_asking || redis_now() - nodes->asked_at < pause)
		return;
	conn = choose_node(nodes);
	if (conn == NULL) {
		open_seeds(nodes);
		return;
	}
	nodes->asked_at = redis_now();
	atomic_store(&nodes->is_wanted, false);
	resp_add(&nodes->words, "CLUSTER", "SLOTS");
	ask(nodes, conn, take_map);
}

struct redis_connection *
redis_nodes_redirected(struct redis_nodes *nodes,
    const struct redis_redirect *redirect, const struct redis_connection *asked)
{
	struct redis_address address;
	struct node *node = NULL;

	redis_nodes_refresh(nodes);
	if (is_cluster(nodes) &&
	    redis_address_redirect(redirect->to, &asked->address, &address))
		node = find_or_open(nodes, &address);
	if (node == NULL)
		return NULL;
	lock(nodes);
	node->is_listed = true;
	if (!redirect->is_ask)
		nodes->owner[redirect->slot] = (uint8_t)(node - nodes->nodes);
	unlock(nodes);
	return node->conn;
}

/* ---- All of them */

void
redis_nodes_refresh(struct redis_nodes *nodes)
{
	atomic_store(&nodes->is_wanted, true);
}

static void
note_loss(void *arg)
{
	redis_nodes_refresh(arg);
}

/* Between two questions. */
static int64_t
pause_of(const struct redis_nodes *nodes)
{
	if (is_cluster(nodes))
		return atomic_load(&nodes->is_wanted) ? SOON_MS : REFRESH_MS;
	if (nodes->sentinel == NULL && nodes->rebuffed_ms > 0)
		return nodes->rebuffed_ms;
	return redis_connection_is_up(nodes->nodes[0].conn) ? POLL_MS
							    : HASTE_MS;
}

void
redis_nodes_hurry(struct redis_nodes *nodes)
{
	nodes->rebuffs = 0;
	nodes->rebuffed_ms = 0;
	nodes->asked_at = INT64_MIN / 2;
	redis_nodes_refresh(nodes);
	for (size_t i = 0; i < REDIS_NODES; i++)
		if (nodes->nodes[i].conn != NULL)
			redis_connection_hurry(nodes->nodes[i].conn);
}

/* Milliseconds until there is something to ask, or to look for. */
static int
work(struct redis_nodes *nodes)
{
	int64_t pause = pause_of(nodes), left;

	if (nodes->terms->mode == REDIS_SINGLE)
		return POLL_MS;
	if (is_cluster(nodes))
		work_cluster(nodes, pause);
	else
		work_sentinel(nodes, pause);
	left = nodes->asked_at + pause_of(nodes) - redis_now();
	if (nodes->is_asking || left > POLL_MS)
		return POLL_MS;
	return left > 0 ? (int)left : SOON_MS;
}

size_t
redis_nodes_work(struct redis_nodes *nodes,
    struct redis_connection *conns_r[REDIS_CONNS], int *patience_r)
{
	size_t count = 0;

	*patience_r = work(nodes);
	for (size_t i = 0; i < REDIS_NODES; i++)
		if (nodes->nodes[i].conn != NULL)
			conns_r[count++] = nodes->nodes[i].conn;
	if (nodes->sentinel != NULL)
		conns_r[count++] = nodes->sentinel;
	return count;
}

bool
redis_nodes_end(struct redis_nodes *nodes)
{
	bool are_over = true;

	for (size_t i = 0; i < REDIS_NODES; i++)
		if (nodes->nodes[i].conn != NULL) {
			redis_connection_end(nodes->nodes[i].conn, NULL);
			if (!redis_connection_is_over(nodes->nodes[i].conn))
				are_over = false;
		}
	return are_over;
}

struct redis_nodes *
redis_nodes_open(struct redis_nodes_terms *terms)
{
	struct redis_nodes *nodes = calloc(1, sizeof *nodes);
	struct node *first = NULL;

	if (nodes == NULL)
		return NULL;
	nodes->terms = terms;
	nodes->terms->conn.lost = note_loss;
	nodes->terms->conn.lost_arg = nodes;
	nodes->terms->sentinel.connect_ms = QUERY_MS;
	nodes->terms->sentinel.call_ms = QUERY_MS;
	nodes->asked_at = INT64_MIN / 2;
	atomic_init(&nodes->is_wanted, true);
	memset(nodes->owner, REDIS_NO_NODE, sizeof nodes->owner);
	if (is_cluster(nodes))
		return nodes;
	first = open_node(
	    nodes, terms->mode == REDIS_SINGLE ? &terms->servers[0] : NULL);
	if (first == NULL)
		redis_nodes_close(&nodes);
	else
		first->is_listed = true;
	return nodes;
}

void
redis_nodes_close(struct redis_nodes **nodes)
{
	if (*nodes == NULL)
		return;
	redis_connection_close(&(*nodes)->sentinel);
	for (size_t i = 0; i < REDIS_NODES; i++)
		redis_connection_close(&(*nodes)->nodes[i].conn);
	resp_free(&(*nodes)->words);
	free(*nodes);
	*nodes = NULL;
}
