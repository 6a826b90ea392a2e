#include "base/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "lib/check_main.h"

static pthread_mutex_t file_system = PTHREAD_MUTEX_INITIALIZER;
static atomic_int dropped;

struct question {
	int asked;
	int answer;
};

/* Hangs while the test holds the mutex. */
static void
ask(void *data)
{
	struct question *question = data;

	pthread_mutex_lock(&file_system);
	question->answer = 2 * question->asked;
	pthread_mutex_unlock(&file_system);
}

static void
drop(void *data)
{
	(void)data;
	atomic_fetch_add(&dropped, 1);
}

static struct aside *
asked(int number)
{
	struct aside *aside =
	    aside_open("test", sizeof(struct question), ask, drop);
	struct question *question;

	ck_assert_ptr_nonnull(aside);
	question = aside_data(aside);
	ck_assert_ptr_nonnull(question);
	question->asked = number;
	ck_assert(aside_start(aside));
	return aside;
}

START_TEST(a_job_that_does_not_hang_has_its_answer)
{
	struct aside *aside = asked(21);
	struct question *question;

	ck_assert(aside_wait(aside, 60000));
	question = aside_data(aside);
	ck_assert_int_eq(question->answer, 42);
	ck_assert_int_eq(aside_age(aside), 0);
	question->asked = 4;
	ck_assert(aside_start(aside));
	ck_assert(aside_wait(aside, 60000));
	ck_assert_int_eq(question->answer, 8);
	aside_close(&aside);
	ck_assert_ptr_null(aside);
	ck_assert_int_eq(dropped, 1);
}
END_TEST

START_TEST(one_that_hangs_is_waited_for_no_longer_than_wanted)
{
	struct aside *aside;

	pthread_mutex_lock(&file_system);
	aside = asked(21);
	ck_assert(!aside_wait(aside, 0));
	ck_assert(!aside_wait(aside, 20));
	ck_assert_ptr_null(aside_data(aside));
	ck_assert_int_ge(aside_age(aside), 20);
	pthread_mutex_unlock(&file_system);
	ck_assert(aside_wait(aside, 60000));
	aside_close(&aside);
}
END_TEST

START_TEST(one_that_is_left_behind_cleans_up_itself)
{
	struct aside *aside;

	pthread_mutex_lock(&file_system);
	aside = asked(21);
	aside_close(&aside);
	ck_assert_int_eq(dropped, 0);
	pthread_mutex_unlock(&file_system);
	for (int i = 0; i < 6000 && atomic_load(&dropped) == 0; i++)
		clock_sleep(10);
	ck_assert_int_eq(dropped, 1);
}
END_TEST

CHECK_MAIN("aside", tests)
{
	tcase_add_test(tests, a_job_that_does_not_hang_has_its_answer);
	tcase_add_test(
	    tests, one_that_hangs_is_waited_for_no_longer_than_wanted);
	tcase_add_test(tests, one_that_is_left_behind_cleans_up_itself);
}
