/* secret -- one line out of a file that nobody else should read. */
#ifndef SECRET_H
#define SECRET_H

#include <stdbool.h>
#include <stddef.h>

#define SECRET_SIZE 1024 /* octets of the longest line, its NUL included */

/* Read the first line of `path`, without its line end.  False: it cannot be
 * read, or the line is empty, longer than SECRET_SIZE or holds control
 * characters; `error_r` then names the file and tells which, and never a part
 * of the line. */
bool secret_read(const char *path, char secret_r[SECRET_SIZE], char *error_r,
    size_t error_size);

/* Overwrite what is no longer needed, in a way that is not optimised away. */
void secret_wipe(void *secret, size_t size);

#endif
