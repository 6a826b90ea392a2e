#include "daemon/reload.h"

#include <stdio.h>
#include <string.h>

#define NAME_SIZE 128

/* Used up at the start: the socket is open, privileges are gone, the store has
 * its terms.  A name that ends with a dot is a whole section. */
static bool
needs_restart(const char *name)
{
	static const char *const names[] = {"socket", "socket_mode",
	    "socket_group", "user", "pid_file", "server_name", "secret_file",
	    "retry_window", "keep", "redis.", "store.memory",
	    "store.network_cap", "store.file", "store.save_every",
	    "reputation.half_life", "reputation.abandoned"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		size_t len = strlen(names[i]);

		if (names[i][len - 1] == '.' ? strncmp(name, names[i], len) == 0
					     : strcmp(name, names[i]) == 0)
			return true;
	}
	return false;
}

static bool
same_strings(char *const *a, char *const *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	for (; *a != NULL && *b != NULL; a++, b++)
		if (strcmp(*a, *b) != 0)
			return false;
	return *a == *b;
}

static bool
same_value(const struct setting *setting, const struct settings *before,
    const struct settings *after)
{
	const void *a = (const char *)before + setting->offset;
	const void *b = (const char *)after + setting->offset;

	switch (setting->type) {
	case SETTING_STRING:
		return strcmp(*(char *const *)a, *(char *const *)b) == 0;
	case SETTING_STRINGS:
		return same_strings(*(char **const *)a, *(char **const *)b);
	case SETTING_BOOL:
		return *(const bool *)a == *(const bool *)b;
	case SETTING_REAL:
		return memcmp(a, b, sizeof(double)) == 0;
	default: /* all others are kept as int64_t */
		return *(const int64_t *)a == *(const int64_t *)b;
	}
}

void
reload_compare(const struct settings *before, const struct settings *after,
    void (*each)(void *arg, const char *name), void *arg)
{
	char name[NAME_SIZE];

	for (size_t i = 0; i < setting_count; i++) {
		const struct setting *setting = &setting_table[i];

		(void)snprintf(name, sizeof name, "%s%s%s", setting->section,
		    setting->section[0] != '\0' ? "." : "", setting->name);
		if (needs_restart(name) && !same_value(setting, before, after))
			each(arg, name);
	}
}
