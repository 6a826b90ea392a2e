/* The contract of every store: limits, floods, and what the farm shares. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/seconds.h"
#include "lib/store_steps.h"
#include "policy/window.h"

static const struct store_take one = {.id = 77, .period = HOUR, .units = 1};

static void
give_back_of(const struct store_client *client, const struct store_take *what,
    int64_t at)
{
	struct store_take returned = *what;
	const struct store_effects effects = {.now = keeper_now(store),
	    .client = *client,
	    .returned = &returned,
	    .returned_count = 1};

	returned.at = at;
	ck_assert_int_eq(store_remember(store, &effects), STORE_OK);
}

static void
give_back(const struct store_client *client, const struct store_take *what)
{
	give_back_of(client, what, keeper_now(store));
}

#define TAKE(id_, holder_, of_host_, period_, units_)                          \
	{                                                                      \
		.id = (id_), .holder = (holder_), .of_host = (of_host_),       \
		.period = (period_), .units = (units_)                         \
	}

/* In whatever slot: the time of a test may pass from one to the next. */
static int64_t
all_of(const struct window_counts *counts)
{
	int64_t sum = 0;

	for (int i = 0; i < WINDOW_COUNTED; i++)
		sum += counts->slots[i];
	return sum;
}

static const struct {
	const char *when;
	struct store_client client;
	struct store_take take;
	int64_t taken; /* after one other unit was taken by `stranger` */
} take_rows[] = {
    {"the units of a network add up", {"192.0.2.0/24", 7, NULL, NULL},
	TAKE(77, NULL, false, HOUR, 1), 2},
    {"whichever host takes them", {"192.0.2.0/24", 9, NULL, NULL},
	TAKE(77, NULL, false, HOUR, 1), 2},
    {"whatever the pool", {"192.0.2.0/24", 7, "example.net", NULL},
	TAKE(77, NULL, false, HOUR, 1), 2},
    {"several can be taken at once", {"192.0.2.0/24", 7, NULL, NULL},
	TAKE(77, NULL, false, HOUR, 5), 6},
    {"none can be taken, to have a look", {"192.0.2.0/24", 7, NULL, NULL},
	TAKE(77, NULL, false, HOUR, 0), 1},
    {"another limit counts for itself", {"192.0.2.0/24", 7, NULL, NULL},
	TAKE(78, NULL, false, HOUR, 1), 1},
    {"and so does another period", {"192.0.2.0/24", 7, NULL, NULL},
	TAKE(77, NULL, false, 2 * HOUR, 1), 1},
    {"and another network", {"198.51.100.0/24", 7, NULL, NULL},
	TAKE(77, NULL, false, HOUR, 1), 1},
    {"and a host in the network", {"192.0.2.0/24", 7, NULL, NULL},
	TAKE(77, NULL, true, HOUR, 1), 1},
    {"and another holder", {"192.0.2.0/24", 7, NULL, NULL},
	TAKE(77, "example.com", false, HOUR, 1), 1},
};

START_TEST(takes)
{
	struct window_counts counts;

	open_store();
	take(&stranger, &one);
	counts = take(&take_rows[_i].client, &take_rows[_i].take);
	ck_assert_msg(counts.units == take_rows[_i].take.units &&
		all_of(&counts) == take_rows[_i].taken,
	    "%s: %lld", take_rows[_i].when, (long long)all_of(&counts));
	close_store();
}
END_TEST

START_TEST(holders_of_all_kinds_are_counted_in_one_look_up)
{
	const struct store_take all[] = {
	    TAKE(1, NULL, false, HOUR, 1),
	    TAKE(2, NULL, true, HOUR, 2),
	    TAKE(3, "alice", false, HOUR, 3),
	    TAKE(4, "*", false, HOUR, 4),
	    TAKE(5, "alice", false, 60 * HOUR, 5),
	    TAKE(6, "", false, HOUR, 6),
	};
	struct store_answer answer;
	struct store_query query = {
	    .client = pooled_here, .takes = all, .take_count = 6};

	open_store();
	query.now = now;
	for (int round = 1; round <= 2; round++) {
		ck_assert_int_eq(
		    store_look_up(store, &query, &answer), STORE_OK);
		for (int i = 0; i < 6; i++)
			ck_assert_int_eq(
			    all_of(&answer.counts[i]), round * (i + 1));
	}
	close_store();
}
END_TEST

