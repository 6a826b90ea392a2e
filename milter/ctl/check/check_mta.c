/* How Postfix or Sendmail is set up to ask us: whether it does, as the last of its
 * filters, whether it can, and what it does when nobody answers. */
#define _DEFAULT_SOURCE /* getgrouplist */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/decimal.h"
#include "config/socket_spec.h"
#include "ctl/check/check.h"

#define TEXT_SIZE 32768
#define PATH_SIZE 512
#define RUN_MS	  5000
#define LONGEST                                                                \
	10 /* seconds until we are given up: who says DATA twice waits */
#define DAY	    86400 /* seconds */
#define GROUPS_MAX  256
#define SENDMAIL_CF "/etc/mail/sendmail.cf"

extern char **environ;

/* ---- Programs */

/* What a program writes; false: there is none, or it does not end in time. */
static bool
run(const char *const *words, char text_r[TEXT_SIZE])
{
	posix_spawn_file_actions_t actions;
	int64_t due_us = clock_steady_us() + RUN_MS * 1000;
	size_t length = 0;
	ssize_t got = 1;
	int ends[2], status = 1;
	pid_t child;

	text_r[0] = '\0';
	if (pipe(ends) != 0 || posix_spawn_file_actions_init(&actions) != 0)
		return false;
	(void)posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
	(void)posix_spawn_file_actions_addclose(&actions, ends[0]);
	(void)posix_spawn_file_actions_addopen(
	    &actions, 2, "/dev/null", O_WRONLY, 0);
	if (posix_spawnp(
		&child, words[0], &actions, NULL, (char **)words, environ) != 0)
		child = -1;
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(ends[1]);
	while (child > 0 && got > 0 && length + 1 < TEXT_SIZE) {
		struct pollfd polled = {.fd = ends[0], .events = POLLIN};
		int64_t left_ms = (due_us - clock_steady_us()) / 1000;

		if (left_ms <= 0 || poll(&polled, 1, (int)left_ms) <= 0)
			break;
		got = read(ends[0], text_r + length, TEXT_SIZE - 1 - length);
		length += got > 0 ? (size_t)got : 0;
	}
	text_r[length] = '\0';
	(void)close(ends[0]);
	if (child < 0)
		return false;
	if (got != 0)
		(void)kill(child, SIGKILL);
	(void)waitpid(child, &status, 0);
	return status == 0;
}

static bool
run_postconf(const char *const *options, char text_r[TEXT_SIZE])
{
	static const char *const places[] = {
	    "postconf", "/usr/sbin/postconf", "/usr/local/sbin/postconf"};

	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		const char *words[16] = {places[i]};

		for (size_t j = 0; j < 14 && options[j] != NULL; j++)
			words[j + 1] = options[j];
		if (run(words, text_r))
			return true;
	}
	return false;
}

/* ---- Filters, as either names them */

struct filter {
	char socket[PATH_SIZE];
	char options[PATH_SIZE]; /* of its own; "" for none */
};

/* Where a unix socket lies that Postfix calls that: in a chroot, or given without
 * the first slash, below its queue directory. */
static void
place(
    const char *name, const char *queue, bool chrooted, char path_r[PATH_SIZE])
{
	bool is_inside = name[0] != '/' || chrooted;

	(void)snprintf(path_r, PATH_SIZE, "%.250s%s%.250s",
	    is_inside ? queue : "", name[0] == '/' || !is_inside ? "" : "/",
	    name);
}

