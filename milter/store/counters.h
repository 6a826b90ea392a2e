/* counters -- what a host has decided since it began, counted without locks.
 *
 * Sessions count by relaxed atomics.  A background thread takes a picture each
 * second, in which rates are kept by minute and hour, and publishes it through the
 * store; whoever reads adds up those of all hosts. */
#ifndef COUNTERS_H
#define COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"
#include "store/store.h"

/* ---- A picture */

enum count {
	COUNT_ACCEPTED, /* messages, by a rule or by none */
	COUNT_DEFERRED, /* a message, or a recipient of one */
	COUNT_OBSERVED, /* a rule on trial would have spoken */
	COUNT_PASSED,	/* messages that had waited, of those accepted */
	COUNT_SESSIONS,
	COUNT_TRIPS,   /* questions to the store */
	COUNT_LATE,    /* those that were answered too late, or not readably */
	COUNT_AWAY,    /* those that found no store */
	COUNT_DROPPED, /* entries that the journal did not take */
	COUNTS
};
extern const char *const count_names[COUNTS]; /* "accepted" ... */

/* Upper bounds; the last bucket is for all above. */
#define COUNTERS_WAITS	12
#define COUNTERS_DELAYS 12
extern const int64_t counters_wait_us[COUNTERS_WAITS - 1];
extern const int64_t counters_delay_s[COUNTERS_DELAYS - 1];

#define COUNTERS_MINUTES 60
#define COUNTERS_HOURS	 48
#define COUNTERS_RULES	 (RULES_MAX + 64) /* those of older policies, too */
#define COUNTERS_NAME	 64

struct counters_rule {
	char name[COUNTERS_NAME]; /* "": no rule held */
	int64_t accepted, deferred, observed, passed;
	int64_t matched; /* Unix seconds, the last time; 0: never */
};

/* Large: not for the stack. */
struct counters_view {
	int64_t since; /* Unix seconds: when it began to count */
	int64_t at;    /* when the picture was taken */
	/* Since when it is known which rules matched: longer than `since`, as far
	 * as the store tells after a restart. */
	int64_t watched;
	int64_t counts[COUNTS];
	struct counters_rule rules[COUNTERS_RULES];
	size_t rule_count;
	/* How many questions to the store took so long, and how many messages
	 * were so late when they passed. */
	int64_t waits[COUNTERS_WAITS];
	int64_t wait_us;
	int64_t delays[COUNTERS_DELAYS];
	int64_t delay_s;
	/* How often in each of the last minutes and hours; the first is the one
	 * under way.  Of COUNT_ACCEPTED to COUNT_PASSED. */
	int64_t minutes[COUNT_PASSED + 1][COUNTERS_MINUTES];
	int64_t hours[COUNT_PASSED + 1][COUNTERS_HOURS];
};

/* Add another host's picture: counts and rates, by rule; `since` is the earlier,
 * `watched` too, `at` the later.  Pure. */
void counters_add(struct counters_view *sum, const struct counters_view *more);

/* Move the rates on to `now`.  Pure. */
void counters_move_on(struct counters_view *view, int64_t now);

/* The bucket below which so large a share (0..1) lies: its upper bound; -1: there
 * is nothing, or it is in the last.  Pure. */
int64_t counters_share(
    const int64_t *buckets, const int64_t *bounds, size_t count, double share);

/* As text, and back; rates are moved on to `now`.  Pure. */
#define COUNTERS_TEXT_MAX 65536
size_t counters_encode(
    const struct counters_view *view, char text_r[COUNTERS_TEXT_MAX]);
bool counters_decode(
    const char *text, size_t length, int64_t now, struct counters_view *view_r);

/* ---- Reading the farm.  Waits for the store. */

/* Give `each` the picture of every host that published one within the last
 * STORE_HOST_LIFE seconds (`host` is its name).  `view` is lent for the call. */
enum store_result counters_read(struct store *store, int64_t now,
    void (*each)(void *arg, const char *host, const struct counters_view *view),
    void *arg);

/* ---- Counting */

struct counters;

/* NULL: out of memory. */
struct counters *counters_open(int64_t now);
void counters_close(struct counters **counters);

/* Make places for the rules of a policy, before its sessions count. */
void counters_use(struct counters *counters, const struct policy *policy);

/* From any thread; `rule` NULL: none.  `waited`: seconds, of COUNT_PASSED. */
void counters_count(struct counters *counters, enum count which);
void counters_verdict(struct counters *counters, enum count which,
    const struct rule *rule, int64_t waited, int64_t now);
void counters_wait(struct counters *counters, int64_t us);

/* Take a picture and publish it, once a second however often it is called; and
 * when so many seconds are over since the last, say in the log what was decided
 * since then (0: never).  One background thread. */
void counters_tick(struct counters *counters, struct store *store,
    int64_t summary_every, int64_t now);

/* The last picture that was taken of this host. */
void counters_look(struct counters *counters, struct counters_view *view_r);

#endif
