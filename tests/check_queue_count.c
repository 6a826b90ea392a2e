#define _XOPEN_SOURCE 700 /* nftw */

#include "lib/check_main.h"
#include "load/load_sample.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANY	  INT64_C(1000)
#define LONG_TIME INT64_C(60000)

static char queue[] = "/tmp/check_queue_count.XXXXXX";

static const char *
path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof path, "%s/%s", queue, name);
	return path;
}

static void
add_file(const char *name)
{
	int fd = open(path_of(name), O_CREAT | O_WRONLY, 0600);

	ck_assert_msg(fd >= 0, "%s", name);
	close(fd);
}

static void
add_dir(const char *name)
{
	ck_assert_msg(mkdir(path_of(name), 0700) == 0, "%s", name);
}

static void
set_up(void)
{
	ck_assert(mkdtemp(queue) != NULL);
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
	nftw(queue, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void
assert_count(int64_t limit, int64_t want, const char *when)
{
	int64_t count = -1;
	int error = queue_count(queue, limit, LONG_TIME, &count);

	ck_assert_msg(error == 0 && count == want, "%s: error %d, count %lld",
	    when, error, (long long)count);
}

START_TEST(files_are_counted)
{
	assert_count(MANY, 0, "an empty queue");
	add_file("3F2A1B");
	add_file("4XyZz0Bcdf");
	assert_count(MANY, 2, "two messages");
	add_file(".hidden");
	assert_count(MANY, 2, "a name with a dot is no message");
}
END_TEST

START_TEST(hashed_directories_are_walked)
{
	add_dir("3");
	add_file("3/3F2A1B");
	add_dir("3/F");
	add_file("3/F/3F2A1C");
	add_dir("3/F/2");
	add_dir("3/F/2/A");
	add_file("3/F/2/A/3F2A1D");
	assert_count(MANY, 3, "four levels of hashing");
	add_dir("3/F/2/A/5");
	add_file("3/F/2/A/5/deep");
	assert_count(MANY, 3, "a fifth level is not ours");
}
END_TEST

START_TEST(counting_stops_at_the_limit)
{
	char name[16];

	add_dir("a");
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "%s%d", i % 2 ? "a/" : "", i);
		add_file(name);
	}
	assert_count(MANY, 100, "below the limit");
	assert_count(100, 100, "at the limit");
	assert_count(60, 60, "above the limit");
	assert_count(1, 1, "a limit of 1");
	assert_count(0, 0, "a limit of 0 counts nothing");
	assert_count(-1, 0, "nor does a negative one");
}
END_TEST

START_TEST(links_are_not_followed)
{
	add_dir("a");
	add_file("a/message");
	ck_assert(symlink(queue, path_of("loop")) == 0);
	ck_assert(symlink("a/message", path_of("link")) == 0);
	assert_count(MANY, 1, "neither to directories nor to files");
}
END_TEST

START_TEST(other_things_are_no_messages)
{
	ck_assert(mkfifo(path_of("fifo"), 0600) == 0);
	assert_count(MANY, 0, "a FIFO");
}
END_TEST

START_TEST(without_time_the_answer_is_a_lower_bound)
{
	char name[16];
	int64_t count = -1;

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "%d", i);
		add_file(name);
	}
	ck_assert_int_eq(queue_count(queue, MANY, 0, &count), 0);
	ck_assert_msg(count > 0 && count < 300, "%lld", (long long)count);
}
END_TEST

START_TEST(what_cannot_be_read_says_why)
{
	int64_t count = -1;

	ck_assert_int_eq(
	    queue_count(path_of("nowhere"), MANY, LONG_TIME, &count), ENOENT);
	ck_assert_int_eq(count, 0);
	add_file("file");
	ck_assert_int_eq(
	    queue_count(path_of("file"), MANY, LONG_TIME, &count), ENOTDIR);
}
END_TEST

CHECK_MAIN("queue_count", tcase)
{
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, files_are_counted);
	tcase_add_test(tcase, hashed_directories_are_walked);
	tcase_add_test(tcase, counting_stops_at_the_limit);
	tcase_add_test(tcase, links_are_not_followed);
	tcase_add_test(tcase, other_things_are_no_messages);
	tcase_add_test(tcase, without_time_the_answer_is_a_lower_bound);
	tcase_add_test(tcase, what_cannot_be_read_says_why);
}
