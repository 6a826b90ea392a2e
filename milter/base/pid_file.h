/* pid_file -- only one of us: a locked file that names our process. */
#ifndef PID_FILE_H
#define PID_FILE_H

#include <stdbool.h>
#include <stddef.h>

/* Whether what stands at `path` can be a pid file: nothing, or a regular file that
 * has no other name.  False: `why_r` tells what it is. */
bool pid_file_suits(const char *path, char *why_r, size_t size);

/* Create or take over `path`, lock it and write our process id.  The lock ends
 * with this process and is not inherited by a child.  False: `why_r` names the
 * process that holds it, or what else is wrong; `*fd_r` is then -1. */
bool pid_file_take(const char *path, int *fd_r, char *why_r, size_t size);

/* Remove it, or empty it where its directory does not let us; closes `*fd`. */
void pid_file_drop(const char *path, int *fd);

#endif
