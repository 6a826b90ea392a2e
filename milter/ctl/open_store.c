#include "ctl/open_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "store/memory/store_memory.h"
#include "store/redis/store_redis.h"
#include "store/triplet.h"

#define HOST_SIZE 256

/* The name of this server among those that share the store. */
static void
name_host(const struct settings *settings, char host_r[HOST_SIZE])
{
	if (settings->server_name[0] != '\0')
		(void)snprintf(host_r, HOST_SIZE, "%s", settings->server_name);
	else if (gethostname(host_r, HOST_SIZE) != 0)
		(void)snprintf(host_r, HOST_SIZE, "localhost");
	host_r[HOST_SIZE - 1] = '\0';
}

/* Saving would put a file in the place of whatever stands there. */
static bool
is_replaceable(const char *path, char *why_r, size_t size)
{
	struct stat status;

	if (path[0] == '\0' || stat(path, &status) != 0 ||
	    S_ISREG(status.st_mode))
		return true;
	(void)snprintf(
	    why_r, size, "store.file = %s: %s", path, file_why(EINVAL));
	return false;
}

static struct store *
open_memory(const struct settings *settings, const struct store_terms *terms,
    const unsigned char *key, int64_t now, store_say *say)
{
	const struct store_memory_config config = {
	    .terms = *terms,
	    .key = key,
	    .file = settings->store.file,
	    .save_every = settings->store.save_every,
	    .report = say,
	};

	return store_memory_open(&config, now);
}

bool
names_redis(const struct settings *settings)
{
	return settings->redis.servers != NULL &&
	    settings->redis.servers[0] != NULL;
}

struct store *
open_store(const struct settings *settings, int64_t now,
    const struct store_opening *opening, char *why_r, size_t size)
{
	char host[HOST_SIZE];
	unsigned char secret[TRIPLET_KEY];
	const unsigned char *key = NULL;
	struct store_redis_config redis = {.settings = settings,
	    .reads_only = opening->reads_only,
	    .report = opening->say,
	    .report_arg = opening->say_arg};
	struct store_terms terms;
	struct store *store;

	if (settings->secret_file[0] != '\0') {
		if (!triplet_key_read(
			settings->secret_file, secret, why_r, size))
			return NULL;
		key = secret;
	}
	if (!names_redis(settings) &&
	    !is_replaceable(settings->store.file, why_r, size))
		return NULL;
	name_host(settings, host);
	terms = redis.terms = store_terms_of(settings, host);
	redis.key = key;
	(void)snprintf(why_r, size, "out of memory for the store");
	store = names_redis(settings)
	    ? store_redis_open(&redis, why_r, size)
	    : open_memory(settings, &terms, key, now, opening->say);
	secret_wipe(secret, sizeof secret);
	return store;
}
