#include "store/redis/store_redis_keys.h"

#include "base/decimal.h"
#include "base/seconds.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR INT64_C(3600)
#define DAY  (24 * HOUR)

/* Before the name of a clock; in the order of enum clock_space. */
static const char *const space_marks[CLOCK_SPACES] = {"", "~", "+"};

static void
write_life(int64_t half_life, char *text_r, size_t size)
{
	if (half_life % DAY == 0)
		snprintf(text_r, size, "%" PRId64 "d", half_life / DAY);
	else if (half_life % HOUR == 0)
		snprintf(text_r, size, "%" PRId64 "h", half_life / HOUR);
	else
		snprintf(text_r, size, "%" PRId64 "s", half_life);
}

const char *
keys_init(struct store_redis_keys *keys, const char *prefix, int64_t half_life)
{
	if (prefix[0] == '\0')
		return "the prefix of the keys is empty";
	if (strlen(prefix) >= sizeof keys->prefix)
		return "the prefix of the keys is too long";
	for (const char *c = prefix; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~' || *c == '{' || *c == '}')
			return "the prefix of the keys may hold printable "
			       "ASCII, but no blanks and braces";
	strcpy(keys->prefix, prefix);
	keys->half_life = half_life > 0 ? half_life : 1;
	write_life(keys->half_life, keys->life, sizeof keys->life);
	return NULL;
}

void
keys_shared(const struct store_redis_keys *keys, const char *name,
    char key_r[KEYS_KEY_SIZE])
{
	snprintf(key_r, KEYS_KEY_SIZE, "%s%s", keys->prefix, name);
}

bool
keys_list(const struct store_redis_keys *keys, const char *name,
    char key_r[KEYS_KEY_SIZE])
{
	return snprintf(key_r, KEYS_KEY_SIZE, "%slist:%s", keys->prefix, name) <
	    KEYS_KEY_SIZE;
}

/* Each of these writes behind `at`, and gives the new end: what every message
 * asks for is put together without printf. */
static char *
put_number(char *at, int64_t number)
{
	return at + decimal_write(number, at);
}

static char *
put_host(char *at, uint32_t host)
{
	static const char digits[] = "0123456789abcdef";

	*at++ = '.';
	*at++ = digits[host >> 4 & 15];
	*at++ = digits[host & 15];
	*at = '\0';
	return at;
}

static char *
put_record(const struct store_redis_keys *keys, const char *tag, char *at)
{
	at = stpcpy(at, keys->prefix);
	*at++ = '{';
	at = stpcpy(at, tag);
	return stpcpy(at, "}");
}

void
keys_record(const struct store_redis_keys *keys, const char *tag,
    char key_r[KEYS_KEY_SIZE])
{
	(void)put_record(keys, tag, key_r);
}

void
keys_window(const struct store_redis_keys *keys, const char *tag,
    int64_t period, int64_t slot, char key_r[KEYS_KEY_SIZE])
{
	char *at = stpcpy(put_record(keys, tag, key_r), ":r:");

	at = stpcpy(put_number(at, period), ":");
	(void)put_number(at, seconds_slot(slot, KEYS_SLOTS));
}

void
keys_holder_tag(const char name[TRIPLET_SIZE], char tag_r[KEYS_TAG_SIZE])
{
	snprintf(tag_r, KEYS_TAG_SIZE, "h:%s", name);
}

/* Redis keeps a field that is a whole number of 32 bits (with its sign) in six
 * octets: that way a key with one counter takes the smallest allocation. */
void
keys_units(
    const struct keys_limit *limit, int64_t slot, char field_r[KEYS_FIELD_SIZE])
{
	int64_t number = (int64_t)limit->id * KEYS_SLOTS +
	    seconds_into_slot(slot, KEYS_SLOTS);
	char *at = put_number(
	    field_r, number > INT32_MAX ? INT32_MAX - number : number);

	if (limit->host != KEYS_NO_HOST)
		(void)put_host(at, limit->host);
}

void
keys_sum(const struct store_redis_keys *keys, char which, int64_t generation,
    uint32_t host, char field_r[KEYS_FIELD_SIZE])
{
	char *at = field_r;

	*at++ = which;
	at = stpcpy(stpcpy(at, keys->life), ".");
	at = put_number(at, generation);
	if (host != KEYS_NO_HOST)
		(void)put_host(at, host);
}

void
keys_clock(
    enum clock_space space, const char *name, char field_r[KEYS_FIELD_SIZE])
{
	(void)stpcpy(
	    stpcpy(field_r, space_marks[space]), name == NULL ? "c" : name);
}

/* Names of pairs are told by their length, and by having no dot. */
static bool
is_pair(const char *field, enum clock_space *space_r)
{
	size_t length = strlen(field);

	if (strchr(field, '.') != NULL)
		return false;
	for (int i = CLOCK_SPACES - 1; i >= 0; i--) {
		size_t mark = strlen(space_marks[i]);

		if (length == mark + TRIPLET_LENGTH &&
		    strncmp(field, space_marks[i], mark) == 0) {
			*space_r = (enum clock_space)i;
			return true;
		}
	}
	return false;
}

static bool
sum_counts(
    const struct store_redis_keys *keys, const char *field, int64_t generation)
{
	size_t life = strlen(keys->life);
	const char *dot = field + 1 + life;

	return strncmp(field + 1, keys->life, life) == 0 && *dot == '.' &&
	    strtoll(dot + 1, NULL, 10) >= generation - 1;
}

enum keys_kind
keys_kind_of(const struct store_redis_keys *keys, const char *field,
    int64_t generation, enum clock_space *space_r)
{
	if (is_pair(field, space_r))
		return KEYS_PAIR;
	if ((field[0] != 'g' && field[0] != 'b') || strchr(field, '.') == NULL)
		return KEYS_OTHER;
	return sum_counts(keys, field, generation) ? KEYS_SUM : KEYS_OLD_SUM;
}
