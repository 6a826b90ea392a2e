/* session -- one SMTP session as the MTA tells it, from connect to close.
 *
 * Collects facts, asks for a verdict at each step, and logs each
 * decision once.  Knows nothing of libmilter: filter.c and the tests call it
 * alike.  A session is used by one thread at a time, not always the same one.
 * Steps may come in any order, or not at all; `now` is Unix seconds.
 *
 * A deferral of the whole message stands until the next MAIL: whatever the
 * client says in between, the message gets that same reply again.  Until then
 * mail servers keep the transaction, and a client may say DATA once more. */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "mail/response.h"
#include "policy/policy.h"

struct shared;
struct session;

enum action {
	ACTION_CONTINUE,
	ACTION_ACCEPT, /* this message is settled: no more steps of it */
	ACTION_DEFER   /* the reply is filled in */
};

/* NULL: out of memory.  The session holds the policy in force now. */
struct session *session_open(struct shared *shared, int64_t now);
void session_close(struct session **session, int64_t now);
const struct policy *session_policy(const struct session *session);

/* What the MTA tells at connect; any string may be NULL. */
struct session_origin {
	const char *hostname;		/* as given to xxfi_connect */
	const struct sockaddr *address; /* NULL: a local client */
	const char *resolve; /* {client_resolve}: OK FAIL FORGED TEMP */
	const char *daemon_name;
	const char *daemon_port;
	const char *server;	    /* {j} */
	const char *server_address; /* {daemon_addr} or {if_addr} */
};
void session_connect(
    struct session *session, const struct session_origin *origin, int64_t now);
void session_helo(struct session *session, const char *helo);
void session_unknown_command(struct session *session);

/* What the MTA tells at MAIL; any string may be NULL. */
struct session_envelope {
	const char *sender;	      /* raw, as typed by the client */
	const char *const *arguments; /* ESMTP, NULL-terminated; may be NULL */
	const char *auth_type;
	const char *auth_user;
	const char *tls_version;
	const char *queue_id; /* as in session_queue_id() */
};
enum action
session_mail(struct session *session, const struct session_envelope *envelope,
    int64_t now, struct reply *reply_r);
enum action session_rcpt(struct session *session, const char *recipient,
    int64_t now, struct reply *reply_r);
/* The MTA itself refused a recipient (SMFIP_RCPT_REJ). */
void session_refused_recipient(struct session *session);
enum action
session_data(struct session *session, int64_t now, struct reply *reply_r);
void
session_header(struct session *session, const char *name, const char *value);
void session_body(struct session *session, size_t octets);
enum action
session_eom(struct session *session, int64_t now, struct reply *reply_r);
/* What the header of a passed message is to say, where its name is set and the
 * message that has just reached its end had waited; else NULL. */
const char *session_passed_header(const struct session *session);
/* The message was broken off: it earned nothing.  Should the MTA go on with it
 * all the same, without another MAIL, it is deferred. */
void session_abort(struct session *session);

/* The MTA's queue id, as soon as a step shows it; for the log. */
void session_queue_id(struct session *session, const char *queue_id);

#endif
