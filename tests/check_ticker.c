#include "base/thread.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/check_main.h"

/* A tick that the test can wait for, and can hold up. */
struct probe {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	int begun;
	bool held;
	int64_t now;
};

static void
tick(void *arg, int64_t now)
{
	struct probe *probe = arg;

	pthread_mutex_lock(&probe->mutex);
	probe->begun++;
	probe->now = now;
	pthread_cond_broadcast(&probe->changed);
	while (probe->held)
		pthread_cond_wait(&probe->changed, &probe->mutex);
	pthread_mutex_unlock(&probe->mutex);
}

static struct probe
probe_new(bool held)
{
	return (struct probe){.mutex = PTHREAD_MUTEX_INITIALIZER,
	    .changed = PTHREAD_COND_INITIALIZER,
	    .held = held};
}

static void
await_ticks(struct probe *probe, int count)
{
	pthread_mutex_lock(&probe->mutex);
	while (probe->begun < count)
		pthread_cond_wait(&probe->changed, &probe->mutex);
	pthread_mutex_unlock(&probe->mutex);
}

START_TEST(it_ticks_at_once_and_again)
{
	struct probe probe = probe_new(false);
	struct ticker *ticker = ticker_start("test", 1000, tick, &probe);

	ck_assert_ptr_nonnull(ticker);
	await_ticks(&probe, 2);
	ck_assert(ticker_stop(&ticker, 5000));
	ck_assert_ptr_null(ticker);
	ck_assert_int_gt(probe.now, 1000000000);
}
END_TEST

START_TEST(a_tick_that_hangs_is_not_waited_for_for_ever)
{
	struct probe probe = probe_new(true);
	struct ticker *ticker = ticker_start("test", 1000, tick, &probe);

	await_ticks(&probe, 1);
	ck_assert(!ticker_stop(&ticker, 1));
	ck_assert_ptr_nonnull(ticker);
	pthread_mutex_lock(&probe.mutex);
	probe.held = false;
	pthread_cond_broadcast(&probe.changed);
	pthread_mutex_unlock(&probe.mutex);
	ck_assert(ticker_stop(&ticker, 5000));
	ck_assert_int_eq(probe.begun, 1);
}
END_TEST

START_TEST(none_is_stopped_already)
{
	struct ticker *ticker = NULL;

	ck_assert(ticker_stop(&ticker, 0));
}
END_TEST

START_TEST(one_that_is_not_periodic_ticks_when_it_is_nudged)
{
	struct probe probe = probe_new(true);
	struct ticker *ticker = ticker_start("test", 0, tick, &probe);

	ck_assert_ptr_nonnull(ticker);
	ticker_nudge(ticker);
	await_ticks(&probe, 1);
	for (int i = 0; i < 1000; i++) /* waits for nothing */
		ticker_nudge(ticker);
	pthread_mutex_lock(&probe.mutex);
	probe.held = false;
	pthread_cond_broadcast(&probe.changed);
	pthread_mutex_unlock(&probe.mutex);
	await_ticks(&probe, 2);
	ck_assert(ticker_stop(&ticker, 5000));
	ck_assert_int_eq(probe.begun, 2);
}
END_TEST

CHECK_MAIN("ticker", tests)
{
	tcase_add_test(tests, it_ticks_at_once_and_again);
	tcase_add_test(tests, a_tick_that_hangs_is_not_waited_for_for_ever);
	tcase_add_test(tests, none_is_stopped_already);
	tcase_add_test(tests, one_that_is_not_periodic_ticks_when_it_is_nudged);
}
