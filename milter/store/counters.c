/* Counting, and pictures of it. */
#include "store/counters.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define PLACES 1024 /* of the table of names, a power of two */
_Static_assert(COUNTERS_RULES * 2 < PLACES, "searching would take long");

enum column { ACCEPTED, DEFERRED, OBSERVED, PASSED, COLUMNS };
static const enum column column_of[] = {[COUNT_ACCEPTED] = ACCEPTED,
    [COUNT_DEFERRED] = DEFERRED,
    [COUNT_OBSERVED] = OBSERVED,
    [COUNT_PASSED] = PASSED};

struct rule_counter {
	char name[COUNTERS_NAME]; /* written before its place is */
	atomic_llong counts[COLUMNS];
	atomic_llong matched;
};

struct counters {
	atomic_llong counts[COUNTS];
	atomic_llong waits[COUNTERS_WAITS], wait_us;
	atomic_llong delays[COUNTERS_DELAYS], delay_s;
	struct rule_counter rules[COUNTERS_RULES];
	atomic_uint
	    places[PLACES];    /* 1 more than the index of a rule; 0: free */
	pthread_mutex_t mutex; /* guards the rest */
	size_t rule_count;
	struct counters_view view;
	bool has_recalled; /* only for the background thread */
};

/* ---- By rule */

/* The place of a name, or the free one where it may go. */
static atomic_uint *
place_of(struct counters *counters, const char *name)
{
	uint64_t at = hash_64(HASH_64, name, strlen(name));
	atomic_uint *place;
	unsigned index;

	for (;; at++) {
		place = &counters->places[at % PLACES];
		index = atomic_load_explicit(place, memory_order_acquire);
		if (index == 0 ||
		    strcmp(counters->rules[index - 1].name, name) == 0)
			return place;
	}
}

static void
cut_name(const char *name, char cut_r[COUNTERS_NAME])
{
	cut_r[0] = '\0';
	strncat(cut_r, name, COUNTERS_NAME - 1);
}

/* NULL: there was no room for it. */
static struct rule_counter *
find_rule(struct counters *counters, const struct rule *rule)
{
	char name[COUNTERS_NAME];
	unsigned index;

	cut_name(rule == NULL ? "" : rule->name, name);
	index = atomic_load_explicit(
	    place_of(counters, name), memory_order_acquire);
	return index == 0 ? NULL : &counters->rules[index - 1];
}

static void
use_name(struct counters *counters, const char *text)
{
	char name[COUNTERS_NAME];
	atomic_uint *place;

	cut_name(text, name);
	place = place_of(counters, name);
	if (atomic_load(place) != 0 || counters->rule_count == COUNTERS_RULES)
		return;
	memcpy(counters->rules[counters->rule_count].name, name, sizeof name);
	counters->rule_count++;
	atomic_store_explicit(
	    place, (unsigned)counters->rule_count, memory_order_release);
}

void
counters_use(struct counters *counters, const struct policy *policy)
{
	pthread_mutex_lock(&counters->mutex);
	use_name(counters, "");
	for (size_t i = 0; i < policy->rule_count; i++)
		use_name(counters, policy->rules[i].name);
	pthread_mutex_unlock(&counters->mutex);
}

/* ---- Life */

struct counters *
counters_open(int64_t now)
{
	struct counters *counters = calloc(1, sizeof *counters);

	if (counters != NULL &&
	    pthread_mutex_init(&counters->mutex, NULL) != 0) {
		free(counters);
		return NULL;
	}
	if (counters != NULL)
		counters->view.since = counters->view.at =
		    counters->view.watched = now;
	return counters;
}

void
counters_close(struct counters **counters)
{
	if (*counters == NULL)
		return;
	pthread_mutex_destroy(&(*counters)->mutex);
	free(*counters);
	*counters = NULL;
}

/* ---- Counting */

static void
add(atomic_llong *count, int64_t more)
{
	atomic_fetch_add_explicit(count, more, memory_order_relaxed);
}

static int64_t
read(atomic_llong *count)
{
	return (int64_t)atomic_load_explicit(count, memory_order_relaxed);
}

void
counters_count(struct counters *counters, enum count which)
{
	add(&counters->counts[which], 1);
}

void
counters_verdict(struct counters *counters, enum count which,
    const struct rule *rule, int64_t now)
{
	struct rule_counter *counter = find_rule(counters, rule);

	add(&counters->counts[which], 1);
	if (counter == NULL)
		return;
	add(&counter->counts[column_of[which]], 1);
	atomic_store_explicit(&counter->matched, now, memory_order_relaxed);
}

static size_t
bucket_of(const int64_t *bounds, size_t count, int64_t value)
{
	size_t bucket = 0;

	while (bucket < count - 1 && value >= bounds[bucket])
		bucket++;
	return bucket;
}

