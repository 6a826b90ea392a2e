#define _DEFAULT_SOURCE /* _PATH_LOG */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/clock.h"
#include "base/thread.h"

#define LINE_SIZE   4096
#define QUEUE_SIZE  1048576 /* octets: some 2,500 lines of decisions */
#define STAMP_SIZE  32
#define HEADER_SIZE 96	 /* "<22>" stamp "milter-defer[4711]: " */
#define REACH_MS    1000 /* between two attempts to reach syslog */

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

/* By themselves: with an initial value they would be octets of the program's file. */
static struct queue queues[2];

/* Whoever says a line writes it, if it is taken at once; else it goes into the
 * queue, as all further ones while there is a queue.  One thread writes that: it
 * may wait for ever, for syslog or for who reads standard error, and then lines
 * are lost and nothing else. */
static struct {
	pthread_mutex_t mutex;
	pthread_cond_t filled;
	pthread_cond_t written;	 /* goes by the steady clock */
	struct queue *filling;	 /* of the queues; the other is being written */
	unsigned long long lost; /* that had no room since it was full */
	bool runs; /* the thread: without it, lines are waited for */
	bool busy; /* the thread: it writes, and nobody else may */
} writer = {.mutex = PTHREAD_MUTEX_INITIALIZER,
    .filled = PTHREAD_COND_INITIALIZER,
    .filling = &queues[0]};

/* Where lines go.  Used by the thread while it is busy, else with the mutex. */
static struct {
	int error_fd; /* standard error, not blocking where that is possible */
	bool error_blocks; /* it is not */
	bool error_is_socket;
	bool error_is_open;
	int syslog_fd; /* -1: none */
	bool syslog_is_stream;
} outlet = {.error_fd = STDERR_FILENO, .syslog_fd = -1};

static atomic_int log_target = LOG_TO_STDERR;
static atomic_int log_facility = LOG_MAIL;
static atomic_bool is_verbose;

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

/* ---- Writing.  Each is true when the line was taken, or never will be; with
 * `wait` it always is, after however long. */

/* A pipe that is shared with other processes, or a terminal, is opened once more:
 * that it does not block is then our own affair. */
static void
open_stderr(void)
{
	struct stat status;
	int fd = -1;

	if (outlet.error_is_open || fstat(STDERR_FILENO, &status) != 0)
		return;
	outlet.error_is_open = true;
	outlet.error_is_socket = S_ISSOCK(status.st_mode);
	if (S_ISREG(status.st_mode) || S_ISSOCK(status.st_mode))
		return; /* it takes flags with each line, or never blocks */
	fd = open("/proc/self/fd/2",
	    O_WRONLY | O_NONBLOCK | O_APPEND | O_NOCTTY | O_CLOEXEC);
	outlet.error_blocks = fd < 0;
	if (fd >= 0)
		outlet.error_fd = fd;
}