static bool
is_same_file(const char *a, const char *b)
{
	struct stat first, second;

	if (strcmp(a, b) == 0)
		return true;
	return stat(a, &first) == 0 && stat(b, &second) == 0 &&
	    first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

/* "inet:host:port" of Postfix, "inet:port@host" of both. */
static bool
is_our_port(const struct socket_spec *ours, const char *name)
{
	size_t length = strlen(ours->port), rest;

	if (ours->family == SOCKET_UNIX || strncmp(name, "inet", 4) != 0)
		return false;
	name = strchr(name, ':');
	rest = name == NULL ? 0 : strlen(name);
	return rest > length &&
	    ((name[rest - length - 1] == ':' &&
		 strcmp(name + rest - length, ours->port) == 0) ||
		(strncmp(name + 1, ours->port, length) == 0 &&
		    name[1 + length] == '@'));
}

/* The path of "unix:path", "local:path" or "/path"; NULL: it is none. */
static const char *
unix_path(const char *name)
{
	if (strncmp(name, "unix:", 5) == 0)
		return name + 5;
	if (strncmp(name, "local:", 6) == 0)
		return name + 6;
	return name[0] == '/' ? name : NULL;
}

/* The next of a list, in braces or not; its end, or NULL. */
static const char *
next_filter(const char *list, struct filter *filter_r)
{
	size_t length;
	bool in_braces;

	list += strspn(list, " \t,");
	if (*list == '\0')
		return NULL;
	in_braces = *list == '{';
	if (in_braces) {
		list += 1 + strspn(list + 1, " \t");
		length = strcspn(list, "}");
	} else {
		length = strcspn(list, " \t,");
	}
	(void)snprintf(filter_r->socket, PATH_SIZE, "%.*s", (int)length, list);
	filter_r->options[0] = '\0';
	if (in_braces) {
		size_t name = strcspn(filter_r->socket, " \t,");

		(void)snprintf(filter_r->options, PATH_SIZE, "%s",
		    filter_r->socket + name);
		filter_r->socket[name] = '\0';
		length += list[length] == '}';
	}
	return list + length;
}

/* ---- Postfix */

struct postfix {
	struct check *check;
	struct socket_spec ours;
	char settings[TEXT_SIZE]; /* "name = value" lines */
	char overrides[TEXT_SIZE];
	char queue[PATH_SIZE];
	size_t asking; /* services that ask us */
};

/* The value of a line "name = value"; false: there is none. */
static bool
find_setting(const char *text, const char *name, char *value_r, size_t size)
{
	size_t length = strlen(name);

	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		const char *value;

		line += *line == '\n';
		if (strncmp(line, name, length) != 0)
			continue;
		value = line + length + strspn(line + length, " ");
		if (*value != '=')
			continue;
		value += 1 + strspn(value + 1, " ");
		(void)snprintf(
		    value_r, size, "%.*s", (int)strcspn(value, "\n"), value);
		return true;
	}
	return false;
}

static void
setting_of(const struct postfix *postfix, const char *service, const char *name,
    char *value_r, size_t size)
{
	char full[PATH_SIZE];

	value_r[0] = '\0';
	(void)snprintf(full, sizeof full, "%s/%s", service, name);
	if (!find_setting(postfix->overrides, full, value_r, size))
		(void)find_setting(postfix->settings, name, value_r, size);
}

/* An option of the filter itself, else that of all. */
static void
option_of(const struct postfix *postfix, const char *service,
    const struct filter *filter, const char *name, char *value_r, size_t size)
{
	char full[PATH_SIZE];
	const char *own = strstr(filter->options, name);

	if (own != NULL && own[strlen(name)] == '=') {
		own += strlen(name) + 1;
		(void)snprintf(
		    value_r, size, "%.*s", (int)strcspn(own, " \t,}"), own);
		return;
	}
	(void)snprintf(full, sizeof full, "milter_%s", name);
	setting_of(postfix, service, full, value_r, size);
}

static void
check_options(const struct postfix *postfix, const char *service,
    const struct filter *filter)
{
	char action[PATH_SIZE], timeout[PATH_SIZE];

	option_of(
	    postfix, service, filter, "default_action", action, sizeof action);
	if (strcmp(action, "tempfail") != 0)
		check_say(postfix->check, CHECK_WARNING, "postfix",
		    "default_action=tempfail, as in milter-defer(8)",
		    "%s: default_action is %s: who says DATA twice may walk "
		    "past all rules",
		    service, action);
	option_of(postfix, service, filter, "command_timeout", timeout,
	    sizeof timeout);
	if (decimal_scan(timeout, NULL) > LONGEST ||
	    strspn(timeout, "0123456789s") != strlen(timeout))
		check_say(postfix->check, CHECK_WARNING, "postfix",
		    "command_timeout=5s, as in milter-defer(8)",
		    "%s: command_timeout is %s: who says DATA twice holds a "
		    "smtpd for so long",
		    service, timeout);
}

