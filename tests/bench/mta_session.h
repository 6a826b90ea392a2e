/* mta_session -- one SMTP session of one message, as an MTA tells it a milter.
 *
 * Plays Postfix 3.7: it offers version 6 with all actions and all protocol
 * flags, keeps to what the milter negotiates, and writes steps that get no
 * reply together with the next one that does.  A step that decides ends the
 * message, as it would in an MTA; the session then quits. */
#ifndef MTA_SESSION_H
#define MTA_SESSION_H

#include "mta_macros.h"
#include "packet.h"
#include "traffic.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum mta_step {
	MTA_NEGOTIATE,
	MTA_CONNECT,
	MTA_HELO,
	MTA_MAIL,
	MTA_RCPT,
	MTA_DATA,
	MTA_HEADER,
	MTA_EOH,
	MTA_BODY,
	MTA_EOM,
	MTA_STEP_COUNT
};

/* What all sessions of a run have in common. */
struct mta_plan {
	struct sockaddr_storage address; /* of the milter */
	socklen_t address_size;
	enum mta_step until; /* the client goes away after this step */
	unsigned recipients;
	bool eager; /* write each step by itself, reply or not */
};

enum mta_outcome {
	MTA_ACCEPTED,  /* by ACCEPT, before the steps were through */
	MTA_CONTINUED, /* no objection up to the last step */
	MTA_DEFERRED,  /* temporarily: TEMPFAIL or a 4yz reply */
	MTA_REFUSED,   /* for good, or discarded */
	MTA_BROKEN,    /* the milter broke off, or off the protocol */
	MTA_OUTCOMES
};

struct mta_session {
	const struct mta_plan *plan;
	struct mail mail;
	int fd; /* -1: closed */
	struct macro_lists macros;
	uint32_t protocol; /* SMFIP_ flags that the milter chose */
	enum mta_step step;
	unsigned repeat;  /* which recipient or header */
	unsigned refused; /* recipients */
	char sender[64];
	char recipient[64]; /* of this step */
	struct packet out;
	struct inbox in;
	int64_t asked_ns; /* when the step that now waits was written */

	/* once ended */
	enum mta_outcome outcome;
	int64_t decision_ns; /* how long the deciding answer took; -1: none */
};

enum mta_state { MTA_WAITING, MTA_ENDED };

/* False: there is no step of this name that a run could end with. */
bool mta_step_by_name(const char *name, enum mta_step *step_r);

/* Connect and offer the negotiation.  The mail is copied.  ENDED: broken. */
enum mta_state mta_session_open(struct mta_session *session,
    const struct mta_plan *plan, const struct mail *mail);

/* The socket can be read, since `now_ns` of the monotonic clock. */
enum mta_state mta_session_read(struct mta_session *session, int64_t now_ns);

/* Quit, as far as the milter is still there, and close. */
void mta_session_close(struct mta_session *session);

#endif
