#include "config/conf_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/conf_suggest.h"

enum token { TOKEN_END, TOKEN_TEXT, TOKEN_SIGN, TOKEN_BAD };

/* The token in hand: a text, or one of the signs { } = and comma. */
struct parser {
	const char *at;
	int line; /* of the token */
	int next_line;
	enum token token;
	char sign;
	char *text; /* of a TOKEN_TEXT; has room for the whole file */
	const struct conf_grammar *grammar;
	struct conf_report *report;
	struct conf_tree *tree;
};

/* --- the tree --- */

/* Room for one more in an array of `count`; false: out of memory. */
static bool
grow(void *array, size_t count, size_t size)
{
	void *bigger;

	/* at every power of two */
	if ((count & (count - 1)) != 0)
		return true;
	bigger = realloc(*(void **)array, (count == 0 ? 1 : 2 * count) * size);
	if (bigger == NULL)
		return false;
	*(void **)array = bigger;
	return true;
}

/* Takes `title` over.  NULL: out of memory. */
static struct conf_section *
add_section(struct parser *parser, const char *kind, char *title)
{
	struct conf_tree *tree = parser->tree;
	struct conf_section *section;

	if (!grow(&tree->sections, tree->count, sizeof *tree->sections)) {
		free(title);
		return NULL;
	}
	section = &tree->sections[tree->count++];
	memset(section, 0, sizeof *section);
	section->kind = kind;
	section->title = title;
	section->line = parser->line;
	return section;
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

	if (!grow(&section->items, section->item_count, sizeof *item))
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

	if (!grow(&item->values, item->count, sizeof *item->values) ||
	    !grow(&item->lines, item->count, sizeof *item->lines))
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

/* --- tokens --- */

static bool
refuse(struct parser *parser, int line, const char *why)
{
	conf_error(parser->report, line, "%s", why);
	parser->token = TOKEN_BAD;
	return false;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool
is_control(char c)
{
	return (c > '\0' && c < ' ' && !is_blank(c)) || c == '\177';
}

/* Blanks and comments: # and // to the end of the line, and what C has. */
static bool
skip_blanks(struct parser *parser)
{
	for (;; parser->at++) {
		const char *at = parser->at, *end = NULL;

		if (at[0] == '#' || (at[0] == '/' && at[1] == '/')) {
			parser->at += strcspn(at, "\n");
		} else if (at[0] == '/' && at[1] == '*') {
			end = strstr(at + 2, "*/");
			if (end == NULL)
				return refuse(parser, parser->next_line,
				    "this comment is never closed");
			for (; parser->at < end + 1; parser->at++)
				parser->next_line += *parser->at == '\n';
			continue;
		}
		if (!is_blank(*parser->at))
			return true;
		parser->next_line += *parser->at == '\n';
	}
}

/* "..." with \n, \t and any other character behind a backslash; '...' as it is. */
static bool
take_quoted(struct parser *parser)
{
	char quote = *parser->at++, *out = parser->text;

	for (; *parser->at != quote; parser->at++) {
		char c = *parser->at;

		if (c == '\0' || c == '\n')
			return refuse(parser, parser->line,
			    "a line break in a text; is its closing quote "
			    "missing?");
		if (is_control(c))
			return refuse(parser, parser->line,
			    "a control character in a text");
		if (quote == '"' && c == '$' && parser->at[1] == '{')
			return refuse(parser, parser->line,
			    "${ in a text; a placeholder is written %{...}");
		if (quote == '"' && c == '\\' && parser->at[1] != '\0') {
			c = *++parser->at;
			c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
		}
		*out++ = c;
	}
	*out = '\0';
	parser->at++;
	return true;
}

static void
take_bare(struct parser *parser)
{
	size_t length = strcspn(parser->at, " \t\r\n{}=,\"'");

	memcpy(parser->text, parser->at, length);
	parser->text[length] = '\0';
	parser->at += length;
}

static void
advance(struct parser *parser)
{
	if (!skip_blanks(parser))
		return;
	parser->line = parser->next_line;
	parser->token = TOKEN_TEXT;
	if (*parser->at == '\0') {
		parser->token = TOKEN_END;
	} else if (strchr("{}=,", *parser->at) != NULL) {
		parser->token = TOKEN_SIGN;
		parser->sign = *parser->at++;
	} else if (*parser->at == '"' || *parser->at == '\'') {
		(void)take_quoted(parser);
	} else if (is_control(*parser->at)) {
		(void)refuse(parser, parser->line, "a control character");
	} else {
		take_bare(parser);
	}
}

static bool
is_sign(const struct parser *parser, char sign)
{
	return parser->token == TOKEN_SIGN && parser->sign == sign;
}

/* What stands there does not belong there. */
static bool
refuse_token(struct parser *parser)
{
	if (parser->token == TOKEN_END)
		return refuse(parser, parser->line, "premature end of file");
	if (parser->token == TOKEN_SIGN)
		conf_error(parser->report, parser->line, "unexpected '%c'",
		    parser->sign);
	else if (parser->token == TOKEN_TEXT)
		conf_error(parser->report, parser->line,
		    "unexpected token '%s'", parser->text);
	parser->token = TOKEN_BAD;
	return false;
}

static bool
no_memory(struct parser *parser)
{
	return refuse(parser, 0, "out of memory");
}

/* --- sentences --- */

static const struct conf_kind *
find_kind(const struct parser *parser, const char *name)
{
	for (size_t i = 0; i < parser->grammar->kind_count; i++)
		if (strcmp(parser->grammar->kinds[i].name, name) == 0)
			return &parser->grammar->kinds[i];
	return NULL;
}

static bool
is_option(const struct parser *parser, const char *kind, const char *name)
{
	const char *option;

	for (size_t i = 0; (option = parser->grammar->option(kind, i)) != NULL;
	     i++)
		if (strcmp(option, name) == 0)
			return true;
	return false;
}

static bool
refuse_name(struct parser *parser, const char *kind)
{
	const char *like = conf_suggest(parser->grammar, kind, parser->text);

	conf_error(parser->report, parser->line, "there is no %s%s%s%s%s%s",
	    parser->text, kind[0] == '\0' ? "" : " in a section ", kind,
	    like == NULL ? "" : "; did you mean ", like == NULL ? "" : like,
	    like == NULL ? "" : "?");
	parser->token = TOKEN_BAD;
	return false;
}

static bool
take_value(struct parser *parser, struct conf_item *item)
{
	if (parser->token != TOKEN_TEXT)
		return refuse_token(parser);
	if (!add_value(item, parser->text, parser->line))
		return no_memory(parser);
	advance(parser);
	return true;
}

/* {text, text}, with a comma at the end if one likes. */
static bool
take_list(struct parser *parser, struct conf_item *item)
{
	advance(parser);
	while (!is_sign(parser, '}')) {
		if (!take_value(parser, item))
			return false;
		if (is_sign(parser, ','))
			advance(parser);
		else if (!is_sign(parser, '}'))
			return refuse_token(parser);
	}
	advance(parser);
	return true;
}

static bool
take_item(struct parser *parser, struct conf_section *section)
{
	const struct conf_item *before = conf_find(section, parser->text);
	struct conf_item *item;

	if (!is_option(parser, section->kind, parser->text))
		return refuse_name(parser, section->kind);
	if (before != NULL) {
		conf_error(parser->report, parser->line,
		    "%s stands here twice; it is already on line %d",
		    parser->text, before->line);
		return false;
	}
	item = add_item(section, parser->text, parser->line);
	if (item == NULL)
		return no_memory(parser);
	advance(parser);
	if (!is_sign(parser, '=')) {
		conf_error(parser->report, parser->line,
		    "missing equal sign after option '%s'", item->name);
		return false;
	}
	advance(parser);
	return is_sign(parser, '{') ? take_list(parser, item)
				    : take_value(parser, item);
}

/* An untitled section that comes again goes on. */
static struct conf_section *
section_for(struct parser *parser, const struct conf_kind *kind, char *title)
{
	for (size_t i = 1; !kind->titled && i < parser->tree->count; i++)
		if (strcmp(parser->tree->sections[i].kind, kind->name) == 0)
			return &parser->tree->sections[i];
	return add_section(parser, kind->name, title);
}

static bool
take_body(struct parser *parser, struct conf_section *section)
{
	int opened = parser->line;

	advance(parser);
	while (!is_sign(parser, '}')) {
		if (parser->token == TOKEN_END ||
		    (parser->token == TOKEN_TEXT &&
			find_kind(parser, parser->text) != NULL &&
			!is_option(parser, section->kind, parser->text)))
			return refuse(parser, opened,
			    "the brace that opens here is never closed");
		if (parser->token != TOKEN_TEXT)
			return refuse_token(parser);
		if (!take_item(parser, section))
			return false;
	}
	advance(parser);
	return true;
}

static bool
take_section(struct parser *parser, const struct conf_kind *kind)
{
	struct conf_section *section;
	char *title = NULL;

	advance(parser);
	if (kind->titled) {
		if (parser->token != TOKEN_TEXT) {
			conf_error(parser->report, parser->line,
			    "missing title for section '%s'", kind->name);
			return false;
		}
		title = strdup(parser->text);
		if (title == NULL)
			return no_memory(parser);
		advance(parser);
	}
	section = section_for(parser, kind, title);
	if (section == NULL)
		return no_memory(parser);
	return is_sign(parser, '{') ? take_body(parser, section)
				    : refuse_token(parser);
}

static bool
take_all(struct parser *parser)
{
	if (add_section(parser, "", NULL) == NULL)
		return no_memory(parser);
	parser->tree->sections[0].line = 0;
	advance(parser);
	while (parser->token != TOKEN_END) {
		const struct conf_kind *kind = parser->token == TOKEN_TEXT
		    ? find_kind(parser, parser->text)
		    : NULL;

		if (is_sign(parser, '}'))
			return refuse(parser, parser->line,
			    "a closing brace without an opening one");
		if (parser->token != TOKEN_TEXT)
			return refuse_token(parser);
		if (kind != NULL
			? !take_section(parser, kind)
			: !take_item(parser, &parser->tree->sections[0]))
			return false;
	}
	return true;
}

bool
conf_file_parse(const char *text, const struct conf_grammar *grammar,
    struct conf_report *report, struct conf_tree *tree_r)
{
	struct parser parser = {.at = text,
	    .next_line = 1,
	    .text = malloc(strlen(text) + 1),
	    .grammar = grammar,
	    .report = report,
	    .tree = tree_r};
	bool good;

	memset(tree_r, 0, sizeof *tree_r);
	good = parser.text != NULL ? take_all(&parser) : no_memory(&parser);
	free(parser.text);
	return good;
}

char *
conf_file_read(struct conf_report *report)
{
	FILE *file = fopen(report->path, "re");
	char *text = malloc(CONF_FILE_MAX + 2);
	size_t length = 0;

	if (file != NULL && text != NULL)
		length = fread(text, 1, CONF_FILE_MAX + 1, file);
	if (file == NULL || text == NULL || ferror(file)) {
		conf_error(report, 0, "%s", strerror(errno));
		length = 0;
	} else if (length > CONF_FILE_MAX) {
		conf_error(report, 0, "this file is larger than 1M");
	} else if (memchr(text, '\0', length) != NULL) {
		text[length] = '\0';
		conf_error(report, 1, "a control character");
	}
	if (file != NULL)
		(void)fclose(file);
	if (text == NULL || report->errors > 0) {
		free(text);
		return NULL;
	}
	text[length] = '\0';
	/* A mark of the byte order, with which Windows begins UTF-8. */
	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		memmove(text, text + 3, length - 2);
	return text;
}
