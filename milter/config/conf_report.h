/* conf_report -- what is wrong with a configuration file, sentence by sentence.
 */
#ifndef CONF_REPORT_H
#define CONF_REPORT_H

#include <stdbool.h>
#include <stddef.h>

typedef void conf_say(void *arg, bool error, const char *text);

/* From this line of the whole text on it is that line of this file. */
struct conf_origin {
	int first;
	char *path;
	int line;
};

struct conf_report {
	const char *path;
	conf_say *say;
	void *arg;
	unsigned errors; /* so far */
	/* What was included; none: all is of `path`.  See conf_text.c. */
	struct conf_origin *origins;
	size_t origin_count;
};

/* Say "path:line: sentence", whatever the octets in it.  Line 0 is left out. */
void conf_error(struct conf_report *report, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void conf_warning(struct conf_report *report, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Say that what stands on this line is already on that one: a name, or a kind of
 * section and its title. */
void conf_twice(struct conf_report *report, int line, int other,
    const char *what, const char *title);

/* The path of the file from which a line of the whole text comes; `*line` becomes
 * the line of that file. */
const char *conf_origin(const struct conf_report *report, int *line);

/* A line of the whole text for who looks at the line `here`: "line 7", or "line 7 of
 * path" if that is another file. */
#define CONF_PLACE_SIZE 512
void conf_line(const struct conf_report *report, int line, int here,
    char text_r[CONF_PLACE_SIZE]);

#endif
