#include "chance.h"

#include <math.h>

/* A counter that runs through all 64-bit numbers, and a mixer of its bits. */
uint64_t
chance_next(struct chance *chance)
{
	uint64_t x = chance->state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

struct chance
chance_of_seed(uint64_t seed)
{
	struct chance chance = {seed};

	chance.state = chance_next(&chance);
	return chance;
}

double
chance_unit(struct chance *chance)
{
	return (double)(chance_next(chance) >> 11) / 9007199254740992.0;
}

bool
chance_happens(struct chance *chance, double probability)
{
	return chance_unit(chance) < probability;
}

unsigned
chance_pick(struct chance *chance, unsigned count)
{
	return count == 0 ? 0 : (unsigned)(chance_next(chance) % count);
}

double
chance_wait(struct chance *chance, double mean)
{
	return -log1p(-chance_unit(chance)) * mean;
}
