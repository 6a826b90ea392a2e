/* The contract of every store: records.  Without arguments the embedded store is
 * held to it, else that of the Redis which they name (lib/keeper.h). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/store_steps.h"

/* ---- Clocks */

static const struct {
	const char *when;
	struct {
		enum clock_mark mark;
		int64_t ago;
	} marks[3];
	int64_t first_ago, passed_ago; /* -1: never */
} clock_rows[] = {
    {"nothing is known of a stranger", {{MARK_NONE, 0}}, -1, -1},
    {"a first attempt starts its clock", {{MARK_FIRST, 600}}, 600, -1},
    {"a retry does not restart it", {{MARK_FIRST, 600}, {MARK_FIRST, 300}}, 600,
	-1},
    {"unless that is asked for", {{MARK_FIRST, 600}, {MARK_RESTART, 300}}, 300,
	-1},
    {"a restart starts a clock that is not there", {{MARK_RESTART, 300}}, 300,
	-1},
    {"a pass shows and ends the wait", {{MARK_FIRST, 600}, {MARK_PASSED, 60}},
	-1, 60},
    {"a first attempt does not undo a pass",
	{{MARK_PASSED, 600}, {MARK_FIRST, 60}}, -1, 600},
    {"a pass is renewed", {{MARK_PASSED, 600}, {MARK_PASSED, 60}}, -1, 60},
    {"a restart undoes a pass", {{MARK_PASSED, 600}, {MARK_RESTART, 60}}, 60,
	-1},
    {"a clock can be forgotten", {{MARK_FIRST, 600}, {MARK_FORGET, 60}}, -1,
	-1},
    {"to forget what is not there is no fault", {{MARK_FORGET, 60}}, -1, -1},
    {"and starts again after that",
	{{MARK_FIRST, 600}, {MARK_FORGET, 60}, {MARK_FIRST, 30}}, 30, -1},
};

static int64_t
time_of(int64_t ago)
{
	return ago < 0 ? 0 : now - ago;
}

static void
check_clock(const char *when, const char *what,
    const struct greylist_clock *clock, size_t row)
{
	int64_t first = time_of(clock_rows[row].first_ago);
	int64_t passed = time_of(clock_rows[row].passed_ago);

	ck_assert_msg(
	    clock->first_seen == first && clock->last_passed == passed,
	    "%s (%s): first seen %lld, passed %lld", when, what,
	    (long long)clock->first_seen, (long long)clock->last_passed);
}

START_TEST(clocks)
{
	size_t row = (size_t)_i;
	const char *when = clock_rows[row].when;

	open_store();
	for (int i = 0; i < 3; i++) {
		struct store_effects effects = {
		    .now = time_of(clock_rows[row].marks[i].ago),
		    .client = stranger};

		mark(&stranger, clock_rows[row].marks[i].mark, effects.now);
		effects.client_mark[CLOCK_REAL] = clock_rows[row].marks[i].mark;
		ck_assert_int_eq(store_remember(store, &effects), STORE_OK);
	}
	check_clock(
	    when, "pair", &look_up(&stranger)->pairs[0][CLOCK_REAL], row);
	check_clock(
	    when, "client", &look_up(&stranger)->client[CLOCK_REAL], row);
	close_store();
}
END_TEST

START_TEST(rules_on_trial_have_clocks_of_their_own)
{
	open_store();
	mark(&stranger, MARK_FIRST, now - 600);
	mark_pair(&stranger, &pair, CLOCK_OBSERVED, MARK_PASSED, now - 300);
	mark_pair(&stranger, &pair, CLOCK_DEFERRED, MARK_FIRST, now - 30);
	ck_assert_int_eq(clock_of(&stranger, CLOCK_REAL).first_seen, now - 600);
	ck_assert_int_eq(clock_of(&stranger, CLOCK_REAL).last_passed, 0);
	ck_assert_int_eq(
	    clock_of(&stranger, CLOCK_OBSERVED).last_passed, now - 300);
	ck_assert_int_eq(
	    clock_of(&stranger, CLOCK_DEFERRED).first_seen, now - 30);
	ck_assert_int_eq(look_up(&stranger)->client[CLOCK_REAL].first_seen, 0);
	close_store();
}
END_TEST

