/* conf_logic -- what two conditions have to do with each other.  Pure. */
#ifndef CONF_LOGIC_H
#define CONF_LOGIC_H

#include <stdbool.h>

#include "policy/policy.h"

/* Whether `b` holds wherever `a` does.  False: perhaps not. */
bool conf_implies(const struct policy *policy, const struct condition *a,
    const struct condition *b);

/* Whether the two never hold together. */
bool conf_excludes(const struct policy *policy, const struct condition *a,
    const struct condition *b);

/* Whether it holds for nothing at all. */
bool conf_is_impossible(
    const struct policy *policy, const struct condition *condition);

#endif
