/* conf_rule_options -- the options of a rule that are no conditions. */
#ifndef CONF_RULE_OPTIONS_H
#define CONF_RULE_OPTIONS_H

#include "policy/settings.h"

/* As they stand in the file; choices are places in their lists. */
struct rule_options {
	int64_t verdict;
	int64_t by;
	int64_t delay;
	char *response;
	int64_t at;
	int64_t wait;
	bool observe;
	bool uncapped;
	int64_t within;
	int64_t per;
	bool scale_by_reputation;
};

/* With offsets into the struct above.  A fallback of NULL depends on the rule.
 */
extern const struct setting rule_option_table[];
extern const size_t rule_option_count;

#endif
