#include "config/settings.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/near.h"
#include "config/conf_value.h"

#define LIST_MAX  1000 /* values of one setting */
#define NAME_SIZE 128

_Static_assert(SETTING_WHY_SIZE >= CONF_VALUE_WHY_SIZE, "why_r is too short");

static bool
refuse(char why_r[SETTING_WHY_SIZE], const char *why)
{
	(void)snprintf(why_r, SETTING_WHY_SIZE, "%s", why);
	return false;
}

/* ---- Numbers */

/* Readers and writers of what is kept as an int64_t. */
static const struct whole {
	bool (*read)(const char *text, int64_t *value_r);
	void (*say)(int64_t value, char text_r[CONF_VALUE_SIZE]);
	const char *wants;
} wholes[] = {
    [SETTING_NUMBER] = {conf_value_number, conf_value_say_number,
	CONF_VALUE_WANTS_NUMBER},
    [SETTING_DURATION] = {conf_value_duration, conf_value_say_duration,
	CONF_VALUE_WANTS_DURATION},
    [SETTING_MILLISECONDS] = {conf_value_milliseconds,
	conf_value_say_milliseconds, CONF_VALUE_WANTS_MILLISECONDS},
    [SETTING_SIZE] = {conf_value_size, conf_value_say_size,
	CONF_VALUE_WANTS_SIZE},
    [SETTING_OCTAL] = {conf_value_octal, conf_value_say_octal,
	CONF_VALUE_WANTS_OCTAL},
};

static bool
assign_whole(int64_t *member, const struct setting *setting, const char *text,
    char why_r[SETTING_WHY_SIZE])
{
	const struct whole *whole = &wholes[setting->type];
	char min[CONF_VALUE_SIZE], max[CONF_VALUE_SIZE];
	int64_t value;

	if (!whole->read(text, &value)) {
		conf_value_why(text, whole->wants, why_r);
		return false;
	}
	if ((double)value < setting->min || (double)value > setting->max) {
		whole->say((int64_t)setting->min, min);
		whole->say((int64_t)setting->max, max);
		(void)snprintf(why_r, SETTING_WHY_SIZE,
		    "it has to be from %s to %s", min, max);
		return false;
	}
	*member = value;
	return true;
}

static bool
assign_real(double *member, const struct setting *setting, const char *text,
    char why_r[SETTING_WHY_SIZE])
{
	double value;

	if (!conf_value_real(text, &value))
		return refuse(why_r, CONF_VALUE_WANTS_REAL);
	if (value < setting->min || value > setting->max) {
		(void)snprintf(why_r, SETTING_WHY_SIZE,
		    "it has to be from %g to %g", setting->min, setting->max);
		return false;
	}
	*member = value;
	return true;
}

static bool
assign_bool(bool *member, const char *text, char why_r[SETTING_WHY_SIZE])
{
	struct near near;
	char like[NEAR_SIZE];

	if (conf_value_bool(text, member))
		return true;
	near_begin(&near, text);
	near_try_words(&near, "true false");
	near_say(&near, like);
	(void)snprintf(
	    why_r, SETTING_WHY_SIZE, "%s%s", CONF_VALUE_WANTS_BOOL, like);
	return false;
}

/* ---- Words */

/* The place of `text` in a list of words with a blank between, or -1. */
static int64_t
place_of(const char *text, const char *words)
{
	size_t length = strlen(text);

	for (int64_t place = 0; *words != '\0'; place++) {
		size_t word = strcspn(words, " ");

		if (word == length && memcmp(words, text, length) == 0)
			return place;
		words += word;
		words += strspn(words, " ");
	}
	return -1;
}

static bool
assign_choice(int64_t *member, const struct setting *setting, const char *text,
    char why_r[SETTING_WHY_SIZE])
{
	int64_t place = place_of(text, setting->choices);
	struct near near;
	char like[NEAR_SIZE];

	if (place >= 0) {
		*member = place;
		return true;
	}
	near_begin(&near, text);
	near_try_words(&near, setting->choices);
	near_say(&near, like);
	(void)snprintf(why_r, SETTING_WHY_SIZE, "it has to be one of: %s%s",
	    setting->choices, like);
	return false;
}

/* ---- Strings */

static bool
check_string(const struct setting *setting, const char *text,
    char why_r[SETTING_WHY_SIZE])
{
	int64_t place;

	if (setting->choices != NULL &&
	    !assign_choice(&place, setting, text, why_r))
		return false;
	return setting->check == NULL ||
	    setting->check(text, why_r, SETTING_WHY_SIZE);
}

static bool
assign_string(char **member, const struct setting *setting, const char *text,
    char why_r[SETTING_WHY_SIZE])
{
	char *copy;

	if (!check_string(setting, text, why_r))
		return false;
	copy = strdup(text);
	if (copy == NULL)
		return refuse(why_r, "out of memory");
	free(*member);
	*member = copy;
	return true;
}

static void
free_strings(char **strings)
{
	for (char **string = strings; string != NULL && *string != NULL;
	     string++)
		free(*string);
	free(strings);
}

