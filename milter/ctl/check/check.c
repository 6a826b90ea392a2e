#define _XOPEN_SOURCE 700 /* strptime() */
#include "ctl/check/check.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/user.h"
#include "config/conf.h"
#include "ctl/check/preflight.h"
#include "ctl/commands.h"
#include "ctl/open_store.h"
#include "ctl/remote.h"

#define LOOK_MS	   INT64_C(10000) /* a file system may hang */
#define HEAD_LINES 40
#define OLD_DAYS   (4L * 365)

void
check_say(struct check *check, enum check_level level, const char *about,
    const char *mend, const char *format, ...)
{
	static const char *const words[] = {[CHECK_OK] = "ok",
	    [CHECK_WARNING] = "warning",
	    [CHECK_ERROR] = "error"};
	json_t *object = json_object();
	char text[1024];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	check->is_bad |= level == CHECK_ERROR;
	(void)json_object_set_new(object, "kind", json_string("finding"));
	(void)json_object_set_new(object, "level", json_string(words[level]));
	(void)json_object_set_new(object, "about", json_string(about));
	(void)json_object_set_new(object, "finding", json_text(text));
	if (mend != NULL)
		(void)json_object_set_new(object, "mend", json_text(mend));
	(void)ctl_emit(check->ctl, object);
}

/* ---- The configuration, as the daemon's user sees it */

static void
say_finding(void *arg, bool error, const char *text)
{
	check_say(arg, error ? CHECK_ERROR : CHECK_WARNING, "config", NULL,
	    "%s", text);
}

/* Of the process that has that user's rights: a letter, the text and a NUL. */
static void
write_finding(void *arg, bool error, const char *text)
{
	FILE *out = arg;

	(void)fprintf(out, "%c%s", error ? 'E' : 'W', text);
	(void)fputc('\0', out);
}

static void
look(const struct check *check, int fd)
{
	const struct policy *policy = check->ctl->policy;
	FILE *out = fdopen(fd, "w");
	char why[CTL_WHY_SIZE];

	if (out == NULL)
		_exit(1);
	if (!user_become(check->settings->user, why, sizeof why)) {
		write_finding(out, true, why);
	} else {
		if (access(check->ctl->file, R_OK) != 0) {
			(void)snprintf(why, sizeof why,
			    "%.300s: the user %.60s cannot read it, so that it "
			    "cannot be reloaded",
			    check->ctl->file, check->settings->user);
			write_finding(out, false, why);
		}
		(void)conf_check_lists(policy, write_finding, out);
		(void)preflight(check->settings, write_finding, out);
	}
	(void)fclose(out);
	_exit(0);
}

static size_t
say_findings(struct check *check, const char *text, size_t length)
{
	size_t count = 0;

	for (size_t at = 0; at + 1 < length; at += strlen(text + at) + 1) {
		say_finding(check, text[at] == 'E', text + at + 1);
		count++;
	}
	return count;
}

/* All that comes, but no longer than LOOK_MS; the length. */
static size_t
read_findings(int fd, char *text, size_t size, bool *hangs_r)
{
	int64_t due_us = clock_steady_us() + LOOK_MS * 1000;
	size_t length = 0;

	for (;;) {
		struct pollfd polled = {.fd = fd, .events = POLLIN};
		int64_t left_ms = (due_us - clock_steady_us()) / 1000;
		ssize_t got;

		*hangs_r = left_ms <= 0 || poll(&polled, 1, (int)left_ms) <= 0;
		if (*hangs_r)
			return length;
		got = read(fd, text + length, size - 1 - length);
		if (got <= 0)
			return length;
		length += (size_t)got;
		text[length] = '\0';
	}
}

