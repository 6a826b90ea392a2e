/* shared -- what all sessions of the process share: the policy in force, the
 * store, and what a background thread keeps fresh. */
#ifndef SHARED_H
#define SHARED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "dns/client_names.h"
#include "dns/dns.h"
#include "load/load_watch.h"
#include "policy/policy.h"
#include "store/counters.h"
#include "store/journal.h"
#include "store/known_cache.h"
#include "store/levers.h"
#include "store/lists.h"
#include "store/matched.h"
#include "store/reports.h"
#include "store/store.h"

#define SHARED_SEEN 16384 /* clients' networks that are kept in mind */

struct session;
struct outcome;

struct shared {
	pthread_mutex_t mutex; /* guards `policy` */
	struct policy *policy; /* see shared_policy() */
	struct store *store;
	struct load_watch *load_watch;
	struct lists *lists;
	struct dns *dns;
	struct journal *journal;
	struct counters *counters;
	struct matched matched;
	struct tracer *tracer;
	struct known_cache *known_cache;
	struct known_cache *passed; /* pairs that have just passed */
	struct client_names *client_names;
	struct reports reports;
	struct reports file_reports; /* for the thread that reads the file */
	/* NULL: no public suffix list, hence no pools. */
	struct psl_ctx_st *psl;
	struct levers levers;  /* only for the background thread */
	atomic_bool observes;  /* what they say: everything is on trial */
	atomic_llong sessions; /* open now; a session counts itself */
	atomic_uint seen[SHARED_SEEN]; /* marks of clients' networks */
	/* Of a rehearsal: sees each judgement while its facts are there, and the
	 * log does not.  NULL: this is no rehearsal. */
	void (*rehearse)(void *arg, const struct session *session,
	    size_t recipient, enum stage stage, const struct outcome *outcome);
	void *rehearse_arg;
};

/* Takes over `policy` and `store`, also on failure.  NULL: out of memory. */
struct shared *shared_open(struct policy *policy, struct store *store);
void shared_close(struct shared **shared);

/* A reference to the policy in force, or to the same on trial while a lever says
 * so; give it back with policy_release(). */
struct policy *shared_policy(struct shared *shared);

/* Put another policy in force, for sessions that begin from now on; the store
 * reads anew with whom it logs in. */
void shared_publish(struct shared *shared, struct policy *policy);

/* What is to be done once a second in one background thread: sample and
 * exchange load, re-read lists, take reports, tidy the store.  May wait for
 * the store; files that hang are left to themselves. */
void shared_tick(struct shared *shared, int64_t now);

#endif
