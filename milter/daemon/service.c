#include "daemon/service.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pid_file.h"
#include "base/thread.h"
#include "base/user.h"
#include "config/conf.h"
#include "config/settings.h"
#include "ctl/check/preflight.h"
#include "ctl/open_store.h"
#include "daemon/control.h"
#include "daemon/endpoint.h"
#include "daemon/filter.h"
#include "daemon/process.h"
#include "session/shared.h"
#include "store/tracer.h"
#include "web/web.h"

#define STOP_MS	      1200 /* for all callbacks and ticks; they have deadlines */
#define SAVE_MS	      5000 /* for saving, which is long if there is much */
#define LOOK_MS	      1000 /* for what the settings name to be looked at */
#define CLOSE_SECONDS 10   /* for all of the close */
#define WHY_SIZE      512

/* What runs in the background, each in a thread of its own, so that what one may
 * hang at does not hold up another. */
enum thread { TICK, JOURNAL, FILE_REPORTS, SAVE, RELOAD, THREADS };

struct service {
	/* The policy of the start: its settings hold until a restart. */
	struct policy *policy;
	const char *file;
	struct socket_spec spec;
	int pid_file;
	bool listening;
	struct control *control; /* NULL: there is none */
	atomic_bool serving;
	struct shared *shared;
	struct web *web; /* NULL: there are no pages */
	struct ticker *tickers[THREADS];
};

void
service_log_finding(void *arg, bool error, const char *text)
{
	(void)arg;
	if (error)
		log_error("%s", text);
	else
		log_warning("%s", text);
}

struct policy *
service_load(const char *file)
{
	return conf_load(file, service_log_finding, NULL);
}

/* libmilter makes the socket, so it gets its mode by umask: not for a moment can
 * more users connect than may. */
static bool
open_socket(struct service *service, char *why_r, size_t size)
{
	const struct settings *settings = &service->policy->settings;
	mode_t mode = (mode_t)settings->socket_mode & 0777;

	if (!endpoint_clear(&service->spec, why_r, size))
		return false;
	(void)umask(~mode & 0777);
	service->listening = filter_open(settings->socket);
	(void)umask(077);
	if (!service->listening) {
		endpoint_explain(&service->spec, why_r, size);
		return false;
	}
	/* Only root can give it away, and only root becomes somebody else. */
	return endpoint_give(&service->spec,
	    geteuid() == 0 ? settings->user : "", settings->socket_group, why_r,
	    size);
}

/* A start that can do without the default one does without it. */
static bool
open_control(struct service *service, char *why_r, size_t size)
{
	const struct settings *settings = &service->policy->settings;

	if (settings->control[0] == '\0')
		return true;
	service->control = control_open(settings, why_r, size);
	if (service->control != NULL)
		return true;
	if (strcmp(settings->control, SETTING_CONTROL) != 0)
		return false;
	log_warning("there is no control socket: %s", why_r);
	return true;
}

/* Without its pages the filter is what it is. */
static void
open_web(struct service *service)
{
	const struct settings *settings = &service->policy->settings;
	const struct http_terms terms = {
	    .listen = settings->web.listen,
	    .connections = (size_t)settings->web.connections,
	    .connections_per_address =
		(size_t)settings->web.connections_per_address,
	    .timeout = settings->web.timeout,
	    .proxies = settings->web.proxies,
	    .proxy_header = settings->web.proxy_header,
	};
	char why[WHY_SIZE];

	if (terms.listen[0] == '\0')
		return;
	service->web = web_open(&terms, why, sizeof why);
	if (service->web == NULL)
		log_error("web: %s", why);
}

/* All that may need root. */
static bool
open_process(struct service *service, char *why_r, size_t size)
{
	const struct settings *settings = &service->policy->settings;

	if (settings->pid_file[0] != '\0' &&
	    !pid_file_take(settings->pid_file, &service->pid_file, why_r, size))
		return false;
	log_info("at most %ld open files", process_raise_files());
	open_web(service);
	return open_socket(service, why_r, size) &&
	    open_control(service, why_r, size) &&
	    user_become(settings->user, why_r, size);
}

static void
look(void *data)
{
	struct policy *const *policy = data;

	(void)preflight(&(*policy)->settings, service_log_finding, NULL);
	(void)web_look(&(*policy)->settings, service_log_finding, NULL);
}

static void
drop_look(void *data)
{
	policy_release(data);
}

/* Tell what will not work; a file system that hangs does not keep us from the
 * start. */
