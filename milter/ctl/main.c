/* main -- the command line of milter-deferctl: which command, where it runs, and
 * how what it emits is shown. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/near.h"
#include "base/thread.h"
#include "config/conf.h"
#include "ctl/commands.h"
#include "ctl/open_store.h"
#include "ctl/remote.h"
#include "ctl/render.h"
#include "redis/redis.h"
#include "store/redis/store_redis.h"

#define DEFAULT_FILE SYSCONFDIR "/milter-defer.conf"
#define UP_MS	     3000 /* that a store may take until it is there */
#define WHOLE_MS     1000 /* and all of a cluster */

struct tool {
	const char *file;
	bool is_json;
	bool wants_help;
	size_t count; /* words of the command, name included */
	const char *words[CTL_WORDS_MAX];
	const struct ctl_command *command;
	struct ctl_args args;
	struct render *render;
	struct policy *policy;
	struct store *store;
	int input; /* what the feed writes comes out here; or -1 */
	/* what the store said last, for when it does not come up */
	pthread_mutex_t mutex;
	char news[CTL_WHY_SIZE];
};

/* What a feed works with, beside the command. */
struct feeding {
	const struct ctl_args *args;
	int fd;
	bool is_good;
	pthread_t thread;
};

static void
complain(const char *why)
{
	(void)fprintf(stderr, "milter-deferctl: %s\n", why);
}

/* ---- The command line */

static void
print_usage(FILE *out)
{
	(void)fputs("Usage: milter-deferctl [-c FILE] [--json] COMMAND ...\n"
		    "  -c FILE    read this configuration, not " DEFAULT_FILE
		    "\n"
		    "  --json     print objects, one a line\n"
		    "  --help     print this, or with a command what it does\n"
		    "  --version  print the version\n\n"
		    "Commands:\n",
	    out);
	for (size_t i = 0; i < ctl_command_count; i++)
		(void)fprintf(out, "  %-15s %s\n", ctl_commands[i]->name,
		    ctl_commands[i]->help);
}

static void
print_help(const struct ctl_command *command)
{
	(void)printf("Usage: milter-deferctl %s%s%s\n", command->name,
	    command->arguments[0] == '\0' ? "" : " ", command->arguments);
	(void)printf("%s\n", command->help);
	for (const struct ctl_option *option = command->options;
	     option != NULL && option->name != NULL; option++) {
		char said[64];

		(void)snprintf(said, sizeof said, "--%s%s%s", option->name,
		    option->argument == NULL ? "" : " ",
		    option->argument == NULL ? "" : option->argument);
		(void)printf("  %-22s %s%s\n", said, option->help,
		    option->many ? " (may be repeated)" : "");
	}
}

/* Sort the words: ours, and those of the command.  False: they are wrong. */
static bool
sort_words(struct tool *tool, int argc, char **argv)
{
	bool has_options = true;

	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (has_options && strcmp(word, "--json") == 0) {
			tool->is_json = true;
		} else if ((has_options && strcmp(word, "--help") == 0) ||
		    (tool->count == 0 && strcmp(word, "-h") == 0)) {
			tool->wants_help = true;
		} else if (tool->count == 0 && strcmp(word, "-c") == 0) {
			if (++i == argc)
				return false;
			tool->file = argv[i];
		} else if (tool->count == CTL_WORDS_MAX) {
			complain("too many words");
			return false;
		} else if (tool->count == 0 && word[0] == '-') {
			return false;
		} else {
			has_options = has_options && strcmp(word, "--") != 0;
			tool->words[tool->count++] = word;
		}
	}
	return tool->count > 0 || tool->wants_help;
}

/* The command whose name is nearest to what was typed; NULL: none is near. */
static const char *
find_nearest(const char *word)
{
	struct near near;

	near_begin(&near, word);
	for (size_t i = 0; i < ctl_command_count; i++)
		near_try(&near, ctl_commands[i]->name,
		    strlen(ctl_commands[i]->name));
	return near.best;
}

