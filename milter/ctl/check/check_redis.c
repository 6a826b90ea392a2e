#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "base/seconds.h"
#include "base/secret.h"
#include "ctl/check/check.h"
#include "ctl/open_store.h"
#include "redis/redis.h"
#include "store/record.h"
#include "store/redis/store_redis.h"

#define KEY_SIZE   160
#define UP_MS	   3000
#define FRESH	   INT64_C(60) /* seconds, of what servers tell */
#define VALUE_SIZE 64
#define NEEDED	   7 /* the first number of Redis's version */

struct look {
	struct check *check;
	struct store *store;
	struct redis *link;
};

/* Said by the link's thread. */
struct news {
	pthread_mutex_t mutex;
	char text[CTL_WHY_SIZE];
};

static void
hear(void *arg, bool bad, const char *text)
{
	struct news *news = arg;

	pthread_mutex_lock(&news->mutex);
	if (bad)
		(void)snprintf(news->text, sizeof news->text, "%s", text);
	pthread_mutex_unlock(&news->mutex);
}

static void
name_key(const struct look *look, const char *name, char key_r[KEY_SIZE])
{
	(void)snprintf(
	    key_r, KEY_SIZE, "%s%s", look->check->settings->redis.prefix, name);
}

/* Ask one command; NULL: it was not answered, or refused.  End it by
 * redis_request_free(). */
static const struct resp_reply *
ask(const struct look *look, struct redis_request *request)
{
	const struct resp_reply *reply;

	if (redis_ask(look->link, request, 1, redis_due(look->link, UP_MS)) ==
		REDIS_LATE ||
	    request->replies == NULL)
		return NULL;
	reply = request->replies[request->commands.count - 1];
	return resp_error(reply) == NULL ? reply : NULL;
}

/* ---- INFO */

/* "name:value" of a text of lines; false: it is not there. */
static bool
find_value(const char *text, const char *name, char value_r[VALUE_SIZE])
{
	size_t length = strlen(name);

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) != 0 || line[length] != ':')
			continue;
		(void)snprintf(value_r, VALUE_SIZE, "%.*s",
		    (int)strcspn(line + length + 1, "\r\n"), line + length + 1);
		return true;
	}
	return false;
}

static bool
find_number(const char *text, const char *name, int64_t *number_r)
{
	char value[VALUE_SIZE];

	return find_value(text, name, value) &&
	    decimal_read_all(value, strlen(value), INT64_MAX, number_r);
}

static void
check_version(const struct look *look, const char *info)
{
	char value[VALUE_SIZE];

	if (!find_value(info, "redis_version", value))
		return;
	if (decimal_scan(value, NULL) < NEEDED)
		check_say(look->check, CHECK_ERROR, "redis",
		    "install 7.0 or later", "Redis %s is too old", value);
	else
		check_say(
		    look->check, CHECK_OK, "redis", NULL, "Redis %s", value);
}

static void
check_memory(const struct look *look, const char *info)
{
	int64_t most, used;
	char policy[VALUE_SIZE];

	if (!find_number(info, "maxmemory", &most) ||
	    !find_value(info, "maxmemory_policy", policy) ||
	    !find_number(info, "used_memory", &used))
		return;
	if (most == 0)
		check_say(look->check, CHECK_WARNING, "redis",
		    "set maxmemory, such as 1gb",
		    "its memory has no bound of its own");
	else if ((double)used > 0.9 * (double)most)
		check_say(look->check, CHECK_WARNING, "redis",
		    "raise maxmemory",
		    "more than nine tenths of maxmemory are used");
	if (strcmp(policy, "volatile-ttl") == 0)
		check_say(look->check, CHECK_OK, "redis", NULL,
		    "maxmemory-policy %s", policy);
	else
		check_say(look->check,
		    strcmp(policy, "noeviction") == 0 && most != 0
			? CHECK_ERROR
			: CHECK_WARNING,
		    "redis", "set maxmemory-policy volatile-ttl",
		    "maxmemory-policy %s: %s", policy,
		    strcmp(policy, "noeviction") == 0
			? "when it is full, it remembers nothing new"
			: "known clients may go before strangers");
}

static void
check_saving(const struct look *look, const char *info)
{
	char status[VALUE_SIZE], aof[VALUE_SIZE] = "0", role[VALUE_SIZE];

	if (find_value(info, "rdb_last_bgsave_status", status) &&
	    strcmp(status, "ok") != 0)
		check_say(look->check, CHECK_ERROR, "redis",
		    "see its log; and set stop-writes-on-bgsave-error no",
		    "it could not save the last time");
	if (find_value(info, "aof_enabled", aof) && strcmp(aof, "0") != 0 &&
	    find_value(info, "aof_last_write_status", status) &&
	    strcmp(status, "ok") != 0)
		check_say(look->check, CHECK_ERROR, "redis", "see its log",
		    "it could not write its append-only file");
	if (find_value(info, "role", role) && strcmp(role, "master") != 0)
		check_say(look->check, CHECK_ERROR, "redis",
		    "name the master, or use mode = sentinel",
		    "it is a %s, which takes no writes", role);
}

