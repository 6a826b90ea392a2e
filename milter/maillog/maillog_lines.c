#include "maillog/maillog_lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "maillog/maillog_clock.h"

#define HOUR INT64_C(3600)
#define DAY  (24 * HOUR)

struct source {
	const char *path;
	struct maillog_file *file; /* NULL: not open now */
	struct maillog_clock clock;
	int64_t size;
	int64_t first;		  /* the time of its first line */
	struct maillog_line line; /* the one to be given next */
	int64_t at;
};

struct maillog_lines {
	struct source *sources; /* by the time of their first line */
	size_t count;
	size_t begun; /* those before were, or are open */
	struct source *given;
	int year;
	int64_t now;  /* of the last line; 0: none yet */
	int64_t leap; /* to which one line leapt; 0: none did */
	int64_t done; /* octets of files that were read */
	struct maillog_counts counts;
	maillog_say *say;
	void *say_arg;
};

/* ---- One file */

static bool
source_open(struct source *source, int year, char why_r[MAILLOG_WHY_SIZE])
{
	source->file = maillog_file_open(source->path, why_r);
	if (source->file == NULL)
		return false;
	source->size = maillog_file_size(source->file);
	maillog_clock_set(
	    &source->clock, maillog_file_written(source->file), year);
	return true;
}

/* The next line with a time.  `counts` may be NULL.  False: there is none. */
static bool
source_step(struct source *source, struct maillog_counts *counts)
{
	struct maillog_counts nobody;
	const char *text;
	size_t length;

	if (counts == NULL)
		counts = &nobody;
	while (maillog_file_line(source->file, &text, &length)) {
		maillog_line_read(text, length, &source->line);
		counts->lines++;
		if (source->line.kind == MAILLOG_GARBAGE)
			counts->garbage++;
		if (!source->line.has_stamp)
			continue;
		source->at =
		    maillog_clock_read(&source->clock, &source->line.stamp);
		return true;
	}
	return false;
}

/* ---- All of them */

static int
by_first(const void *a, const void *b)
{
	const struct source *left = a, *right = b;

	return (left->first > right->first) - (left->first < right->first);
}

/* What can be opened once more is closed until its time comes. */
static bool
look_into(struct maillog_lines *lines, struct source *source,
    char why_r[MAILLOG_WHY_SIZE])
{
	if (!source_open(source, lines->year, why_r))
		return false;
	if (source->size == 0) { /* a pipe: its lines are counted now */
		if (!source_step(source, &lines->counts))
			maillog_file_close(&source->file);
		source->first = source->at;
		return true;
	}
	source->first = source_step(source, NULL) ? source->at : 0;
	maillog_file_close(&source->file);
	return true;
}

struct maillog_lines *
maillog_lines_open(const char *const *paths, size_t count, int year,
    char why_r[MAILLOG_WHY_SIZE])
{
	struct maillog_lines *lines = calloc(1, sizeof *lines);
	bool good = lines != NULL;

	(void)snprintf(why_r, MAILLOG_WHY_SIZE, "out of memory");
	if (lines != NULL)
		lines->sources = calloc(count, sizeof *lines->sources);
	good = good && lines->sources != NULL;
	if (good) {
		lines->count = count;
		lines->year = year;
	}
	for (size_t i = 0; good && i < count; i++) {
		lines->sources[i].path = paths[i];
		good = look_into(lines, &lines->sources[i], why_r);
	}
	if (!good) {
		maillog_lines_close(&lines);
		return NULL;
	}
	qsort(lines->sources, count, sizeof *lines->sources, by_first);
	return lines;
}

void
maillog_lines_close(struct maillog_lines **lines)
{
	struct maillog_lines *mine = *lines;

	if (mine == NULL)
		return;
	for (size_t i = 0; i < mine->count; i++)
		maillog_file_close(&mine->sources[i].file);
	free(mine->sources);
	free(mine);
	*lines = NULL;
}

void
maillog_lines_tell(struct maillog_lines *lines, maillog_say *say, void *arg)
{
	lines->say = say;
	lines->say_arg = arg;
}

static void
complain(struct maillog_lines *lines, const char *text)
{
	lines->counts.damaged++;
	if (lines->say != NULL)
		lines->say(lines->say_arg, text);
}

static void
finish(struct maillog_lines *lines, struct source *source)
{
	const char *fault = maillog_file_fault(source->file);
	char text[2 * MAILLOG_WHY_SIZE];

	if (fault != NULL) {
		(void)snprintf(
		    text, sizeof text, "%s: %s", source->path, fault);
		complain(lines, text);
	}
	lines->done += maillog_file_done(source->file);
	maillog_file_close(&source->file);
}

static void
step(struct maillog_lines *lines, struct source *source)
{
	if (!source_step(source, &lines->counts))
		finish(lines, source);
}

static void
begin_next(struct maillog_lines *lines)
{
	struct source *source = &lines->sources[lines->begun++];
	char why[MAILLOG_WHY_SIZE];

	if (source->file != NULL || source->size == 0)
		return; /* a pipe, or nothing was in it */
	if (source_open(source, lines->year, why))
		step(lines, source);
	else
		complain(lines, why);
}

static struct source *
find_oldest(const struct maillog_lines *lines)
{
	struct source *oldest = NULL;

	for (size_t i = 0; i < lines->begun; i++) {
		struct source *source = &lines->sources[i];

		if (source->file != NULL &&
		    (oldest == NULL || source->at < oldest->at))
			oldest = source;
	}
	return oldest;
}

/* Time goes on only, and leaps by more than a day only if two lines say so. */
static int64_t
order(struct maillog_lines *lines, int64_t at)
{
	bool leaps = lines->now != 0 && at > lines->now + DAY;

	if (leaps && (lines->leap == 0 || at < lines->leap - HOUR)) {
		lines->leap = at;
		lines->counts.misplaced++;
		return lines->now;
	}
	lines->leap = 0;
	if (at > lines->now)
		lines->now = at;
	return lines->now;
}

bool
maillog_lines_next(struct maillog_lines *lines,
    const struct maillog_line **line_r, int64_t *at_r)
{
	struct source *oldest;

	if (lines->given != NULL)
		step(lines, lines->given);
	oldest = find_oldest(lines);
	while (lines->begun < lines->count &&
	    (oldest == NULL ||
		lines->sources[lines->begun].first <= oldest->at)) {
		begin_next(lines);
		oldest = find_oldest(lines);
	}
	lines->given = oldest;
	if (oldest == NULL)
		return false;
	*line_r = &oldest->line;
	*at_r = order(lines, oldest->at);
	return true;
}

const struct maillog_counts *
maillog_lines_counts(const struct maillog_lines *lines)
{
	return &lines->counts;
}

double
maillog_lines_share(const struct maillog_lines *lines)
{
	int64_t done = lines->done, size = 0;

	for (size_t i = 0; i < lines->count; i++) {
		const struct source *source = &lines->sources[i];

		if (source->size == 0)
			return -1;
		size += source->size;
		if (source->file != NULL)
			done += maillog_file_done(source->file);
	}
	return size == 0 ? -1 : (double)done / (double)size;
}
