/* saw -- why a rule holds or does not, in words: its condition, and the fact that this
 * was judged by. */
#ifndef SAW_H
#define SAW_H

#include "session/message.h"

#define SAW_SIZE 512

struct saw {
	/* The condition that did not hold, as the configuration has it:
	 * "client = 10.0.0.0/8, ::1"; cut.  "": that settled nothing. */
	char condition[SAW_SIZE];
	char fact[SAW_SIZE]; /* what it was judged by, or the clock; or "" */
	char why[2 * SAW_SIZE + 32];
};

/* How the rule answered, as decide() has traced it; `recipient` may be NULL. */
void saw_rule(const struct message *message, const struct rule *rule,
    const struct recipient *recipient, const struct trace_step *step,
    struct saw *saw_r);

/* What a condition is judged by; "unknown" for what could not be told. */
void saw_fact(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient, char text_r[SAW_SIZE]);

#endif