/* Whether it saves at all is known to CONFIG alone, which few let us see. */
static void
check_persistence(const struct look *look, const char *info)
{
	char aof[VALUE_SIZE];
	struct redis_request request = {.key = "x"};
	const struct resp_reply *reply;
	const char *save;

	if (find_value(info, "aof_enabled", aof) && strcmp(aof, "1") == 0)
		return;
	resp_add(&request.commands, "CONFIG", "GET", "save");
	reply = ask(look, &request);
	save = resp_string(resp_element(reply, 1), NULL);
	if (save != NULL && save[0] == '\0')
		check_say(look->check, CHECK_WARNING, "redis", "set save 900 1",
		    "it saves no snapshots: a restart forgets all");
	redis_request_free(&request);
}

static void
check_info(const struct look *look)
{
	char key[KEY_SIZE];
	struct redis_request request = {.key = key};
	const char *info;

	name_key(look, "load", key);
	resp_add(&request.commands, "INFO");
	info = resp_string(ask(look, &request), NULL);
	if (info == NULL) {
		check_say(look->check, CHECK_WARNING, "redis",
		    "let the user of check have +info",
		    "its version, memory and saving cannot be looked at");
	} else {
		check_version(look, info);
		check_memory(look, info);
		check_saving(look, info);
		check_persistence(look, info);
	}
	redis_request_free(&request);
}

/* ---- Clock and latency */

static void
check_clock(const struct look *look)
{
	char key[KEY_SIZE];
	struct redis_request request = {.key = key};
	int64_t began_us = clock_steady_us(), took_ms, told, apart;
	int64_t deadline_ms = look->check->settings->redis.deadline_ms;
	const struct resp_reply *reply;

	name_key(look, "load", key);
	resp_add(&request.commands, "TIME");
	reply = ask(look, &request);
	took_ms = (clock_steady_us() - began_us) / 1000;
	if (resp_integer(resp_element(reply, 0), &told)) {
		apart = seconds_apart(told, (int64_t)time(NULL));
		check_say(look->check, apart > 2 ? CHECK_WARNING : CHECK_OK,
		    "redis",
		    apart > 2 ? "let both hosts follow a time server" : NULL,
		    "its clock is %" PRId64 " seconds off this host's", apart);
	}
	redis_request_free(&request);
	if (took_ms > deadline_ms / 2)
		check_say(look->check, CHECK_WARNING, "redis",
		    "bring it nearer, or raise redis.deadline",
		    "it took %" PRId64 " ms to answer, of %" PRId64 " at most",
		    took_ms, deadline_ms);
}

/* ---- Rights */

/* Each as it could be called, `@` for a key; see milter-defer-redis(5). */
static const char *const commands[][6] = {{"HMGET", "@", "f"},
    {"HGET", "@", "f"}, {"HLEN", "@"}, {"HGETALL", "@"},
    {"HSET", "@", "f", "1"}, {"HSETNX", "@", "f", "1"},
    {"HINCRBY", "@", "f", "1"}, {"HDEL", "@", "f"}, {"ZMSCORE", "@", "m"},
    {"ZINCRBY", "@", "1", "m"}, {"ZADD", "@", "1", "m"}, {"EXPIRE", "@", "60"},
    {"UNLINK", "@"}, {"GET", "@"}, {"SET", "@", "1"}, {"LPOP", "@"},
    {"SADD", "@", "m"}, {"SREM", "@", "m"}, {"SCARD", "@"}, {"SSCAN", "@", "0"},
    {"ZREM", "@", "m"}, {"ZCARD", "@"}, {"ZSCAN", "@", "0"},
    {"ZRANGE", "@", "0", "-1"}, {"ZREMRANGEBYSCORE", "@", "0", "1"},
    {"ZREMRANGEBYRANK", "@", "0", "-2"}, {"ZCOUNT", "@", "0", "1"}};

#define COMMANDS (sizeof commands / sizeof commands[0])

/* In a transaction that cannot be carried out: each is looked at, and none is
 * done. */
