/* redis_redirect -- which commands did a cluster send elsewhere, and where?
 * Pure, but for the memory of the commands.
 *
 * A redirected command has not been executed, nor has the transaction that it
 * belongs to (MULTI to EXEC), so these and no others may be sent again. */
#ifndef REDIS_REDIRECT_H
#define REDIS_REDIRECT_H

#include "redis/address.h"
#include "redis/call.h"

struct redis_redirect {
	bool is_ask;		   /* only this once; else the slot has moved */
	unsigned slot;		   /* below REDIS_SLOTS */
	char to[REDIS_WHERE_SIZE]; /* for redis_address_redirect */
};

/* Find the first redirection among the replies of a call, and add all of its
 * commands and transactions that got this one, each with ASKING before it where that
 * is due.  False: there is none, and nothing was added. */
bool redis_redirect_collect(const struct redis_call *call,
    struct redis_redirect *redirect_r, struct resp_commands *commands);

/* Put the replies to what was collected in the places where they belong.  They
 * are the call's then; those to ASKING are freed. */
void redis_redirect_merge(struct redis_call *call,
    const struct redis_redirect *redirect, struct resp_reply **replies);

#endif