static bool
assign_strings(char ***member, const struct setting *setting,
    const char *const *values, size_t count, char why_r[SETTING_WHY_SIZE])
{
	char **copies;

	if (count > LIST_MAX)
		return refuse(why_r, "that are too many values");
	for (size_t i = 0; i < count; i++)
		if (!check_string(setting, values[i], why_r))
			return false;
	copies = calloc(count + 1, sizeof *copies);
	for (size_t i = 0; copies != NULL && i < count; i++) {
		copies[i] = strdup(values[i]);
		if (copies[i] == NULL) {
			free_strings(copies);
			copies = NULL;
		}
	}
	if (copies == NULL)
		return refuse(why_r, "out of memory");
	free_strings(*member);
	*member = copies;
	return true;
}

/* ---- All of them */

static void *
member_of(void *target, const struct setting *setting)
{
	return (char *)target + setting->offset;
}

bool
setting_assign(void *target, const struct setting *setting,
    const char *const *values, size_t count, char why_r[SETTING_WHY_SIZE])
{
	void *member = member_of(target, setting);

	if (setting->type == SETTING_STRINGS)
		return assign_strings(member, setting, values, count, why_r);
	if (count != 1)
		return refuse(why_r, "one value is needed, not a list");
	switch (setting->type) {
	case SETTING_STRING:
		return assign_string(member, setting, values[0], why_r);
	case SETTING_BOOL:
		return assign_bool(member, values[0], why_r);
	case SETTING_REAL:
		return assign_real(member, setting, values[0], why_r);
	case SETTING_CHOICE:
		return assign_choice(member, setting, values[0], why_r);
	default:
		return assign_whole(member, setting, values[0], why_r);
	}
}

/* Cut `text` into its lines, in place. */
static size_t
cut_lines(char *text, const char **lines_r, size_t max)
{
	size_t count = 0;

	while (*text != '\0' && count < max) {
		lines_r[count++] = text;
		text += strcspn(text, "\n");
		if (*text == '\n')
			*text++ = '\0';
	}
	return count;
}

bool
setting_assign_default(
    void *target, const struct setting *setting, char why_r[SETTING_WHY_SIZE])
{
	const char *lines[8];
	char *text;
	size_t count;
	bool good;

	if (setting->type != SETTING_STRINGS)
		return setting_assign(
		    target, setting, &setting->fallback, 1, why_r);
	text = strdup(setting->fallback);
	if (text == NULL)
		return refuse(why_r, "out of memory");
	count = cut_lines(text, lines, sizeof lines / sizeof lines[0]);
	good = setting_assign(target, setting, lines, count, why_r);
	free(text);
	return good;
}

const struct setting *
setting_find(const struct setting *table, size_t count, const char *section,
    const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(table[i].section, section) == 0 &&
		    strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}

bool
settings_default(void *target, const struct setting *table, size_t count)
{
	char why[SETTING_WHY_SIZE];
	bool good = true;

	for (size_t i = 0; i < count; i++)
		if (table[i].fallback != NULL &&
		    !setting_assign_default(target, &table[i], why))
			good = false;
	return good;
}

/* systemd tells a service where its state belongs, of several the first. */
static bool
follow_state_directory(struct settings *settings)
{
	const char *directory = getenv("STATE_DIRECTORY");
	char path[PATH_MAX], *copy;
	int len;

	if (directory == NULL || directory[0] != '/')
		return true;
	len = snprintf(path, sizeof path, "%.*s/%s",
	    (int)strcspn(directory, ":"), directory, STATE_FILE);
	if (len < 0 || (size_t)len >= sizeof path)
		return true;
	copy = strdup(path);
	if (copy == NULL)
		return false;
	free(settings->store.file);
	settings->store.file = copy;
	return true;
}

bool
settings_init(struct settings *settings)
{
	memset(settings, 0, sizeof *settings);
	if (settings_default(settings, setting_table, setting_count) &&
	    follow_state_directory(settings))
		return true;
	settings_clear(settings);
	return false;
}

void
settings_clear(struct settings *settings)
{
	for (size_t i = 0; i < setting_count; i++) {
		const struct setting *setting = &setting_table[i];
		void *member = member_of(settings, setting);

		if (setting->type == SETTING_STRING)
			free(*(char **)member);
		else if (setting->type == SETTING_STRINGS)
			free_strings(*(char ***)member);
	}
	memset(settings, 0, sizeof *settings);
}

/* ---- What differs */

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
settings_compare(const struct settings *before, const struct settings *after,
    void (*each)(void *arg, const char *name, const char *part), void *arg)
{
	char name[NAME_SIZE];

	for (size_t i = 0; i < setting_count; i++) {
		const struct setting *setting = &setting_table[i];
		const char *part = setting->restart;

		if (part == NULL || same_value(setting, before, after))
			continue;
		(void)snprintf(name, sizeof name, "%s%s%s", setting->section,
		    setting->section[0] != '\0' ? "." : "", setting->name);
		each(arg, name, part[0] != '\0' ? part : NULL);
	}
}
