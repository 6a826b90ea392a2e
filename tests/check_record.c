/* What is kept of clients as plain values: the same from every store, and taken over
 * by another one so that nobody is worse off. */
#include "store/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/store_steps.h"
#include "store/memory/store_memory.h"

/* ---- Two of one name.  Pure. */

#define NOW INT64_C(1780000000)
#define CAP 4

static const struct store_terms terms = {.half_life = 604800,
    .pending_life = 90000,
    .worthy_life = 3110400,
    .abandoned_after = 14400,
    .network_cap = CAP};

static void
put_clock(struct store_record *record, const char *name, int64_t first,
    int64_t passed)
{
	struct record_clock *clock = record_add_clock(record);

	ck_assert_ptr_nonnull(clock);
	strcpy(clock->pair, name);
	clock->at = (struct greylist_clock){first, passed};
}

static const struct {
	const char *when;
	struct greylist_clock mine, other, merged;
} clock_rows[] = {
    {"of two waits the longer counts", {NOW - 50, 0}, {NOW - 90, 0},
	{NOW - 90, 0}},
    {"whichever it is", {NOW - 90, 0}, {NOW - 50, 0}, {NOW - 90, 0}},
    {"what has passed stays passed", {0, NOW - 90}, {NOW - 500, 0},
	{0, NOW - 90}},
    {"what passed elsewhere has passed", {NOW - 500, 0}, {0, NOW - 90},
	{0, NOW - 90}},
    {"of two passes the later counts", {0, NOW - 90}, {0, NOW - 50},
	{0, NOW - 50}},
    {"nothing is forgotten for nothing", {0, NOW - 90}, {0, 0}, {0, NOW - 90}},
};

START_TEST(clocks)
{
	struct store_record mine = {.name = "192.0.2.0/24", .expires = NOW + 9};
	struct store_record other = mine;

	put_clock(&mine, "AAAAAAAA", clock_rows[_i].mine.first_seen,
	    clock_rows[_i].mine.last_passed);
	put_clock(&other, "AAAAAAAA", clock_rows[_i].other.first_seen,
	    clock_rows[_i].other.last_passed);
	for (int i = 0; i < 2; i++) {
		ck_assert(record_merge(&mine, &other, &terms, NOW));
		ck_assert_uint_eq(mine.clock_count, 1);
		ck_assert_msg(mine.clocks[0].at.first_seen ==
			    clock_rows[_i].merged.first_seen &&
			mine.clocks[0].at.last_passed ==
			    clock_rows[_i].merged.last_passed,
		    "%s", clock_rows[_i].when);
	}
	record_clear(&mine);
	record_clear(&other);
}
END_TEST

START_TEST(a_full_record_keeps_its_own)
{
	struct store_record mine = {.name = "192.0.2.0/24", .expires = NOW + 9};
	struct store_record other = mine;
	char name[TRIPLET_SIZE];

	for (int i = 0; i < CAP; i++) {
		memcpy(name, "0AAAAAAA", sizeof "0AAAAAAA");
		name[0] = (char)('0' + i);
		put_clock(&mine, name, NOW - 60, 0);
		name[1] = 'B';
		put_clock(&other, name, 0, NOW - 60);
	}
	ck_assert(record_merge(&mine, &other, &terms, NOW));
	ck_assert_uint_eq(mine.clock_count, CAP);
	ck_assert_str_eq(mine.clocks[CAP - 1].pair, "3AAAAAAA");
	record_clear(&mine);
	record_clear(&other);
}
END_TEST

static const struct {
	const char *when;
	bool is_new;
	struct record_points mine, other, merged;
} points_rows[] = {
    {"a new record is taken as it is", true, {0, 0, 0}, {5, 90, NOW - 9},
	{5, 90, NOW - 9}},
    {"nobody gets bad points from elsewhere", false, {1, 2, 0}, {0, 90, 0},
	{1, 2, 0}},
    {"nor loses good ones", false, {9, 2, NOW - 5}, {5, 0, NOW - 1},
	{9, 2, NOW - 5}},
    {"but gets those that he had", false, {1, 2, 0}, {5, 90, NOW - 9},
	{5, 2, NOW - 9}},
};

