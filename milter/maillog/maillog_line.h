/* maillog_line -- what one line of a mail server's log says.  Pure.
 *
 * Postfix (smtpd, postscreen, cleanup, qmgr, delivery agents; any syslog_name),
 * Sendmail, and the decision lines of milter-defer, behind a traditional syslog time
 * or one of RFC 3339. */
#ifndef MAILLOG_LINE_H
#define MAILLOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "maillog/maillog_stamp.h"
#include "maillog/span.h"

enum maillog_kind {
	MAILLOG_GARBAGE, /* no line of a log, or one of a mail server cut short */
	MAILLOG_OTHER,	 /* nothing that is about an attempt */
	MAILLOG_CONNECT,   /* client */
	MAILLOG_CLOSE,	   /* of the connection */
	MAILLOG_SECURE,	   /* it is encrypted; Sendmail: client */
	MAILLOG_LOGIN,	   /* Sendmail: user, client */
	MAILLOG_CLIENT,	   /* Postfix: queue_id is of this client, and user */
	MAILLOG_ENVELOPE,  /* queue_id, sender, size, count; Sendmail: client */
	MAILLOG_RECIPIENT, /* queue_id, recipients */
	MAILLOG_REFUSED,  /* sender and recipients as far as told, fate, step */
	MAILLOG_DONE,	  /* queue_id: no more is told of it */
	MAILLOG_SCREENED, /* postscreen let the client through, or did not */
	MAILLOG_OURS	  /* a decision line: queue_id, client, sender, ... */
};

/* What the log says became of it. */
enum maillog_fate {
	MAILLOG_TAKEN,
	MAILLOG_PUT_OFF, /* by a greylist, or with a temporary reply by a filter */
	MAILLOG_REJECTED /* in any other way */
};

/* What was refused. */
enum maillog_step {
	MAILLOG_OF_RECIPIENT,
	MAILLOG_OF_MESSAGE,
	MAILLOG_OF_OTHER
};

struct maillog_line {
	enum maillog_kind kind;
	struct maillog_stamp stamp;
	bool has_stamp;	     /* also of garbage, where there is one */
	bool is_mail_server; /* Postfix or Sendmail wrote it */
	struct span host;
	struct span
	    instance; /* what stands before the program: "postfix/mx1" */
	struct span pid;
	struct span queue_id; /* empty: none, or NOQUEUE */
	struct span client;   /* an address; empty: not told, or none */
	struct span name;     /* verified; empty: none */
	struct span helo;
	struct span user;
	struct span sender;
	bool has_sender; /* the empty one is a sender, too */
	/* one, or what stands between to= and the next field: "<a>,<b>" */
	struct span recipients;
	int64_t size;  /* octets; -1: not told */
	int64_t count; /* of recipients; -1: not told */
	enum maillog_fate fate;
	enum maillog_step step;
};

/* Reads `length` octets, without the end of line; they are borrowed. */
void
maillog_line_read(const char *text, size_t length, struct maillog_line *line_r);

/* Take the first address out of such recipients, without its brackets.  False:
 * there is none. */
bool maillog_next_recipient(struct span *recipients, struct span *address_r);

#endif