static void
look_around(struct policy *policy)
{
	struct aside *aside =
	    aside_open("preflight", sizeof(struct policy *), look, drop_look);

	if (aside == NULL)
		return;
	*(struct policy **)aside_data(aside) = policy_hold(policy);
	if (aside_start(aside))
		(void)aside_wait(aside, LOOK_MS);
	aside_close(&aside);
}

static void
log_restart(void *arg, const char *name, const char *part)
{
	(void)arg;
	if (part == NULL)
		log_warning(
		    "the new value of %s takes effect at a restart", name);
	else
		log_warning("the new value of %s takes effect now, but for %s "
			    "at a restart",
		    name, part);
}

static void
reload(struct service *service)
{
	struct policy *policy = service_load(service->file);

	if (policy == NULL) {
		log_error("%s is not reloaded: the old policy stays in force",
		    service->file);
		return;
	}
	settings_compare(
	    &service->policy->settings, &policy->settings, log_restart, NULL);
	(void)log_open((enum log_target)policy->settings.log,
	    policy->settings.log_facility);
	log_info(
	    "reloaded %s with %zu rules", service->file, policy->rule_count);
	look_around(policy);
	shared_publish(service->shared, policy);
}

static void
tick(void *service, int64_t now)
{
	shared_tick(((struct service *)service)->shared, now);
}

/* Write down what the journal and the counters have been told, and show who watches
 * what he asked for. */
static void
tick_journal(void *service, int64_t now)
{
	struct shared *shared = ((struct service *)service)->shared;
	struct policy *policy = shared_policy(shared);
	const struct settings *settings = &policy->settings;
	const struct journal_terms terms = {
	    settings->journal.entries, settings->journal.age};

	journal_flush(shared->journal, shared->store, &terms);
	tracer_tick(shared->tracer, shared->store, now);
	matched_tick(
	    &shared->matched, policy, shared->lists, shared->store, now);
	counters_tick(
	    shared->counters, shared->store, settings->log_summary, now);
	policy_release(&policy);
}

/* Take reports out of a file: it may hang with the file system. */
static void
tick_file_reports(void *service, int64_t now)
{
	struct shared *shared = ((struct service *)service)->shared;
	struct policy *policy = shared_policy(shared);

	reports_take(&shared->file_reports, policy, shared->store, now);
	policy_release(&policy);
}

static void
save(struct service *service, bool last)
{
	(void)store_save(
	    service->shared->store, clock_steady_us() / 1000000, last);
}

static void
tick_save(void *service, int64_t now)
{
	(void)now;
	save(service, false);
}

static void
tick_reload(void *service, int64_t now)
{
	(void)now;
	reload(service);
}

static const struct {
	const char *name;
	int64_t every_ms; /* 0: when it is nudged */
	void (*tick)(void *service, int64_t now);
} thread_table[THREADS] = {
    [TICK] = {"ticker", 1000, tick},
    [JOURNAL] = {"journal", 250, tick_journal},
    [FILE_REPORTS] = {"reports", 1000, tick_file_reports},
    [SAVE] = {"save", 1000, tick_save},
    [RELOAD] = {"reload", 0, tick_reload},
};

static bool
start_threads(struct service *service)
{
	for (int i = 0; i < THREADS; i++) {
		service->tickers[i] = ticker_start(thread_table[i].name,
		    thread_table[i].every_ms, thread_table[i].tick, service);
		if (service->tickers[i] == NULL)
			return false;
	}
	return true;
}

static void
log_store(void *arg, bool is_bad, const char *text)
{
	(void)arg;
	if (is_bad)
		log_warning("%s", text);
	else
		log_info("%s", text);
}

static bool
open_shared(struct service *service, char *why_r, size_t size)
{
	const struct settings *settings = &service->policy->settings;
	const struct store_opening opening = {.say = log_store};
	struct store *store;

	look_around(service->policy);
	store =
	    open_store(settings, (int64_t)time(NULL), &opening, why_r, size);
	if (store == NULL)
		return false;
	(void)snprintf(why_r, size, "out of memory or threads");
	service->shared = shared_open(policy_hold(service->policy), store);
	return service->shared != NULL && start_threads(service) &&
	    (service->control == NULL ||
		control_start(
		    service->control, service->shared, service->file));
}

static bool
is_served(void *arg)
{
	struct service *service = arg;

	return atomic_load(&service->serving) &&
	    endpoint_is_served(&service->spec);
}

static void
start_web(struct service *service)
{
	const struct settings *settings = &service->policy->settings;
	const struct web_host host = {service->shared, is_served, service};

	if (service->web == NULL)
		return;
	if (web_start(service->web, &host))
		log_info("pages at http://%s/", settings->web.listen);
	else
		log_error("web: out of memory or threads");
}

