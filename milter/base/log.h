/* log -- lines for the postmaster, to syslog or to standard error.
 *
 * The only module with mutable state besides main.  Safe from any thread. */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_target { LOG_TO_SYSLOG, LOG_TO_STDERR };

/* `facility` is a syslog facility name such as "mail"; false if unknown. */
bool log_open(enum log_target target, const char *facility);
void log_verbose(bool on); /* whether log_debug() writes */

void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Make what a client sent fit to stand in a log line: printable ASCII without
 * space, quote, backslash or `=`-trouble stays, all else becomes \xNN; cut to
 * `size`.  Returns out_r. */
char *log_clean(const char *text, char *out_r, size_t size);

#endif
