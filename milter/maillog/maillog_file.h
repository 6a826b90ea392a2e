/* maillog_file -- the lines of a file that is plain, or packed with gzip or zstd.
 *
 * What it is packed with is told by its first octets, so that standard input may be
 * packed, too.  Memory is bounded, whatever the file holds. */
#ifndef MAILLOG_FILE_H
#define MAILLOG_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAILLOG_LINE_MAX 8192 /* octets; the rest of a longer line is skipped */
#define MAILLOG_WHY_SIZE 256

struct maillog_file;

/* "-" is standard input.  NULL: `why_r` says why. */
struct maillog_file *
maillog_file_open(const char *path, char why_r[MAILLOG_WHY_SIZE]);
void maillog_file_close(struct maillog_file **file);

/* The next line, without its end and not terminated; good until the next call.
 * False: that was all, or the rest cannot be read (maillog_file_fault()). */
bool maillog_file_line(
    struct maillog_file *file, const char **text_r, size_t *length_r);

/* Why not all of it could be read; NULL: it could. */
const char *maillog_file_fault(const struct maillog_file *file);

/* When it was last written to; for standard input, the time now.  Unix seconds. */
int64_t maillog_file_written(const struct maillog_file *file);

/* Octets of it that were read so far; and how many there are, 0 where that is not
 * known, as of a pipe. */
int64_t maillog_file_done(const struct maillog_file *file);
int64_t maillog_file_size(const struct maillog_file *file);

#endif