static void
check_rights(const struct look *look)
{
	char key[KEY_SIZE], missing[512] = "";
	struct redis_request request = {.key = key};
	size_t answered = 0;

	name_key(look, "check", key);
	resp_add(&request.commands, "MULTI");
	resp_add(&request.commands, "GET");
	for (size_t i = 0; i < COMMANDS; i++) {
		const char *words[7] = {NULL};

		for (size_t j = 0; j < 6 && commands[i][j] != NULL; j++)
			words[j] =
			    commands[i][j][0] == '@' ? key : commands[i][j];
		resp_add_all(&request.commands, words);
	}
	resp_add(&request.commands, "EXEC");
	(void)redis_ask(look->link, &request, 1, redis_due(look->link, UP_MS));
	for (size_t i = 0; request.replies != NULL && i < COMMANDS; i++) {
		const char *error = resp_error(request.replies[i + 2]);

		answered += request.replies[i + 2] != NULL;
		if (error == NULL || strncmp(error, "NOPERM", 6) != 0)
			continue;
		strncat(missing, missing[0] == '\0' ? "" : " ",
		    sizeof missing - strlen(missing) - 1);
		strncat(missing, commands[i][0],
		    sizeof missing - strlen(missing) - 1);
	}
	redis_request_free(&request);
	if (answered < COMMANDS)
		check_say(look->check, CHECK_WARNING, "redis", NULL,
		    "what its user may do could not be looked at");
	else if (missing[0] != '\0')
		check_say(look->check, CHECK_ERROR, "redis",
		    "give them, as in milter-defer-redis(5)",
		    "its user lacks the right to %s keys of %s*", missing,
		    look->check->settings->redis.prefix);
	else
		check_say(look->check, CHECK_OK, "redis", NULL,
		    "its user may do all that is needed");
}

/* ---- The farm */

/* What servers told lately: which secret, and who of them. */
static void
check_secret(const struct look *look)
{
	char key[KEY_SIZE], ours[TRIPLET_SIZE] = "", others[512] = "";
	struct redis_request request = {.key = key};
	struct triplet_namer namer;
	const struct resp_reply *marks;
	bool is_told = false;

	if (store_namer(look->store, &namer) == STORE_OK)
		(void)triplet_fingerprint(&namer, ours);
	secret_wipe(&namer, sizeof namer);
	name_key(look, "secrets", key);
	resp_add(&request.commands, "HGETALL", key);
	marks = ask(look, &request);
	for (size_t i = 0; i + 1 < resp_count(marks); i += 2) {
		const char *name = resp_string(resp_element(marks, i), NULL);
		const char *mark =
		    resp_string(resp_element(marks, i + 1), NULL);
		const char *host;

		if (name == NULL || mark == NULL ||
		    seconds_apart(
			decimal_scan(mark, &host), (int64_t)time(NULL)) > FRESH)
			continue;
		is_told |= strcmp(name, ours) == 0;
		if (strcmp(name, ours) == 0 || *host != ':')
			continue;
		strncat(others, " ", sizeof others - strlen(others) - 1);
		strncat(others, host + 1, sizeof others - strlen(others) - 1);
	}
	redis_request_free(&request);
	if (others[0] != '\0')
		check_say(look->check, CHECK_ERROR, "secret",
		    "put the same secret_file on all, or set it on none",
		    "other than this host's is the secret of%s", others);
	else if (is_told)
		check_say(look->check, CHECK_OK, "secret", NULL,
		    "all servers have this host's, %s", ours);
}

struct hosts {
	char names[512];
	size_t count;
	int64_t now;
};

static void
add_host(void *arg, const char *host, const struct load_report *report)
{
	struct hosts *hosts = arg;

	if (seconds_apart(report->at, hosts->now) > FRESH)
		return;
	hosts->count++;
	strncat(
	    hosts->names, " ", sizeof hosts->names - strlen(hosts->names) - 1);
	strncat(
	    hosts->names, host, sizeof hosts->names - strlen(hosts->names) - 1);
}

static void
check_farm(const struct look *look)
{
	struct hosts hosts = {
	    .now = store_now(look->store, (int64_t)time(NULL))};

	if (store_hosts(look->store, add_host, &hosts) == STORE_OK)
		check_say(look->check, CHECK_OK, "farm", NULL,
		    "%zu servers share it:%s", hosts.count, hosts.names);
}

void
check_redis(struct check *check)
{
	int64_t due_us = clock_steady_us() + UP_MS * 1000;
	struct look look = {.check = check};
	struct news news = {.mutex = PTHREAD_MUTEX_INITIALIZER};
	const struct store_opening opening = {true, hear, &news};
	char why[CTL_WHY_SIZE];

	look.store = open_store(
	    check->settings, (int64_t)time(NULL), &opening, why, sizeof why);
	if (look.store == NULL) {
		check_say(check, CHECK_ERROR, "redis", NULL, "%s", why);
		return;
	}
	while (!store_is_up(look.store) && clock_steady_us() < due_us)
		clock_sleep(5);
	look.link = store_redis_link(look.store);
	if (!store_is_up(look.store)) {
		pthread_mutex_lock(&news.mutex);
		check_say(check, CHECK_ERROR, "redis", NULL, "%s",
		    news.text[0] != '\0' ? news.text : "it does not answer");
		pthread_mutex_unlock(&news.mutex);
	} else {
		check_rights(&look);
		check_info(&look);
		check_clock(&look);
		check_secret(&look);
		check_farm(&look);
	}
	store_close(&look.store);
}