/* Whether this user may write there, by mode and groups. */
static bool
may_write(const struct passwd *user, const struct stat *status, mode_t bit)
{
	gid_t groups[GROUPS_MAX];
	int count = GROUPS_MAX;

	if (user->pw_uid == 0)
		return true;
	if (status->st_uid == user->pw_uid)
		return (status->st_mode & bit << 6) != 0;
	if (getgrouplist(user->pw_name, user->pw_gid, groups, &count) < 0)
		count = 0;
	for (int i = 0; i < count; i++)
		if (groups[i] == status->st_gid)
			return (status->st_mode & bit << 3) != 0;
	return (status->st_mode & bit) != 0;
}

static void
check_access(const struct postfix *postfix, const char *path)
{
	char owner[PATH_SIZE], directory[PATH_SIZE], mend[2 * PATH_SIZE];
	const struct passwd *user;
	struct stat status;
	char *slash;

	setting_of(postfix, "", "mail_owner", owner, sizeof owner);
	user = getpwnam(owner);
	if (user == NULL)
		return;
	(void)snprintf(directory, sizeof directory, "%s", path);
	slash = strrchr(directory, '/');
	if (slash != NULL && slash != directory)
		*slash = '\0';
	(void)snprintf(mend, sizeof mend,
	    "make %s a member of the socket's group (see socket_group), and "
	    "restart Postfix",
	    owner);
	if (stat(path, &status) != 0)
		check_say(postfix->check, CHECK_ERROR, "postfix",
		    "start the daemon", "%s: %s", path, strerror(errno));
	else if (!may_write(user, &status, S_IWOTH))
		check_say(postfix->check, CHECK_ERROR, "postfix", mend,
		    "the user %s may not connect to %s", owner, path);
	else if (stat(directory, &status) == 0 &&
	    !may_write(user, &status, S_IXOTH))
		check_say(postfix->check, CHECK_ERROR, "postfix", mend,
		    "the user %s may not enter %s", owner, directory);
}

/* A filter of a service that is ours; false: it is another. */
static bool
is_ours(const struct postfix *postfix, const char *service,
    const struct filter *filter, bool chrooted)
{
	const char *name = unix_path(filter->socket);
	char path[PATH_SIZE];

	if (name == NULL || postfix->ours.family != SOCKET_UNIX)
		return is_our_port(&postfix->ours, filter->socket);
	place(name, postfix->queue, chrooted, path);
	if (is_same_file(path, postfix->ours.path))
		return true;
	if (strcmp(name, postfix->ours.path) != 0)
		return false;
	check_say(postfix->check, CHECK_ERROR, "postfix",
	    "put the socket below the queue directory and name it without the "
	    "first slash, or use inet:",
	    "%s runs in a chroot: there %s is %s, which is not our socket",
	    service, name, path);
	return true;
}

static void
check_service(struct postfix *postfix, const char *service, bool chrooted)
{
	char value[PATH_SIZE * 4];
	struct filter filter, ours = {"", ""};
	size_t count = 0, at = 0;

	setting_of(postfix, service, "smtpd_milters", value, sizeof value);
	for (const char *rest = value;
	     (rest = next_filter(rest, &filter)) != NULL;) {
		count++;
		if (!is_ours(postfix, service, &filter, chrooted))
			continue;
		at = count;
		ours = filter;
	}
	if (at == 0) {
		check_say(postfix->check, CHECK_OK, "postfix", NULL,
		    "%s does not ask us", service);
		return;
	}
	postfix->asking++;
	check_say(postfix->check, CHECK_OK, "postfix", NULL,
	    "%s asks us as filter %zu of %zu", service, at, count);
	if (at < count)
		check_say(postfix->check, CHECK_WARNING, "postfix",
		    "name it last in smtpd_milters",
		    "%s: what filters behind us reject, we take for accepted",
		    service);
	check_options(postfix, service, &ours);
}

