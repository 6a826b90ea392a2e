#include "config/conf_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/decimal.h"

#define SECONDS_MAX INT64_C(31536000000) /* a thousand years */
#define SIZE_LIMIT  (INT64_C(1) << 50)
#define OCTAL_MAX   07777
#define DAY_MINUTES (24 * 60)

static bool
same_word(const char *a, const char *b)
{
	return ascii_has_prefix(a, b) && strlen(a) == strlen(b);
}

bool
conf_value_bool(const char *text, bool *value_r)
{
	static const char *const words[][2] = {
	    {"false", "true"}, {"no", "yes"}, {"off", "on"}};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		for (int truth = 0; truth < 2; truth++) {
			if (!same_word(text, words[i][truth]))
				continue;
			*value_r = truth == 1;
			return true;
		}
	}
	return false;
}

/* Take digits off `*cursor`; at least one, and no overflow. */
static bool
take_digits(const char **cursor, int64_t *value_r)
{
	size_t digits =
	    decimal_read(*cursor, strlen(*cursor), INT64_MAX, value_r);

	*cursor += digits;
	return digits > 0;
}

bool
conf_value_number(const char *text, int64_t *value_r)
{
	return decimal_read_all(text, strlen(text), INT64_MAX, value_r);
}

void
conf_value_say_number(int64_t value, char text_r[CONF_VALUE_SIZE])
{
	snprintf(text_r, CONF_VALUE_SIZE, "%" PRId64, value);
}

bool
conf_value_octal(const char *text, int64_t *value_r)
{
	size_t digits = strspn(text, "01234567");
	unsigned long value = strtoul(text, NULL, 8);

	if (digits == 0 || text[digits] != '\0' || value > OCTAL_MAX)
		return false;
	*value_r = (int64_t)value;
	return true;
}

void
conf_value_say_octal(int64_t value, char text_r[CONF_VALUE_SIZE])
{
	snprintf(text_r, CONF_VALUE_SIZE, "%#" PRIo64, (uint64_t)value);
}

bool
conf_value_real(const char *text, double *value_r)
{
	bool negative = *text == '-';
	double value;

	if (negative)
		text++;
	if (!decimal_read_real(text, strlen(text), &value))
		return false;
	*value_r = negative ? -value : value;
	return true;
}

/* ---- Amounts with a unit */

struct unit {
	const char *name;
	int64_t worth;
};

