#include "replay/figures.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"

#define HOUR	  INT64_C(3600)
#define HOURS_MAX (10 * 366 * 24)

bool
figures_open(struct figures *figures, const struct policy *policy)
{
	memset(figures, 0, sizeof *figures);
	figures->rule_count = policy->rule_count + 1;
	figures->rules = calloc(figures->rule_count, sizeof *figures->rules);
	if (figures->rules == NULL)
		return false;
	for (size_t i = 0; i < policy->rule_count; i++)
		figures->rules[i].rule = &policy->rules[i];
	return true;
}

void
figures_close(struct figures *figures)
{
	for (size_t i = 0; figures->rules != NULL && i < figures->rule_count;
	     i++)
		free(figures->rules[i].delays);
	free(figures->rules);
	free(figures->hours);
	memset(figures, 0, sizeof *figures);
}

struct figures_rule *
figures_rule(struct figures *figures, const struct rule *rule)
{
	return &figures->rules[rule == NULL ? figures->rule_count - 1
					    : rule->index];
}

bool
figures_note_hour(struct figures *figures, int64_t now, bool deferred)
{
	int64_t place;

	if (figures->hour_count == 0)
		figures->first_hour = now - now % HOUR;
	place = (now - figures->first_hour) / HOUR;
	if (place < 0 || place >= HOURS_MAX)
		return true;
	while (figures->hour_count <= (size_t)place) {
		if (!array_grow(&figures->hours, figures->hour_count,
			sizeof *figures->hours))
			return false;
		figures->hours[figures->hour_count++] =
		    (struct figures_hour){0, 0};
	}
	figures->hours[place].messages++;
	figures->hours[place].deferred += deferred;
	return true;
}

bool
figures_note_delay(struct figures_rule *rule, int64_t seconds)
{
	struct figures_delays *delays = rule->delays;
	int64_t minute = seconds / 60;

	if (delays == NULL)
		delays = rule->delays = calloc(1, sizeof *delays);
	if (delays == NULL)
		return false;
	delays->count++;
	if (seconds > delays->longest)
		delays->longest = seconds;
	if (seconds < FIGURES_SECONDS)
		delays->seconds[seconds]++;
	else
		delays
		    ->minutes[minute < FIGURES_MINUTES ? minute
						       : FIGURES_MINUTES - 1]++;
	return true;
}

static void
add_delays(struct figures_delays *sum, const struct figures_delays *delays)
{
	sum->count += delays->count;
	if (delays->longest > sum->longest)
		sum->longest = delays->longest;
	for (size_t i = 0; i < FIGURES_SECONDS; i++)
		sum->seconds[i] += delays->seconds[i];
	for (size_t i = 0; i < FIGURES_MINUTES; i++)
		sum->minutes[i] += delays->minutes[i];
}

bool
figures_sum(const struct figures *figures, struct figures_rule *sum_r)
{
	memset(sum_r, 0, sizeof *sum_r);
	sum_r->delays = calloc(1, sizeof *sum_r->delays);
	if (sum_r->delays == NULL)
		return false;
	for (size_t i = 0; i < figures->rule_count; i++) {
		const struct figures_rule *rule = &figures->rules[i];

		sum_r->accepted += rule->accepted;
		sum_r->observed += rule->observed;
		sum_r->deferred += rule->deferred;
		sum_r->pairs += rule->pairs;
		sum_r->came_back += rule->came_back;
		sum_r->passed += rule->passed;
		sum_r->gave_up += rule->gave_up;
		sum_r->waiting += rule->waiting;
		sum_r->assumed += rule->assumed;
		sum_r->rejected += rule->rejected;
		sum_r->forgotten += rule->forgotten;
		if (rule->delays != NULL)
			add_delays(sum_r->delays, rule->delays);
	}
	return true;
}

int64_t
figures_share(const struct figures_delays *delays, double share)
{
	int64_t wanted, seen = 0;

	if (delays == NULL || delays->count == 0)
		return 0;
	/* 0.9 of 250 is a bit more than 225 to a computer. */
	wanted = (int64_t)ceil(share * (double)delays->count - 1e-6);
	for (int64_t i = 0; i < FIGURES_SECONDS; i++) {
		seen += delays->seconds[i];
		if (seen >= wanted)
			return i;
	}
	for (int64_t i = 0; i < FIGURES_MINUTES; i++) {
		seen += delays->minutes[i];
		if (seen >= wanted)
			return i * 60 < delays->longest ? i * 60
							: delays->longest;
	}
	return delays->longest;
}
