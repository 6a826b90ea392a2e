#include "load/load_watch.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "load/load_sample.h"

#define HOSTS_MAX   1000
#define LATCHES_MAX (16 * THRESHOLDS_MAX)

/* A latch outlives the policy that asked for it: sessions may hold that for
 * hours, and a reload under load must not open the gates.  It goes only when its
 * room is needed. */
struct named_latch {
	double threshold;
	struct load_latch latch;
};

struct load_watch {
	pthread_mutex_t mutex; /* guards what load_watch_read() reads */
	struct named_latch latches[LATCHES_MAX];
	size_t latch_count;
	double load;
	const char *source; /* of that; static */
	/* the rest belongs to the background thread */
	double forced; /* not finite: it is not */
	bool is_changed;
	struct load_sample sample;
	struct load_report reports[HOSTS_MAX];
	size_t nonsense; /* hosts that reported nonsense the last time */
};

struct load_watch *
load_watch_open(void)
{
	struct load_watch *watch = calloc(1, sizeof *watch);

	if (watch != NULL)
		watch->source = load_source_name(LOAD_SOURCE_NONE);
	if (watch != NULL && pthread_mutex_init(&watch->mutex, NULL) != 0) {
		free(watch);
		return NULL;
	}
	if (watch != NULL)
		watch->forced = (double)NAN;
	return watch;
}

void
load_watch_close(struct load_watch **watch)
{
	if (*watch == NULL)
		return;
	pthread_mutex_destroy(&(*watch)->mutex);
	load_sample_clear(&(*watch)->sample);
	free(*watch);
	*watch = NULL;
}

static const char *
set_or_null(const char *text)
{
	return text[0] == '\0' ? NULL : text;
}

static void
fill_sources(const struct settings *settings, struct load_sources *sources_r)
{
	memset(sources_r, 0, sizeof *sources_r);
	sources_r->capacity[LOAD_CPU] = settings->load.average;
	sources_r->capacity[LOAD_CPU_PRESSURE] = settings->load.pressure_cpu;
	sources_r->capacity[LOAD_IO_PRESSURE] = settings->load.pressure_io;
	sources_r->capacity[LOAD_MEMORY_PRESSURE] =
	    settings->load.pressure_memory;
	sources_r->capacity[LOAD_SESSIONS] = (double)settings->load.sessions;
	sources_r->capacity[LOAD_QUEUE] = (double)settings->load.queue_messages;
	sources_r->capacity[LOAD_SPACE] = settings->load.disk_free;
	sources_r->capacity[LOAD_INODES] = settings->load.disk_free;
	sources_r->capacity[LOAD_FIGURE] = 1.0;
	sources_r->queue_dir = set_or_null(settings->load.queue_directory);
	sources_r->space_dir = set_or_null(settings->load.disk_directory);
	sources_r->figure_file = set_or_null(settings->load.figure_file);
	sources_r->figure_max_age = settings->load.figure_age;
}

static void
report_nonsense(struct load_watch *watch, size_t nonsense)
{
	if (nonsense > 0 && watch->nonsense == 0)
		log_warning("load: %zu host(s) publish a load that is not a "
			    "number from 0 to 100; they do not count",
		    nonsense);
	else if (nonsense == 0 && watch->nonsense > 0)
		log_info("load: all hosts publish numbers again");
	watch->nonsense = nonsense;
}

/* What the farm says, after telling it our own figure. */
static double
combine(struct load_watch *watch, const struct policy *policy,
    struct store *store, int64_t now)
{
	struct load_report own = {now, watch->sample.load};
	struct load_view view;
	size_t count = 0;

	if (store_exchange_load(store, &own, watch->reports, HOSTS_MAX, &now,
		&count) != STORE_OK)
		count = 0;
	view = load_view_of(
	    watch->reports, count, now, policy->settings.load.silent_after);
	report_nonsense(watch, view.nonsense);
	return load_combine((enum farm_load)policy->settings.load.farm,
	    watch->sample.load, &view);
}

