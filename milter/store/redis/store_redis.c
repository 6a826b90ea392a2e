#include "store/redis/store_redis_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"

#define CAP_MAX	    10000 /* records are read whole when they are swept */
#define RENEW_EVERY INT64_C(3600000000) /* microseconds */
#define REPORT_SIZE 512

void
store_redis_say(
    const struct redis_store *store, bool bad, const char *format, ...)
{
	char text[REPORT_SIZE];
	va_list args;

	if (store->report == NULL)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	store->report(store->report_arg, bad, text);
}

static void
tell_fault(void *arg, bool up, const char *where, const char *why)
{
	struct redis_store *store = arg;

	atomic_store(&store->was_away, true);
	if (up)
		store_redis_say(
		    store, false, "Redis at %s is well again", where);
	else
		store_redis_say(store, true, "Redis at %s: %s", where, why);
}

/* ---- What no look-up can do without */

static void
tell_secret(const struct redis_store *store, enum secret_news news)
{
	switch (news) {
	case SECRET_SAME:
	case SECRET_DOWN:
		return;
	case SECRET_MADE:
	case SECRET_FOUND:
		store_redis_say(store, true,
		    "no secret_file is set: sender addresses are hashed with "
		    "a key %s in Redis, where others may read it",
		    news == SECRET_MADE ? "newly made" : "found");
		return;
	case SECRET_CHANGED:
		store_redis_say(store, true,
		    "the key for hashing in Redis was replaced: first attempts "
		    "made before are forgotten");
		return;
	case SECRET_UNFIT:
		store_redis_say(store, true,
		    "the key for hashing in Redis, %skey, has less than 32 "
		    "characters: nothing can be looked up",
		    store->keys.prefix);
		return;
	}
}

void
store_redis_refresh_secret(struct redis_store *store)
{
	char name[KEYS_KEY_SIZE];

	keys_shared(&store->keys, "key", name);
	tell_secret(
	    store, redis_secret_refresh(&store->secret, store->redis, name));
}

/* Any key will do to ask a server for its time. */
static bool
learn_clock(struct redis_store *store)
{
	char name[KEYS_KEY_SIZE];
	struct redis_request request = {.key = name};
	int64_t asked = redis_clock_steady(), now;
	bool learned;

	keys_shared(&store->keys, "load", name);
	resp_add(&request.commands, "TIME");
	learned = redis_ask(store->redis, &request, 1, 0) == REDIS_ANSWERED &&
	    redis_clock_learn(&store->clock, request.replies[0], asked, &now);
	redis_request_free(&request);
	return learned;
}

bool
store_redis_prepare(struct redis_store *store, struct triplet_namer *namer_r)
{
	if (!redis_clock_is_known(&store->clock) && !learn_clock(store))
		return false;
	if (redis_secret_read(&store->secret, namer_r))
		return true;
	store_redis_refresh_secret(store);
	return redis_secret_read(&store->secret, namer_r);
}

/* ---- Life */

static bool
is_up(const struct store *store)
{
	return redis_is_up(((const struct redis_store *)store)->redis);
}

static void
tidy(struct store *store, int64_t now)
{
	struct redis_store *self = (struct redis_store *)store;
	struct triplet_namer namer;
	int64_t steady = redis_clock_steady();

	(void)now;
	if (!redis_is_up(self->redis) || !store_redis_prepare(self, &namer))
		return;
	if (atomic_exchange(&self->was_away, false) ||
	    steady - self->renewed_at >= RENEW_EVERY) {
		self->renewed_at = steady;
		store_redis_refresh_secret(self);
	}
	store_redis_sweep(self);
}

static void
close_redis(struct store *store)
{
	struct redis_store *self = (struct redis_store *)store;

	redis_close(&self->redis);
	store_redis_free_lists(self);
	redis_secret_clear(&self->secret);
	sweep_clear(&self->sweeps);
	free(self);
}

