#include "daemon/reload.h"

#include <stdio.h>
#include <string.h>

#define NAME_SIZE 128

/* Used up at the start: the socket is open, privileges are gone, the store has
 * its terms.  A name that ends with a dot is a whole section. */
static const struct {
	const char *name;
	const char *part; /* what waits, where the rest works at once */
} table[] = {
    {"socket", NULL},
    {"socket_mode", NULL},
    {"socket_group", NULL},
    {"user", NULL},
    {"pid_file", NULL},
    {"server_name", "the name in the store"},
    {"secret_file", NULL},
    {"retry_window", "the life of records"},
    {"keep", "the life of records"},
    {"redis.", NULL},
    {"store.memory", NULL},
    {"store.network_cap", NULL},
    {"store.file", NULL},
    {"store.save_every", NULL},
    {"reputation.half_life", NULL},
    {"reputation.abandoned", NULL},
};

static bool
needs_restart(const char *name, const char **part_r)
{
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		size_t len = strlen(table[i].name);

		*part_r = table[i].part;
		if (table[i].name[len - 1] == '.'
			? strncmp(name, table[i].name, len) == 0
			: strcmp(name, table[i].name) == 0)
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
    void (*each)(void *arg, const char *name, const char *part), void *arg)
{
	char name[NAME_SIZE];
	const char *part;

	for (size_t i = 0; i < setting_count; i++) {
		const struct setting *setting = &setting_table[i];

		(void)snprintf(name, sizeof name, "%s%s%s", setting->section,
		    setting->section[0] != '\0' ? "." : "", setting->name);
		if (needs_restart(name, &part) &&
		    !same_value(setting, before, after))
			each(arg, name, part);
	}
}
