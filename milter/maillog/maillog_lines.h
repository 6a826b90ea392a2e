/* maillog_lines -- the lines of several logs, in the order of their times.
 *
 * Files may come in any order, and may be of the same time (of several hosts).  Only
 * those are open of which there is something to read. */
#ifndef MAILLOG_LINES_H
#define MAILLOG_LINES_H

#include "maillog/maillog_file.h"
#include "maillog/maillog_line.h"

struct maillog_lines;

struct maillog_counts {
	int64_t lines;
	int64_t garbage; /* no lines of a log, or of a mail server and cut */
	int64_t
	    misplaced;	 /* younger by more than a day than their neighbours */
	int64_t damaged; /* files that could be read in part */
};

/* Told of each file that cannot be read to its end; the rest goes on. */
typedef void maillog_say(void *arg, const char *text);

/* `paths` are borrowed; "-" is standard input.  `year` is that of the first line of
 * each file, 0 if it is to be guessed.  NULL: one cannot be opened, `why_r`. */
struct maillog_lines *maillog_lines_open(const char *const *paths, size_t count,
    int year, char why_r[MAILLOG_WHY_SIZE]);
void maillog_lines_close(struct maillog_lines **lines);
void
maillog_lines_tell(struct maillog_lines *lines, maillog_say *say, void *arg);

/* The next line that has a time, which is never before that of the last one, in Unix
 * seconds.  Good until the next call.  False: that was all. */
bool maillog_lines_next(struct maillog_lines *lines,
    const struct maillog_line **line_r, int64_t *at_r);

const struct maillog_counts *
maillog_lines_counts(const struct maillog_lines *lines);

/* How much of all was read, 0..1; less than 0: that is not known. */
double maillog_lines_share(const struct maillog_lines *lines);

#endif
