#include "config/settings.h"

#include <stdlib.h>
#include <string.h>

#include "lib/check_main.h"

static const struct row {
	const char *when;
	const char *section;
	const char *name;
	const char *value;
	const char *told; /* "": it takes effect at once */
} rows[] = {
    {"the socket is open already", "", "socket", "inet:8891@127.0.0.1",
	"socket "},
    {"a mode is a number, and matters when the socket is made", "",
	"socket_mode", "0600", "socket_mode "},
    {"root is gone", "", "user", "nobody", "user "},
    {"rules go by the new one at once, the store by the old one", "", "keep",
	"9d", "keep for the life of records "},
    {"so they do here", "", "retry_window", "9h",
	"retry_window for the life of records "},
    {"replies show the new one at once", "", "server_name", "mx9.example.org",
	"server_name for the name in the store "},
    {"the links to Redis are made", "redis", "servers", "redis1.example:6379",
	"redis.servers "},
    {"a yes or no of the redis section as well", "redis", "tls", "true",
	"redis.tls "},
    {"the size of the store is settled", "store", "memory", "2M",
	"store.memory "},
    {"so is where it is saved", "store", "file", "/tmp/x", "store.file "},
    {"how long good clients are remembered without it is read from the policy",
	"store", "remember_good", "3h", ""},
    {"the store has its half-life", "reputation", "half_life", "9d",
	"reputation.half_life "},
    {"a real number of the store as well", "reputation", "abandoned", "7.5",
	"reputation.abandoned "},
    {"a name that merely begins the same is no such setting", "reputation",
	"accepted", "0.75", ""},
    {"the delay is for rules, which are read anew", "", "delay", "17m", ""},
    {"so are thresholds of load", "load", "sessions", "77", ""},
};

static void
append_name(void *arg, const char *name, const char *part)
{
	(void)strcat(arg, name);
	if (part != NULL) {
		(void)strcat(arg, " for ");
		(void)strcat(arg, part);
	}
	(void)strcat(arg, " ");
}

static void
change(struct settings *settings, const struct row *row)
{
	char why[SETTING_WHY_SIZE] = "no such setting";

	for (size_t i = 0; i < setting_count; i++) {
		const struct setting *setting = &setting_table[i];

		if (strcmp(setting->section, row->section) == 0 &&
		    strcmp(setting->name, row->name) == 0) {
			ck_assert_msg(setting_assign(settings, setting,
					  &row->value, 1, why),
			    "%s: %s", row->name, why);
			return;
		}
	}
	ck_abort_msg("%s: %s", row->name, why);
}

START_TEST(each_change_is_told_if_it_has_to_wait)
{
	const struct row *row = &rows[_i];
	struct settings before;
	struct settings after;
	char told[256] = "";

	ck_assert(settings_init(&before));
	ck_assert(settings_init(&after));
	settings_compare(&before, &after, append_name, told);
	ck_assert_str_eq(told, "");
	change(&after, row);
	settings_compare(&before, &after, append_name, told);
	ck_assert_msg(
	    strcmp(told, row->told) == 0, "%s: told \"%s\"", row->when, told);
	settings_clear(&before);
	settings_clear(&after);
}
END_TEST

CHECK_MAIN("reload", tests)
{
	tcase_add_loop_test(
	    tests, each_change_is_told_if_it_has_to_wait, 0, COUNT(rows));
}
