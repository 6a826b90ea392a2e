#include "keeper.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/memory/store_memory.h"
#include "store/redis/store_redis.h"

#define NOON	 INT64_C(1780000000)
#define PATIENCE 12000 /* tries of 5 ms */
#define NETWORKS 16    /* so many that some lie on each master of a cluster */

static struct {
	bool redis;
	int64_t mode; /* enum redis_layout */
	char *master_name;
	char **servers; /* ends with NULL, as argv does */
} selected;

static char said[1024];
static char prefix[64];

bool
keeper_select(int argc, char **argv)
{
	if (argc < 2)
		return true;
	selected.redis = true;
	if (argc == 3 && strcmp(argv[1], "single") == 0) {
		selected.mode = LAYOUT_SINGLE;
		selected.servers = argv + 2;
	} else if (argc > 3 && strcmp(argv[1], "sentinel") == 0) {
		selected.mode = LAYOUT_SENTINEL;
		selected.master_name = argv[2];
		selected.servers = argv + 3;
	} else if (argc > 2 && strcmp(argv[1], "cluster") == 0) {
		selected.mode = LAYOUT_CLUSTER;
		selected.servers = argv + 2;
	} else {
		fprintf(stderr,
		    "usage: %s [single ADDRESS | sentinel NAME ADDRESS... | "
		    "cluster ADDRESS...]\n",
		    argv[0]);
		return false;
	}
	return true;
}

bool
keeper_is_redis(void)
{
	return selected.redis;
}

enum redis_mode
keeper_mode(void)
{
	if (selected.mode == LAYOUT_SINGLE)
		return REDIS_SINGLE;
	return selected.mode == LAYOUT_CLUSTER ? REDIS_CLUSTER : REDIS_SENTINEL;
}

struct store_terms
keeper_terms(void)
{
	return (struct store_terms){
	    .host = "mx1.example.net",
	    .half_life = KEEPER_HALF_LIFE,
	    .pending_life = KEEPER_PENDING_LIFE,
	    .worthy_life = KEEPER_WORTHY_LIFE,
	    .abandoned_after = KEEPER_ABANDONED_AFTER,
	    .abandoned_points = 2,
	    .network_cap = 256,
	    .memory_max = 16 << 20,
	};
}

static void
note(void *arg, bool bad, const char *text)
{
	(void)arg;
	snprintf(said, sizeof said, "%s%s", bad ? "bad: " : "", text);
}

const char *
keeper_said(void)
{
	return said;
}

/* Every test has a process of its own, and so a prefix of its own. */
const char *
keeper_prefix(void)
{
	if (prefix[0] == '\0')
		snprintf(prefix, sizeof prefix, "test:%ld:%ld:", (long)getpid(),
		    (long)time(NULL));
	return prefix;
}

static void
pause_briefly(void)
{
	const struct timespec pause = {0, 5000000};

	nanosleep(&pause, NULL);
}

static struct store *
open_redis(const struct store_terms *terms, const char *own_prefix,
    char *error_r, size_t error_size)
{
	struct settings settings = {0};
	struct store_redis_config config = {
	    .settings = &settings, .terms = *terms, .report = note};
	char copy[256], nothing[] = "";

	snprintf(copy, sizeof copy, "%s", own_prefix);
	settings.redis.servers = selected.servers;
	settings.redis.mode = selected.mode;
	settings.redis.master_name =
	    selected.master_name != NULL ? selected.master_name : nothing;
	settings.redis.user = settings.redis.password_file =
	    settings.redis.sentinel_user =
		settings.redis.sentinel_password_file = nothing;
	settings.redis.tls_ca_file = settings.redis.tls_cert_file =
	    settings.redis.tls_key_file = settings.redis.tls_name = nothing;
	settings.redis.prefix = copy;
	settings.redis.deadline_ms = 10000;
	settings.redis.connect_ms = 1000;
	return store_redis_open(&config, error_r, error_size);
}

struct store *
keeper_try_prefix(const char *text, char *error_r, size_t error_size)
{
	const struct store_terms terms = keeper_terms();

	return open_redis(&terms, text, error_r, error_size);
}

void
keeper_use(char **servers)
{
	selected.servers = servers;
	selected.mode = LAYOUT_SINGLE;
}

static struct store *
open_memory(const struct store_terms *terms)
{
	const unsigned char key[TRIPLET_KEY] = {1, 2, 3};
	struct store_memory_config config = {
	    .terms = *terms, .key = key, .report = note};

	return store_memory_open(&config, NOON);
}

struct store *
keeper_connect(const struct store_terms *terms)
{
	char error[256] = "";
	struct store *store = selected.redis
	    ? open_redis(terms, keeper_prefix(), error, sizeof error)
	    : open_memory(terms);

	ck_assert_msg(store != NULL, "the store cannot be opened: %s", error);
	return store;
}

static void
name_network(int number, char name_r[STORE_NETWORK_SIZE])
{
	snprintf(name_r, STORE_NETWORK_SIZE, "%d.0.0.0/24", number);
}

static bool
answers(struct store *store, int number, int64_t *now_r)
{
	static struct store_answer answer;
	char network[STORE_NETWORK_SIZE];
	const struct store_query query = {
	    .now = selected.redis ? time(NULL) : NOON,
	    .client = {.network = network}};

	name_network(number, network);
	if (store_look_up(store, &query, &answer) != STORE_OK)
		return false;
	*now_r = answer.now;
	return true;
}

/* The links to the masters of a cluster come up one by one: that one network is
 * answered for says nothing about the next. */
static bool
answers_for_all(struct store *store)
{
	int64_t now;
	int number = 0;

	while (number < NETWORKS && answers(store, number, &now))
		number++;
	return number == NETWORKS;
}

struct store *
keeper_open(const struct store_terms *terms)
{
	struct store *store = keeper_connect(terms);

	for (int i = 0; !answers_for_all(store); i++) {
		ck_assert_msg(i < PATIENCE, "the store does not answer: %s",
		    keeper_said());
		pause_briefly();
	}
	return store;
}

int64_t
keeper_now(struct store *store)
{
	int64_t now = 0;

	ck_assert(answers(store, 0, &now));
	return now;
}

/* redis_is_up is content with one master of a cluster. */
static bool
all_are_up(struct redis *redis)
{
	char network[STORE_NETWORK_SIZE], key[STORE_NETWORK_SIZE + 2];
	bool are_up = true;

	for (int number = 0; are_up && number < NETWORKS; number++) {
		name_network(number, network);
		snprintf(key, sizeof key, "{%s}", network);
		are_up = redis_takes_writes(redis, key);
	}
	return are_up;
}

struct redis *
keeper_redis(void)
{
	struct redis_config config = {.mode = keeper_mode(),
	    .servers = (const char *const *)selected.servers,
	    .master_name = selected.master_name,
	    .call_ms = 10000};
	char error[256];
	struct redis *redis;

	while (selected.servers[config.server_count] != NULL)
		config.server_count++;
	redis = redis_open(&config, error, sizeof error);
	ck_assert_msg(redis != NULL, "redis_open: %s", error);
	for (int i = 0; !all_are_up(redis); i++) {
		ck_assert_msg(i < PATIENCE, "Redis does not answer");
		pause_briefly();
	}
	return redis;
}
