/* condition -- one question of a rule about one fact.
 *
 * What asks whether something is one of several, or true, has a contrary, named
 * with "not_" before it: that holds where the question itself is answered no, and
 * what is unknown stays unknown.
 *
 * A condition is a row of one table: its name in the configuration, how its
 * value is read, when its fact is known, what sets it apart, and the predicate.
 * All that the rest of the program has to know of it are columns.  To add one:
 * add a row, and a predicate if none of those there fits, in condition.c, its
 * fact to facts.h if there is none yet, and its paragraph to
 * milter-defer.conf(5). */
#ifndef CONDITION_H
#define CONDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/netaddr.h"
#include "policy/facts.h"

#define THRESHOLDS_MAX 16 /* different loads of a policy */

/* NO settles a rule whatever else is open, UNKNOWN makes it not hold, LATER
 * makes it wait, ASK makes the message ask the store. */
enum answer { ANSWER_YES, ANSWER_ASK, ANSWER_LATER, ANSWER_UNKNOWN, ANSWER_NO };

/* How the text of a value is read. */
enum value_kind {
	VALUE_NETWORKS,	     /* list of networks */
	VALUE_GLOBS,	     /* list of patterns with * and ? */
	VALUE_TRUE,	     /* only `true` can be asked */
	VALUE_NUMBER,	     /* whole, 0 or more */
	VALUE_PORT,	     /* 1..65535 */
	VALUE_REAL,	     /* with a fraction, may be negative */
	VALUE_DURATION,	     /* seconds */
	VALUE_SIZE,	     /* octets */
	VALUE_SHARE,	     /* percent, kept as 0..10000 */
	VALUE_HEADERS,	     /* list of "Name: pattern" */
	VALUE_HEADER_NUMBER, /* "Name: number" */
	VALUE_HOURS,	     /* list of "Mon-Fri 08:00-18:00" */
	VALUE_LOAD,   /* a load, 0..100; becomes an index of thresholds */
	VALUE_FILE,   /* path of a list file; becomes an index of lists */
	VALUE_SHARED, /* name of a shared list; becomes an index of lists */
	VALUE_DNSBL,  /* "name: number"; becomes an index of dnsbls */
	VALUE_SPF,    /* list of results of SPF */
	VALUE_LIMIT,  /* whole number; becomes an index of limits */
	VALUE_OCTETS  /* the same of octets */
};

/* What a limit counts, and for whom. */
enum limit_kind {
	LIMIT_NONE, /* of a condition that is none */
	LIMIT_CONNECTIONS,
	LIMIT_MESSAGES,
	LIMIT_RECIPIENTS,
	LIMIT_REFUSED,
	LIMIT_OCTETS, /* in units of LIMIT_OCTET_UNIT */
	LIMIT_DISTINCT_SENDERS,
	LIMIT_DISTINCT_RECIPIENTS
};
#define LIMIT_OCTET_UNIT   INT64_C(1024)
#define LIMIT_DISTINCT_MAX 10000

enum limit_by {
	LIMIT_BY_NETWORK,
	LIMIT_BY_HOST,
	LIMIT_BY_SENDER_DOMAIN,
	LIMIT_BY_USER,
	LIMIT_BY_ALL,
	LIMIT_BY_SENDER, /* the whole address */
	LIMIT_BY_SERVER, /* all, but of this server alone */
	LIMIT_BY_RECIPIENT
};

struct header_pattern {
	char *name;
	char *pattern;
};

/* A span of the week; `from` > `to` runs past midnight. */
struct hours {
	unsigned char weekdays; /* bit 0 is Sunday */
	short from;		/* minute of the day */
	short to;		/* first minute that is out */
};

