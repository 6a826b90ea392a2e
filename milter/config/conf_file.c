#include "config/conf_file.h"

#include <confuse.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/near.h"

/* A list option with a default is set when its section begins, so this one
 * tells where that is.  Its name cannot be a bare word. */
#define BEGIN "\n"

struct reader {
	const struct conf_grammar *grammar;
	struct conf_report *report;
	struct conf_tree *tree;
	bool out_of_memory;
};

/* libConfuse gives its callbacks no argument of ours.  Set only while
 * conf_file_parse() runs. */
static _Thread_local struct reader *reading;

/* ---- The tree */

static struct conf_section *
add_section(struct reader *reader, const char *kind, const cfg_t *cfg)
{
	struct conf_tree *tree = reader->tree;
	struct conf_section *section;
	char *title = NULL;

	if (!array_grow(&tree->sections, tree->count, sizeof *tree->sections))
		return NULL;
	if (cfg != NULL && cfg->title != NULL) {
		title = strdup(cfg->title);
		if (title == NULL)
			return NULL;
	}
	section = &tree->sections[tree->count++];
	memset(section, 0, sizeof *section);
	section->kind = kind;
	section->title = title;
	section->line = cfg == NULL ? 0 : cfg->line;
	section->owner = cfg;
	return section;
}

/* The newest first: libConfuse frees a section when its title comes again. */
static struct conf_section *
section_of(struct reader *reader, const cfg_t *cfg)
{
	for (size_t i = reader->tree->count; i-- > 1;)
		if (reader->tree->sections[i].owner == cfg)
			return &reader->tree->sections[i];
	return &reader->tree->sections[0];
}

const struct conf_item *
conf_find(const struct conf_section *section, const char *name)
{
	for (size_t i = 0; i < section->item_count; i++)
		if (strcmp(section->items[i].name, name) == 0)
			return &section->items[i];
	return NULL;
}

static struct conf_item *
add_item(struct conf_section *section, const char *name, int line)
{
	struct conf_item *item;
	char *copy;

	if (!array_grow(&section->items, section->item_count, sizeof *item))
		return NULL;
	copy = strdup(name);
	if (copy == NULL)
		return NULL;
	item = &section->items[section->item_count++];
	memset(item, 0, sizeof *item);
	item->name = copy;
	item->line = line;
	return item;
}

static bool
add_value(struct conf_item *item, const char *value, int line)
{
	char *copy;

	if (!array_grow(&item->values, item->count, sizeof *item->values) ||
	    !array_grow(&item->lines, item->count, sizeof *item->lines))
		return false;
	copy = strdup(value);
	if (copy == NULL)
		return false;
	item->values[item->count] = copy;
	item->lines[item->count++] = line;
	return true;
}

void
conf_tree_free(struct conf_tree *tree)
{
	for (size_t i = 0; i < tree->count; i++) {
		struct conf_section *section = &tree->sections[i];

		for (size_t j = 0; j < section->item_count; j++) {
			struct conf_item *item = &section->items[j];

			for (size_t k = 0; k < item->count; k++)
				free(item->values[k]);
			free(item->values);
			free(item->lines);
			free(item->name);
		}
		free(section->items);
		free(section->title);
	}
	free(tree->sections);
	memset(tree, 0, sizeof *tree);
}

/* ---- What libConfuse tells */

static const char *
kind_name(const struct reader *reader, const char *name)
{
	for (size_t i = 0; i < reader->grammar->kind_count; i++)
		if (strcmp(reader->grammar->kinds[i].name, name) == 0)
			return reader->grammar->kinds[i].name;
	return "";
}

static bool
note_begin(struct reader *reader, const cfg_t *cfg)
{
	return add_section(reader, kind_name(reader, cfg->name), cfg) != NULL;
}

/* `first`: a new `name =`, not a further value of a list. */
static bool
note_value(struct reader *reader, const cfg_t *cfg, const char *name,
    bool first, const char *value)
{
	struct conf_section *section = section_of(reader, cfg);
	struct conf_item *item = (struct conf_item *)conf_find(section, name);

	if (item != NULL && first) {
		conf_twice(reader->report, cfg->line, item->line, name, NULL);
		return false;
	}
	if (item == NULL)
		item = add_item(section, name, cfg->line);
	if (item != NULL && add_value(item, value, cfg->line))
		return true;
	reader->out_of_memory = true;
	return false;
}

/* Called for each value of each option. */
static int
on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	bool good;

	if (strcmp(opt->name, BEGIN) == 0)
		good = note_begin(reading, cfg);
	else
		good = note_value(
		    reading, cfg, opt->name, opt->nvalues == 1, value);
	*(const char **)result = value;
	return good ? 0 : -1;
}

/* ---- The name that somebody meant who wrote another */

static bool
has_option(
    const struct conf_grammar *grammar, const char *kind, const char *name)
{
	const char *option;

	for (size_t i = 0; (option = grammar->option(kind, i)) != NULL; i++)
		if (strcmp(option, name) == 0)
			return true;
	return false;
}

/* The kind of section that holds this name, or NULL; "" is the top. */
static const char *
home_of(const struct conf_grammar *grammar, const char *name)
{
	if (has_option(grammar, "", name))
		return "";
	for (size_t i = 0; i < grammar->kind_count; i++)
		if (has_option(grammar, grammar->kinds[i].name, name))
			return grammar->kinds[i].name;
	return NULL;
}