static void
check_files(struct check *check)
{
	static char text[65536];
	int ends[2];
	bool hangs = true;
	size_t length, count;
	pid_t child;

	if (pipe(ends) != 0 || (child = fork()) < 0) {
		check_say(check, CHECK_ERROR, "config", NULL,
		    "nothing could be looked at: %s", strerror(errno));
		return;
	}
	if (child == 0) {
		(void)close(ends[0]);
		look(check, ends[1]);
	}
	(void)close(ends[1]);
	length = read_findings(ends[0], text, sizeof text, &hangs);
	(void)close(ends[0]);
	if (hangs)
		(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
	count = say_findings(check, text, length);
	if (hangs)
		check_say(check, CHECK_ERROR, "config", NULL,
		    "a file system that it names does not answer");
	else if (count == 0)
		check_say(check, CHECK_OK, "config", NULL,
		    "%s: %zu rules; what it names is there for %s%s",
		    check->ctl->file, check->ctl->policy->rule_count,
		    geteuid() == 0 && check->settings->user[0] != '\0'
			? "the user "
			: "us",
		    geteuid() == 0 ? check->settings->user : "");
}

/* ---- Lists that say how old they are: "# As of 2024-02-04" */

/* 0: the file says nothing. */
static time_t
date_of(const char *path)
{
	struct stat status;
	char line[256];
	int fd = file_open(path, &status);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	struct tm day = {.tm_mday = 0};

	if (file == NULL) {
		if (fd >= 0)
			(void)close(fd);
		return 0;
	}
	for (int i = 0; i < HEAD_LINES && day.tm_mday == 0 &&
	     fgets(line, sizeof line, file) != NULL;
	     i++)
		if (strptime(line, "# As of %Y-%m-%d", &day) == NULL)
			day.tm_mday = 0;
	(void)fclose(file);
	day.tm_isdst = -1;
	return day.tm_mday == 0 ? 0 : mktime(&day);
}

static void
check_ages(struct check *check)
{
	const struct policy *policy = check->ctl->policy;

	for (size_t i = 0; i < policy->list_count; i++) {
		const char *path = policy->lists[i].name;
		time_t date = policy->lists[i].shared ? 0 : date_of(path);
		long days = (long)((time(NULL) - date) / 86400);
		bool is_old = days > OLD_DAYS;

		if (date > 0)
			check_say(check, is_old ? CHECK_WARNING : CHECK_OK,
			    "list",
			    is_old ? "look whether its entries still hold"
				   : NULL,
			    "%s is as of %ld days ago", path, days);
	}
}

/* ---- The daemon */

static void
check_daemon(struct check *check)
{
	static const char *const words[] = {"help"};
	const char *path = check->settings->control;
	char why[CTL_WHY_SIZE];
	int fd;

	if (path[0] == '\0') {
		check_say(check, CHECK_WARNING, "daemon",
		    "set control, or do without what asks a running daemon",
		    "the control socket is off");
		return;
	}
	fd = remote_ask(path, 1, words, why);
	if (fd < 0) {
		check_say(check, CHECK_WARNING, "daemon", NULL, "%s", why);
		return;
	}
	(void)close(fd);
	check_say(check, CHECK_OK, "daemon", NULL, "it runs, and answers at %s",
	    path);
}

static enum ctl_status
run_check(struct ctl *ctl, const struct ctl_args *args)
{
	struct check check = {.ctl = ctl, .args = args};

	ctl->policy = conf_load(ctl->file, say_finding, &check);
	if (ctl->policy == NULL)
		return CTL_NOTHING;
	check.settings = &ctl->policy->settings;
	check_files(&check);
	check_ages(&check);
	check_daemon(&check);
	if (names_redis(check.settings))
		check_redis(&check);
	check_mta(&check);
	policy_release(&ctl->policy);
	return check.is_bad ? CTL_NOTHING : CTL_DONE;
}

static const struct ctl_option options[] = {
    {"mta", "NAME", "look at postfix or sendmail, or at none", false},
    {"sendmail-cf", "FILE", "Sendmail's configuration", false}, {NULL}};

static const struct ctl_layout layouts[] = {
    {"finding", true,
	{{"level", "", CTL_MARK}, {"about", "ABOUT", CTL_TEXT},
	    {"finding", "FINDING", CTL_TEXT}, {"mend", "WHAT TO DO", CTL_TEXT},
	    {NULL}}},
    {NULL}};

const struct ctl_command ctl_check = {.name = "check",
    .arguments = "",
    .help = "look whether all around is set up well, and tell what to mend",
    .flags = CTL_BARE,
    .options = options,
    .layouts = layouts,
    .run = run_check};
