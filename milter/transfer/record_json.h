/* record_json -- records of a store as lines of JSON, and back: the format of
 * export and import, which stands in milter-deferctl(8).
 *
 * A record with many clocks is several objects with one name; to take all of them
 * over makes one of them again. */
#ifndef RECORD_JSON_H
#define RECORD_JSON_H

#include <jansson.h>

#include "policy/settings.h"
#include "store/record.h"

#define RECORD_JSON_VERSION 1
#define RECORD_JSON_CLOCKS  100	   /* of one object */
#define RECORD_JSON_LINE    262144 /* octets that hold any of them */

/* The object of the clocks from number `first` on; that of the first also has all
 * else.  NULL: out of memory. */
json_t *record_to_json(const struct store_record *record, size_t first);

/* NULL, or what is wrong with it.  The record is the caller's either way. */
const char *
record_from_json(const json_t *object, struct store_record *record_r);

/* The same of what another program knew of one client, an address or a network:
 * `each` gets the records that this makes by these settings, several where the
 * network is wider than those that are remembered. */
struct client_json {
	const struct settings *settings;
	const struct triplet_namer *namer;
	int64_t now;
	void (*each)(void *arg, struct store_record *record);
	void *arg;
};
const char *
client_from_json(const struct client_json *terms, const json_t *object);

#endif
