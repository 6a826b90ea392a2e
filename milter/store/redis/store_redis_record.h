/* store_redis_record -- the fields of a record as plain values (store/record.h), and
 * back: the one place that reads and writes all of them. */
#ifndef STORE_REDIS_RECORD_H
#define STORE_REDIS_RECORD_H

#include "redis/resp.h"
#include "store/record.h"
#include "store/redis/store_redis_keys.h"

/* By what a record is read. */
struct record_reading {
	const struct store_redis_keys *keys;
	const struct store_terms *terms;
	int64_t now;
};

/* What the record of `tag` holds: `fields` is the answer to HGETALL, and `life` that
 * to TTL.  What is no field of ours is left out.  False: out of memory, or there is
 * no such record. */
bool record_decode(const struct record_reading *reading, const char *tag,
    const struct resp_reply *fields, int64_t life,
    struct store_record *record_r);

/* Add the commands that make `after` of `before`, of which it has all.  Points are
 * as of `now`. */
void record_encode(const struct store_redis_keys *keys,
    const struct store_record *before, const struct store_record *after,
    int64_t now, struct resp_commands *commands);

#endif