static void
suggest(const struct conf_grammar *grammar, const char *kind, const char *name,
    char text_r[NEAR_SIZE])
{
	struct near near;
	const char *option;

	near_begin(&near, name);
	for (size_t i = 0; (option = grammar->option(kind, i)) != NULL; i++)
		near_try(&near, option, strlen(option));
	for (size_t i = 0; kind[0] == '\0' && i < grammar->kind_count; i++)
		near_try(&near, grammar->kinds[i].name,
		    strlen(grammar->kinds[i].name));
	near_say(&near, text_r);
}

static void
say_unknown(struct reader *reader, const cfg_t *cfg, const char *name)
{
	const char *kind = kind_name(reader, cfg->name);
	const char *home = home_of(reader->grammar, name);
	char like[NEAR_SIZE];

	suggest(reader->grammar, kind, name, like);
	if (home != NULL && home[0] != '\0')
		(void)snprintf(
		    like, sizeof like, "; it belongs in a section %s", home);
	else if (home != NULL)
		(void)snprintf(like, sizeof like,
		    "; it belongs at the top, outside of all sections");
	conf_error(reader->report, cfg->line, "there is no %s%s%s%s", name,
	    kind[0] == '\0' ? "" : " in a section ", kind, like);
}

static void on_error(cfg_t *cfg, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void
on_error(cfg_t *cfg, const char *format, va_list arguments)
{
	char text[512], name[128];

	(void)vsnprintf(text, sizeof text, format, arguments);
	if (sscanf(text, "no such option '%127[^']'", name) == 1)
		say_unknown(reading, cfg, name);
	else
		conf_error(reading->report, cfg->line, "%s", text);
}

/* ---- What libConfuse is told */

/* The options of one kind of section, with `extra` places left at the end. */
static cfg_opt_t *
make_options(const struct conf_grammar *grammar, const char *kind, size_t extra)
{
	const cfg_opt_t begin =
	    CFG_STR_LIST_CB(BEGIN, "{begin}", CFGF_NONE, on_value);
	const cfg_opt_t end = CFG_END();
	size_t count = 0, at = 0;
	cfg_opt_t *options;

	while (grammar->option(kind, count) != NULL)
		count++;
	options = calloc(count + extra + 2, sizeof *options);
	if (options == NULL)
		return NULL;
	if (kind[0] != '\0')
		options[at++] = begin;
	for (size_t i = 0; i < count; i++) {
		const cfg_opt_t option = CFG_STR_LIST_CB(
		    grammar->option(kind, i), NULL, CFGF_NONE, on_value);

		options[at++] = option;
	}
	for (size_t i = 0; i <= extra; i++)
		options[at + i] = end;
	return options;
}

static void
free_options(cfg_opt_t *options)
{
	for (cfg_opt_t *option = options;
	     option != NULL && option->name != NULL; option++)
		free(option->subopts);
	free(options);
}

static cfg_opt_t *
make_all_options(const struct conf_grammar *grammar)
{
	cfg_opt_t *options = make_options(grammar, "", grammar->kind_count);
	size_t at = 0;

	if (options == NULL)
		return NULL;
	while (options[at].name != NULL)
		at++;
	for (size_t i = 0; i < grammar->kind_count; i++) {
		const struct conf_kind *kind = &grammar->kinds[i];
		cfg_opt_t *inner = make_options(grammar, kind->name, 0);
		const cfg_opt_t section = CFG_SEC(kind->name, inner,
		    kind->titled ? CFGF_MULTI | CFGF_TITLE : CFGF_NONE);

		if (inner == NULL) {
			free_options(options);
			return NULL;
		}
		options[at++] = section;
	}
	return options;
}

/* `name = {}` calls nobody back, so it is looked for afterwards. */
static bool
note_empty_lists(struct reader *reader, cfg_t *cfg)
{
	for (cfg_opt_t *option = cfg->opts; option->name != NULL; option++) {
		struct conf_section *section = section_of(reader, cfg);

		if (option->type == CFGT_SEC) {
			for (unsigned i = 0; i < cfg_opt_size(option); i++)
				if (!note_empty_lists(
					reader, cfg_opt_getnsec(option, i)))
					return false;
			continue;
		}
		if ((option->flags & CFGF_MODIFIED) == 0 ||
		    cfg_opt_size(option) > 0)
			continue;
		if (add_item(section, option->name, section->line) == NULL)
			return false;
	}
	return true;
}

static bool
parse(struct reader *reader, const char *text, cfg_opt_t *options)
{
	cfg_t *cfg;
	bool good = false;

	if (options == NULL || add_section(reader, "", NULL) == NULL)
		return false;
	cfg = cfg_init(options, CFGF_NONE);
	if (cfg == NULL)
		return false;
	cfg_set_error_function(cfg, on_error);
	if (!reader->out_of_memory) {
		good = cfg_parse_buf(cfg, text) == CFG_SUCCESS &&
		    note_empty_lists(reader, cfg);
	}
	cfg_free(cfg);
	return good;
}

bool
conf_file_parse(const char *text, const struct conf_grammar *grammar,
    struct conf_report *report, struct conf_tree *tree_r)
{
	struct reader reader = {
	    .grammar = grammar, .report = report, .tree = tree_r};
	cfg_opt_t *options = make_all_options(grammar);
	unsigned errors = report->errors;
	bool good;

	memset(tree_r, 0, sizeof *tree_r);
	reading = &reader;
	good = parse(&reader, text, options);
	reading = NULL;
	if (!good && report->errors == errors)
		conf_error(report, 0, "out of memory");
	free_options(options);
	return good;
}
