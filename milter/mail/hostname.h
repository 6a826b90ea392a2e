/* hostname -- what the spelling of a host name gives away.  Pure.
 *
 * An MTA gives a client without a verified name as "[192.0.2.1]"; that is no
 * name, and all questions below answer accordingly. */
#ifndef HOSTNAME_H
#define HOSTNAME_H

#include <stdbool.h>
#include <stddef.h>

#include "mail/netaddr.h"

#define HOSTNAME_SIZE 256 /* RFC 1035 2.3.4 allows 255 octets */

struct psl_ctx_st; /* psl_ctx_t of libpsl */

/* Lower-case `in` (ASCII) and drop one trailing dot.  False, with "" in
 * `out_r`, for NULL, for a text without anything before the dot and for one
 * that does not fit into `size`, which is at least 1.  Globs are to be matched
 * against the result only. */
bool hostname_clean(const char *in, char *out_r, size_t size);

/* Labels of 1 to 63 letters, digits, hyphens and underscores, not starting or
 * ending in a hyphen, at most 253 octets in all, the last label not all digits
 * (RFC 1123 2.1).  The underscore is illegal, but Windows hosts of honest
 * owners have it and Postfix lets it pass as well.  No trailing dot. */
bool hostname_is_valid(const char *name);

/* The organisational domain (google.com for mail-1.google.com) by the public
 * suffix list, its private part included, so that the customers of a cloud are
 * not taken for one organisation.  The caller makes `psl` once and keeps it;
 * threads may share it.  False if there is none: no valid name, a name without
 * a dot, an IP address, a public suffix itself, or `psl` is NULL. */
bool hostname_organisation(
    const char *name, const struct psl_ctx_st *psl, char org_r[HOSTNAME_SIZE]);

/* How much of its client's address a name spells, from least to most. */
enum hostname_spelling {
	HOSTNAME_SPELLS_NONE,
	HOSTNAME_SPELLS_OTHER, /* four octets, of another address */
	HOSTNAME_SPELLS_PART,  /* the last two octets of IPv4 */
	HOSTNAME_SPELLS_ALL    /* three octets or more; half an IPv6 address */
};

/* `name` is a clean one, see above.  Octets count forward and backward,
 * decimal with '.', '-', '_' or 'x' between two of them, zero-padded in one, as
 * hexadecimal digits; groups of IPv6 with '-', '.' or '_' between them, or as
 * nibbles.  With `addr` NULL the answer is NONE or OTHER. */
enum hostname_spelling
hostname_spelling(const char *name, const struct netaddr *addr);

/* Who gave a host its name, by the name's spelling. */
enum hostname_class {
	HOSTNAME_NONE,	/* "", "[192.0.2.1]": nobody */
	HOSTNAME_OWN,	/* its owner: a mail server of its organisation, even if
			* it spells its address (out192-0-2-1.mail.example) */
	HOSTNAME_LINE,	/* a provider, for a customer's line */
	HOSTNAME_RENTED /* a provider, for a machine that it rents out */
};

/* Only HOSTNAME_OWN may share what its organisation earned; LINE and RENTED
 * stand for themselves, since the next number belongs to a stranger.
 *
 * `name` is a verified one.  `organisation` is what hostname_organisation
 * found, NULL if nothing: then the last two labels are taken for it.  With
 * `addr` NULL only words and serial numbers count.  hostname_class.c says by
 * what a name is judged. */
enum hostname_class hostname_classify(
    const char *name, const struct netaddr *addr, const char *organisation);

/* Whether the argument of HELO breaks RFC 5321 4.1.1.1: neither a valid name
 * (as above; one trailing dot is forgiven) nor an address literal, which is
 * [192.0.2.1] or [IPv6:2001:db8::1].  So NULL, "", a bare IP address and an
 * IPv6 literal without its tag are malformed.  A name without a dot is not:
 * many an honest Exchange server has one. */
bool hostname_is_malformed_helo(const char *helo);

/* Whether a client introduces itself with our name, or with our address with or
 * without brackets.  Either of ours may be NULL. */
bool hostname_helo_is_ours(
    const char *helo, const char *our_name, const struct netaddr *our_addr);

/* Whether a client whose verified name is `name` ("": it has none) introduces itself
 * with that, or with another of the same organisation. */
bool hostname_helo_fits(
    const char *helo, const char *name, const struct psl_ctx_st *psl);

#endif
