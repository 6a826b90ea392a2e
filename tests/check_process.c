#define _DEFAULT_SOURCE /* RLIMIT_NOFILE, getpwuid */
#include "daemon/process.h"

#include "base/user.h"
#include "lib/check_main.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int
status_of(pid_t child)
{
	int status = -1;

	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* A starter in a process of its own: 0 started, 1 not started, 2 daemon that
 * is in no session of its own. */
static int
start_daemon(bool gets_ready)
{
	int ready;

	switch (process_detach(&ready)) {
	case PROCESS_STARTED:
		return 0;
	case PROCESS_NOT_STARTED:
		return 1;
	case PROCESS_DAEMON:
		break;
	}
	if (getsid(0) != getpid())
		return 2;
	if (gets_ready)
		process_ready(&ready, false);
	return ready == -1 ? 0 : 1;
}

START_TEST(the_starter_succeeds_when_the_daemon_is_ready)
{
	pid_t child = fork();

	if (child == 0)
		_exit(start_daemon(true));
	ck_assert_int_eq(status_of(child), 0);
}
END_TEST

START_TEST(the_starter_fails_when_the_daemon_ends_before)
{
	pid_t child = fork();

	if (child == 0)
		_exit(start_daemon(false));
	ck_assert_int_eq(status_of(child), 1);
}
END_TEST

START_TEST(as_many_files_are_allowed_as_may_be)
{
	struct rlimit limit = {0};
	long files = process_raise_files();

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	ck_assert_uint_eq(limit.rlim_cur, limit.rlim_max);
	ck_assert_int_gt(files, 0);
}
END_TEST

START_TEST(no_user_means_to_stay_who_we_are)
{
	char why[256] = "";

	ck_assert(user_become("", why, sizeof why));
}
END_TEST

START_TEST(root_is_told_of_a_user_that_does_not_exist)
{
	char why[256] = "";
	bool done = user_become("no-such-user", why, sizeof why);

	ck_assert(done == (geteuid() != 0));
	if (!done)
		ck_assert_ptr_nonnull(
		    strstr(why, "no-such-user: no such user"));
}
END_TEST

/* In a child: 0 if we are nobody and can never be root again, or never were. */
static int
become_nobody(void)
{
	char why[256];
	bool was_root = geteuid() == 0;
	const struct passwd *nobody = getpwnam("nobody");

	if (nobody == NULL)
		return 0;
	if (!user_become("nobody", why, sizeof why))
		return 1;
	if (!was_root)
		return 0;
	return getuid() == nobody->pw_uid && setuid(0) != 0 &&
		getegid() == nobody->pw_gid
	    ? 0
	    : 2;
}

START_TEST(root_becomes_another_user_for_good_and_others_stay)
{
	pid_t child = fork();

	if (child == 0)
		_exit(become_nobody());
	ck_assert_int_eq(status_of(child), 0);
}
END_TEST

CHECK_MAIN("process", tests)
{
	tcase_add_test(tests, the_starter_succeeds_when_the_daemon_is_ready);
	tcase_add_test(tests, the_starter_fails_when_the_daemon_ends_before);
	tcase_add_test(tests, as_many_files_are_allowed_as_may_be);
	tcase_add_test(tests, no_user_means_to_stay_who_we_are);
	tcase_add_test(tests, root_is_told_of_a_user_that_does_not_exist);
	tcase_add_test(
	    tests, root_becomes_another_user_for_good_and_others_stay);
}
