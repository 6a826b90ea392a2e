/* conf_file -- the syntax of a configuration file: sections, names and texts,
 * each with its line.  What they mean is not known here.
 *
 *	name = text   name = {text, text}   section { ... }   section "title" { ... }
 *
 * The only module that knows libConfuse, which keeps its state in globals: one
 * file at a time in a process. */
#ifndef CONF_FILE_H
#define CONF_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/conf_report.h"

/* `name = {values}`; `lines` runs in parallel to `values`. */
struct conf_item {
	char *name;
	int line;
	char **values;
	int *lines;
	size_t count;
};

struct conf_section {
	const char *kind; /* "" for the top of the file */
	char *title;	  /* NULL if it has none */
	int line;
	struct conf_item *items; /* in the order of the file */
	size_t item_count;
	const void *owner; /* the parser's own; gone when it has parsed */
};

/* The first is the top of the file.  An untitled section is there once, also
 * when it does not stand in the file or stands there several times; titled ones
 * come in the order of the file, equal titles too. */
struct conf_tree {
	struct conf_section *sections;
	size_t count;
};

/* A kind of section and the names that it may hold: option(kind, 0), ... up to
 * NULL. */
struct conf_kind {
	const char *name;
	bool titled;
};

struct conf_grammar {
	const struct conf_kind *kinds; /* without the top */
	size_t kind_count;
	const char *(*option)(const char *kind, size_t index);
};

/* Parse a prepared text (conf_text.c).  False if something was reported; the
 * tree is to be freed either way. */
bool conf_file_parse(const char *text, const struct conf_grammar *grammar,
    struct conf_report *report, struct conf_tree *tree_r);
void conf_tree_free(struct conf_tree *tree);

/* NULL when the section does not hold it. */
const struct conf_item *
conf_find(const struct conf_section *section, const char *name);

#endif