static struct load_latch *
latch_of(struct load_watch *watch, double threshold)
{
	for (size_t i = 0; i < watch->latch_count; i++)
		if (watch->latches[i].threshold == threshold)
			return &watch->latches[i].latch;
	return NULL;
}

static bool
is_used(const struct policy *policy, double threshold)
{
	for (size_t i = 0; i < policy->threshold_count; i++)
		if (policy->thresholds[i] == threshold)
			return true;
	return false;
}

static void
drop_unused(struct load_watch *watch, const struct policy *policy)
{
	size_t kept = 0;

	if (watch->latch_count + policy->threshold_count <= LATCHES_MAX)
		return;
	for (size_t i = 0; i < watch->latch_count; i++)
		if (is_used(policy, watch->latches[i].threshold))
			watch->latches[kept++] = watch->latches[i];
	watch->latch_count = kept;
}

static void
add_missing(struct load_watch *watch, const struct policy *policy)
{
	for (size_t i = 0; i < policy->threshold_count; i++)
		if (latch_of(watch, policy->thresholds[i]) == NULL) {
			struct named_latch fresh = {
			    .threshold = policy->thresholds[i]};

			watch->latches[watch->latch_count++] = fresh;
		}
}

void
load_watch_force(struct load_watch *watch, double load)
{
	bool was = isfinite(watch->forced), is = isfinite(load);

	watch->is_changed |= was != is || (is && load != watch->forced);
	watch->forced = load;
}

static void
step_latch(struct load_latch_terms *terms, const struct policy *policy,
    struct named_latch *named, double load, int64_t now)
{
	bool before = named->latch.crossed, after;

	terms->threshold = named->threshold;
	after = load_latch_step(terms, &named->latch, load, now);

	if (!is_used(policy, named->threshold))
		return;
	if (after && !before)
		log_info("load %.2f: above %.2f from now on", load,
		    named->threshold);
	else if (before && !after)
		log_info("load %.2f: below %.2f again", load, named->threshold);
}

void
load_watch_step(struct load_watch *watch, const struct policy *policy,
    struct store *store, int64_t sessions, int64_t now)
{
	struct load_latch_terms terms = {0};
	struct load_sources sources;
	double load;

	if (!watch->is_changed) {
		terms.hysteresis = policy->settings.load.hysteresis;
		terms.dwell = policy->settings.load.dwell;
	}
	fill_sources(&policy->settings, &sources);
	load_sample_take(&sources, sessions, now, &watch->sample);
	load = combine(watch, policy, store, now);
	if (isfinite(watch->forced))
		load = watch->forced;

	pthread_mutex_lock(&watch->mutex);
	watch->load = load;
	watch->source = load > watch->sample.load
	    ? "farm"
	    : load_source_name(watch->sample.source);
	drop_unused(watch, policy);
	add_missing(watch, policy);
	for (size_t i = 0; i < watch->latch_count; i++)
		step_latch(&terms, policy, &watch->latches[i], load, now);
	watch->is_changed = false;
	pthread_mutex_unlock(&watch->mutex);
}

void
load_watch_suppose(struct load_watch *watch, double load)
{
	pthread_mutex_lock(&watch->mutex);
	watch->latch_count = 0;
	watch->load = load;
	pthread_mutex_unlock(&watch->mutex);
}

void
load_watch_read(struct load_watch *watch, const struct policy *policy,
    bool *crossed_r, double *load_r, const char **source_r)
{
	pthread_mutex_lock(&watch->mutex);
	for (size_t i = 0; i < policy->threshold_count; i++) {
		const struct load_latch *latch =
		    latch_of(watch, policy->thresholds[i]);

		/* not stepped yet, since a reload of this second */
		crossed_r[i] = latch != NULL
		    ? latch->crossed
		    : watch->load >= policy->thresholds[i];
	}
	*load_r = watch->load;
	if (source_r != NULL)
		*source_r = watch->source;
	pthread_mutex_unlock(&watch->mutex);
}
