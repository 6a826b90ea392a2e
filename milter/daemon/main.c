/* main -- the command line of milter-defer, its signals, and the order of
 * things.
 *
 * Signals are for the main thread, which then does nothing else; all others
 * block them, and filter.c keeps libmilter from taking them. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/user.h"
#include "config/conf.h"
#include "ctl/check/preflight.h"
#include "daemon/process.h"
#include "daemon/service.h"
#include "web/web.h"

#define DEFAULT_FILE  SYSCONFDIR "/milter-defer.conf"
#define WHY_SIZE      512
#define START_SECONDS 1	  /* that are left to a start when it is to be ended */
#define LOG_FLUSH_MS  200 /* at the end, for who reads the log */

enum mode { MODE_SERVE, MODE_TEST, MODE_VERSION, MODE_HELP, MODE_USAGE };

struct options {
	enum mode mode;
	bool foreground;
	char file[PATH_MAX];
};

static const struct option_help {
	char letter;
	const char *argument;
	const char *help;
} option_table[] = {
    {'c', "FILE", "read this configuration, not " DEFAULT_FILE},
    {'d', NULL, "log each step of each session, and each rule that is tried"},
    {'f', NULL, "stay in the foreground"},
    {'t', NULL, "test the configuration, print the rules, and end"},
    {'V', NULL, "print the version, and end"},
    {'h', NULL, "print this help, and end"},
};

#define OPTION_COUNT (sizeof option_table / sizeof option_table[0])

/* What signals and libmilter's thread tell the main loop. */
static struct {
	int pipe[2];
	atomic_bool reload;
	atomic_bool stop;
	atomic_bool serving;
	atomic_bool fault;
} events;

/* ---- The command line */

static void
print_usage(FILE *out)
{
	(void)fprintf(out, "Usage: milter-defer");
	for (size_t i = 0; i < OPTION_COUNT; i++)
		(void)fprintf(out, " [-%c%s%s]", option_table[i].letter,
		    option_table[i].argument != NULL ? " " : "",
		    option_table[i].argument != NULL ? option_table[i].argument
						     : "");
	(void)fprintf(out, "\n");
}

static void
print_help(void)
{
	print_usage(stdout);
	for (size_t i = 0; i < OPTION_COUNT; i++)
		(void)printf("  -%c %-6s%s\n", option_table[i].letter,
		    option_table[i].argument != NULL ? option_table[i].argument
						     : "",
		    option_table[i].help);
}

/* As the background has another working directory, `file` becomes absolute;
 * symbolic links stay, so that a reload follows them. */
static bool
set_file(struct options *options, const char *file)
{
	char here[PATH_MAX] = "";
	int len;

	if (file[0] != '/' && getcwd(here, sizeof here) == NULL)
		return false;
	len = snprintf(options->file, sizeof options->file, "%s%s%s", here,
	    here[0] != '\0' ? "/" : "", file);
	return len > 0 && (size_t)len < sizeof options->file;
}

static void
apply_option(struct options *options, int letter, const char *argument)
{
	switch (letter) {
	case 'c':
		if (!set_file(options, argument))
			options->mode = MODE_USAGE;
		break;
	case 'd':
		log_verbose(true);
		break;
	case 'f':
		options->foreground = true;
		break;
	case 't':
		options->mode = MODE_TEST;
		break;
	case 'V':
		options->mode = MODE_VERSION;
		break;
	case 'h':
		options->mode = MODE_HELP;
		break;
	default:
		options->mode = MODE_USAGE;
	}
}

/* `-t FILE` can mean but one thing; else nothing stands without a letter. */
static void
take_operand(struct options *options, const char *operand, int count)
{
	if (options->mode == MODE_TEST && count == 1 &&
	    strcmp(options->file, DEFAULT_FILE) == 0) {
		if (!set_file(options, operand))
			options->mode = MODE_USAGE;
		return;
	}
	if (options->mode != MODE_USAGE)
		(void)fprintf(stderr,
		    "milter-defer: what is \"%s\"?  A configuration is named "
		    "by -c FILE\n",
		    operand);
	options->mode = MODE_USAGE;
}

static struct options
parse_options(int argc, char **argv)
{
	struct options options = {.mode = MODE_SERVE, .file = DEFAULT_FILE};
	char letters[2 * OPTION_COUNT + 1];
	size_t len = 0;
	int letter;

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		letters[len++] = option_table[i].letter;
		if (option_table[i].argument != NULL)
			letters[len++] = ':';
	}
	letters[len] = '\0';
	while (options.mode != MODE_USAGE &&
	    (letter = getopt(argc, argv, letters)) != -1)
		apply_option(&options, letter, optarg);
	if (optind < argc)
		take_operand(&options, argv[optind], argc - optind);
	return options;
}

/* ---- Signals */

static void
wake(void)
{
	int saved = errno;

	/* A full pipe wakes as well. */
	if (write(events.pipe[1], "", 1) < 0)
		errno = saved;
}

/* A start that hangs, at a file system, cannot look whether it is to be ended. */
static void
on_signal(int number)
{
	if (number != SIGHUP && !atomic_load(&events.serving))
		(void)alarm(START_SECONDS);
	atomic_store(number == SIGHUP ? &events.reload : &events.stop, true);
	wake();
}

static void
on_filter_end(void)
{
	atomic_store(&events.fault, true);
	wake();
}

