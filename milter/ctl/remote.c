#include "ctl/remote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int
connect_to(const char *path, char why_r[CTL_WHY_SIZE])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (fd >= 0 && strlen(path) < sizeof address.sun_path) {
		memcpy(address.sun_path, path, strlen(path) + 1);
		if (connect(fd, (struct sockaddr *)&address, sizeof address) ==
		    0)
			return fd;
	} else if (fd >= 0) {
		errno = ENAMETOOLONG;
	}
	(void)snprintf(why_r, CTL_WHY_SIZE,
	    "cannot reach the daemon at %.200s: %s%s", path, strerror(errno),
	    errno == ENOENT || errno == ECONNREFUSED ? " (does it run?)" : "");
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

static bool
send_all(int fd, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		text += sent;
		length -= (size_t)sent;
	}
	return true;
}

int
remote_ask(const char *path, size_t count, const char *const *words,
    char why_r[CTL_WHY_SIZE])
{
	int fd = connect_to(path, why_r);
	json_t *argv, *request;
	char *text;

	if (fd < 0)
		return -1;
	argv = json_array();
	request = json_object();
	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(argv, json_text(words[i]));
	(void)json_object_set_new(request, "argv", argv);
	text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	/* Who refuses us does not listen, and may have said why. */
	if (text == NULL ||
	    ((!send_all(fd, text, strlen(text)) || !send_all(fd, "\n", 1)) &&
		errno != EPIPE)) {
		(void)snprintf(why_r, CTL_WHY_SIZE,
		    "the daemon does not take the request: %s",
		    strerror(errno));
		(void)close(fd);
		fd = -1;
	}
	free(text);
	return fd;
}

static void
tell(bool (*emit)(void *arg, const json_t *object), void *arg, const char *text)
{
	json_t *object = json_pack("{s:s, s:s}", "kind", "error", "text", text);

	(void)emit(arg, object);
	json_decref(object);
}

/* Whether this was the last object. */
static bool
take_object(const json_t *object, bool (*emit)(void *arg, const json_t *object),
    void *arg, enum ctl_status *status_r)
{
	const char *kind = json_string_value(json_object_get(object, "kind"));
	long long status;

	if (kind == NULL || strcmp(kind, "end") != 0)
		return !emit(arg, object);
	status = json_integer_value(json_object_get(object, "status"));
	*status_r = status == CTL_DONE || status == CTL_NOTHING
	    ? (enum ctl_status)status
	    : CTL_FAILED;
	return true;
}

enum ctl_status
remote_listen(int fd, bool (*emit)(void *arg, const json_t *object), void *arg)
{
	enum ctl_status status = CTL_DONE;
	FILE *in = fdopen(fd, "r");
	bool is_over = false;
	char *line = NULL;
	size_t size = 0;

	while (!is_over && in != NULL && getline(&line, &size, in) > 0) {
		json_t *object = json_loads(line, 0, NULL);

		if (object == NULL)
			break;
		is_over = take_object(object, emit, arg, &status);
		json_decref(object);
	}
	if (!is_over) {
		tell(emit, arg, "the daemon broke off");
		status = CTL_FAILED;
	}
	free(line);
	if (in != NULL)
		(void)fclose(in);
	return status;
}
