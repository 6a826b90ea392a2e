#define _DEFAULT_SOURCE /* d_type: one system call less for each message */

#include "load/load_sample.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "base/file.h"
#include "base/log.h"
#include "base/seconds.h"
#include "policy/facts.h"

#define TEXT_SIZE	512 /* a pressure file has about 120 bytes */
#define QUEUE_BUDGET_MS 100
#define QUEUE_FILES_MAX 1e9
#define QUEUE_DEPTH_MAX 4
#define NAMES_PER_CLOCK 64   /* reading the clock for each name would cost */
#define WAIT_MS		300  /* in one sample, for what is taken aside */
#define HANGS_MS	3000 /* until a measure that is late is a fault */
#define SOURCE_SIZE	(PATH_MAX + 64)

/* Everything that a measure may depend on. */
struct probe {
	char path[PATH_MAX]; /* what to read; "" for a source without a file */
	double capacity;
	const char *proc_dir;
	int64_t figure_max_age;
	int64_t sessions;
	int64_t now;
	int64_t clock_us;		/* steady, of this sample */
	struct load_pressure *pressure; /* what this source keeps */
};

struct source {
	const char *name;
	const char *setting; /* that says where it is; NULL: none does */
	/* 0 and *measure_r, or the fault */
	int (*measure)(const struct probe *probe, double *measure_r);
	bool inverse;  /* the less, the busier */
	bool may_hang; /* its file system is not the kernel's own */
};

/* A measure that is taken aside. */
struct job {
	const struct source *source;
	struct probe probe;
	int fault;
	double measure;
};

/* ---- The files in a queue */

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
	if (type != DT_DIR || depth >= QUEUE_DEPTH_MAX)
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

/* ---- Measures */

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

static int
read_file(const char *path, char text_r[TEXT_SIZE], size_t *len_r)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? errno : read_fd(fd, text_r, len_r);
}

static bool
proc_path(const char *root, const char *file, char path_r[PATH_MAX])
{
	int len = snprintf(
	    path_r, PATH_MAX, "%s/%s", root != NULL ? root : "/proc", file);

	return len > 0 && len < PATH_MAX;
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
	    !decimal_read_real(text, (size_t)(blank - text), measure_r))
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

	if (!proc_path(probe->proc_dir, "loadavg", path) ||
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
	int64_t limit = (int64_t)ceil(fmin(probe->capacity, QUEUE_FILES_MAX));
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
measure_figure(const struct probe *probe, double *measure_r)
{
	char text[TEXT_SIZE];
	struct stat status;
	size_t len = 0;
	int error, fd = file_open(probe->path, &status);

	if (fd < 0)
		return errno;
	if (seconds_apart(probe->now, (int64_t)status.st_mtime) >
	    probe->figure_max_age) {
		close(fd);
		return LOAD_FAULT_OLD;
	}
	error = read_fd(fd, text, &len);
	if (error != 0)
		return error;
	if (len > 0 && text[len - 1] == '\n')
		len--;
	return decimal_read_real(text, len, measure_r) ? 0
						       : LOAD_FAULT_NONSENSE;
}

static const struct source table[LOAD_SOURCE_COUNT] = {
    [LOAD_CPU] = {"cpu", NULL, measure_cpu, false, false},
    [LOAD_CPU_PRESSURE] = {"cpu_pressure", NULL, measure_cpu_pressure, false,
	false},
    [LOAD_IO_PRESSURE] = {"io_pressure", NULL, measure_pressure, false, false},
    [LOAD_MEMORY_PRESSURE] = {"memory_pressure", NULL, measure_pressure, false,
	false},
    [LOAD_SESSIONS] = {"sessions", NULL, measure_sessions, false, false},
    [LOAD_QUEUE] = {"queue", "queue_directory", measure_queue, false, true},
    [LOAD_SPACE] = {"space", "disk_directory", measure_space, true, true},
    [LOAD_INODES] = {"inodes", "disk_directory", measure_inodes, true, true},
    [LOAD_FIGURE] = {"figure", "figure_file", measure_figure, false, true},
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
	case LOAD_FAULT_HANGS:
		return "the file system does not answer";
	default:
		return file_why(fault);
	}
}

/* What the admin named for a source; NULL: nothing, so it is off. */
static const char *
named_path(const struct load_sources *sources, enum load_source source)
{
	switch (source) {
	case LOAD_QUEUE:
		return sources->queue_dir;
	case LOAD_SPACE:
	case LOAD_INODES:
		return sources->space_dir;
	case LOAD_FIGURE:
		return sources->figure_file;
	default:
		return "";
	}
}

/* False: the source is off. */
static bool
source_path(const struct load_sources *sources, enum load_source source,
    char path_r[PATH_MAX])
{
	const char *path = named_path(sources, source);

	switch (source) {
	case LOAD_CPU:
		return proc_path(sources->proc_dir, "loadavg", path_r);
	case LOAD_CPU_PRESSURE:
		return proc_path(sources->proc_dir, "pressure/cpu", path_r);
	case LOAD_IO_PRESSURE:
		return proc_path(sources->proc_dir, "pressure/io", path_r);
	case LOAD_MEMORY_PRESSURE:
		return proc_path(sources->proc_dir, "pressure/memory", path_r);
	default:
		return path != NULL &&
		    snprintf(path_r, PATH_MAX, "%s", path) < PATH_MAX;
	}
}

