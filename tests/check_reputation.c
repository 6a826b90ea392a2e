#include "policy/reputation.h"

#include <math.h>
#include <stdlib.h>

#include "lib/check_main.h"
#include "lib/shipped.h"

static const struct {
	const char *when;
	struct reputation_sums host, network;
	double low, high; /* the score lies between these */
} score_rows[] = {
    {"no history anywhere is 0", {0, 0}, {0, 0}, 0, 0},
    {"only good comes near 100", {1e6, 0}, {1e6, 0}, 99, 100},
    {"only bad comes near -100", {0, 1e6}, {0, 1e6}, -100, -99},
    {"as much good as bad is 0", {80, 80}, {80, 80}, 0, 0},
    {"one refused recipient is no verdict", {0, 5}, {0, 5}, -10, -9},
    {"five refused recipients are below -30", {0, 25}, {0, 25}, -34, -30},
    {"six refused recipients are below -30", {0, 30}, {0, 30}, -38, -37},
    {"a half-life later they are forgiven", {0, 15}, {0, 15}, -24, -23},
    {"six refused recipients by a good client", {120, 30}, {120, 30}, 40, 50},
    {"a first greylist pass stays below 20", {5, 0}, {5, 0}, 9, 10},
    {"a dozen messages a day become the best", {121, 0}, {121, 0}, 70, 72},
    {"a host's own events count once", {0, 50}, {0, 50}, -50, -50},
    {"a stranger takes its network's bad score", {0, 0}, {0, 150}, -75, -75},
    {"a stranger takes its network's good score", {0, 0}, {150, 0}, 75, 75},
    {"a few good points in a bad network help a little", {5, 0}, {5, 150}, -60,
	-50},
    {"long good history in a bad network is its own", {500, 0}, {500, 1000}, 80,
	90},
    {"long bad history in a good network is its own", {0, 500}, {1000, 500},
	-90, -80},
    {"negative sums count as nothing", {-10, -10}, {-10, -10}, 0, 0},
    {"NaN counts as nothing", {NAN, NAN}, {NAN, NAN}, 0, 0},
    {"infinite sums stay in range", {INFINITY, INFINITY}, {INFINITY, INFINITY},
	-1, 1},
    {"a network that knows less than its host", {100, 0}, {0, 0}, 66, 67},
};

START_TEST(scores)
{
	double score = reputation_score(
	    &score_rows[_i].host, &score_rows[_i].network, REPUTATION_PRIOR);

	ck_assert_msg(
	    score_rows[_i].low <= score && score <= score_rows[_i].high,
	    "%s: got %.3f", score_rows[_i].when, score);
}
END_TEST

START_TEST(a_senseless_prior_is_the_default)
{
	static const double priors[] = {0, -1, NAN};
	const struct reputation_sums sums = {0, 30};

	for (int i = 0; i < COUNT(priors); i++)
		ck_assert(reputation_score(&sums, &sums, priors[i]) ==
		    reputation_score(&sums, &sums, REPUTATION_PRIOR));
	ck_assert(isfinite(reputation_score(&sums, &sums, INFINITY)));
}
END_TEST

START_TEST(a_bad_event_never_helps_and_a_good_one_never_hurts)
{
	const double neighbours[] = {0, 40, 4000};
	struct reputation_sums host, network;
	double last, score;

	for (int n = 0; n < COUNT(neighbours); n++) {
		host = (struct reputation_sums){100, 0};
		network = (struct reputation_sums){100, neighbours[n]};
		last = 100;
		for (int i = 0; i < 100; i++) {
			score =
			    reputation_score(&host, &network, REPUTATION_PRIOR);
			ck_assert(score < last);
			last = score;
			host.bad += 5;
			network.bad += 5;
		}
		for (int i = 0; i < 100; i++) {
			host.good += 5;
			network.good += 5;
			score =
			    reputation_score(&host, &network, REPUTATION_PRIOR);
			ck_assert(score > last);
			last = score;
		}
	}
}
END_TEST

START_TEST(no_message_swings_a_score_from_end_to_end)
{
	struct reputation_sums best = {150, 0}, message = {0, 0};
	double before, after;

	for (int i = 0; i < 1000; i++)
		reputation_add(
		    &message, &shipped_weights, REPUTATION_REFUSED_RECIPIENT);
	reputation_cap_message(&message, REPUTATION_MESSAGE_CAP);
	before = reputation_score(&best, &best, REPUTATION_PRIOR);
	best.bad += message.bad;
	after = reputation_score(&best, &best, REPUTATION_PRIOR);
	ck_assert_msg(before > 70 && after > 45, "%.1f to %.1f", before, after);
}
END_TEST