/* False: no thread could be had. */
static bool
start(struct service *service, void (*ended)(void))
{
	start_web(service);
	if (!filter_start(service->shared, ended))
		return false;
	atomic_store(&service->serving, true);
	log_info("serving %s with %zu rules", service->policy->settings.socket,
	    service->policy->rule_count);
	return true;
}

struct service *
service_open(struct policy *policy, const char *file, void (*ended)(void),
    char *why_r, size_t size)
{
	struct service *service = calloc(1, sizeof *service);
	const char *why;

	if (service == NULL) {
		policy_release(&policy);
		(void)snprintf(why_r, size, "out of memory");
		return NULL;
	}
	service->policy = policy;
	service->file = file;
	service->pid_file = -1;
	if (!socket_spec_parse(policy->settings.socket, &service->spec, &why))
		(void)snprintf(why_r, size, "%s", why);
	else if (open_process(service, why_r, size) &&
	    open_shared(service, why_r, size)) {
		if (start(service, ended))
			return service;
		(void)snprintf(why_r, size, "no thread for libmilter");
	}
	service_close(&service);
	return NULL;
}

void
service_reload(struct service *service)
{
	ticker_nudge(service->tickers[RELOAD]);
}

/* libmilter writes an answer after its callback has returned, and does not tell
 * when. */
static void
let_answers_out(void)
{
	clock_sleep(50);
}

static int64_t
left_ms(int64_t due_us)
{
	return (due_us - clock_steady_us()) / 1000;
}

/* Tell all, wait for all.  False: some hang. */
static bool
stop_threads(struct service *service, int64_t due_us)
{
	bool ended = true;

	for (int i = 0; i < THREADS; i++)
		(void)ticker_stop(&service->tickers[i], 0);
	for (int i = 0; i < THREADS; i++) {
		if (ticker_stop(&service->tickers[i], left_ms(due_us)))
			continue;
		ended = false;
		log_warning("the thread %s hangs, and is left behind",
		    thread_table[i].name);
	}
	return ended;
}

static void
save_last(void *data)
{
	struct service *const *service = data;

	save(*service, true);
}

/* Whatever else hangs.  A save that is under way is waited for, as it may be
 * long. */
static bool
save_for_the_last_time(struct service *service)
{
	int64_t due_us = clock_steady_us() + SAVE_MS * 1000;
	struct aside *aside =
	    aside_open("save", sizeof service, save_last, NULL);
	bool saved;

	if (aside == NULL)
		return false;
	*(struct service **)aside_data(aside) = service;
	saved = ticker_stop(&service->tickers[SAVE], SAVE_MS) &&
	    aside_start(aside) && aside_wait(aside, left_ms(due_us));
	if (!saved)
		log_error("what was learned since it was last saved is lost");
	aside_close(&aside);
	return saved;
}

static void
close_web(void *data)
{
	web_close(*(struct web ***)data);
}

/* What of it hangs, at a file system, is left behind. */
static bool
stop_web(struct service *service, int64_t due_us)
{
	struct aside *aside;
	bool closed;

	if (service->web == NULL)
		return true;
	aside = aside_open("web", sizeof(struct web **), close_web, NULL);
	if (aside == NULL)
		return false;
	*(struct web ***)aside_data(aside) = &service->web;
	closed = aside_start(aside) && aside_wait(aside, left_ms(due_us));
	aside_close(&aside);
	return closed;
}

void
service_close(struct service **service)
{
	struct service *mine = *service;
	int64_t due_us = clock_steady_us() + STOP_MS * 1000;
	bool quiet;

	(void)alarm(CLOSE_SECONDS); /* an end is promised, whatever hangs */
	atomic_store(&mine->serving, false);
	if (mine->web != NULL)
		web_drain(mine->web);
	if (mine->listening)
		endpoint_remove(&mine->spec);
	if (mine->shared != NULL)
		store_stop(mine->shared->store); /* ends a tick soon */
	quiet = filter_drain(left_ms(due_us));
	quiet = control_close(&mine->control, left_ms(due_us)) && quiet;
	let_answers_out();
	quiet = stop_web(mine, due_us) && quiet;
	quiet = stop_threads(mine, due_us) && quiet;
	if (quiet && mine->shared != NULL) /* what was decided last */
		tick_journal(mine, (int64_t)time(NULL));
	if (mine->shared != NULL)
		quiet = save_for_the_last_time(mine) && quiet;
	pid_file_drop(mine->policy->settings.pid_file, &mine->pid_file);
	if (!quiet)
		return; /* somebody still uses all this; the process ends */
	shared_close(&mine->shared);
	policy_release(&mine->policy);
	free(mine);
	*service = NULL;
	(void)alarm(0);
}
