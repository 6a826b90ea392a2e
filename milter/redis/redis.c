#include "base/secret.h"
#include "base/thread.h"
#include "redis/client.h"
#include "redis/tls.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEFAULT_CALL_MS = 200, DEFAULT_CONNECT_MS = 1000 };

/* ---- Logging in */

static void
free_secret(char **secret)
{
	if (*secret != NULL)
		secret_wipe(*secret, strlen(*secret));
	free(*secret);
	*secret = NULL;
}

static void
free_login(struct redis_login *login)
{
	free_secret(&login->user);
	free_secret(&login->password);
	free_secret(&login->sentinel_user);
	free_secret(&login->sentinel_password);
	free_secret(&login->tls_name);
	redis_tls_close(&login->tls);
}

/* False: no memory. */
static bool
copy_string(char **copy_r, const char *string)
{
	*copy_r = string != NULL ? strdup(string) : NULL;
	return string == NULL || *copy_r != NULL;
}

static bool
make_login(struct redis_login *login_r, const struct redis_config *config,
    char *error_r, size_t size)
{
	*login_r = (struct redis_login){0};
	(void)snprintf(error_r, size, "out of memory");
	if (copy_string(&login_r->user, config->user) &&
	    copy_string(&login_r->password, config->password) &&
	    copy_string(&login_r->sentinel_user, config->sentinel_user) &&
	    copy_string(
		&login_r->sentinel_password, config->sentinel_password) &&
	    copy_string(&login_r->tls_name, config->tls_name)) {
		if (config->tls)
			login_r->tls = redis_tls_open(config->tls_ca_file,
			    config->tls_cert_file, config->tls_key_file,
			    error_r, size);
		if (!config->tls || login_r->tls != NULL)
			return true;
	}
	free_login(login_r);
	return false;
}

/* Sessions that are under way keep what they have of the old TLS context. */
static void
use_login(struct redis *redis, const struct redis_login *login)
{
	struct redis_nodes_terms *terms = &redis->terms;

	free_login(&redis->login);
	redis->login = *login;
	terms->conn.greeting.user = login->user;
	terms->conn.greeting.password = login->password;
	terms->sentinel.greeting.user =
	    login->sentinel_user != NULL ? login->sentinel_user : login->user;
	terms->sentinel.greeting.or_default = login->sentinel_user == NULL;
	terms->sentinel.greeting.password = login->sentinel_password;
	terms->conn.stream.tls = terms->sentinel.stream.tls = login->tls;
	terms->conn.stream.tls_name = login->tls_name;
	terms->sentinel.stream.tls_name = login->tls_name;
}

static void
use_next_login(struct redis *redis)
{
	struct redis_login *next;

	(void)pthread_mutex_lock(&redis->mutex);
	next = redis->next;
	redis->next = NULL;
	(void)pthread_mutex_unlock(&redis->mutex);
	if (next == NULL)
		return;
	use_login(redis, next);
	free(next);
	redis_nodes_hurry(redis->nodes);
}

bool
redis_renew(struct redis *redis, const struct redis_config *config,
    char *error_r, size_t size)
{
	struct redis_login *next = malloc(sizeof *next), *unused;

	(void)snprintf(error_r, size, "out of memory");
	if (next == NULL || !make_login(next, config, error_r, size)) {
		free(next);
		return false;
	}
	(void)pthread_mutex_lock(&redis->mutex);
	unused = redis->next;
	redis->next = next;
	(void)pthread_mutex_unlock(&redis->mutex);
	(void)!write(redis->wake[1], "", 1);
	if (unused != NULL)
		free_login(unused);
	free(unused);
	return true;
}

/* ---- The thread */

/* For how long to sleep, at most; -1: all is over. */
static int
lie_down(struct redis *redis, struct redis_connection *const *conns,
    struct pollfd *waits, size_t count, uint64_t seen, int patience)
{
	bool is_busy, is_stopping;

	for (size_t i = 0; i < count; i++) {
		int left = redis_connection_prepare(conns[i], &waits[1 + i]);

		patience = left < patience ? left : patience;
	}
	waits[0] = (struct pollfd){.fd = redis->wake[0], .events = POLLIN};
	(void)pthread_mutex_lock(&redis->mutex);
	is_stopping = redis->is_stopping;
	is_busy = redis->calls != seen;
	if (is_busy)
		patience = 0;
	else if (redis->is_ticking || is_stopping)
		patience = patience < REDIS_RIDE_MS ? patience : REDIS_RIDE_MS;
	redis->is_asleep = patience > 0;
	(void)pthread_mutex_unlock(&redis->mutex);
	return is_stopping && redis_nodes_end(redis->nodes) ? -1 : patience;
}

/* Of the calls, how many there are now; swallow what woke us.  If the time was up
 * and none has come since `before`, it need not be soon again. */
