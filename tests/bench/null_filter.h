/* null_filter -- a milter that lets everything continue, to measure against.
 *
 * It has a callback for every step and answers each, like a filter that never
 * thought about what it needs; or it asks the mail server not to send some and
 * not to wait at others, and then is as quiet as libmilter can be. */
#ifndef NULL_FILTER_H
#define NULL_FILTER_H

#include <libmilter/mfapi.h>

/* Serve `connection` ("unix:/path") until a signal ends it; `at_data` is called
 * for each message at DATA.  `steps` are SMFIP_ flags to negotiate, 0 for none.
 * Returns the exit status. */
int null_filter_run(const char *name, char *connection, unsigned long steps,
    sfsistat (*at_data)(SMFICTX *context));

#endif
