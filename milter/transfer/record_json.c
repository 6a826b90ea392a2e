#include "transfer/record_json.h"

#include <math.h>
#include <string.h>

#include "base/ascii.h"

#define TIME_MAX   INT64_C(253402300799) /* the end of 9999 */
#define COUNT_MAX  INT64_C(1000000000)
#define POINTS_MAX 1e12

static const char *const space_names[CLOCK_SPACES] = {
    "real", "observed", "deferred"};

/* ---- To JSON */

static void
put(json_t *object, const char *key, json_t *value)
{
	(void)json_object_set_new(object, key, value);
}

/* Nothing is said of what is 0. */
static void
put_number(json_t *object, const char *key, int64_t number)
{
	if (number != 0)
		put(object, key, json_integer((json_int_t)number));
}

static void
put_text(json_t *object, const char *key, const char *text)
{
	if (text[0] != '\0')
		put(object, key, json_string(text));
}

static void
put_points(json_t *object, const struct record_points *points)
{
	if (points->good > 0)
		put(object, "good", json_real(points->good));
	if (points->bad > 0)
		put(object, "bad", json_real(points->bad));
	put_number(object, "paced", points->paced_at);
}

static json_t *
hosts_to_json(const struct store_record *record)
{
	json_t *hosts = json_array();

	for (size_t i = 0; i < record->host_count; i++) {
		json_t *host = json_object();

		put(host, "host", json_integer(record->hosts[i].bucket));
		put_points(host, &record->hosts[i].points);
		(void)json_array_append_new(hosts, host);
	}
	return hosts;
}

static json_t *
trusts_to_json(const struct store_record *record)
{
	json_t *trusts = json_array();

	for (size_t i = 0; i < record->trust_count; i++) {
		json_t *trust = json_object();

		put_text(trust, "address", record->trusts[i].address);
		put_number(trust, "passes", record->trusts[i].passes);
		put_number(trust, "used", record->trusts[i].last_used);
		(void)json_array_append_new(trusts, trust);
	}
	return trusts;
}

static json_t *
clock_to_json(const struct record_clock *clock)
{
	json_t *object = json_object();

	put_text(object, "pair", clock->pair);
	put_text(object, "address", clock->address);
	if (clock->space != CLOCK_REAL)
		put_text(object, "space", space_names[clock->space]);
	put_number(object, "first", clock->at.first_seen);
	put_number(object, "passed", clock->at.last_passed);
	if (!clock->opener.is_known)
		return object;
	put_text(object, "network", clock->opener.network);
	put(object, "host", json_integer(clock->opener.host));
	put_number(object, "sender", clock->opener.sender);
	if (clock->opener.spared)
		put(object, "spared", json_true());
	return object;
}

json_t *
record_to_json(const struct store_record *record, size_t first)
{
	json_t *object = json_object(), *clocks = json_array();

	put_text(object, "kind", "record");
	put_text(object, "client", record->name);
	put_number(object, "expires", record->expires);
	put(object, "known", json_boolean(record->worthy));
	if (first == 0 && record->has_points) {
		put(object, "points", json_true());
		put_points(object, &record->points);
		if (record->host_count > 0)
			put(object, "hosts", hosts_to_json(record));
	}
	if (first == 0 && record->trust_count > 0)
		put(object, "trust", trusts_to_json(record));
	for (size_t i = first;
	     i < record->clock_count && i - first < RECORD_JSON_CLOCKS; i++)
		(void)json_array_append_new(
		    clocks, clock_to_json(&record->clocks[i]));
	if (json_array_size(clocks) > 0)
		put(object, "clocks", clocks);
	else
		json_decref(clocks);
	return object;
}

/* ---- From JSON */

/* A whole number from 0 to `most`, 0 where there is none.  False: it is something
 * else. */
static bool
get_number(
    const json_t *object, const char *key, int64_t most, int64_t *number_r)
{
	const json_t *value = json_object_get(object, key);

	*number_r = value == NULL ? 0 : (int64_t)json_integer_value(value);
	return (value == NULL || json_is_integer(value)) && *number_r >= 0 &&
	    *number_r <= most;
}

static bool
get_small(
    const json_t *object, const char *key, unsigned most, unsigned *number_r)
{
	int64_t number;
	bool good = get_number(object, key, most, &number);

	*number_r = good ? (unsigned)number : 0;
	return good;
}

static bool
get_real(const json_t *object, const char *key, double *real_r)
{
	const json_t *value = json_object_get(object, key);

	*real_r = value == NULL ? 0 : json_number_value(value);
	return (value == NULL || json_is_number(value)) && isfinite(*real_r) &&
	    *real_r >= 0 && *real_r <= POINTS_MAX;
}

