#include "store/journal_parts.h"

#include <string.h>

#include "base/seconds.h"
#include "base/secret.h"
#include "mail/mailaddr.h"
#include "store/record.h"
#include "store/triplet.h"

#define SLACK	  INT64_C(60) /* seconds that clocks may be apart */
#define TIME_SPAN (INT64_C(1) << 20)
#define STORY_MAX 64 /* entries */
/* A second has a million places, so two entries of one are rare, and more hardly are. */
#define OF_ONE_PLACE 16

static enum store_result
hash(struct store *store, char kind, const struct mailaddr *address,
    char hash_r[STORE_NAME_SIZE])
{
	struct triplet_namer namer;
	enum store_result result = store_namer(store, &namer);

	if (result == STORE_OK)
		triplet_mark(&namer, kind, address->text, hash_r);
	secret_wipe(&namer, sizeof namer);
	return result;
}

enum store_result
journal_hash_sender(
    struct store *store, const char *address, char hash_r[STORE_NAME_SIZE])
{
	struct mailaddr parsed, normal;

	mailaddr_parse(address, &parsed);
	mailaddr_normalise_sender(&parsed, &normal);
	return hash(store, JOURNAL_SENDER, &normal, hash_r);
}

enum store_result
journal_hash_recipient(
    struct store *store, const char *address, char hash_r[STORE_NAME_SIZE])
{
	struct mailaddr parsed, normal;

	mailaddr_parse(address, &parsed);
	mailaddr_normalise_recipient(&parsed, &normal);
	return hash(store, JOURNAL_RECIPIENT, &normal, hash_r);
}

/* ---- One entry */

static bool
has_recipient(const struct journal_entry *entry, const char *hash)
{
	for (size_t i = 0; i < entry->recipient_hashes; i++)
		if (strcmp(entry->recipients[i], hash) == 0)
			return true;
	return false;
}

static bool
same_thread(const struct journal_entry *a, const struct journal_entry *b)
{
	if (strcmp(a->identity, b->identity) != 0 ||
	    strcmp(a->sender, b->sender) != 0)
		return false;
	for (size_t i = 0; i < a->recipient_hashes; i++)
		if (has_recipient(b, a->recipients[i]))
			return true;
	return false;
}

struct wanted {
	const char *reference; /* NULL: any */
	const struct journal_entry
	    *about; /* the same as this; NULL: anything */
	struct journal_entry *entry;
	bool found;
};

static bool
take_wanted(void *arg, const char *text, size_t length)
{
	struct wanted *wanted = arg;
	struct journal_entry *entry = wanted->entry;

	wanted->found = journal_decode(text, length, entry) &&
	    (wanted->reference == NULL ||
		strcmp(entry->reference, wanted->reference) == 0) &&
	    (wanted->about == NULL || same_thread(wanted->about, entry));
	return !wanted->found;
}

static enum store_result
read_place(struct store *store, uint64_t place, struct wanted *wanted)
{
	const struct journal_range range = {
	    .from = place, .to = place, .most = OF_ONE_PLACE};

	return store->ops->journal->read(store, &range, take_wanted, wanted);
}

enum store_result
journal_find(struct store *store, const struct journal_terms *terms,
    const char *reference, int64_t now, struct journal_entry *entry_r,
    bool *found_r)
{
	char clean[JOURNAL_REFERENCE_SIZE];
	struct wanted wanted = {.reference = clean, .entry = entry_r};
	enum store_result result = STORE_OK;
	int64_t oldest = now - terms->age - SLACK, near = now;

	*found_r = false;
	if (!journal_reference_read(reference, clean))
		return STORE_OK;
	for (; near > oldest - TIME_SPAN / 2 && result == STORE_OK &&
	     !wanted.found;
	     near -= TIME_SPAN)
		result = read_place(store, journal_place(clean, near), &wanted);
	*found_r = wanted.found;
	return result;
}

/* ---- Pages */

struct page {
	struct journal_query *query;
	bool (*each)(void *arg, const struct journal_entry *entry);
	void *arg;
	struct journal_entry entry;
	size_t seen;
	bool ended; /* nothing more is wanted */
};

static bool
suits(const struct journal_query *query, const struct journal_entry *entry)
{
	struct netaddr client;

	return (query->kinds == 0 || (query->kinds >> entry->kind & 1U) != 0) &&
	    (query->sender[0] == '\0' ||
		strcmp(query->sender, entry->sender) == 0) &&
	    (query->recipient[0] == '\0' ||
		has_recipient(entry, query->recipient)) &&
	    (query->client == NULL ||
		(netaddr_parse(entry->client, &client) &&
		    network_contains(query->client, &client)));
}

