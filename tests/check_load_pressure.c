#include "load/load.h"

#include <math.h>
#include <string.h>

#include "lib/check_main.h"

#define SECOND INT64_C(1000000)
#define START  (1000 * SECOND) /* any moment of the monotonic clock */

static bool
is_near(double a, double b)
{
	return fabs(a - b) < 0.005;
}

/* Sample once a second while the counter grows by `share` of the time. */
static double
stand_still(struct load_pressure *pressure, double share, int seconds)
{
	for (int i = 0; i < seconds; i++)
		(void)load_pressure_step(pressure,
		    pressure->total + (int64_t)(share * (double)SECOND),
		    pressure->at + SECOND);
	return pressure->share;
}

static const struct {
	const char *when;
	double before;
	int before_seconds;
	double after;
	int after_seconds;
	double share;
} step_rows[] = {
    {"nothing waits", 0, 10, 0, 10, 0},
    {"a standstill of one second hardly shows", 0, 10, 1, 1, 0.33},
    {"nor does one of two seconds", 0, 10, 1, 2, 0.55},
    {"one of four seconds does", 0, 10, 1, 4, 0.80},
    {"one that lasts shows whole", 0, 10, 1, 30, 1},
    {"its end shows as soon: after two seconds", 1, 60, 0, 2, 0.45},
    {"after five seconds", 1, 60, 0, 5, 0.135},
    {"half of the time is half", 0, 10, 0.5, 30, 0.5},
    {"on top of a usual third, one second", 0.33, 60, 1, 1, 0.55},
};

START_TEST(steps)
{
	struct load_pressure pressure = {0};
	double share;

	(void)load_pressure_step(&pressure, 4711, START);
	stand_still(
	    &pressure, step_rows[_i].before, step_rows[_i].before_seconds);
	share = stand_still(
	    &pressure, step_rows[_i].after, step_rows[_i].after_seconds);
	ck_assert_msg(is_near(share, step_rows[_i].share), "%s: got %f",
	    step_rows[_i].when, share);
}
END_TEST

START_TEST(what_was_counted_before_the_first_sample_is_past)
{
	struct load_pressure pressure = {0};

	ck_assert(load_pressure_step(&pressure, START, START) == 0);
	ck_assert(load_pressure_step(&pressure, START, START + SECOND) == 0);
}
END_TEST

START_TEST(how_often_it_is_sampled_makes_no_difference)
{
	struct load_pressure often = {0}, rarely = {0};

	(void)load_pressure_step(&often, 0, START);
	(void)load_pressure_step(&rarely, 0, START);
	for (int i = 1; i <= 40; i++)
		(void)load_pressure_step(
		    &often, i * SECOND / 20, START + i * SECOND / 10);
	(void)load_pressure_step(&rarely, 2 * SECOND, START + 4 * SECOND);
	ck_assert_msg(fabs(often.share - rarely.share) < 1e-9, "%f and %f",
	    often.share, rarely.share);
}
END_TEST

START_TEST(a_counter_that_goes_back_changes_nothing_but_the_start)
{
	struct load_pressure pressure = {0};
	double before;

	(void)load_pressure_step(&pressure, 100 * SECOND, START);
	before = stand_still(&pressure, 0.5, 60);
	(void)load_pressure_step(&pressure, 7, pressure.at + SECOND);
	ck_assert(fabs(pressure.share - before) < 1e-9);
	ck_assert(is_near(stand_still(&pressure, 0.5, 1), 0.5));
}
END_TEST

START_TEST(two_samples_of_one_moment_are_one)
{
	struct load_pressure pressure = {0};
	double before;

	(void)load_pressure_step(&pressure, 0, START);
	before = stand_still(&pressure, 0.5, 3);
	(void)load_pressure_step(
	    &pressure, pressure.total + SECOND, pressure.at);
	ck_assert(pressure.share == before);
}
END_TEST

START_TEST(a_counter_never_shows_more_than_all_the_time)
{
	struct load_pressure pressure = {0};

	(void)load_pressure_step(&pressure, 0, START);
	ck_assert(is_near(stand_still(&pressure, 1000, 60), 1));
}
END_TEST

static const struct {
	const char *when;
	int64_t runnable;
	int64_t cpus;
	double share;
} queue_rows[] = {
    {"an idle host", 0, 2, 0},
    {"all CPUs in use is no pressure", 2, 2, 0},
    {"one task waits for two CPUs", 3, 2, 0.5},
    {"twice as many tasks as CPUs", 4, 2, 1},
    {"more is not more", 400, 2, 1},
    {"one task waits for sixteen CPUs", 17, 16, 0.0625},
    {"we alone were counted", -1, 2, 0},
    {"no CPUs", 4, 0, 0},
};

