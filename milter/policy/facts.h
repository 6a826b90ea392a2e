/* facts -- what is known about a message now, and what is not known yet.
 *
 * The session fills them in as the MTA tells its story, the message adds what the
 * store remembers; the conditions of the rules only read them.  Nothing here
 * is owned: every pointer belongs to whoever filled the facts and stays valid
 * for the call that reads them. */
#ifndef FACTS_H
#define FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/hostname.h"
#include "mail/list.h"
#include "mail/netaddr.h"
#include "mail/spf_result.h"
#include "policy/greylist.h"
#include "policy/window.h"

/* How sure a fact is.  A failed look-up is never a "no": it is UNKNOWN. */
enum certainty {
	FACT_LATER,   /* a later step of the SMTP dialogue will tell */
	FACT_ASK,     /* the store can be asked for it now */
	FACT_UNKNOWN, /* was asked for, and could not be told */
	FACT_KNOWN
};

/* The steps at which a rule can speak, in the order in which they come. */
enum stage { STAGE_MAIL, STAGE_RCPT, STAGE_DATA, STAGE_EOM };
#define STAGE_COUNT 4
extern const char *const stage_names[STAGE_COUNT]; /* "mail" to "eom" */

/* Real rules and observing rules keep separate clocks, so that a rule on
 * trial never changes what a real rule sees.  A third one runs while a pair
 * that has already passed is deferred again (by load or a limit), for the
 * delay cap. */
enum clock_space { CLOCK_REAL, CLOCK_OBSERVED, CLOCK_DEFERRED };
#define CLOCK_SPACES 3

/* Recipients of one message beyond this many are not looked at (RFC 5321
 * 4.5.3.1.8 asks for 100).  Where recipients are answered they are put off with
 * 452 (4.5.3.1.10); else they are counted, and go with the message only when all
 * those that were looked at may pass. */
#define RECIPIENTS_MAX 128

struct recipient {
	const char *address; /* cleaned, domain in lower case */
	const char *domain;  /* points into address; "" when there is none */
	/* what the store remembers about (identity, sender, recipient) */
	enum certainty clock_certainty;
	struct greylist_clock clock[CLOCK_SPACES];
	bool is_supposed; /* of CLOCK_REAL nothing is remembered: others of its
			   * host may have pushed it out */
};

struct header {
	const char *name;
	const char *value; /* unfolded, cut */
};

/* How much of a limit is used up, our own units included. */
struct limit_count {
	enum certainty certainty;
	struct window_counts counts;
	struct window_counts family; /* of all its family; all 0: none */
};

/* What the lists of a section dnsbl say together.  A list that has not told, or
 * could not, may list the client or not: so the sum is known only as far as none
 * of these can change it. */
struct dnsbl_sum {
	int64_t least; /* of the weights; the sum lies between these */
	int64_t most;
	/* Zones that list it, with a weight below and above 0. */
	unsigned good, bad;
	/* The same, if all did that may. */
	unsigned most_good, most_bad;
	unsigned needed; /* zones, for a listing to decide anything */
	bool pending;	 /* more may be told before the message is judged */
};

#define LOAD_MAX 100.0 /* more than this is nonsense */

struct sightings;

/* Conditions of a policy whose answers can be kept. */
#define SETTLED_MAX 1024

struct facts {
	/* By condition: 0, or 1 more than an answer that holds for the whole
	 * message.  NULL: they are not kept.  See condition_judge(). */
	unsigned char *settled;
	/* Of the policy: where to note which values of conditions were met.  NULL:
	 * nowhere, as this is no mail. */
	struct sightings *met;
	int64_t now; /* Unix seconds; the store's clock once it was asked */
	int64_t listed_now; /* the store's clock, as far as that is known
			     * without asking: entries of lists expire by it */

	/* the client */
	struct netaddr client;
	enum certainty name_certainty; /* UNKNOWN: the DNS failed for now */
	const char *name;	       /* verified (FCrDNS), "" if none */
	enum hostname_class name_class;
	/* UNKNOWN: there is no database; "": it does not have the client. */
	enum certainty country_certainty;
	const char *country; /* ISO 3166-1 alpha-2 */
	enum certainty asn_certainty;
	const char *asn;	       /* "AS64500" */
	enum certainty helo_certainty; /* UNKNOWN: none was sent */
	const char *helo;
	bool helo_malformed;
	bool helo_ours; /* the client calls itself by our name or address */
	bool helo_fits; /* the verified name, or of the same organisation */
	bool authenticated;
	const char *user; /* login name, "" when not authenticated */
	bool tls;
	const char *daemon_name;
	int64_t daemon_port; /* 0: the MTA did not tell */
	unsigned share;	     /* 0..9999, stable for the client's network */

	/* the session */
	int64_t connected_for; /* seconds since connect */
	int64_t unknown_commands;
	int64_t refused_recipients;

	/* the message */
	bool null_sender;
	const char *sender; /* cleaned; "" for the null sender */
	const char *sender_domain;
	struct recipient *recipients;
	size_t recipient_count;	      /* of the array above */
	int64_t recipients_seen;      /* all of them, also beyond the array */
	int64_t recipient_domains;    /* different ones, of that array */
	const struct header *headers; /* only those that the policy reads */
	size_t header_count;
	int64_t declared_size; /* SIZE= of MAIL (RFC 1870); 0: none */
	int64_t size;	       /* octets so far */
	bool complete;	       /* the end of the message was reached */

	/* time of day, in the configured zone */
	int weekday; /* 0 Sunday .. 6 Saturday */
	int minute;  /* of the day, 0..1439 */

	/* what the store remembers of the client */
	enum certainty record_certainty;
	bool known;   /* earned trust */
	double score; /* reputation, -100..100 */
	enum certainty organisation_certainty;
	double organisation_score;	/* likewise, of what it belongs to */
	enum certainty clock_certainty; /* of the client's own clocks */
	struct greylist_clock client_clock[CLOCK_SPACES];
	struct limit_count *limits; /* one for each limit of the policy */
	bool store_down;	    /* it is away, for everybody */
	bool store_late; /* it is there, but did not tell of this message in
			  * time, or what it keeps of the client is no record */

	/* what runs in the background */
	const bool *load_crossed; /* one for each load threshold */
	double load;		  /* 0..LOAD_MAX */
	const char *load_source;  /* the highest, as the log names it */
	/* one for each list of the policy; NULL: not loaded */
	const struct list *const *lists;
	/* one for each dnsbl of the policy */
	const struct dnsbl_sum *dnsbls;
	/* LATER: it may come before the message is judged */
	enum certainty spf_certainty;
	enum spf_result spf; /* SPF_TEMPERROR is never known */
	unsigned dice;	     /* random, 0..9999, drawn once a message */
};

#endif
