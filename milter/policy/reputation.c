#include "policy/reputation.h"

#include <math.h>

#include "policy/settings.h"

#define POINTS_MAX 1e15 /* keeps every sum finite and every difference exact */
#define SCALE_MIN  0.1
#define SCALE_MAX  2.0

const struct reputation_event_info reputation_events[REPUTATION_EVENT_COUNT] = {
    [REPUTATION_ACCEPTED] = {"accepted", true},
    [REPUTATION_GREYLIST_PASSED] = {"greylist_passed", true},
    [REPUTATION_HAM] = {"ham", true},
    [REPUTATION_ABANDONED] = {"abandoned", false},
    [REPUTATION_HAMMERING] = {"hammering", false},
    [REPUTATION_UNKNOWN_COMMAND] = {"unknown_command", false},
    [REPUTATION_MALFORMED_HELO] = {"malformed_helo", false},
    [REPUTATION_REFUSED_RECIPIENT] = {"refused_recipient", false},
    [REPUTATION_SPAM] = {"spam", false},
    [REPUTATION_REPORT_HAM] = {"report_ham", true},
    [REPUTATION_REPORT_SPAM] = {"report_spam", false},
    [REPUTATION_REPORT_TRAP] = {"report_trap", false},
};

/* NaN fails the first comparison. */
static double
sane_points(double points)
{
	if (!(points > 0))
		return 0;
	return points < POINTS_MAX ? points : POINTS_MAX;
}

void
reputation_add(struct reputation_sums *message,
    const struct reputation_weights *weights, enum reputation_event event)
{
	double points = sane_points(weights->points[event]);

	if (reputation_events[event].good)
		message->good = sane_points(message->good + points);
	else
		message->bad = sane_points(message->bad + points);
}

void
reputation_cap_message(struct reputation_sums *message, double cap)
{
	cap = sane_points(cap);
	message->good = fmin(sane_points(message->good), cap);
	message->bad = fmin(sane_points(message->bad), cap);
}

/* The score of two sums with `prior` points of `prior_score` mixed in. */
static double
mixed_score(double good, double bad, double prior, double prior_score)
{
	return (100 * (good - bad) + prior * prior_score) /
	    (good + bad + prior);
}

double
reputation_score(const struct reputation_sums *host,
    const struct reputation_sums *network, double prior)
{
	double good = sane_points(host->good), bad = sane_points(host->bad);
	double near_good = sane_points(sane_points(network->good) - good);
	double near_bad = sane_points(sane_points(network->bad) - bad);
	double borrowed;

	prior = prior > 0 ? sane_points(prior) : REPUTATION_PRIOR;
	borrowed = mixed_score(near_good, near_bad, prior, 0);
	return mixed_score(good, bad, prior, borrowed);
}

int64_t
reputation_scaled_limit(int64_t limit, double score)
{
	double scale, scaled;

	if (limit < 1 || isnan(score))
		return limit;
	scale = fmin(fmax(1 + score / 100, SCALE_MIN), SCALE_MAX);
	scaled = (double)limit * scale;
	if (scaled >= (double)INT64_MAX)
		return INT64_MAX;
	return scaled < 1 ? 1 : (int64_t)llround(scaled);
}

/* Neighbours cannot take from a client what it has earned itself, and lend it
 * nothing: what is good of them only makes up for what is bad. */
static void
mind_neighbours(const struct reputation_sums *host, bool is_trusted,
    struct reputation_sums *network)
{
	double bad = network->bad - host->bad;

	if (is_trusted || bad < 0)
		bad = 0;
	network->bad = host->bad + bad;
	if (network->good > host->good + bad)
		network->good = host->good + bad;
}

void
standing_of(const struct settings *settings, const struct reputation_sums *host,
    const struct reputation_sums *network, int64_t passes,
    struct standing *standing_r)
{
	bool is_trusted =
	    settings->known_after > 0 && passes >= settings->known_after;
	struct reputation_sums around = *network;

	if (settings->identity != IDENTITY_NETWORK)
		mind_neighbours(host, is_trusted, &around);
	standing_r->score =
	    reputation_score(host, &around, settings->reputation.prior);
	standing_r->is_poor =
	    standing_r->score < settings->reputation.poor_below;
	standing_r->known = is_trusted && !standing_r->is_poor;
}
