#define _DEFAULT_SOURCE /* initgroups */
#include "base/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* Each step is checked: a daemon that goes on as root because one of them
 * failed silently is the classic hole. */
static bool
change_to(const struct passwd *account)
{
	if (initgroups(account->pw_name, account->pw_gid) != 0 ||
	    setgid(account->pw_gid) != 0 || setuid(account->pw_uid) != 0)
		return false;
	if (account->pw_uid != 0 && setuid(0) == 0) {
		errno = EPERM; /* we could become root again */
		return false;
	}
	return getuid() == account->pw_uid && geteuid() == account->pw_uid &&
	    getgid() == account->pw_gid && getegid() == account->pw_gid;
}

bool
user_become(const char *user, char *why_r, size_t size)
{
	const struct passwd *account;

	if (user[0] == '\0' || geteuid() != 0)
		return true;
	errno = 0;
	account = getpwnam(user);
	if (account == NULL) {
		(void)snprintf(why_r, size, "the user %s: %s", user,
		    errno != 0 ? strerror(errno) : "no such user");
		return false;
	}
	if (!change_to(account)) {
		(void)snprintf(why_r, size, "cannot become the user %s: %s",
		    user, strerror(errno));
		return false;
	}
	return true;
}