struct condition {
	const struct condition_type *type;
	bool negated; /* it is the contrary that is asked */
	size_t place; /* among all conditions of the policy */
	size_t count; /* of whichever array is used */
	size_t first; /* number of its first value among those of the policy */
	union {
		struct network *networks;
		char **globs;
		struct header_pattern *headers;
		struct hours *hours;
		enum spf_result *results;
		void *array; /* any of them, to free */
	};
	int64_t number; /* also seconds, octets, share; or an index */
	double real;
	char *header;  /* of VALUE_HEADER_NUMBER */
	int64_t bound; /* of VALUE_DNSBL */
	/* limits only; `number` is the index of the limit */
	int64_t above;	  /* the most that is admitted, in its units */
	size_t numbers;	  /* 1 + the list that has it instead; 0: none */
	enum limit_by by; /* for whom it counts */
	bool scaled;	  /* by reputation */
	int64_t period; /* seconds; also of `retried`: until it is forgotten */
	int64_t keep;	/* of `retried`: when a pass is forgotten */
};

/* What sets a condition apart. */
enum condition_flags {
	ASKS_CLIENT = 1, /* who the client is, so that nobody else meets it */
	ASKS_RECIPIENT = 2, /* each recipient has an answer of its own */
	ASKS_STORE = 4,
	/* It is the same at every attempt to send that message: whoever waits
	 * does not change it.  What is known at MAIL holds for the message. */
	ASKS_FOR_GOOD = 8,
	/* It comes to rest by itself: a score and a load go to 0. */
	ASKS_WHAT_FADES = 16,
	ASKS_BY_NAME = 32, /* it names whom it means, as a block list does */
	/* It holds from a further recipient on, for that one alone. */
	ASKS_ABOUT_REST = 64,
	/* What the MTA must show for it, besides what `ready` says. */
	READS_RECIPIENTS = 128,
	READS_HEADERS = 256,
	READS_BODY = 512,
	READS_UNKNOWN = 1024, /* commands */
	READS_REFUSED = 2048, /* recipients that the MTA itself refused */
	ASKS_DNS = 4096,      /* what was asked beforehand, see dns/ */
	ASKS_SPF = 8192,
	ASKS_ORGANISATION = 16384
};

/* Whether a condition holds, by what is known.  `recipient` is NULL before the
 * first one. */
struct asked {
	const struct condition *condition;
	const struct facts *facts;
	const struct recipient *recipient;
};

struct condition_type {
	const char *name;
	enum value_kind kind;
	enum stage ready; /* when its fact is known at the latest */
	unsigned flags;
	/* Called only when `certainty` is FACT_KNOWN, the list that it names is
	 * loaded, and there is a recipient if `ready` is STAGE_RCPT. */
	enum answer (*judge)(const struct asked *asked);
	size_t fact;	  /* its offset in struct facts, if `judge` asks that */
	size_t certainty; /* likewise, how sure that is; 0: always known */
	enum limit_kind counts;
	unsigned entries;     /* of a list: what can match, of enum list_kind */
	const char *contrary; /* "not_" and the name; NULL: has none */
};

extern const struct condition_type condition_types[];
extern const size_t condition_type_count;

/* Judge a condition.  Answers that hold for the whole message are kept in
 * facts->settled, so that they are worked out once a message and not for each
 * recipient at each step. */
enum answer condition_judge(const struct condition *condition,
    const struct facts *facts, const struct recipient *recipient);

/* What a condition answers while its fact is only this certain; YES when it is
 * known. */
enum answer answer_while(enum certainty certainty);

/* Whether it is a limit, and one of each recipient. */
bool condition_counts(const struct condition *condition);
bool condition_counts_recipients(const struct condition *condition);

/* The most that a limit admits here, in its units, before it is scaled by
 * reputation.  UNKNOWN: the list that has it is not loaded, or it is not known yet
 * whose it is; NO: there is none for whom it counts. */
enum answer condition_above(const struct condition *condition,
    const struct facts *facts, int64_t *above_r);

/* Seconds until the limit of this condition may admit again; 0 for any other
 * condition. */
int64_t
condition_wait(const struct condition *condition, const struct facts *facts);

/* NULL when there is no condition of that name; whether it is the contrary. */
const struct condition_type *
condition_type_find(const char *name, bool *negated_r);

/* As the configuration calls it. */
const char *condition_name(const struct condition *condition);

/* What sets it apart, enum condition_flags: a contrary names nobody, and a limit
 * of recipients asks about each. */
unsigned condition_flags(const struct condition *condition);

/* When its fact is known at the latest. */
enum stage condition_ready(const struct condition *condition);

#endif
