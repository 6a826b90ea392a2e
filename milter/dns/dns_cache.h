/* dns_cache -- answers by name and type, the least lately used go first.
 *
 * Locks nothing and reads no clock: whoever has it guards it, and says what time
 * it is, in seconds of a clock that only goes forward. */
#ifndef DNS_CACHE_H
#define DNS_CACHE_H

#include "dns/dns_answer.h"

#define DNS_TTL_MIN 60
#define DNS_TTL_MAX 3600

struct dns_cache;

/* Only the members shown are for others.  It stays where it is while `asking`. */
struct dns_entry {
	struct dns_entry *next;		 /* in its bucket */
	struct dns_entry *newer, *older; /* by last use */
	unsigned char *records;
	uint32_t length;
	uint32_t count;
	int64_t fresh_until;
	int64_t good_until;
	void *waiting; /* for the answer; of whoever has the cache */
	struct dns_entry *queued;
	uint16_t type;
	uint8_t status; /* enum dns_status */
	bool asking;	/* a question is open */
	char name[];
};

/* NULL: out of memory. */
struct dns_cache *dns_cache_open(uint64_t seed);
void dns_cache_close(struct dns_cache **cache);

/* At most so many answers, and octets for them. */
void
dns_cache_limit(struct dns_cache *cache, size_t answers_max, size_t memory_max);
size_t dns_cache_octets(const struct dns_cache *cache);
size_t dns_cache_count(const struct dns_cache *cache);

/* The entry, or with `make` a new one of which nothing is known.  NULL: there is
 * none; out of memory; or all room is taken by open questions.  Another call with
 * `make` may free any entry that is not asking. */
struct dns_entry *dns_cache_find(
    struct dns_cache *cache, const char *name, enum dns_type type, bool make);

/* What it says now: DNS_FAILED when nothing.  Borrowed from the entry. */
struct dns_answer dns_entry_answer(const struct dns_entry *entry, int64_t now);

/* Whether it needs not be asked for. */
static inline bool
dns_entry_is_fresh(const struct dns_entry *entry, int64_t now)
{
	return now < entry->fresh_until;
}

/* Keep an answer for its time to live, within the bounds above; a failure for
 * just that. */
void dns_cache_keep(struct dns_cache *cache, struct dns_entry *entry,
    const struct dns_answer *answer, int64_t now);

#endif
