/* user -- whose rights this process has. */
#ifndef USER_H
#define USER_H

#include <stdbool.h>
#include <stddef.h>

/* Become this user, with all its groups, for good.  "", or when we are not root:
 * stay who we are.  False: `why_r` has the reason. */
bool user_become(const char *user, char *why_r, size_t size);

#endif
