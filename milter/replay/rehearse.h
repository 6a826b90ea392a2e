/* rehearse -- one attempt to deliver one message, played as the mail server would
 * tell it, at any time.
 *
 * All decisions are those of the sessions that are served: what a policy would do to
 * the mail of a log, or of a simulation, is seen by this.  Only the clock and the
 * client are the caller's, and with the embedded store what is remembered. */
#ifndef REHEARSE_H
#define REHEARSE_H

#include "session/session.h"
#include "session/shared.h"

enum rehearsal_end {
	REHEARSE_WHOLE,	    /* DATA, and the message to its end */
	REHEARSE_QUESTION,  /* QUIT after the last RCPT: a call-out */
	REHEARSE_BROKEN_OFF /* the end comes, and somebody else refuses it */
};

/* Strings are borrowed; one that is NULL is not told. */
struct rehearsal {
	const struct sockaddr *address;
	const char *name; /* verified */
	const char *helo;
	const char *server;
	const char *user; /* logged in */
	bool tls;
	const char *sender;
	const char *const *recipients;
	size_t recipient_count; /* <= RECIPIENTS_MAX */
	size_t refused; /* further recipients that the mail server refuses */
	size_t size;	/* octets of the message */
	const char *mark_name; /* a header field of an earlier filter */
	const char *mark;
	enum rehearsal_end end;
};

/* Rules stay the policy's. */
struct rehearsed {
	enum stage reached; /* the last step; STAGE_EOM of one that ended */
	bool deferred[RECIPIENTS_MAX];		  /* each recipient */
	const struct rule *rules[RECIPIENTS_MAX]; /* that deferred it; NULL:
						   * no rule, but the session */
	bool any_deferred;
	const struct rule *judged;   /* that spoke last; NULL: none */
	const struct rule *observed; /* on trial, would have spoken */
	bool asked; /* what follows is as the store told it, before */
	bool known;
	double score;
	char network[STORE_NETWORK_SIZE]; /* under which it is remembered */
	char pool[STORE_POOL_MAX];	  /* "": none */
};

/* To a policy before it is published: its server is as busy as rehearse_load() says,
 * takes no reports, and writes no line for what is accepted. */
void rehearse_adapt(struct policy *policy);

/* How busy the server is from the next shared_tick() on: 0..1 and more. */
void rehearse_load(struct shared *shared, double load);

/* False: out of memory. */
bool rehearse(struct shared *shared, const struct rehearsal *attempt,
    int64_t now, struct rehearsed *result_r);

#endif
