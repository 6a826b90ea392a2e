#include "redis.h"
#include "redis_cluster.h"
#include "redis_crew.h"
#include "redis_follow.h"
#include "redis_health.h"
#include "redis_sentinel.h"
#include "redis_slot.h"
#include "redis_teller.h"
#include "redis_thread.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DEFAULT_CALL_MS = 200,
	DEFAULT_CONNECT_MS = 1000,
	STRINGS = 6,
};

struct redis {
	int64_t call_ms;
	char *strings[STRINGS]; /* of the config, copied for the links */
	struct redis_tls *tls;
	struct redis_health health;
	struct redis_teller *teller;

	/* The one link, or else the sentinels' or the cluster's. */
	struct redis_link *link;
	struct redis_sentinel *sentinel;
	struct redis_cluster *cluster;
};

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
open_sentinel(struct redis *redis, const struct redis_config *config,
    const struct redis_link_terms *link_terms,
    const struct redis_address *addresses)
{
	struct redis_sentinel_terms terms = {
	    .login = link_terms->login,
	    .master_name = config->master_name,
	    .sentinels = addresses,
	    .count = config->server_count,
	};

	terms.login.user = config->sentinel_user;
	terms.login.password = config->sentinel_password;
	terms.login.database = 0;
	terms.login.must_be_master = false;
	redis->sentinel = redis_sentinel_open(&terms, link_terms);
	if (redis->sentinel == NULL)
		return false;
	redis->link = redis_sentinel_link(redis->sentinel);
	return true;
}

static bool
open_links(struct redis *redis, const struct redis_config *config,
    const struct redis_address *addresses)
{
	struct redis_link_terms terms = {
	    .login =
		{
		    .user = config->user,
		    .password = config->password,
		    .database = config->database,
		    .must_be_master = config->mode != REDIS_CLUSTER,
		    .tls = redis->tls,
		    .tls_name = config->tls_name,
		    .connect_ms = config->connect_ms > 0 ? config->connect_ms
							 : DEFAULT_CONNECT_MS,
		},
	    .report = config->report,
	    .report_arg = config->report_arg,
	};

	if (config->mode == REDIS_SENTINEL)
		return open_sentinel(redis, config, &terms, addresses);
	if (config->mode == REDIS_CLUSTER) {
		redis->cluster =
		    redis_cluster_open(&terms, addresses, config->server_count);
		return redis->cluster != NULL;
	}
	redis->link = redis_link_open(&terms, &addresses[0]);
	return redis->link != NULL;
}

static bool
open_all(struct redis *redis, struct redis_config config,
    const struct redis_address *addresses, char *error_r, size_t size)
{
	if (!open_tls(redis, &config, error_r, size))
		return false;
	if (keep_strings(redis, &config) &&
	    open_links(redis, &config, addresses))
		redis->teller =
		    redis_teller_open(&redis->health, redis->cluster);
	if (redis->teller == NULL)
		(void)snprintf(
		    error_r, size, "out of memory, threads or descriptors");
	return redis->teller != NULL;
}

struct redis *
redis_open(const struct redis_config *config, char *error_r, size_t size)
{
	struct redis_address addresses[REDIS_SERVERS];
	struct redis *redis;
	const char *wrong = check(config);

	if (wrong != NULL) {
		(void)snprintf(error_r, size, "%s", wrong);
		return NULL;
	}
	if (!parse_servers(config, addresses, error_r, size))
		return NULL;
	redis = calloc(1, sizeof *redis);
	if (redis == NULL) {
		(void)snprintf(error_r, size, "out of memory");
		return NULL;
	}
	redis->call_ms =
	    config->call_ms > 0 ? config->call_ms : DEFAULT_CALL_MS;
	redis_health_open(&redis->health, config->report, config->report_arg);
	if (!open_all(redis, *config, addresses, error_r, size))
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
	if (self->teller != NULL)
		redis_teller_stop(self->teller);
	if (self->sentinel != NULL)
		redis_sentinel_close(&self->sentinel);
	else
		redis_link_close(&self->link);
	redis_cluster_close(&self->cluster);
	redis_teller_close(&self->teller);
	redis_health_close(&self->health);
	redis_tls_close(&self->tls);
	for (size_t i = 0; i < STRINGS; i++)
		free(self->strings[i]);
	free(self);
}

/* ---- Asking and telling */

/* The link for a key, to be given back, or NULL when there is none or it is
 * not up. */
static struct redis_link *
take_link(struct redis *redis, const char *key)
{
	if (redis->cluster != NULL)
		return redis_cluster_take(redis->cluster, redis_slot(key));
	return redis_link_is_up(redis->link) ? redis->link : NULL;
}