START_TEST(only_the_clocks_that_are_asked_for_are_told)
{
	struct store_answer answer;
	const struct store_query query = {.now = 0,
	    .client = stranger,
	    .pairs = &pair,
	    .pair_count = 1,
	    .spaces = {false, true, false}};
	struct store_query asked = query;

	open_store();
	mark(&stranger, MARK_FIRST, now);
	asked.now = now;
	ck_assert_int_eq(store_look_up(store, &asked, &answer), STORE_OK);
	ck_assert_int_eq(answer.pairs[0][CLOCK_REAL].first_seen, 0);
	close_store();
}
END_TEST

START_TEST(each_recipient_has_its_clock)
{
	struct store_pair pairs[RECIPIENTS_MAX];
	enum clock_mark marks[RECIPIENTS_MAX][CLOCK_SPACES] = {{MARK_NONE}};
	char names[RECIPIENTS_MAX][32];
	struct store_answer answer;
	struct store_query query = {.client = stranger,
	    .pairs = pairs,
	    .pair_count = RECIPIENTS_MAX,
	    .spaces = {true, false, false}};
	struct store_effects effects = {.client = stranger,
	    .pairs = pairs,
	    .marks = (const enum clock_mark(*)[CLOCK_SPACES])marks,
	    .pair_count = RECIPIENTS_MAX};

	for (int i = 0; i < RECIPIENTS_MAX; i++) {
		snprintf(names[i], sizeof names[i], "user%d@example.org", i);
		pairs[i] = (struct store_pair){"", names[i], NULL};
		marks[i][CLOCK_REAL] = i % 2 == 0 ? MARK_FIRST : MARK_PASSED;
	}
	open_store();
	query.now = effects.now = now;
	ck_assert_int_eq(store_remember(store, &effects), STORE_OK);
	ck_assert_int_eq(store_look_up(store, &query, &answer), STORE_OK);
	for (int i = 0; i < RECIPIENTS_MAX; i++) {
		ck_assert_int_eq(answer.pairs[i][CLOCK_REAL].first_seen,
		    i % 2 == 0 ? now : 0);
		ck_assert_int_eq(answer.pairs[i][CLOCK_REAL].last_passed,
		    i % 2 == 0 ? 0 : now);
	}
	close_store();
}
END_TEST

/* ---- Whose record */

static const struct {
	const char *when;
	const struct store_client *marked, *asked;
	bool found;
} identity_rows[] = {
    {"a host's attempt is its own", &stranger, &stranger, true},
    {"and not its neighbour's", &stranger, &neighbour, false},
    {"without addresses a network is one",
	&(const struct store_client){"192.0.2.0/24", 7, NULL, NULL},
	&(const struct store_client){"192.0.2.0/24", 8, NULL, NULL}, true},
    {"another network is another client", &stranger, &elsewhere, false},
    {"a retry from elsewhere in the pool counts", &pooled_here, &pooled_there,
	true},
    {"one from the same address does when the DNS fails", &pooled_here,
	&unnamed_here, true},
    {"and when it works again", &unnamed_here, &pooled_here, true},
    {"but what was begun without a name is not the pool's", &unnamed_here,
	&pooled_there, false},
    {"a pool's attempt is not its neighbours'", &pooled_here,
	&(const struct store_client){"203.0.113.0/24", 2, NULL, "203.0.113.2"},
	false},
    {"nor another pool's in the same network", &pooled_here,
	&(const struct store_client){
	    "203.0.113.0/24", 2, "example.com", "203.0.113.2"},
	false},
    {"an empty pool is none", &stranger,
	&(const struct store_client){"192.0.2.0/24", 7, "", "192.0.2.7"}, true},
};

START_TEST(identities)
{
	struct store_effects passed = {
	    .client = *identity_rows[_i].marked, .passes = 3, .worthy = true};
	const struct store_answer *answer;
	bool found = identity_rows[_i].found;

	open_store();
	mark(identity_rows[_i].marked, MARK_FIRST, now - 60);
	passed.now = now - 60;
	ck_assert_int_eq(store_remember(store, &passed), STORE_OK);
	answer = look_up(identity_rows[_i].asked);
	ck_assert_msg(
	    answer->pairs[0][CLOCK_REAL].first_seen == (found ? now - 60 : 0) &&
		answer->passes == (found ? 3 : 0),
	    "%s", identity_rows[_i].when);
	close_store();
}
END_TEST