START_TEST(units_come_back)
{
	const struct store_take two = {.id = 77, .period = HOUR, .units = 2};
	const struct store_take added = {.id = 77, .period = HOUR, .units = -3};
	const struct store_take none = {.id = 77, .period = HOUR};
	struct window_counts left;

	open_store();
	take(&stranger, &two);
	take(&stranger, &two);
	give_back(&stranger, &two);
	left = take(&stranger, &none);
	ck_assert_int_eq(all_of(&left), 2);
	give_back(&stranger, &added);
	left = take(&stranger, &none);
	ck_assert_int_eq(all_of(&left), 5);
	close_store();
}
END_TEST

#define SESSIONS 50

static atomic_int seen_counts[SESSIONS + 1];

static void *
take_one(void *arg)
{
	struct store_answer answer;
	const struct store_query query = {
	    .now = now, .client = stranger, .takes = &one, .take_count = 1};
	int64_t count;

	(void)arg;
	if (store_look_up(store, &query, &answer) != STORE_OK)
		return NULL;
	count = all_of(&answer.counts[0]);
	if (count >= 1 && count <= SESSIONS)
		seen_counts[count]++;
	return NULL;
}

START_TEST(parallel_sessions_never_get_the_same_unit)
{
	pthread_t threads[SESSIONS];

	open_store();
	for (int i = 0; i < SESSIONS; i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, take_one, NULL), 0);
	for (int i = 0; i < SESSIONS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 1; i <= SESSIONS; i++)
		ck_assert_msg(seen_counts[i] == 1, "unit %d was given %d times",
		    i, seen_counts[i]);
	close_store();
}
END_TEST

/* The slot of now, when one has just begun, as far as one can choose.  The time
 * that a store in Redis reckons with may step back by half of a round trip, and
 * must not step back into the slot before. */
static int64_t
wait_for_slot(int64_t period, int64_t after)
{
	const struct timespec pause = {0, 20000000};
	const struct timespec distance = {
	    period < 50 ? 0 : 2, 400000000}; /* from the slot before */

	if (!keeper_is_redis()) {
		while (window_slot(now, period) <= after)
			now++;
		return window_slot(now, period);
	}
	while (window_slot(keeper_now(store), period) <= after)
		nanosleep(&pause, NULL);
	nanosleep(&distance, NULL);
	now = keeper_now(store);
	return window_slot(now, period);
}

/* A busy machine may wake up a slot of a second too late. */
#define TRIES 20

START_TEST(units_go_back_to_the_slot_that_they_came_from)
{
	struct store_take three = {.id = 800, .period = 2, .units = 3};
	struct window_counts counts;
	int64_t slot, taken_at;

	open_store();
	do {
		three.id++;
		ck_assert_uint_lt(three.id, 800 + TRIES);
		slot = wait_for_slot(2, window_slot(now, 2));
		take(&stranger, &three);
		taken_at = now;
	} while (wait_for_slot(2, slot) != slot + 1);
	take(&stranger, &three);
	give_back_of(&stranger, &three, taken_at);
	counts = take(&stranger, &three);
	ck_assert_int_eq(counts.slots[WINDOW_SLOT_NOW], 6);
	ck_assert_int_eq(all_of(&counts), 6);
	close_store();
}
END_TEST

/* Of 2 seconds, so that the slots are those; the third one takes its units, and
 * the fourth has but the last two.  False: it came too late for one. */
static bool
four_slots_count(uint32_t id)
{
	static const int64_t expected[][WINDOW_COUNTED] = {
	    {0, 1}, {0, 1, 1}, {0, 1, 1, 1}, {0, 1, 1, 1}};
	const struct store_take first = {.id = id, .period = 2, .units = 1};
	struct window_counts counts;
	int64_t slot = window_slot(now, 2);

	for (int i = 0; i < 4; i++) {
		if (wait_for_slot(2, slot) != slot + 1)
			return false;
		slot++;
		counts = take(&stranger, &first);
		for (int j = 0; j < WINDOW_COUNTED; j++)
			ck_assert_msg(counts.slots[j] == expected[i][j],
			    "second %d, place %d: %lld", i, j,
			    (long long)counts.slots[j]);
	}
	return true;
}

