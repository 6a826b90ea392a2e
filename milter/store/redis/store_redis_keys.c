#include "store/redis/store_redis_keys.h"

#include "base/ascii.h"
#include "base/decimal.h"
#include "base/seconds.h"

#include <inttypes.h>
#include <stdio.h>
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
	if (!ascii_is_printable(prefix, " {}"))
		return "the prefix of the keys may hold printable ASCII, but "
		       "no blanks and braces";
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
keys_list(const struct store_redis_keys *keys, const char *part,
    const char *name, char key_r[KEYS_KEY_SIZE])
{
	int length = part == NULL
	    ? snprintf(key_r, KEYS_KEY_SIZE, "%slist:%s", keys->prefix, name)
	    : snprintf(key_r, KEYS_KEY_SIZE, "%s%s:{%slist:%s}", keys->prefix,
		  part, keys->prefix, name);

	return length < KEYS_KEY_SIZE;
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
keys_distinct(const struct store_redis_keys *keys, const char *tag,
    int64_t period, const struct keys_limit *limit, char key_r[KEYS_KEY_SIZE])
{
	char *at = stpcpy(put_record(keys, tag, key_r), ":d:");

	at = stpcpy(put_number(at, period), ":");
	at = put_number(at, limit->id);
	if (limit->host != KEYS_NO_HOST)
		(void)put_host(at, limit->host);
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
keys_clock(enum clock_space space, const char *address, const char *name,
    char field_r[KEYS_FIELD_SIZE])
{
	char *at = stpcpy(field_r, space_marks[space]);

	if (name == NULL) {
		keys_trust('c', address, at);
		return;
	}
	if (address != NULL)
		at = stpcpy(at, address);
	(void)stpcpy(at, name);
}

void
keys_trust(char which, const char *address, char field_r[KEYS_FIELD_SIZE])
{
	char *at = field_r;

	*at++ = which;
	*at = '\0';
	if (address == NULL)
		return;
	*at++ = '.';
	(void)stpcpy(at, address);
}

void
keys_host(char which, uint32_t host, char field_r[KEYS_FIELD_SIZE])
{
	field_r[0] = which;
	field_r[1] = '\0';
	if (host != KEYS_NO_HOST)
		(void)put_host(field_r + 1, host);
}

/* Who started a pending clock stands below its time: 8 bits for the host, 7 for
 * the sender, one more.  No time alone is as large as one with these behind it,
 * and a pass is negative. */
#define OPENER_BITS 16
#define TIME_ALONE  (INT64_C(1) << 40)
#define TIME_MOST   (INT64_MAX >> OPENER_BITS)

void
keys_put_value(const struct keys_value *value, char text_r[KEYS_VALUE_SIZE])
{
	int64_t number = value->clock;
	char *at;

	if (value->is_known && number > 0 && number < TIME_MOST)
		number = number << OPENER_BITS | (value->host & 255) << 8 |
		    (value->sender & 127) << 1 | value->spared;
	at = put_number(text_r, number);
	if (value->network[0] == '\0' || !value->is_known || number <= 0)
		return;
	*at++ = '@';
	(void)stpcpy(at, value->network);
}

void
keys_get_value(const char *text, struct keys_value *value_r)
{
	const char *end;
	int64_t number;

	*value_r = (struct keys_value){0};
	if (text == NULL)
		return;
	number = decimal_scan(text, &end);
	if (end == text ||
	    (*end != '\0' &&
		(*end != '@' || strlen(end + 1) >= KEYS_NETWORK_SIZE)))
		return;
	value_r->clock = number;
	if (number <= TIME_ALONE)
		return;
	value_r->clock = number >> OPENER_BITS;
	value_r->is_known = true;
	value_r->host = number >> 8 & 255;
	value_r->sender = number >> 1 & 127;
	value_r->spared = number & 1;
	if (*end == '@')
		(void)stpcpy(value_r->network, end + 1);
}

/* Two times in one number, as seconds after the start of 2024. */
#define CROWD_BITS 31

static int64_t
crowd_time(int64_t time)
{
	const struct greylist_clock clock = {.first_seen = time};

	return greylist_clock_encode(&clock) & ((INT64_C(1) << CROWD_BITS) - 1);
}

int64_t
keys_put_crowd(const struct clock_crowd *crowd)
{
	return crowd_time(crowd->since) << CROWD_BITS | crowd_time(crowd->last);
}

struct clock_crowd
keys_get_crowd(int64_t number)
{
	int64_t low = (INT64_C(1) << CROWD_BITS) - 1;

	if (number <= 0)
		return (struct clock_crowd){0, 0};
	return (struct clock_crowd){
	    greylist_clock_decode(number >> CROWD_BITS & low).first_seen,
	    greylist_clock_decode(number & low).first_seen};
}

/* The space whose mark stands before a field, and what comes after it. */
static const char *
skip_mark(const char *field, enum clock_space *space_r)
{
	for (int i = CLOCK_SPACES - 1; i > 0; i--)
		if (field[0] == space_marks[i][0]) {
			*space_r = (enum clock_space)i;
			return field + 1;
		}
	*space_r = CLOCK_REAL;
	return field;
}

/* Names of pairs are told by their length, and by having no dot: where they
 * belong to an address, that comes before. */
static bool
is_pair(const char *name)
{
	size_t length = strlen(name);

	return strchr(name, '.') == NULL &&
	    (length == TRIPLET_LENGTH ||
		length == TRIPLET_ADDRESS_LENGTH + TRIPLET_LENGTH);
}

static bool
is_of_address(const char *name, char which)
{
	return name[0] == which && name[1] == '.' &&
	    strlen(name + 2) == TRIPLET_ADDRESS_LENGTH;
}

static bool
sum_counts(
    const struct store_redis_keys *keys, const char *field, int64_t generation)
{
	size_t life = strlen(keys->life);
	const char *dot = field + 1 + life;

	return strncmp(field + 1, keys->life, life) == 0 && *dot == '.' &&
	    decimal_scan(dot + 1, NULL) >= generation - 1;
}

enum keys_kind
keys_kind_of(const struct store_redis_keys *keys, const char *field,
    int64_t generation, enum clock_space *space_r)
{
	const char *name = skip_mark(field, space_r);

	if (is_pair(name))
		return KEYS_PAIR;
	if (is_of_address(name, 'c'))
		return KEYS_CLIENT;
	if (is_of_address(field, KEYS_USED))
		return KEYS_TRUSTED;
	if (field[0] == KEYS_CROWD && field[1] == '.')
		return KEYS_CROWDED;
	if ((field[0] != 'g' && field[0] != 'b') || strchr(field, '.') == NULL)
		return KEYS_OTHER;
	return sum_counts(keys, field, generation) ? KEYS_SUM : KEYS_OLD_SUM;
}
