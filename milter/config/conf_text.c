/* conf_text -- a configuration file as libConfuse should see it.
 *
 * libConfuse drops characters that it does not know (the `*` of an unquoted
 * postmaster@*), fills in environment variables, takes the end of the file for
 * the end of a section, and miscounts lines after comments.  So comments are
 * blanked out here, and what it would misread is refused. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/conf_build.h"

#define TEXT_MAX  ((size_t)1 << 20) /* octets of a file */
#define DEPTH_MAX 4

struct scan {
	char *at;
	const char *end;
	int line;
	bool in_word;	       /* the octet before belongs to a bare word */
	int opened[DEPTH_MAX]; /* the lines of braces that are open */
	int depth;
	struct conf_report *report;
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
is_control(char c)
{
	return (c >= '\0' && c < ' ') || c == '\177';
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
		if (is_control(*scan->at))
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
		return !is_control(c) || is_blank(c) ||
		    complain(scan, scan->line, "a control character");
	}
	return complain(scan, scan->line,
	    "a text with * + \\ or ${ has to stand in quotes");
}

static bool
take_next(struct scan *scan)
{
	if (starts_comment(scan))
		return skip_comment(scan);
	if (*scan->at == '"' || *scan->at == '\'') {
		scan->in_word = false;
		return skip_quoted(scan);
	}
	return take_bare(scan);
}

/* Prepare `length` octets in place; false if something was reported. */
static bool
prepare(char *text, size_t length, struct conf_report *report)
{
	struct scan scan = {
	    .at = text, .end = text + length, .line = 1, .report = report};

	while (scan.at < scan.end)
		if (!take_next(&scan))
			return false;
	if (scan.depth > 0)
		return complain(&scan, scan.opened[scan.depth - 1],
		    "the brace that opens here is never closed");
	return true;
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

char *
conf_text_read(struct conf_report *report)
{
	FILE *file = fopen(report->path, "re");
	size_t length = 0;
	char *text;
	bool failed;

	if (file == NULL) {
		conf_error(report, 0, "%s", strerror(errno));
		return NULL;
	}
	text = read_all(file, &length);
	failed = text == NULL || ferror(file) != 0;
	if (failed)
		conf_error(report, 0, "%s", strerror(errno));
	(void)fclose(file);
	if (!failed && length > TEXT_MAX)
		conf_error(report, 0, "this file is larger than 1M");
	if (failed || length > TEXT_MAX || !prepare(text, length, report)) {
		free(text);
		return NULL;
	}
	return text;
}
