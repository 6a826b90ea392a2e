/* bytes -- numbers as octets in a growing buffer, and back. */
#ifndef BYTES_H
#define BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is an empty one.  Once memory ran out `failed` stays set. */
struct bytes_out {
	unsigned char *data;
	size_t length;
	size_t size;
	bool failed;
};

void bytes_put(struct bytes_out *out, const void *data, size_t length);
void bytes_put_number(struct bytes_out *out, uint64_t number);
void bytes_free(struct bytes_out *out);

/* Borrows its data.  Once they did not suffice `failed` stays set, and all
 * further answers are zeros. */
struct bytes_in {
	const unsigned char *data;
	size_t left;
	bool failed;
};

/* NULL when there are not as many left. */
const unsigned char *bytes_get(struct bytes_in *in, size_t length);
uint64_t bytes_get_number(struct bytes_in *in);

#endif
