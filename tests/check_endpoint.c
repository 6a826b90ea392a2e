#include "daemon/endpoint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/check_main.h"

static char directory[] = "/tmp/check_endpoint.XXXXXX";
static struct socket_spec spec;
static char why[256];

static void
make_directory(void)
{
	(void)strcpy(directory + sizeof directory - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	memset(&spec, 0, sizeof spec);
	(void)snprintf(spec.path, sizeof spec.path, "%s/socket", directory);
	why[0] = '\0';
}

static void
remove_directory(void)
{
	(void)unlink(spec.path);
	(void)rmdir(directory);
}

/* A process that serves the socket; closing it leaves the socket stale. */
static int
serve(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(
	    address.sun_path, sizeof address.sun_path, "%s", spec.path);
	ck_assert_int_eq(
	    bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	return fd;
}

static bool
exists(void)
{
	struct stat status;

	return lstat(spec.path, &status) == 0;
}

START_TEST(where_nothing_is_there_is_room)
{
	ck_assert_msg(endpoint_clear(&spec, why, sizeof why), "%s", why);
}
END_TEST

START_TEST(a_stale_socket_is_removed)
{
	(void)close(serve());
	ck_assert(exists());
	ck_assert_msg(endpoint_clear(&spec, why, sizeof why), "%s", why);
	ck_assert(!exists());
}
END_TEST

START_TEST(a_socket_that_is_served_is_left_alone)
{
	int fd = serve();

	ck_assert(!endpoint_clear(&spec, why, sizeof why));
	ck_assert_ptr_nonnull(strstr(why, spec.path));
	ck_assert(exists());
	(void)close(fd);
}
END_TEST

START_TEST(a_file_that_is_no_socket_is_left_alone)
{
	FILE *file = fopen(spec.path, "w");

	ck_assert_ptr_nonnull(file);
	(void)fclose(file);
	ck_assert(!endpoint_clear(&spec, why, sizeof why));
	ck_assert_ptr_nonnull(strstr(why, "not a socket"));
	ck_assert(exists());
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_told)
{
	(void)strcpy(spec.path, "/nonexistent/socket");
	ck_assert(!endpoint_clear(&spec, why, sizeof why));
	ck_assert_ptr_nonnull(strstr(why, "directory /nonexistent: "));
}
END_TEST

START_TEST(the_root_is_a_directory_too)
{
	(void)strcpy(spec.path, "/milter-defer-check");
	if (!endpoint_clear(&spec, why, sizeof why))
		ck_assert_ptr_nonnull(strstr(why, "directory / cannot"));
}
END_TEST

START_TEST(without_a_group_it_keeps_its_own)
{
	ck_assert(endpoint_give(&spec, "", "", why, sizeof why));
}
END_TEST

START_TEST(a_group_that_does_not_exist_is_named)
{
	ck_assert(!endpoint_give(&spec, "", "no-such-group", why, sizeof why));
	ck_assert_ptr_nonnull(strstr(why, "no-such-group: no such group"));
}
END_TEST

START_TEST(a_path_in_use_is_explained)
{
	int fd = serve();

	endpoint_explain(&spec, why, sizeof why);
	ck_assert_ptr_nonnull(strstr(why, spec.path));
	ck_assert_ptr_nonnull(strstr(why, strerror(EADDRINUSE)));
	(void)close(fd);
}
END_TEST

START_TEST(an_address_that_is_not_ours_is_explained)
{
	spec.family = SOCKET_INET;
	(void)strcpy(spec.host, "192.0.2.1");
	(void)strcpy(spec.port, "8891");
	endpoint_explain(&spec, why, sizeof why);
	ck_assert_ptr_nonnull(strstr(why, "port 8891 of 192.0.2.1"));
	ck_assert_ptr_nonnull(strstr(why, strerror(EADDRNOTAVAIL)));
}
END_TEST

CHECK_MAIN("endpoint", tests)
{
	tcase_add_checked_fixture(tests, make_directory, remove_directory);
	tcase_add_test(tests, where_nothing_is_there_is_room);
	tcase_add_test(tests, a_stale_socket_is_removed);
	tcase_add_test(tests, a_socket_that_is_served_is_left_alone);
	tcase_add_test(tests, a_file_that_is_no_socket_is_left_alone);
	tcase_add_test(tests, a_directory_that_is_not_there_is_told);
	tcase_add_test(tests, the_root_is_a_directory_too);
	tcase_add_test(tests, without_a_group_it_keeps_its_own);
	tcase_add_test(tests, a_group_that_does_not_exist_is_named);
	tcase_add_test(tests, a_path_in_use_is_explained);
	tcase_add_test(tests, an_address_that_is_not_ours_is_explained);
}