START_TEST(a_slot_counts_until_the_period_has_passed)
{
	uint32_t id = 700;

	open_store();
	while (!four_slots_count(id))
		ck_assert_uint_lt(++id, 700 + TRIES);
	close_store();
}
END_TEST

#define KEY_SLOTS 32 /* in one key of Redis */

/* A period at which such a key ends soon, in four seconds at the soonest: `*last_r`
 * is its last slot.  No slot is so short that one could oversleep it. */
static int64_t
period_that_ends_key(int64_t *last_r)
{
	for (int64_t end = keeper_now(store) + 4;; end++)
		for (int64_t period = 50; period < 2000; period++) {
			*last_r = window_slot(end - 1, period);
			if (seconds_into_slot(*last_r, KEY_SLOTS) ==
				KEY_SLOTS - 1 &&
			    window_slot(end, period) == *last_r + 1)
				return period;
		}
}

START_TEST(slots_of_two_keys_count_together)
{
	struct store_take some = {.id = 9, .units = 2};
	struct window_counts counts;
	int64_t last;

	open_store();
	now = keeper_now(store);
	some.period = period_that_ends_key(&last);
	ck_assert_int_eq(wait_for_slot(some.period, last - 1), last);
	counts = take(&stranger, &some);
	ck_assert_int_eq(counts.slots[WINDOW_SLOT_NOW], 2);
	ck_assert_int_eq(wait_for_slot(some.period, last), last + 1);
	counts = take(&stranger, &some);
	ck_assert_int_eq(counts.slots[WINDOW_SLOT_NOW], 2);
	ck_assert_int_eq(counts.slots[WINDOW_SLOT_NOW + 1], 2);
	some.units = 0;
	counts = take(&stranger, &some);
	ck_assert_int_eq(all_of(&counts), 4);
	close_store();
}
END_TEST

/* A session may come with a time that is a slot behind another's. */
START_TEST(who_is_a_moment_behind_sees_who_is_ahead)
{
	struct window_counts counts;

	open_store();
	if (!keeper_is_redis()) {
		now += HOUR / WINDOW_SLOTS;
		take(&stranger, &one);
		now -= HOUR / WINDOW_SLOTS;
		counts = take(&stranger, &one);
		ck_assert_int_eq(counts.slots[WINDOW_SLOT_NOW], 1);
		ck_assert_int_eq(counts.slots[WINDOW_SLOT_NOW - 1], 1);
	}
	close_store();
}
END_TEST

/* ---- A flood */

#define CAP 64

static void
open_store_with_cap(size_t cap)
{
	struct store_terms terms = keeper_terms();

	terms.network_cap = cap;
	open_store_with(&terms);
}

START_TEST(a_flood_stays_within_the_cap)
{
	int flood = keeper_is_redis() ? 3000 : 100000;

	open_store_with_cap(CAP);
	mark(&elsewhere, MARK_FIRST, now - 60);
	for (int i = 0; i < flood; i++) {
		mark_attempt(&stranger, i, now - 3600 + i % 3600);
		if (keeper_is_redis() && i % 50 == 0)
			look_up(&stranger);
	}
	look_up(&stranger);
	store_tidy(store, now);
	ck_assert_int_le(remembered(&stranger, 0, 3000), CAP + CAP / 8);
	ck_assert_int_le(
	    remembered(&stranger, flood - 3000, flood), CAP + CAP / 8);
	ck_assert_int_eq(clock_of(&elsewhere, CLOCK_REAL).first_seen, now - 60);
	close_store();
}
END_TEST

/* What a record is filled with, oldest first, and how much is left of each step
 * at least: of attempts the first, of passes the latest.  It may be an eighth of
 * the cap more. */
struct fill_step {
	enum clock_mark mark;
	int count;
	int64_t ago; /* when the last of them happened */
	int left;
};

