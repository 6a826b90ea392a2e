/* null_filter -- a milter that lets everything continue, to measure against.
 *
 * It has a callback for every step and answers each, like a filter that never
 * thought about what it needs. */
#ifndef NULL_FILTER_H
#define NULL_FILTER_H

#include <libmilter/mfapi.h>

/* Serve `connection` ("unix:/path") until a signal ends it; `at_data` is called
 * for each message at DATA.  Returns the exit status. */
int null_filter_run(
    const char *name, char *connection, sfsistat (*at_data)(SMFICTX *context));

#endif
