/* samples -- times that were measured, and which share of them is below what.
 *
 * Bounded: what does not fit below SAMPLES_MAX is left out. */
#ifndef SAMPLES_H
#define SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#define SAMPLES_MAX 4000000

struct samples {
	uint32_t *us; /* owned; microseconds */
	size_t count;
	size_t room;
};

/* Times are nanoseconds, kept as microseconds. */
void samples_add(struct samples *samples, int64_t ns);
void samples_forget(struct samples *samples);
void samples_free(struct samples *samples);

/* Microseconds that a share of the samples (0..1) does not exceed, by the
 * nearest rank; 0 without samples.  Call samples_sort() first. */
uint32_t samples_quantile(const struct samples *samples, double share);
void samples_sort(struct samples *samples);

#endif