/* The next page begins below the place where this one ends, so all of that place
 * belong to this one. */
static bool
take_entry(void *arg, const char *text, size_t length)
{
	struct page *page = arg;

	page->seen++;
	if (!journal_decode(text, length, &page->entry))
		return true;
	if (page->seen > JOURNAL_PAGE &&
	    page->entry.place != page->query->before)
		return false;
	page->query->before = page->entry.place;
	if (page->entry.at < page->query->since)
		page->ended = true;
	else if (suits(page->query, &page->entry))
		page->ended = !page->each(page->arg, &page->entry);
	return !page->ended;
}

enum store_result
journal_read(struct store *store, struct journal_query *query,
    bool (*each)(void *arg, const struct journal_entry *entry), void *arg,
    bool *more_r)
{
	struct page page = {.query = query, .each = each, .arg = arg};
	uint64_t before = query->before;
	const struct journal_range range = {
	    .to = before == 0 ? JOURNAL_PLACE_MAX : before - 1,
	    .most = JOURNAL_PAGE + OF_ONE_PLACE};
	enum store_result result =
	    store->ops->journal->read(store, &range, take_entry, &page);

	*more_r = result == STORE_OK && page.seen >= JOURNAL_PAGE &&
	    !page.ended && query->before != before;
	return result;
}

/* ---- What became of it */

/* The last entry about any of its recipients. */
static enum store_result
find_last(struct store *store, const struct journal_terms *terms,
    const struct journal_entry *entry, struct journal_entry *last_r,
    bool *found_r)
{
	uint64_t threads[JOURNAL_RECIPIENTS], places[JOURNAL_RECIPIENTS];
	uint64_t newest = 0;
	struct wanted wanted = {.about = entry, .entry = last_r};
	enum store_result result;

	for (size_t i = 0; i < entry->recipient_hashes; i++)
		threads[i] = journal_thread(entry, i);
	result = store->ops->journal->last(
	    store, terms, threads, entry->recipient_hashes, places);
	for (size_t i = 0; i < entry->recipient_hashes; i++)
		if (result == STORE_OK && places[i] > newest)
			newest = places[i];
	if (newest > 0)
		result = read_place(store, newest, &wanted);
	*found_r = wanted.found;
	return result;
}

static void
judge(const struct journal_entry *last, int64_t retry_window, int64_t now,
    struct journal_after *after_r)
{
	after_r->at = last->at;
	after_r->waited = last->waited;
	after_r->until = last->wait == 0 ? 0 : last->at + last->wait;
	memcpy(after_r->reference, last->reference, sizeof last->reference);
	if (last->kind == JOURNAL_PASS)
		after_r->state = JOURNAL_PASSED;
	else if (seconds_between(now, last->at) > retry_window)
		after_r->state = JOURNAL_GAVE_UP;
	else if (after_r->until > now)
		after_r->state = JOURNAL_WAITS;
	else
		after_r->state = JOURNAL_MAY;
}

enum store_result
journal_after(struct store *store, const struct journal_terms *terms,
    const struct journal_entry *entry, int64_t retry_window, int64_t now,
    struct journal_after *after_r)
{
	struct journal_entry last;
	enum store_result result = STORE_OK;
	bool found = false;

	memset(after_r, 0, sizeof *after_r);
	if (entry->recipient_hashes > 0)
		result = find_last(store, terms, entry, &last, &found);
	if (result != STORE_OK)
		return result;
	if (found && last.at >= entry->at)
		judge(&last, retry_window, now, after_r);
	else if (entry->recipient_hashes == 0 ||
	    seconds_between(now, entry->at) <= retry_window)
		judge(entry, retry_window, now, after_r);
	else
		after_r->state = JOURNAL_NOT_KEPT;
	return STORE_OK;
}

enum store_result
journal_story(struct store *store, const struct journal_terms *terms,
    const struct journal_entry *entry,
    bool (*each)(void *arg, const struct journal_entry *entry), void *arg)
{
	struct journal_entry at;
	bool found = false;
	enum store_result result = find_last(store, terms, entry, &at, &found);

	for (int i = 0; i < STORY_MAX && result == STORE_OK && found &&
	     each(arg, &at) && at.before != 0;
	     i++) {
		struct wanted wanted = {.about = entry, .entry = &at};

		result = read_place(store, at.before, &wanted);
		found = wanted.found;
	}
	return result;
}
