/* reports -- what other programs say of a client, taken in by this host.
 *
 * A report is one line of text: an IP address or a domain after an '@', an event of
 * the settings (spam, ham, trap ...) or a number of points (bad ones with a minus),
 * and optionally how many times:
 *
 *     192.0.2.7 report_spam
 *     2001:db8::25 -12.5
 *     @example.org report_ham
 *
 * The last is of an organisation, by its domain.
 *
 * They come through the store and, where one is configured, from a file that
 * programs append to.  Each is counted once in all; a malformed one is dropped
 * and counted, never fatal. */
#ifndef REPORTS_H
#define REPORTS_H

#include <stdbool.h>
#include <stdio.h>

#include "policy/policy.h"
#include "store/store.h"

#define REPORT_SIZE 200 /* longer lines are malformed */

struct report {
	char organisation[REPORT_SIZE]; /* "@example.org"; "" for a client */
	struct netaddr client;
	struct reputation_sums points;
};

/* Pure.  False: malformed. */
bool report_parse(const char *text, const struct reputation_weights *weights,
    struct report *report_r);

/* Remember it; OK means handed over, as with store_remember(). */
enum store_result report_give(const struct policy *policy, struct store *store,
    const struct report *report, int64_t now);

/* How far the reading of one source is; all zero at the beginning, but for which it
 * is. */
struct reports {
	bool of_file; /* that the policy names; else the store */
	unsigned long long malformed;
	unsigned long long lost;
	int64_t said_at;
	int file_fault;		/* errno of what was told last; 0: none */
	FILE *file;		/* that is being read; NULL: none */
	char line[REPORT_SIZE]; /* of the file, as far as it was read */
	size_t length;		/* sizeof line: it is longer, and skipped */
	bool is_whole;		/* and only waits for the store */
};

/* Tell what is lost now. */
void reports_end(struct reports *reports);

/* Take in what has come since the last time, a bounded number.  Background only: may
 * wait for the store, or hang as long as the file system does; so with a thread of
 * its own for a file. */
void reports_take(struct reports *reports, const struct policy *policy,
    struct store *store, int64_t now);

#endif
