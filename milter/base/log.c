#define _DEFAULT_SOURCE /* LOG_PERROR */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define LINE_SIZE 2048

static atomic_int log_target = LOG_TO_STDERR;
static atomic_bool log_is_verbose;

static bool
facility_by_name(const char *name, int *facility_r)
{
	static const struct {
		const char *name;
		int facility;
	} table[] = {
	    {"mail", LOG_MAIL},
	    {"daemon", LOG_DAEMON},
	    {"user", LOG_USER},
	    {"local0", LOG_LOCAL0},
	    {"local1", LOG_LOCAL1},
	    {"local2", LOG_LOCAL2},
	    {"local3", LOG_LOCAL3},
	    {"local4", LOG_LOCAL4},
	    {"local5", LOG_LOCAL5},
	    {"local6", LOG_LOCAL6},
	    {"local7", LOG_LOCAL7},
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		if (strcmp(table[i].name, name) == 0) {
			*facility_r = table[i].facility;
			return true;
		}
	}
	return false;
}

bool
log_open(enum log_target target, const char *facility)
{
	int number;

	if (!facility_by_name(facility, &number))
		return false;
	/* libmilter itself speaks to syslog: what it says must be seen where
	 * our own lines are. */
	openlog("milter-defer",
	    LOG_PID | (target == LOG_TO_STDERR ? LOG_PERROR : 0), number);
	atomic_store(&log_target, (int)target);
	return true;
}

void
log_verbose(bool on)
{
	atomic_store(&log_is_verbose, on);
}

/* One write for a whole line, so that the lines of threads never mix. */
static void
write_line(char *line, size_t len)
{
	const char *rest = line;

	line[len++] = '\n';
	while (len > 0) {
		ssize_t done = write(STDERR_FILENO, rest, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return; /* nobody is left to be told */
		rest += done;
		len -= (size_t)done;
	}
}

__attribute__((format(printf, 3, 0))) static void
log_line(int priority, const char *prefix, const char *format, va_list args)
{
	int saved = errno;
	char line[LINE_SIZE + 1]; /* one for the newline */
	size_t len = strlen(prefix);
	int wanted;

	(void)snprintf(line, sizeof line, "%s", prefix);
	wanted = vsnprintf(line + len, LINE_SIZE - len, format, args);
	if (wanted < 0)
		return;
	len += (size_t)wanted;
	if (len >= LINE_SIZE)
		len = LINE_SIZE - 1;
	if (atomic_load(&log_target) == LOG_TO_SYSLOG)
		syslog(priority, "%s", line);
	else
		write_line(line, len);
	errno = saved;
}

void
log_debug(const char *format, ...)
{
	va_list args;

	if (!atomic_load(&log_is_verbose))
		return;
	va_start(args, format);
	log_line(LOG_DEBUG, "debug: ", format, args);
	va_end(args);
}

void
log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line(LOG_INFO, "", format, args);
	va_end(args);
}

void
log_warning(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line(LOG_WARNING, "warning: ", format, args);
	va_end(args);
}

void
log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line(LOG_ERR, "error: ", format, args);
	va_end(args);
}

/* Quotes and backslash would end or bend a value for whoever parses the line;
 * `=` does not, as the first one of a word is ours. */
static bool
stays(unsigned char byte)
{
	return byte > ' ' && byte < 0x7f && strchr("\"'\\", byte) == NULL;
}

char *
log_clean(const char *text, char *out_r, size_t size)
{
	static const char hex[] = "0123456789abcdef";
	size_t used = 0;

	for (; text != NULL && *text != '\0'; text++) {
		unsigned char byte = (unsigned char)*text;
		size_t need = stays(byte) ? 1 : 4;

		if (used + need >= size)
			break;
		if (need == 1) {
			out_r[used++] = *text;
			continue;
		}
		out_r[used++] = '\\';
		out_r[used++] = 'x';
		out_r[used++] = hex[byte >> 4];
		out_r[used++] = hex[byte & 15];
	}
	if (size > 0)
		out_r[used] = '\0';
	return out_r;
}
