/* saw -- a condition and the fact that it is about, in words. */
#ifndef SAW_H
#define SAW_H

#include "policy/policy.h"

#define SAW_SIZE 512

/* The condition as the configuration has it: "client = 10.0.0.0/8, ::1"; cut. */
void saw_condition(const struct policy *policy,
    const struct condition *condition, char text_r[SAW_SIZE]);

/* What it was judged by; "unknown" for what could not be told. */
void saw_fact(const struct condition *condition, const struct facts *facts,
    const struct recipient *recipient, char text_r[SAW_SIZE]);

/* A clock at that time, as in "first seen 40s ago". */
void saw_clock(
    const struct greylist_clock *clock, int64_t now, char text_r[SAW_SIZE]);

#endif
