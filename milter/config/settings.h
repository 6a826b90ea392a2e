/* settings -- the table of all settings: what the file calls them, what they may
 * be, and what becomes of a new value at a reload.
 *
 * The configuration reader, the man page test and the sample file test go by it. */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/settings.h"

enum setting_type {
	SETTING_STRING,
	SETTING_STRINGS,
	SETTING_BOOL,
	SETTING_NUMBER,
	SETTING_REAL,
	SETTING_DURATION,
	SETTING_MILLISECONDS,
	SETTING_SIZE,
	SETTING_OCTAL,
	SETTING_CHOICE
};

struct setting {
	const char *section; /* "" for the top of the file */
	const char *name;
	enum setting_type type;
	size_t offset;
	/* The default, as one would write it; of a list one value a line. */
	const char *fallback;
	double min; /* of numbers, in the unit of the member */
	double max;
	/* What SETTING_CHOICE or a string can be: "pool network address"; a
	 * choice is kept as its place in that list.  NULL: any. */
	const char *choices;
	/* Further demands on a string, or on each of a list; NULL: none. */
	bool (*check)(const char *text, char *why_r, size_t why_size);
	/* What of a new value waits for a restart, since it is used up at the
	 * start: "" for all of it, NULL for nothing. */
	const char *restart;
};

#define SETTING_WHY_SIZE 300

/* The default of `control`, which a start can do without. */
#define SETTING_CONTROL "/run/milter-defer/control.sock"

extern const struct setting setting_table[];
extern const size_t setting_count;

/* Set one member of `target` from the values in the file; what it held is
 * freed.  False, and the member as it was: `why_r` says what would be right, as
 * the end of a sentence about the setting.  `target` is a struct settings, or
 * whatever struct the offset of `setting` belongs to. */
bool setting_assign(void *target, const struct setting *setting,
    const char *const *values, size_t count, char why_r[SETTING_WHY_SIZE]);

/* The same with its default. */
bool setting_assign_default(
    void *target, const struct setting *setting, char why_r[SETTING_WHY_SIZE]);

/* The row of this name among the `count` of a table; NULL: there is none. */
const struct setting *setting_find(const struct setting *table, size_t count,
    const char *section, const char *name);

/* Give every member of a table that has a default that.  `target` is all zero at
 * first.  False: out of memory. */
bool settings_default(void *target, const struct setting *table, size_t count);

/* Give every setting its default; that of store.file is in the directory that
 * STATE_DIRECTORY names, where the environment has that.  False: out of memory. */
#define STATE_FILE "state"
bool settings_init(struct settings *settings);
void settings_clear(struct settings *settings);

/* Call `each` with the full name, such as "redis.servers", of every setting that
 * differs and has something that waits for a restart; `part` is that, NULL for
 * all of it. */
void
settings_compare(const struct settings *before, const struct settings *after,
    void (*each)(void *arg, const char *name, const char *part), void *arg);

#endif