/* A line of master.cf: service type private unpriv chroot wakeup maxproc command. */
static void
check_line(struct postfix *postfix, const char *line)
{
	char name[128], type[32], chroot[8], command[128], service[192];

	if (sscanf(line, "%127s %31s %*s %*s %7s %*s %*s %127s", name, type,
		chroot, command) != 4 ||
	    strcmp(command, "smtpd") != 0)
		return;
	(void)snprintf(service, sizeof service, "%s/%s", name, type);
	check_service(postfix, service, strcmp(chroot, "y") == 0);
}

static bool
read_postfix(struct postfix *postfix)
{
	static const char *const asked[] = {"-x", "smtpd_milters",
	    "milter_default_action", "milter_command_timeout",
	    "queue_directory", "mail_owner", NULL};
	static const char *const overrides[] = {"-Px", NULL};

	if (!run_postconf(asked, postfix->settings))
		return false;
	(void)run_postconf(overrides, postfix->overrides);
	setting_of(postfix, "", "queue_directory", postfix->queue,
	    sizeof postfix->queue);
	return true;
}

static void
check_postfix(struct postfix *postfix)
{
	static const char *const services[] = {"-M", NULL};
	char *text = malloc(TEXT_SIZE);

	if (text == NULL || !run_postconf(services, text)) {
		free(text);
		return;
	}
	for (char *line = strtok(text, "\n"); line != NULL;
	     line = strtok(NULL, "\n"))
		check_line(postfix, line);
	free(text);
	if (postfix->asking == 0)
		check_say(postfix->check, CHECK_ERROR, "postfix",
		    "add our socket to smtpd_milters, as in milter-defer(8)",
		    "no smtpd of Postfix asks us at %s",
		    postfix->check->settings->socket);
	else if (postfix->ours.family == SOCKET_UNIX)
		check_access(postfix, postfix->ours.path);
}

/* ---- Sendmail */

struct sendmail {
	struct check *check;
	struct socket_spec ours;
	char name[128]; /* of our filter; "" for none */
	char order[PATH_SIZE];
};

/* "R:5s" of "T=C:5s;S:5s;R:5s;E:1m", in seconds, a day for anything from there on;
 * 10 unless said otherwise. */
static int64_t
read_timeout(const char *line)
{
	const char *at = strstr(line, "R:");
	const char *end;
	int64_t number;

	if (at == NULL)
		return 10;
	number = decimal_scan(at + 2, &end);
	if (number > 0 && number < DAY)
		number *= *end == 'm' ? 60 : *end == 'h' ? 3600 : 1;
	return number < DAY ? number : DAY;
}

/* "Xname, S=unix:/path, F=T, T=...". */
static void
take_filter(struct sendmail *sendmail, const char *line)
{
	const char *at = strstr(line, "S="), *flags = strstr(line, "F=");
	char socket[PATH_SIZE];
	const char *path;

	if (at == NULL)
		return;
	(void)snprintf(socket, sizeof socket, "%.*s",
	    (int)strcspn(at + 2, ", \t\r\n"), at + 2);
	path = unix_path(socket);
	if (path == NULL || sendmail->ours.family != SOCKET_UNIX
		? !is_our_port(&sendmail->ours, socket)
		: !is_same_file(path, sendmail->ours.path))
		return;
	(void)snprintf(sendmail->name, sizeof sendmail->name, "%.*s",
	    (int)strcspn(line + 1, ", \t"), line + 1);
	if (flags == NULL || flags[2] != 'T')
		check_say(sendmail->check, CHECK_WARNING, "sendmail",
		    "F=T, as in milter-defer(8)",
		    "%s: without F=T who says DATA twice may walk past all "
		    "rules",
		    sendmail->name);
	if (read_timeout(line) > LONGEST)
		check_say(sendmail->check, CHECK_WARNING, "sendmail",
		    "R:5s, as in milter-defer(8)",
		    "%s: who says DATA twice holds a process for %" PRId64 " s",
		    sendmail->name, read_timeout(line));
}

