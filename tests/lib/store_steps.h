/* store_steps -- the steps of a test of any store, as short as they can be said.
 *
 * There is one store, opened by open_store(), and one time, that of its
 * opening. */
#ifndef STORE_STEPS_H
#define STORE_STEPS_H

#include "check_main.h"
#include "keeper.h"

#define HOUR INT64_C(3600)
#define DAY  (24 * HOUR)

/* unnamed_here is pooled_here while the DNS fails. */
extern const struct store_client stranger, neighbour, elsewhere, pooled_here,
    pooled_there, unnamed_here;
extern const struct store_pair pair, other_pair;

extern struct store *store;
extern int64_t now;

void open_store(void);
void open_store_with(const struct store_terms *terms);
void close_store(void);

/* The answer about a client with one pair; good until the next call. */
const struct store_answer *
look_up_pair(const struct store_client *client, const struct store_pair *asked);
const struct store_answer *look_up(const struct store_client *client);

/* The clock of `pair`. */
struct greylist_clock
clock_of(const struct store_client *client, enum clock_space space);

void
mark_pair(const struct store_client *client, const struct store_pair *marked,
    enum clock_space space, enum clock_mark mark, int64_t at);
void mark(const struct store_client *client, enum clock_mark what, int64_t at);

/* Mark the clock of pair number `number` of many; the first attempt of one; and
 * how many of some are still remembered, waiting or passed. */
void mark_number(const struct store_client *client, int number,
    enum clock_mark what, int64_t at);
void mark_attempt(const struct store_client *client, int number, int64_t at);
int remembered(const struct store_client *client, int from, int to);

void
earn(const struct store_client *client, double good, double bad, int64_t at);
void accept_mail(const struct store_client *client, double points, int64_t at);

/* The first attempts of one message to `count` recipients, numbered from
 * `first` as those above are, but from another sender unless that is "". */
void mark_flood(const struct store_client *client, const char *sender,
    int first, int count, int64_t at);

struct window_counts
take(const struct store_client *client, const struct store_take *what);

/* Run the suite against the store that the arguments name. */
int run_suite(Suite *suite, int argc, char **argv);

#endif
