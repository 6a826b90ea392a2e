/* scenario_text -- scenarios as they are written: tests/scenarios/README. */
#ifndef SCENARIO_TEXT_H
#define SCENARIO_TEXT_H

#include <stddef.h>

#define SCENARIO_STEP_MAX 512 /* octets of a step, with its NUL */

struct scenario_policy {
	struct scenario_policy *older;
	char *name; /* "" for one that is in force at the beginning */
	char *text;
};

struct scenario_step {
	unsigned line;
	char *text;	/* what happens */
	char *expected; /* behind "->", abbreviations spelled out; or NULL */
};

struct scenario {
	char *file; /* its last component */
	char *title;
	const struct scenario_policy *policies; /* the newest of them */
	struct scenario_step *steps;
	size_t step_count;
};

struct scenario_book {
	struct scenario *scenarios;
	size_t count;
	struct scenario_policy *policies;
};

/* Read all scenarios of one file, or of all files "*.txt" of a directory, in
 * the order of their names.  A mistake ends the program with a message. */
void scenario_read(const char *path, struct scenario_book *book);
void scenario_free(struct scenario_book *book);

/* The text of a policy of this scenario, NULL if there is none of that name. */
const char *scenario_policy(const struct scenario *scenario, const char *name);

#endif
