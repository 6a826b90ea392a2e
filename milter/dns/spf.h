/* spf -- may this client send mail of this domain?  check_host() of RFC 7208, as a
 * machine that says what it wants to know of the DNS and is told.  Pure.
 *
 *	spf_begin(&spf, &question);
 *	while (!spf.done)
 *		spf_take(&spf, answer to spf.name and spf.type, ...);
 *
 * It asks no more than 10 terms, 10 hosts of each mx and 10 names of the client;
 * explanations are not asked for, as nobody would read them. */
#ifndef SPF_H
#define SPF_H

#include "dns/spf_record.h"

#define SPF_TERMS_MAX 10    /* that ask (RFC 7208 4.6.4) */
#define SPF_HOSTS_MAX 10    /* of one mx, and names of the client */
#define SPF_VOIDS_MAX 2	    /* terms that find nothing */
#define SPF_TEXT_SIZE 16384 /* of the records that include each other */
#define SPF_PART_SIZE 256

/* `sender` as text; "" for the null sender, and then HELO is judged.  `helo` is
 * "" when none was sent. */
struct spf_question {
	struct netaddr client;
	const char *sender;
	const char *helo;
};

/* A record that is being read.  Those that include it stand before it. */
struct spf_frame {
	char domain[DNS_NAME_SIZE];
	size_t text, length;  /* where in spf.text */
	struct spf_text left; /* terms to come */
	struct spf_term redirect;
	enum spf_result passes; /* what it is to the includer if it passes */
	bool foreseen;
};

/* Only the first four members are for others.  It must not be moved, as it has
 * pointers into itself. */
struct spf {
	bool done;
	enum spf_result result;	  /* once it is done */
	char name[DNS_NAME_SIZE]; /* to ask for, until it is done */
	enum dns_type type;

	struct netaddr client;
	char local[SPF_PART_SIZE];
	char sender_domain[SPF_PART_SIZE];
	char helo[SPF_PART_SIZE];
	/* what the open question is for; NULL: none is open */
	void (*taker)(struct spf *spf, const struct dns_answer *answer);
	struct spf_term term; /* that is being judged */
	unsigned terms, voids;
	size_t depth; /* frames in use */
	struct spf_frame frames[SPF_TERMS_MAX + 1];
	char text[SPF_TEXT_SIZE];
	char hosts[SPF_HOSTS_MAX][DNS_NAME_SIZE]; /* of mx */
	size_t host_count, host;
	/* names of the client; once they were asked for, only valid ones */
	char client_names[SPF_HOSTS_MAX][DNS_NAME_SIZE];
	size_t name_count, named, valid_count;
	bool names_known;
};

void spf_begin(struct spf *spf, const struct spf_question *question);

/* Tell what the DNS says of the name that was wanted; DNS_FAILED also when
 * nothing came in time.  `each` is told of what the records that came will ask for,
 * unless a term before it matches, so that it can be asked for at once: of as many
 * names as terms may still ask, and of none once the check is done. */
typedef void spf_foreseen(void *arg, const char *name, enum dns_type type);
void spf_take(struct spf *spf, const struct dns_answer *answer,
    spf_foreseen *each, void *arg);

#endif
