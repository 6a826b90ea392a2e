#include "samples.h"

#include <math.h>
#include <stdlib.h>

#define FIRST_ROOM 65536

void
samples_add(struct samples *samples, int64_t ns)
{
	int64_t us = ns < 0 ? 0 : ns / 1000;

	if (samples->count == samples->room) {
		size_t room = samples->room ? 2 * samples->room : FIRST_ROOM;
		uint32_t *grown;

		if (room > SAMPLES_MAX)
			return;
		grown = realloc(samples->us, room * sizeof *grown);
		if (grown == NULL)
			return;
		samples->us = grown;
		samples->room = room;
	}
	samples->us[samples->count++] =
	    us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

void
samples_forget(struct samples *samples)
{
	samples->count = 0;
}

void
samples_free(struct samples *samples)
{
	free(samples->us);
	samples->us = NULL;
	samples->count = samples->room = 0;
}

static int
compare(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left;
	uint32_t b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

void
samples_sort(struct samples *samples)
{
	if (samples->count > 0)
		qsort(
		    samples->us, samples->count, sizeof *samples->us, compare);
}

uint32_t
samples_quantile(const struct samples *samples, double share)
{
	double rank = ceil(share * (double)samples->count);

	if (samples->count == 0)
		return 0;
	return samples->us[rank < 1 ? 0 : (size_t)rank - 1];
}
