#include "daemon/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/ticker.h"
#include "config/conf.h"
#include "daemon/endpoint.h"
#include "daemon/open_store.h"
#include "daemon/pid_file.h"
#include "daemon/process.h"
#include "daemon/reload.h"
#include "session/filter.h"
#include "session/shared.h"

#define DRAIN_MS      2000 /* for callbacks and a tick; both have deadlines */
#define CLOSE_SECONDS 10   /* for all of the close */

struct service {
	/* The policy of the start: its settings hold until a restart. */
	struct policy *policy;
	struct socket_spec spec;
	int pid_file;
	bool listening;
	struct shared *shared;
	struct ticker *ticker;
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

/* All that may need root. */
static bool
open_process(struct service *service, char *why_r, size_t size)
{
	const struct settings *settings = &service->policy->settings;

	if (settings->pid_file[0] != '\0' &&
	    !pid_file_take(settings->pid_file, &service->pid_file, why_r, size))
		return false;
	log_info("at most %ld open files", process_raise_files());
	return open_socket(service, why_r, size) &&
	    process_become(settings->user, why_r, size);
}

static void
tick(void *arg, int64_t now)
{
	shared_tick(arg, now);
}

static bool
open_gate(struct service *service, char *why_r, size_t size)
{
	struct store *store = open_store(
	    &service->policy->settings, (int64_t)time(NULL), why_r, size);

	if (store == NULL)
		return false;
	(void)snprintf(why_r, size, "out of memory");
	service->shared = shared_open(policy_hold(service->policy), store);
	if (service->shared == NULL)
		return false;
	service->ticker = ticker_start(tick, service->shared);
	return service->ticker != NULL;
}

struct service *
service_open(struct policy *policy, char *why_r, size_t size)
{
	struct service *service = calloc(1, sizeof *service);
	const char *why;

	if (service == NULL) {
		policy_release(&policy);
		(void)snprintf(why_r, size, "out of memory");
		return NULL;
	}
	service->policy = policy;
	service->pid_file = -1;
	if (!socket_spec_parse(policy->settings.socket, &service->spec, &why))
		(void)snprintf(why_r, size, "%s", why);
	else if (open_process(service, why_r, size) &&
	    open_gate(service, why_r, size))
		return service;
	service_close(&service);
	return NULL;
}

bool
service_start(struct service *service, void (*ended)(void))
{
	if (!filter_start(service->shared, ended)) {
		log_error("no thread for libmilter");
		return false;
	}
	log_info("serving %s with %zu rules", service->policy->settings.socket,
	    service->policy->rule_count);
	return true;
}

static void
log_restart(void *arg, const char *name)
{
	(void)arg;
	log_warning("the new value of %s takes effect at a restart", name);
}

void
service_reload(struct service *service, const char *file)
{
	struct policy *policy = service_load(file);

	if (policy == NULL) {
		log_error(
		    "%s is not reloaded: the old policy stays in force", file);
		return;
	}
	reload_compare(
	    &service->policy->settings, &policy->settings, log_restart, NULL);
	(void)log_open((enum log_target)policy->settings.log,
	    policy->settings.log_facility);
	log_info("reloaded %s with %zu rules", file, policy->rule_count);
	shared_publish(service->shared, policy);
}

/* libmilter writes an answer after its callback has returned, and does not tell
 * when. */
static void
let_answers_out(void)
{
	struct timespec moment = {.tv_nsec = 50 * 1000000L};

	(void)nanosleep(&moment, NULL);
}

void
service_close(struct service **service)
{
	struct service *mine = *service;
	bool quiet;

	(void)alarm(CLOSE_SECONDS); /* an end is promised, whatever hangs */
	if (mine->listening)
		endpoint_remove(&mine->spec);
	if (mine->shared != NULL)
		shared_stop(mine->shared);
	quiet = filter_drain(DRAIN_MS);
	let_answers_out();
	quiet = ticker_stop(&mine->ticker, DRAIN_MS) && quiet;
	if (quiet)
		shared_close(&mine->shared);
	else
		log_error("something hangs: what was learned since it was last "
			  "saved is lost");
	pid_file_drop(mine->policy->settings.pid_file, &mine->pid_file);
	policy_release(&mine->policy);
	free(mine);
	*service = NULL;
	(void)alarm(0);
}
