/* conf_report -- what is wrong with a configuration file, sentence by sentence.
 */
#ifndef CONF_REPORT_H
#define CONF_REPORT_H

#include <stdbool.h>

typedef void conf_say(void *arg, bool error, const char *text);

struct conf_report {
	const char *path;
	conf_say *say;
	void *arg;
	unsigned errors; /* so far */
};

/* Say "path:line: sentence", whatever the octets in it.  Line 0 is left out. */
void conf_error(struct conf_report *report, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void conf_warning(struct conf_report *report, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
