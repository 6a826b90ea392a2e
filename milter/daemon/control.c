#define _GNU_SOURCE /* struct ucred */
#include "daemon/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "ctl/ctl.h"
#include "daemon/endpoint.h"

#define CONNECTIONS  16
#define BACKLOG	     128
#define OF_ONE_USER  12 /* of these; root may have all */
#define REQUEST_SIZE (64 * 1024)
#define REQUEST_MS   5000  /* for all of the request */
#define INPUT_MS     60000 /* for more of the input */
#define LINE_MS	     10000 /* until a line of the answer is taken */
#define MODE	     0660

struct connection {
	struct control *control;
	int fd; /* -1: the place is free */
	uid_t uid;
	/* what came behind the request */
	char *rest;
	size_t rest_length;
};

struct control {
	struct socket_spec spec;
	int fd;
	int stop[2]; /* readable for ever once it is to end */
	bool has_thread;
	pthread_t thread;
	struct shared *shared;
	const char *file;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct connection connections[CONNECTIONS];
	size_t count;
};

/* ---- Octets */

/* Wait for this event, until then.  False: it has not come, or it is to end. */
static bool
await(const struct connection *connection, short events, int64_t due_us)
{
	struct pollfd polled[] = {{.fd = connection->fd, .events = events},
	    {.fd = connection->control->stop[0], .events = POLLIN}};
	int64_t left_ms = (due_us - clock_steady_us() + 999) / 1000;
	int count;

	if (left_ms < 0)
		return false;
	do
		count = poll(polled, 2, (int)left_ms);
	while (count < 0 && errno == EINTR);
	return count > 0 && polled[1].revents == 0;
}

static bool
write_line(void *arg, const char *line, size_t length)
{
	const struct connection *connection = arg;
	int64_t due_us = clock_steady_us() + LINE_MS * 1000;

	while (length > 0) {
		ssize_t sent = send(
		    connection->fd, line, length, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0) {
			line += sent;
			length -= (size_t)sent;
		} else if (sent == 0 || (errno != EAGAIN && errno != EINTR) ||
		    !await(connection, POLLOUT, due_us)) {
			return false;
		}
	}
	return true;
}

static ssize_t
receive(const struct connection *connection, char *buffer, size_t size,
    int64_t due_us)
{
	ssize_t got;

	do {
		if (!await(connection, POLLIN, due_us))
			return -1;
		got = recv(connection->fd, buffer, size, MSG_DONTWAIT);
	} while (got < 0 && (errno == EAGAIN || errno == EINTR));
	return got;
}

static ssize_t
read_input(void *arg, char *buffer, size_t size)
{
	struct connection *connection = arg;

	if (connection->rest_length == 0)
		return receive(connection, buffer, size,
		    clock_steady_us() + INPUT_MS * 1000);
	if (size > connection->rest_length)
		size = connection->rest_length;
	memcpy(buffer, connection->rest, size);
	connection->rest += size;
	connection->rest_length -= size;
	return (ssize_t)size;
}

/* False: who asked is gone. */
static bool
wait_ms(void *arg, int64_t ms)
{
	const struct connection *connection = arg;
	struct pollfd polled[] = {{.fd = connection->fd},
	    {.fd = connection->control->stop[0], .events = POLLIN}};

	return poll(polled, 2, (int)ms) == 0;
}

/* ---- One connection */

/* The request without its newline; what follows it is the rest.  False: there is
 * none in time. */
static bool
read_request(struct connection *connection, char *request)
{
	int64_t due_us = clock_steady_us() + REQUEST_MS * 1000;
	size_t length = 0;
	char *end = NULL;

	while (end == NULL && length < REQUEST_SIZE - 1) {
		ssize_t got = receive(connection, request + length,
		    REQUEST_SIZE - 1 - length, due_us);

		if (got <= 0)
			return false;
		end = memchr(request + length, '\n', (size_t)got);
		length += (size_t)got;
	}
	if (end == NULL)
		return false;
	*end = '\0';
	connection->rest = end + 1;
	connection->rest_length = length - (size_t)(end + 1 - request);
	return true;
}

static void
answer(struct connection *connection, const char *request)
{
	struct control *control = connection->control;
	char entry[1024], name[64] = "";
	struct passwd account, *found = NULL;
	struct ctl ctl = {.file = control->file,
	    .policy = shared_policy(control->shared),
	    .store = control->shared->store,
	    .shared = control->shared,
	    .user = name,
	    .uid = connection->uid,
	    .may_change = connection->uid == 0 || connection->uid == getuid(),
	    .io = {.write = write_line,
		.read = read_input,
		.wait = wait_ms,
		.arg = connection}};

	if (getpwuid_r(
		connection->uid, &account, entry, sizeof entry, &found) == 0 &&
	    found != NULL)
		(void)snprintf(name, sizeof name, "%s", found->pw_name);
	ctl_serve(&ctl, request);
	policy_release(&ctl.policy);
}

static void *
serve(void *arg)
{
	struct connection *connection = arg;
	struct control *control = connection->control;
	char *request = malloc(REQUEST_SIZE);
	int fd = connection->fd;

	if (request != NULL && read_request(connection, request))
		answer(connection, request);
	free(request);
	(void)shutdown(fd, SHUT_RDWR);
	pthread_mutex_lock(&control->mutex);
	connection->fd = -1;
	control->count--;
	pthread_cond_broadcast(&control->changed);
	/* Under the lock: whoever ends all of them must not meet another file of
	 * this number. */
	(void)close(fd);
	pthread_mutex_unlock(&control->mutex);
	return NULL;
}

