/* spf_record -- the terms of an SPF record (RFC 7208 4.5, 4.6, 5, 6).  Pure. */
#ifndef SPF_RECORD_H
#define SPF_RECORD_H

#include "dns/spf_macro.h"
#include "mail/spf_result.h"

enum spf_kind {
	SPF_END, /* no term is left */
	SPF_ALL,
	SPF_INCLUDE,
	SPF_A,
	SPF_MX,
	SPF_PTR,
	SPF_IP4,
	SPF_IP6,
	SPF_EXISTS,
	SPF_REDIRECT,
	SPF_EXP,
	SPF_MODIFIER /* one that says nothing to us */
};

/* Borrows from the record. */
struct spf_term {
	enum spf_kind kind;
	enum spf_result result; /* when the mechanism matches */
	struct spf_text domain; /* <domain-spec>; of no length: the record's */
	unsigned bits4, bits6;	/* of A and MX */
	struct network network; /* of IP4 and IP6 */
};

/* Take the next term off `left`.  False: it breaks the grammar. */
bool spf_record_next(struct spf_text *left, struct spf_term *term_r);

#endif
