#include "store/redis/store_redis_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
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
tell_fault(void *arg, enum redis_news news, const char *where, const char *why)
{
	struct redis_store *store = arg;

	if (news == REDIS_NEWS_UP)
		store_redis_say(
		    store, false, "Redis at %s is well again", where);
	else if (news == REDIS_NEWS_GONE)
		store_redis_say(store, false, "Redis at %s %s", where, why);
	else
		store_redis_say(store, true, "Redis at %s: %s", where, why);
}

/* ---- Who we are: passwords and certificates */

/* While they are on their way from the files to the client. */
struct passwords {
	char password[SECRET_SIZE];
	char sentinel_password[SECRET_SIZE];
};

static bool
login_init(struct redis_login_files *login, const struct settings *settings)
{
	const char *const strings[LOGIN_STRINGS] = {
	    [LOGIN_USER] = settings->redis.user,
	    [LOGIN_SENTINEL_USER] = settings->redis.sentinel_user,
	    [LOGIN_TLS_NAME] = settings->redis.tls_name,
	    [LOGIN_PASSWORD_FILE] = settings->redis.password_file,
	    [LOGIN_SENTINEL_PASSWORD_FILE] =
		settings->redis.sentinel_password_file,
	    [LOGIN_CA_FILE] = settings->redis.tls_ca_file,
	    [LOGIN_CERT_FILE] = settings->redis.tls_cert_file,
	    [LOGIN_KEY_FILE] = settings->redis.tls_key_file,
	};

	login->tls = settings->redis.tls;
	for (size_t i = 0; i < LOGIN_STRINGS; i++) {
		if (strings[i][0] == '\0')
			continue;
		login->strings[i] = strdup(strings[i]);
		if (login->strings[i] == NULL)
			return false;
	}
	return true;
}

static void
login_free(struct redis_login_files *login)
{
	for (size_t i = 0; i < LOGIN_STRINGS; i++)
		free(login->strings[i]);
	*login = (struct redis_login_files){0};
}

static struct login_stamp
stamp_of(const char *path)
{
	struct stat file;

	if (path == NULL || stat(path, &file) != 0)
		return (struct login_stamp){.size = -1};
	return (struct login_stamp){
	    file.st_ctim, (uint64_t)file.st_ino, (int64_t)file.st_size};
}

/* True: a file has changed since this was last asked. */
static bool
note_changes(struct redis_login_files *login)
{
	bool has_changed = false;

	for (size_t i = LOGIN_PASSWORD_FILE; i < LOGIN_STRINGS; i++) {
		struct login_stamp was = login->stamps[i];
		struct login_stamp is = stamp_of(login->strings[i]);

		has_changed |= is.size != was.size || is.inode != was.inode ||
		    is.changed.tv_sec != was.changed.tv_sec ||
		    is.changed.tv_nsec != was.changed.tv_nsec;
		login->stamps[i] = is;
	}
	return has_changed;
}

/* NULL where no file is set.  False: `error_r` tells why it cannot be read. */
static bool
read_password(const char *file, char secret_r[SECRET_SIZE],
    const char **password_r, char *error_r, size_t error_size)
{
	*password_r = file != NULL ? secret_r : NULL;
	return file == NULL || secret_read(file, secret_r, error_r, error_size);
}

static bool
fill_in_login(const struct redis_login_files *login,
    struct redis_config *config, struct passwords *passwords, char *error_r,
    size_t error_size)
{
	config->user = login->strings[LOGIN_USER];
	config->sentinel_user = login->strings[LOGIN_SENTINEL_USER];
	config->tls = login->tls;
	config->tls_name = login->strings[LOGIN_TLS_NAME];
	config->tls_ca_file = login->strings[LOGIN_CA_FILE];
	config->tls_cert_file = login->strings[LOGIN_CERT_FILE];
	config->tls_key_file = login->strings[LOGIN_KEY_FILE];
	return read_password(login->strings[LOGIN_PASSWORD_FILE],
		   passwords->password, &config->password, error_r,
		   error_size) &&
	    read_password(login->strings[LOGIN_SENTINEL_PASSWORD_FILE],
		passwords->sentinel_password, &config->sentinel_password,
		error_r, error_size);
}

