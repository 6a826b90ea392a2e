/* chance -- numbers that look random and are the same for the same seed. */
#ifndef CHANCE_H
#define CHANCE_H

#include <stdbool.h>
#include <stdint.h>

struct chance {
	uint64_t state;
};

/* Any seed will do; neighbouring seeds give unrelated numbers. */
struct chance chance_of_seed(uint64_t seed);

uint64_t chance_next(struct chance *chance);

/* 0 <= x < 1 */
double chance_unit(struct chance *chance);

/* Whether something of this probability happens. */
bool chance_happens(struct chance *chance, double probability);

/* One of 0 .. count - 1; 0 if there are none. */
unsigned chance_pick(struct chance *chance, unsigned count);

/* The time until an event that happens once in `mean` on average. */
double chance_wait(struct chance *chance, double mean);

#endif
