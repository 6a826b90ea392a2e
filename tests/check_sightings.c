#include "mail/sightings.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "lib/check_main.h"

#define DAY  SIGHTINGS_DAY
#define MANY 20000

static struct sightings *sightings;
static struct sighting picked[MANY];

static void
make(void)
{
	sightings = sightings_new(MANY);
	ck_assert_ptr_nonnull(sightings);
}

static void
drop(void)
{
	free(sightings);
}

START_TEST(what_was_seen_is_told_once_a_day)
{
	ck_assert_uint_eq(sightings_pick(sightings, picked, MANY), 0);
	sightings_note(sightings, 7, 100 * DAY + 5);
	sightings_note(sightings, 9, 100 * DAY + 6);
	sightings_note(sightings, 7, 101 * DAY - 1);
	ck_assert_uint_eq(sightings_pick(sightings, picked, MANY), 2);
	ck_assert_uint_eq(picked[0].which, 7);
	ck_assert_uint_eq(picked[0].day, 100);
	ck_assert_uint_eq(picked[1].which, 9);
	sightings_told(sightings, picked, 2);
	ck_assert_uint_eq(sightings_pick(sightings, picked, MANY), 0);
	sightings_note(sightings, 7, 101 * DAY - 1);
	ck_assert_uint_eq(sightings_pick(sightings, picked, MANY), 0);
	sightings_note(sightings, 7, 101 * DAY);
	ck_assert_uint_eq(sightings_pick(sightings, picked, MANY), 1);
	ck_assert_uint_eq(picked[0].day, 101);
}
END_TEST

START_TEST(what_could_not_be_told_is_picked_again)
{
	for (size_t i = 0; i < 10; i++)
		sightings_note(sightings, i, 100 * DAY);
	ck_assert_uint_eq(sightings_pick(sightings, picked, 4), 4);
	ck_assert_uint_eq(sightings_pick(sightings, picked, 4), 4);
	ck_assert_uint_eq(picked[0].which, 0);
	sightings_told(sightings, picked, 4);
	ck_assert_uint_eq(sightings_pick(sightings, picked, MANY), 6);
	/* seen on the next day, before it was told of this one */
	sightings_note(sightings, 4, 101 * DAY);
	sightings_told(sightings, picked, 6);
	ck_assert_uint_eq(sightings_pick(sightings, picked, MANY), 1);
	ck_assert_uint_eq(picked[0].which, 4);
	ck_assert_uint_eq(picked[0].day, 101);
}
END_TEST

static struct sightings *
carried_from(int64_t mine, int64_t theirs)
{
	struct sightings *other = sightings_new(2);

	if (mine != 0)
		sightings_note(sightings, 3, mine * DAY);
	if (theirs != 0)
		sightings_note(other, 1, theirs * DAY);
	(void)sightings_pick(other, picked, 2);
	sightings_carry(sightings, 3, other, 1);
	free(other);
	return sightings;
}

START_TEST(the_later_day_is_carried)
{
	ck_assert_uint_eq(
	    sightings_pick(carried_from(0, 100), picked, MANY), 1);
	ck_assert_uint_eq(picked[0].day, 100);
	(void)sightings_pick(carried_from(102, 101), picked, MANY);
	ck_assert_uint_eq(picked[0].day, 102);
	(void)sightings_pick(carried_from(0, 103), picked, MANY);
	ck_assert_uint_eq(picked[0].day, 103);
}
END_TEST

START_TEST(what_was_told_is_carried_as_told)
{
	struct sightings *other = sightings_new(1);

	sightings_note(other, 0, 100 * DAY);
	sightings_told(other, picked, sightings_pick(other, picked, 1));
	sightings_carry(sightings, 3, other, 0);
	ck_assert_uint_eq(sightings_pick(sightings, picked, MANY), 0);
	sightings_note(sightings, 3, 100 * DAY);
	ck_assert_uint_eq(sightings_pick(sightings, picked, MANY), 0);
	free(other);
}
END_TEST

static atomic_int noting;

static void *
note_all(void *arg)
{
	size_t step = *(const size_t *)arg;

	for (size_t i = 0; i < MANY; i++)
		sightings_note(sightings, i * step % MANY, 100 * DAY);
	atomic_fetch_sub(&noting, 1);
	return NULL;
}

/* Each is told, though one thread tells while others note. */
START_TEST(many_threads_lose_nothing)
{
	static size_t steps[] = {1, 3, 7, 9};
	static unsigned char told[MANY];
	pthread_t threads[COUNT(steps)];
	size_t count, all = 0;

	atomic_store(&noting, COUNT(steps));
	for (int i = 0; i < COUNT(steps); i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, note_all, &steps[i]), 0);
	do {
		bool is_over = atomic_load(&noting) == 0;

		count = sightings_pick(sightings, picked, 100);
		for (size_t i = 0; i < count; i++)
			told[picked[i].which]++;
		sightings_told(sightings, picked, count);
		all += count;
		if (is_over && count == 0)
			break;
	} while (all <= (size_t)4 * MANY);
	for (int i = 0; i < COUNT(steps); i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < MANY; i++)
		ck_assert_uint_ge(told[i], 1);
}
END_TEST

CHECK_MAIN("sightings", tcase)
{
	tcase_add_checked_fixture(tcase, make, drop);
	tcase_add_test(tcase, what_was_seen_is_told_once_a_day);
	tcase_add_test(tcase, what_could_not_be_told_is_picked_again);
	tcase_add_test(tcase, the_later_day_is_carried);
	tcase_add_test(tcase, what_was_told_is_carried_as_told);
	tcase_add_test(tcase, many_threads_lose_nothing);
}
