#define _DEFAULT_SOURCE /* _PATH_LOG */
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"

#define LINE_SIZE   2048
#define QUEUE_SIZE  1048576 /* octets: some 2,500 lines of decisions */
#define STAMP_SIZE  32
#define HEADER_SIZE 96	 /* "<22>" stamp "milter-defer[4711]: " */
#define REACH_MS    1000 /* between two attempts to reach syslog */
#define GATHER_MS   10	 /* a busy process wakes the writer so seldom */

/* What stands before each line in the queue. */
struct line {
	int64_t at; /* Unix seconds */
	uint16_t priority;
	uint16_t length; /* of the text that follows */
};

/* Lines that were said, in their order. */
struct queue {
	size_t used;
	char octets[QUEUE_SIZE];
};

/* Whoever says a line puts it into the queue and goes on.  One thread writes: it
 * may wait for ever, for syslog or for who reads standard error, and then lines
 * are lost and nothing else. */
static struct {
	pthread_mutex_t mutex;
	pthread_cond_t filled; /* both go by the steady clock */
	pthread_cond_t written;
	struct queue queues[2];
	struct queue *filling;	 /* the other is being written */
	unsigned long long lost; /* that had no room since it was full */
	bool runs;  /* the thread: without it, lines are written at once */
	bool waits; /* the thread: to be woken by the next line */
	bool busy;  /* the thread: it writes */
	bool flush; /* somebody waits for `written` */
} writer = {.mutex = PTHREAD_MUTEX_INITIALIZER, .filling = &writer.queues[0]};

static atomic_int log_target = LOG_TO_STDERR;
static atomic_int log_facility = LOG_MAIL;
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

/* ---- Writing */

/* One write for whole lines, so that those of other processes never stand in
 * between.  */
static void
write_out(const char *text, size_t len)
{
	while (len > 0) {
		ssize_t done = write(STDERR_FILENO, text, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return; /* nobody is left to be told */
		text += done;
		len -= (size_t)done;
	}
}

/* As many lines in one write as a pipe takes whole. */
static void
write_to_stderr(const struct line *line, const char *text)
{
	static char lines[PIPE_BUF];
	static size_t used;

	if (used > 0 &&
	    (line == NULL || used + line->length + 1 > sizeof lines)) {
		write_out(lines, used);
		used = 0;
	}
	if (line == NULL)
		return;
	memcpy(lines + used, text, line->length);
	used += line->length;
	lines[used++] = '\n';
}

/* Syslog's socket; -1 if there is none.  *is_stream_r: lines end with NUL. */
static int
reach_syslog(bool *is_stream_r)
{
	static const int kinds[] = {SOCK_DGRAM, SOCK_STREAM};
	const struct sockaddr_un address = {
	    .sun_family = AF_UNIX, .sun_path = _PATH_LOG};

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		int fd = socket(AF_UNIX, kinds[i] | SOCK_CLOEXEC, 0);

		*is_stream_r = kinds[i] == SOCK_STREAM;
		if (fd < 0)
			return -1;
		if (connect(fd, (const struct sockaddr *)&address,
			sizeof address) == 0)
			return fd;
		(void)close(fd);
		if (errno != EPROTOTYPE)
			return -1;
	}
	return -1;
}

static bool
send_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t done = send(fd, text, len, MSG_NOSIGNAL);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0 && errno == EMSGSIZE)
			return true; /* it never will be taken */
		if (done < 0)
			return false;
		text += done;
		len -= (size_t)done;
	}
	return true;
}

/* Waits for ever, but is never hot: syslog may be started anew, or be filled to
 * the brim. */
static void
send_to_syslog(const char *text, size_t len)
{
	static int fd = -1;
	static bool is_stream;

	for (int attempt = 0;; attempt++) {
		if (attempt > 1)
			clock_sleep(REACH_MS);
		if (fd < 0)
			fd = reach_syslog(&is_stream);
		if (fd < 0)
			continue;
		if (send_all(fd, text, len + (is_stream ? 1 : 0)))
			return;
		(void)close(fd);
		fd = -1;
	}
}

/* As RFC 3164, section 4.1, has it: in local time. */
static void
write_to_syslog(const struct line *line, const char *text)
{
	static char stamp[STAMP_SIZE];
	static int64_t stamped = -1;
	char wire[HEADER_SIZE + LINE_SIZE];
	int len;

	if (stamped != line->at) {
		time_t at = (time_t)line->at;
		struct tm parts;

		(void)strftime(stamp, sizeof stamp, "%b %e %H:%M:%S",
		    localtime_r(&at, &parts));
		stamped = line->at;
	}
	len = snprintf(wire, sizeof wire, "<%d>%s milter-defer[%ld]: %.*s",
	    line->priority | atomic_load(&log_facility), stamp, (long)getpid(),
	    (int)line->length, text);
	if (len > 0)
		send_to_syslog(wire, (size_t)len);
}

static void
write_line(const struct line *line, const char *text)
{
	if (atomic_load(&log_target) == LOG_TO_SYSLOG)
		write_to_syslog(line, text);
	else
		write_to_stderr(line, text);
}

static void
write_queue(struct queue *queue)
{
	struct line line;

	for (size_t at = 0; at < queue->used; at += sizeof line + line.length) {
		memcpy(&line, queue->octets + at, sizeof line);
		write_line(&line, queue->octets + at + sizeof line);
	}
	queue->used = 0;
}

