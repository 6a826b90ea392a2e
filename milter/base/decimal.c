#include "base/decimal.h"

#include <string.h>

size_t
decimal_write(int64_t number, char digits_r[DECIMAL_SIZE])
{
	char digits[DECIMAL_SIZE];
	char *at = digits + sizeof digits;
	/* the smallest number has no positive */
	uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;
	size_t size;

	*--at = '\0';
	do
		*--at = (char)('0' + left % 10);
	while ((left /= 10) != 0);
	if (number < 0)
		*--at = '-';
	size = (size_t)(digits + sizeof digits - at);
	memcpy(digits_r, at, size);
	return size - 1;
}
