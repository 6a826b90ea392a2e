/* conf_text -- a configuration file, and what it includes, as libConfuse should
 * see it: one text, whose lines the report can tell apart.
 *
 * libConfuse drops characters that it does not know (the `*` of an unquoted
 * postmaster@*), fills in environment variables, takes the end of the file for
 * the end of a section, and miscounts lines after comments.  So comments are
 * blanked out here, and what it would misread is refused. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/ascii.h"
#include "base/file.h"
#include "config/conf_build.h"

#define TEXT_MAX  ((size_t)1 << 20) /* octets of a file */
#define DEPTH_MAX 4
#define FILES_MAX 100 /* that are included, all together */
#define NEST_MAX  8   /* within each other */

/* The text that is made, and the files on the way to what is read now. */
struct whole {
	char *text; /* with room for TEXT_MAX and a NUL */
	size_t length;
	int line; /* on which the next octet will be */
	const char *open[NEST_MAX];
	size_t open_count;
	size_t files;
	struct conf_report *report;
};

struct scan {
	char *at;
	const char *end;
	int line;
	bool in_word;	       /* the octet before belongs to a bare word */
	int opened[DEPTH_MAX]; /* the lines of braces that are open */
	int depth;
	struct conf_report *report;
	struct whole *whole;
	const char *path;  /* of this file */
	int first, offset; /* see note_origin() */
	char *done;	   /* up to here it is part of the whole */
};

static bool
complain(struct scan *scan, int line, const char *why)
{
	conf_error(scan->report, line, "%s", why);
	return false;
}