/* One write for a whole line, so that the lines of several processes never mix. */
static ssize_t
put_to_stderr(const struct iovec parts[2], bool wait)
{
	const struct msghdr message = {
	    .msg_iov = (struct iovec *)parts, .msg_iovlen = 2};

	if (!outlet.error_is_socket)
		return writev(outlet.error_fd, parts, 2);
	return sendmsg(outlet.error_fd, &message,
	    MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
}

static bool
write_to_stderr(const struct line *line, const char *text, bool wait)
{
	struct pollfd room = {.fd = outlet.error_fd, .events = POLLOUT};
	const struct iovec parts[2] = {
	    {(char *)text, line->length}, {(char *)"\n", 1}};
	ssize_t done;

	if (outlet.error_blocks && !wait)
		return false;
	for (;;) {
		done = put_to_stderr(parts, wait);
		if (done >= 0 || (errno != EINTR && errno != EAGAIN))
			return true; /* nobody else is left to be told */
		if (errno == EAGAIN && !wait)
			return false;
		if (errno == EAGAIN)
			(void)poll(&room, 1, -1);
	}
}

/* Waits, if at all, for a syslog that takes streams. */
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

/* What goes to syslog at once: header, text, and of a stream the NUL that ends a
 * line there. */
#define WIRE 3

/* Leave out what was taken. */
static void
skip(struct msghdr *message, size_t done)
{
	while (message->msg_iovlen > 0 && done >= message->msg_iov->iov_len) {
		done -= message->msg_iov->iov_len;
		message->msg_iov++;
		message->msg_iovlen--;
	}
	if (message->msg_iovlen > 0) {
		message->msg_iov->iov_base =
		    (char *)message->msg_iov->iov_base + done;
		message->msg_iov->iov_len -= done;
	}
}

/* False: errno says why not. */
static bool
send_once(const struct iovec wire[WIRE], bool wait)
{
	struct iovec parts[WIRE];
	struct msghdr message = {.msg_iov = parts,
	    .msg_iovlen = outlet.syslog_is_stream ? WIRE : WIRE - 1};
	ssize_t done;

	memcpy(parts, wire, sizeof parts);
	do {
		done = sendmsg(outlet.syslog_fd, &message,
		    MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
		if (done > 0) { /* of a stream perhaps by halves */
			skip(&message, (size_t)done);
			wait = true;
		}
	} while (done > 0 ? message.msg_iovlen > 0 : errno == EINTR);
	return done > 0 || errno == EMSGSIZE;
}

/* Syslog may be started anew, or be filled to the brim; whoever waits for it does
 * so without haste. */
static bool
send_to_syslog(const struct iovec wire[WIRE], bool wait)
{
	for (int attempt = 0; wait || attempt == 0; attempt++) {
		if (attempt > 1)
			clock_sleep(REACH_MS);
		if (outlet.syslog_fd < 0 && wait)
			outlet.syslog_fd =
			    reach_syslog(&outlet.syslog_is_stream);
		if (outlet.syslog_fd < 0)
			continue;
		if (send_once(wire, wait))
			return true;
		if (!wait && errno == EAGAIN)
			break;
		(void)close(outlet.syslog_fd);
		outlet.syslog_fd = -1;
	}
	return false;
}

/* As RFC 3164, section 4.1, has it: in local time. */
static bool
write_to_syslog(const struct line *line, const char *text, bool wait)
{
	static char stamp[STAMP_SIZE];
	static int64_t stamped = -1;
	char header[HEADER_SIZE];
	struct iovec wire[WIRE] = {
	    {header, 0}, {(char *)text, line->length}, {(char *)"", 1}};
	int length;

	if (stamped != line->at) {
		time_t at = (time_t)line->at;
		struct tm parts;

		(void)strftime(stamp, sizeof stamp, "%b %e %H:%M:%S",
		    localtime_r(&at, &parts));
		stamped = line->at;
	}
	length = snprintf(header, sizeof header, "<%d>%s milter-defer[%ld]: ",
	    line->priority | atomic_load(&log_facility), stamp, (long)getpid());
	if (length < 0 || (size_t)length >= sizeof header)
		return true;
	wire[0].iov_len = (size_t)length;
	return send_to_syslog(wire, wait);
}

static bool
write_line(const struct line *line, const char *text, bool wait)
{
	return atomic_load(&log_target) == LOG_TO_SYSLOG
	    ? write_to_syslog(line, text, wait)
	    : write_to_stderr(line, text, wait);
}

static void
write_queue(struct queue *queue)
{
	struct line line;

	for (size_t at = 0; at < queue->used; at += sizeof line + line.length) {
		memcpy(&line, queue->octets + at, sizeof line);
		(void)write_line(&line, queue->octets + at + sizeof line, true);
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
	(void)write_line(&line, text, true);
}

static void *
run(void *unused)
{
	struct queue *full;
	unsigned long long lost;

	for (;;) {
		(void)pthread_mutex_lock(&writer.mutex);
		writer.busy = false;
		(void)pthread_cond_broadcast(&writer.written);
		while (writer.filling->used == 0)
			(void)pthread_cond_wait(&writer.filled, &writer.mutex);
		writer.busy = true;
		full = writer.filling;
		writer.filling = full == &queues[0] ? &queues[1] : &queues[0];
		lost = writer.lost;
		writer.lost = 0;
		(void)pthread_mutex_unlock(&writer.mutex);
		write_queue(full);
		if (lost > 0)
			write_loss(lost);
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
	(void)pthread_cond_signal(&writer.filled);
}

/* With the mutex held. */
static bool
is_written(void)
{
	return !writer.busy && writer.filling->used == 0;
}

/* A line is one line, and nothing for a terminal, whoever's text is in it. */
static void
make_one_line(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (ascii_is_control(text[i]))
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
	(void)snprintf(text, sizeof text, "%s", prefix);
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
	if (!is_written() || !write_line(&line, text, !writer.runs))
		put_in_queue(&line, text);
	(void)pthread_mutex_unlock(&writer.mutex);
	errno = saved;
}

/* A macro where the C library checks formats for a compiler that cannot. */
#undef syslog

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
	writer.runs = thread_condition(&writer.written) &&
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
	if (target == LOG_TO_STDERR)
		open_stderr();
	runs = start_writer();
	(void)pthread_mutex_unlock(&writer.mutex);
	return runs;
}

bool
log_flush(int64_t within_ms)
{
	struct timespec due = clock_due(within_ms);
	bool written;
	int error = 0;

	(void)pthread_mutex_lock(&writer.mutex);
	while (!is_written() && error != ETIMEDOUT)
		error = pthread_cond_timedwait(
		    &writer.written, &writer.mutex, &due);
	written = is_written();
	(void)pthread_mutex_unlock(&writer.mutex);
	return written;
}

void
log_verbose(bool on)
{
	atomic_store(&is_verbose, on);
}

bool
log_is_verbose(void)
{
	return atomic_load(&is_verbose);
}

void
log_debug(const char *format, ...)
{
	va_list args;

	if (!atomic_load(&is_verbose))
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
	return byte > ' ' && byte < 0x7f && byte != '"' && byte != '\'' &&
	    byte != '\\';
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