/* Who was seen using what its organisation earned keeps it without a name. */
START_TEST(what_a_pool_earned_is_marked_on_its_addresses)
{
	struct store_client second = pooled_here, nameless;
	struct store_effects effects = {.passes = 3, .worthy = true};

	second.host = 2;
	second.address = "203.0.113.2";
	nameless = second;
	nameless.pool = NULL;
	open_store();
	effects.client = pooled_there;
	effects.now = now - 60;
	store_remember(store, &effects);
	ck_assert_int_eq(look_up(&nameless)->passes, 0);
	ck_assert_int_eq(look_up(&second)->passes, 3);
	ck_assert_int_eq(look_up(&second)->last_used, 0); /* not yet marked */
	effects.client = second;
	effects.passes = 0;
	effects.now = now;
	store_remember(store, &effects);
	ck_assert_int_eq(look_up(&nameless)->passes, 3);
	ck_assert_int_eq(look_up(&nameless)->last_used, now);
	ck_assert_int_eq(look_up(&unnamed_here)->passes, 0);
	close_store();
}
END_TEST

START_TEST(trust_that_is_not_used_ends_though_its_neighbours_live_on)
{
	struct store_effects effects = {.passes = 3, .worthy = true};

	open_store();
	effects.client = stranger;
	effects.now = now - KEEPER_WORTHY_LIFE - 60;
	store_remember(store, &effects);
	effects.client = neighbour;
	effects.now = now - 60;
	store_remember(store, &effects);
	ck_assert_int_eq(look_up(&stranger)->passes, 0);
	ck_assert_int_eq(look_up(&neighbour)->passes, 3);
	close_store();
}
END_TEST

START_TEST(passes_add_up)
{
	struct store_effects effects = {.client = stranger, .passes = 1};

	open_store();
	effects.now = now - 60;
	store_remember(store, &effects);
	effects.passes = 4;
	store_remember(store, &effects);
	ck_assert_int_eq(look_up(&stranger)->passes, 5);
	ck_assert_int_eq(look_up(&stranger)->last_used, 0);
	effects.worthy = true;
	effects.passes = 0;
	store_remember(store, &effects);
	ck_assert_int_eq(look_up(&stranger)->passes, 5);
	ck_assert_int_eq(look_up(&stranger)->last_used, now - 60);
	close_store();
}
END_TEST

/* ---- Sums */

static const struct {
	const char *when;
	double good, bad; /* earned each time */
	int64_t ago[2];	  /* when; -1: not at all */
	double good_left, bad_left;
} sum_rows[] = {
    {"who did nothing has nothing", 0, 0, {0, 0}, 0, 0},
    {"points are there at once", 3, 0, {0, -1}, 3, 0},
    {"good and bad are kept apart", 3, 5, {0, -1}, 3, 5},
    {"points add up", 3, 5, {0, 0}, 6, 10},
    {"half of them are left after a half-life", 8, 16, {KEEPER_HALF_LIFE, -1},
	4, 8},
    {"each fades by its own age", 8, 0, {2 * KEEPER_HALF_LIFE, 0}, 10, 0},
    {"in whichever order they come in", 8, 0, {0, KEEPER_HALF_LIFE}, 12, 0},
};

static void
check_points(const char *when, const char *whose,
    const struct reputation_sums *sums, const struct reputation_sums *expected)
{
	ck_assert_msg(fabs(sums->good - expected->good) < 0.01 &&
		fabs(sums->bad - expected->bad) < 0.01,
	    "%s (%s): good %g, bad %g", when, whose, sums->good, sums->bad);
}

START_TEST(sums)
{
	const struct reputation_sums nothing = {0, 0};
	const struct reputation_sums left = {
	    sum_rows[_i].good_left, sum_rows[_i].bad_left};
	const char *when = sum_rows[_i].when;
	const struct store_answer *answer;

	open_store();
	/* keeps the record alive while its points fade */
	store_remember(store,
	    &(struct store_effects){
		.now = now, .client = stranger, .passes = 1, .worthy = true});
	for (int i = 0; i < 2; i++)
		if (sum_rows[_i].ago[i] >= 0)
			earn(&stranger, sum_rows[_i].good, sum_rows[_i].bad,
			    time_of(sum_rows[_i].ago[i]));
	answer = look_up(&stranger);
	check_points(when, "network", &answer->network, &left);
	check_points(when, "host", &answer->host, &left);
	answer = look_up(&neighbour);
	check_points(when, "neighbour's network", &answer->network, &left);
	check_points(when, "neighbour", &answer->host, &nothing);
	answer = look_up(&elsewhere);
	check_points(when, "another network", &answer->network, &nothing);
	close_store();
}
END_TEST