/* A name of so many characters of base64url, or none. */
static bool
get_name(const json_t *object, const char *key, size_t length, char *name_r)
{
	const json_t *value = json_object_get(object, key);
	const char *text = json_string_value(value);

	name_r[0] = '\0';
	if (value == NULL)
		return true;
	if (text == NULL || strlen(text) != length)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!ascii_is_alnum(text[i]) && text[i] != '-' &&
		    text[i] != '_')
			return false;
	memcpy(name_r, text, length + 1);
	return true;
}

static bool
get_record_name(
    const json_t *object, const char *key, char name_r[STORE_POOL_MAX])
{
	const char *text = json_string_value(json_object_get(object, key));

	if (text == NULL || strlen(text) >= STORE_POOL_MAX ||
	    !record_name_is_good(text))
		return false;
	memcpy(name_r, text, strlen(text) + 1);
	return true;
}

static bool
get_points(const json_t *object, struct record_points *points_r)
{
	return get_real(object, "good", &points_r->good) &&
	    get_real(object, "bad", &points_r->bad) &&
	    get_number(object, "paced", TIME_MAX, &points_r->paced_at);
}

static bool
get_hosts(const json_t *object, struct store_record *record)
{
	const json_t *hosts = json_object_get(object, "hosts"), *host;
	size_t i;

	json_array_foreach(hosts, i, host)
	{
		struct record_host *added = record_add_host(record);

		if (added == NULL ||
		    !get_small(host, "host", 255, &added->bucket) ||
		    !get_points(host, &added->points))
			return false;
	}
	return hosts == NULL || json_is_array(hosts);
}

static bool
get_trusts(const json_t *object, struct store_record *record)
{
	const json_t *trusts = json_object_get(object, "trust"), *trust;
	size_t i;

	json_array_foreach(trusts, i, trust)
	{
		struct record_trust *added = record_add_trust(record);

		if (added == NULL ||
		    !get_name(trust, "address", TRIPLET_ADDRESS_LENGTH,
			added->address) ||
		    !get_number(trust, "passes", COUNT_MAX, &added->passes) ||
		    !get_number(trust, "used", TIME_MAX, &added->last_used))
			return false;
	}
	return trusts == NULL || json_is_array(trusts);
}

static bool
get_space(const json_t *object, enum clock_space *space_r)
{
	const json_t *value = json_object_get(object, "space");

	*space_r = CLOCK_REAL;
	if (value == NULL)
		return true;
	for (int i = 0; json_is_string(value) && i < CLOCK_SPACES; i++)
		if (strcmp(json_string_value(value), space_names[i]) == 0) {
			*space_r = (enum clock_space)i;
			return true;
		}
	return false;
}

static bool
get_opener(const json_t *object, struct record_opener *opener_r)
{
	opener_r->is_known = json_object_get(object, "host") != NULL;
	opener_r->spared = json_is_true(json_object_get(object, "spared"));
	if (json_object_get(object, "network") != NULL &&
	    !get_record_name(object, "network", opener_r->network))
		return false;
	return get_small(object, "host", 255, &opener_r->host) &&
	    get_small(object, "sender", TRIPLET_SENDERS - 1, &opener_r->sender);
}

static bool
get_at(const json_t *object, struct greylist_clock *at_r)
{
	return get_number(object, "first", TIME_MAX, &at_r->first_seen) &&
	    get_number(object, "passed", TIME_MAX, &at_r->last_passed) &&
	    (at_r->first_seen == 0) != (at_r->last_passed == 0);
}

static bool
get_clocks(const json_t *object, struct store_record *record)
{
	const json_t *clocks = json_object_get(object, "clocks"), *clock;
	size_t i;

	json_array_foreach(clocks, i, clock)
	{
		struct record_clock *added = record_add_clock(record);

		if (added == NULL ||
		    !get_name(clock, "pair", TRIPLET_LENGTH, added->pair) ||
		    !get_name(clock, "address", TRIPLET_ADDRESS_LENGTH,
			added->address) ||
		    !get_space(clock, &added->space) ||
		    !get_at(clock, &added->at) ||
		    !get_opener(clock, &added->opener))
			return false;
	}
	return clocks == NULL || json_is_array(clocks);
}

const char *
record_from_json(const json_t *object, struct store_record *record_r)
{
	*record_r = (struct store_record){0};
	if (!get_record_name(object, "client", record_r->name))
		return "\"client\" is no network and no domain";
	if (!get_number(object, "expires", TIME_MAX, &record_r->expires))
		return "\"expires\" is no time";
	record_r->worthy = json_is_true(json_object_get(object, "known"));
	record_r->has_points = json_is_true(json_object_get(object, "points"));
	if (!get_points(object, &record_r->points) ||
	    !get_hosts(object, record_r))
		return "its points are none";
	if (!get_trusts(object, record_r))
		return "its \"trust\" is none";
	return get_clocks(object, record_r) ? NULL : "its \"clocks\" are none";
}
