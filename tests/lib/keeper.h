/* keeper -- the store that a test program puts to the test: the embedded one,
 * or one in the Redis that its command line names. */
#ifndef KEEPER_H
#define KEEPER_H

#include <stdbool.h>

#include "redis/redis.h"
#include "store/store.h"

#define KEEPER_HALF_LIFE       INT64_C(604800)
#define KEEPER_PENDING_LIFE    INT64_C(90000)
#define KEEPER_WORTHY_LIFE     INT64_C(3110400)
#define KEEPER_ABANDONED_AFTER INT64_C(14400)

/* No argument: the embedded store.  Else "single ADDRESS", "sentinel NAME
 * ADDRESS..." or "cluster ADDRESS...".  False, with a word to stderr: none of
 * these.  Keeps a pointer to `argv`. */
bool keeper_select(int argc, char **argv);
bool keeper_is_redis(void);
enum redis_mode keeper_mode(void);

/* Terms to begin with; change what a test is about. */
struct store_terms keeper_terms(void);

/* An empty store, up and ready; fails the test otherwise.  With Redis, further
 * ones in the same process share its records. */
struct store *keeper_open(const struct store_terms *terms);

/* The same, but neither waits for it nor minds if it is down. */
struct store *keeper_connect(const struct store_terms *terms);

/* Use these servers from now on. */
void keeper_use(char **servers);

/* Open a store in Redis with this prefix; NULL if it is refused. */
struct store *
keeper_try_prefix(const char *text, char *error_r, size_t error_size);

/* What time it is for the store. */
int64_t keeper_now(struct store *store);

/* The prefix of this process's keys, and Redis itself. */
const char *keeper_prefix(void);
struct redis *keeper_redis(void);

/* What the store last had to say, "" if nothing. */
const char *keeper_said(void);

#endif
