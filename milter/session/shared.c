#include "session/shared.h"

#include <libpsl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/log.h"
#include "store/tracer.h"

/* How long list files are waited for. */
#define START_WAIT_MS  2000
#define RELOAD_WAIT_MS 10000
#define TICK_WAIT_MS   200

#define PASSED_SLOTS 4096

static bool
open_parts(struct shared *shared)
{
	int64_t now = (int64_t)time(NULL);
	uint64_t seed = 0;

	if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) < 0)
		log_warning("no random numbers yet: a fixed seed is used");
	shared->load_watch = load_watch_open();
	shared->lists = lists_open();
	shared->journal = journal_open();
	shared->counters = counters_open(now);
	shared->tracer = tracer_open();
	shared->known_cache = known_cache_create(KNOWN_CACHE_SLOTS, seed);
	shared->passed = known_cache_create(PASSED_SLOTS, seed);
	shared->client_names = client_names_create(seed);
	shared->file_reports.of_file = true;
	shared->psl = psl_latest(NULL);
	shared->dns = dns_open();
	return shared->load_watch != NULL && shared->lists != NULL &&
	    shared->known_cache != NULL && shared->passed != NULL &&
	    shared->client_names != NULL && shared->dns != NULL &&
	    shared->journal != NULL && shared->counters != NULL &&
	    shared->tracer != NULL;
}

struct shared *
shared_open(struct policy *policy, struct store *store)
{
	struct shared *shared = calloc(1, sizeof *shared);

	if (shared == NULL || pthread_mutex_init(&shared->mutex, NULL) != 0) {
		free(shared);
		policy_release(&policy);
		store_close(&store);
		return NULL;
	}
	shared->policy = policy;
	shared->store = store;
	if (!open_parts(shared)) {
		shared_close(&shared);
		return NULL;
	}
	dns_use(shared->dns, policy);
	counters_use(shared->counters, policy);
	/* Files are read at once; what the store shares comes with the first
	 * tick, so that a start never waits for the network. */
	lists_refresh(shared->lists, policy, NULL, START_WAIT_MS);
	return shared;
}

void
shared_close(struct shared **shared)
{
	struct shared *mine = *shared;

	if (mine == NULL)
		return;
	store_close(&mine->store);
	dns_close(&mine->dns);
	load_watch_close(&mine->load_watch);
	lists_close(&mine->lists);
	journal_close(&mine->journal);
	counters_close(&mine->counters);
	matched_clear(&mine->matched);
	tracer_close(&mine->tracer);
	known_cache_free(&mine->known_cache);
	known_cache_free(&mine->passed);
	client_names_free(&mine->client_names);
	reports_end(&mine->file_reports);
	psl_free(mine->psl);
	policy_release(&mine->policy);
	pthread_mutex_destroy(&mine->mutex);
	free(mine);
	*shared = NULL;
}

struct policy *
shared_policy(struct shared *shared)
{
	struct policy *policy;

	pthread_mutex_lock(&shared->mutex);
	policy = shared->policy;
	if (atomic_load(&shared->observes) && policy->trial != NULL)
		policy = policy->trial;
	policy = policy_hold(policy);
	pthread_mutex_unlock(&shared->mutex);
	return policy;
}

void
shared_publish(struct shared *shared, struct policy *policy)
{
	struct policy *old;

	store_renew(shared->store);
	dns_use(shared->dns, policy);
	counters_use(shared->counters, policy);
	/* Before anybody needs them: an unknown list makes no rule hold. */
	lists_refresh(shared->lists, policy, NULL, RELOAD_WAIT_MS);
	pthread_mutex_lock(&shared->mutex);
	old = shared->policy;
	shared->policy = policy;
	pthread_mutex_unlock(&shared->mutex);
	policy_release(&old);
}

static void
learn_dns(void *arg, const struct store_shared *theirs)
{
	resolver_learn(arg, theirs->bytes, theirs->length);
}

/* A farm asks once, and a retry at another server finds the answer there. */
static void
share_dns(struct shared *shared, const struct policy *policy)
{
	unsigned char bytes[RESOLVER_NEWS_SIZE];
	struct store_shared own = {.bytes = bytes};

	if (!policy->wants_dns || !policy->settings.dns.share)
		return;
	own.length = resolver_take_news(shared->dns->resolver, bytes);
	(void)store_share(
	    shared->store, &own, learn_dns, shared->dns->resolver);
}

/* ---- What was set by hand */

static void
forget(void *arg, const char *what)
{
	struct shared *shared = arg;
	const struct store_forget nobody = {.tag = NULL};
	size_t count;

	known_cache_forget(
	    shared->known_cache, strcmp(what, "*") == 0 ? NULL : what);
	known_cache_forget(shared->passed, NULL);
	(void)store_forget(shared->store, &nobody, &count);
}

static void
pull_levers(struct shared *shared, int64_t now)
{
	struct levers *levers = &shared->levers;

	levers_tick(shared->store, now, levers, forget, shared);
	atomic_store(&shared->observes, levers->observes);
	load_watch_force(
	    shared->load_watch, levers->has_load ? levers->load : (double)NAN);
}

void
shared_tick(struct shared *shared, int64_t now)
{
	struct policy *policy;

	pull_levers(shared, now);
	policy = shared_policy(shared);
	load_watch_step(shared->load_watch, policy, shared->store,
	    (int64_t)atomic_load(&shared->sessions), now);
	dns_tick(shared->dns, policy);
	share_dns(shared, policy);
	lists_refresh(shared->lists, policy, shared->store, TICK_WAIT_MS);
	reports_take(&shared->reports, policy, shared->store, now);
	store_tidy(shared->store, now);
	policy_release(&policy);
}
