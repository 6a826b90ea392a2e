/* negotiation -- what is asked of the mail server before a session: which steps
 * it shows, at which it waits for us, and with which macros.
 *
 * For filter.c alone; besides it the only module that knows libmilter. */
#ifndef NEGOTIATION_H
#define NEGOTIATION_H

#include <libmilter/mfapi.h>

#include "policy/policy.h"

/* Nothing but the end of a message, which cannot be declined. */
#define NEGOTIATION_NO_STEPS                                                   \
	(SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NOMAIL | SMFIP_NORCPT |        \
	    SMFIP_NODATA | SMFIP_NOHDRS | SMFIP_NOEOH | SMFIP_NOBODY |         \
	    SMFIP_NOUNKNOWN)

/* The SMFIP_* flags that suit this policy, whatever the mail server offers:
 * SMFIP_NO* for what nobody needs, SMFIP_NR_* where nothing is answered. */
unsigned long negotiation_steps(const struct policy *policy);

/* Ask for the macros that filter.c reads, so that no mail server has to be
 * configured for them.  For xxfi_negotiate, if SMFIF_SETSYMLIST is offered. */
void negotiation_macros(SMFICTX *ctx);

#endif
