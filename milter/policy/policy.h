/* policy -- everything that a configuration file says, read-only once made.
 *
 * conf.c makes it, and conf_plan.c works out when each rule can speak; it is
 * published whole and replaced whole.  Sessions hold a reference from their
 * negotiation to their end, so a reload never changes the rules under a message. */
#ifndef POLICY_H
#define POLICY_H

#include <stdatomic.h>

#include "mail/dns_list.h"
#include "mail/response.h"
#include "policy/condition.h"
#include "policy/facts.h"
#include "policy/greylist.h"
#include "policy/reputation.h"
#include "policy/settings.h"

#define RULES_MAX	256
#define LIMITS_MAX	16
#define LISTS_MAX	32
#define HEADERS_MAX	32
#define DNSBLS_MAX	8
#define DNSBL_ZONES_MAX 32 /* of one section */

enum rule_verdict { RULE_ACCEPT, RULE_DEFER, RULE_GREYLIST };
enum greylist_by { BY_TRIPLET, BY_CLIENT };

struct rule {
	char *name;
	int line;	  /* where it stands in its file */
	const char *file; /* one of the policy's files, or NULL */
	size_t index;
	enum rule_verdict verdict;
	enum greylist_by by;
	enum stage at;		      /* not before this stage */
	struct greylist_terms terms;  /* of a greylist rule */
	int64_t wait;		      /* seconds that a defer rule asks for */
	const struct response *reply; /* NULL for accept */
	bool observe;
	bool uncapped;	   /* the delay cap does not apply */
	bool of_recipient; /* it asks who the recipient is */
	bool of_client;	   /* it asks who the client is: see message.exempt */
	bool of_evidence;  /* it accepts for what DNS says, instead of a wait */
	/* It holds from a second recipient on, for that one alone: whoever is
	 * deferred can send to the others first. */
	bool of_rest;
	struct condition *conditions;
	size_t condition_count;
	enum stage own_stage; /* when its own facts are known */
	unsigned stage_mask;  /* 1 << stage: the stages at which it can speak */
};

/* A limit belongs to one condition of one rule. */
struct limit {
	const struct rule *rule;
	const struct condition *condition; /* what it counts, and how many */
	uint32_t id; /* names its counter, 27 bits; stable across reloads */
};

/* A list file, or a shared list of the store. */
struct list_source {
	char *name; /* path, or the name of the shared list */
	bool shared;
	unsigned kinds;	     /* what can match, of all conditions that ask it */
	const char *setting; /* that names it first */
	char *where;	     /* "file:line" of that */
};

/* Whose name or address a section dnsbl asks for. */
enum dnsbl_of {
	DNSBL_OF_CLIENT,
	DNSBL_OF_CLIENT_NAME,
	DNSBL_OF_HELO,
	DNSBL_OF_SENDER_DOMAIN
};

/* Lists that are asked by DNS, and weighed together. */
struct dnsbl {
	char *name;
	int line; /* where it stands in the file */
	enum dnsbl_of of;
	bool alone;	 /* one zone may decide */
	bool test_entry; /* its zones have the entry that RFC 5782 asks for */
	struct dns_list *lists;
	size_t list_count;
};

struct policy {
	struct settings settings;
	struct response **responses;
	size_t response_count;
	struct rule *rules;
	size_t rule_count;
	struct limit limits[LIMITS_MAX];
	size_t limit_count;
	double thresholds[THRESHOLDS_MAX]; /* of load_above and load_below */
	size_t threshold_count;
	struct list_source lists[LISTS_MAX];
	size_t list_count;
	struct dnsbl dnsbls[DNSBLS_MAX];
	size_t dnsbl_count;
	char **files; /* that say all this, up to NULL; the first is the main
		       * one.  NULL: not known */
	char *headers[HEADERS_MAX]; /* the header fields that rules read */
	size_t header_count;
	/* Which clocks any rule goes by: of pairs, and of clients. */
	bool clocks_used[CLOCK_SPACES];
	bool client_clocks_used[CLOCK_SPACES];
	/* How long a pair waits at most for a real greylist rule. */
	int64_t longest_delay;
	unsigned stage_mask; /* 1 << stage: where any rule may answer */
	/* Which steps of the dialogue the MTA must show at all. */
	bool wants_rcpt;
	bool wants_headers;
	bool wants_body;
	bool wants_unknown;	 /* unknown commands */
	bool wants_dns;		 /* some rule asks it, and there are servers */
	bool wants_spf;		 /* likewise */
	bool wants_organisation; /* what the client's organisation earned */
	bool wants_refused;	 /* recipients that the MTA itself refused */
	bool observes_eom;	 /* a rule on trial waits for the end */
	/* When the last rule can speak, those on trial included: not before then
	 * is it known that no rule holds. */
	enum stage last_stage;
	/* Values of conditions, of those that have several, and on which day each
	 * was met; the latter changes.  NULL: it is not kept. */
	size_t value_count;
	struct sightings *met;
	/* The same, but that every rule only observes; it has none itself. */
	struct policy *trial;
	atomic_ulong references;
	void (*destroy)(struct policy *policy); /* with the last of them */
};

/* Take and give back a reference; safe from any thread.  The last one frees the
 * policy and all that it points to.  `*policy` becomes NULL, and may be so. */
struct policy *policy_hold(struct policy *policy);
void policy_release(struct policy **policy);

/* Whether the delay cap may let this rule's mail go. */
bool policy_caps(const struct policy *policy, const struct rule *rule);

#endif