/* The largest first; a NULL name ends it. */
static const struct unit time_units[] = {
    {"w", 604800}, {"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}, {NULL, 0}};
static const struct unit millisecond_units[] = {
    {"s", 1000}, {"ms", 1}, {NULL, 0}};
static const struct unit size_units[] = {{"G", INT64_C(1) << 30},
    {"M", INT64_C(1) << 20}, {"k", INT64_C(1) << 10}, {NULL, 0}};

/* The unit in the list that `*cursor` names up to the next digit. */
static const struct unit *
take_unit(const char **cursor, const struct unit *units)
{
	size_t length = strcspn(*cursor, "0123456789");

	for (; units->name != NULL; units++) {
		if (strlen(units->name) == length &&
		    ascii_has_prefix(*cursor, units->name)) {
			*cursor += length;
			return units;
		}
	}
	return NULL;
}

/* Sums up "1h30m".  Each unit has to be smaller than the one before it. */
static bool
read_amounts(
    const char *text, const struct unit *units, int64_t most, int64_t *value_r)
{
	int64_t sum = 0;

	do {
		const struct unit *unit;
		int64_t count;

		if (!take_digits(&text, &count))
			return false;
		unit = take_unit(&text, units);
		if (unit == NULL || count > (most - sum) / unit->worth)
			return false;
		sum += count * unit->worth;
		units = unit + 1;
	} while (*text != '\0');
	*value_r = sum;
	return true;
}

/* The reverse, as short as possible; `smallest` is written for 0. */
static void
write_amounts(int64_t value, const struct unit *units, const char *smallest,
    char text_r[CONF_VALUE_SIZE])
{
	size_t at = 0;

	text_r[0] = '\0';
	for (; units->name != NULL; units++) {
		if (value < units->worth || at >= CONF_VALUE_SIZE - 1)
			continue;
		at += (size_t)snprintf(text_r + at, CONF_VALUE_SIZE - at,
		    "%" PRId64 "%s", value / units->worth, units->name);
		value %= units->worth;
	}
	if (at == 0)
		snprintf(text_r, CONF_VALUE_SIZE, "0%s", smallest);
}

bool
conf_value_duration(const char *text, int64_t *seconds_r)
{
	int64_t value;

	if (conf_value_number(text, &value) && value <= SECONDS_MAX) {
		*seconds_r = value;
		return true;
	}
	return read_amounts(text, time_units, SECONDS_MAX, seconds_r);
}

/* As people write them: 36d and not 5w1d, 25h and not 1d1h. */
void
conf_value_say_duration(int64_t seconds, char text_r[CONF_VALUE_SIZE])
{
	bool in_hours = seconds < 3 * 86400 && seconds % 86400 != 0;

	write_amounts(seconds, time_units + (in_hours ? 2 : 1), "s", text_r);
}

bool
conf_value_milliseconds(const char *text, int64_t *milliseconds_r)
{
	return read_amounts(
	    text, millisecond_units, SECONDS_MAX, milliseconds_r);
}

void
conf_value_say_milliseconds(int64_t milliseconds, char text_r[CONF_VALUE_SIZE])
{
	write_amounts(milliseconds, millisecond_units, "ms", text_r);
}

bool
conf_value_size(const char *text, int64_t *bytes_r)
{
	int64_t value;

	if (conf_value_number(text, &value) && value <= SIZE_LIMIT) {
		*bytes_r = value;
		return true;
	}
	if (!take_digits(&text, &value))
		return false;
	for (const struct unit *unit = size_units; unit->name != NULL; unit++) {
		if (!same_word(text, unit->name))
			continue;
		if (value > SIZE_LIMIT / unit->worth)
			return false;
		*bytes_r = value * unit->worth;
		return true;
	}
	return false;
}

void
conf_value_say_size(int64_t octets, char text_r[CONF_VALUE_SIZE])
{
	const struct unit *unit = size_units;

	while (unit->name != NULL && (octets == 0 || octets % unit->worth != 0))
		unit++;
	if (unit->name != NULL)
		octets /= unit->worth;
	snprintf(text_r, CONF_VALUE_SIZE, "%" PRId64 "%s", octets,
	    unit->name == NULL ? "" : unit->name);
}

bool
conf_value_percent(const char *text, int64_t *hundredths_r)
{
	int64_t whole, hundredths = 0;

	if (!take_digits(&text, &whole) || whole > 100)
		return false;
	if (*text == '.') {
		const char *start = ++text;

		if (!take_digits(&text, &hundredths) || text - start > 2)
			return false;
		if (text - start == 1)
			hundredths *= 10;
	}
	hundredths += whole * 100;
	if (strcmp(text, "%") != 0 || hundredths > 10000)
		return false;
	*hundredths_r = hundredths;
	return true;
}

/* ---- Units that are written otherwise */

/* The plural of each is meant as well. */
static const struct {
	const char *word;
	const char *unit;
} other_units[] = {{"sec", "s"}, {"second", "s"}, {"min", "m"}, {"minute", "m"},
    {"hr", "h"}, {"hour", "h"}, {"day", "d"}, {"week", "w"}, {"wk", "w"},
    {"month", "30d"}, {"mon", "30d"}, {"mo", "30d"}, {"year", "365d"},
    {"yr", "365d"}, {"y", "365d"}, {"millisecond", "ms"}, {"msec", "ms"},
    {"kb", "k"}, {"kib", "k"}, {"kilobyte", "k"}, {"mb", "M"}, {"mib", "M"},
    {"megabyte", "M"}, {"gb", "G"}, {"gib", "G"}, {"gigabyte", "G"},
    {"t", "1024G"}, {"tb", "1024G"}, {"tib", "1024G"}, {"percent", "%"},
    {"pct", "%"}};

static const char *
unit_for(const char *word, size_t length)
{
	for (size_t i = 0; i < sizeof other_units / sizeof other_units[0];
	     i++) {
		size_t own = strlen(other_units[i].word);
		bool plural =
		    length == own + 1 && ascii_lower(word[own]) == 's';

		if ((length == own || plural) &&
		    ascii_has_prefix(word, other_units[i].word))
			return other_units[i].unit;
	}
	return NULL;
}

static bool
is_unit(const struct unit *units, const char *word, size_t length)
{
	for (; units->name != NULL; units++)
		if (strlen(units->name) == length &&
		    ascii_has_prefix(word, units->name))
			return true;
	return false;
}

/* The first word of the text that is no unit of these; NULL: all are. */
static const char *
find_wrong_unit(const char *text, const struct unit *units, size_t *length_r)
{
	while (*text != '\0') {
		size_t length = 0;

		while (ascii_is_letter(text[length]))
			length++;
		if (length > 0 && !is_unit(units, text, length)) {
			*length_r = length;
			return text;
		}
		text += length > 0 ? length : 1;
	}
	return NULL;
}

static const struct unit *
units_of(const char *wants)
{
	static const struct unit percent[] = {{"%", 1}, {NULL, 0}};
	const struct {
		const char *wants;
		const struct unit *units;
	} kinds[] = {{CONF_VALUE_WANTS_DURATION, time_units},
	    {CONF_VALUE_WANTS_MILLISECONDS, millisecond_units},
	    {CONF_VALUE_WANTS_SIZE, size_units},
	    {CONF_VALUE_WANTS_PERCENT, percent}};

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
		if (strcmp(kinds[i].wants, wants) == 0)
			return kinds[i].units;
	return NULL;
}

void
conf_value_why(
    const char *text, const char *wants, char why_r[CONF_VALUE_WHY_SIZE])
{
	const struct unit *units = units_of(wants);
	const char *word = NULL, *right;
	char before[64] = "";
	size_t length = 0;

	if (units != NULL && ascii_is_digit(text[0])) {
		word = find_wrong_unit(text, units, &length);
		if (word == NULL && strchr(text, ' ') != NULL)
			strcpy(before, "no blank may stand in it; ");
	}
	right = word == NULL ? NULL : unit_for(word, length);
	length = length < 16 ? length : 16;
	if (right != NULL)
		(void)snprintf(before, sizeof before,
		    "there is no %.*s; %s is: ", (int)length, word, right);
	else if (word != NULL)
		(void)snprintf(before, sizeof before,
		    "there is no unit %.*s: ", (int)length, word);
	(void)snprintf(why_r, CONF_VALUE_WHY_SIZE, "%s%s", before, wants);
}

/* ---- Hours */

static bool
take_day(const char **cursor, int *day_r)
{
	static const char *const days[] = {
	    "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

	for (int day = 0; day < 7; day++) {
		if (ascii_has_prefix(*cursor, days[day])) {
			*cursor += 3;
			*day_r = day;
			return true;
		}
	}
	return false;
}

static bool
take_char(const char **cursor, char c)
{
	if (**cursor != c)
		return false;
	(*cursor)++;
	return true;
}

/* "Mon-Fri,Sun": a bit for each day. */
static bool
take_days(const char **cursor, unsigned char *weekdays_r)
{
	unsigned weekdays = 0;

	do {
		int day, last;

		if (!take_day(cursor, &day))
			return false;
		last = day;
		if (take_char(cursor, '-') && !take_day(cursor, &last))
			return false;
		for (; day != last; day = (day + 1) % 7)
			weekdays |= 1U << day;
		weekdays |= 1U << last;
	} while (take_char(cursor, ','));
	*weekdays_r = (unsigned char)weekdays;
	return true;
}

/* "08:00", as minutes of the day; 24:00 is its end. */
static bool
take_time(const char **cursor, short *minute_r)
{
	const char *start = *cursor;
	int64_t hour, minute;

	if (!take_digits(cursor, &hour) || *cursor - start > 2 ||
	    !take_char(cursor, ':'))
		return false;
	start = *cursor;
	if (!take_digits(cursor, &minute) || *cursor - start != 2 ||
	    minute > 59 || hour * 60 + minute > DAY_MINUTES)
		return false;
	*minute_r = (short)(hour * 60 + minute);
	return true;
}

bool
conf_value_hours(const char *text, struct hours *hours_r)
{
	struct hours hours = {.weekdays = 0x7f};

	if (ascii_is_letter(*text)) {
		if (!take_days(&text, &hours.weekdays) ||
		    !take_char(&text, ' '))
			return false;
		text += strspn(text, " ");
	}
	if (!take_time(&text, &hours.from) || !take_char(&text, '-') ||
	    !take_time(&text, &hours.to) || *text != '\0' ||
	    hours.from == DAY_MINUTES || hours.from == hours.to)
		return false;
	*hours_r = hours;
	return true;
}

/* ---- Names */

bool
conf_value_name(const char *text, const char *without)
{
	size_t length = strlen(text);

	return length > 0 && length <= CONF_VALUE_NAME_MAX &&
	    ascii_is_printable(text, without);
}

/* ---- Headers */

bool
conf_value_header(const char *text, size_t *name_length_r, const char **text_r)
{
	const char *end = text;
	const char *pattern;

	while (*end > ' ' && *end <= '~' && *end != ':')
		end++;
	if (end == text || *end != ':')
		return false;
	pattern = end + 1 + strspn(end + 1, " ");
	if (*pattern == '\0')
		return false;
	*name_length_r = (size_t)(end - text);
	*text_r = pattern;
	return true;
}