START_TEST(every_host_of_a_network_has_its_sums)
{
	struct store_client client = stranger;

	open_store();
	for (unsigned host = 0; host < 256; host++) {
		client.host = host;
		earn(&client, host, 1, now);
	}
	for (unsigned host = 0; host < 256; host++) {
		client.host = host;
		ck_assert_double_eq_tol(
		    look_up(&client)->host.good, (double)host, 0.05);
	}
	ck_assert_double_eq_tol(look_up(&client)->network.bad, 256, 0.05);
	close_store();
}
END_TEST

static const struct {
	const char *when;
	double bad;
	int64_t ago[4]; /* of accepted messages, oldest first; -1: none */
	double good_left, bad_left;
} accepted_rows[] = {
    {"an accepted message is a good one", 0, {0, -1, -1, -1}, 1, 0},
    {"more of them within the hour are not", 0, {900, 600, 300, 0}, 1, 0},
    {"but one an hour is", 0, {10800, 7200, 3600, 0}, 3.975, 0},
    {"they take back bad points instead", 3, {900, 600, 300, -1}, 1, 1},
    {"and never more than there are", 2, {900, 600, 300, 0}, 1, 0},
};

START_TEST(accepted)
{
	const struct reputation_sums left = {
	    accepted_rows[_i].good_left, accepted_rows[_i].bad_left};
	const char *when = accepted_rows[_i].when;
	const struct store_answer *answer;

	open_store();
	if (accepted_rows[_i].bad > 0)
		earn(&stranger, 0, accepted_rows[_i].bad, now - 900);
	for (int i = 0; i < 4; i++) {
		if (accepted_rows[_i].ago[i] < 0)
			continue;
		look_up(&stranger);
		accept_mail(&stranger, 1, time_of(accepted_rows[_i].ago[i]));
	}
	answer = look_up(&stranger);
	check_points(when, "network", &answer->network, &left);
	check_points(when, "host", &answer->host, &left);
	close_store();
}
END_TEST

START_TEST(hosts_of_a_network_earn_for_it_only_once)
{
	struct store_client client = stranger;

	open_store();
	for (client.host = 0; client.host < 20; client.host++) {
		look_up(&client);
		accept_mail(&client, 1, now);
	}
	ck_assert_double_eq_tol(look_up(&stranger)->network.good, 1, 0.01);
	ck_assert_double_eq_tol(look_up(&stranger)->host.good, 1, 0.01);
	close_store();
}
END_TEST

START_TEST(sessions_at_once_earn_once)
{
	open_store();
	look_up(&stranger);
	for (int i = 0; i < 20; i++)
		accept_mail(&stranger, 1, now);
	ck_assert_double_eq_tol(look_up(&stranger)->network.good, 1, 0.01);
	close_store();
}
END_TEST

START_TEST(the_sums_of_a_pool_are_its_networks_own)
{
	open_store();
	earn(&pooled_here, 5, 0, now);
	ck_assert_double_eq_tol(look_up(&pooled_here)->network.good, 5, 0.01);
	ck_assert_double_eq_tol(look_up(&pooled_there)->network.good, 0, 0.01);
	close_store();
}
END_TEST

/* ---- Organisations */

static const struct store_client organisation = {.network = "@example.net"};

static const struct store_answer *
look_up_with(const struct store_client *client, bool joins)
{
	static struct store_answer answer;
	const struct store_query query = {.now = now,
	    .client = *client,
	    .pairs = &pair,
	    .pair_count = 1,
	    .spaces = {true, true, true},
	    .organisation = organisation.network,
	    .joins = joins};
	enum store_result result = STORE_LATE;

	for (int i = 0; i < 5 && result == STORE_LATE; i++)
		result = store_look_up(store, &query, &answer);
	ck_assert_int_eq(result, STORE_OK);
	return &answer;
}

START_TEST(an_organisation_has_sums_of_its_own)
{
	open_store();
	earn(&organisation, 8, 2, now);
	earn(&stranger, 1, 0, now);
	ck_assert_double_eq_tol(
	    look_up_with(&stranger, false)->organisation.good, 8, 0.01);
	ck_assert_double_eq_tol(
	    look_up_with(&stranger, false)->organisation.bad, 2, 0.01);
	ck_assert_double_eq_tol(
	    look_up_with(&stranger, false)->network.good, 1, 0.01);
	ck_assert_double_eq_tol(
	    look_up_with(&pooled_here, true)->organisation.good, 8, 0.01);
	ck_assert_double_eq_tol(look_up(&stranger)->organisation.good, 0, 0.01);
	close_store();
}
END_TEST

