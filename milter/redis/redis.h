/* redis -- ask Redis, whether it is one server, a Sentinel set or a Cluster.
 *
 * All calls are safe from any thread.  Nobody waits longer than the deadline
 * of a request, and while Redis is away a request is refused within
 * microseconds; links heal by themselves in the background.  A request is
 * never sent twice, except those of its commands and transactions that a cluster
 * redirected, which have not been executed.
 *
 * The process must ignore SIGPIPE.
 *
 * Inside, one thread works all connections:
 *
 *	ask         hands requests over, follows redirections, wakes those who wait
 *	nodes       which servers there are, and which of them has a key
 *	connection  one server: the login, and when it is lost the next try
 *	exchange    calls out, replies in
 *	stream      bytes: host names, addresses, TLS
 */
#ifndef REDIS_H
#define REDIS_H

#include "base/outage.h"
#include "redis/resp.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct redis;

enum redis_mode { REDIS_SINGLE, REDIS_SENTINEL, REDIS_CLUSTER };

enum redis_news {
	REDIS_NEWS_NONE = OUTAGE_SAME,	/* nothing to tell */
	REDIS_NEWS_DOWN = OUTAGE_BEGAN, /* it fails */
	REDIS_NEWS_UP = OUTAGE_ENDED,	/* it is well again */
	REDIS_NEWS_GONE,		/* it failed, and we need it no more */
};

/* Called when a server (`where`) begins to fail, with its own words or the
 * system's (`why`, printable and short), and when that is over.  When it is told
 * again says outage.h.  Must not block, and must not call this module. */
typedef void (*redis_report)(
    void *arg, enum redis_news news, const char *where, const char *why);

/* Strings may be NULL where nothing is set.  An address is "host:port",
 * "[IPv6]:port", "/path" or "unix:/path". */
struct redis_config {
	enum redis_mode mode;
	const char *const *servers; /* the sentinels, with REDIS_SENTINEL */
	size_t server_count;	    /* exactly one with REDIS_SINGLE */
	const char *master_name;    /* as the sentinels call it */
	const char *user; /* with a password; NULL: the default user */
	const char *password;
	/* The same, for the sentinels themselves.  No user: that of the servers, or
	 * the default user of those that do not know him. */
	const char *sentinel_user;
	const char *sentinel_password;
	int database; /* must be 0 with REDIS_CLUSTER */

	bool tls;		   /* not used on unix sockets */
	const char *tls_ca_file;   /* PEM; NULL: those of the system */
	const char *tls_cert_file; /* PEM, with its key, if servers want one */
	const char *tls_key_file;
	const char *tls_name; /* name in the certificates, if not the host's */

	int64_t call_ms;    /* longest wait for an answer; 0: 200 */
	int64_t connect_ms; /* for one attempt to connect and log in; 0: 1000 */

	redis_report report; /* NULL: nobody is told */
	void *report_arg;
};

enum {
	REDIS_SERVERS = 16,  /* most servers in a config */
	REDIS_REQUESTS = 16, /* most requests in one call */
};

/* What came of a question.  Only REDIS_AWAY concerns everybody. */
enum redis_answer {
	/* Each command was answered.  An answer may be an error about the one
	 * key: see redis_reply_error. */
	REDIS_ANSWERED,
	/* It was not answered in time, or could not be put because too many
	 * others still wait.  The server lives, as far as we know, and may yet
	 * do what it was told. */
	REDIS_LATE,
	/* There is no server to ask, or it was lost on the way, or it refuses
	 * what it would refuse anybody (OOM, MISCONF, NOPERM, ...). */
	REDIS_AWAY,
};

/* One request: commands which travel together, all for keys of one slot. */
struct redis_request {
	const char *key; /* any of its keys: names the slot */
	struct resp_commands commands;

	/* After redis_ask: what came of it, and one reply per command, or NULL
	 * where no answer came. */
	enum redis_answer answer;
	struct resp_reply **replies;
};

/* Start the background threads; never waits for the network.  The config is
 * copied.  NULL: the config is wrong or something could not be had, with the
 * reason in `error_r`.  After a fork, open it in the child. */
struct redis *
redis_open(const struct redis_config *config, char *error_r, size_t size);

/* From now on log in with the users, passwords and certificates of this config,
 * and try at once what has failed; its other members change nothing.  False: a
 * file cannot be used, for the reason in `error_r`, and the old ones stay. */
bool redis_renew(struct redis *redis, const struct redis_config *config,
    char *error_r, size_t size);

/* Close.  No other call may be under way or follow.  What was told before is
 * still sent, for at most call_ms.  A look-up of a host name that does not end is
 * left to itself. */
void redis_close(struct redis **redis);

/* The moment so many milliseconds (0: call_ms) from now, on a clock that nobody
 * sets: the deadline of all that one decision asks. */
int64_t redis_due(const struct redis *redis, int64_t within_ms);

/* Send each request to the server of its key and wait for all of them, until
 * `due_ms` (of redis_due; 0: call_ms from now).  The answer is that of the request
 * which fared worst, and each has its own.  Unless it is REDIS_ANSWERED, nobody
 * knows what the servers did: some commands may have been executed. */
enum redis_answer redis_ask(struct redis *redis, struct redis_request *requests,
    size_t count, int64_t due_ms);

/* Send without waiting, within 20 ms: where many ask, what is told rides with what
 * is asked.  True: on their way.  The commands are copied, `replies` stays
 * untouched; answers are watched for faults. */
bool redis_tell(
    struct redis *redis, const struct redis_request *requests, size_t count);

/* Would a request have a chance now?  Cheap. */
bool redis_is_up(struct redis *redis);

/* Would one for any key?  Else only for those of some nodes of a cluster. */
bool redis_is_whole(struct redis *redis);

/* Does the server of this key remember what it is told?  Not for two seconds
 * after it refused to (full, unable to save, not permitted, ...), and not while
 * it is away.  Cheap. */
bool redis_takes_writes(struct redis *redis, const char *key);

/* Free commands and replies.  The request may be used again. */
void redis_request_free(struct redis_request *request);

#endif
