/* random -- numbers that nobody can guess, drawn from the system some at a time. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* All zero at first; of one thread at a time.  What was drawn is forgotten. */
struct random {
	uint64_t numbers[3]; /* a session with one message takes three */
	size_t left;
};

/* 64 random bits.  0 where the system has none yet. */
uint64_t random_draw(struct random *random);

#endif