static const struct store_ops operations = {
    .look_up = store_redis_look_up,
    .remember = store_redis_remember,
    .exchange_load = store_redis_exchange_load,
    .read_list = store_redis_read_list,
    .take_reports = store_redis_take_reports,
    .is_up = is_up,
    .tidy = tidy,
    .close = close_redis,
};

/* ---- Opening */

static const char *
or_null(const char *string)
{
	return string[0] == '\0' ? NULL : string;
}

static enum redis_mode
mode_of(int64_t layout)
{
	switch (layout) {
	case LAYOUT_SENTINEL:
		return REDIS_SENTINEL;
	case LAYOUT_CLUSTER:
		return REDIS_CLUSTER;
	default:
		return REDIS_SINGLE;
	}
}

static struct redis_config
link_config(struct redis_store *store, const struct settings *settings)
{
	struct redis_config config = {
	    .mode = mode_of(settings->redis.mode),
	    .servers = (const char *const *)settings->redis.servers,
	    .master_name = or_null(settings->redis.master_name),
	    .user = or_null(settings->redis.user),
	    .database = (int)settings->redis.database,
	    .tls = settings->redis.tls,
	    .tls_ca_file = or_null(settings->redis.tls_ca_file),
	    .tls_cert_file = or_null(settings->redis.tls_cert_file),
	    .tls_key_file = or_null(settings->redis.tls_key_file),
	    .tls_name = or_null(settings->redis.tls_name),
	    .call_ms = settings->redis.deadline_ms,
	    .connect_ms = settings->redis.connect_ms,
	    .report = tell_fault,
	    .report_arg = store,
	};

	while (config.servers[config.server_count] != NULL)
		config.server_count++;
	return config;
}

/* NULL where no file is set.  False: `error_r` tells why it cannot be read. */
static bool
read_password(const char *file, char secret_r[SECRET_SIZE],
    const char **password_r, char *error_r, size_t error_size)
{
	if (file[0] == '\0')
		return true;
	*password_r = secret_r;
	return secret_read(file, secret_r, error_r, error_size);
}

static bool
open_link(struct redis_store *store, const struct settings *settings,
    char *error_r, size_t error_size)
{
	char password[SECRET_SIZE], sentinel_password[SECRET_SIZE];
	struct redis_config config = link_config(store, settings);

	if (read_password(settings->redis.password_file, password,
		&config.password, error_r, error_size) &&
	    read_password(settings->redis.sentinel_password_file,
		sentinel_password, &config.sentinel_password, error_r,
		error_size))
		store->redis = redis_open(&config, error_r, error_size);
	secret_wipe(password, sizeof password);
	secret_wipe(sentinel_password, sizeof sentinel_password);
	return store->redis != NULL;
}

/* False: out of memory. */
static bool
fill_in(struct redis_store *store, const struct store_redis_config *config)
{
	const char *host = config->terms.host;

	store->store.ops = &operations;
	store->terms = config->terms;
	if (store->terms.network_cap < 1)
		store->terms.network_cap = 1;
	if (store->terms.network_cap > CAP_MAX)
		store->terms.network_cap = CAP_MAX;
	snprintf(
	    store->host, sizeof store->host, "%s", host == NULL ? "" : host);
	store->terms.host = store->host;
	store->report = config->report;
	store->report_arg = config->report_arg;
	sweep_init(&store->sweeps);
	return redis_secret_init(&store->secret, config->key);
}

struct store *
store_redis_open(
    const struct store_redis_config *config, char *error_r, size_t error_size)
{
	struct redis_store *store = calloc(1, sizeof *store);
	const char *wrong;

	if (store == NULL) {
		snprintf(error_r, error_size, "out of memory");
		return NULL;
	}
	wrong = fill_in(store, config)
	    ? keys_init(&store->keys, config->settings->redis.prefix,
		  config->terms.half_life)
	    : "out of memory";
	if (wrong != NULL)
		snprintf(error_r, error_size, "%s", wrong);
	if (wrong != NULL ||
	    !open_link(store, config->settings, error_r, error_size)) {
		close_redis(&store->store);
		return NULL;
	}
	return &store->store;
}
