#include "gate.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "gate_parts.h"
#include "hostname.h"
#include "log.h"
#include "reports.h"

static bool
open_parts(struct gate *gate)
{
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) < 0)
		log_warning("no random numbers yet: a fixed seed is used");
	gate->busy = busy_open();
	gate->lists = lists_open();
	gate->standing = standing_create(STANDING_SLOTS, seed);
	gate->reports = reports_open();
	gate->psl = psl_latest(NULL);
	return gate->busy != NULL && gate->lists != NULL &&
	    gate->standing != NULL && gate->reports != NULL;
}

struct gate *
gate_open(struct policy *policy, struct store *store)
{
	struct gate *gate = calloc(1, sizeof *gate);

	if (gate == NULL || pthread_mutex_init(&gate->mutex, NULL) != 0) {
		free(gate);
		policy_release(&policy);
		store_close(&store);
		return NULL;
	}
	gate->policy = policy;
	gate->store = store;
	if (!open_parts(gate)) {
		gate_close(&gate);
		return NULL;
	}
	/* Files are read at once; what the store shares comes with the first
	 * tick, so that a start never waits for the network. */
	lists_refresh(gate->lists, policy, NULL);
	return gate;
}

void
gate_close(struct gate **gate)
{
	struct gate *mine = *gate;

	if (mine == NULL)
		return;
	store_close(&mine->store);
	busy_close(&mine->busy);
	lists_close(&mine->lists);
	standing_free(&mine->standing);
	reports_close(&mine->reports);
	psl_free(mine->psl);
	policy_release(&mine->policy);
	pthread_mutex_destroy(&mine->mutex);
	free(mine);
	*gate = NULL;
}

struct policy *
gate_policy(struct gate *gate)
{
	struct policy *policy;

	pthread_mutex_lock(&gate->mutex);
	policy = policy_hold(gate->policy);
	pthread_mutex_unlock(&gate->mutex);
	return policy;
}

void
gate_publish(struct gate *gate, struct policy *policy)
{
	struct policy *old;

	/* Before anybody needs them: an unknown list makes no rule hold. */
	lists_refresh(gate->lists, policy, NULL);
	pthread_mutex_lock(&gate->mutex);
	old = gate->policy;
	gate->policy = policy;
	pthread_mutex_unlock(&gate->mutex);
	policy_release(&old);
}

void
gate_session_began(struct gate *gate)
{
	atomic_fetch_add(&gate->sessions, 1);
}

void
gate_session_ended(struct gate *gate)
{
	atomic_fetch_sub(&gate->sessions, 1);
}

void
gate_tick(struct gate *gate, int64_t now)
{
	struct policy *policy = gate_policy(gate);

	busy_step(gate->busy, policy, gate->store,
	    (int64_t)atomic_load(&gate->sessions), now);
	lists_refresh(gate->lists, policy, gate->store);
	reports_take(gate->reports, policy, gate->store, now);
	store_tidy(gate->store, now);
	policy_release(&policy);
}

bool
gate_organisation(
    const struct gate *gate, const char *name, char *organisation_r)
{
	return hostname_organisation(name, gate->psl, organisation_r);
}