static void
do_job(void *data)
{
	struct job *job = data;

	job->measure = 0;
	job->fault = job->source->measure(&job->probe, &job->measure);
}

/* Begin a measure that may hang.  While one does there is none more, unless the
 * admin names another place meanwhile. */
static void
start_aside(struct load_slow *slow, const struct source *source,
    const struct probe *probe)
{
	struct job *job;

	if (strcmp(slow->path, probe->path) != 0)
		aside_close(&slow->aside);
	if (slow->aside == NULL)
		slow->aside = aside_open("load", sizeof *job, do_job, NULL);
	job = slow->aside == NULL ? NULL : aside_data(slow->aside);
	if (job == NULL)
		return;
	memcpy(slow->path, probe->path, sizeof slow->path);
	job->source = source;
	job->probe = *probe;
	job->fault = EAGAIN; /* if there is no thread */
	(void)aside_start(slow->aside);
}

/* True: 0 and *measure_r, or the fault.  False: it is late, and what was measured
 * before still stands. */
static bool
end_aside(
    struct load_slow *slow, int64_t due_us, int *fault_r, double *measure_r)
{
	int64_t left_ms = (due_us - clock_steady_us()) / 1000;
	const struct job *job;

	*fault_r = ENOMEM;
	if (slow->aside == NULL)
		return true;
	*fault_r = LOAD_FAULT_HANGS;
	if (!aside_wait(slow->aside, left_ms))
		return aside_age(slow->aside) >= HANGS_MS;
	job = aside_data(slow->aside);
	*fault_r = job->fault;
	*measure_r = job->measure;
	return true;
}

/* ---- All sources */

/* False: the source is off. */
static bool
make_probe(const struct load_sources *sources, enum load_source source,
    struct probe *probe)
{
	probe->capacity = sources->capacity[source];
	probe->proc_dir = sources->proc_dir;
	probe->figure_max_age = sources->figure_max_age;
	return probe->capacity > 0 && source_path(sources, source, probe->path);
}

static double
load_of(const struct source *source, double capacity, double measure)
{
	double load = source->inverse ? capacity / measure : measure / capacity;

	return fmin(load, LOAD_MAX);
}

/* "queue (queue_directory = /var/spool/postfix/active)", as far as it has one. */
static void
name_source(const struct load_sample *sample, enum load_source source,
    char name_r[SOURCE_SIZE])
{
	const char *name = table[source].name;
	const char *setting = table[source].setting;

	if (setting == NULL)
		(void)snprintf(name_r, SOURCE_SIZE, "%s", name);
	else
		(void)snprintf(name_r, SOURCE_SIZE, "%s (%s = %s)", name,
		    setting, sample->slow[source].path);
}

static void
note_fault(struct load_sample *sample, enum load_source i, int fault)
{
	char name[SOURCE_SIZE];

	sample->fault_changed[i] = fault != sample->faults[i];
	sample->faults[i] = fault;
	if (!sample->fault_changed[i])
		return;
	name_source(sample, i, name);
	if (fault == 0)
		log_info("load source %s: can be read again", name);
	else
		log_warning("load source %s is ignored: %s", name,
		    load_fault_text(fault));
}

static void
take(struct load_sample *sample, enum load_source i, const struct probe *probe,
    int64_t due_us)
{
	double measure = 0;
	int fault = 0;

	if (!table[i].may_hang)
		fault = table[i].measure(probe, &measure);
	else if (!end_aside(&sample->slow[i], due_us, &fault, &measure))
		return;
	note_fault(sample, i, fault);
	sample->loads[i] =
	    fault == 0 ? load_of(&table[i], probe->capacity, measure) : 0;
}

void
load_sample_take(const struct load_sources *sources, int64_t sessions,
    int64_t now, struct load_sample *sample)
{
	struct probe probe = {
	    .sessions = sessions, .now = now, .clock_us = clock_steady_us()};
	int64_t due_us = probe.clock_us + WAIT_MS * 1000;

	for (int i = 0; i < LOAD_SOURCE_COUNT; i++)
		if (table[i].may_hang &&
		    make_probe(sources, (enum load_source)i, &probe))
			start_aside(&sample->slow[i], &table[i], &probe);
	sample->load = 0;
	sample->source = LOAD_SOURCE_NONE;
	for (int i = 0; i < LOAD_SOURCE_COUNT; i++) {
		probe.pressure = &sample->pressures[i];
		sample->fault_changed[i] = false;
		if (make_probe(sources, (enum load_source)i, &probe)) {
			take(sample, (enum load_source)i, &probe, due_us);
		} else {
			note_fault(sample, (enum load_source)i, 0);
			sample->loads[i] = 0;
		}
		if (sample->loads[i] > sample->load) {
			sample->load = sample->loads[i];
			sample->source = (enum load_source)i;
		}
	}
}

void
load_sample_clear(struct load_sample *sample)
{
	for (int i = 0; i < LOAD_SOURCE_COUNT; i++)
		aside_close(&sample->slow[i].aside);
	memset(sample, 0, sizeof *sample);
}
