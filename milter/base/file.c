#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int
file_open(const char *path, struct stat *status_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int error = 0;

	if (fd < 0) {
		if (errno == ENXIO) /* a socket */
			errno = EINVAL;
		return -1;
	}
	if (fstat(fd, status_r) != 0)
		error = errno;
	else if (S_ISDIR(status_r->st_mode))
		error = EISDIR;
	else if (!S_ISREG(status_r->st_mode))
		error = EINVAL;
	if (error == 0)
		return fd;
	(void)close(fd);
	errno = error;
	return -1;
}

const char *
file_why(int error)
{
	if (error == EISDIR)
		return "it is a directory";
	return error == EINVAL ? "it is not a regular file" : strerror(error);
}
