#include "config/settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "lib/check_main.h"
#include "lib/shipped.h"
#include "load/load.h"
#include "policy/reputation.h"

static const struct setting *
find(const char *section, const char *name)
{
	for (size_t i = 0; i < setting_count; i++)
		if (strcmp(setting_table[i].section, section) == 0 &&
		    strcmp(setting_table[i].name, name) == 0)
			return &setting_table[i];
	ck_abort_msg("no setting %s %s", section, name);
	return NULL;
}

START_TEST(no_name_stands_twice)
{
	for (size_t i = 0; i < setting_count; i++)
		ck_assert_ptr_eq(
		    find(setting_table[i].section, setting_table[i].name),
		    &setting_table[i]);
}
END_TEST

START_TEST(every_default_is_good)
{
	struct settings settings;

	ck_assert(settings_init(&settings));
	for (size_t i = 0; i < setting_count; i++) {
		char why[SETTING_WHY_SIZE] = "";

		ck_assert_msg(
		    setting_assign_default(&settings, &setting_table[i], why),
		    "%s: %s", setting_table[i].name, why);
	}
	settings_clear(&settings);
}
END_TEST

START_TEST(the_defaults_are_those_of_the_modules)
{
	struct settings settings;

	ck_assert(settings_init(&settings));
	ck_assert_int_eq(settings.delay, GREYLIST_DELAY);
	ck_assert_int_eq(settings.retry_window, GREYLIST_WINDOW);
	ck_assert_int_eq(settings.keep, GREYLIST_KEEP);
	ck_assert_double_eq(settings.load.hysteresis, LOAD_HYSTERESIS);
	ck_assert_int_eq(settings.load.dwell, LOAD_DWELL);
	ck_assert_int_eq(settings.load.silent_after, LOAD_MAX_AGE);
	ck_assert_double_eq(settings.reputation.prior, REPUTATION_PRIOR);
	ck_assert_double_eq(
	    settings.reputation.message_cap, REPUTATION_MESSAGE_CAP);
	ck_assert_int_eq(settings.reputation.half_life, REPUTATION_HALF_LIFE);
	ck_assert_int_eq(settings.log, LOG_TO_SYSLOG);
	settings_clear(&settings);
}
END_TEST

/* Each event of reputation.h is a setting of that name. */
START_TEST(the_default_points_are_those_of_the_events)
{
	struct settings settings;
	const struct setting *setting =
	    find("reputation", reputation_events[_i].name);
	double points;

	ck_assert(settings_init(&settings));
	memcpy(
	    &points, (const char *)&settings + setting->offset, sizeof points);
	ck_assert_double_eq(points, shipped_weights.points[_i]);
	settings_clear(&settings);
}
END_TEST

START_TEST(the_syslog_facilities_are_known_to_the_log)
{
	const struct setting *setting = find("", "log_facility");
	char words[200];
	char *rest = words;

	strcpy(words, setting->choices);
	for (char *word = strtok_r(words, " ", &rest); word != NULL;
	     word = strtok_r(NULL, " ", &rest))
		ck_assert_msg(log_open(LOG_TO_STDERR, word), "%s", word);
}
END_TEST

START_TEST(strings_are_never_null_and_lists_always_end)
{
	struct settings settings;

	ck_assert(settings_init(&settings));
	ck_assert_str_eq(settings.link, "");
	ck_assert_ptr_nonnull(settings.redis.servers);
	ck_assert_ptr_null(settings.redis.servers[0]);
	ck_assert_ptr_nonnull(settings.reputation.spam_headers);
	ck_assert_ptr_null(settings.reputation.spam_headers[0]);
	ck_assert_ptr_nonnull(settings.reputation.ham_headers);
	ck_assert_ptr_null(settings.reputation.ham_headers[0]);
	settings_clear(&settings);
	ck_assert_ptr_null(settings.link);
}
END_TEST

