#include "store/redis/store_redis_login.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/secret.h"

/* While they are on their way from the files to the client. */
struct passwords {
	char password[SECRET_SIZE];
	char sentinel_password[SECRET_SIZE];
};

bool
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

void
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
fill_in(const struct redis_login_files *login, struct redis_config *config,
    struct passwords *passwords, char *error_r, size_t error_size)
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

struct redis *
login_open(struct redis_login_files *login, const struct redis_config *config,
    char *error_r, size_t error_size)
{
	struct redis_config whole = *config;
	struct passwords passwords;
	struct redis *redis = NULL;

	(void)note_changes(login); /* before, or one would be missed */
	if (fill_in(login, &whole, &passwords, error_r, error_size))
		redis = redis_open(&whole, error_r, error_size);
	secret_wipe(&passwords, sizeof passwords);
	return redis;
}

bool
login_renew(struct redis_login_files *login, struct redis *redis, bool anyway,
    char *error_r, size_t error_size)
{
	struct redis_config config = {0};
	struct passwords passwords;
	bool is_renewed;

	if (!note_changes(login) && !anyway)
		return true;
	is_renewed = fill_in(login, &config, &passwords, error_r, error_size) &&
	    redis_renew(redis, &config, error_r, error_size);
	secret_wipe(&passwords, sizeof passwords);
	return is_renewed;
}