/* Whether it is there in "O InputMailFilters=a, b", and last. */
static void
check_order(struct sendmail *sendmail)
{
	size_t length = strlen(sendmail->name);
	const char *last = strrchr(sendmail->order, ',');

	last = last == NULL ? sendmail->order : last + 1;
	last += strspn(last, " \t");
	if (strstr(sendmail->order, sendmail->name) == NULL)
		check_say(sendmail->check, CHECK_ERROR, "sendmail",
		    "use INPUT_MAIL_FILTER, as in milter-defer(8)",
		    "%s is defined, but not among InputMailFilters",
		    sendmail->name);
	else if (strncmp(last, sendmail->name, length) != 0 ||
	    strcspn(last, " \t\r\n") != length)
		check_say(sendmail->check, CHECK_WARNING, "sendmail",
		    "define it last",
		    "what filters behind %s reject, it takes for accepted",
		    sendmail->name);
	else
		check_say(sendmail->check, CHECK_OK, "sendmail", NULL,
		    "it asks us as %s, the last of its filters",
		    sendmail->name);
}

static void
check_sendmail(struct sendmail *sendmail, FILE *file)
{
	static const char order[] = "O InputMailFilters=";
	char line[4096];

	while (fgets(line, sizeof line, file) != NULL) {
		if (line[0] == 'X')
			take_filter(sendmail, line);
		else if (strncmp(line, order, sizeof order - 1) == 0)
			(void)snprintf(sendmail->order, sizeof sendmail->order,
			    "%.*s",
			    (int)strcspn(line + sizeof order - 1, "\r\n"),
			    line + sizeof order - 1);
	}
	if (sendmail->name[0] == '\0')
		check_say(sendmail->check, CHECK_ERROR, "sendmail",
		    "use INPUT_MAIL_FILTER, as in milter-defer(8)",
		    "no filter of Sendmail is at %s",
		    sendmail->check->settings->socket);
	else
		check_order(sendmail);
}

/* ---- Either */

static bool
is_wanted(const struct check *check, const char *name)
{
	const char *mta = ctl_value(check->args, "mta");

	return mta == NULL || strcmp(mta, name) == 0;
}

static bool
look_at_postfix(struct check *check, const struct socket_spec *ours)
{
	struct postfix *postfix = calloc(1, sizeof *postfix);
	bool is_there;

	if (postfix == NULL)
		return false;
	postfix->check = check;
	postfix->ours = *ours;
	is_there = is_wanted(check, "postfix") && read_postfix(postfix);
	if (is_there)
		check_postfix(postfix);
	free(postfix);
	return is_there;
}

static bool
look_at_sendmail(struct check *check, const struct socket_spec *ours)
{
	const char *path = ctl_value(check->args, "sendmail-cf");
	struct sendmail sendmail = {.check = check, .ours = *ours};
	FILE *file;

	if (!is_wanted(check, "sendmail"))
		return false;
	file = fopen(path == NULL ? SENDMAIL_CF : path, "r");
	if (file == NULL)
		return false;
	check_sendmail(&sendmail, file);
	(void)fclose(file);
	return true;
}

void
check_mta(struct check *check)
{
	struct socket_spec ours;
	const char *why;

	if (!is_wanted(check, "postfix") && !is_wanted(check, "sendmail"))
		return;
	if (!socket_spec_parse(check->settings->socket, &ours, &why))
		return;
	if (!look_at_postfix(check, &ours) && !look_at_sendmail(check, &ours))
		check_say(check, CHECK_WARNING, "mta", NULL,
		    "neither Postfix nor Sendmail is found on this host");
}
