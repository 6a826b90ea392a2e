#include "farm.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/conf.h"
#include "farm_parts.h"
#include "replay/rehearse.h"

static void
say(void *arg, bool error, const char *text)
{
	(void)arg;
	if (error)
		fprintf(stderr, "%s\n", text);
}

/* The first server brings the store with it. */
static bool
open_server(struct farm *farm, const char *config, size_t number, int64_t now)
{
	struct policy *policy = conf_load(config, say, NULL);
	struct store *branch;

	if (policy == NULL)
		return false;
	rehearse_adapt(policy);
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
	struct farm *farm = calloc(1, sizeof *farm);

	if (farm == NULL)
		return NULL;
	farm->servers = calloc(servers, sizeof *farm->servers);
	farm->reports = calloc(servers, sizeof *farm->reports);
	farm->server_count = servers;
	if (farm->servers == NULL || farm->reports == NULL) {
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
	free(mine->servers);
	free(mine->reports);
	free(mine);
	*farm = NULL;
}

void
farm_tick(struct farm *farm, size_t number, double load, int64_t now)
{
	struct shared *shared = farm->servers[number].shared;

	rehearse_load(shared, load);
	shared_tick(shared, now);
}

static enum farm_step
step_of(enum stage reached)
{
	static const enum farm_step steps[STAGE_COUNT] = {
	    FARM_MAIL, FARM_RCPT, FARM_DATA, FARM_END};

	return steps[reached];
}

static void
take_over(const struct rehearsed *played, const struct farm_visit *visit,
    struct farm_result *result)
{
	result->step = step_of(played->reached);
	result->any_deferred = played->any_deferred;
	for (size_t i = 0; i < visit->recipient_count; i++) {
		result->deferred[i] = played->deferred[i];
		if (played->rules[i] != NULL)
			(void)snprintf(result->rule, sizeof result->rule, "%s",
			    played->rules[i]->name);
	}
}

bool
farm_receive(struct farm *farm, size_t number, const struct farm_visit *visit,
    int64_t now, struct farm_result *result_r)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(visit->address)};
	struct rehearsal attempt = {
	    .address = (const struct sockaddr *)&address,
	    .name = visit->client_name,
	    .helo = visit->helo,
	    .server = "mx.local.example",
	    .sender = visit->sender,
	    .recipients = visit->recipients,
	    .recipient_count = visit->recipient_count,
	    .refused = visit->refused,
	    .size = 4000,
	    .mark_name = visit->mark_name,
	    .mark = visit->mark,
	    .end = visit->asks ? REHEARSE_QUESTION : REHEARSE_WHOLE};
	struct rehearsed played;
	bool done;

	memset(result_r, 0, sizeof *result_r);
	farm->result = result_r;
	farm_evidence_of(&visit->says);
	done = rehearse(farm->servers[number].shared, &attempt, now, &played);
	farm->result = NULL;
	if (done)
		take_over(&played, visit, result_r);
	return done;
}