/* It stands where the lines are missing. */
static void
write_loss(unsigned long long lost)
{
	char text[128];
	struct line line = {.at = (int64_t)time(NULL), .priority = LOG_WARNING};

	line.length = (uint16_t)snprintf(text, sizeof text,
	    "warning: the log took no lines for a while: %llu lines were lost",
	    lost);
	write_line(&line, text);
}

/* With the mutex held.  Lines are let gather for a moment, as waking a thread for
 * each would cost more than writing it; when none came meanwhile, the next one
 * wakes us. */
static void
await_lines(void)
{
	struct timespec due = clock_due(GATHER_MS);
	int error = 0;

	writer.busy = false;
	(void)pthread_cond_broadcast(&writer.written);
	while (error == 0 && !writer.flush)
		error =
		    pthread_cond_timedwait(&writer.filled, &writer.mutex, &due);
	writer.waits = true;
	while (writer.filling->used == 0)
		(void)pthread_cond_wait(&writer.filled, &writer.mutex);
	writer.waits = false;
	writer.busy = true;
}

static void *
run(void *unused)
{
	struct queue *full;
	unsigned long long lost;

	for (;;) {
		(void)pthread_mutex_lock(&writer.mutex);
		await_lines();
		full = writer.filling;
		writer.filling = full == &writer.queues[0] ? &writer.queues[1]
							   : &writer.queues[0];
		lost = writer.lost;
		writer.lost = 0;
		(void)pthread_mutex_unlock(&writer.mutex);
		write_queue(full);
		if (lost > 0)
			write_loss(lost);
		write_to_stderr(NULL, NULL);
	}
	return unused;
}

/* ---- Saying */

static void
put_in_queue(const struct line *line, const char *text)
{
	struct queue *queue = writer.filling;

	/* Who missed one misses all until there is room for many. */
	if (writer.lost > 0 ||
	    sizeof queue->octets - queue->used < sizeof *line + line->length) {
		writer.lost++;
		return;
	}
	memcpy(queue->octets + queue->used, line, sizeof *line);
	queue->used += sizeof *line;
	memcpy(queue->octets + queue->used, text, line->length);
	queue->used += line->length;
	if (writer.waits)
		(void)pthread_cond_signal(&writer.filled);
}

/* A line is one line, and nothing for a terminal, whoever's text is in it. */
static void
make_one_line(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == '\x7f')
			text[i] = ' ';
}

__attribute__((format(printf, 3, 0))) static void
log_line(int priority, const char *prefix, const char *format, va_list args)
{
	int saved = errno;
	char text[LINE_SIZE];
	size_t len = strlen(prefix);
	struct line line = {
	    .at = (int64_t)time(NULL), .priority = (uint16_t)priority};
	int wanted;

	if (atomic_load(&log_target) == LOG_TO_NOBODY)
		return;
	memcpy(text, prefix, len);
	wanted = vsnprintf(text + len, sizeof text - len, format, args);
	if (wanted < 0)
		return;
	len += (size_t)wanted;
	if (len >= sizeof text)
		len = sizeof text - 1;
	while (len > 0 && text[len - 1] == '\n')
		len--;
	make_one_line(text, len);
	line.length = (uint16_t)len;
	(void)pthread_mutex_lock(&writer.mutex);
	if (writer.runs) {
		put_in_queue(&line, text);
	} else {
		write_to_stderr(&line, text);
		write_to_stderr(NULL, NULL);
	}
	(void)pthread_mutex_unlock(&writer.mutex);
	errno = saved;
}

/* What libmilter tells syslog(3) comes here, in the place of the C library's: it
 * belongs where our own lines are, and must not wait there either. */
void
syslog(int priority, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_line(priority & LOG_PRIMASK, "libmilter: ", format, args);
	va_end(args);
}

/* The same, for a libmilter that was built with _FORTIFY_SOURCE. */
void __syslog_chk(int priority, int flag, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void
__syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list args;

	(void)flag;
	va_start(args, format);
	log_line(priority & LOG_PRIMASK, "libmilter: ", format, args);
	va_end(args);
}

/* With the mutex held. */
static bool
start_writer(void)
{
	if (writer.runs)
		return true;
	writer.runs = thread_condition(&writer.filled) &&
	    thread_condition(&writer.written) &&
	    thread_start(NULL, "log", run, NULL);
	return writer.runs;
}

bool
log_open(enum log_target target, const char *facility)
{
	int number;
	bool runs;

	if (!facility_by_name(facility, &number))
		return false;
	atomic_store(&log_facility, number);
	atomic_store(&log_target, (int)target);
	if (target == LOG_TO_NOBODY)
		return true;
	(void)pthread_mutex_lock(&writer.mutex);
	runs = start_writer();
	(void)pthread_mutex_unlock(&writer.mutex);
	return runs;
}

/* With the mutex held. */
static bool
is_written(void)
{
	return !writer.runs || (!writer.busy && writer.filling->used == 0);
}

bool
log_flush(int64_t within_ms)
{
	struct timespec due = clock_due(within_ms);
	bool written;
	int error = 0;

	(void)pthread_mutex_lock(&writer.mutex);
	writer.flush = true;
	if (writer.runs)
		(void)pthread_cond_signal(&writer.filled);
	while (!is_written() && error != ETIMEDOUT)
		error = pthread_cond_timedwait(
		    &writer.written, &writer.mutex, &due);
	written = is_written();
	writer.flush = false;
	(void)pthread_mutex_unlock(&writer.mutex);
	return written;
}

void
log_verbose(bool on)
{
	atomic_store(&log_is_verbose, on);
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
