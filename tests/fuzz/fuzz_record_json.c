/* Whatever line is imported is refused or becomes a record, which is kept, and is the
 * same when it is exported and imported again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "store/memory/store_memory.h"
#include "transfer/record_json.h"

#define NOON INT64_C(1780000000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct store *
open_store(void)
{
	const struct store_memory_config config = {
	    .terms = {.half_life = 604800,
		.pending_life = 90000,
		.worthy_life = 3110400,
		.abandoned_after = 90000,
		.network_cap = 256,
		.memory_max = 1 << 20}};

	return store_memory_open(&config, NOON);
}

static void
again(void *arg, const struct store_record *record)
{
	(void)arg;
	for (size_t first = 0; first <= record->clock_count;
	     first += RECORD_JSON_CLOCKS) {
		json_t *object = record_to_json(record, first);
		struct store_record copy;

		if (record_from_json(object, &copy) != NULL)
			abort();
		record_clear(&copy);
		json_decref(object);
	}
}

static void
keep(void *arg, struct store_record *record)
{
	(void)store_restore(arg, record, 1, NOON);
	(void)store_read_record(arg, record->name, NOON, again, NULL);
}

static void
import(struct store *store, const struct settings *settings, json_t *object)
{
	struct triplet_namer namer;
	struct store_record record;
	const struct client_json terms = {.settings = settings,
	    .namer = &namer,
	    .now = NOON,
	    .each = keep,
	    .arg = store};

	if (record_from_json(object, &record) == NULL)
		keep(store, &record);
	record_clear(&record);
	(void)store_namer(store, &namer);
	(void)client_from_json(&terms, object);
}

/* ---- Objects of the names that count, out of octets */

struct octets {
	const uint8_t *data;
	size_t left;
};

static unsigned
next(struct octets *octets)
{
	if (octets->left == 0)
		return 0;
	octets->left--;
	return *octets->data++;
}

static const char *const names[] = {"client", "expires", "known", "points",
    "good", "bad", "paced", "hosts", "host", "trust", "address", "passes",
    "used", "clocks", "pair", "space", "first", "passed", "network", "sender",
    "spared", "pairs", "recipient"};

static const char *const texts[] = {"192.0.2.0/24", "2001:db8::/64",
    "example.org", "198.51.100.7", "10.0.0.0/8", "AAAAAAAA", "BBBB", "observed",
    "a@b.example", "<>", "", "192.0.2.0/16", "x y"};

static json_t *
make_value(struct octets *octets, int depth)
{
	json_t *value = NULL;
	unsigned kind = next(octets) % (depth > 0 ? 8 : 5);
	unsigned count = next(octets) % 6;

	switch (kind) {
	case 0:
		return json_true();
	case 1:
		return json_integer((json_int_t)(NOON - 500 + next(octets)));
	case 2:
		return json_integer((json_int_t)next(octets) - 3);
	case 3:
		return json_real(next(octets) / 7.0 - 2);
	case 4:
		return json_string(
		    texts[next(octets) % (sizeof texts / sizeof texts[0])]);
	case 5:
		value = json_array();
		for (unsigned i = 0; i < count; i++)
			(void)json_array_append_new(
			    value, make_value(octets, depth - 1));
		return value;
	default:
		value = json_object();
		for (unsigned i = 0; i < 2 * count; i++) {
			const char *name = names[next(octets) %
			    (sizeof names / sizeof names[0])];

			(void)json_object_set_new(
			    value, name, make_value(octets, depth - 1));
		}
		return value;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct settings settings = {
	    .network_ipv4 = 24, .network_ipv6 = 64, .known_after = 3};
	static struct store *store;
	struct octets octets = {data, size};
	json_t *object = json_object();

	(void)json_object_set_new(
	    object, "client", json_string(texts[next(&octets) % 4]));
	while (octets.left > 0) {
		const char *name =
		    names[next(&octets) % (sizeof names / sizeof names[0])];

		(void)json_object_set_new(object, name, make_value(&octets, 3));
	}
	if (store == NULL)
		store = open_store();
	import(store, &settings, object);
	json_decref(object);
	return 0;
}