static struct redis *
login_open(struct redis_login_files *login, const struct redis_config *config,
    char *error_r, size_t error_size)
{
	struct redis_config whole = *config;
	struct passwords passwords;
	struct redis *redis = NULL;

	(void)note_changes(login); /* before, or one would be missed */
	if (fill_in_login(login, &whole, &passwords, error_r, error_size))
		redis = redis_open(&whole, error_r, error_size);
	secret_wipe(&passwords, sizeof passwords);
	return redis;
}

static bool
login_renew(struct redis_login_files *login, struct redis *redis, bool anyway,
    char *error_r, size_t error_size)
{
	struct redis_config config = {0};
	struct passwords passwords;
	bool is_renewed;

	if (!note_changes(login) && !anyway)
		return true;
	is_renewed =
	    fill_in_login(login, &config, &passwords, error_r, error_size) &&
	    redis_renew(redis, &config, error_r, error_size);
	secret_wipe(&passwords, sizeof passwords);
	return is_renewed;
}

/* ---- Life */

static bool
is_up(const struct store *store)
{
	return redis_is_up(((const struct redis_store *)store)->redis);
}

static void
renew(struct store *store)
{
	atomic_store(&((struct redis_store *)store)->renews_login, true);
}

static void
renew_login(struct redis_store *store)
{
	bool anyway = atomic_exchange(&store->renews_login, false);
	char why[REPORT_SIZE];

	if (!login_renew(&store->login, store->redis, anyway, why, sizeof why))
		store_redis_say(store, true,
		    "what was read before stays in use for Redis: %s", why);
}

static void
tidy(struct store *store, int64_t now)
{
	struct redis_store *self = (struct redis_store *)store;
	int64_t steady = clock_steady_us();
	bool renews =
	    self->renewed_at == 0 || steady - self->renewed_at >= RENEW_EVERY;

	(void)now;
	renew_login(self);
	if (!redis_is_up(self->redis) ||
	    store_redis_prepare(self, NULL, 0) != STORE_OK)
		return;
	/* Each time, because Redis may have lost it, and another server may
	 * have put its own there since. */
	if (store_redis_refresh_secret(self, renews, 0) != SECRET_DOWN &&
	    renews)
		self->renewed_at = steady;
	store_redis_compare_secrets(self);
	store_redis_sweep(self);
}

static int64_t
time_of(struct store *store, int64_t now)
{
	struct redis_store *self = (struct redis_store *)store;

	return redis_clock_is_known(&self->clock)
	    ? redis_clock_now(&self->clock)
	    : now;
}

static void
stop(struct store *store)
{
	atomic_store(&((struct redis_store *)store)->is_stopping, true);
}

static void
close_redis(struct store *store)
{
	struct redis_store *self = (struct redis_store *)store;

	redis_close(&self->redis);
	login_free(&self->login);
	store_redis_free_lists(self);
	redis_secret_clear(&self->secret);
	sweep_clear(&self->sweeps);
	redis_clock_clear(&self->clock);
	seen_clear(&self->seen);
	free(self);
}

static const struct store_ops operations = {
    .look_up = store_redis_look_up,
    .remember = store_redis_remember,
    .lists = &store_redis_list_ops,
    .matches = &store_redis_match_ops,
    .farm = &store_redis_farm_ops,
    .journal = &store_redis_journal_ops,
    .board = &store_redis_board_ops,
    .records = &store_redis_record_ops,
    .is_up = is_up,
    .tidy = tidy,
    .renew = renew,
    .stop = stop,
    .close = close_redis,
    .now = time_of,
};

struct redis *
store_redis_link(struct store *store)
{
	return ((struct redis_store *)store)->redis;
}

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
	    .database = (int)settings->redis.database,
	    .call_ms = settings->redis.deadline_ms,
	    .connect_ms = settings->redis.connect_ms,
	    .report = tell_fault,
	    .report_arg = store,
	};

	while (config.servers[config.server_count] != NULL)
		config.server_count++;
	return config;
}

static bool
open_link(struct redis_store *store, const struct settings *settings,
    char *error_r, size_t error_size)
{
	struct redis_config config = link_config(store, settings);

	(void)snprintf(error_r, error_size, "out of memory");
	store->is_cluster = config.mode == REDIS_CLUSTER;
	if (login_init(&store->login, settings))
		store->redis =
		    login_open(&store->login, &config, error_r, error_size);
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
	store->terms.host = store->store.host = store->host;
	store->reads_only = config->reads_only;
	store->report = config->report;
	store->report_arg = config->report_arg;
	sweep_init(&store->sweeps);
	redis_clock_init(&store->clock);
	seen_init(&store->seen);
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
