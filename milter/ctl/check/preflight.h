/* preflight -- will the process be able to do what its settings ask for? */
#ifndef PREFLIGHT_H
#define PREFLIGHT_H

#include <stdbool.h>

#include "config/conf_report.h"
#include "policy/settings.h"

/* Look at each file and directory that the settings name, as the user that we are.
 * What the start would refuse, or would never work, is an error; what works badly,
 * or is dangerous, a warning.  Nothing is changed, and nothing hangs that is no
 * file system.  True: there was no error. */
bool preflight(const struct settings *settings, conf_say *say, void *arg);

#endif
