#include "ctl/watch/farm.h"

#include <math.h>
#include <string.h>
#include <time.h>

static struct farm_host *
host_of(struct farm *farm, const char *name)
{
	struct farm_host *host;

	for (size_t i = 0; i < farm->host_count; i++)
		if (strcmp(farm->hosts[i].name, name) == 0)
			return &farm->hosts[i];
	if (farm->host_count == FARM_HOSTS)
		return NULL;
	host = &farm->hosts[farm->host_count++];
	*host = (struct farm_host){.load = (double)NAN, .slow_us = -1};
	(void)snprintf(host->name, sizeof host->name, "%s", name);
	return host;
}

static void
add_load(void *arg, const char *name, const struct load_report *report)
{
	struct farm_host *host = host_of(arg, name);

	if (host == NULL)
		return;
	host->load = report->load;
	host->seen = report->at;
}

static void
add_counts(void *arg, const char *name, const struct counters_view *view)
{
	struct farm *farm = arg;
	struct farm_host *host = host_of(farm, name);

	counters_add(&farm->sum, view);
	if (host == NULL)
		return;
	host->has_counts = true;
	host->since = view->since;
	if (view->at > host->seen)
		host->seen = view->at;
	memcpy(host->counts, view->counts, sizeof host->counts);
	host->slow_us =
	    counters_share(view->waits, counters_wait_us, COUNTERS_WAITS, 0.99);
}

/* Of the one that we are; where there are others it has told its load. */
static void
add_own_load(struct ctl *ctl, struct farm *farm)
{
	bool crossed[THRESHOLDS_MAX];
	const char *source;

	if (ctl->shared != NULL && farm->host_count == 1 &&
	    isnan(farm->hosts[0].load))
		load_watch_read(ctl->shared->load_watch, ctl->policy, crossed,
		    &farm->hosts[0].load, &source);
}

enum store_result
farm_look(struct ctl *ctl, struct farm *farm_r)
{
	enum store_result result;

	memset(farm_r, 0, sizeof *farm_r);
	farm_r->now = store_now(ctl->store, (int64_t)time(NULL));
	result = store_hosts(ctl->store, add_load, farm_r);
	if (result == STORE_OK)
		result =
		    counters_read(ctl->store, farm_r->now, add_counts, farm_r);
	counters_move_on(&farm_r->sum, farm_r->now);
	add_own_load(ctl, farm_r);
	return result;
}

json_t *
farm_minutes(const struct farm *farm, enum count which, size_t minutes)
{
	json_t *numbers = json_array();

	for (size_t i = minutes; i > 0; i--)
		(void)json_array_append_new(
		    numbers, json_integer(farm->sum.minutes[which][i - 1]));
	return numbers;
}
