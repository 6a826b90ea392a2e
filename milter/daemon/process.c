#include "daemon/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

/* The starter's part: one octet is the good news, the end of file the bad. */
static enum process_role
await_ready(int fd)
{
	char byte;
	ssize_t got;

	do {
		got = read(fd, &byte, 1);
	} while (got < 0 && errno == EINTR);
	(void)close(fd);
	return got == 1 ? PROCESS_STARTED : PROCESS_NOT_STARTED;
}

enum process_role
process_detach(int *ready_r)
{
	int ends[2];
	pid_t child;

	*ready_r = -1;
	if (pipe(ends) != 0) {
		perror("milter-defer: pipe");
		return PROCESS_NOT_STARTED;
	}
	child = fork();
	if (child < 0) {
		perror("milter-defer: fork");
		return PROCESS_NOT_STARTED;
	}
	if (child > 0) {
		(void)close(ends[1]);
		return await_ready(ends[0]);
	}
	(void)close(ends[0]);
	(void)fcntl(ends[1], F_SETFD, FD_CLOEXEC);
	if (setsid() < 0 || chdir("/") != 0) {
		perror("milter-defer: setsid, chdir");
		return PROCESS_NOT_STARTED;
	}
	*ready_r = ends[1];
	return PROCESS_DAEMON;
}

static void
leave_streams(bool keep_error)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0)
		return;
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	if (!keep_error)
		(void)dup2(null, STDERR_FILENO);
	if (null > STDERR_FILENO)
		(void)close(null);
}

void
process_ready(int *ready, bool keep)
{
	if (*ready < 0)
		return;
	leave_streams(keep);
	if (write(*ready, "", 1) != 1) {
		/* The starter is gone: nobody waits for us. */
	}
	(void)close(*ready);
	*ready = -1;
}

long
process_raise_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return -1;
	if (limit.rlim_cur < limit.rlim_max) {
		rlim_t before = limit.rlim_cur;

		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
			limit.rlim_cur = before;
	}
	return limit.rlim_cur < (rlim_t)LONG_MAX ? (long)limit.rlim_cur
						 : LONG_MAX;
}
