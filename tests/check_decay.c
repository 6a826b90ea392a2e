#include "store/redis/decay.h"

#include <math.h>

#include "lib/check_main.h"

#define HOUR INT64_C(3600)
#define DAY  INT64_C(86400)
#define WEEK (7 * DAY)
#define EDGE (100 * DECAY_HALF_LIVES * WEEK) /* generation 100 begins */

static void
assert_near(double got, double want, double tolerance, const char *when)
{
	ck_assert_msg(fabs(got - want) <= tolerance, "%s: got %.9g, want %.9g",
	    when, got, want);
}

static const struct {
	const char *when;
	int64_t half_life, now, generation;
} generation_rows[] = {
    {"a generation begins on its edge", WEEK, EDGE, 100},
    {"one second before still is the old one", WEEK, EDGE - 1, 99},
    {"it lasts 24 half-lives", WEEK, EDGE + 24 * WEEK - 1, 100},
    {"and no longer", WEEK, EDGE + 24 * WEEK, 101},
    {"before 1970 generations go on downwards", WEEK, -1, -1},
    {"a half-life of 0 counts as 1 s", 0, 48, 2},
    {"a negative half-life counts as 1 s", INT64_MIN, 48, 2},
    {"a huge half-life counts as a century", INT64_MAX, EDGE, 0},
    {"the end of time", 1, INT64_MAX, INT64_MAX / 24},
};

START_TEST(generations)
{
	int64_t got = decay_generation(
	    generation_rows[_i].half_life, generation_rows[_i].now);

	ck_assert_msg(got == generation_rows[_i].generation, "%s: got %lld",
	    generation_rows[_i].when, (long long)got);
}
END_TEST

static const struct {
	const char *when;
	int64_t now;
	double points;
	int64_t weight;
} weight_rows[] = {
    {"a point weighs 2^10 as a generation begins", EDGE, 1, 1024},
    {"twice as much a half-life later", EDGE + WEEK, 1, 2048},
    {"five points weigh five times as much", EDGE, 5, 5120},
    {"2^33 one half-life before the end", EDGE + 23 * WEEK, 1,
	INT64_C(1) << 33},
    {"no points weigh nothing", EDGE, 0, 0},
    {"negative points weigh nothing", EDGE, -5, 0},
    {"NaN weighs nothing", EDGE, NAN, 0},
    {"the smallest of points still counts", EDGE, 1e-300, 1},
    {"rubbish saturates", EDGE, 1e300, DECAY_WEIGHT_MAX},
    {"infinity saturates", EDGE, INFINITY, DECAY_WEIGHT_MAX},
};

START_TEST(weights)
{
	int64_t got =
	    decay_weight(WEEK, weight_rows[_i].now, weight_rows[_i].points);

	ck_assert_msg(got == weight_rows[_i].weight, "%s: got %lld",
	    weight_rows[_i].when, (long long)got);
}
END_TEST

/* Ten points at `added`, read at `read` the way a store would. */
static double
ten_points(int64_t half_life, int64_t added, int64_t read)
{
	int64_t weight = decay_weight(half_life, added, 10);
	int64_t later = decay_generation(half_life, read) -
	    decay_generation(half_life, added);

	return decay_value(
	    half_life, read, later == 0 ? weight : 0, later == 1 ? weight : 0);
}

static const struct {
	const char *when;
	int64_t added, read;
	double points;
} fading_rows[] = {
    {"points count in full at once", EDGE, EDGE, 10},
    {"half after a half-life", EDGE, EDGE + WEEK, 5},
    {"a quarter after two", EDGE + DAY, EDGE + DAY + 2 * WEEK, 2.5},
    {"the edge of a generation changes nothing", EDGE - 1, EDGE, 10},
    {"half after a half-life across the edge", EDGE - DAY, EDGE + WEEK - DAY,
	5},
    {"next to nothing after a generation", EDGE, EDGE + 24 * WEEK, 0},
    {"nothing after two generations", EDGE, EDGE + 48 * WEEK, 0},
    {"a writer whose clock is 10 s slow", EDGE + 90, EDGE + 100, 10},
    {"a slow writer that still is in the old generation", EDGE - 5, EDGE + 5,
	10},
    {"a reader whose clock is 10 s slow", EDGE + 100, EDGE + 90, 10},
    {"a slow reader in the old generation misses the newest", EDGE + 5,
	EDGE - 5, 0},
};