START_TEST(an_organisation_joins_clocks_of_pairs_and_nothing_else)
{
	const struct store_effects effects = {.now = now,
	    .client = organisation,
	    .passes = 5,
	    .worthy = true,
	    .client_mark = {MARK_PASSED}};
	const struct store_answer *answer;

	open_store();
	store_remember(store, &effects);
	mark(&organisation, MARK_FIRST, now - 300);
	answer = look_up_with(&stranger, true);
	ck_assert_int_eq(answer->pairs[0][CLOCK_REAL].first_seen, now - 300);
	ck_assert_int_eq(answer->pairs[0][CLOCK_OBSERVED].first_seen, 0);
	ck_assert_int_eq(answer->client[CLOCK_REAL].last_passed, 0);
	ck_assert_int_eq(answer->passes, 0);
	answer = look_up_with(&stranger, false);
	ck_assert_int_eq(answer->pairs[0][CLOCK_REAL].first_seen, 0);
	mark(&stranger, MARK_PASSED, now - 10);
	answer = look_up_with(&stranger, true);
	ck_assert_int_eq(answer->pairs[0][CLOCK_REAL].last_passed, now - 10);
	close_store();
}
END_TEST

/* ---- Abandoned attempts */

static const struct {
	const char *when;
	const struct store_client *client;
	enum clock_space space;
	enum clock_mark mark;
	int64_t ago;
	const struct store_pair *asked;
	double bad;
	bool gone;
} abandoned_rows[] = {
    {"who comes back for something else has abandoned the first", &stranger,
	CLOCK_REAL, MARK_FIRST, KEEPER_ABANDONED_AFTER, &other_pair, 2, true},
    {"a second early it is not abandoned", &stranger, CLOCK_REAL, MARK_FIRST,
	KEEPER_ABANDONED_AFTER - 60, &other_pair, 0, false},
    {"who passed has abandoned nothing", &stranger, CLOCK_REAL, MARK_PASSED,
	2 * KEEPER_ABANDONED_AFTER, &other_pair, 0, false},
    {"rules on trial abandon nothing", &stranger, CLOCK_OBSERVED, MARK_FIRST,
	KEEPER_ABANDONED_AFTER, &other_pair, 0, false},
    {"what a pool abandons counts once", &pooled_here, CLOCK_REAL, MARK_FIRST,
	KEEPER_ABANDONED_AFTER, &other_pair, 2, true},
};

/* Look up and tidy until nothing more happens. */
static void
settle(const struct store_client *client)
{
	for (int i = 0; i < 3; i++) {
		look_up_pair(client, &other_pair);
		store_tidy(store, now);
	}
}

START_TEST(abandoned)
{
	const struct store_client *client = abandoned_rows[_i].client;
	const struct store_answer *answer;
	bool gone;

	open_store();
	mark_pair(client, &pair, abandoned_rows[_i].space,
	    abandoned_rows[_i].mark, now - abandoned_rows[_i].ago);
	settle(client);
	answer = look_up(client);
	gone = answer->pairs[0][abandoned_rows[_i].space].first_seen == 0 &&
	    answer->pairs[0][abandoned_rows[_i].space].last_passed == 0;
	ck_assert_msg(gone == abandoned_rows[_i].gone &&
		fabs(answer->network.bad - abandoned_rows[_i].bad) < 0.01,
	    "%s: %s, bad %g", abandoned_rows[_i].when, gone ? "gone" : "there",
	    answer->network.bad);
	close_store();
}
END_TEST

/* Who only looks finds what whoever comes next will find, and leaves it as it is. */
START_TEST(who_only_looks)
{
	struct store_query query = {.client = stranger,
	    .pairs = &other_pair,
	    .pair_count = 1,
	    .spaces = {true, true, true},
	    .peeks = true};
	struct store_answer seen, again;
	const struct store_answer *found;

	open_store();
	mark_pair(&stranger, &pair, CLOCK_REAL, MARK_FIRST,
	    now - KEEPER_ABANDONED_AFTER);
	query.now = now;
	ck_assert_int_eq(store_look_up(store, &query, &seen), STORE_OK);
	ck_assert_int_eq(store_look_up(store, &query, &again), STORE_OK);
	ck_assert_double_eq_tol(seen.network.bad, again.network.bad, 1e-9);
	ck_assert(!seen.is_new);
	settle(&stranger);
	found = look_up(&stranger);
	ck_assert_double_eq_tol(found->network.bad, 2, 0.01);
	ck_assert(seen.network.bad == 0 || fabs(seen.network.bad - 2) < 0.01);
	close_store();
}
END_TEST