/* ---- All of them */

/* Nobody in particular where the system does not tell. */
static uid_t
peer_of(int fd)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t size = sizeof peer;

	(void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
	return peer.uid;
}

/* A place for one more of this user; NULL: there is none. */
static struct connection *
find_place(struct control *control, uid_t uid)
{
	struct connection *place = NULL;
	size_t own = 0;

	for (size_t i = 0; i < CONNECTIONS; i++) {
		struct connection *connection = &control->connections[i];

		if (connection->fd < 0)
			place = connection;
		else if (connection->uid == uid)
			own++;
	}
	return uid != 0 && own >= OF_ONE_USER ? NULL : place;
}

static bool
begin(struct control *control, int fd)
{
	struct connection *place;
	uid_t uid = peer_of(fd);
	bool is_begun = false;

	pthread_mutex_lock(&control->mutex);
	place = find_place(control, uid);
	if (place != NULL) {
		*place = (struct connection){
		    .control = control, .fd = fd, .uid = uid};
		control->count++;
		is_begun = thread_start(NULL, "control", serve, place);
		if (!is_begun) {
			place->fd = -1;
			control->count--;
		}
	}
	pthread_mutex_unlock(&control->mutex);
	return is_begun;
}

static void
refuse(int fd)
{
	static const char text[] =
	    "{\"kind\": \"error\", \"text\": \"the daemon serves too many "
	    "already; try again\"}\n{\"kind\": \"end\", \"status\": 2}\n";

	(void)send(fd, text, sizeof text - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)close(fd);
}

static void *
listen_for(void *arg)
{
	struct control *control = arg;
	struct pollfd polled[] = {{.fd = control->fd, .events = POLLIN},
	    {.fd = control->stop[0], .events = POLLIN}};

	for (;;) {
		int fd;

		if (poll(polled, 2, -1) < 0 && errno != EINTR)
			clock_sleep(100);
		if (polled[1].revents != 0)
			return NULL;
		fd = accept(control->fd, NULL, NULL);
		if (fd >= 0) {
			(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
			if (!begin(control, fd))
				refuse(fd);
		} else if (errno == EMFILE || errno == ENFILE) {
			clock_sleep(100); /* mail needs them, too */
		}
	}
}

/* ---- Life */

static bool
listen_at(struct control *control, const struct settings *settings, char *why_r,
    size_t size)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	mode_t before;
	bool is_bound;

	control->spec.family = SOCKET_UNIX;
	(void)snprintf(control->spec.path, sizeof control->spec.path, "%s",
	    settings->control);
	if (!endpoint_clear(&control->spec, why_r, size))
		return false;
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s",
	    control->spec.path);
	control->fd =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	before = umask(~MODE & 0777);
	is_bound = control->fd >= 0 &&
	    bind(control->fd, (struct sockaddr *)&address, sizeof address) == 0;
	(void)umask(before);
	if (!is_bound || listen(control->fd, BACKLOG) != 0) {
		(void)snprintf(why_r, size, "cannot listen on %s: %s",
		    control->spec.path, strerror(errno));
		return false;
	}
	return endpoint_give(&control->spec,
	    geteuid() == 0 ? settings->user : "", "", why_r, size);
}

static void
free_control(struct control **control)
{
	struct control *mine = *control;

	if (mine->fd >= 0)
		(void)close(mine->fd);
	for (int i = 0; i < 2; i++)
		if (mine->stop[i] >= 0)
			(void)close(mine->stop[i]);
	pthread_cond_destroy(&mine->changed);
	pthread_mutex_destroy(&mine->mutex);
	free(mine);
	*control = NULL;
}

struct control *
control_open(const struct settings *settings, char *why_r, size_t size)
{
	struct control *control = calloc(1, sizeof *control);

	(void)snprintf(why_r, size, "out of memory or descriptors");
	if (control == NULL)
		return NULL;
	control->fd = control->stop[0] = control->stop[1] = -1;
	for (size_t i = 0; i < CONNECTIONS; i++)
		control->connections[i].fd = -1;
	if (pthread_mutex_init(&control->mutex, NULL) != 0 ||
	    !thread_condition(&control->changed)) {
		free(control);
		return NULL;
	}
	if (pipe2(control->stop, O_CLOEXEC) != 0 ||
	    !listen_at(control, settings, why_r, size)) {
		free_control(&control);
		return NULL;
	}
	return control;
}

bool
control_start(struct control *control, struct shared *shared, const char *file)
{
	control->shared = shared;
	control->file = file;
	control->has_thread =
	    thread_start(&control->thread, "control", listen_for, control);
	return control->has_thread;
}

bool
control_close(struct control **control, int64_t within_ms)
{
	struct control *mine = *control;
	struct timespec due = clock_due(within_ms);
	bool is_over;

	if (mine == NULL)
		return true;
	endpoint_remove(&mine->spec);
	(void)!write(mine->stop[1], "", 1);
	if (mine->has_thread)
		pthread_join(mine->thread, NULL);
	mine->has_thread = false;
	pthread_mutex_lock(&mine->mutex);
	for (size_t i = 0; i < CONNECTIONS; i++)
		if (mine->connections[i].fd >= 0)
			(void)shutdown(mine->connections[i].fd, SHUT_RDWR);
	while (mine->count > 0 &&
	    pthread_cond_timedwait(&mine->changed, &mine->mutex, &due) == 0)
		continue;
	is_over = mine->count == 0;
	pthread_mutex_unlock(&mine->mutex);
	if (is_over)
		free_control(control);
	return is_over;
}