START_TEST(queue)
{
	double share = load_pressure_of_queue(
	    queue_rows[_i].runnable, queue_rows[_i].cpus);

	ck_assert_msg(share == queue_rows[_i].share, "%s: got %f",
	    queue_rows[_i].when, share);
}
END_TEST

START_TEST(a_guess_is_smoothed_alike)
{
	struct load_pressure pressure = {0};

	ck_assert(load_pressure_assume(&pressure, 1, START) == 0);
	ck_assert(is_near(
	    load_pressure_assume(&pressure, 1, START + 4 * SECOND), 0.80));
	ck_assert(is_near(
	    load_pressure_assume(&pressure, 7, START + 60 * SECOND), 1));
}
END_TEST

static const struct {
	const char *when;
	const char *text;
	int64_t total; /* -1: it cannot be read */
} pressure_rows[] = {
    {"as Linux writes it",
	"some avg10=12.34 avg60=5.67 avg300=0.89 total=123456\n"
	"full avg10=99.00 avg60=0.00 avg300=0.00 total=99\n",
	123456},
    {"whatever the order of lines", "full total=99\nsome total=1\n", 1},
    {"whatever the order of words", "some total=1 avg10=1.00", 1},
    {"no newline at the end", "some avg10=0.00 total=7", 7},
    {"a host that is up for long", "some total=999999999999999999\n",
	INT64_C(999999999999999999)},
    {"more than any host", "some total=1000000000000000000\n", -1},
    {"nothing", "", -1},
    {"only `full`", "full avg10=99.00 total=99\n", -1},
    {"no total", "some avg10=1.00\n", -1},
    {"an empty total", "some total= avg60=1.00\n", -1},
    {"a negative number", "some total=-1\n", -1},
    {"a fraction", "some total=1.5\n", -1},
    {"not a number", "some total=nan\n", -1},
    {"the word on another line", "some x\ntotal=1\n", -1},
    {"a word that only begins alike", "something total=1\n", -1},
    {"no words", "some \n", -1},
};

START_TEST(pressure_file)
{
	const char *text = pressure_rows[_i].text;
	int64_t total = -1;
	bool good = load_pressure_parse(text, strlen(text), &total);

	ck_assert_msg(good == (pressure_rows[_i].total >= 0) &&
		total == pressure_rows[_i].total,
	    "%s: got %lld", pressure_rows[_i].when, (long long)total);
}
END_TEST

static const struct {
	const char *when;
	const char *text;
	int64_t runnable; /* -1: it cannot be read */
} runnable_rows[] = {
    {"as Linux writes it", "0.20 0.18 0.12 1/80 11206\n", 1},
    {"many", "99.20 0.18 0.12 999999999/999999999 1\n", 999999999},
    {"too many", "0.20 0.18 0.12 1000000000/80 1\n", -1},
    {"nothing else", "0.20 0.18 0.12 3/", 3},
    {"no slash", "0.20 0.18 0.12 3 11206\n", -1},
    {"no number", "0.20 0.18 0.12 /80 11206\n", -1},
    {"too few fields", "0.20 0.18 1/80\n", -1},
    {"nothing", "", -1},
    {"a negative number", "0.20 0.18 0.12 -1/80 1\n", -1},
};

START_TEST(loadavg_file)
{
	const char *text = runnable_rows[_i].text;
	int64_t runnable = -1;
	bool good = load_pressure_parse_runnable(text, strlen(text), &runnable);

	ck_assert_msg(good == (runnable_rows[_i].runnable >= 0) &&
		runnable == runnable_rows[_i].runnable,
	    "%s: got %lld", runnable_rows[_i].when, (long long)runnable);
}
END_TEST

CHECK_MAIN("load_pressure", tcase)
{
	tcase_add_loop_test(tcase, steps, 0, COUNT(step_rows));
	tcase_add_test(tcase, what_was_counted_before_the_first_sample_is_past);
	tcase_add_test(tcase, how_often_it_is_sampled_makes_no_difference);
	tcase_add_test(
	    tcase, a_counter_that_goes_back_changes_nothing_but_the_start);
	tcase_add_test(tcase, two_samples_of_one_moment_are_one);
	tcase_add_test(tcase, a_counter_never_shows_more_than_all_the_time);
	tcase_add_loop_test(tcase, queue, 0, COUNT(queue_rows));
	tcase_add_test(tcase, a_guess_is_smoothed_alike);
	tcase_add_loop_test(tcase, pressure_file, 0, COUNT(pressure_rows));
	tcase_add_loop_test(tcase, loadavg_file, 0, COUNT(runnable_rows));
}
