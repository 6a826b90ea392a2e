#define _DEFAULT_SOURCE /* S_ISSOCK, AI_NUMERICSERV */
#include "daemon/endpoint.h"

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void
unix_address(const struct socket_spec *spec, struct sockaddr_un *address_r)
{
	memset(address_r, 0, sizeof *address_r);
	address_r->sun_family = AF_UNIX;
	(void)snprintf(
	    address_r->sun_path, sizeof address_r->sun_path, "%s", spec->path);
}

/* Not being let in by its mode, or a full backlog, means that a process listens
 * there. */
bool
endpoint_is_served(const struct socket_spec *spec)
{
	struct sockaddr_un address;
	int fd;
	bool served;

	if (spec->family != SOCKET_UNIX)
		return true;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return true; /* we cannot know: touch nothing */
	unix_address(spec, &address);
	served =
	    connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ||
	    (errno != ECONNREFUSED && errno != ENOENT);
	(void)close(fd);
	return served;
}

static bool
check_directory(const struct socket_spec *spec, char *why_r, size_t size)
{
	char directory[sizeof spec->path];
	char *slash;
	struct stat status;

	(void)snprintf(directory, sizeof directory, "%s", spec->path);
	slash = strrchr(directory, '/');
	slash[slash == directory] = '\0'; /* the root keeps its slash */
	if (stat(directory, &status) != 0) {
		(void)snprintf(why_r, size, "the socket's directory %s: %s",
		    directory, strerror(errno));
		return false;
	}
	if (!S_ISDIR(status.st_mode)) {
		(void)snprintf(why_r, size,
		    "the socket's directory %s: not a directory", directory);
		return false;
	}
	if (access(directory, W_OK | X_OK) != 0) {
		(void)snprintf(why_r, size,
		    "the socket's directory %s cannot be written to: %s",
		    directory, strerror(errno));
		return false;
	}
	return true;
}

bool
endpoint_clear(const struct socket_spec *spec, char *why_r, size_t size)
{
	struct stat status;

	if (spec->family != SOCKET_UNIX)
		return true;
	if (!check_directory(spec, why_r, size))
		return false;
	if (lstat(spec->path, &status) != 0)
		return true;
	if (!S_ISSOCK(status.st_mode)) {
		(void)snprintf(why_r, size,
		    "%s is in the way: it is not a socket", spec->path);
		return false;
	}
	if (endpoint_is_served(spec)) {
		(void)snprintf(why_r, size,
		    "another process already serves the socket %s", spec->path);
		return false;
	}
	if (unlink(spec->path) != 0 && errno != ENOENT) {
		(void)snprintf(why_r, size, "cannot remove the stale %s: %s",
		    spec->path, strerror(errno));
		return false;
	}
	return true;
}

/* Try to listen as libmilter did; 0 if that works after all, else errno. */
static int
try_to_listen(const struct sockaddr *address, socklen_t len)
{
	int fd = socket(address->sa_family, SOCK_STREAM, 0);
	int on = 1;
	int error = 0;

	if (fd < 0)
		return errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, address, len) != 0 || listen(fd, 1) != 0)
		error = errno;
	(void)close(fd);
	return error;
}

static void
explain_inet(const struct socket_spec *spec, char *why_r, size_t size)
{
	struct addrinfo hints = {
	    .ai_family = spec->family == SOCKET_INET ? AF_INET : AF_INET6,
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	};
	struct addrinfo *found;
	int error = getaddrinfo(spec->host, spec->port, &hints, &found);

	if (error != 0) {
		(void)snprintf(why_r, size, "the socket's host %s: %s",
		    spec->host, gai_strerror(error));
		return;
	}
	error = try_to_listen(found->ai_addr, found->ai_addrlen);
	(void)snprintf(why_r, size, "cannot listen on port %s of %s: %s",
	    spec->port, spec->host,
	    error != 0 ? strerror(error) : "libmilter cannot");
	freeaddrinfo(found);
}

void
endpoint_explain(const struct socket_spec *spec, char *why_r, size_t size)
{
	struct sockaddr_un address;
	int error;

	if (spec->family != SOCKET_UNIX) {
		explain_inet(spec, why_r, size);
		return;
	}
	unix_address(spec, &address);
	error = try_to_listen((struct sockaddr *)&address, sizeof address);
	if (error == 0)
		endpoint_remove(spec);
	(void)snprintf(why_r, size, "cannot listen on %s: %s", spec->path,
	    error != 0 ? strerror(error) : "libmilter cannot");
}

/* Both keep their value where there is nothing to look up. */
static bool
find_owner(const char *user, uid_t *uid_r, gid_t *gid_r)
{
	const struct passwd *found;

	if (user[0] == '\0')
		return true;
	errno = 0;
	found = getpwnam(user);
	if (found == NULL)
		return false;
	*uid_r = found->pw_uid;
	*gid_r = found->pw_gid;
	return true;
}

static bool
find_group(const char *group, gid_t *gid_r)
{
	const struct group *found;

	if (group[0] == '\0')
		return true;
	errno = 0;
	found = getgrnam(group);
	if (found == NULL)
		return false;
	*gid_r = found->gr_gid;
	return true;
}

static const char *
reason(const char *otherwise)
{
	return errno != 0 ? strerror(errno) : otherwise;
}

bool
endpoint_give(const struct socket_spec *spec, const char *user,
    const char *group, char *why_r, size_t size)
{
	uid_t uid = (uid_t)-1;
	gid_t gid = (gid_t)-1;

	if (spec->family != SOCKET_UNIX)
		return true;
	if (!find_owner(user, &uid, &gid)) {
		(void)snprintf(why_r, size, "the user %s: %s", user,
		    reason("no such user"));
		return false;
	}
	if (!find_group(group, &gid)) {
		(void)snprintf(why_r, size, "the socket's group %s: %s", group,
		    reason("no such group"));
		return false;
	}
	if (uid == (uid_t)-1 && gid == (gid_t)-1)
		return true;
	if (lchown(spec->path, uid, gid) != 0) {
		(void)snprintf(why_r, size, "cannot give %s away: %s",
		    spec->path, strerror(errno));
		return false;
	}
	return true;
}

void
endpoint_remove(const struct socket_spec *spec)
{
	if (spec->family == SOCKET_UNIX)
		(void)unlink(spec->path);
}
