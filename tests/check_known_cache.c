#include "store/known_cache.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/check_main.h"

#define NOON INT64_C(1767268800)
#define DAY  INT64_C(86400)
#define SEED UINT64_C(4711)

static const struct known_cache_entry good = {true, 80, NOON};

static bool
knows(struct known_cache *standing, const char *network)
{
	struct known_cache_entry entry;

	return known_cache_recall(standing, network, NOON, DAY, &entry);
}

static const char *
nth_network(int n, char buf[32])
{
	snprintf(buf, 32, "10.%d.%d.0/24", n / 256, n % 256);
	return buf;
}

START_TEST(what_was_noted_is_recalled)
{
	struct known_cache *standing = known_cache_create(64, SEED);
	struct known_cache_entry entry = {false, 0, 0};

	ck_assert(!knows(standing, "192.0.2.0/24"));
	known_cache_note(standing, "192.0.2.0/24", &good);
	ck_assert(known_cache_recall(
	    standing, "192.0.2.0/24", NOON + 60, DAY, &entry));
	ck_assert(entry.known && entry.score == 80 && entry.seen == NOON);
	ck_assert(!knows(standing, "192.0.2.0/2"));
	ck_assert(!knows(standing, "192.0.2.0/240"));
	ck_assert(!knows(standing, ""));
	known_cache_free(&standing);
	ck_assert(standing == NULL);
}
END_TEST

START_TEST(a_later_note_replaces_an_earlier_one)
{
	struct known_cache *standing = known_cache_create(64, SEED);
	const struct known_cache_entry later = {false, 30, NOON + 5};
	struct known_cache_entry entry;

	known_cache_note(standing, "2001:db8::/64", &good);
	known_cache_note(standing, "2001:db8::/64", &later);
	ck_assert(
	    known_cache_recall(standing, "2001:db8::/64", NOON, DAY, &entry));
	ck_assert(!entry.known && entry.score == 30 && entry.seen == NOON + 5);
	known_cache_free(&standing);
}
END_TEST

START_TEST(what_was_forgotten_is_gone)
{
	struct known_cache *standing = known_cache_create(64, SEED);

	known_cache_note(standing, "192.0.2.0/24", &good);
	known_cache_note(standing, "198.51.100.0/24", &good);
	known_cache_forget(standing, "192.0.2.0/24");
	known_cache_forget(standing, "203.0.113.0/24");
	ck_assert(!knows(standing, "192.0.2.0/24"));
	ck_assert(knows(standing, "198.51.100.0/24"));
	known_cache_free(&standing);
}
END_TEST

static const struct {
	const char *when;
	int64_t now;
	bool found;
} age_rows[] = {
    {"at once", NOON, true},
    {"as old as it may be", NOON + DAY, true},
    {"a second older", NOON + DAY + 1, false},
    {"the clock went back a little", NOON - DAY, true},
    {"the clock went back far", NOON - DAY - 1, false},
    {"the end of time", INT64_MAX, false},
    {"the start of time", INT64_MIN, false},
};

START_TEST(only_lately_seen_clients_count)
{
	struct known_cache *standing = known_cache_create(64, SEED);
	struct known_cache_entry entry = {false, 0, 7};

	known_cache_note(standing, "192.0.2.0/24", &good);
	ck_assert_msg(known_cache_recall(standing, "192.0.2.0/24",
			  age_rows[_i].now, DAY, &entry) == age_rows[_i].found,
	    "%s", age_rows[_i].when);
	ck_assert_msg(entry.seen == (age_rows[_i].found ? NOON : 7), "%s",
	    age_rows[_i].when);
	known_cache_free(&standing);
}
END_TEST

START_TEST(the_oldest_in_a_full_set_goes_first)
{
	struct known_cache *standing =
	    known_cache_create(8, SEED); /* one set */
	struct known_cache_entry entry = good;
	char network[32];

	for (int i = 0; i < 8; i++) {
		entry.seen = NOON + (i + 3) % 8;
		known_cache_note(standing, nth_network(i, network), &entry);
	}
	entry.seen = NOON + 100;
	known_cache_note(standing, "192.0.2.0/24", &entry);
	ck_assert(knows(standing, "192.0.2.0/24"));
	for (int i = 0; i < 8; i++)
		ck_assert_msg(
		    knows(standing, nth_network(i, network)) == (i != 5),
		    "network %d", i);
	known_cache_free(&standing);
}
END_TEST

