#include "config/socket_spec.h"

#include <stdlib.h>
#include <string.h>

#include "lib/check_main.h"

static const struct good {
	const char *when;
	const char *text;
	enum socket_family family;
	const char *path; /* or host */
	const char *port;
} good[] = {
    {"unix: names a socket in the file system", "unix:/run/x/s", SOCKET_UNIX,
	"/run/x/s", ""},
    {"local: is the same", "local:/run/x/s", SOCKET_UNIX, "/run/x/s", ""},
    {"so is a bare path", "/run/x/s", SOCKET_UNIX, "/run/x/s", ""},
    {"inet: has a port at an IPv4 host", "inet:8891@127.0.0.1", SOCKET_INET,
	"127.0.0.1", "8891"},
    {"brackets around the host are taken off", "inet:8891@[127.0.0.1]",
	SOCKET_INET, "127.0.0.1", "8891"},
    {"a host may be a name", "inet:8891@localhost", SOCKET_INET, "localhost",
	"8891"},
    {"inet6: has an IPv6 host", "inet6:8891@[::1]", SOCKET_INET6, "::1",
	"8891"},
    {"the lowest port is 1", "inet:1@h", SOCKET_INET, "h", "1"},
    {"the highest port is 65535", "inet:65535@h", SOCKET_INET, "h", "65535"},
};

static const struct bad {
	const char *when;
	const char *text;
	const char *why; /* a part of the reason */
} bad[] = {
    {"nothing is not a socket", "", "a socket is"},
    {"an unknown kind is refused", "tcp:8891@127.0.0.1", "a socket is"},
    {"a relative path has no meaning for a daemon", "unix:run/s",
	"begin with /"},
    {"an empty path is refused", "unix:", "begin with /"},
    {"without a host it would be open to all the world", "inet:8891",
	"host is needed"},
    {"an empty host is no host", "inet:8891@", "host is needed"},
    {"empty brackets are no host", "inet6:8891@[]", "host is needed"},
    {"port 0 is refused", "inet:0@127.0.0.1", "port"},
    {"port 65536 is refused, not taken for 0", "inet:65536@127.0.0.1", "port"},
    {"port 99999 is refused, not taken for 34463", "inet:99999@127.0.0.1",
	"port"},
    {"a port of six digits is refused", "inet:008891@127.0.0.1", "port"},
    {"a port has digits only", "inet:+891@127.0.0.1", "port"},
    {"a port is needed", "inet:@127.0.0.1", "port"},
    {"host and port in the other order are refused", "inet:127.0.0.1:8891",
	"port"},
};

START_TEST(each_good_socket_is_taken)
{
	const struct good *row = &good[_i];
	struct socket_spec spec;
	const char *why = "";

	ck_assert_msg(socket_spec_parse(row->text, &spec, &why), "%s: %s",
	    row->when, why);
	ck_assert_msg(spec.family == row->family, "%s", row->when);
	ck_assert_msg(strcmp(spec.family == SOCKET_UNIX ? spec.path : spec.host,
			  row->path) == 0,
	    "%s", row->when);
	ck_assert_msg(strcmp(spec.port, row->port) == 0, "%s", row->when);
}
END_TEST

START_TEST(each_bad_socket_is_refused_with_its_reason)
{
	const struct bad *row = &bad[_i];
	struct socket_spec spec;
	const char *why = "";

	ck_assert_msg(
	    !socket_spec_parse(row->text, &spec, &why), "%s", row->when);
	ck_assert_msg(strstr(why, row->why) != NULL, "%s: %s", row->when, why);
}
END_TEST

START_TEST(a_path_of_107_characters_is_the_longest)
{
	char text[SOCKET_PATH_MAX + 2];
	struct socket_spec spec;
	const char *why;

	memset(text, 'x', sizeof text);
	text[0] = '/';
	text[SOCKET_PATH_MAX] = '\0';
	ck_assert(socket_spec_parse(text, &spec, &why));
	ck_assert_str_eq(spec.path, text);
	text[SOCKET_PATH_MAX] = 'x';
	text[SOCKET_PATH_MAX + 1] = '\0';
	ck_assert(!socket_spec_parse(text, &spec, &why));
}
END_TEST

CHECK_MAIN("socket_spec", tests)
{
	tcase_add_loop_test(tests, each_good_socket_is_taken, 0, COUNT(good));
	tcase_add_loop_test(
	    tests, each_bad_socket_is_refused_with_its_reason, 0, COUNT(bad));
	tcase_add_test(tests, a_path_of_107_characters_is_the_longest);
}
