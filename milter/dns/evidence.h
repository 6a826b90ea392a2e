/* evidence -- what DNS, and databases of networks, say of a client and its message:
 * asked for as soon as their names are known, told when the message is judged.
 *
 * All that a session needs of DNS. */
#ifndef EVIDENCE_H
#define EVIDENCE_H

#include "dns/dns.h"

/* What the zones of a section said when they were asked, and those that had not
 * said anything yet: a bit of each. */
struct evidence_heard {
	struct dnsbl_sum sum;
	uint32_t left;
};

/* Of one session.  It is used by that alone. */
struct evidence {
	struct dns *dns;
	const struct policy *policy;
	struct facts *facts; /* what is asked about, and what was told */
	struct evidence_heard heard[DNSBLS_MAX];
	struct dnsbl_sum dnsbls[DNSBLS_MAX]; /* once the message is judged */
	char country[GEO_TEXT_SIZE];
	char asn[GEO_TEXT_SIZE];
	int64_t asked_at; /* when DNS was asked about the client */
	bool pending;	  /* more may come */
};

/* The steps that tell of a name to ask for. */
enum evidence_step { EVIDENCE_CONNECT, EVIDENCE_HELO, EVIDENCE_MAIL };

/* Have DNS asked for what became known at this step.  Waits for nothing.  A message
 * begins at EVIDENCE_MAIL: nothing has been told of it then. */
void evidence_ask(struct evidence *evidence, enum evidence_step step);

/* Take what is there now.  From DATA on, with no patience, that is all. */
void evidence_take(struct evidence *evidence, enum stage stage);

/* A rule waits for what is pending: wait for it, `due_us` of the steady clock at the
 * latest, and then do without.  False: nothing was pending. */
bool evidence_await(struct evidence *evidence, int64_t due_us);

/* Whether SPF is known to pass by now, even if that is too late for the verdict. */
bool evidence_passes_spf(const struct evidence *evidence);

/* " dnsbl=name:3,other:unknown spf=pass", for the log; "" when nothing is asked. */
#define EVIDENCE_SIZE 800
void evidence_say(const struct evidence *evidence, char text_r[EVIDENCE_SIZE]);

#endif
