/* reply_wire -- a filled reply becomes what libmilter can send unharmed.
 *
 * Two traps lie between a text and the client.  libmilter's reply is a format
 * to Sendmail: a single % makes it answer 550 where 451 was meant.  And a reply
 * without enhanced code whose text begins with a digit is taken for a malformed
 * enhanced code by Postfix, which then answers 4.3.5 for the rest of the
 * session.  Both are dealt with here and nowhere else.  Pure. */
#ifndef REPLY_WIRE_H
#define REPLY_WIRE_H

#include "mail/response.h"

#define REPLY_WIRE_TEXT_MAX (2 * REPLY_TEXT_MAX)

struct reply_wire {
	char code[sizeof((struct reply *)0)->code];
	char xcode[sizeof((struct reply *)0)->xcode]; /* "": none is needed */
	size_t line_count;
	char lines[REPLY_LINES_MAX][REPLY_WIRE_TEXT_MAX + 1];
};

void reply_wire_make(const struct reply *reply, struct reply_wire *wire_r);

#endif
