#include "web/figures.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define PAGES_MAX    20 /* of the journal, for a list */
#define TALLY_PAGES  4	/* for the networks */
#define TALLY_SIZE   1024
#define TALLY_PLACES 8 /* that are tried for one network */

/* ---- A list */

struct listing {
	const struct recent_wish *wish;
	struct recent *recent;
};

static bool
take(void *arg, const struct journal_entry *entry)
{
	struct listing *listing = arg;
	struct recent *recent = listing->recent;
	const char *rule = listing->wish->rule;

	if (rule[0] != '\0' && strcmp(rule, entry->rule) != 0)
		return true;
	recent->entries[recent->count++] = *entry;
	recent->next = entry->place;
	return recent->count < listing->wish->most;
}

struct recent *
recent_read(struct store *store, const struct recent_wish *wish)
{
	struct recent *recent = calloc(1, sizeof *recent);
	struct listing listing = {wish, recent};
	struct journal_query query = wish->query;
	bool more = true;

	if (recent == NULL)
		return NULL;
	for (int i = 0; i < PAGES_MAX && more && recent->count < wish->most;
	     i++) {
		recent->result =
		    journal_read(store, &query, take, &listing, &more);
		if (recent->result != STORE_OK)
			return recent;
	}
	if (recent->count < wish->most)
		recent->next = more ? query.before : 0;
	return recent;
}

/* ---- The busiest networks */

struct tally {
	struct recent_network table[TALLY_SIZE];
	int64_t seen;
};

/* Where all places are taken, whoever came first stays. */
static struct recent_network *
place_of(struct tally *tally, const char *network)
{
	size_t at = hash_64(HASH_64, network, strlen(network)) % TALLY_SIZE;

	for (size_t i = 0; i < TALLY_PLACES; i++) {
		struct recent_network *place =
		    &tally->table[(at + i) % TALLY_SIZE];

		if (place->name[0] == '\0')
			memcpy(place->name, network, strlen(network) + 1);
		if (strcmp(place->name, network) == 0)
			return place;
	}
	return NULL;
}

static bool
count(void *arg, const struct journal_entry *entry)
{
	struct tally *tally = arg;
	struct recent_network *place = place_of(tally, entry->network);

	tally->seen++;
	if (place != NULL && entry->kind == JOURNAL_PASS)
		place->passed++;
	else if (place != NULL)
		place->deferred++;
	return true;
}

static int
busiest_first(const void *a, const void *b)
{
	const struct recent_network *x = a, *y = b;
	int64_t more = y->deferred + y->passed - x->deferred - x->passed;

	return more > 0 ? 1 : more < 0 ? -1 : strcmp(x->name, y->name);
}

void
recent_read_networks(
    struct store *store, int64_t since, struct recent_networks *networks_r)
{
	struct tally *tally = calloc(1, sizeof *tally);
	struct journal_query query = {
	    .kinds = 1U << JOURNAL_DEFER | 1U << JOURNAL_PASS, .since = since};
	bool more = true;

	memset(networks_r, 0, sizeof *networks_r);
	for (int i = 0; tally != NULL && i < TALLY_PAGES && more; i++) {
		networks_r->result =
		    journal_read(store, &query, count, tally, &more);
		if (networks_r->result != STORE_OK)
			break;
	}
	if (tally == NULL)
		return;
	networks_r->seen = tally->seen;
	qsort(tally->table, TALLY_SIZE, sizeof tally->table[0], busiest_first);
	while (networks_r->count < RECENT_NETWORKS &&
	    tally->table[networks_r->count].name[0] != '\0') {
		networks_r->top[networks_r->count] =
		    tally->table[networks_r->count];
		networks_r->count++;
	}
	free(tally);
}
