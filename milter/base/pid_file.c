#include "base/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ATTEMPTS 10

enum lock { LOCK_TAKEN, LOCK_HELD, LOCK_GONE, LOCK_FAILED };

/* GONE: whoever held it has just removed the file that we had opened. */
static enum lock
lock_file(const char *path, int fd)
{
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct stat opened;
	struct stat named;

	if (fcntl(fd, F_SETLK, &whole) != 0)
		return errno == EACCES || errno == EAGAIN ? LOCK_HELD
							  : LOCK_FAILED;
	if (fstat(fd, &opened) != 0)
		return LOCK_FAILED;
	if (stat(path, &named) != 0 || named.st_ino != opened.st_ino ||
	    named.st_dev != opened.st_dev)
		return LOCK_GONE;
	return LOCK_TAKEN;
}

static void
explain_lock(enum lock lock, const char *path, int fd, char *why_r, size_t size)
{
	struct flock held = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (lock != LOCK_HELD || fcntl(fd, F_GETLK, &held) != 0)
		(void)snprintf(why_r, size, "cannot lock the pid file %s: %s",
		    path, strerror(errno));
	else
		(void)snprintf(why_r, size,
		    "already running as process %ld, says the pid file %s",
		    (long)held.l_pid, path);
}

/* NULL, or why what stands there is not taken for a pid file: writing to it would
 * change another file, or hang. */
static const char *
doubt(const struct stat *status)
{
	if (S_ISLNK(status->st_mode))
		return "is a symbolic link";
	if (!S_ISREG(status->st_mode))
		return "is not a regular file";
	if (status->st_nlink > 1)
		return "is a file that has another name, too";
	return NULL;
}

bool
pid_file_suits(const char *path, char *why_r, size_t size)
{
	struct stat status;
	const char *wrong;

	if (lstat(path, &status) != 0)
		return true; /* it is made, or the start tells why not */
	wrong = doubt(&status);
	if (wrong != NULL)
		(void)snprintf(why_r, size, "the pid file %s %s", path, wrong);
	return wrong == NULL;
}

static bool
write_pid(int fd)
{
	char text[32];
	int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());

	return ftruncate(fd, 0) == 0 &&
	    write(fd, text, (size_t)len) == (ssize_t)len;
}

/* Open and lock; -1 on failure. */
static int
take(const char *path, char *why_r, size_t size)
{
	enum lock lock = LOCK_GONE;

	for (int i = 0; i < ATTEMPTS && lock == LOCK_GONE; i++) {
		int fd;

		if (!pid_file_suits(path, why_r, size))
			return -1;
		fd = open(path,
		    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		    0644);
		if (fd < 0) {
			(void)snprintf(why_r, size, "the pid file %s: %s", path,
			    strerror(errno));
			return -1;
		}
		lock = lock_file(path, fd);
		if (lock == LOCK_TAKEN)
			return fd;
		explain_lock(lock, path, fd, why_r, size);
		(void)close(fd);
	}
	return -1;
}

bool
pid_file_take(const char *path, int *fd_r, char *why_r, size_t size)
{
	*fd_r = take(path, why_r, size);
	if (*fd_r < 0)
		return false;
	if (!write_pid(*fd_r)) {
		(void)snprintf(why_r, size, "cannot write the pid file %s: %s",
		    path, strerror(errno));
		pid_file_drop(path, fd_r);
		return false;
	}
	return true;
}

void
pid_file_drop(const char *path, int *fd)
{
	if (*fd < 0)
		return;
	if (unlink(path) != 0 && ftruncate(*fd, 0) != 0) {
		/* It stays, and the next start takes it over. */
	}
	(void)close(*fd);
	*fd = -1;
}