static const struct {
	const char *when;
	struct fill_step steps[2];
} fill_rows[] = {
    {"the first attempts of one host stay, or its retries would find none",
	{{MARK_FIRST, CAP, 2 * HOUR, CAP}, {MARK_FIRST, 1000, HOUR, 0}}},
    {"an attempt that still waits outlives a flood of later ones",
	{{MARK_FIRST, 1, HOUR, 1}, {MARK_FIRST, 1000, 10, CAP - 1}}},
    {"a new attempt finds room among nothing but passes",
	{{MARK_PASSED, CAP, HOUR, CAP - 1}, {MARK_FIRST, 1, 10, 1}}},
    {"a flood of attempts leaves half of the room to passes",
	{{MARK_PASSED, CAP, 2 * HOUR, CAP / 2},
	    {MARK_FIRST, 1000, HOUR, CAP / 2}}},
    {"attempts may have what passes leave free",
	{{MARK_PASSED, 8, 2 * HOUR, 8}, {MARK_FIRST, 1000, HOUR, CAP - 8}}},
    {"passes leave half of the room to attempts",
	{{MARK_FIRST, CAP, 2 * HOUR, CAP / 2},
	    {MARK_PASSED, 1000, HOUR, CAP / 2}}},
    {"passes may have what attempts leave free",
	{{MARK_FIRST, 8, 2 * HOUR, 8}, {MARK_PASSED, 1000, HOUR, CAP - 8}}},
    {"of passes the one that was used last stays",
	{{MARK_PASSED, CAP, 2 * HOUR, CAP - 8}, {MARK_PASSED, 8, HOUR, 8}}},
};

#define STEP_NUMBERS 10000 /* apart */

static void
fill(const struct fill_step *step, int first)
{
	for (int i = 0; i < step->count; i++)
		mark_number(&stranger, first + i, step->mark,
		    now - step->ago - step->count + i);
}

static void
settle(const struct store_client *client)
{
	for (int i = 0; i < 2; i++) {
		look_up(client);
		store_tidy(store, now);
	}
}

START_TEST(what_makes_room_in_a_full_record)
{
	const char *when = fill_rows[_i].when;

	open_store_with_cap(CAP);
	for (int i = 0; i < 2; i++)
		fill(&fill_rows[_i].steps[i], i * STEP_NUMBERS);
	settle(&stranger);
	for (int i = 0; i < 2; i++) {
		const struct fill_step *step = &fill_rows[_i].steps[i];
		int first = i * STEP_NUMBERS, end = first + step->count;
		int left = remembered(&stranger, first, end);
		int right = step->mark == MARK_FIRST
		    ? remembered(&stranger, first, first + step->left)
		    : remembered(&stranger, end - step->left, end);

		ck_assert_msg(
		    right == step->left && left <= step->left + CAP / 8,
		    "%s: %d of step %d are left, %d of %d as they should", when,
		    left, i, right, step->left);
	}
	close_store();
}
END_TEST

static const struct {
	const char *when;
	const struct store_client *victim;
	struct store_client flooder; /* of many hosts if its host is 0 */
	const char *sender;
	bool outlives; /* what the victim began before */
	bool crowded;  /* is the victim's host */
} flood_rows[] = {
    {"a neighbour's flood is his own", &neighbour,
	{"192.0.2.0/24", 66, NULL, "192.0.2.66"}, "s@flood.example", true,
	false},
    {"so is one from twenty neighbours", &neighbour,
	{"192.0.2.0/24", 0, NULL, NULL}, "s@flood.example", true, false},
    {"and one from elsewhere in the organisation", &pooled_there,
	{"203.0.113.0/24", 66, "example.net", "203.0.113.66"},
	"s@flood.example", true, false},
    {"or from next to it", &pooled_here,
	{"203.0.113.0/24", 66, "example.net", "203.0.113.66"},
	"s@flood.example", true, false},
    {"another sender's flood leaves the sender his share", &neighbour,
	{"192.0.2.0/24", 8, NULL, "192.0.2.8"}, "s@flood.example", true, true},
};

#define FLOODING_HOSTS 20

