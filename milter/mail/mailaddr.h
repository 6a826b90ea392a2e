/* mailaddr -- envelope addresses as things that can be compared.  Pure.
 *
 * Clients type one address in many ways and MTAs hand it on as it was typed.
 * Parsing settles the spelling; normalising settles what counts as the same
 * correspondent. */
#ifndef MAILADDR_H
#define MAILADDR_H

#include <stdbool.h>
#include <stddef.h>

/* RFC 5321 4.5.3.1 allows a local part 64 octets and a domain 255, but VERP and
 * SRS often exceed the 64, so a local part may have as many as a domain here.
 * A part that is longer still keeps its first 238 octets and ends in '#' and 16
 * hex digits that depend on all of it (FNV-1a), so that it stays the same
 * on each try and differs from other long ones.  Whoever forges two that agree
 * has only found another way to use one and the same address. */
#define MAILADDR_PART_MAX 255
#define MAILADDR_SIZE	  (MAILADDR_PART_MAX + 1 + MAILADDR_PART_MAX + 1)

/* The null sender is the empty text.  Where a domain was given, the text is
 * local@domain; otherwise it is the local part alone. */
struct mailaddr {
	char text[MAILADDR_SIZE];
	size_t local_length;
	size_t domain_at; /* where in `text` the domain starts, or its end */
};

/* Settle the spelling of the argument of MAIL or RCPT, without its ESMTP
 * parameters: angle brackets (either may be missing), a source route, the
 * domain's trailing dots and quotes that the local part does not need are
 * dropped, and the domain is lower-cased (ASCII).  The local part keeps its
 * case, and octets above 127 are kept wherever they are.  Every input has a
 * result, odd ones too; "<>", "" and NULL give the null sender. */
void mailaddr_parse(const char *raw, struct mailaddr *addr_r);

/* The domain, within `addr`; "" if there is none. */
const char *mailaddr_domain(const struct mailaddr *addr);

/* Keep of a sender what is the same from one try, and one message, to the next.
 * Meant for hashing, not for show.  What is dropped:
 *
 * - the signature of BATV (prvs=, msprvs1=, btv1==, or bare);
 * - hash and time of SRS0, SRS1 and Microsoft's +SRS, whatever stands between
 *   their fields; the forwarder, the original domain and user stay;
 * - a tag behind '+';
 * - the recipient that VERP puts at the end (-user=example.org) and all that
 *   follows "-return-";
 * - what services add of which the form is known (SendGrid, Mailchimp, Yahoo
 *   Groups, ExactTarget, Silverpop, Constant Contact, LISTSERV, Sympa); their
 *   customer's number, or the list, stays;
 * - local parts that are one random text, as Amazon SES has them;
 * - serial numbers, which become '#': words of 6 or more digits, UUIDs,
 *   hexadecimal words of 8 or more with at least 2 digits among the letters,
 *   and words of 12 or more that change between letters and digits often.
 *   Beside any such word, a VERP recipient, or a word such as bounce, return or
 *   newsletter, fewer digits are a serial number as well.
 *
 * Two people never become one: bob2@ is not bob@, anna1984@ is not anna1985@,
 * and a local part of up to 15 digits and nothing else is a person's
 * (telephone) number.  A quoted local part stays as it is, and so does the case
 * of any: no mail server is known to vary it.  `normal_r` must not be `addr`
 * itself. */
void mailaddr_normalise_sender(
    const struct mailaddr *addr, struct mailaddr *normal_r);

/* Lower-case the whole address (ASCII): recipients are ours, and who writes to
 * Bob@ and bob@ means one mailbox.  A tag stays, as it may be a secret that
 * only one correspondent knows. */
void mailaddr_normalise_recipient(
    const struct mailaddr *addr, struct mailaddr *normal_r);

#endif
