/* list -- a set of networks, mail addresses and domains to look things up in, each
 * for a while or for ever.
 *
 * Fill it, seal it, then only ask: a sealed list never changes, so threads may
 * share it without a lock.  What has expired is still in it, and is not found. */
#ifndef LIST_H
#define LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/mailaddr.h"
#include "mail/netaddr.h"

struct list;

/* What an entry stands for, and its one form: "Bob@Example.ORG" is
 * "bob@example.org", "192.0.2.7/32" is "192.0.2.7", ".example.org" is
 * "example.org".  False as in list_add(). */
enum list_kind { LIST_NETWORK = 1, LIST_ADDRESS = 2, LIST_DOMAIN = 4 };
#define LIST_ALL	(LIST_NETWORK | LIST_ADDRESS | LIST_DOMAIN)
#define LIST_NUMBERS	8 /* of a list of keys with numbers, and nothing else */
#define LIST_ENTRY_SIZE MAILADDR_SIZE
struct list_entry {
	enum list_kind kind;
	struct network network; /* of LIST_NETWORK */
	char text[LIST_ENTRY_SIZE];
};
bool list_entry_read(
    const char *text, struct list_entry *entry_r, char why_r[NETWORK_WHY_SIZE]);

/* An empty list, or NULL if memory ran out.  The caller frees it.  `kinds` is what
 * will be looked up in it, bits of enum list_kind: an entry that none of it can
 * match is refused. */
struct list *list_new(unsigned kinds);

/* Free `*list` and clear the pointer; NULL in it is fine. */
void list_free(struct list **list);

/* Add one entry, for those who ask before `until`; of several alike the longest
 * counts:
 *
 * - an address or a network, as network_parse reads it: 192.0.2.0/24, [::1];
 * - a mail address: bob@example.org, <bob@example.org>;
 * - a domain, which stands for itself and all below it: example.org,
 *   .example.org, @example.org.
 *
 * Upper and lower case (ASCII) are the same throughout.  False if it is none of
 * these or the list is sealed; `*why_r` then tells the reason in plain words
 * and is good until the next call with this list.  False too if memory ran out;
 * list_seal tells that again, so that a loop over many entries need not look. */
#define LIST_FOR_EVER INT64_MAX
bool list_add(
    struct list *list, const char *text, int64_t until, const char **why_r);

/* Add a key with its number: a user, a mail address, a domain, or "*" for whoever
 * is not there.  Of a key that comes twice the last one holds. */
bool list_add_number(struct list *list, const char *key, int64_t number,
    int64_t until, const char **why_r);

/* Make the list ready for questions.  False if memory ran out in any list_add
 * before, so that the list is incomplete; it can be asked all the same. */
bool list_seal(struct list *list);

/* The number of entries that were added, repeated ones included. */
size_t list_count(const struct list *list);

/* The number of entries of these kinds, repeated ones once. */
size_t list_count_of(const struct list *list, unsigned kinds);

/* All questions take a sealed list, or NULL for an empty one, and the time of the
 * clock that entries expire by.  They cost a binary search, or one for each label
 * of a domain. */

bool list_has_client(
    const struct list *list, const struct netaddr *addr, int64_t now);

/* Whether an envelope address, as mailaddr_parse reads it, is listed itself or
 * its domain is.  Never for the null sender. */
bool
list_has_address(const struct list *list, const char *address, int64_t now);

/* Whether a domain or host name, or a domain above it, is listed. */
bool list_has_domain(const struct list *list, const char *name, int64_t now);

/* The number of this key: its own, else, of an address or a domain, that of its
 * domain or the next one above, else that of "*".  False: there is none. */
bool list_number(
    const struct list *list, const char *key, int64_t now, int64_t *number_r);

/* ---- What was found
 *
 * A sealed list keeps in mind when it answered with each of its items, by the times
 * that it was asked for.  Items are its entries, but for those that answer nothing
 * because others do: of nested networks that last no longer, of repeated ones. */

/* NULL: memory ran out, or there is no list. */
struct sightings *list_found(const struct list *list);

/* Item number `which` of these, in the one form of an entry; of a list of numbers
 * its key. */
void list_item_text(
    const struct list *list, size_t which, char text_r[LIST_ENTRY_SIZE]);

/* What an earlier version of a list found counts for a later one, both sealed. */
void list_carry(const struct list *to, const struct list *from);

#endif
