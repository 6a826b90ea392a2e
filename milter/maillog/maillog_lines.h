/* maillog_lines -- the lines of several logs, in the order of their times.
 *
 * Files may come in any order, and may be of the same time (of several hosts).  Only
 * those are open of which there is something to read.  They may be packed with gzip
 * or zstd, standard input as well: their first octets tell.  Memory is bounded,
 * whatever they hold. */
#ifndef MAILLOG_LINES_H
#define MAILLOG_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maillog/maillog_line.h"

#define MAILLOG_LINE_MAX 8192 /* octets; the rest of a longer line is skipped */
#define MAILLOG_WHY_SIZE 256

struct maillog_lines;

struct maillog_counts {
	int64_t lines;
	int64_t garbage; /* no lines of a log, or of a mail server and cut */
	int64_t
	    misplaced;	 /* younger by more than a day than their neighbours */
	int64_t damaged; /* files that could be read in part */
};

struct maillog_terms {
	const char *const *paths; /* borrowed; "-" is standard input */
	size_t count;
	int year; /* of the first line of each file; 0: it is to be guessed */
	/* Told of each file that cannot be read to its end; the rest goes on.
	 * NULL: nobody. */
	void (*say)(void *arg, const char *text);
	void *arg;
};

/* NULL: one cannot be opened, `why_r`. */
struct maillog_lines *maillog_lines_open(
    const struct maillog_terms *terms, char why_r[MAILLOG_WHY_SIZE]);
void maillog_lines_close(struct maillog_lines **lines);

/* The next line that has a time, which is never before that of the last one, in Unix
 * seconds.  Good until the next call.  False: that was all. */
bool maillog_lines_next(struct maillog_lines *lines,
    const struct maillog_line **line_r, int64_t *at_r);

const struct maillog_counts *
maillog_lines_counts(const struct maillog_lines *lines);

/* How much of all was read, 0..1; less than 0: that is not known. */
double maillog_lines_share(const struct maillog_lines *lines);

#endif