START_TEST(six_refused_recipients_in_one_message_are_enough)
{
	const struct reputation_sums nothing = {0, 0};
	struct reputation_sums message = nothing;

	for (int i = 0; i < 6; i++)
		reputation_add(
		    &message, &shipped_weights, REPUTATION_REFUSED_RECIPIENT);
	reputation_cap_message(&message, REPUTATION_MESSAGE_CAP);
	ck_assert(reputation_score(&message, &message, REPUTATION_PRIOR) < -30);
	ck_assert(reputation_score(&nothing, &message, REPUTATION_PRIOR) < -30);
}
END_TEST

static const struct {
	const char *when;
	struct reputation_sums message;
	double cap;
	struct reputation_sums capped;
} cap_rows[] = {
    {"below the cap nothing changes", {3, 29}, 30, {3, 29}},
    {"at the cap nothing changes", {30, 30}, 30, {30, 30}},
    {"above it is cut, each way", {31, 1e9}, 30, {30, 30}},
    {"one way does not touch the other", {0, 45}, 30, {0, 30}},
    {"a cap of 0 leaves nothing", {5, 5}, 0, {0, 0}},
    {"a senseless cap leaves nothing", {5, 5}, NAN, {0, 0}},
    {"senseless sums are nothing", {NAN, -5}, 30, {0, 0}},
};

START_TEST(caps)
{
	struct reputation_sums message = cap_rows[_i].message;

	reputation_cap_message(&message, cap_rows[_i].cap);
	ck_assert_msg(message.good == cap_rows[_i].capped.good &&
		message.bad == cap_rows[_i].capped.bad,
	    "%s", cap_rows[_i].when);
}
END_TEST

START_TEST(every_event_has_a_name_and_points)
{
	ck_assert(reputation_events[_i].name != NULL);
	/* An honest mail server does that, too. */
	ck_assert(
	    (shipped_weights.points[_i] > 0) == (_i != REPUTATION_HAMMERING));
}
END_TEST

START_TEST(events_go_to_their_side)
{
	struct reputation_weights weights = shipped_weights;
	struct reputation_sums sums = {0, 0};

	weights.points[REPUTATION_HAMMERING] = 0;
	weights.points[REPUTATION_ABANDONED] = NAN;
	reputation_add(&sums, &weights, REPUTATION_GREYLIST_PASSED);
	reputation_add(&sums, &weights, REPUTATION_SPAM);
	reputation_add(&sums, &weights, REPUTATION_HAMMERING);
	reputation_add(&sums, &weights, REPUTATION_ABANDONED);
	ck_assert(sums.good == 5 && sums.bad == 10);
}
END_TEST

static const struct {
	const char *when;
	int64_t limit;
	double score;
	int64_t scaled;
} limit_rows[] = {
    {"an unknown client has the limit itself", 100, 0, 100},
    {"the best has twice as much", 100, 100, 200},
    {"never more than twice", 100, 1000, 200},
    {"a poor one has its share", 100, -30, 70},
    {"the worst keeps a tenth", 100, -100, 10},
    {"never less than a tenth", 100, -INFINITY, 10},
    {"shares are rounded", 10, -41, 6},
    {"at least 1", 5, -100, 1},
    {"a limit of 1 stays 1 for the worst", 1, -100, 1},
    {"a limit of 0 admits nobody, not even the best", 0, 100, 0},
    {"a negative limit stays as it is", -5, 100, -5},
    {"without a score the limit stays", 100, NAN, 100},
    {"the largest limit does not overflow", INT64_MAX, 100, INT64_MAX},
};

START_TEST(limits)
{
	int64_t got =
	    reputation_scaled_limit(limit_rows[_i].limit, limit_rows[_i].score);

	ck_assert_msg(got == limit_rows[_i].scaled, "%s: got %lld",
	    limit_rows[_i].when, (long long)got);
}
END_TEST

CHECK_MAIN("reputation", tcase)
{
	tcase_add_loop_test(tcase, scores, 0, COUNT(score_rows));
	tcase_add_test(tcase, a_senseless_prior_is_the_default);
	tcase_add_test(
	    tcase, a_bad_event_never_helps_and_a_good_one_never_hurts);
	tcase_add_test(tcase, no_message_swings_a_score_from_end_to_end);
	tcase_add_test(tcase, six_refused_recipients_in_one_message_are_enough);
	tcase_add_loop_test(tcase, caps, 0, COUNT(cap_rows));
	tcase_add_loop_test(tcase, every_event_has_a_name_and_points, 0,
	    REPUTATION_EVENT_COUNT);
	tcase_add_test(tcase, events_go_to_their_side);
	tcase_add_loop_test(tcase, limits, 0, COUNT(limit_rows));
}