static bool
handle(int number, void (*handler)(int))
{
	struct sigaction action = {
	    .sa_handler = handler, .sa_flags = SA_RESTART};

	(void)sigemptyset(&action.sa_mask);
	return sigaction(number, &action, NULL) == 0;
}

static bool
catch_signals(void)
{
	sigset_t none;

	if (pipe(events.pipe) != 0)
		return false;
	for (int i = 0; i < 2; i++) {
		(void)fcntl(events.pipe[i], F_SETFL, O_NONBLOCK);
		(void)fcntl(events.pipe[i], F_SETFD, FD_CLOEXEC);
	}
	(void)sigemptyset(&none); /* whoever started us may have blocked some */
	return handle(SIGPIPE, SIG_IGN) && handle(SIGHUP, on_signal) &&
	    handle(SIGTERM, on_signal) && handle(SIGINT, on_signal) &&
	    sigprocmask(SIG_SETMASK, &none, NULL) == 0;
}

static void
await_event(void)
{
	struct pollfd woken = {.fd = events.pipe[0], .events = POLLIN};
	char bytes[64];

	(void)poll(&woken, 1, -1);
	while (read(events.pipe[0], bytes, sizeof bytes) > 0)
		continue;
}

/* ---- The order of things */

static int
run(struct service *service)
{
	for (;;) {
		await_event();
		if (atomic_load(&events.stop))
			return EXIT_SUCCESS;
		if (atomic_load(&events.fault)) {
			log_error("libmilter has ended, as it says above");
			return EXIT_FAILURE;
		}
		if (atomic_exchange(&events.reload, false))
			service_reload(service);
	}
}

/* Why there is no start must reach whoever wants it, not only syslog. */
static void
complain(bool to_stderr, const char *why)
{
	log_error("%s", why);
	(void)log_flush(LOG_FLUSH_MS);
	if (!to_stderr)
		(void)fprintf(stderr, "milter-defer: %s\n", why);
}

/* LeakSanitizer looks for leaks at exit() only.  NULL in any other build. */
extern void __lsan_do_leak_check(void) __attribute__((weak));

/* End the process at once, without the exit handlers of libraries (service.h). */
static _Noreturn void
leave(int status)
{
	if (__lsan_do_leak_check != NULL)
		__lsan_do_leak_check();
	_exit(status);
}

static int
serve(const struct options *options, struct policy *policy, int *ready)
{
	bool to_stderr = policy->settings.log == LOG_TO_STDERR;
	struct service *service;
	char why[WHY_SIZE];
	int status;

	if (!catch_signals() ||
	    !log_open((enum log_target)policy->settings.log,
		policy->settings.log_facility)) {
		policy_release(&policy);
		complain(
		    true, "no signals, no thread, or no such log facility");
		return EXIT_FAILURE;
	}
	log_info(
	    "milter-defer " PACKAGE_VERSION " starts with %s", options->file);
	service =
	    service_open(policy, options->file, on_filter_end, why, sizeof why);
	if (service == NULL) {
		complain(to_stderr, why);
		return EXIT_FAILURE;
	}
	atomic_store(&events.serving, true);
	process_ready(ready, to_stderr);
	status = run(service);
	service_close(&service);
	log_info("stopped");
	(void)log_flush(LOG_FLUSH_MS);
	leave(status);
}

/* In the background from here on, unless told to stay. */
static int
detach_and_serve(const struct options *options)
{
	struct policy *policy = service_load(options->file);
	int ready = -1;

	if (policy == NULL)
		return EXIT_FAILURE;
	if (options->foreground)
		return serve(options, policy, &ready);
	switch (process_detach(&ready)) {
	case PROCESS_DAEMON:
		return serve(options, policy, &ready);
	case PROCESS_STARTED:
		policy_release(&policy);
		return EXIT_SUCCESS;
	case PROCESS_NOT_STARTED:
		policy_release(&policy);
		break;
	}
	return EXIT_FAILURE;
}

/* What a start would find, as the user that it becomes; so that it has to start
 * when this is content. */
static bool
test_policy(const struct policy *policy)
{
	char why[WHY_SIZE];
	bool good;

	if (!user_become(policy->settings.user, why, sizeof why)) {
		log_error("%s", why);
		return false;
	}
	for (char **file = policy->files; file != NULL && *file != NULL; file++)
		if (access(*file, R_OK) != 0)
			log_warning("%s: the user %s cannot read it, so that "
				    "it cannot be reloaded",
			    *file, policy->settings.user);
	good = conf_check_lists(policy, service_log_finding, NULL);
	good = web_look(&policy->settings, service_log_finding, NULL) && good;
	return preflight(&policy->settings, service_log_finding, NULL) && good;
}

static int
test(const struct options *options)
{
	struct policy *policy = service_load(options->file);
	bool good;

	if (policy == NULL)
		return EXIT_FAILURE;
	good = test_policy(policy);
	conf_describe(policy, stdout);
	policy_release(&policy);
	return fflush(stdout) == 0 && good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	struct options options = parse_options(argc, argv);

	switch (options.mode) {
	case MODE_SERVE:
		return detach_and_serve(&options);
	case MODE_TEST:
		return test(&options);
	case MODE_VERSION:
		(void)puts(PACKAGE_NAME " " PACKAGE_VERSION);
		return EXIT_SUCCESS;
	case MODE_HELP:
		print_help();
		return EXIT_SUCCESS;
	case MODE_USAGE:
		break;
	}
	print_usage(stderr);
	return 2;
}