static const struct {
	const char *section;
	const char *name;
	const char *value;
	const char *why; /* NULL: it is good */
} rows[] = {
    {"", "socket", "inet:8891@127.0.0.1", NULL},
    {"", "socket", "inet:8891",
	"a host is needed, as in inet:8891@127.0.0.1; for all addresses say "
	"inet:8891@0.0.0.0"},
    {"", "socket_mode", "0660", NULL},
    {"", "socket_mode", "01777", "it has to be from 0 to 0777"},
    {"", "socket_mode", "rw-rw----", "an octal number is needed, such as 0660"},
    {"", "pid_file", "", NULL},
    {"", "pid_file", "run/pid", "a path that begins with / is needed"},
    {"", "log", "stderr", NULL},
    {"", "log", "file", "it has to be one of: syslog stderr"},
    {"", "log", "sys",
	"it has to be one of: syslog stderr; did you mean syslog?"},
    {"", "log", "", "it has to be one of: syslog stderr"},
    {"", "log_facility", "local7", NULL},
    {"", "log_facility", "local8",
	"it has to be one of: mail daemon user local0 local1 local2 local3 "
	"local4 local5 local6 local7; did you mean local0?"},
    {"", "observe", "yes", NULL},
    {"", "observe", "maybe", "it has to be true or false"},
    {"", "link", "https://a.test/?%{reference}", NULL},
    {"", "link", "https://a.test/?%{link}",
	"%{link} cannot stand in the link itself"},
    {"", "server_name", "mx.example.org", NULL},
    {"", "server_name", "mx example", "a host name is needed"},
    {"", "network_ipv4", "32", NULL},
    {"", "network_ipv4", "40", "it has to be from 8 to 32"},
    {"", "network_ipv4", "/24", "a whole number is needed, such as 100"},
    {"", "delay", "0s", NULL},
    {"", "delay", "1x",
	"there is no unit x: a duration is needed, such as 30s, 5m, 2h, 36d or "
	"1h30m"},
    {"", "delay", "8d", "it has to be from 0s to 7d"},
    {"", "hide_wait_below", "-100", NULL},
    {"", "hide_wait_below", "-101", "it has to be from -100 to 100"},
    {"redis", "servers", "[2001:db8::1]:6379", NULL},
    {"redis", "servers", "redis1",
	"an address is needed, such as redis1.example.org:6379, "
	"[2001:db8::1]:6379 or /run/redis/redis.sock"},
    {"redis", "prefix", "mail:", NULL},
    {"redis", "prefix", "{mail}",
	"printable ASCII without blanks and braces is needed"},
    {"redis", "prefix", "",
	"printable ASCII without blanks and braces is needed"},
    {"redis", "deadline", "10ms", NULL},
    {"redis", "deadline", "9ms", "it has to be from 10ms to 10s"},
    {"redis", "deadline", "200",
	"a short duration with its unit is needed, such as 200ms or 1s"},
    {"store", "memory", "64M", NULL},
    {"store", "memory", "1k", "it has to be from 1M to 1024G"},
    {"store", "memory", "lots", "a size is needed, such as 10k or 64M"},
    {"load", "disk_free", "0.05", NULL},
    {"load", "disk_free", "5%", "a number is needed, such as 0.85"},
    {"reputation", "spam_headers", "X-Spam: yes", NULL},
    {"reputation", "spam_headers", "X-Spam",
	"a header is needed, such as \"X-Spam-Flag: YES*\""},
};

START_TEST(assigning)
{
	struct settings settings;
	char why[SETTING_WHY_SIZE] = "";
	bool good;

	ck_assert(settings_init(&settings));
	good = setting_assign(&settings, find(rows[_i].section, rows[_i].name),
	    &rows[_i].value, 1, why);
	if (rows[_i].why == NULL)
		ck_assert_msg(good, "%s: %s", rows[_i].name, why);
	else
		ck_assert_msg(!good && strcmp(why, rows[_i].why) == 0,
		    "%s = %s: \"%s\"", rows[_i].name, rows[_i].value, why);
	settings_clear(&settings);
}
END_TEST

START_TEST(a_refused_value_leaves_the_old_one)
{
	const char *values[] = {"/a", "b"};
	struct settings settings;
	char why[SETTING_WHY_SIZE];

	ck_assert(settings_init(&settings));
	ck_assert(!setting_assign(
	    &settings, find("", "pid_file"), values + 1, 1, why));
	ck_assert_str_eq(
	    settings.pid_file, "/run/milter-defer/milter-defer.pid");
	ck_assert(
	    !setting_assign(&settings, find("", "pid_file"), values, 2, why));
	ck_assert_str_eq(why, "one value is needed, not a list");
	ck_assert(
	    setting_assign(&settings, find("", "pid_file"), values, 1, why));
	ck_assert_str_eq(settings.pid_file, "/a");
	settings_clear(&settings);
}
END_TEST

START_TEST(a_list_may_be_empty)
{
	const char *value = "X-Spam: yes";
	struct settings settings;
	char why[SETTING_WHY_SIZE];

	ck_assert(settings_init(&settings));
	ck_assert(setting_assign(
	    &settings, find("reputation", "spam_headers"), &value, 1, why));
	ck_assert_str_eq(settings.reputation.spam_headers[0], value);
	ck_assert(setting_assign(
	    &settings, find("reputation", "spam_headers"), NULL, 0, why));
	ck_assert_ptr_null(settings.reputation.spam_headers[0]);
	settings_clear(&settings);
}
END_TEST

CHECK_MAIN("settings", tcase)
{
	tcase_add_test(tcase, no_name_stands_twice);
	tcase_add_test(tcase, every_default_is_good);
	tcase_add_test(tcase, the_defaults_are_those_of_the_modules);
	tcase_add_loop_test(tcase, the_default_points_are_those_of_the_events,
	    0, REPUTATION_EVENT_COUNT);
	tcase_add_test(tcase, the_syslog_facilities_are_known_to_the_log);
	tcase_add_test(tcase, strings_are_never_null_and_lists_always_end);
	tcase_add_loop_test(tcase, assigning, 0, COUNT(rows));
	tcase_add_test(tcase, a_refused_value_leaves_the_old_one);
	tcase_add_test(tcase, a_list_may_be_empty);
}