static void
flood_once(const struct store_client *flooder, const char *sender, int number)
{
	char address[16];
	struct store_client client = *flooder;

	if (client.host == 0) {
		client.host = 100 + (unsigned)(number % FLOODING_HOSTS);
		snprintf(address, sizeof address, "192.0.2.%u", client.host);
		client.address = address;
	}
	mark_flood(&client, sender, STEP_NUMBERS + number * RECIPIENTS_MAX,
	    RECIPIENTS_MAX, now - 60);
	look_up(&client);
}

/* Messages to as many recipients as are remembered, before and after another
 * client's first attempts. */
START_TEST(a_flood_costs_its_author)
{
	const char *when = flood_rows[_i].when;
	const struct store_client *victim = flood_rows[_i].victim;
	const struct store_client *flooder = &flood_rows[_i].flooder;
	bool crowded;

	open_store_with_cap(CAP);
	mark(victim, MARK_FIRST, now - 600);
	for (int i = 0; i < 50; i++)
		flood_once(flooder, flood_rows[_i].sender, i);
	mark_pair(victim, &other_pair, CLOCK_REAL, MARK_FIRST, now - 30);
	for (int i = 50; i < 100; i++)
		flood_once(flooder, flood_rows[_i].sender, i);
	settle(victim);
	settle(flooder);
	ck_assert_msg(clock_of(victim, CLOCK_REAL).first_seen == now - 600,
	    "%s: what was begun before", when);
	ck_assert_msg(look_up_pair(victim, &other_pair)
			  ->pairs[0][CLOCK_REAL]
			  .first_seen == now - 30,
	    "%s: what was begun meanwhile", when);
	crowded = look_up(victim)->crowded_since != 0;
	ck_assert_msg(crowded == flood_rows[_i].crowded, "%s: %s", when,
	    crowded ? "crowded" : "not crowded");
	close_store();
}
END_TEST

START_TEST(who_is_pushed_out_by_himself_is_known_to_wait)
{
	open_store_with_cap(CAP);
	look_up(&stranger);
	mark_attempt(&stranger, 1, now - 60);
	settle(&stranger);
	ck_assert_int_eq(look_up(&stranger)->crowded_since, 0);
	for (int i = 0; i < 4 * CAP; i++)
		mark_attempt(&stranger, i, now - 60);
	settle(&stranger);
	ck_assert_int_ge(look_up(&stranger)->crowded_since, now - 60);
	ck_assert_int_le(look_up(&stranger)->crowded_since, now + 5);
	ck_assert_int_eq(look_up(&neighbour)->crowded_since, 0);
	close_store();
}
END_TEST

/* As a mail queue does: round after round, in the same order. */
START_TEST(a_mailing_that_retries_in_order_gets_through)
{
	enum { COUNT_ALL = 10 * CAP, ROUNDS = 30 };
	bool passed[COUNT_ALL] = {false};
	int count = 0, rounds = 0;

	open_store_with_cap(CAP);
	for (; count < COUNT_ALL && rounds < ROUNDS; rounds++) {
		for (int i = 0; i < COUNT_ALL; i++) {
			if (passed[i])
				continue;
			if (remembered(&stranger, i, i + 1) == 1) {
				mark_number(&stranger, i, MARK_PASSED, now);
				passed[i] = true;
				count++;
			} else {
				mark_attempt(&stranger, i, now);
			}
		}
		settle(&stranger);
	}
	ck_assert_msg(count == COUNT_ALL, "%d of %d passed", count, COUNT_ALL);
	close_store();
}
END_TEST

START_TEST(a_sender_gets_through_where_all_others_have_passed)
{
	open_store_with_cap(CAP);
	fill(&(struct fill_step){MARK_PASSED, CAP, HOUR, 0}, 0);
	for (int i = 0; i < 2 * CAP; i++) {
		int newcomer = STEP_NUMBERS + i;

		mark_attempt(&stranger, newcomer, now - 600);
		look_up(&stranger);
		store_tidy(store, now);
		ck_assert_int_eq(
		    remembered(&stranger, newcomer, newcomer + 1), 1);
		mark_number(&stranger, newcomer, MARK_PASSED, now);
	}
	close_store();
}
END_TEST

/* ---- The farm */