static char
peek(const struct scan *scan, size_t ahead)
{
	return (size_t)(scan->end - scan->at) > ahead ? scan->at[ahead] : '\0';
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Take one octet and count the line. */
static char
take(struct scan *scan)
{
	char c = *scan->at++;

	if (c == '\n')
		scan->line++;
	return c;
}

/* The same, and make a blank of it. */
static void
blank(struct scan *scan)
{
	if (*scan->at != '\n')
		*scan->at = ' ';
	(void)take(scan);
}

static bool
skip_line_comment(struct scan *scan)
{
	while (scan->at < scan->end && *scan->at != '\n')
		blank(scan);
	return true;
}

static bool
skip_long_comment(struct scan *scan)
{
	int line = scan->line;

	blank(scan);
	blank(scan);
	while (peek(scan, 0) != '*' || peek(scan, 1) != '/') {
		if (scan->at == scan->end)
			return complain(
			    scan, line, "this comment is never closed");
		blank(scan);
	}
	blank(scan);
	blank(scan);
	return true;
}

static bool
starts_comment(const struct scan *scan)
{
	char c = peek(scan, 0), next = peek(scan, 1);

	return c == '#' || (c == '/' && (next == '/' || next == '*'));
}

/* A bare https://... would lose what follows the colon. */
static bool
skip_comment(struct scan *scan)
{
	if (scan->in_word)
		return complain(scan, scan->line,
		    "a comment would begin within this text; put the text in "
		    "quotes, or a blank before the comment");
	return peek(scan, 1) == '*' ? skip_long_comment(scan)
				    : skip_line_comment(scan);
}

static bool
skip_quoted(struct scan *scan)
{
	int line = scan->line;
	char quote = take(scan);

	while (peek(scan, 0) != quote) {
		if (scan->at == scan->end || *scan->at == '\n')
			return complain(scan, line,
			    "a line break in a text; is its closing quote "
			    "missing?");
		if (ascii_is_control(*scan->at))
			return complain(
			    scan, scan->line, "a control character in a text");
		if (quote == '"' && *scan->at == '$' && peek(scan, 1) == '{')
			return complain(scan, scan->line,
			    "${ in a text; a placeholder is written %{...}");
		if (take(scan) == '\\' && scan->at < scan->end)
			(void)take(scan);
	}
	(void)take(scan);
	return true;
}

static bool
open_brace(struct scan *scan)
{
	if (scan->depth == DEPTH_MAX)
		return complain(
		    scan, scan->line, "too many braces within each other");
	scan->opened[scan->depth++] = scan->line;
	return true;
}

static bool
close_brace(struct scan *scan)
{
	if (scan->depth == 0)
		return complain(
		    scan, scan->line, "a closing brace without an opening one");
	scan->depth--;
	return true;
}

/* What stands outside texts and comments. */
static bool
take_bare(struct scan *scan)
{
	char next = peek(scan, 1);
	char c = take(scan);

	scan->in_word = !is_blank(c) && strchr("{}()=,+", c) == NULL;
	switch (c) {
	case '{':
		return open_brace(scan);
	case '}':
		return close_brace(scan);
	case '*':
	case '\\':
		break;
	case '+':
		if (next == '=')
			return true;
		break;
	case '$':
		if (next != '{')
			return true;
		break;
	default:
		return !ascii_is_control(c) || is_blank(c) ||
		    complain(scan, scan->line, "a control character");
	}
	return complain(scan, scan->line,
	    "a text with * + \\ or ${ has to stand in quotes");
}

/* ---- Including */

static bool include(struct scan *scan);

/* `include "path"` at the top, where a name could begin. */
static bool
starts_include(const struct scan *scan)
{
	static const char word[] = "include";
	size_t length = sizeof word - 1;
	char next = peek(scan, length);

	return !scan->in_word && (size_t)(scan->end - scan->at) >= length &&
	    memcmp(scan->at, word, length) == 0 &&
	    (is_blank(next) || next == '"' || next == '\'' || next == '=');
}

static bool
take_next(struct scan *scan)
{
	if (starts_comment(scan))
		return skip_comment(scan);
	if (starts_include(scan))
		return include(scan);
	if (*scan->at == '"' || *scan->at == '\'') {
		scan->in_word = false;
		return skip_quoted(scan);
	}
	return take_bare(scan);
}

static bool
append(struct whole *whole, const char *text, size_t length)
{
	if (length > TEXT_MAX - whole->length)
		return false;
	memcpy(whole->text + whole->length, text, length);
	whole->length += length;
	for (size_t i = 0; i < length; i++)
		whole->line += text[i] == '\n';
	return true;
}

/* From here on the whole has what stands on that line of a file. */
static bool
note_origin(struct conf_report *report, int first, const char *path, int line)
{
	char *copy = strdup(path);

	if (copy == NULL ||
	    !array_grow(&report->origins, report->origin_count,
		sizeof *report->origins)) {
		free(copy);
		return false;
	}
	report->origins[report->origin_count++] =
	    (struct conf_origin){first, copy, line};
	/* cppcheck-suppress memleak ; the report has it */
	return true;
}

/* A path that does not begin with / is one beside the file that includes it. */
static bool
resolve(const char *from, const char *path, char *path_r, size_t size)
{
	const char *slash = path[0] == '/' ? NULL : strrchr(from, '/');
	int length = snprintf(path_r, size, "%.*s%s",
	    slash == NULL ? 0 : (int)(slash - from + 1), from, path);

	return length > 0 && (size_t)length < size;
}

static bool add_file(struct whole *whole, const char *path, FILE *file);

static bool
say_cycle(struct scan *scan, const char *path)
{
	char way[2 * PATH_MAX] = "";
	size_t at = 0;

	for (size_t i = 0; i < scan->whole->open_count; i++)
		if (at < sizeof way)
			at += (size_t)snprintf(way + at, sizeof way - at,
			    "%s includes ", scan->whole->open[i]);
	conf_error(scan->report, scan->line,
	    "a file that includes itself: %s%s", way, path);
	return false;
}

static bool
is_open(const struct whole *whole, const char *path)
{
	for (size_t i = 0; i < whole->open_count; i++)
		if (strcmp(whole->open[i], path) == 0)
			return true;
	return false;
}

/* The file that is named here, in place of its name. */
static bool
include_file(struct scan *scan, const char *name)
{
	struct whole *whole = scan->whole;
	char path[PATH_MAX];
	struct stat status;
	FILE *file = NULL;
	bool good;
	int fd;

	if (!resolve(scan->path, name, path, sizeof path))
		return complain(scan, scan->line, "this path is too long");
	if (is_open(whole, path))
		return say_cycle(scan, path);
	if (whole->open_count == NEST_MAX || ++whole->files > FILES_MAX)
		return complain(scan, scan->line,
		    "too many files are included: at most 100, and 8 within "
		    "each other");
	fd = file_open(path, &status);
	if (fd >= 0)
		file = fdopen(fd, "r");
	if (file == NULL) {
		conf_error(scan->report, scan->line, "include \"%s\": %s", path,
		    file_why(errno));
		if (fd >= 0)
			(void)close(fd);
		return false;
	}
	good = add_file(whole, path, file);
	(void)fclose(file);
	return good;
}

/* What the whole has of this file so far, and from where it goes on. */
static bool
flush(struct scan *scan)
{
	bool good =
	    append(scan->whole, scan->done, (size_t)(scan->at - scan->done));

	scan->done = scan->at;
	return good || complain(scan, 0, "this file is larger than 1M");
}

static bool
include(struct scan *scan)
{
	int line = scan->line - scan->first + scan->offset;
	char name[PATH_MAX];
	size_t length = 0;
	char quote;

	if (scan->depth > 0)
		return complain(scan, scan->line,
		    "include belongs at the top, outside of all sections");
	if (!flush(scan))
		return false;
	scan->at += strlen("include");
	while (is_blank(peek(scan, 0)))
		line += take(scan) == '\n';
	quote = peek(scan, 0);
	if (quote != '"' && quote != '\'')
		return complain(scan, scan->line,
		    "include needs a path in quotes, and no =, as in include "
		    "\"rules.conf\"");
	for (scan->at++; peek(scan, 0) != quote; name[length++] = take(scan))
		if (scan->at == scan->end || ascii_is_control(peek(scan, 0)) ||
		    length + 1 == sizeof name)
			return complain(scan, scan->line,
			    "a path that does not end on its line");
	name[length] = '\0';
	scan->at++;
	scan->done = scan->at;
	if (!include_file(scan, name) || !append(scan->whole, "\n", 1))
		return false;
	scan->line = scan->first = scan->whole->line;
	scan->offset = line;
	return note_origin(scan->report, scan->first, scan->path, line);
}

/* Prepare `length` octets in place, and make them part of the whole; false if
 * something was reported, or memory ran out. */
static bool
prepare(struct whole *whole, const char *path, char *text, size_t length)
{
	struct scan scan = {.at = text,
	    .end = text + length,
	    .line = whole->line,
	    .report = whole->report,
	    .whole = whole,
	    .path = path,
	    .first = whole->line,
	    .offset = 1,
	    .done = text};

	if (!note_origin(whole->report, whole->line, path, 1))
		return false;
	while (scan.at < scan.end)
		if (!take_next(&scan))
			return false;
	if (scan.depth > 0)
		return complain(&scan, scan.opened[scan.depth - 1],
		    "the brace that opens here is never closed");
	return flush(&scan);
}

/* One octet more than allowed tells that there is more. */
static char *
read_all(FILE *file, size_t *length_r)
{
	char *text = malloc(TEXT_MAX + 2);

	if (text == NULL)
		return NULL;
	*length_r = fread(text, 1, TEXT_MAX + 1, file);
	text[*length_r] = '\0';
	/* A mark of the byte order, with which Windows begins UTF-8. */
	if (strncmp(text, "\xef\xbb\xbf", 3) == 0) {
		*length_r -= 3;
		memmove(text, text + 3, *length_r + 1);
	}
	return text;
}

static bool
refuse_file(struct conf_report *report, const char *path, const char *why)
{
	struct conf_report of_file = {
	    .path = path, .say = report->say, .arg = report->arg};

	conf_error(&of_file, 0, "%s", why);
	report->errors++;
	return false;
}

static bool
add_file(struct whole *whole, const char *path, FILE *file)
{
	struct conf_report *report = whole->report;
	unsigned errors = report->errors;
	size_t length = 0;
	char *text = read_all(file, &length);
	bool good = false;

	whole->open[whole->open_count++] = path;
	if (text == NULL || ferror(file) != 0)
		(void)refuse_file(report, path, file_why(errno));
	else if (length > TEXT_MAX)
		(void)refuse_file(report, path, "this file is larger than 1M");
	else
		good = prepare(whole, path, text, length);
	if (!good && report->errors == errors)
		(void)refuse_file(report, path, "out of memory");
	whole->open_count--;
	free(text);
	return good;
}

char *
conf_text_read(struct conf_report *report)
{
	struct whole whole = {.line = 1, .report = report};
	FILE *file = fopen(report->path, "re");
	bool good;

	if (file == NULL) {
		conf_error(report, 0, "%s", strerror(errno));
		return NULL;
	}
	whole.text = malloc(TEXT_MAX + 1);
	if (whole.text == NULL)
		good = refuse_file(report, report->path, "out of memory");
	else
		good = add_file(&whole, report->path, file);
	(void)fclose(file);
	if (good) {
		whole.text[whole.length] = '\0';
		return whole.text;
	}
	free(whole.text);
	return NULL;
}