START_TEST(fading)
{
	double got =
	    ten_points(WEEK, fading_rows[_i].added, fading_rows[_i].read);

	assert_near(got, fading_rows[_i].points, 2e-3, fading_rows[_i].when);
}
END_TEST

START_TEST(hostile_counters_are_harmless)
{
	double top = decay_value(WEEK, EDGE, INT64_MAX, INT64_MAX);

	assert_near(decay_value(WEEK, EDGE, -1, INT64_MIN), 0, 0,
	    "negative counters count as nothing");
	ck_assert_msg(isfinite(top) && top > 0, "full counters stay finite");
	ck_assert_msg(isfinite(decay_value(INT64_MAX, INT64_MIN, 1, 1)),
	    "any clock and half-life stay finite");
}
END_TEST

/* Events at pseudo-random times over years, added as a store adds them, always
 * compared with the exact sum. */

static const struct {
	const char *when;
	int64_t half_life;
	double per_day, years;
} sum_rows[] = {
    {"an hour, rare events", HOUR, 0.5, 5},
    {"an hour, frequent events", HOUR, 200, 2},
    {"a day, daily events", DAY, 1, 5},
    {"a day, very frequent events", DAY, 2000, 0.5},
    {"a week, the shipped half-life", WEEK, 20, 5},
    {"30 days, frequent events", 30 * DAY, 200, 5},
};

static uint32_t
next_random(uint32_t *state)
{
	*state = *state * UINT32_C(1664525) + UINT32_C(1013904223);
	return *state >> 8;
}

static const struct {
	const char *when;
	int64_t half_lives; /* into a generation */
	bool remembers;
} memory_rows[] = {
    {"a generation begins with all of the last", 0, true},
    {"it matters for long", 15, true},
    {"until almost nothing is left of it", 16, false},
    {"and then for the rest of the generation", 23, false},
    {"the next one begins anew", 24, true},
};

START_TEST(memory_of_generations)
{
	int64_t now = EDGE + memory_rows[_i].half_lives * DAY;
	int64_t start = decay_generation(DAY, EDGE) * DECAY_HALF_LIVES * DAY;

	now -= EDGE - start;
	ck_assert_msg(decay_remembers(DAY, now) == memory_rows[_i].remembers,
	    "%s", memory_rows[_i].when);
}
END_TEST

/* The one or two counters that a store would still hold. */
struct counters {
	int64_t generation, current, previous;
};

static void
move_to(struct counters *c, int64_t generation)
{
	if (generation == c->generation)
		return;
	c->previous = generation == c->generation + 1 ? c->current : 0;
	c->current = 0;
	c->generation = generation;
}

START_TEST(long_sums)
{
	int64_t half_life = sum_rows[_i].half_life;
	int64_t now = EDGE + 12345, step;
	int64_t end = now + (int64_t)(sum_rows[_i].years * 365 * DAY);
	double mean_step = (double)DAY / sum_rows[_i].per_day;
	double exact = 0, points, got;
	struct counters c = {decay_generation(half_life, now), 0, 0};
	uint32_t random = 42;

	while (now < end) {
		points = 1 + next_random(&random) % 10;
		exact += points;
		move_to(&c, decay_generation(half_life, now));
		c.current += decay_weight(half_life, now, points);
		step = (int64_t)(mean_step * 2 * next_random(&random) /
		    (double)(1 << 24));
		now += step;
		exact *= exp2(-(double)step / (double)half_life);
		move_to(&c, decay_generation(half_life, now));
		got = decay_value(half_life, now, c.current, c.previous);
		assert_near(got, exact, 5e-4 * exact + 1e-5, sum_rows[_i].when);
	}
}
END_TEST

CHECK_MAIN("decay", tcase)
{
	tcase_add_loop_test(tcase, generations, 0, COUNT(generation_rows));
	tcase_add_loop_test(tcase, weights, 0, COUNT(weight_rows));
	tcase_add_loop_test(tcase, fading, 0, COUNT(fading_rows));
	tcase_add_test(tcase, hostile_counters_are_harmless);
	tcase_add_loop_test(
	    tcase, memory_of_generations, 0, COUNT(memory_rows));
	tcase_add_loop_test(tcase, long_sums, 0, COUNT(sum_rows));
}
