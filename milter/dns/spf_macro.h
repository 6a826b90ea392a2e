/* spf_macro -- domains with macros in them, as SPF records have them
 * (RFC 7208 7).  Pure. */
#ifndef SPF_MACRO_H
#define SPF_MACRO_H

#include <stdbool.h>
#include <stddef.h>

#include "dns/dns_answer.h"
#include "mail/netaddr.h"

#define SPF_NAME_MAX 253 /* of a domain as text (RFC 7208 7.3) */

/* Part of a record; not ended by a NUL. */
struct spf_text {
	const char *at;
	size_t length;
};

/* What the macros stand for. */
struct spf_values {
	struct netaddr client;
	const char *local; /* local part of the sender */
	const char *sender_domain;
	const char *domain; /* whose record it is */
	const char *helo;
	const char *client_name; /* validated, or "unknown" */
};

/* Whether it is a <domain-spec>, and a <macro-string>. */
bool spf_macro_is_domain(struct spf_text text);
bool spf_macro_is_string(struct spf_text text);

/* Whether the client's name stands in it. */
bool spf_macro_wants_client_name(struct spf_text text);

/* Write the domain that `text`, a <domain-spec>, stands for: settled as below, and
 * cut on its left if it is too long.  False: nothing of that name can be in the
 * DNS. */
bool spf_macro_expand(struct spf_text text, const struct spf_values *values,
    char name_r[DNS_NAME_SIZE]);

/* Settle a domain: lower case, no dot at its end.  False: it is none that can be
 * asked for. */
bool spf_name_settle(const char *text, char name_r[DNS_NAME_SIZE]);

#endif
