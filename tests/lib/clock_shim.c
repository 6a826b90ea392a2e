/* Preloaded into a daemon, for a host whose clock is wrong: its calendar is
 * ahead by $CLOCK_AHEAD seconds, or by the number at the start of the file
 * $CLOCK_FILE at any time; the clocks that only measure are right.
 *
 *	cc -shared -fPIC -o clock_shim.so clock_shim.c -ldl
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define FILE_SIZE 32 /* digits, filled up with blanks */

static const char *shown;

__attribute__((constructor)) static void
open_file(void)
{
	const char *path = getenv("CLOCK_FILE");
	int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *map = file < 0
	    ? MAP_FAILED
	    : mmap(NULL, FILE_SIZE, PROT_READ, MAP_SHARED, file, 0);

	if (file >= 0)
		close(file);
	if (map != MAP_FAILED)
		shown = map;
}

static long
ahead(void)
{
	const char *text = shown ? shown : getenv("CLOCK_AHEAD");

	return text ? atol(text) : 0;
}

int
clock_gettime(clockid_t clock, struct timespec *time_r)
{
	int result = (int)syscall(SYS_clock_gettime, clock, time_r);

	if (result == 0 &&
	    (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		time_r->tv_sec += ahead();
	return result;
}

time_t
time(time_t *time_r)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (time_r)
		*time_r = now.tv_sec;
	return now.tv_sec;
}

int
gettimeofday(struct timeval *restrict time_r, void *restrict zone)
{
	struct timespec now;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	time_r->tv_sec = now.tv_sec;
	time_r->tv_usec = now.tv_nsec / 1000;
	return 0;
}
