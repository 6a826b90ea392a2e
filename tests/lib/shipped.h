/* shipped -- the defaults with which milter-defer is shipped, for tests of what they
 * lead to.  check_settings holds the settings to them. */
#ifndef SHIPPED_H
#define SHIPPED_H

#include <stdint.h>

#include "policy/reputation.h"

#define GREYLIST_DELAY	INT64_C(180)
#define GREYLIST_WINDOW (INT64_C(25) * 3600)
#define GREYLIST_KEEP	(INT64_C(36) * 86400)

#define REPUTATION_MESSAGE_CAP 30.0
#define REPUTATION_HALF_LIFE   (INT64_C(7) * 86400) /* seconds */

static const struct reputation_weights shipped_weights = {
    .points = {[REPUTATION_ACCEPTED] = 1,
	[REPUTATION_GREYLIST_PASSED] = 5,
	[REPUTATION_HAM] = 2,
	[REPUTATION_ABANDONED] = 2,
	[REPUTATION_HAMMERING] = 0,
	[REPUTATION_UNKNOWN_COMMAND] = 5,
	[REPUTATION_MALFORMED_HELO] = 5,
	[REPUTATION_REFUSED_RECIPIENT] = 5,
	[REPUTATION_SPAM] = 10,
	[REPUTATION_REPORT_HAM] = 10,
	[REPUTATION_REPORT_SPAM] = 10,
	[REPUTATION_REPORT_TRAP] = 20}};

#endif
