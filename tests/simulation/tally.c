#include "tally.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR INT64_C(3600)
#define FULL "(the server was full)"

const double tally_load_ends[TALLY_LOADS - 1] = {0.70, 0.80, 0.95};
const double tally_score_ends[TALLY_SCORES - 1] = {-30, -5, 20, 70};

static size_t
range_of(const double *ends, size_t count, double value)
{
	size_t range = 0;

	while (range < count && value >= ends[range])
		range++;
	return range;
}

static bool
append(struct tally_list *list, double value)
{
	if (list->count == list->room) {
		size_t room = list->room == 0 ? 1024 : 2 * list->room;
		double *values = realloc(list->values, room * sizeof *values);

		if (values == NULL)
			return false;
		list->values = values;
		list->room = room;
	}
	list->values[list->count++] = value;
	return true;
}

static struct tally_kind *
kind_of(struct tally *tally, const struct mail *mail)
{
	return &tally->kinds[mail->sender->kind - traffic_kinds];
}

/* The last one takes what there is no more room for. */
static size_t
cause_of(struct tally *tally, const char *rule)
{
	size_t i = 0;

	while (
	    i < tally->cause_count && strcmp(tally->causes[i].rule, rule) != 0)
		i++;
	if (i == TALLY_CAUSES_MAX)
		return i - 1;
	if (i == tally->cause_count) {
		(void)snprintf(tally->causes[i].rule,
		    sizeof tally->causes[i].rule, "%s", rule);
		tally->cause_count++;
	}
	return i;
}

static struct tally_span *
span_of(struct tally *tally, const struct tally_mail *kept)
{
	return kept->attack ? &tally->attack : &tally->calm;
}

static struct tally_share *
share_of(struct tally_span *span, const struct mail *mail)
{
	bool regular = mail->number >= TALLY_REGULAR &&
	    mail->sender->kind->naming != NAMED_APART &&
	    mail->sender->schedule->times > 1;

	return regular ? &span->regulars : &span->strangers;
}

static void
count_delay(struct tally_share *share, const struct mail *mail, int64_t delay)
{
	if (mail->tries == 1)
		share->at_once++;
	if (delay <= HOUR)
		share->within_hour++;
}

static void
begin(struct tally *tally, const struct mail *mail, struct tally_mail *kept,
    const struct farm_result *result)
{
	struct tally_span *span = span_of(tally, kept);

	kept->begun = true;
	kept->known = result != NULL && result->asked && result->known;
	kept->first_contact =
	    !kept->known && (result == NULL || !result->seen_before);
	kind_of(tally, mail)->mails++;
	if (!mail->sender->kind->good)
		return;
	share_of(span, mail)->mails++;
	if (kept->known)
		span->known.mails++;
}

static bool
deliver(struct tally *tally, const struct mail *mail,
    const struct tally_mail *kept, int64_t now)
{
	struct tally_span *span = span_of(tally, kept);
	int64_t delay = now - mail->written;

	kind_of(tally, mail)->delivered++;
	if (!mail->sender->kind->good)
		return true;
	count_delay(share_of(span, mail), mail, delay);
	if (kept->known)
		count_delay(&span->known, mail, delay);
	return append(
	    kept->first_contact ? &tally->first_delays : &tally->other_delays,
	    (double)delay);
}

static void
count_range(struct tally *tally, const struct farm_result *result, double load)
{
	size_t i = range_of(tally_load_ends, TALLY_LOADS - 1, load);
	size_t j = range_of(tally_score_ends, TALLY_SCORES - 1, result->score);

	if (!result->asked)
		return;
	tally->attempts[i][j]++;
	if (!result->any_deferred)
		tally->admitted[i][j]++;
}

bool
tally_attempt(struct tally *tally, const struct mail *mail,
    struct tally_mail *kept, const struct farm_result *result, int64_t now,
    double load)
{
	struct tally_kind *kind = kind_of(tally, mail);
	bool good = mail->sender->kind->good;
	bool deferred = result == NULL || result->any_deferred;
	struct tally_cause *cause;

	if (!kept->begun)
		begin(tally, mail, kept, result);
	else if (good)
		tally->causes[kept->cause].good_wait +=
		    (double)(now - kept->failed_at);
	kind->attempts++;
	if (result != NULL)
		count_range(tally, result, load);
	if (!deferred) {
		kind->admitted++;
		return deliver(tally, mail, kept, now);
	}
	kept->failed_at = now;
	kept->cause = cause_of(tally, result == NULL ? FULL : result->rule);
	cause = &tally->causes[kept->cause];
	if (good)
		cause->good++;
	else
		cause->bad++;
	return true;
}

void
tally_lost(struct tally *tally, const struct mail *mail)
{
	kind_of(tally, mail)->lost++;
	if (mail->sender->schedule->times == 1)
		kind_of(tally, mail)->unretried++;
}

void
tally_clear(struct tally *tally)
{
	free(tally->first_delays.values);
	free(tally->other_delays.values);
	memset(tally, 0, sizeof *tally);
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
tally_quantile(struct tally_list *list, double share)
{
	if (list->count == 0)
		return 0;
	qsort(list->values, list->count, sizeof *list->values, compare);
	return list->values[(size_t)ceil(share * (double)(list->count - 1))];
}
