/* octets -- numbers as octets in a growing buffer, and back. */
#ifndef OCTETS_H
#define OCTETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is an empty one.  Once memory ran out `failed` stays set. */
struct octets_out {
	unsigned char *data;
	size_t length;
	size_t size;
	bool failed;
};

void octets_put(struct octets_out *out, const void *data, size_t length);
void octets_put_number(struct octets_out *out, uint64_t number);
void octets_put_real(struct octets_out *out, double real);
void octets_free(struct octets_out *out);

/* Borrows its data.  Once they did not suffice `failed` stays set, and all
 * further answers are zeros. */
struct octets_in {
	const unsigned char *data;
	size_t left;
	bool failed;
};

/* NULL when there are not as many left. */
const unsigned char *octets_get(struct octets_in *in, size_t length);
uint64_t octets_get_number(struct octets_in *in);
double octets_get_real(struct octets_in *in);

/* FNV-1a, 64 bits; begin with OCTETS_SUM.  Detects accidents, not malice. */
#define OCTETS_SUM UINT64_C(0xcbf29ce484222325)
uint64_t octets_sum(uint64_t sum, const void *data, size_t length);

#endif
