/* queue_count -- how many files lie in a mail queue directory, up to a limit?
 *
 * Reads the file system; may block as long as a directory read blocks. */
#ifndef QUEUE_COUNT_H
#define QUEUE_COUNT_H

#include <stdint.h>

/* Count the regular files in `dir` and, for Postfix's hash_queue_names, in its
 * subdirectories down to four levels.  Symbolic links are neither followed nor
 * counted, names that begin with a dot are skipped.
 *
 * Counting stops at `limit` files, and when `budget_ms` milliseconds have
 * passed; *count_r is then what was seen so far, so always a lower bound and
 * never above `limit`.  What vanishes meanwhile does not matter.
 *
 * Returns 0, or the errno value of what could not be read. */
int queue_count(
    const char *dir, int64_t limit, int64_t budget_ms, int64_t *count_r);

#endif
