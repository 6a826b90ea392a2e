#include "config/conf_rule_options.h"

#define DAY 86400.0

#define MEMBER(member) offsetof(struct rule_options, member)

const struct setting rule_option_table[] = {
    /* clang-format off */
    {"rule", "verdict", SETTING_CHOICE, MEMBER(verdict), NULL, 0, 0,
	"accept defer greylist", NULL},
    {"rule", "response", SETTING_STRING, MEMBER(response), NULL, 0, 0, NULL,
	NULL},
    {"rule", "at", SETTING_CHOICE, MEMBER(at), "mail", 0, 0,
	"mail rcpt data eom", NULL},
    {"rule", "by", SETTING_CHOICE, MEMBER(by), "triplet", 0, 0,
	"triplet client", NULL},
    {"rule", "delay", SETTING_DURATION, MEMBER(delay), NULL, 0, 7 * DAY, NULL,
	NULL},
    {"rule", "wait", SETTING_DURATION, MEMBER(wait), "5m", 0, 7 * DAY, NULL,
	NULL},
    {"rule", "within", SETTING_DURATION, MEMBER(within), NULL, 1, 31 * DAY,
	NULL, NULL},
    {"rule", "per", SETTING_CHOICE, MEMBER(per), "network", 0, 0,
	"network host sender_domain user all", NULL},
    {"rule", "scale_by_reputation", SETTING_BOOL, MEMBER(scale_by_reputation),
	"false", 0, 0, NULL, NULL},
    {"rule", "uncapped", SETTING_BOOL, MEMBER(uncapped), "false", 0, 0, NULL,
	NULL},
    {"rule", "observe", SETTING_BOOL, MEMBER(observe), "false", 0, 0, NULL,
	NULL},
    /* clang-format on */
};

const size_t rule_option_count =
    sizeof rule_option_table / sizeof rule_option_table[0];
