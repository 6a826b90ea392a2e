/* traffic -- who writes mail to us, when, from where, and how they retry.
 *
 * The tables in traffic_kinds.c are the world.  What is sent depends on
 * the seed alone and not on what becomes of it, so two policies can be compared
 * with the very same mail. */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chance.h"
#include "farm.h"

#define TRAFFIC_DAY	    INT64_C(86400)
#define TRAFFIC_START	    INT64_C(1736121600) /* Monday 2025-01-06 00:00 UTC */
#define TRAFFIC_NEVER	    INT64_C(-1)
#define TRAFFIC_ATTACK_FROM (INT64_C(9) * 3600) /* of its day */
#define TRAFFIC_ATTACK_TO   (INT64_C(12) * 3600)
#define TRAFFIC_ATTACK_RAMP INT64_C(1800) /* until its height, and after */

#define TRAFFIC_WAITS 8

/* When a sender tries again: after these waits, then after the last one for as
 * often as it takes, `factor` times as long each time but at most `longest`; up
 * to `times` in all and `give_up` seconds after the first attempt.  Each wait is
 * longer or shorter by up to `spread`, a share of it. */
struct schedule {
	const char *name; /* several of the same name share out the senders */
	int64_t waits[TRAFFIC_WAITS]; /* seconds from try to try, up to a 0 */
	double spread;
	double factor;
	int64_t longest;
	unsigned times;
	int64_t give_up;
};

enum naming {
	NAMED_AS_ONE,  /* verified names in the sender's own domain */
	NAMED_APART,   /* verified names, another domain for each network */
	NAMED_AS_LINE, /* verified names such as providers give their lines */
	NOT_NAMED
};

enum rhythm { ALL_DAY, OFFICE_HOURS, ATTACK };

/* The envelope sender. */
enum origin {
	FROM_PEOPLE, /* some in the sender's domain */
	FROM_VERP,   /* each has the recipient in it */
	FROM_UNIQUE, /* letters that never come again */
	FROM_NOBODY /* none; whoever asks ends when he has his answer to RCPT */
};

struct kind {
	const char *name;
	bool good;
	enum rhythm rhythm;
	unsigned senders; /* of attackers: for each server */
	double per_day;	  /* messages of each; of campaigns: how many of them */
	unsigned burst;	  /* messages of a campaign */
	enum origin origin;
	/* from where */
	enum naming naming;
	unsigned networks;
	unsigned hosts; /* in each network */
	bool wanders;	/* a retry comes from any of them */
	/* to whom and what; shares are 0..1 */
	unsigned contacts;
	unsigned recipients; /* of a message, at most */
	double unknown;	     /* recipients that do not exist */
	double spam;	     /* messages that an earlier filter marks */
	double malformed;    /* HELO */
	const char *schedule;
};

extern const struct schedule traffic_schedules[];
extern const size_t traffic_schedule_count;
extern const struct kind traffic_kinds[];
extern const size_t traffic_kind_count;

struct sender {
	const struct kind *kind;
	size_t number;		/* among all */
	uint32_t first_network; /* the upper 24 bits of its addresses */
	const struct schedule *schedule;
	struct chance chance;
	uint64_t written;
};

struct mail {
	struct sender *sender;
	struct chance chance;
	uint64_t number; /* among those of its sender */
	int64_t written;
	unsigned tries;
	uint32_t network; /* of the last try */
	uint32_t host;
	unsigned from; /* which of the sender's people */
	unsigned to[FARM_RECIPIENTS_MAX];
	size_t to_count; /* still to be delivered */
	size_t unknown;	 /* not yet told that they do not exist */
	bool spam;
	bool malformed;
};

/* How good what DNS says is: shares, 0..1. */
struct traffic_quality {
	double trusted; /* of wanted senders, that allow lists know */
	double blocked; /* of spam's sources, that block lists know */
	double wrong;	/* of either, that stand on the other's lists */
	double spf;	/* of wanted domains, whose SPF passes */
	double in_time; /* of first attempts, for which it is there */
};

struct traffic {
	struct traffic_quality quality;
	struct sender *senders;
	size_t sender_count;
	int64_t attack; /* midnight before it, TRAFFIC_NEVER for none */
};

/* `quality` is to be set before.  `scale` multiplies the number of senders of every kind but the attackers, who
 * are as many as the servers.  False: out of memory. */
bool traffic_open(
    struct traffic *traffic, uint64_t seed, double scale, size_t servers);
void traffic_close(struct traffic *traffic);

/* When this sender next sits down to write, after `now`, and whether it then
 * does; TRAFFIC_NEVER: not any more. */
int64_t
traffic_next(const struct traffic *traffic, struct sender *sender, int64_t now);
bool traffic_writes(
    const struct traffic *traffic, struct sender *sender, int64_t now);

void traffic_write(struct sender *sender, int64_t now, struct mail *mail_r);

/* When a mail that failed at `now` is tried again, TRAFFIC_NEVER: it is lost. */
int64_t traffic_retry(struct mail *mail, int64_t now);

/* What the next attempt looks like; the texts hold what `visit_r` points to. */
struct traffic_texts {
	char name[96];
	char helo[96];
	char sender[128];
	char recipients[FARM_RECIPIENTS_MAX][64];
};
void traffic_visit(const struct traffic *traffic, struct mail *mail,
    struct traffic_texts *texts_r, struct farm_visit *visit_r);

#endif
