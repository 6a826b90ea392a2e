/* glob -- does a text match a pattern with `*` and `?`?  Pure. */
#ifndef GLOB_H
#define GLOB_H

#include <stdbool.h>

/* `*` stands for any text, also none, `?` for any one octet; everything else
 * stands for itself, ASCII letters in either case.  The whole text must match.
 * The time is at most strlen(pattern) * strlen(text), on hostile input too. */
bool glob_match(const char *pattern, const char *text);

#endif
