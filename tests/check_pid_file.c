#include "base/pid_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/check_main.h"

static char directory[] = "/tmp/check_pid_file.XXXXXX";
static char path[sizeof directory + 8];

static void
make_directory(void)
{
	(void)strcpy(directory + sizeof directory - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	(void)snprintf(path, sizeof path, "%s/pid", directory);
}

static void
remove_directory(void)
{
	(void)unlink(path);
	(void)rmdir(directory);
}

static long
pid_in_file(void)
{
	FILE *file = fopen(path, "r");
	char line[32] = "";

	ck_assert_ptr_nonnull(file);
	ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
	(void)fclose(file);
	return strtol(line, NULL, 10);
}

static void
write_rubbish(void)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	(void)fputs("99999999999999999999\n", file);
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(it_names_our_process)
{
	char why[256] = "";
	int fd;

	ck_assert_msg(pid_file_take(path, &fd, why, sizeof why), "%s", why);
	ck_assert_int_eq(pid_in_file(), getpid());
	pid_file_drop(path, &fd);
	ck_assert_int_eq(fd, -1);
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

START_TEST(one_that_a_dead_process_left_is_taken_over)
{
	char why[256] = "";
	int fd;

	write_rubbish();
	ck_assert_msg(pid_file_take(path, &fd, why, sizeof why), "%s", why);
	ck_assert_int_eq(pid_in_file(), getpid());
	pid_file_drop(path, &fd);
}
END_TEST

/* In a child: 0 if it was refused and told of the holder. */
static int
try_second(long holder)
{
	char why[256] = "";
	char name[32];
	int fd;

	(void)snprintf(name, sizeof name, "process %ld", holder);
	if (pid_file_take(path, &fd, why, sizeof why))
		return 1;
	return fd == -1 && strstr(why, name) != NULL &&
		strstr(why, path) != NULL
	    ? 0
	    : 2;
}

START_TEST(a_second_process_is_refused_and_told_who_holds_it)
{
	char why[256] = "";
	long holder = getpid();
	int fd;
	int status;
	pid_t child;

	ck_assert(pid_file_take(path, &fd, why, sizeof why));
	child = fork();
	if (child == 0)
		_exit(try_second(holder));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(pid_in_file(), holder);
	pid_file_drop(path, &fd);
}
END_TEST

START_TEST(a_symbolic_link_is_not_followed)
{
	char why[256] = "";
	int fd;

	ck_assert_int_eq(symlink("elsewhere", path), 0);
	ck_assert(!pid_file_take(path, &fd, why, sizeof why));
	ck_assert_ptr_nonnull(strstr(why, path));
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_told)
{
	char why[256] = "";
	int fd;

	ck_assert(!pid_file_take("/nonexistent/pid", &fd, why, sizeof why));
	ck_assert_int_eq(fd, -1);
	ck_assert_ptr_nonnull(strstr(why, "/nonexistent/pid"));
}
END_TEST

CHECK_MAIN("pid_file", tests)
{
	tcase_add_checked_fixture(tests, make_directory, remove_directory);
	tcase_add_test(tests, it_names_our_process);
	tcase_add_test(tests, one_that_a_dead_process_left_is_taken_over);
	tcase_add_test(
	    tests, a_second_process_is_refused_and_told_who_holds_it);
	tcase_add_test(tests, a_symbolic_link_is_not_followed);
	tcase_add_test(tests, a_directory_that_is_not_there_is_told);
}
