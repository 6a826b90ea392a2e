/* Counting, and pictures of it. */
#include "store/counters.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"

#define RULES_NAMED 8 /* in a summary */
#define RULES_SIZE  (RULES_NAMED * (COUNTERS_NAME + 24))
#define SHARE_SIZE  24

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
	/* only for the background thread */
	bool has_recalled;
	int64_t summed_up; /* when, or when it began */
	struct counters_view before, since;
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

/* False: there is no room for it. */
static bool
use_name(struct counters *counters, const char *text)
{
	char name[COUNTERS_NAME];
	atomic_uint *place;

	cut_name(text, name);
	place = place_of(counters, name);
	if (atomic_load(place) != 0)
		return true;
	if (counters->rule_count == COUNTERS_RULES)
		return false;
	memcpy(counters->rules[counters->rule_count].name, name, sizeof name);
	counters->rule_count++;
	atomic_store_explicit(
	    place, (unsigned)counters->rule_count, memory_order_release);
	return true;
}

void
counters_use(struct counters *counters, const struct policy *policy)
{
	size_t left_out = 0;

	pthread_mutex_lock(&counters->mutex);
	(void)use_name(counters, "");
	for (size_t i = 0; i < policy->rule_count; i++)
		left_out += !use_name(counters, policy->rules[i].name);
	pthread_mutex_unlock(&counters->mutex);
	if (left_out > 0)
		log_warning("rules have had more than %d names since the "
			    "start: %zu are not counted by name until a "
			    "restart",
		    COUNTERS_RULES, left_out);
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
		    counters->view.watched = counters->summed_up = now;
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
counters_verdict(struct counters *counters, enum count which,
    const struct rule *rule, int64_t waited, int64_t now)
{
	struct rule_counter *counter = find_rule(counters, rule);

	add(&counters->counts[which], 1);
	if (which == COUNT_PASSED) {
		add(&counters->delays[bucket_of(
			counters_delay_s, COUNTERS_DELAYS, waited)],
		    1);
		add(&counters->delay_s, waited);
	}
	if (counter == NULL)
		return;
	add(&counter->counts[column_of[which]], 1);
	atomic_store_explicit(&counter->matched, now, memory_order_relaxed);
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
take_picture(struct counters *counters, int64_t now)
{
	struct counters_view *view = &counters->view;

	counters_move_on(view, now);
	for (int i = 0; i < COUNTS; i++) {
		int64_t count = read(&counters->counts[i]);
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

void
counters_look(struct counters *counters, struct counters_view *view_r)
{
	pthread_mutex_lock(&counters->mutex);
	*view_r = counters->view;
	pthread_mutex_unlock(&counters->mutex);
}

/* ---- A line in the log */

/* What is left is what came since.  Rules keep their places. */
static void
subtract(struct counters_view *now, const struct counters_view *before)
{
	for (int i = 0; i < COUNTS; i++)
		now->counts[i] -= before->counts[i];
	for (int i = 0; i < COUNTERS_WAITS; i++)
		now->waits[i] -= before->waits[i];
	for (int i = 0; i < COUNTERS_DELAYS; i++)
		now->delays[i] -= before->delays[i];
	for (size_t i = 0; i < before->rule_count; i++)
		now->rules[i].deferred -= before->rules[i].deferred;
}

static int
by_deferrals(const void *a, const void *b)
{
	int64_t one = ((const struct counters_rule *)a)->deferred;
	int64_t other = ((const struct counters_rule *)b)->deferred;

	return (one < other) - (one > other);
}

/* The rules that deferred most: "strangers":120,"busy":3 */
static void
say_rules(struct counters_view *view, char text_r[RULES_SIZE])
{
	size_t length = 0;

	qsort(view->rules, view->rule_count, sizeof *view->rules, by_deferrals);
	text_r[0] = '\0';
	for (size_t i = 0; i < RULES_NAMED && i < view->rule_count &&
	     view->rules[i].deferred > 0;
	     i++)
		length += (size_t)snprintf(text_r + length, RULES_SIZE - length,
		    "%s\"%s\":%" PRId64, i > 0 ? "," : "", view->rules[i].name,
		    view->rules[i].deferred);
}

/* The time that this share of them took at most. */
static void
say_share(const int64_t *buckets, const int64_t *bounds, size_t count,
    double share, char text_r[SHARE_SIZE])
{
	int64_t bound = counters_share(buckets, bounds, count, share);

	if (bound >= 0)
		(void)snprintf(text_r, SHARE_SIZE, "%" PRId64, bound);
	else
		(void)snprintf(text_r, SHARE_SIZE, "%s",
		    buckets[count - 1] > 0 ? "more" : "none");
}

static void
write_line(struct counters_view *view, int64_t span)
{
	char rules[RULES_SIZE], half[SHARE_SIZE], most[SHARE_SIZE];
	char wait[SHARE_SIZE];
	const int64_t *counts = view->counts;

	say_rules(view, rules);
	say_share(view->delays, counters_delay_s, COUNTERS_DELAYS, 0.5, half);
	say_share(view->delays, counters_delay_s, COUNTERS_DELAYS, 0.9, most);
	say_share(view->waits, counters_wait_us, COUNTERS_WAITS, 0.99, wait);
	log_info("summary span=%" PRId64 " sessions=%" PRId64
		 " accepted=%" PRId64 " deferred=%" PRId64 " observed=%" PRId64
		 " passed=%" PRId64 " delay_50=%s delay_90=%s wait_us_99=%s"
		 " trips=%" PRId64 " late=%" PRId64 " away=%" PRId64
		 " dropped=%" PRId64 " rules=%s",
	    span, counts[COUNT_SESSIONS], counts[COUNT_ACCEPTED],
	    counts[COUNT_DEFERRED], counts[COUNT_OBSERVED],
	    counts[COUNT_PASSED], half, most, wait, counts[COUNT_TRIPS],
	    counts[COUNT_LATE], counts[COUNT_AWAY], counts[COUNT_DROPPED],
	    rules);
}

static void
sum_up(struct counters *counters, int64_t every, int64_t now)
{
	struct counters_view *since = &counters->since;

	if (now < counters->summed_up) /* the clock went back */
		counters->summed_up = now;
	if (every == 0 || now - counters->summed_up < every)
		return;
	counters_look(counters, since);
	subtract(since, &counters->before);
	write_line(since, now - counters->summed_up);
	counters_look(counters, &counters->before);
	counters->summed_up = now;
}

/* ---- Each second */

void
counters_tick(struct counters *counters, struct store *store,
    int64_t summary_every, int64_t now)
{
	char *text;
	size_t length = 0;

	if (now == counters->view.at)
		return;
	if (!counters->has_recalled)
		counters->has_recalled = recall(counters, store, now);
	text = malloc(COUNTERS_TEXT_MAX);
	pthread_mutex_lock(&counters->mutex);
	take_picture(counters, now);
	if (text != NULL)
		length = counters_encode(&counters->view, text);
	pthread_mutex_unlock(&counters->mutex);
	if (text != NULL && counters->has_recalled)
		(void)store_put_host(store, text, length, now);
	free(text);
	sum_up(counters, summary_every, now);
}