static const struct {
	const char *when;
	const struct store_client *first, *then;
	enum clock_mark then_mark; /* at once */
	double bad;		   /* of the first one's network and host */
} blame_rows[] = {
    {"whoever of its organisation comes next is not to blame", &pooled_here,
	&pooled_there, MARK_NONE, 2},
    {"nor is a neighbour", &stranger, &neighbour, MARK_NONE, 2},
    {"who came back from elsewhere has abandoned nothing", &pooled_here,
	&pooled_there, MARK_PASSED, 0},
    {"who came back with a name has abandoned nothing", &unnamed_here,
	&pooled_here, MARK_PASSED, 0},
};

START_TEST(blame)
{
	const struct store_client *first = blame_rows[_i].first;
	const struct store_client *then = blame_rows[_i].then;
	bool same_network = strcmp(first->network, then->network) == 0;
	const struct reputation_sums owed = {0, blame_rows[_i].bad};
	const struct reputation_sums nothing = {0, 0};
	const char *when = blame_rows[_i].when;
	const struct store_answer *answer;

	open_store();
	mark(first, MARK_FIRST, now - KEEPER_ABANDONED_AFTER);
	mark(then, blame_rows[_i].then_mark, now);
	settle(then);
	settle(first);
	answer = look_up(then);
	check_points(when, "next one's network", &answer->network,
	    same_network ? &owed : &nothing);
	if (then->host != first->host)
		check_points(when, "next one", &answer->host, &nothing);
	answer = look_up(first);
	check_points(when, "first one's network", &answer->network, &owed);
	check_points(when, "first one", &answer->host, &owed);
	close_store();
}
END_TEST

START_TEST(who_comes_back_late_has_not_abandoned_it)
{
	open_store();
	mark(&stranger, MARK_FIRST, now - 2 * KEEPER_ABANDONED_AFTER);
	ck_assert_int_eq(clock_of(&stranger, CLOCK_REAL).first_seen,
	    now - 2 * KEEPER_ABANDONED_AFTER);
	mark(&stranger, MARK_PASSED, now);
	store_tidy(store, now);
	ck_assert_int_eq(clock_of(&stranger, CLOCK_REAL).last_passed, now);
	ck_assert_double_eq_tol(look_up(&stranger)->network.bad, 0, 0.01);
	close_store();
}
END_TEST

static Suite *
store_suite(void)
{
	Suite *suite = suite_create("store");
	TCase *records = tcase_create("records");

	tcase_set_timeout(records, 240);
	tcase_add_loop_test(records, clocks, 0, COUNT(clock_rows));
	tcase_add_test(records, rules_on_trial_have_clocks_of_their_own);
	tcase_add_test(records, only_the_clocks_that_are_asked_for_are_told);
	tcase_add_test(records, each_recipient_has_its_clock);
	tcase_add_loop_test(records, identities, 0, COUNT(identity_rows));
	tcase_add_test(records, what_a_pool_earned_is_marked_on_its_addresses);
	tcase_add_test(
	    records, trust_that_is_not_used_ends_though_its_neighbours_live_on);
	tcase_add_test(records, passes_add_up);
	tcase_add_loop_test(records, sums, 0, COUNT(sum_rows));
	tcase_add_test(records, every_host_of_a_network_has_its_sums);
	tcase_add_test(records, the_sums_of_a_pool_are_its_networks_own);
	tcase_add_test(records, an_organisation_has_sums_of_its_own);
	tcase_add_test(
	    records, an_organisation_joins_clocks_of_pairs_and_nothing_else);
	tcase_add_loop_test(records, accepted, 0, COUNT(accepted_rows));
	tcase_add_test(records, hosts_of_a_network_earn_for_it_only_once);
	tcase_add_test(records, sessions_at_once_earn_once);
	tcase_add_loop_test(records, abandoned, 0, COUNT(abandoned_rows));
	tcase_add_loop_test(records, blame, 0, COUNT(blame_rows));
	tcase_add_test(records, who_only_looks);
	tcase_add_test(records, who_comes_back_late_has_not_abandoned_it);
	suite_add_tcase(suite, records);
	return suite;
}

int
main(int argc, char **argv)
{
	return run_suite(store_suite(), argc, argv);
}
