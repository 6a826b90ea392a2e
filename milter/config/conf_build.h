/* conf_build -- what the readers of one configuration file share: the policy
 * that they make, and where they say what is wrong. */
#ifndef CONF_BUILD_H
#define CONF_BUILD_H

#include "config/conf_file.h"
#include "config/conf_report.h"
#include "config/settings.h"
#include "policy/policy.h"

struct conf_build {
	struct conf_report *report;
	struct policy *policy;
	bool out_of_memory; /* said once, at the end */
};

/* conf_text.c: read and prepare the file of the report.  NULL if something was
 * reported; else the caller frees it. */
char *conf_text_read(struct conf_report *report);

/* conf.c: set a member of `target`, to which the row belongs, or complain. */
void conf_read_option(struct conf_build *build, const struct setting *setting,
    const struct conf_item *item, void *target);

/* conf_dnsbl.c: the lists that are asked by DNS, and the options of their
 * sections. */
extern const struct setting dnsbl_option_table[];
extern const size_t dnsbl_option_count;
void conf_read_dnsbls(struct conf_build *build, const struct conf_tree *tree);

/* conf_rule.c: the rules, in their order, the texts with which they answer, and the
 * options of a rule that are no conditions. */
extern const struct setting rule_option_table[];
extern const size_t rule_option_count;
void conf_read_rules(struct conf_build *build, const struct conf_tree *tree);
/* A text of the file, or one built in that it does not replace; NULL: there is none of
 * this name. */
const struct response *
conf_response(const struct policy *policy, const char *name);
struct shipped_text {
	const char *name;
	const char *reply;
};
extern const struct shipped_text shipped_texts[];
extern const size_t shipped_text_count;

/* conf_condition.c: read the value of one condition, of which the type is there;
 * false if it was reported.  Limits are completed by conf_rule.c. */
bool conf_read_condition(struct conf_build *build, const struct conf_item *item,
    struct condition *condition_r);
/* Add a header field name to those that the policy reads. */
bool conf_add_header(
    struct conf_build *build, int line, const char *name, size_t length);

/* conf_plan.c: work out what follows from the rules and settings once all are in
 * place: own_stage and stage_mask of every rule, and of the policy stage_mask, wants_*,
 * observes_eom, the clocks, and value_count.  Pure. */
void conf_plan(struct policy *policy);
/* Whether the rule has a condition with all of these flags. */
bool conf_rule_asks(const struct rule *rule, unsigned flags);

/* conf_check.c: warn of what is allowed and yet hardly meant. */
void conf_check(struct conf_build *build, const struct conf_tree *tree);

/* Complain about one value: `line: name "value": why`. */
void conf_refuse(struct conf_build *build, const struct conf_item *item,
    size_t index, const char *why);

#endif
