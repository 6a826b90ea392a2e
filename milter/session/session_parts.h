/* session_parts -- the inside of a session, for session*.c, and for
 * ctl/rehearse/explain.c and replay/rehearse.c, which look at it. */
#ifndef SESSION_PARTS_H
#define SESSION_PARTS_H

#include "mail/hostname.h"
#include "mail/mailaddr.h"
#include "session/message.h"
#include "session/session.h"
#include "session/shared.h"

#define SESSION_HEADERS_MAX 64
/* Octets that are kept of a header field, and of all those of a message. */
#define HEADER_VALUE_MAX (64 * 1024)
#define HEADERS_SIZE_MAX (128 * 1024)
#define PASSED_SIZE	 512
#define HELO_SIZE	 256
#define NAME_SIZE	 256
#define TOKEN_SIZE	 9 /* a session id and its NUL */

/* What stands of a message until the next MAIL. */
enum stands {
	STANDS_NOTHING,
	STANDS_ACCEPTED, /* `accepted` tells how; it may still be broken off */
	STANDS_DEFERRED, /* `reply` was given, and is given again */
	STANDS_LOST	 /* broken off, or changed when it was settled */
};

struct session {
	char id[TOKEN_SIZE];
	int64_t opened;
	int64_t opened_us; /* of the steady clock */
	/* what the facts point to, for the session */
	char name[HOSTNAME_SIZE];
	char helo[HELO_SIZE];
	char daemon_name[NAME_SIZE];
	char server[NAME_SIZE];
	char server_address[NETADDR_TEXT_SIZE];
	char user[NAME_SIZE];
	bool helo_counted; /* as an event, once a session */
	/* for the message */
	struct mailaddr sender;
	struct mailaddr sender_normal;
	struct header headers[SESSION_HEADERS_MAX];
	size_t headers_size; /* octets of their values */
	char queue_id[NAME_SIZE];
	char reference[JOURNAL_REFERENCE_SIZE]; /* of the last line about it */
	const struct rule *observed; /* already logged for this message */
	unsigned own_logged;	     /* 1 << own_reply, likewise */
	enum stands standing;
	enum stage accepted_at;
	struct outcome accepted;
	struct reply reply;
	/* of the message that has just ended */
	char passed_header[PASSED_SIZE];
	struct message message; /* last: not all of it is cleared */
};

/* session_client.c: who the client is. */
void
session_identify(struct session *session, const struct session_origin *origin);

/* session_tell.c: what the client, the log, the counters and the journal are
 * told. */
void
session_tell_deferral(struct session *session, const struct outcome *outcome,
    size_t recipient, enum stage stage, struct reply *reply_r);
/* What no rule says, and, once a message, the line about it. */
enum own_reply {
	OWN_LOST,    /* the message stands as lost */
	OWN_TOO_MANY /* recipients: RFC 5321 4.5.3.1.10 */
};
void session_tell_own(struct session *session, enum own_reply which,
    enum stage stage, struct reply *reply_r);
/* A rule on trial is told of once a message, under a reference of its own. */
void session_tell_observed(struct session *session,
    const struct outcome *outcome, size_t recipient, enum stage stage);
/* It may pass; and it did, at its end: what users quote is in passed_header. */
void session_tell_acceptance(
    struct session *session, const struct outcome *outcome, enum stage stage);
void session_tell_pass(struct session *session);

/* Each step, and how each rule answered, for who watches. */
void session_debug_step(
    const struct session *session, const char *step, const char *text);
void session_debug_rules(const struct session *session, size_t recipient,
    enum stage stage, const struct outcome *outcome);

#endif
