#include "redis/slot.h"

#include <string.h>

/* Bit by bit: keys are short. */
static unsigned
crc16(const char *bytes, size_t length)
{
	unsigned crc = 0;

	for (size_t i = 0; i < length; i++) {
		crc ^= (unsigned)(unsigned char)bytes[i] << 8;
		for (int bit = 0; bit < 8; bit++)
			crc = (crc << 1) ^ (crc & 0x8000 ? 0x11021 : 0);
	}
	return crc;
}

unsigned
redis_slot(const char *key)
{
	const char *open = strchr(key, '{');
	const char *close = open != NULL ? strchr(open, '}') : NULL;

	if (close != NULL && close > open + 1)
		return crc16(open + 1, (size_t)(close - open) - 1) %
		    REDIS_SLOTS;
	return crc16(key, strlen(key)) % REDIS_SLOTS;
}
