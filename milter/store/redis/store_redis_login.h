/* store_redis_login -- who we are for Redis, and whom we trust: passwords and
 * certificates, read again when their files change. */
#ifndef STORE_REDIS_LOGIN_H
#define STORE_REDIS_LOGIN_H

#include <time.h>

#include "policy/settings.h"
#include "redis/redis.h"

/* What tells that a file has become another. */
struct login_stamp {
	struct timespec changed;
	uint64_t inode;
	int64_t size; /* -1: it is not there */
};

enum {
	LOGIN_USER,
	LOGIN_SENTINEL_USER,
	LOGIN_TLS_NAME,
	LOGIN_PASSWORD_FILE, /* and from here on files */
	LOGIN_SENTINEL_PASSWORD_FILE,
	LOGIN_CA_FILE,
	LOGIN_CERT_FILE,
	LOGIN_KEY_FILE,
	LOGIN_STRINGS
};

/* All zero may be freed. */
struct redis_login_files {
	char *strings[LOGIN_STRINGS]; /* copies; NULL where nothing is set */
	bool tls;
	struct login_stamp stamps[LOGIN_STRINGS];
};

/* False: no memory. */
bool
login_init(struct redis_login_files *login, const struct settings *settings);
void login_free(struct redis_login_files *login);

/* Open Redis with what the files say; all else comes from `config`.  NULL: the
 * reason is in `error_r`. */
struct redis *login_open(struct redis_login_files *login,
    const struct redis_config *config, char *error_r, size_t error_size);

/* Once a second: hand over what has changed, or with `anyway` what there is.
 * False, once for each change: a file cannot be used, for the reason in
 * `error_r`; what was read before stays. */
bool login_renew(struct redis_login_files *login, struct redis *redis,
    bool anyway, char *error_r, size_t error_size);

#endif
