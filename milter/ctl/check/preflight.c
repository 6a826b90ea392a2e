#include "ctl/check/preflight.h"

#include <errno.h>
#include <libgen.h>
#include <libpsl.h>
#include <limits.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/pid_file.h"
#include "base/secret.h"
#include "redis/tls.h"
#include "store/triplet.h"

#define TEXT_SIZE (PATH_MAX + 512)

struct flight {
	const struct settings *settings;
	conf_say *say;
	void *arg;
	bool good;
};

static void tell(struct flight *flight, bool error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
tell(struct flight *flight, bool error, const char *format, ...)
{
	char text[TEXT_SIZE];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	flight->say(flight->arg, error, text);
	if (error)
		flight->good = false;
}

static const char *
text_or_null(const char *text)
{
	return text[0] != '\0' ? text : NULL;
}

/* ---- Secrets */

static void
check_privacy(struct flight *flight, const char *name, const char *path)
{
	struct stat status;

	if (stat(path, &status) == 0 && (status.st_mode & S_IROTH) != 0)
		tell(flight, false,
		    "%s = %s: every user of this host can read it", name, path);
}

static void
check_password(struct flight *flight, const char *name, const char *path)
{
	char secret[SECRET_SIZE], why[TEXT_SIZE];

	if (path[0] == '\0')
		return;
	if (!secret_read(path, secret, why, sizeof why))
		tell(flight, true, "%s: %s", name, why);
	secret_wipe(secret, sizeof secret);
	check_privacy(flight, name, path);
}

static void
check_secret(struct flight *flight)
{
	const char *path = flight->settings->secret_file;
	unsigned char key[TRIPLET_KEY];
	char why[TEXT_SIZE];

	if (path[0] == '\0')
		return;
	if (!triplet_key_read(path, key, why, sizeof why))
		tell(flight, true, "secret_file: %s", why);
	secret_wipe(key, sizeof key);
	check_privacy(flight, "secret_file", path);
}

static void
check_tls(struct flight *flight)
{
	const struct settings *settings = flight->settings;
	const char *key = settings->redis.tls_key_file;
	struct ssl_ctx_st *tls;
	char why[TEXT_SIZE];

	if (!settings->redis.tls)
		return;
	tls = redis_tls_open(text_or_null(settings->redis.tls_ca_file),
	    text_or_null(settings->redis.tls_cert_file), text_or_null(key), why,
	    sizeof why);
	if (tls == NULL)
		tell(flight, true, "redis: %s", why);
	redis_tls_close(&tls);
	if (key[0] != '\0')
		check_privacy(flight, "tls_key_file", key);
}

/* ---- Files and directories */

/* A file that may be missing, of which nothing is read here. */
static void
check_regular(struct flight *flight, const char *name, const char *path)
{
	struct stat status;

	if (path[0] == '\0')
		return;
	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
		tell(flight, true, "%s = %s: %s", name, path,
		    file_why(S_ISDIR(status.st_mode) ? EISDIR : EINVAL));
}

static void
check_directory(
    struct flight *flight, const char *name, const char *path, int access_mode)
{
	struct stat status;
	int error = 0;

	if (path[0] == '\0')
		return;
	if (stat(path, &status) != 0 || access(path, access_mode) != 0)
		error = errno;
	else if (!S_ISDIR(status.st_mode))
		error = ENOTDIR;
	if (error != 0)
		tell(flight, false, "%s = %s: %s", name, path, strerror(error));
}

/* What has to be there for a feature to live. */
static void
check_readable(struct flight *flight, const char *name, const char *path)
{
	if (path[0] == '\0')
		return;
	if (access(path, R_OK) != 0)
		tell(flight, false, "%s = %s: %s", name, path, strerror(errno));
	check_regular(flight, name, path);
}

/* A file that is made anew beside itself, or moved away. */
static void
check_replaced(struct flight *flight, const char *name, const char *path)
{
	char copy[PATH_MAX], directory[PATH_MAX];

	if (path[0] == '\0')
		return;
	check_regular(flight, name, path);
	(void)snprintf(copy, sizeof copy, "%s", path);
	(void)snprintf(directory, sizeof directory, "%s", dirname(copy));
	check_directory(flight, name, directory, W_OK | X_OK);
}

/* The embedded store's file: without it a restart forgets all clients. */
static void
check_state(struct flight *flight, const char *path)
{
	char copy[PATH_MAX];
	const char *directory;

	if (path[0] == '\0') {
		tell(flight, false,
		    "store.file is empty: what is remembered of clients is "
		    "lost at each restart");
		return;
	}
	check_regular(flight, "store.file", path);
	(void)snprintf(copy, sizeof copy, "%s", path);
	directory = dirname(copy);
	if (access(directory, W_OK | X_OK) != 0)
		tell(flight, false,
		    "store.file = %s: %s: %s: what is remembered of clients "
		    "is lost at each restart",
		    path, directory, strerror(errno));
}

static void
check_user(struct flight *flight)
{
	const char *user = flight->settings->user;
	const struct passwd *account = user[0] == '\0' ? NULL : getpwnam(user);

	if (account != NULL && account->pw_uid == 0)
		tell(flight, false,
		    "user = %s: what reads mail from strangers should not be "
		    "root",
		    user);
}

static void
check_pools(struct flight *flight)
{
	psl_ctx_t *suffixes = psl_latest(NULL);

	if (flight->settings->identity == IDENTITY_POOL && suffixes == NULL)
		tell(flight, false,
		    "identity = pool: this host has no public suffix list, so "
		    "every client goes by its network");
	psl_free(suffixes);
}

bool
preflight(const struct settings *settings, conf_say *say, void *arg)
{
	struct flight flight = {settings, say, arg, true};
	bool is_embedded = settings->redis.servers == NULL ||
	    settings->redis.servers[0] == NULL;
	char why[TEXT_SIZE];

	check_user(&flight);
	if (settings->pid_file[0] != '\0' &&
	    !pid_file_suits(settings->pid_file, why, sizeof why))
		tell(&flight, true, "%s", why);
	check_secret(&flight);
	if (!is_embedded) {
		check_password(
		    &flight, "password_file", settings->redis.password_file);
		check_password(&flight, "sentinel_password_file",
		    settings->redis.sentinel_password_file);
		check_tls(&flight);
	} else {
		check_state(&flight, settings->store.file);
	}
	if (settings->web.users_file[0] != '\0')
		check_privacy(&flight, "users_file", settings->web.users_file);
	if (settings->web.expect_file[0] != '\0')
		check_privacy(
		    &flight, "expect_file", settings->web.expect_file);
	check_directory(&flight, "queue_directory",
	    settings->load.queue_directory, R_OK | X_OK);
	check_directory(
	    &flight, "disk_directory", settings->load.disk_directory, F_OK);
	check_regular(&flight, "figure_file", settings->load.figure_file);
	check_replaced(
	    &flight, "reports_file", settings->reputation.reports_file);
	check_readable(&flight, "country_file", settings->geo.country_file);
	check_readable(&flight, "asn_file", settings->geo.asn_file);
	check_pools(&flight);
	return flight.good;
}