START_TEST(points)
{
	struct store_record mine = {.name = "192.0.2.0/24",
	    .expires = points_rows[_i].is_new ? 0 : NOW + 9,
	    .points = points_rows[_i].mine};
	struct store_record other = {.name = "192.0.2.0/24",
	    .expires = NOW + 99,
	    .has_points = true,
	    .points = points_rows[_i].other};
	const struct record_points *merged = &points_rows[_i].merged;

	record_add_host(&other)->points = points_rows[_i].other;
	for (int i = 0; i < 2; i++) {
		ck_assert(record_merge(&mine, &other, &terms, NOW));
		ck_assert_msg(mine.points.good == merged->good &&
			mine.points.bad == merged->bad &&
			mine.points.paced_at == merged->paced_at,
		    "%s", points_rows[_i].when);
		ck_assert_uint_eq(mine.host_count, 1);
		ck_assert_double_eq(mine.hosts[0].points.bad,
		    points_rows[_i].is_new ? other.points.bad : 0);
	}
	ck_assert_int_eq(mine.expires, NOW + 99);
	record_clear(&mine);
	record_clear(&other);
}
END_TEST

START_TEST(what_has_ended_is_left_out)
{
	struct store_record record = {
	    .name = "192.0.2.0/24", .expires = NOW + 99999999};

	put_clock(&record, "AAAAAAAA", NOW - 14400, 0); /* abandoned */
	put_clock(&record, "BBBBBBBB", NOW - 14399, 0);
	put_clock(&record, "CCCCCCCC", 0, NOW - 3110401);
	put_clock(&record, "DDDDDDDD", 0, NOW + 500);
	put_clock(&record, "", NOW - 20000, 0); /* no attempt */
	record_add_trust(&record)->last_used = NOW - 3110401;
	record_add_trust(&record)->last_used = NOW + 500;
	record_tidy(&record, &terms, NOW);
	ck_assert_uint_eq(record.clock_count, 3);
	ck_assert_str_eq(record.clocks[0].pair, "BBBBBBBB");
	ck_assert_int_eq(record.clocks[1].at.last_passed, NOW);
	ck_assert_uint_eq(record.trust_count, 1);
	ck_assert_int_eq(record.trusts[0].last_used, NOW);
	ck_assert_int_eq(record.expires, NOW + 90000);
	record_clear(&record);
}
END_TEST

/* ---- Stores */

#define TAKEN_MAX 64

struct taken {
	struct store_record records[TAKEN_MAX];
	size_t count;
};

static void *
copy_of(const void *array, size_t count, size_t size)
{
	void *copy = malloc(count * size + 1);

	ck_assert_ptr_nonnull(copy);
	if (count > 0)
		memcpy(copy, array, count * size);
	return copy;
}

static void
take_record(void *arg, const struct store_record *record)
{
	struct taken *taken = arg;
	struct store_record *copy = &taken->records[taken->count++];

	ck_assert_uint_le(taken->count, TAKEN_MAX);
	*copy = *record;
	copy->hosts =
	    copy_of(record->hosts, record->host_count, sizeof *record->hosts);
	copy->trusts = copy_of(
	    record->trusts, record->trust_count, sizeof *record->trusts);
	copy->clocks = copy_of(
	    record->clocks, record->clock_count, sizeof *record->clocks);
}

