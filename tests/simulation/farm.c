#include "farm.h"

#include <arpa/inet.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/conf.h"
#include "farm_parts.h"
#include "session/session.h"

/* The load is told by the one source that needs no file: so many open sessions
 * of so many. */
#define SESSIONS_FULL 1000

static void
say(void *arg, bool error, const char *text)
{
	(void)arg;
	if (error)
		fprintf(stderr, "%s\n", text);
}

/* Only what we tell is load, and every deferral names its rule. */
static void
adapt(struct policy *policy, const struct response *reply)
{
	struct settings *settings = &policy->settings;

	settings->load.average = 0;
	settings->load.pressure_cpu = 0;
	settings->load.pressure_io = 0;
	settings->load.pressure_memory = 0;
	settings->load.queue_directory[0] = '\0';
	settings->load.disk_directory[0] = '\0';
	settings->load.figure_file[0] = '\0';
	settings->load.sessions = SESSIONS_FULL;
	settings->log_accepted = false;
	for (size_t i = 0; i < policy->rule_count; i++)
		if (policy->rules[i].reply != NULL)
			policy->rules[i].reply = reply;
}

/* The first server brings the store with it. */
static bool
open_server(struct farm *farm, const char *config, size_t number, int64_t now)
{
	struct policy *policy = conf_load(config, say, NULL);
	struct store *branch;

	if (policy == NULL)
		return false;
	adapt(policy, farm->reply);
	farm->prior = policy->settings.reputation.prior;
	farm->known_after = policy->settings.known_after;
	if (farm->store == NULL)
		farm->store = farm_store_open(&policy->settings, now);
	branch = farm_store_branch(farm, number);
	if (farm->store == NULL || branch == NULL) {
		policy_release(&policy);
		return false;
	}
	farm->servers[number].shared = shared_open(policy, branch);
	return farm->servers[number].shared != NULL;
}

static struct farm *
new_farm(size_t servers)
{
	static const char *const text[] = {"451 4.7.1 %{rule}"};
	struct farm *farm = calloc(1, sizeof *farm);
	char why[RESPONSE_WHY_SIZE];
	size_t line;

	if (farm == NULL)
		return NULL;
	farm->servers = calloc(servers, sizeof *farm->servers);
	farm->reports = calloc(servers, sizeof *farm->reports);
	farm->server_count = servers;
	if (farm->servers == NULL || farm->reports == NULL ||
	    !response_make("rule", text, 1, &farm->reply, why, &line)) {
		fprintf(stderr, "out of memory\n");
		farm_close(&farm);
	}
	return farm;
}

struct farm *
farm_open(const char *config, size_t servers, int64_t now)
{
	struct farm *farm = new_farm(servers);

	for (size_t i = 0; farm != NULL && i < servers; i++)
		if (!open_server(farm, config, i, now))
			farm_close(&farm);
	return farm;
}

void
farm_close(struct farm **farm)
{
	struct farm *mine = *farm;

	if (mine == NULL)
		return;
	for (size_t i = 0; mine->servers != NULL && i < mine->server_count; i++)
		shared_close(&mine->servers[i].shared);
	store_close(&mine->store);
	response_free(&mine->reply);
	free(mine->servers);
	free(mine->reports);
	free(mine);
	*farm = NULL;
}

void
farm_tick(struct farm *farm, size_t number, double load, int64_t now)
{
	struct server *server = &farm->servers[number];
	int64_t sessions = llround(load * SESSIONS_FULL);

	for (; server->load < sessions; server->load++)
		atomic_fetch_add(&server->shared->sessions, 1);
	for (; server->load > sessions; server->load--)
		atomic_fetch_sub(&server->shared->sessions, 1);
	shared_tick(server->shared, now);
}

/* --- one attempt --- */

static void
introduce(struct session *session, const struct farm_visit *visit, int64_t now)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct session_origin origin = {.hostname = visit->client_name == NULL
		? "unknown"
		: visit->client_name,
	    .address = (const struct sockaddr *)&address,
	    .resolve = visit->client_name == NULL ? "FAIL" : "OK",
	    .daemon_name = "smtpd",
	    .server = "mx.local.example"};

	address.sin_addr.s_addr = htonl(visit->address);
	session_connect(session, &origin, now);
	session_helo(session, visit->helo);
}

static void
defer_all(const struct farm_visit *visit, struct farm_result *result)
{
	for (size_t i = 0; i < visit->recipient_count; i++)
		result->deferred[i] = true;
	result->any_deferred = true;
}

/* The number of recipients that got through. */
static size_t
offer_recipients(struct session *session, const struct farm_visit *visit,
    int64_t now, struct reply *reply, struct farm_result *result)
{
	size_t passed = 0;

	for (size_t i = 0; i < visit->refused; i++)
		session_refused_recipient(session);
	for (size_t i = 0; i < visit->recipient_count; i++) {
		result->deferred[i] =
		    session_rcpt(session, visit->recipients[i], now, reply) ==
		    ACTION_DEFER;
		if (result->deferred[i])
			result->any_deferred = true;
		else
			passed++;
	}
	return passed;
}

/* False: deferred at this step. */
static bool
offer_message(struct session *session, const struct farm_visit *visit,
    int64_t now, struct reply *reply, struct farm_result *result)
{
	enum action action = session_data(session, now, reply);

	if (action != ACTION_CONTINUE)
		return action == ACTION_ACCEPT;
	result->step = FARM_END;
	if (visit->mark_name != NULL)
		session_header(session, visit->mark_name, visit->mark);
	session_body(session, 4000);
	return session_eom(session, now, reply) != ACTION_DEFER;
}

static void
converse(struct session *session, const struct farm_visit *visit, int64_t now,
    struct reply *reply, struct farm_result *result)
{
	struct session_envelope envelope = {.sender = visit->sender};
	enum action action = session_mail(session, &envelope, now, reply);

	result->step = FARM_MAIL;
	if (action == ACTION_DEFER)
		defer_all(visit, result);
	if (action == ACTION_ACCEPT)
		result->step = FARM_END;
	if (action != ACTION_CONTINUE)
		return;
	result->step = FARM_RCPT;
	if (offer_recipients(session, visit, now, reply, result) == 0 ||
	    visit->asks)
		return;
	result->step = FARM_DATA;
	if (!offer_message(session, visit, now, reply, result))
		defer_all(visit, result);
	else
		result->step = FARM_END;
}

bool
farm_receive(struct farm *farm, size_t number, const struct farm_visit *visit,
    int64_t now, struct farm_result *result_r)
{
	struct session *session =
	    session_open(farm->servers[number].shared, now);
	struct reply reply = {.line_count = 0};

	memset(result_r, 0, sizeof *result_r);
	if (session == NULL)
		return false;
	farm->result = result_r;
	farm_evidence_of(&visit->says);
	introduce(session, visit, now);
	converse(session, visit, now, &reply, result_r);
	session_close(&session, now);
	farm->result = NULL;
	if (result_r->any_deferred && reply.line_count > 0)
		(void)snprintf(result_r->rule, sizeof result_r->rule, "%.*s",
		    FARM_RULE_SIZE - 1, reply.lines[0]);
	return true;
}