static void
give_links(struct redis *redis, struct redis_link *const *links, size_t count)
{
	for (size_t i = 0; i < count && redis->cluster != NULL; i++)
		redis_cluster_give(redis->cluster, links[i]);
}

/* All or none, so that what belongs together is not sent by half while one of
 * the servers is known to be away. */
static bool
take_links(struct redis *redis, const struct redis_request *requests,
    size_t count, struct redis_link **links_r)
{
	if (count > REDIS_REQUESTS)
		return false;
	for (size_t i = 0; i < count; i++) {
		links_r[i] = take_link(redis, requests[i].key);
		if (links_r[i] == NULL ||
		    !resp_is_complete(&requests[i].commands)) {
			give_links(redis, links_r, i + (links_r[i] != NULL));
			return false;
		}
	}
	return true;
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

/* Refused ones have no replies. */
static void
submit_all(struct redis_request *requests, size_t count,
    struct redis_link *const *links, struct redis_call *calls)
{
	for (size_t i = 0; i < count; i++) {
		struct redis_request *request = &requests[i];

		request->replies = calloc(
		    request->commands.count, sizeof(struct resp_reply *));
		calls[i].commands = &request->commands;
		calls[i].replies = request->replies;
		/* One number is enough for all that go to one server. */
		calls[i].is_unguarded =
		    i + 1 < count && links[i + 1] == links[i];
		if (request->replies != NULL &&
		    !redis_link_submit(links[i], &calls[i]))
			free_replies(request);
	}
}

/* All are on their way before the first is waited for. */
static void
await_all(const struct redis_request *requests, size_t count,
    struct redis_link *const *links, struct redis_call *calls)
{
	for (size_t i = 0; i < count; i++)
		if (i == 0 || links[i] != links[i - 1])
			redis_link_push(links[i]);
	for (size_t i = 0; i < count; i++)
		if (requests[i].replies != NULL)
			redis_link_await(&calls[i]);
}

/* All of it was done? */
static bool
is_well(struct redis *redis, struct redis_call *call)
{
	bool is_followed;

	if (!call->is_answered)
		return false;
	is_followed =
	    redis->cluster == NULL || redis_follow(redis->cluster, call);
	if (redis_health_note(&redis->health, call))
		return is_followed;
	if (redis->cluster != NULL)
		redis_cluster_refresh(redis->cluster);
	return false;
}

enum redis_answer
redis_ask(struct redis *redis, struct redis_request *requests, size_t count,
    int64_t within_ms)
{
	struct redis_link *links[REDIS_REQUESTS];
	struct redis_call calls[REDIS_REQUESTS];
	int64_t due_ms;
	enum redis_answer answer = REDIS_OK;

	for (size_t i = 0; i < count; i++)
		free_replies(&requests[i]);
	if (!take_links(redis, requests, count, links))
		return REDIS_FAILED;
	if (within_ms <= 0)
		within_ms = redis->call_ms;
	else if (within_ms < REDIS_PATIENCE_MS)
		within_ms = REDIS_PATIENCE_MS;
	due_ms = redis_thread_now() + within_ms;
	for (size_t i = 0; i < count; i++)
		calls[i] = (struct redis_call){.due_ms = due_ms};

	submit_all(requests, count, links, calls);
	await_all(requests, count, links, calls);
	for (size_t i = 0; i < count; i++)
		if (!is_well(redis, &calls[i]))
			answer = REDIS_FAILED;
	give_links(redis, links, count);
	return answer;
}

enum redis_answer
redis_tell(
    struct redis *redis, const struct redis_request *requests, size_t count)
{
	struct redis_link *links[REDIS_REQUESTS];
	int64_t due_ms = redis_thread_now() + REDIS_RIDE_MS + redis->call_ms;
	enum redis_answer answer = REDIS_OK;

	if (!take_links(redis, requests, count, links))
		return REDIS_FAILED;
	for (size_t i = 0; i < count; i++)
		if (!redis_teller_send(
			redis->teller, links[i], &requests[i].commands, due_ms))
			answer = REDIS_FAILED;
	give_links(redis, links, count);
	return answer;
}

bool
redis_is_up(struct redis *redis)
{
	if (redis->cluster != NULL)
		return redis_cluster_is_up(redis->cluster);
	return redis_link_is_up(redis->link);
}

bool
redis_takes_writes(struct redis *redis, const char *key)
{
	struct redis_link *link = take_link(redis, key);
	bool takes;

	if (link == NULL)
		return false;
	takes = redis_link_takes_writes(link);
	give_links(redis, &link, 1);
	return takes;
}

void
redis_request_free(struct redis_request *request)
{
	free_replies(request);
	resp_free(&request->commands);
}
