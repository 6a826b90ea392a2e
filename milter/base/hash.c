#include "base/hash.h"

struct state {
	uint64_t v0, v1, v2, v3;
};

static uint64_t
rotate(uint64_t word, int by)
{
	return word << by | word >> (64 - by);
}

static void
mix(struct state *state, int rounds)
{
	while (rounds-- > 0) {
		state->v0 += state->v1;
		state->v1 = rotate(state->v1, 13) ^ state->v0;
		state->v0 = rotate(state->v0, 32);
		state->v2 += state->v3;
		state->v3 = rotate(state->v3, 16) ^ state->v2;
		state->v0 += state->v3;
		state->v3 = rotate(state->v3, 21) ^ state->v0;
		state->v2 += state->v1;
		state->v1 = rotate(state->v1, 17) ^ state->v2;
		state->v2 = rotate(state->v2, 32);
	}
}

/* Up to 8 octets as a number, the least first. */
static uint64_t
word_of(const unsigned char *octets, size_t count)
{
	uint64_t word = 0;

	while (count-- > 0)
		word = word << 8 | octets[count];
	return word;
}

static void
take(struct state *state, uint64_t word)
{
	state->v3 ^= word;
	mix(state, 2);
	state->v0 ^= word;
}

uint64_t
siphash(const unsigned char key[SIPHASH_KEY], const void *data, size_t length)
{
	const unsigned char *octets = data;
	uint64_t k0 = word_of(key, 8), k1 = word_of(key + 8, 8);
	struct state state = {k0 ^ UINT64_C(0x736f6d6570736575),
	    k1 ^ UINT64_C(0x646f72616e646f6d),
	    k0 ^ UINT64_C(0x6c7967656e657261),
	    k1 ^ UINT64_C(0x7465646279746573)};
	size_t left = length;

	for (; left >= 8; left -= 8, octets += 8)
		take(&state, word_of(octets, 8));
	take(&state, (uint64_t)length << 56 | word_of(octets, left));
	state.v2 ^= 0xff;
	mix(&state, 4);
	return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}
