/* farm -- several milters that share one store, in virtual time.
 *
 * Each has a policy, a store and a load of its own, as on a real server, and all
 * decisions are those of the real code; only the clock is ours. */
#ifndef FARM_H
#define FARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/spf_result.h"

#define FARM_RECIPIENTS_MAX 16
#define FARM_RULE_SIZE	    64

struct farm;

/* Every server reads the configuration file for itself; its settings about
 * Redis and the sources of load do not count here.  NULL: it is wrong, or
 * memory is short; standard error says what. */
struct farm *farm_open(const char *config, size_t servers, int64_t now);
void farm_close(struct farm **farm);

/* Let a second pass on one server, which is as busy as this. */
void farm_tick(struct farm *farm, size_t server, double load, int64_t now);

/* What DNS says of the client and the sender. */
struct farm_says {
	bool trusted; /* by the lists of a section dnsbl of that name */
	bool blocked;
	enum spf_result spf;
	bool in_time; /* it is there when the message is judged */
};

/* One attempt to deliver one message. */
struct farm_visit {
	uint32_t address;	 /* IPv4, in host order */
	const char *client_name; /* verified, or NULL */
	const char *helo;
	const char *sender;
	const char *recipients[FARM_RECIPIENTS_MAX];
	size_t recipient_count;
	size_t refused; /* further recipients that the MTA does not know */
	bool asks;	/* a call-out: QUIT after the last RCPT */
	const char *mark_name; /* a header of an earlier filter, or NULL */
	const char *mark;
	struct farm_says says;
};

enum farm_step { FARM_MAIL, FARM_RCPT, FARM_DATA, FARM_END, FARM_STEPS };

/* What became of it, and what the store knew when it was asked. */
struct farm_result {
	enum farm_step step;		    /* the last one that was reached */
	bool deferred[FARM_RECIPIENTS_MAX]; /* each recipient, now */
	bool any_deferred;
	char rule[FARM_RULE_SIZE]; /* that deferred last */
	bool asked;		   /* the rest counts only if it was */
	bool known;
	bool seen_before; /* any of the pairs */
	double score;
};

/* False: out of memory. */
bool farm_receive(struct farm *farm, size_t server,
    const struct farm_visit *visit, int64_t now, struct farm_result *result_r);

#endif
