/* conf_words -- parts of a policy in the words of its configuration file. */
#ifndef CONF_WORDS_H
#define CONF_WORDS_H

#include "policy/policy.h"

#define CONF_WORDS_SIZE 256

/* Value number `index` of a condition; "" beyond the last. */
void
conf_words_value(const struct policy *policy, const struct condition *condition,
    size_t index, char text_r[CONF_WORDS_SIZE]);

/* How many values it has, at least 1. */
size_t conf_words_count(const struct condition *condition);

#endif