START_TEST(a_load_that_is_published_is_read)
{
	struct load_report own = {.load = 0.75}, reports[8];
	int64_t there = 0;
	size_t count = 0;

	open_store();
	own.at = now;
	ck_assert_int_eq(
	    store_exchange_load(store, &own, reports, 8, &there, &count),
	    STORE_OK);
	ck_assert_int_eq((int)count, 1);
	ck_assert_double_eq_tol(reports[0].load, 0.75, 0.001);
	ck_assert_int_le(llabs(reports[0].at - there), 1);
	ck_assert_int_le(llabs(there - now), 2);
	close_store();
}
END_TEST

START_TEST(an_unknown_shared_list_is_empty_and_told_once)
{
	struct list *list = NULL;

	open_store();
	ck_assert_int_eq(store_read_list(store, "friends", &list), STORE_OK);
	ck_assert_ptr_nonnull(list);
	ck_assert_int_eq((int)list_count(list), 0);
	list_free(&list);
	ck_assert_int_eq(store_read_list(store, "friends", &list), STORE_OK);
	ck_assert_ptr_null(list);
	ck_assert_int_eq(store_read_list(store, "foes", &list), STORE_OK);
	ck_assert_ptr_nonnull(list);
	list_free(&list);
	close_store();
}
END_TEST

static void
count_report(void *arg, const char *text)
{
	(void)text;
	++*(int *)arg;
}

START_TEST(without_reports_none_are_given)
{
	int count = 0;

	open_store();
	ck_assert_int_eq(
	    store_take_reports(store, now, count_report, &count), STORE_OK);
	ck_assert_int_eq(count, 0);
	ck_assert(store_is_up(store));
	close_store();
}
END_TEST

/* ---- Different things */

static const struct store_pair letters[] = {
    {"ann@a.example", "x@b.example", NULL},
    {"ann@a.example", "y@b.example", NULL},
    {"bob@a.example", "x@b.example", NULL},
    {"bob@a.example", "z@b.example", NULL}};

static int64_t
distinct(enum store_distinct what, size_t first, size_t count, int64_t most)
{
	const struct store_take take_ = {.id = 80 + (uint32_t)what,
	    .holder = "alice",
	    .period = HOUR,
	    .distinct = what,
	    .pairs = &letters[first],
	    .pair_count = count,
	    .most = most};
	struct window_counts counts = take(&stranger, &take_);

	ck_assert_int_eq(counts.units, 0);
	return all_of(&counts);
}

START_TEST(different_things_are_counted_once)
{
	open_store();
	ck_assert_int_eq(distinct(STORE_RECIPIENTS, 0, 0, 9), 0);
	ck_assert_int_eq(distinct(STORE_RECIPIENTS, 0, 1, 9), 1);
	ck_assert_int_eq(distinct(STORE_RECIPIENTS, 0, 1, 9), 1);
	ck_assert_int_eq(distinct(STORE_RECIPIENTS, 0, 2, 9), 2);
	ck_assert_int_eq(distinct(STORE_RECIPIENTS, 2, 2, 9), 3);
	ck_assert_int_eq(distinct(STORE_RECIPIENTS, 0, 4, 9), 3);
	close_store();
	open_store();
	ck_assert_int_eq(distinct(STORE_SENDERS, 0, 2, 9), 1);
	ck_assert_int_eq(distinct(STORE_SENDERS, 0, 4, 9), 2);
	close_store();
}
END_TEST

START_TEST(different_things_are_bounded)
{
	open_store();
	ck_assert_int_eq(distinct(STORE_RECIPIENTS, 0, 4, 2), 2);
	ck_assert_int_eq(distinct(STORE_RECIPIENTS, 0, 4, 2), 2);
	close_store();
}
END_TEST

START_TEST(who_only_looks_adds_no_different_thing)
{
	const struct store_take looks = {.id = 80 + STORE_RECIPIENTS,
	    .holder = "alice",
	    .period = HOUR,
	    .distinct = STORE_RECIPIENTS,
	    .pairs = &letters[1],
	    .pair_count = 1,
	    .most = 9};
	struct store_query query = {.client = stranger,
	    .peeks = true,
	    .takes = &looks,
	    .take_count = 1};
	struct store_answer answer;

	open_store();
	ck_assert_int_eq(distinct(STORE_RECIPIENTS, 0, 1, 9), 1);
	query.now = keeper_now(store);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(
		    store_look_up(store, &query, &answer), STORE_OK);
		ck_assert_int_eq(all_of(&answer.counts[0]), 2);
	}
	ck_assert_int_eq(distinct(STORE_RECIPIENTS, 0, 1, 9), 1);
	close_store();
}
END_TEST

