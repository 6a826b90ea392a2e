/* Preloaded into a daemon, for a file system that does not answer, as one of a
 * network whose server is gone: while the file $HANG_WHILE exists, whoever asks
 * for a path that begins with $HANG_PATH waits.
 *
 *	cc -shared -fPIC -o hang_shim.so hang_shim.c -ldl
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

static void
hang(const char *path)
{
	const char *where = getenv("HANG_PATH"), *flag = getenv("HANG_WHILE");

	if (where == NULL || flag == NULL || path == NULL ||
	    strncmp(path, where, strlen(where)) != 0)
		return;
	while (syscall(SYS_faccessat, AT_FDCWD, flag, F_OK) == 0)
		(void)usleep(10000);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int
open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
	va_end(args);
	hang(path);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int
open64(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
	va_end(args);
	return open(path, flags, mode);
}

int
openat(int at, const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
	va_end(args);
	hang(path);
	return (int)syscall(SYS_openat, at, path, flags, mode);
}

int
__open_2(const char *path, int flags)
{
	return open(path, flags);
}

int
__openat_2(int at, const char *path, int flags)
{
	return openat(at, path, flags);
}

FILE *
fopen(const char *path, const char *mode)
{
	hang(path);
	return REAL(fopen)(path, mode);
}

int
stat(const char *restrict path, struct stat *restrict status_r)
{
	hang(path);
	return REAL(stat)(path, status_r);
}

int
lstat(const char *restrict path, struct stat *restrict status_r)
{
	hang(path);
	return REAL(lstat)(path, status_r);
}

int
statvfs(const char *restrict path, struct statvfs *restrict status_r)
{
	hang(path);
	return REAL(statvfs)(path, status_r);
}

int
rename(const char *from, const char *to)
{
	hang(from);
	return REAL(rename)(from, to);
}