static uint64_t
wake_up(struct redis *redis, const struct pollfd *wait, bool is_time_up,
    uint64_t before)
{
	char bytes[64];
	uint64_t calls;

	if (wait->revents != 0)
		(void)!read(redis->wake[0], bytes, sizeof bytes);
	(void)pthread_mutex_lock(&redis->mutex);
	redis->is_asleep = false;
	redis->is_ticking =
	    redis->calls != before || (redis->is_ticking && !is_time_up);
	calls = redis->calls;
	(void)pthread_mutex_unlock(&redis->mutex);
	return calls;
}

static void *
run(void *arg)
{
	struct redis *redis = arg;
	struct redis_connection *conns[REDIS_CONNS];
	struct pollfd waits[1 + REDIS_CONNS];
	uint64_t seen = 0;
	size_t count;

	for (;;) {
		int patience, ready;

		use_next_login(redis);
		count = redis_nodes_work(redis->nodes, conns, &patience);
		patience = lie_down(redis, conns, waits, count, seen, patience);
		if (patience < 0)
			return NULL;
		ready = poll(waits, 1 + count, patience);
		seen = wake_up(redis, &waits[0], ready == 0, seen);
		for (size_t i = 0; i < count; i++)
			redis_connection_work(conns[i], waits[1 + i].revents);
	}
}

static bool
start(struct redis *redis)
{
	redis->is_running = thread_start(&redis->thread, "redis", run, redis);
	return redis->is_running;
}

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
	if ((config->user != NULL && config->password == NULL) ||
	    (config->sentinel_user != NULL &&
		config->sentinel_password == NULL))
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

static bool
open_wake(struct redis *redis)
{
	if (pipe(redis->wake) != 0)
		return false;
	for (int i = 0; i < 2; i++) {
		(void)fcntl(redis->wake[i], F_SETFL, O_NONBLOCK);
		(void)fcntl(redis->wake[i], F_SETFD, FD_CLOEXEC);
	}
	return true;
}

static bool
open_nodes(struct redis *redis, const struct redis_config *config)
{
	struct redis_nodes_terms *terms = &redis->terms;

	terms->mode = config->mode;
	terms->count = config->server_count;
	terms->master_name = redis->master_name;
	terms->sentinel.mutex = &redis->mutex;
	terms->sentinel.stream.wake_fd = redis->wake[1];
	terms->conn.mutex = &redis->mutex;
	terms->conn.stream.wake_fd = redis->wake[1];
	terms->conn.greeting.database = config->database;
	terms->conn.greeting.must_be_master = config->mode != REDIS_CLUSTER;
	terms->conn.call_ms = redis->call_ms;
	terms->conn.connect_ms =
	    config->connect_ms > 0 ? config->connect_ms : DEFAULT_CONNECT_MS;
	terms->conn.report = config->report;
	terms->conn.report_arg = config->report_arg;
	redis->nodes = redis_nodes_open(terms);
	return redis->nodes != NULL;
}

/* With `error_r` if it says why. */
static bool
open_all(struct redis *redis, const struct redis_config *config, char *error_r,
    size_t size)
{
	struct redis_login login;

	if (!make_login(&login, config, error_r, size))
		return false;
	use_login(redis, &login);
	(void)snprintf(error_r, size, "out of memory, threads or descriptors");
	return copy_string(&redis->master_name, config->master_name) &&
	    open_wake(redis) && open_nodes(redis, config) && start(redis);
}

struct redis *
redis_open(const struct redis_config *config, char *error_r, size_t size)
{
	const char *wrong = check(config);
	struct redis *redis;

	if (wrong != NULL) {
		(void)snprintf(error_r, size, "%s", wrong);
		return NULL;
	}
	(void)snprintf(error_r, size, "out of memory");
	redis = calloc(1, sizeof *redis);
	if (redis == NULL)
		return NULL;
	redis->wake[0] = redis->wake[1] = -1;
	redis->call_ms =
	    config->call_ms > 0 ? config->call_ms : DEFAULT_CALL_MS;
	redis->health = (struct redis_health){
	    .report = config->report, .report_arg = config->report_arg};
	(void)pthread_mutex_init(&redis->mutex, NULL);
	if (!parse_servers(config, redis->terms.servers, error_r, size) ||
	    !open_all(redis, config, error_r, size))
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
	(void)pthread_mutex_lock(&self->mutex);
	self->is_stopping = true;
	(void)pthread_mutex_unlock(&self->mutex);
	(void)!write(self->wake[1], "", 1);
	if (self->is_running)
		(void)pthread_join(self->thread, NULL);
	redis_nodes_close(&self->nodes);
	if (self->next != NULL)
		free_login(self->next);
	free(self->next);
	free_login(&self->login);
	(void)pthread_mutex_destroy(&self->mutex);
	(void)close(self->wake[0]);
	(void)close(self->wake[1]);
	free(self->master_name);
	free(self);
}