/* False: and that was told. */
static bool
find_command(struct tool *tool)
{
	const char *nearest;
	char why[CTL_WHY_SIZE];
	size_t used;

	tool->command = ctl_find(tool->count, tool->words, &used);
	if (tool->command == NULL) {
		nearest = find_nearest(tool->words[0]);
		(void)snprintf(why, sizeof why,
		    "there is no command %.60s%s%s%s; see milter-deferctl "
		    "--help",
		    tool->words[0], nearest == NULL ? "" : " (did you mean ",
		    nearest == NULL ? "" : nearest,
		    nearest == NULL ? "" : "?)");
		complain(why);
		return false;
	}
	if (tool->wants_help)
		return true;
	if (!ctl_parse(tool->command, tool->count - used, tool->words + used,
		&tool->args, why)) {
		complain(why);
		return false;
	}
	return true;
}

/* ---- Configuration and store */

static void
say_finding(void *arg, bool error, const char *text)
{
	(void)arg;
	if (error)
		complain(text);
}

static void
hear_store(void *arg, bool bad, const char *text)
{
	struct tool *tool = arg;

	if (!bad)
		return;
	pthread_mutex_lock(&tool->mutex);
	(void)snprintf(tool->news, sizeof tool->news, "%s", text);
	pthread_mutex_unlock(&tool->mutex);
}

/* What was wrong with the store last. */
static void
complain_of_store(struct tool *tool, const char *otherwise)
{
	pthread_mutex_lock(&tool->mutex);
	if (tool->news[0] != '\0' || otherwise != NULL)
		complain(tool->news[0] != '\0' ? tool->news : otherwise);
	pthread_mutex_unlock(&tool->mutex);
}

/* One of its nodes is up; the others come soon, unless they are away. */
static void
await_cluster(const struct tool *tool)
{
	int64_t due_us = clock_steady_us() + WHOLE_MS * 1000;

	while (!redis_is_whole(store_redis_link(tool->store)) &&
	    clock_steady_us() < due_us)
		clock_sleep(5);
}

/* A link is made in the background: wait for it, but not for long. */
static bool
open_tool_store(struct tool *tool)
{
	int64_t due_us = clock_steady_us() + UP_MS * 1000;
	const struct store_opening opening = {
	    .reads_only = (tool->command->flags & CTL_CHANGES) == 0,
	    .say = hear_store,
	    .say_arg = tool};
	char why[CTL_WHY_SIZE];

	tool->store = open_store(&tool->policy->settings, (int64_t)time(NULL),
	    &opening, why, sizeof why);
	if (tool->store == NULL) {
		complain(why);
		return false;
	}
	while (!store_is_up(tool->store) && clock_steady_us() < due_us)
		clock_sleep(5);
	if (store_is_up(tool->store)) {
		await_cluster(tool);
		return true;
	}
	complain_of_store(tool, "the store is away");
	return false;
}

/* ---- What feeds the command */

static void *
feed(void *arg)
{
	struct feeding *feeding = arg;
	FILE *out = fdopen(feeding->fd, "w");

	if (out == NULL)
		return NULL;
	feeding->is_good = feeding->args->command->feed(feeding->args, out);
	if (fflush(out) != 0)
		feeding->is_good = false;
	(void)shutdown(feeding->fd, SHUT_WR);
	(void)fclose(out);
	return NULL;
}

/* Run the command's feed, which writes to `fd`; a no-op if it has none. */
static bool
begin_feed(struct tool *tool, struct feeding *feeding, int fd)
{
	*feeding = (struct feeding){.args = &tool->args, .fd = fd};
	return fd >= 0 && thread_start(&feeding->thread, "feed", feed, feeding);
}

/* ---- Where it runs */

static bool
emit(void *arg, const json_t *object)
{
	return render_object(((struct tool *)arg)->render, object);
}

static ssize_t
read_input(void *arg, char *buffer, size_t size)
{
	const struct tool *tool = arg;

	return tool->input < 0 ? 0 : read(tool->input, buffer, size);
}

static bool
wait_here(void *arg, int64_t ms)
{
	(void)arg;
	clock_sleep(ms);
	return true;
}

