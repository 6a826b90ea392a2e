/* redis_login -- from an address to a connection that is ready for commands,
 * all within a deadline and in one background thread. */
#ifndef REDIS_LOGIN_H
#define REDIS_LOGIN_H

#include "redis_address.h"
#include "redis_stream.h"
#include "resp.h"

/* Who we are and whom we want.  Strings may be NULL. */
struct redis_login {
	const char *user;
	const char *password;
	int database;
	bool must_be_master; /* replicas will not do */
	const struct redis_tls *tls;
	const char *tls_name;
	int64_t connect_ms; /* for all of it */
};

/* Connect, AUTH, SELECT, and see that the server is willing (PING) and the
 * master (ROLE; it alone would not tell of LOADING).  A server that forbids
 * PING or ROLE is taken as it is.  `cancel_fd` calls it off when readable (-1:
 * nothing does).  NULL: see `why_r`. */
struct redis_stream *redis_login(const struct redis_login *login,
    const struct redis_address *address, int cancel_fd, char *why_r,
    size_t size);

/* Send the commands and wait for their replies (the caller's, one for each).
 * Of the terms, the deadline and the cancel_fd count.  False: the stream is of
 * no more use (redis_stream_why says why) and there are no replies. */
bool redis_login_exchange(struct redis_stream *stream,
    const struct redis_stream_terms *terms,
    const struct resp_commands *commands, struct resp_reply **replies_r);

#endif
