#include "load/load_sample.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/seconds.h"
#include "load/queue_count.h"
#include "policy/load.h"

#define TEXT_SIZE	512 /* a pressure file has about 120 bytes */
#define QUEUE_BUDGET_MS 100
#define QUEUE_FILES_MAX 1e9

/* Everything that a measure may depend on. */
struct probe {
	const struct load_sources *sources;
	const char *path; /* what to read; "" for a source without a file */
	int64_t sessions;
	int64_t now;
	int64_t clock_us;		/* monotonic, of this sample */
	struct load_pressure *pressure; /* what this source keeps */
};

struct source {
	const char *name;
	/* 0 and *measure_r, or the fault */
	int (*measure)(const struct probe *probe, double *measure_r);
	bool inverse; /* the less, the busier */
};

/* Closes `fd` in any case. */
static int
read_fd(int fd, char text_r[TEXT_SIZE], size_t *len_r)
{
	ssize_t got;
	int error;

	do
		got = read(fd, text_r, TEXT_SIZE);
	while (got < 0 && errno == EINTR);
	error = got < 0 ? errno : 0;
	close(fd);
	*len_r = got < 0 ? 0 : (size_t)got;
	return error;
}

/* O_NONBLOCK: a FIFO by that name must not hold us up. */
static int
open_to_read(const char *path)
{
	return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

static int
read_file(const char *path, char text_r[TEXT_SIZE], size_t *len_r)
{
	int fd = open_to_read(path);

	return fd < 0 ? errno : read_fd(fd, text_r, len_r);
}

static const char *
proc_path(const char *root, const char *file, char path_r[PATH_MAX])
{
	int len = snprintf(
	    path_r, PATH_MAX, "%s/%s", root != NULL ? root : "/proc", file);

	return len > 0 && len < PATH_MAX ? path_r : NULL;
}

/* Loads are those of the whole machine, so they are divided by the CPUs of the
 * machine, not by those that this process may use. */
static long
online_cpus(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus > 0 ? cpus : 1;
}

static int
measure_cpu(const struct probe *probe, double *measure_r)
{
	char text[TEXT_SIZE];
	const char *blank;
	size_t len = 0;
	int error = read_file(probe->path, text, &len);

	if (error != 0)
		return error;
	blank = len > 0 ? memchr(text, ' ', len) : NULL;
	if (blank == NULL ||
	    !load_number_parse(text, (size_t)(blank - text), measure_r))
		return LOAD_FAULT_NONSENSE;
	*measure_r /= (double)online_cpus();
	return 0;
}

static int
read_pressure(const struct probe *probe, double *measure_r)
{
	char text[TEXT_SIZE];
	size_t len = 0;
	int64_t total;
	int error = read_file(probe->path, text, &len);

	if (error != 0)
		return error;
	if (!load_pressure_parse(text, len, &total))
		return LOAD_FAULT_NONSENSE;
	*measure_r =
	    load_pressure_step(probe->pressure, total, probe->clock_us);
	return 0;
}

/* A kernel without PSI has no such file; one that was told "psi=0" may have a
 * file that cannot be read. */
static bool
is_absent(int error)
{
	return error == ENOENT || error == EOPNOTSUPP;
}

/* What a system does not offer is off; that is no fault. */
static int
measure_pressure(const struct probe *probe, double *measure_r)
{
	int error = read_pressure(probe, measure_r);

	return is_absent(error) ? 0 : error;
}

/* Guessed from the run queue of this moment, in which we are one ourselves.  If
 * that cannot be read either, it is for LOAD_CPU to say so. */
static void
guess_cpu_pressure(const struct probe *probe, double *measure_r)
{
	char path[PATH_MAX], text[TEXT_SIZE];
	size_t len = 0;
	int64_t runnable;

	if (proc_path(probe->sources->proc_dir, "loadavg", path) == NULL ||
	    read_file(path, text, &len) != 0 ||
	    !load_pressure_parse_runnable(text, len, &runnable))
		return;
	*measure_r = load_pressure_assume(probe->pressure,
	    load_pressure_of_queue(runnable - 1, online_cpus()),
	    probe->clock_us);
}

static int
measure_cpu_pressure(const struct probe *probe, double *measure_r)
{
	int error = read_pressure(probe, measure_r);

	if (!is_absent(error))
		return error;
	guess_cpu_pressure(probe, measure_r);
	return 0;
}

static int
measure_sessions(const struct probe *probe, double *measure_r)
{
	*measure_r = probe->sessions > 0 ? (double)probe->sessions : 0;
	return 0;
}

/* Counting more than the capacity would tell nothing new. */
static int
measure_queue(const struct probe *probe, double *measure_r)
{
	double capacity = probe->sources->capacity[LOAD_QUEUE];
	int64_t limit = (int64_t)ceil(fmin(capacity, QUEUE_FILES_MAX));
	int64_t count;
	int error = queue_count(probe->path, limit, QUEUE_BUDGET_MS, &count);

	*measure_r = (double)count;
	return error;
}

/* The share that is free of what an ordinary user may use, as df counts it.  A
 * file system without such a limit (inodes on btrfs) has all of it free. */
static double
free_share(uint64_t total, uint64_t free_to_root, uint64_t free_to_users)
{
	uint64_t used = total > free_to_root ? total - free_to_root : 0;
	double usable = (double)used + (double)free_to_users;

	return usable > 0 ? (double)free_to_users / usable : 1;
}

static int
measure_space(const struct probe *probe, double *measure_r)
{
	struct statvfs fs;

	if (statvfs(probe->path, &fs) != 0)
		return errno;
	*measure_r = free_share(fs.f_blocks, fs.f_bfree, fs.f_bavail);
	return 0;
}

static int
measure_inodes(const struct probe *probe, double *measure_r)
{
	struct statvfs fs;

	if (statvfs(probe->path, &fs) != 0)
		return errno;
	*measure_r = free_share(fs.f_files, fs.f_ffree, fs.f_favail);
	return 0;
}

/* A file from the future is as little kept up to date as an old one. */
static int
check_figure_file(const struct probe *probe, int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return LOAD_FAULT_NONSENSE;
	if (seconds_apart(probe->now, (int64_t)st.st_mtime) >
	    probe->sources->figure_max_age)
		return LOAD_FAULT_OLD;
	return 0;
}

static int
measure_figure(const struct probe *probe, double *measure_r)
{
	char text[TEXT_SIZE];
	size_t len = 0;
	int error, fd = open_to_read(probe->path);

	if (fd < 0)
		return errno;
	error = check_figure_file(probe, fd);
	if (error != 0) {
		close(fd);
		return error;
	}
	error = read_fd(fd, text, &len);
	if (error != 0)
		return error;
	if (len > 0 && text[len - 1] == '\n')
		len--;
	return load_number_parse(text, len, measure_r) ? 0
						       : LOAD_FAULT_NONSENSE;
}

static const struct source table[LOAD_SOURCE_COUNT] = {
    [LOAD_CPU] = {"cpu", measure_cpu, false},
    [LOAD_CPU_PRESSURE] = {"cpu_pressure", measure_cpu_pressure, false},
    [LOAD_IO_PRESSURE] = {"io_pressure", measure_pressure, false},
    [LOAD_MEMORY_PRESSURE] = {"memory_pressure", measure_pressure, false},
    [LOAD_SESSIONS] = {"sessions", measure_sessions, false},
    [LOAD_QUEUE] = {"queue", measure_queue, false},
    [LOAD_SPACE] = {"space", measure_space, true},
    [LOAD_INODES] = {"inodes", measure_inodes, true},
    [LOAD_FIGURE] = {"figure", measure_figure, false},
};

const char *
load_source_name(enum load_source source)
{
	return source < LOAD_SOURCE_COUNT ? table[source].name : "none";
}

/* strerror is safe among threads in any glibc that has its TLS buffer (2.32);
 * here one thread samples anyway. */
const char *
load_fault_text(int fault)
{
	switch (fault) {
	case 0:
		return "it can be read";
	case LOAD_FAULT_OLD:
		return "the file is too old";
	case LOAD_FAULT_NONSENSE:
		return "it does not hold a load";
	default:
		return strerror(fault);
	}
}

/* NULL: the source is off. */
static const char *
source_path(const struct load_sources *sources, enum load_source source,
    char path_r[PATH_MAX])
{
	switch (source) {
	case LOAD_CPU:
		return proc_path(sources->proc_dir, "loadavg", path_r);
	case LOAD_CPU_PRESSURE:
		return proc_path(sources->proc_dir, "pressure/cpu", path_r);
	case LOAD_IO_PRESSURE:
		return proc_path(sources->proc_dir, "pressure/io", path_r);
	case LOAD_MEMORY_PRESSURE:
		return proc_path(sources->proc_dir, "pressure/memory", path_r);
	case LOAD_QUEUE:
		return sources->queue_dir;
	case LOAD_SPACE:
	case LOAD_INODES:
		return sources->space_dir;
	case LOAD_FIGURE:
		return sources->figure_file;
	case LOAD_SESSIONS:
	case LOAD_SOURCE_COUNT:
		break;
	}
	return "";
}

/* The load by one source; 0 if it is off or at fault. */
static double
load_by(struct probe *probe, enum load_source source, int *fault_r)
{
	double capacity = probe->sources->capacity[source];
	char path[PATH_MAX];
	double measure = 0, load;

	*fault_r = 0;
	if (!(capacity > 0))
		return 0;
	probe->path = source_path(probe->sources, source, path);
	if (probe->path == NULL)
		return 0;
	*fault_r = table[source].measure(probe, &measure);
	if (*fault_r != 0)
		return 0;
	load = table[source].inverse ? capacity / measure : measure / capacity;
	return fmin(load, LOAD_MAX);
}

static int64_t
monotonic_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void
load_sample_take(const struct load_sources *sources, int64_t sessions,
    int64_t now, struct load_sample *sample)
{
	struct probe probe = {.sources = sources,
	    .path = "",
	    .sessions = sessions,
	    .now = now,
	    .clock_us = monotonic_us()};
	int fault;

	sample->load = 0;
	sample->source = LOAD_SOURCE_NONE;
	for (int i = 0; i < LOAD_SOURCE_COUNT; i++) {
		probe.pressure = &sample->pressures[i];
		sample->loads[i] = load_by(&probe, (enum load_source)i, &fault);
		sample->fault_changed[i] = fault != sample->faults[i];
		sample->faults[i] = fault;
		if (sample->loads[i] > sample->load) {
			sample->load = sample->loads[i];
			sample->source = (enum load_source)i;
		}
	}
}