static enum ctl_status
run_here(struct tool *tool)
{
	const struct passwd *user = getpwuid(getuid());
	struct ctl ctl = {.file = tool->file,
	    .policy = tool->policy,
	    .store = tool->store,
	    .user = user == NULL ? "" : user->pw_name,
	    .uid = getuid(),
	    .may_change = true,
	    .io = {.emit = emit,
		.read = read_input,
		.wait = wait_here,
		.arg = tool}};
	struct feeding feeding;
	int ends[2] = {-1, -1};
	bool is_fed = tool->command->feed != NULL;
	enum ctl_status status;

	if (is_fed && socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0)
		tool->input = ends[0];
	if (is_fed && !begin_feed(tool, &feeding, ends[1])) {
		complain("no thread, or no socket");
		return CTL_FAILED;
	}
	status = ctl_run(&ctl, &tool->args);
	if (!is_fed)
		return status;
	(void)close(ends[0]); /* a feed that still writes ends by that */
	pthread_join(feeding.thread, NULL);
	return feeding.is_good || status == CTL_FAILED ? status : CTL_FAILED;
}

static enum ctl_status
run_there(struct tool *tool)
{
	bool is_fed = tool->command->feed != NULL;
	struct feeding feeding;
	char why[CTL_WHY_SIZE];
	enum ctl_status status;
	int fd;

	if (tool->policy->settings.control[0] == '\0') {
		complain("this needs the daemon, whose control socket is off "
			 "(see control in milter-defer.conf(5))");
		return CTL_FAILED;
	}
	fd = remote_ask(
	    tool->policy->settings.control, tool->count, tool->words, why);
	if (fd < 0) {
		complain(why);
		return CTL_FAILED;
	}
	if (is_fed && !begin_feed(tool, &feeding, dup(fd))) {
		complain("no thread, or no descriptor");
		return CTL_FAILED;
	}
	status = remote_listen(fd, emit, tool);
	if (!is_fed)
		return status;
	pthread_join(feeding.thread, NULL);
	return feeding.is_good || status == CTL_FAILED ? status : CTL_FAILED;
}

static enum ctl_status
run_with_policy(struct tool *tool)
{
	unsigned flags = tool->command->flags;
	const struct settings *settings;
	enum ctl_status status;

	tool->policy = conf_load(tool->file, say_finding, NULL);
	if (tool->policy == NULL)
		return CTL_FAILED;
	settings = &tool->policy->settings;
	if ((flags & CTL_DAEMON) != 0 ||
	    ((flags & CTL_STORE) != 0 && !names_redis(settings)))
		return run_there(tool);
	(void)log_open((flags & CTL_CHANGES) == 0
		? LOG_TO_NOBODY
		: (enum log_target)settings->log,
	    settings->log_facility);
	if ((flags & CTL_STORE) != 0 && !open_tool_store(tool))
		return CTL_FAILED;
	status = run_here(tool);
	if (status == CTL_FAILED)
		complain_of_store(tool, NULL);
	return status;
}

static enum ctl_status
run(struct tool *tool)
{
	enum ctl_status status;

	tool->render = render_open(&tool->args, tool->is_json, stdout);
	if (tool->render == NULL)
		return CTL_FAILED;
	status = (tool->command->flags & CTL_BARE) != 0 ? run_here(tool)
							: run_with_policy(tool);
	if (!render_close(&tool->render))
		status = CTL_FAILED;
	if (tool->store != NULL)
		store_close(&tool->store);
	policy_release(&tool->policy);
	(void)log_flush(1000);
	return status;
}

int
main(int argc, char **argv)
{
	struct tool tool = {.file = DEFAULT_FILE,
	    .input = -1,
	    .mutex = PTHREAD_MUTEX_INITIALIZER};

	(void)signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		(void)puts("milter-deferctl " PACKAGE_VERSION);
		return CTL_DONE;
	}
	if (!sort_words(&tool, argc, argv)) {
		print_usage(stderr);
		return CTL_FAILED;
	}
	if (tool.count == 0) {
		print_usage(stdout);
		return CTL_DONE;
	}
	if (!find_command(&tool))
		return CTL_FAILED;
	if (!tool.wants_help)
		return (int)run(&tool);
	print_help(tool.command);
	return CTL_DONE;
}
