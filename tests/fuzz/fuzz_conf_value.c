/* Fuzz the readers of configuration values: whatever the bytes, what is
 * accepted is within its range, and what is written is read back. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/conf_value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool good)
{
	if (!good)
		abort();
}

static void
round_trip(const char *text, bool (*read)(const char *, int64_t *),
    void (*say)(int64_t, char[CONF_VALUE_SIZE]))
{
	char written[CONF_VALUE_SIZE];
	int64_t value, back;

	if (!read(text, &value))
		return;
	say(value, written);
	require(value >= 0 && read(written, &back) && back == value);
}

static void
check_others(const char *text)
{
	struct hours hours;
	const char *rest;
	size_t length;
	int64_t number;
	double real;
	bool truth;

	if (conf_value_hours(text, &hours))
		require(hours.from >= 0 && hours.from < 1440 && hours.to >= 0 &&
		    hours.to <= 1440 && hours.weekdays != 0);
	if (conf_value_header(text, &length, &rest))
		require(text[length] == ':' && *rest != '\0');
	if (conf_value_percent(text, &number))
		require(number >= 0 && number <= 10000);
	if (conf_value_octal(text, &number))
		require(number >= 0 && number <= 07777);
	if (conf_value_real(text, &real))
		require(real == real);
	(void)conf_value_bool(text, &truth);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	round_trip(text, conf_value_duration, conf_value_say_duration);
	round_trip(text, conf_value_milliseconds, conf_value_say_milliseconds);
	round_trip(text, conf_value_size, conf_value_say_size);
	check_others(text);
	free(text);
	return 0;
}
