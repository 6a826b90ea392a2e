#include "dns/dns_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define BUCKETS_MIN 64
/* What the allocator adds to a piece, about. */
#define PIECE_COST 16

struct dns_cache {
	uint64_t seed; /* names come from strangers */
	struct dns_entry **buckets;
	size_t bucket_count; /* a power of two */
	struct dns_entry *newest, *oldest;
	size_t count;
	size_t octets; /* of entries and records */
	size_t answers_max;
	size_t memory_max;
};

struct dns_cache *
dns_cache_open(uint64_t seed)
{
	struct dns_cache *cache = calloc(1, sizeof *cache);

	if (cache == NULL)
		return NULL;
	cache->seed = HASH_64 ^ seed;
	cache->bucket_count = BUCKETS_MIN;
	cache->buckets = calloc(BUCKETS_MIN, sizeof *cache->buckets);
	if (cache->buckets == NULL) {
		free(cache);
		return NULL;
	}
	return cache;
}

static size_t
cost_of(const struct dns_entry *entry)
{
	return sizeof *entry + strlen(entry->name) + 1 + PIECE_COST +
	    (entry->length > 0 ? entry->length + PIECE_COST : 0);
}

static struct dns_entry **
bucket_of(struct dns_cache *cache, const char *name, enum dns_type type)
{
	uint64_t sum = hash_64(cache->seed, name, strlen(name)) ^ type;

	sum ^= sum >> 32;
	return &cache->buckets[sum & (cache->bucket_count - 1)];
}

/* ---- The order of use */

static void
unlink_use(struct dns_cache *cache, struct dns_entry *entry)
{
	if (entry->newer != NULL)
		entry->newer->older = entry->older;
	else
		cache->newest = entry->older;
	if (entry->older != NULL)
		entry->older->newer = entry->newer;
	else
		cache->oldest = entry->newer;
}

static void
link_newest(struct dns_cache *cache, struct dns_entry *entry)
{
	entry->newer = NULL;
	entry->older = cache->newest;
	if (cache->newest != NULL)
		cache->newest->newer = entry;
	else
		cache->oldest = entry;
	cache->newest = entry;
}

static void
drop(struct dns_cache *cache, struct dns_entry *entry)
{
	struct dns_entry **at =
	    bucket_of(cache, entry->name, (enum dns_type)entry->type);

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	unlink_use(cache, entry);
	cache->octets -= cost_of(entry);
	cache->count--;
	free(entry->records);
	free(entry);
}

void
dns_cache_close(struct dns_cache **cache)
{
	struct dns_cache *mine = *cache;

	if (mine == NULL)
		return;
	while (mine->oldest != NULL)
		drop(mine, mine->oldest);
	free(mine->buckets);
	free(mine);
	*cache = NULL;
}

/* ---- Room */

/* Make room for one more and so many octets.  Entries that are being asked for
 * stay, and are few. */
static bool
make_room(struct dns_cache *cache, size_t more, size_t octets)
{
	struct dns_entry *entry = cache->oldest;

	while (cache->count + more > cache->answers_max ||
	    cache->octets + octets > cache->memory_max) {
		struct dns_entry *newer;

		while (entry != NULL && entry->asking)
			entry = entry->newer;
		if (entry == NULL)
			return false;
		newer = entry->newer;
		drop(cache, entry);
		entry = newer;
	}
	return true;
}

void
dns_cache_limit(struct dns_cache *cache, size_t answers_max, size_t memory_max)
{
	cache->answers_max = answers_max;
	cache->memory_max = memory_max;
	(void)make_room(cache, 0, 0);
}

size_t
dns_cache_octets(const struct dns_cache *cache)
{
	return cache->octets + cache->bucket_count * sizeof *cache->buckets;
}

size_t
dns_cache_count(const struct dns_cache *cache)
{
	return cache->count;
}

/* As many buckets as entries; without memory the chains grow longer. */
static void
grow(struct dns_cache *cache)
{
	struct dns_entry **bigger;

	if (cache->count < cache->bucket_count)
		return;
	bigger = calloc(2 * cache->bucket_count, sizeof *bigger);
	if (bigger == NULL)
		return;
	free(cache->buckets);
	cache->buckets = bigger;
	cache->bucket_count *= 2;
	for (struct dns_entry *entry = cache->oldest; entry != NULL;
	     entry = entry->newer) {
		struct dns_entry **at =
		    bucket_of(cache, entry->name, (enum dns_type)entry->type);

		entry->next = *at;
		*at = entry;
	}
}

static struct dns_entry *
add(struct dns_cache *cache, const char *name, enum dns_type type)
{
	size_t length = strlen(name) + 1;
	struct dns_entry *entry, **at;

	if (length > DNS_NAME_SIZE ||
	    !make_room(cache, 1, sizeof *entry + length + PIECE_COST))
		return NULL;
	entry = calloc(1, sizeof *entry + length);
	if (entry == NULL)
		return NULL;
	memcpy(entry->name, name, length);
	entry->type = (uint16_t)type;
	entry->status = DNS_FAILED;
	grow(cache);
	at = bucket_of(cache, name, type);
	entry->next = *at;
	*at = entry;
	link_newest(cache, entry);
	cache->count++;
	cache->octets += cost_of(entry);
	return entry;
}

struct dns_entry *
dns_cache_find(
    struct dns_cache *cache, const char *name, enum dns_type type, bool make)
{
	struct dns_entry *entry = *bucket_of(cache, name, type);

	while (entry != NULL &&
	    (entry->type != type || strcmp(entry->name, name) != 0))
		entry = entry->next;
	if (entry == NULL)
		return make ? add(cache, name, type) : NULL;
	unlink_use(cache, entry);
	link_newest(cache, entry);
	return entry;
}

/* ---- Answers */

struct dns_answer
dns_entry_answer(const struct dns_entry *entry, int64_t now)
{
	struct dns_answer answer = {.status = DNS_FAILED};

	if (now >= entry->good_until)
		return answer;
	answer.status = (enum dns_status)entry->status;
	answer.count = entry->count;
	answer.data = entry->records;
	answer.length = entry->length;
	return answer;
}

static int64_t
within(int64_t seconds, int64_t least, int64_t most)
{
	return seconds < least ? least : seconds > most ? most : seconds;
}

void
dns_cache_keep(struct dns_cache *cache, struct dns_entry *entry,
    const struct dns_answer *answer, int64_t now)
{
	unsigned char *records = NULL;
	bool fails = answer->status == DNS_FAILED;

	if (!fails && answer->length > 0) {
		records = malloc(answer->length);
		fails = records == NULL ||
		    !make_room(cache, 0, answer->length + PIECE_COST);
	}
	if (fails) {
		/* What there was serves on. */
		free(records);
		entry->fresh_until = now + answer->ttl;
		return;
	}
	cache->octets -= cost_of(entry);
	free(entry->records);
	entry->records = records;
	entry->length = (uint32_t)answer->length;
	entry->count = (uint32_t)answer->count;
	entry->status = (uint8_t)answer->status;
	if (records != NULL)
		memcpy(records, answer->data, answer->length);
	cache->octets += cost_of(entry);
	entry->fresh_until =
	    now + within(answer->ttl, DNS_TTL_MIN, DNS_TTL_MAX);
	entry->good_until = now + DNS_TTL_MAX;
}
