/* check -- what its parts share: they look at one thing each, and say what is well
 * and what is not. */
#ifndef CHECK_H
#define CHECK_H

#include "ctl/ctl.h"

enum check_level { CHECK_OK, CHECK_WARNING, CHECK_ERROR };

struct check {
	struct ctl *ctl;
	const struct ctl_args *args;
	const struct settings *settings;
	bool is_bad; /* an error was said */
};

/* `about` is one word; `mend` what to do about it, NULL: nothing. */
void check_say(struct check *check, enum check_level level, const char *about,
    const char *mend, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* The Redis that the settings name. */
void check_redis(struct check *check);

/* How Postfix or Sendmail is set up to ask us, where they are. */
void check_mta(struct check *check);

#endif
