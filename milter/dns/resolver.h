/* resolver -- asks DNS servers in a thread of its own, and remembers what they
 * said.
 *
 * Nobody waits for it unless he says how long: a session asks beforehand, and
 * later takes what is there.  An answer serves by its time to live, at least 60
 * seconds and at most an hour; one that has outlived it serves on, within that
 * hour, until the new one is there.  A failure is kept for 30 seconds, or 2 if
 * nobody answered, and does not replace an answer that still serves.  How many answers and octets are
 * kept, and how many questions are open, is bounded. */
#ifndef RESOLVER_H
#define RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns/dns_answer.h"

struct resolver;

struct resolver_terms {
	/* At most DNS_SERVERS_MAX: "192.0.2.53", "192.0.2.53:5353", "[2001:db8::53]:5353"; "system" is
	 * what /etc/resolv.conf says.  The list ends with NULL. */
	char *const *servers;
	int64_t timeout_ms; /* for one question, all attempts together */
	size_t answers_max; /* that are kept */
	size_t memory_max;  /* octets for these */
};

/* No thread is started yet.  NULL: out of memory. */
struct resolver *resolver_open(void);
/* Ends the thread; what is open is answered with DNS_FAILED. */
void resolver_close(struct resolver **resolver);

/* From now on ask these servers; copies the terms.  Starts the thread when there
 * is none.  False: no memory, no thread.  NULL: ask nobody; what is asked is not
 * known, and costs nothing. */
bool
resolver_use(struct resolver *resolver, const struct resolver_terms *terms);

/* ---- From any thread.  Names are lower case without a dot at the end. */

/* Called on the resolver's thread, once, with an answer that is borrowed for the
 * call.  May ask further. */
typedef void resolver_done(void *arg, const struct dns_answer *answer);

struct resolver_question {
	const char *name;
	enum dns_type type;
	/* For the records; more than `size` octets are as DNS_FAILED. */
	unsigned char *room;
	size_t size;
	resolver_done *done; /* who waits for the answer; NULL: nobody */
	void *arg;
};

/* See to it that the answer will be there, and take what is known now.  True: that
 * is all there will be.  False: an answer may still come, and `done` will be called
 * with it; what there was before, if anything, is given all the same. */
bool resolver_ask(struct resolver *resolver,
    const struct resolver_question *question, struct dns_answer *answer_r);

/* Only see to it that the answer will be there. */
void resolver_prefetch(
    struct resolver *resolver, const char *name, enum dns_type type);

/* Only take what is known now, as above. */
bool
resolver_peek(struct resolver *resolver, const char *name, enum dns_type type,
    unsigned char *room, size_t size, struct dns_answer *answer_r);

/* Wait until more answers have come than `*seen`, which gets how many have; 0 at
 * first: then what came before counts, too.  No longer than until `due_us` of the
 * steady clock.  False: none came. */
bool
resolver_wait(struct resolver *resolver, unsigned long *seen, int64_t due_us);

/* Whether the servers answer: in doubt after a question that none of them did.
 * When a probe was not answered either they are dead, and nothing is asked but
 * further probes. */
enum resolver_health { RESOLVER_LIVES, RESOLVER_IN_DOUBT, RESOLVER_DEAD };
enum resolver_health resolver_health(struct resolver *resolver);

/* What was learned since this was called last, for other servers (dns_news_put());
 * how many octets it is.  And what they learned. */
#define RESOLVER_NEWS_SIZE 16384
size_t resolver_take_news(
    struct resolver *resolver, unsigned char bytes_r[RESOLVER_NEWS_SIZE]);
void resolver_learn(
    struct resolver *resolver, const unsigned char *bytes, size_t length);

#endif
