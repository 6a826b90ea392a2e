/* log -- lines for the postmaster, to syslog or to standard error.
 *
 * Whoever says a line never waits for who takes it: while lines are not taken
 * they go through a bounded queue to a thread of their own, in their order.  When
 * that is full they are lost, and how many is told when the log takes lines again.
 * Before log_open() they are written to standard error at once.  Control characters
 * become blanks: nobody's text can make two lines of one.
 *
 * What libraries say by syslog(3) comes here too.  The only module with mutable
 * state besides main.  Safe from any thread. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_target { LOG_TO_SYSLOG, LOG_TO_STDERR, LOG_TO_NOBODY };

/* From now on, or instead of what it was: `facility` is a syslog facility name
 * such as "mail".  False: it is unknown, or no thread could be had. */
bool log_open(enum log_target target, const char *facility);

/* Wait until all that was said is written, but no longer than that.  Whether it
 * is. */
bool log_flush(int64_t within_ms);

/* Whether log_debug() writes; who would have to look for what to say asks. */
void log_verbose(bool on);
bool log_is_verbose(void);

void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Make what a client sent fit to stand in a log line: printable ASCII without
 * space, quote, backslash or `=`-trouble stays, all else becomes \xNN; cut to
 * `size`.  Returns out_r. */
char *log_clean(const char *text, char *out_r, size_t size);

#endif
