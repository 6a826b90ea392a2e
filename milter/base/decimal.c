#include "base/decimal.h"

#include <string.h>

#include "base/ascii.h"

#define REAL_LENGTH_MAX 32

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

size_t
decimal_read(const char *text, size_t length, int64_t most, int64_t *number_r)
{
	int64_t number = 0;
	size_t digits = 0;

	for (; digits < length && ascii_is_digit(text[digits]); digits++) {
		int digit = text[digits] - '0';

		if (digit > most || number > (most - digit) / 10)
			return 0;
		number = number * 10 + digit;
	}
	if (digits > 0)
		*number_r = number;
	return digits;
}

bool
decimal_read_all(
    const char *text, size_t length, int64_t most, int64_t *number_r)
{
	int64_t number;

	if (length == 0 || decimal_read(text, length, most, &number) != length)
		return false;
	*number_r = number;
	return true;
}

int64_t
decimal_scan(const char *text, const char **end_r)
{
	bool is_negative = text[0] == '-';
	const char *at = text + is_negative;
	uint64_t most = (uint64_t)INT64_MAX + is_negative, number = 0;

	for (; ascii_is_digit(*at); at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		number =
		    number > (most - digit) / 10 ? most : number * 10 + digit;
	}
	if (end_r != NULL)
		*end_r = at > text + is_negative ? at : text;
	/* the smallest number has no positive */
	return is_negative && number > 0 ? -(int64_t)(number - 1) - 1
					 : (int64_t)number;
}

/* All digits in one number, divided once, give the nearest double; adding up
 * tenths and hundredths would not. */
bool
decimal_read_real(const char *text, size_t length, double *value_r)
{
	double digits = 0, divisor = 1;
	bool fraction = false;

	if (length == 0 || length > REAL_LENGTH_MAX ||
	    !ascii_is_digit(text[0]) || !ascii_is_digit(text[length - 1]))
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '.' && !fraction) {
			fraction = true;
			continue;
		}
		if (!ascii_is_digit(text[i]))
			return false;
		digits = digits * 10 + (text[i] - '0');
		divisor *= fraction ? 10 : 1;
	}
	*value_r = digits / divisor;
	return true;
}
