#define _DEFAULT_SOURCE /* d_type: one system call less for each message */

#include "load/queue_count.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define DEPTH_MAX	4
#define NAMES_PER_CLOCK 64 /* reading the clock for each name would cost */

struct walk {
	int64_t limit;
	int64_t deadline_us;
	int64_t count;
	int64_t names;
	bool over; /* limit or deadline reached */
};

/* Some file systems leave the type to stat.  A name that has vanished is of
 * unknown type and counts for nothing. */
static unsigned char
entry_type(int dirfd, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type;
	if (fstatat(dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return DT_UNKNOWN;
	if (S_ISREG(st.st_mode))
		return DT_REG;
	return S_ISDIR(st.st_mode) ? DT_DIR : DT_UNKNOWN;
}

static int walk_dir(struct walk *walk, int parent, const char *name, int depth);

static int
walk_entry(struct walk *walk, int fd, const struct dirent *entry, int depth)
{
	unsigned char type;
	int error;

	if (++walk->names % NAMES_PER_CLOCK == 0 &&
	    clock_steady_us() >= walk->deadline_us)
		walk->over = true;
	if (entry->d_name[0] == '.')
		return 0;
	type = entry_type(fd, entry);
	if (type == DT_REG && ++walk->count >= walk->limit)
		walk->over = true;
	if (type != DT_DIR || depth >= DEPTH_MAX)
		return 0;
	error = walk_dir(walk, fd, entry->d_name, depth + 1);
	return error == ENOENT ? 0 : error;
}

static int
walk_open(struct walk *walk, DIR *stream, int depth)
{
	struct dirent *entry;
	int error = 0;

	while (error == 0 && !walk->over) {
		errno = 0;
		entry = readdir(stream);
		if (entry == NULL)
			return errno;
		error = walk_entry(walk, dirfd(stream), entry, depth);
	}
	return error;
}

static int
walk_dir(struct walk *walk, int parent, const char *name, int depth)
{
	/* The admin may name a link to the queue; inside it none is trusted. */
	int nofollow = depth == 0 ? 0 : O_NOFOLLOW;
	int fd, error;
	DIR *stream;

	fd =
	    openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | nofollow);
	if (fd < 0)
		return errno;
	stream = fdopendir(fd);
	if (stream == NULL) {
		error = errno;
		close(fd);
		return error;
	}
	error = walk_open(walk, stream, depth);
	closedir(stream);
	return error;
}

int
queue_count(const char *dir, int64_t limit, int64_t budget_ms, int64_t *count_r)
{
	struct walk walk = {.limit = limit};
	int error;

	*count_r = 0;
	if (limit < 1)
		return 0;
	walk.deadline_us = clock_steady_us() + budget_ms * 1000;
	error = walk_dir(&walk, AT_FDCWD, dir, 0);
	if (error == 0)
		*count_r = walk.count;
	return error;
}