static int
by_name(const void *a, const void *b)
{
	const struct store_record *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void
walk(struct store *from, struct taken *taken)
{
	struct store_walk at = {0};

	taken->count = 0;
	while (!at.is_done)
		ck_assert_int_eq(
		    store_walk(from, &at, now, take_record, taken), STORE_OK);
	qsort(taken->records, taken->count, sizeof taken->records[0], by_name);
}

static void
clear(struct taken *taken)
{
	for (size_t i = 0; i < taken->count; i++)
		record_clear(&taken->records[i]);
	taken->count = 0;
}

static void
restore(struct store *to, struct taken *taken)
{
	for (size_t i = 0; i < taken->count; i += STORE_RESTORE_MOST) {
		size_t left = taken->count - i;

		ck_assert_int_eq(
		    store_restore(to, &taken->records[i],
			left < STORE_RESTORE_MOST ? left : STORE_RESTORE_MOST,
			now),
		    STORE_OK);
	}
}

/* An embedded one that makes the same names. */
static struct store *
open_twin(void)
{
	struct store_memory_config config = {.terms = keeper_terms()};
	struct triplet_namer namer;
	struct store *twin;

	ck_assert_int_eq(store_namer(store, &namer), STORE_OK);
	config.key = namer.key;
	twin = store_memory_open(&config, now);
	ck_assert_ptr_nonnull(twin);
	return twin;
}

static void
fill(void)
{
	struct store_effects effects = {.now = now,
	    .client = stranger,
	    .passes = 3,
	    .good = 5,
	    .bad = 7,
	    .accepted = 1,
	    .worthy = true};

	effects.client_mark[CLOCK_OBSERVED] = MARK_PASSED;
	(void)look_up(&stranger); /* who is seen earns for accepted mail */
	ck_assert_int_eq(store_remember(store, &effects), STORE_OK);
	mark(&stranger, MARK_FIRST, now - 60);
	mark_pair(&stranger, &other_pair, CLOCK_DEFERRED, MARK_PASSED, now);
	mark(&pooled_here, MARK_FIRST, now - 30);
	earn(&elsewhere, 0, 50, now);
	(void)look_up(&stranger); /* after all that was told */
}

static void
check_filled(void)
{
	const struct store_answer *answer = look_up(&stranger);

	ck_assert_int_eq(answer->passes, 3);
	ck_assert_int_eq(answer->client[CLOCK_OBSERVED].last_passed, now);
	ck_assert_int_eq(answer->pairs[0][CLOCK_REAL].first_seen, now - 60);
	ck_assert_double_eq_tol(answer->network.good, 6, 0.05);
	ck_assert_double_eq_tol(answer->host.bad, 7, 0.05);
	answer = look_up_pair(&stranger, &other_pair);
	ck_assert_int_eq(answer->pairs[0][CLOCK_DEFERRED].last_passed, now);
	ck_assert_int_eq(
	    clock_of(&pooled_there, CLOCK_REAL).first_seen, now - 30);
	ck_assert_double_eq_tol(look_up(&elsewhere)->network.bad, 50, 0.1);
}

static void
compare(const struct taken *a, const struct taken *b)
{
	ck_assert_uint_eq(a->count, b->count);
	for (size_t i = 0; i < a->count; i++) {
		const struct store_record *x = &a->records[i];
		const struct store_record *y = &b->records[i];

		ck_assert_str_eq(x->name, y->name);
		ck_assert_int_eq(x->worthy, y->worthy);
		ck_assert_double_eq_tol(x->points.good, y->points.good, 0.05);
		ck_assert_double_eq_tol(x->points.bad, y->points.bad, 0.05);
		ck_assert_int_eq(x->points.paced_at, y->points.paced_at);
		ck_assert_uint_eq(x->host_count, y->host_count);
		ck_assert_uint_eq(x->trust_count, y->trust_count);
		ck_assert_uint_eq(x->clock_count, y->clock_count);
	}
}

/* From the keeper to an embedded store and, anew, back again. */
START_TEST(records_travel)
{
	static struct taken first, there, back;
	struct store *twin, *keeper;

	open_store();
	fill();
	walk(store, &first);
	ck_assert_uint_ge(first.count, 4);
	twin = open_twin();
	restore(twin, &first);
	restore(twin, &first);
	walk(twin, &there);
	compare(&first, &there);
	keeper = store;
	store = twin;
	check_filled();
	store = keeper;
	for (size_t i = 0; i < first.count; i++) {
		struct store_forget all = {.tag = first.records[i].name};
		size_t count;

		if (store->ops->records != NULL)
			ck_assert_int_eq(
			    store_forget(store, &all, &count), STORE_OK);
	}
	restore(store, &there);
	restore(store, &there);
	check_filled();
	walk(store, &back);
	compare(&first, &back);
	clear(&first);
	clear(&there);
	clear(&back);
	store_close(&twin);
	close_store();
}
END_TEST

/* What another program wrote for ever lives as long as its kind does. */
START_TEST(no_record_lives_for_ever)
{
	struct store_record record = {.expires = INT64_MAX};
	static struct taken taken;
	struct record_clock *clock;

	open_store();
	strcpy(record.name, stranger.network);
	clock = record_add_clock(&record);
	strcpy(clock->pair, "AAAAAAAA");
	clock->at.first_seen = INT64_MAX;
	ck_assert_int_eq(store_restore(store, &record, 1, now), STORE_OK);
	ck_assert_int_eq(store_read_record(
			     store, stranger.network, now, take_record, &taken),
	    STORE_OK);
	ck_assert_uint_eq(taken.count, 1);
	ck_assert_int_ge(taken.records[0].expires, now);
	ck_assert_int_le(
	    taken.records[0].expires, now + KEEPER_PENDING_LIFE * 12 / 10);
	ck_assert_int_le(taken.records[0].clocks[0].at.first_seen, now + 5);
	record_clear(&record);
	clear(&taken);
	close_store();
}
END_TEST

START_TEST(a_record_is_read_by_its_name)
{
	static struct taken taken;

	open_store();
	fill();
	ck_assert_int_eq(store_read_record(
			     store, stranger.network, now, take_record, &taken),
	    STORE_OK);
	ck_assert_uint_eq(taken.count, 1);
	ck_assert_str_eq(taken.records[0].name, stranger.network);
	ck_assert_int_eq(store_read_record(store, "198.18.255.0/24", now,
			     take_record, &taken),
	    STORE_OK);
	ck_assert_uint_eq(taken.count, 1);
	clear(&taken);
	close_store();
}
END_TEST

/* What another program knew of a whole network holds for each of its addresses,
 * and who uses it has it for himself. */
START_TEST(a_network_may_be_known_as_a_whole)
{
	struct store_record wide = {.expires = 0, .worthy = true};
	struct store_effects effects = {.client = stranger, .worthy = true};
	struct record_clock *clock;
	struct triplet_namer namer;

	open_store();
	effects.now = now;
	strcpy(wide.name, stranger.network);
	wide.expires = now + KEEPER_WORTHY_LIFE;
	record_add_trust(&wide)->passes = 5;
	wide.trusts[0].last_used = now - 60;
	clock = record_add_clock(&wide);
	clock->at.last_passed = now - 60;
	ck_assert_int_eq(store_namer(store, &namer), STORE_OK);
	ck_assert(triplet_name(&namer, &pair, clock->pair));
	ck_assert_int_eq(store_restore(store, &wide, 1, now), STORE_OK);
	ck_assert_int_eq(look_up(&stranger)->passes, 5);
	ck_assert_int_eq(
	    look_up(&stranger)->pairs[0][CLOCK_REAL].last_passed, now - 60);
	ck_assert_int_eq(look_up(&neighbour)->passes, 5);
	ck_assert_int_eq(look_up(&elsewhere)->passes, 0);
	ck_assert_int_eq(store_remember(store, &effects), STORE_OK);
	ck_assert_int_eq(look_up(&stranger)->last_used, now);
	ck_assert_int_eq(look_up(&stranger)->passes, 5);
	record_clear(&wide);
	close_store();
}
END_TEST

static Suite *
record_suite(void)
{
	Suite *suite = suite_create("record");
	TCase *merging = tcase_create("merging");
	TCase *stores = tcase_create("stores");

	tcase_add_loop_test(
	    merging, clocks, 0, sizeof clock_rows / sizeof clock_rows[0]);
	tcase_add_test(merging, a_full_record_keeps_its_own);
	tcase_add_loop_test(
	    merging, points, 0, sizeof points_rows / sizeof points_rows[0]);
	tcase_add_test(merging, what_has_ended_is_left_out);
	suite_add_tcase(suite, merging);

	tcase_add_test(stores, records_travel);
	tcase_add_test(stores, no_record_lives_for_ever);
	tcase_add_test(stores, a_record_is_read_by_its_name);
	tcase_add_test(stores, a_network_may_be_known_as_a_whole);
	suite_add_tcase(suite, stores);
	return suite;
}

int
main(int argc, char **argv)
{
	return run_suite(record_suite(), argc, argv);
}
