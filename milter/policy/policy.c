#include "policy/policy.h"

bool
policy_caps(const struct policy *policy, const struct rule *rule)
{
	return rule->verdict != RULE_ACCEPT && !rule->observe &&
	    !rule->uncapped && policy->settings.delay_cap > 0;
}

struct policy *
policy_hold(struct policy *policy)
{
	atomic_fetch_add(&policy->references, 1);
	return policy;
}

void
policy_release(struct policy **policy)
{
	struct policy *mine = *policy;

	*policy = NULL;
	if (mine != NULL && atomic_fetch_sub(&mine->references, 1) == 1)
		mine->destroy(mine);
}