START_TEST(different_things_end_with_their_period)
{
	const struct store_take brief = {.id = 81,
	    .holder = "alice",
	    .period = 2,
	    .distinct = STORE_RECIPIENTS,
	    .pairs = letters,
	    .pair_count = 1,
	    .most = 9};
	struct store_take other = brief;
	struct window_counts counts;

	other.pairs = &letters[1];
	open_store();
	take(&stranger, &brief);
	if (keeper_is_redis())
		(void)nanosleep(&(struct timespec){3, 0}, NULL);
	else
		now += 3;
	counts = take(&stranger, &other);
	ck_assert_int_eq(all_of(&counts), 1);
	close_store();
}
END_TEST

START_TEST(different_things_can_be_forgotten)
{
	const int64_t periods[] = {HOUR};
	const uint32_t limits[] = {83};
	const struct store_forget forget = {.tag = stranger.network,
	    .periods = periods,
	    .limits = limits,
	    .period_count = 1};
	const struct store_take some = {.id = 83,
	    .period = HOUR,
	    .distinct = STORE_RECIPIENTS,
	    .pairs = letters,
	    .pair_count = 2,
	    .most = 9};
	struct store_take one_more = some;
	struct window_counts counts;
	size_t count;

	one_more.pair_count = 1;
	open_store();
	counts = take(&stranger, &some);
	ck_assert_int_eq(all_of(&counts), 2);
	ck_assert_int_eq(store_forget(store, &forget, &count), STORE_OK);
	counts = take(&stranger, &one_more);
	ck_assert_int_eq(all_of(&counts), 1);
	close_store();
}
END_TEST

static Suite *
store_limits_suite(void)
{
	Suite *suite = suite_create("store_limits");
	TCase *limits = tcase_create("limits");

	tcase_set_timeout(limits, 240);
	tcase_add_loop_test(limits, takes, 0, COUNT(take_rows));
	tcase_add_test(limits, holders_of_all_kinds_are_counted_in_one_look_up);
	tcase_add_test(limits, units_come_back);
	tcase_add_test(limits, parallel_sessions_never_get_the_same_unit);
	tcase_add_test(limits, units_go_back_to_the_slot_that_they_came_from);
	tcase_add_test(limits, a_slot_counts_until_the_period_has_passed);
	tcase_add_test(limits, slots_of_two_keys_count_together);
	tcase_add_test(limits, who_is_a_moment_behind_sees_who_is_ahead);
	tcase_add_test(limits, different_things_are_counted_once);
	tcase_add_test(limits, different_things_are_bounded);
	tcase_add_test(limits, who_only_looks_adds_no_different_thing);
	tcase_add_test(limits, different_things_end_with_their_period);
	tcase_add_test(limits, different_things_can_be_forgotten);
	tcase_add_test(limits, a_flood_stays_within_the_cap);
	tcase_add_loop_test(
	    limits, what_makes_room_in_a_full_record, 0, COUNT(fill_rows));
	tcase_add_loop_test(
	    limits, a_flood_costs_its_author, 0, COUNT(flood_rows));
	tcase_add_test(limits, who_is_pushed_out_by_himself_is_known_to_wait);
	tcase_add_test(limits, a_mailing_that_retries_in_order_gets_through);
	tcase_add_test(
	    limits, a_sender_gets_through_where_all_others_have_passed);
	tcase_add_test(limits, a_load_that_is_published_is_read);
	tcase_add_test(limits, an_unknown_shared_list_is_empty_and_told_once);
	tcase_add_test(limits, without_reports_none_are_given);
	suite_add_tcase(suite, limits);
	return suite;
}

int
main(int argc, char **argv)
{
	return run_suite(store_limits_suite(), argc, argv);
}