START_TEST(what_a_wrong_clock_noted_goes_first)
{
	struct known_cache *standing = known_cache_create(8, SEED);
	struct known_cache_entry entry = good;
	char network[32];

	for (int i = 0; i < 8; i++) {
		entry.seen = i == 2 ? NOON + 400 * DAY : NOON - i;
		known_cache_note(standing, nth_network(i, network), &entry);
	}
	known_cache_note(standing, "192.0.2.0/24", &good);
	ck_assert(knows(standing, "192.0.2.0/24"));
	for (int i = 0; i < 8; i++)
		ck_assert_msg(
		    knows(standing, nth_network(i, network)) == (i != 2),
		    "network %d", i);
	known_cache_free(&standing);
}
END_TEST

START_TEST(a_flood_keeps_the_latest)
{
	struct known_cache *standing = known_cache_create(1024, SEED);
	struct known_cache_entry entry = good;
	char network[32];
	int latest = 0, all = 0;

	for (int i = 0; i < 20000; i++) {
		entry.seen = NOON + i;
		known_cache_note(standing, nth_network(i, network), &entry);
	}
	for (int i = 0; i < 20000; i++) {
		bool known = knows(standing, nth_network(i, network));

		all += known;
		latest += known && i >= 20000 - 512;
	}
	ck_assert_msg(all == 1024, "the table is full: %d", all);
	ck_assert_msg(latest > 490, "of the latest 512 it knows %d", latest);
	known_cache_free(&standing);
}
END_TEST

START_TEST(any_size_works)
{
	static const size_t sizes[] = {0, 1, 9, KNOWN_CACHE_SLOTS};
	struct known_cache *standing = known_cache_create(sizes[_i], SEED);

	ck_assert(standing != NULL);
	known_cache_note(standing, "192.0.2.0/24", &good);
	ck_assert(knows(standing, "192.0.2.0/24"));
	known_cache_free(&standing);
	known_cache_free(&standing);
}
END_TEST

/* Each thread uses networks of its own, in the same few sets. */

struct crowd {
	struct known_cache *standing;
	int first;
	bool good;
};

static void *
run_crowd(void *arg)
{
	struct crowd *crowd = arg;
	struct known_cache_entry entry = good, found;
	char network[32];

	crowd->good = true;
	for (int i = 0; i < 5000; i++) {
		nth_network(crowd->first + i % 100, network);
		entry.score = (float)crowd->first;
		known_cache_note(crowd->standing, network, &entry);
		if (known_cache_recall(
			crowd->standing, network, NOON, DAY, &found) &&
		    found.score != entry.score)
			crowd->good = false;
		if (i % 7 == 0)
			known_cache_forget(crowd->standing, network);
	}
	return NULL;
}

START_TEST(many_threads_share_it)
{
	enum { THREADS = 4 };
	struct known_cache *standing = known_cache_create(64, SEED);
	struct crowd crowds[THREADS];
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		crowds[i] = (struct crowd){standing, i * 1000, false};
		ck_assert(pthread_create(
			      &threads[i], NULL, run_crowd, &crowds[i]) == 0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_msg(crowds[i].good, "thread %d", i);
	}
	known_cache_free(&standing);
}
END_TEST

CHECK_MAIN("known_cache", tcase)
{
	tcase_add_test(tcase, what_was_noted_is_recalled);
	tcase_add_test(tcase, a_later_note_replaces_an_earlier_one);
	tcase_add_test(tcase, what_was_forgotten_is_gone);
	tcase_add_loop_test(
	    tcase, only_lately_seen_clients_count, 0, COUNT(age_rows));
	tcase_add_test(tcase, the_oldest_in_a_full_set_goes_first);
	tcase_add_test(tcase, what_a_wrong_clock_noted_goes_first);
	tcase_add_test(tcase, a_flood_keeps_the_latest);
	tcase_add_loop_test(tcase, any_size_works, 0, 4);
	tcase_add_test(tcase, many_threads_share_it);
}