void
counters_wait(struct counters *counters, int64_t us)
{
	add(&counters->waits[bucket_of(counters_wait_us, COUNTERS_WAITS, us)],
	    1);
	add(&counters->wait_us, us);
}

void
counters_passed(struct counters *counters, const struct rule *rule,
    int64_t waited, int64_t now)
{
	counters_verdict(counters, COUNT_PASSED, rule, now);
	add(&counters
		 ->delays[bucket_of(counters_delay_s, COUNTERS_DELAYS, waited)],
	    1);
	add(&counters->delay_s, waited);
}

/* ---- Pictures */

static void
take_rules(struct counters *counters, struct counters_view *view)
{
	for (size_t i = 0; i < counters->rule_count; i++) {
		struct rule_counter *from = &counters->rules[i];
		struct counters_rule *rule = &view->rules[i];

		memcpy(rule->name, from->name, sizeof rule->name);
		rule->accepted = read(&from->counts[ACCEPTED]);
		rule->deferred = read(&from->counts[DEFERRED]);
		rule->observed = read(&from->counts[OBSERVED]);
		rule->passed = read(&from->counts[PASSED]);
		rule->matched = read(&from->matched);
	}
	view->rule_count = counters->rule_count;
}

static void
take_picture(struct counters *counters, int64_t dropped, int64_t now)
{
	struct counters_view *view = &counters->view;

	counters_move_on(view, now);
	for (int i = 0; i < COUNTS; i++) {
		int64_t count =
		    i == COUNT_DROPPED ? dropped : read(&counters->counts[i]);
		int64_t more = count - view->counts[i];

		view->counts[i] = count;
		if (i > COUNT_PASSED)
			continue;
		view->minutes[i][0] += more;
		view->hours[i][0] += more;
	}
	for (int i = 0; i < COUNTERS_WAITS; i++)
		view->waits[i] = read(&counters->waits[i]);
	for (int i = 0; i < COUNTERS_DELAYS; i++)
		view->delays[i] = read(&counters->delays[i]);
	view->wait_us = read(&counters->wait_us);
	view->delay_s = read(&counters->delay_s);
	take_rules(counters, view);
}

/* ---- After a restart */

struct recall {
	struct counters *counters;
	const char *host;
};

static void
recall_rule(struct counters *counters, const struct counters_rule *rule)
{
	unsigned index = atomic_load_explicit(
	    place_of(counters, rule->name), memory_order_acquire);
	atomic_llong *matched;

	if (index == 0)
		return;
	matched = &counters->rules[index - 1].matched;
	if (read(matched) < rule->matched)
		atomic_store_explicit(
		    matched, rule->matched, memory_order_relaxed);
}

static void
take_recalled(void *arg, const char *host, const char *text, size_t length)
{
	const struct recall *recall = arg;
	struct counters *counters = recall->counters;
	struct counters_view *view;

	if (recall->host == NULL || strcmp(host, recall->host) != 0)
		return;
	view = malloc(sizeof *view);
	if (view != NULL && counters_decode(text, length, 0, view)) {
		for (size_t i = 0; i < view->rule_count; i++)
			recall_rule(counters, &view->rules[i]);
		pthread_mutex_lock(&counters->mutex);
		if (view->watched > 0 && view->watched < counters->view.watched)
			counters->view.watched = view->watched;
		pthread_mutex_unlock(&counters->mutex);
	}
	free(view);
}

/* What this host published before it began anew.  False: nobody can tell now. */
static bool
recall(struct counters *counters, struct store *store, int64_t now)
{
	struct recall recall = {counters, store->host};
	enum store_result result =
	    store_read_hosts(store, now, take_recalled, &recall);

	return result == STORE_OK || result == STORE_UNREADABLE;
}

bool
counters_tick(struct counters *counters, struct store *store, int64_t dropped,
    int64_t now)
{
	char *text;
	size_t length = 0;

	if (now == counters->view.at)
		return false;
	if (!counters->has_recalled)
		counters->has_recalled = recall(counters, store, now);
	text = malloc(COUNTERS_TEXT_MAX);
	pthread_mutex_lock(&counters->mutex);
	take_picture(counters, dropped, now);
	if (text != NULL)
		length = counters_encode(&counters->view, text);
	pthread_mutex_unlock(&counters->mutex);
	if (text != NULL && counters->has_recalled)
		(void)store_put_host(store, text, length, now);
	free(text);
	return true;
}

void
counters_look(struct counters *counters, struct counters_view *view_r)
{
	pthread_mutex_lock(&counters->mutex);
	*view_r = counters->view;
	pthread_mutex_unlock(&counters->mutex);
}
