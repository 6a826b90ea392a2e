#define _XOPEN_SOURCE 700 /* nftw */

#include "base/thread.h"
#include "lib/check_main.h"
#include "load/load_sample.h"
#include "policy/facts.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "load/load.h"

/* What the kernel would say, and what an admin's program writes. */

static char root[] = "/tmp/check_load_sample.XXXXXX";
static char queue_dir[64], figure_file[64];

static void
put(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", root, name);
	file = fopen(path, "w");
	ck_assert(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static void
take_away(const char *name)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", root, name);
	ck_assert(remove(path) == 0);
}

static void
set_up(void)
{
	char pressure_dir[64];

	ck_assert(mkdtemp(root) != NULL);
	snprintf(pressure_dir, sizeof pressure_dir, "%s/pressure", root);
	snprintf(queue_dir, sizeof queue_dir, "%s/queue", root);
	snprintf(figure_file, sizeof figure_file, "%s/figure", root);
	ck_assert(mkdir(pressure_dir, 0700) == 0);
	ck_assert(mkdir(queue_dir, 0700) == 0);
	put("pressure/cpu", "some avg10=20.00 avg60=1.00 avg300=0 total=5\n");
	put("pressure/io", "some avg10=30.00 avg60=1.00 avg300=0 total=5\n");
	put("pressure/memory",
	    "some avg10=40.00 avg60=1.00 avg300=0 total=5\n"
	    "full avg10=99.00 avg60=1.00 avg300=0 total=5\n");
	put("queue/1", "");
	put("queue/2", "");
	put("figure", "0.5\n");
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
	(void)st;
	(void)type;
	(void)where;
	return remove(path);
}

static void
tear_down(void)
{
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static struct load_sources
one_source(enum load_source source, double capacity)
{
	struct load_sources sources = {
	    .queue_dir = queue_dir,
	    .space_dir = root,
	    .figure_file = figure_file,
	    .figure_max_age = 60,
	    .proc_dir = root,
	};

	sources.capacity[source] = capacity;
	return sources;
}

/* On a busy machine a measure that is taken aside may come after the sample: then
 * the next one has it. */
static void
take_at(const struct load_sources *sources, int64_t sessions, int64_t at,
    struct load_sample *sample)
{
	bool is_late = false;

	load_sample_take(sources, sessions, at, sample);
	for (int i = 0; i < LOAD_SOURCE_COUNT; i++)
		if (sample->slow[i].aside != NULL &&
		    !aside_wait(sample->slow[i].aside, 0)) {
			is_late = true;
			ck_assert(aside_wait(sample->slow[i].aside, 60000));
		}
	if (is_late)
		load_sample_take(sources, sessions, at, sample);
}

static void
take(const struct load_sources *sources, int64_t sessions,
    struct load_sample *sample)
{
	take_at(sources, sessions, time(NULL), sample);
}

static const struct {
	const char *when;
	enum load_source source;
	double capacity;
	int64_t sessions;
	double load;
} source_rows[] = {
    {"pressure tells nothing in the first sample", LOAD_CPU_PRESSURE, 0.4, 0,
	0},
    {"open sessions", LOAD_SESSIONS, 200, 50, 0.25},
    {"a negative number of sessions is none", LOAD_SESSIONS, 200, -1, 0},
    {"messages in the queue", LOAD_QUEUE, 8, 0, 0.25},
    {"a full queue counts as full, not as more", LOAD_QUEUE, 1, 0, 1},
    {"a figure of the admin's program", LOAD_FIGURE, 0.5, 0, 1.0},
    {"a capacity of 0 switches off", LOAD_SESSIONS, 0, 50, 0},
    {"so does a negative one", LOAD_SESSIONS, -1, 50, 0},
    {"and one that is no number", LOAD_SESSIONS, NAN, 50, 0},
    {"a tiny capacity stays within the largest load", LOAD_SESSIONS, 1e-300, 50,
	LOAD_MAX},
};

START_TEST(each_source_has_its_capacity)
{
	struct load_sources sources =
	    one_source(source_rows[_i].source, source_rows[_i].capacity);
	struct load_sample sample = {0};

	take(&sources, source_rows[_i].sessions, &sample);
	ck_assert_msg(fabs(sample.load - source_rows[_i].load) < 1e-9,
	    "%s: got %f", source_rows[_i].when, sample.load);
	ck_assert_msg(sample.source ==
		(sample.load > 0 ? source_rows[_i].source : LOAD_SOURCE_NONE),
	    "%s: by %s", source_rows[_i].when, load_source_name(sample.source));
	for (int i = 0; i < LOAD_SOURCE_COUNT; i++)
		ck_assert_int_eq(sample.faults[i], 0);
	load_sample_clear(&sample);
}
END_TEST

START_TEST(load_average_is_per_cpu)
{
	struct load_sources sources = one_source(LOAD_CPU, 2.0);
	struct load_sample sample = {0};
	char text[64];

	snprintf(text, sizeof text, "%ld.00 0.00 0.00 1/200 4711\n",
	    sysconf(_SC_NPROCESSORS_ONLN));
	put("loadavg", text);
	take(&sources, 0, &sample);
	ck_assert_msg(fabs(sample.load - 0.5) < 1e-9, "got %f", sample.load);
	load_sample_clear(&sample);
}
END_TEST

START_TEST(free_space_counts_the_other_way)
{
	struct load_sources sources = one_source(LOAD_SPACE, 1e-9);
	struct load_sample sample = {0};

	sources.capacity[LOAD_INODES] = 1e-9;
	take(&sources, 0, &sample);
	ck_assert_msg(sample.loads[LOAD_SPACE] < 0.01, "nearly all is free");
	ck_assert_msg(sample.loads[LOAD_INODES] < 0.01, "nearly all is free");
	sources.capacity[LOAD_SPACE] = 1.0;
	take(&sources, 0, &sample);
	ck_assert_msg(sample.load >= 1.0, "wants all of it free");
	ck_assert_int_eq(sample.source, LOAD_SPACE);
	load_sample_clear(&sample);
}
END_TEST

START_TEST(the_busiest_source_is_the_load)
{
	struct load_sources sources = one_source(LOAD_SESSIONS, 100);
	struct load_sample sample = {0};

	sources.capacity[LOAD_QUEUE] = 5;
	sources.capacity[LOAD_FIGURE] = 1;
	take(&sources, 60, &sample);
	ck_assert(sample.load == 0.6);
	ck_assert_str_eq(load_source_name(sample.source), "sessions");
	ck_assert(sample.loads[LOAD_QUEUE] == 0.4);
	ck_assert(sample.loads[LOAD_FIGURE] == 0.5);
	take(&sources, 10, &sample);
	ck_assert(sample.load == 0.5);
	ck_assert_str_eq(load_source_name(sample.source), "figure");
	load_sample_clear(&sample);
}
END_TEST

START_TEST(sources_without_a_path_are_off)
{
	struct load_sources sources = {.figure_max_age = 60};
	struct load_sample sample = {0};

	sources.capacity[LOAD_QUEUE] = 1;
	sources.capacity[LOAD_SPACE] = 1;
	sources.capacity[LOAD_INODES] = 1;
	sources.capacity[LOAD_FIGURE] = 1;
	take(&sources, 0, &sample);
	ck_assert(sample.load == 0);
	ck_assert_int_eq(sample.source, LOAD_SOURCE_NONE);
	for (int i = 0; i < LOAD_SOURCE_COUNT; i++)
		ck_assert_int_eq(sample.faults[i], 0);
	load_sample_clear(&sample);
}
END_TEST

static void
wait_a_moment(void)
{
	const struct timespec moment = {0, 2000000};

	(void)nanosleep(&moment, NULL);
}

START_TEST(pressure_is_what_the_counter_grew_by)
{
	struct load_sources sources = one_source(LOAD_CPU_PRESSURE, 1);
	struct load_sample sample = {0};

	sources.capacity[LOAD_IO_PRESSURE] = 1;
	sources.capacity[LOAD_MEMORY_PRESSURE] = 1;
	load_sample_take(&sources, 0, 0, &sample);
	ck_assert(sample.load == 0);
	put("pressure/cpu", "some avg10=0.00 total=9999999999\n");
	put("pressure/memory",
	    "some avg10=0.00 total=5\nfull avg10=0.00 total=9999999999\n");
	wait_a_moment();
	load_sample_take(&sources, 0, 0, &sample);
	ck_assert_msg(sample.loads[LOAD_CPU_PRESSURE] > 0 &&
		sample.loads[LOAD_CPU_PRESSURE] < 1,
	    "got %f", sample.loads[LOAD_CPU_PRESSURE]);
	ck_assert(sample.loads[LOAD_IO_PRESSURE] == 0);
	ck_assert_msg(sample.loads[LOAD_MEMORY_PRESSURE] == 0,
	    "`some` counts, not `full`");
	load_sample_clear(&sample);
}
END_TEST

START_TEST(without_pressure_the_run_queue_counts)
{
	struct load_sources sources = one_source(LOAD_CPU_PRESSURE, 1);
	struct load_sample sample = {0};
	char text[64];

	sources.capacity[LOAD_IO_PRESSURE] = 1;
	take_away("pressure/cpu");
	take_away("pressure/io");
	snprintf(text, sizeof text, "0.00 0.00 0.00 %ld/9999 4711\n",
	    2 * sysconf(_SC_NPROCESSORS_ONLN) + 1);
	put("loadavg", text);
	load_sample_take(&sources, 0, 0, &sample);
	wait_a_moment();
	load_sample_take(&sources, 0, 0, &sample);
	ck_assert(sample.loads[LOAD_CPU_PRESSURE] > 0);
	ck_assert(sample.loads[LOAD_IO_PRESSURE] == 0);
	for (int i = 0; i < LOAD_SOURCE_COUNT; i++)
		ck_assert_msg(sample.faults[i] == 0, "it is off, not at fault");
	load_sample_clear(&sample);
}
END_TEST

START_TEST(a_fault_is_told_once_and_its_end_once)
{
	struct load_sources sources = one_source(LOAD_FIGURE, 0.5);
	struct load_sample sample = {0};
	const int *fault = &sample.faults[LOAD_FIGURE];
	const bool *changed = &sample.fault_changed[LOAD_FIGURE];

	take(&sources, 0, &sample);
	ck_assert(*fault == 0 && !*changed);
	take_away("figure");
	take(&sources, 0, &sample);
	ck_assert(*fault == ENOENT && *changed && sample.load == 0);
	take(&sources, 0, &sample);
	ck_assert(*fault == ENOENT && !*changed);
	put("figure", "rubbish\n");
	take(&sources, 0, &sample);
	ck_assert(*fault == LOAD_FAULT_NONSENSE && *changed);
	put("figure", "0.5\n");
	take(&sources, 0, &sample);
	ck_assert(*fault == 0 && *changed && sample.load == 1);
	load_sample_clear(&sample);
}
END_TEST

START_TEST(a_pressure_file_of_nonsense_is_a_fault)
{
	struct load_sources sources = one_source(LOAD_IO_PRESSURE, 0.5);
	struct load_sample sample = {0};

	put("pressure/io", "rubbish\n");
	load_sample_take(&sources, 0, 0, &sample);
	ck_assert_int_eq(sample.faults[LOAD_IO_PRESSURE], LOAD_FAULT_NONSENSE);
	load_sample_clear(&sample);
}
END_TEST

static const struct {
	const char *when;
	const char *text;
	int64_t later; /* seconds from writing it to reading it */
	int fault;
	double load;
} figure_rows[] = {
    {"a number", "0.75", 0, 0, 0.75},
    {"with a newline", "0.75\n", 0, 0, 0.75},
    {"as old as it may be", "0.75\n", 50, 0, 0.75},
    {"too old", "0.75\n", 70, LOAD_FAULT_OLD, 0},
    {"from the future", "0.75\n", -70, LOAD_FAULT_OLD, 0},
    {"empty", "", 0, LOAD_FAULT_NONSENSE, 0},
    {"only a newline", "\n", 0, LOAD_FAULT_NONSENSE, 0},
    {"NaN", "nan\n", 0, LOAD_FAULT_NONSENSE, 0},
    {"negative", "-1\n", 0, LOAD_FAULT_NONSENSE, 0},
    {"two lines", "1\n2\n", 0, LOAD_FAULT_NONSENSE, 0},
    {"huge but a number", "99999999999999999999", 0, 0, LOAD_MAX},
};

START_TEST(figures)
{
	struct load_sources sources = one_source(LOAD_FIGURE, 1);
	struct load_sample sample = {0};

	put("figure", figure_rows[_i].text);
	take_at(&sources, 0, time(NULL) + figure_rows[_i].later, &sample);
	ck_assert_msg(sample.faults[LOAD_FIGURE] == figure_rows[_i].fault &&
		sample.load == figure_rows[_i].load,
	    "%s: fault %d, load %f", figure_rows[_i].when,
	    sample.faults[LOAD_FIGURE], sample.load);
	load_sample_clear(&sample);
}
END_TEST

START_TEST(a_fifo_does_not_hold_us_up)
{
	struct load_sources sources = one_source(LOAD_FIGURE, 1);
	struct load_sample sample = {0};

	take_away("figure");
	ck_assert(mkfifo(figure_file, 0600) == 0);
	take(&sources, 0, &sample);
	ck_assert_int_eq(sample.faults[LOAD_FIGURE], EINVAL);
	load_sample_clear(&sample);
}
END_TEST

START_TEST(every_fault_has_words)
{
	ck_assert(strlen(load_fault_text(0)) > 0);
	ck_assert(strlen(load_fault_text(LOAD_FAULT_OLD)) > 0);
	ck_assert(strlen(load_fault_text(LOAD_FAULT_NONSENSE)) > 0);
	ck_assert_str_eq(load_fault_text(ENOENT), strerror(ENOENT));
	ck_assert_str_eq(load_source_name(LOAD_SOURCE_NONE), "none");
}
END_TEST

CHECK_MAIN("load_sample", tcase)
{
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(
	    tcase, each_source_has_its_capacity, 0, COUNT(source_rows));
	tcase_add_test(tcase, load_average_is_per_cpu);
	tcase_add_test(tcase, free_space_counts_the_other_way);
	tcase_add_test(tcase, the_busiest_source_is_the_load);
	tcase_add_test(tcase, sources_without_a_path_are_off);
	tcase_add_test(tcase, pressure_is_what_the_counter_grew_by);
	tcase_add_test(tcase, without_pressure_the_run_queue_counts);
	tcase_add_test(tcase, a_fault_is_told_once_and_its_end_once);
	tcase_add_test(tcase, a_pressure_file_of_nonsense_is_a_fault);
	tcase_add_loop_test(tcase, figures, 0, COUNT(figure_rows));
	tcase_add_test(tcase, a_fifo_does_not_hold_us_up);
	tcase_add_test(tcase, every_fault_has_words);
}
