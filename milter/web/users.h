/* users -- who may see the dashboard, and who may change anything by it.
 *
 * A file has a line NAME:HASH:ROLE for each of them: HASH as crypt(3) makes it
 * (`mkpasswd -m yescrypt`), ROLE is "read" or "change"; empty lines and those that
 * begin with # say nothing.  It is read anew at each attempt to log in, and at
 * each page. */
#ifndef USERS_H
#define USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USER_NAME_SIZE 65

enum role { ROLE_NONE, ROLE_READ, ROLE_CHANGE };

struct user {
	char name[USER_NAME_SIZE];
	enum role role;
	uint64_t stamp; /* another one when the password is another */
};

/* Whether a user of that name has that password.  Takes about as long when there
 * is no such user.  Slow by intent. */
bool users_check(const char *path, const char *name, const char *password,
    struct user *user_r);

/* Find a user by name.  False: there is none any more. */
bool users_find(const char *path, const char *name, struct user *user_r);

/* Whether the file can be used; `why_r` says what is wrong with it. */
bool users_test(const char *path, char *why_r, size_t size);

#endif
