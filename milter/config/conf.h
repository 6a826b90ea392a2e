/* conf -- a configuration file becomes a policy, or a list of what is wrong. */
#ifndef CONF_H
#define CONF_H

#include <stdio.h>

#include "config/conf_report.h"
#include "policy/policy.h"

/* Read `path`.  On success a new policy with one reference; else NULL.  Each
 * error and warning is given to `say` as a whole sentence that begins with
 * "file:line: ".  From any thread: they take turns. */
struct policy *conf_load(const char *path, conf_say *say, void *arg);

/* Read the list files that the policy names.  A line that is none, and a file
 * that is not there, is an error, with "file:line: " of the list.  For `-t`: a
 * running daemon skips such lines, and waits for such files. */
bool conf_check_lists(const struct policy *policy, conf_say *say, void *arg);

/* Whether this rule defers a message as often as it comes: nothing that it asks
 * changes by waiting, and no cap lets it go.  Such mail is lost in the end. */
bool conf_is_endless(const struct policy *policy, const struct rule *rule);

/* Print the rule table as it will be applied: what `milter-defer -t` shows. */
void conf_describe(const struct policy *policy, FILE *out);

/* ---- A condition in the words of its file */

#define CONF_WORDS_SIZE 256

/* Value number `index` of a condition; "" beyond the last. */
void
conf_words_value(const struct policy *policy, const struct condition *condition,
    size_t index, char text_r[CONF_WORDS_SIZE]);

/* How many values it has, at least 1. */
size_t conf_words_count(const struct condition *condition);

#endif
