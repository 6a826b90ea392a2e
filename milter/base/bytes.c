#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

#define NUMBER	   8 /* octets */
#define SIZE_FIRST 4096

static bool
make_room(struct bytes_out *out, size_t length)
{
	size_t size = out->size == 0 ? SIZE_FIRST : out->size;
	unsigned char *larger;

	while (size - out->length < length)
		size *= 2;
	if (size == out->size)
		return true;
	larger = realloc(out->data, size);
	if (larger == NULL)
		return false;
	out->data = larger;
	out->size = size;
	return true;
}

void
bytes_put(struct bytes_out *out, const void *data, size_t length)
{
	if (length == 0 || out->failed)
		return;
	if (!make_room(out, length)) {
		out->failed = true;
		return;
	}
	memcpy(out->data + out->length, data, length);
	out->length += length;
}

void
bytes_put_number(struct bytes_out *out, uint64_t number)
{
	unsigned char data[NUMBER];

	for (int i = 0; i < NUMBER; i++)
		data[i] = (unsigned char)(number >> (8 * i));
	bytes_put(out, data, sizeof data);
}

void
bytes_free(struct bytes_out *out)
{
	free(out->data);
	memset(out, 0, sizeof *out);
}

const unsigned char *
bytes_get(struct bytes_in *in, size_t length)
{
	const unsigned char *data = in->data;

	if (in->failed || length > in->left) {
		in->failed = true;
		return NULL;
	}
	in->data += length;
	in->left -= length;
	return data;
}

uint64_t
bytes_get_number(struct bytes_in *in)
{
	const unsigned char *data = bytes_get(in, NUMBER);
	uint64_t number = 0;

	for (int i = NUMBER - 1; data != NULL && i >= 0; i--)
		number = number << 8 | data[i];
	return number;
}
