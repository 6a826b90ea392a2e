#include "store/redis/decay.h"

#include <math.h>

#include "base/seconds.h"

#define HALF_LIVES_THAT_MATTER 16

static int64_t
half_life_within_reason(int64_t half_life)
{
	if (half_life < 1)
		return 1;
	return half_life < DECAY_HALF_LIFE_MAX ? half_life
					       : DECAY_HALF_LIFE_MAX;
}

/* Half-lives since the generation of `now` began: 0 <= age < 24. */
static double
half_lives_into(int64_t half_life, int64_t now)
{
	int64_t into = seconds_into_slot(now, DECAY_HALF_LIVES * half_life);

	return (double)into / (double)half_life;
}

int64_t
decay_generation(int64_t half_life, int64_t now)
{
	half_life = half_life_within_reason(half_life);
	return seconds_slot(now, DECAY_HALF_LIVES * half_life);
}

bool
decay_remembers(int64_t half_life, int64_t now)
{
	half_life = half_life_within_reason(half_life);
	return half_lives_into(half_life, now) < HALF_LIVES_THAT_MATTER;
}

int64_t
decay_weight(int64_t half_life, int64_t now, double points)
{
	double weight;

	if (!(points > 0))
		return 0;
	half_life = half_life_within_reason(half_life);
	weight = DECAY_SCALE * points * exp2(half_lives_into(half_life, now));
	if (weight >= (double)DECAY_WEIGHT_MAX)
		return DECAY_WEIGHT_MAX;
	return weight < 1 ? 1 : (int64_t)llround(weight);
}

double
decay_value(int64_t half_life, int64_t now, int64_t current, int64_t previous)
{
	double into, points = 0;

	half_life = half_life_within_reason(half_life);
	into = half_lives_into(half_life, now);
	if (current > 0)
		points += (double)current * exp2(-into);
	if (previous > 0)
		points += (double)previous * exp2(-into - DECAY_HALF_LIVES);
	return points / DECAY_SCALE;
}
