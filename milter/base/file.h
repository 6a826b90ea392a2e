/* file -- a file that the configuration names, opened without being held up by
 * what may stand in its place: a FIFO, a device, a directory. */
#ifndef FILE_H
#define FILE_H

#include <sys/stat.h>

/* Open for reading; `status_r` is what was opened.  -1: errno says why, for
 * file_why(); a directory is EISDIR, what else is no regular file EINVAL. */
int file_open(const char *path, struct stat *status_r);

/* What errno says of a file, as the end of "PATH: ". */
const char *file_why(int error);

#endif
