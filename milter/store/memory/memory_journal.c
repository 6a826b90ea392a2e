#include "store/memory/store_memory_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

#define OVERHEAD 64 /* octets of an entry besides its text */

struct memory_kept {
	uint64_t place;
	char *text;
	size_t length;
};

struct memory_last {
	uint64_t thread, place;
};

void
memory_journal_clear(struct memory_journal *journal)
{
	for (size_t i = 0; i < journal->count; i++)
		free(journal->kept[journal->first + i].text);
	free(journal->kept);
	free(journal->lasts);
	free(journal->host);
}

/* ---- Adding */

static void
drop_first(struct memory_journal *journal)
{
	struct memory_kept *first = &journal->kept[journal->first];

	journal->octets -= first->length + OVERHEAD;
	free(first->text);
	journal->first++;
	journal->count--;
}

static void
drop_surplus(struct memory_journal *journal, const struct journal_terms *terms,
    uint64_t newest)
{
	int64_t oldest = (int64_t)(newest >> JOURNAL_PLACE_BITS) - terms->age;

	while (journal->count > 0 &&
	    (journal->count > (size_t)terms->entries ||
		journal->octets > journal->octets_max ||
		(int64_t)(journal->kept[journal->first].place >>
		    JOURNAL_PLACE_BITS) < oldest))
		drop_first(journal);
}

/* Room for so many more behind the last. */
static bool
make_room(struct memory_journal *journal, size_t more)
{
	size_t size = journal->size == 0 ? JOURNAL_BATCH : journal->size;
	struct memory_kept *kept;

	if (journal->first + journal->count + more <= journal->size)
		return true;
	if (journal->first > 0) {
		memmove(journal->kept, journal->kept + journal->first,
		    journal->count * sizeof *journal->kept);
		journal->first = 0;
	}
	while (size < 2 * (journal->count + more))
		size *= 2;
	if (size == journal->size)
		return true;
	kept = realloc(journal->kept, size * sizeof *kept);
	if (kept == NULL)
		return false;
	journal->kept = kept;
	journal->size = size;
	return true;
}

static int
by_place(const void *a, const void *b)
{
	const struct memory_kept *one = a, *other = b;

	return (one->place > other->place) - (one->place < other->place);
}

/* Copies of the items in their order; how many there are, less than `count` only
 * for want of memory. */
static size_t
copy_items(const struct journal_item *items, size_t count,
    struct memory_kept kept_r[JOURNAL_BATCH])
{
	size_t copied = 0;

	for (; copied < count; copied++) {
		char *text = strdup(items[copied].text);

		if (text == NULL)
			break;
		kept_r[copied] = (struct memory_kept){
		    items[copied].place, text, strlen(text)};
	}
	qsort(kept_r, copied, sizeof *kept_r, by_place);
	return copied;
}

/* Most come in their order, but for the random part of their places: so only those
 * of the last seconds are moved, and once for all that come together. */
static void
merge(struct memory_journal *journal, const struct memory_kept *fresh,
    size_t count)
{
	struct memory_kept *kept = journal->kept + journal->first;
	size_t old = journal->count, at = old + count;

	journal->count += count;
	while (count > 0)
		if (old > 0 && kept[old - 1].place > fresh[count - 1].place) {
			kept[--at] = kept[--old];
		} else {
			kept[--at] = fresh[--count];
			journal->octets += kept[at].length + OVERHEAD;
		}
}

static bool
make_lasts(struct memory_journal *journal, const struct journal_terms *terms)
{
	uint64_t places = journal_thread_places(terms);

	while (places * sizeof *journal->lasts > journal->octets_max / 4)
		places /= 2;
	if (places == 0)
		return false;

	if (journal->last_places == places)
		return true;
	free(journal->lasts);
	journal->lasts = calloc(places, sizeof *journal->lasts);
	journal->last_places = journal->lasts == NULL ? 0 : places;
	return journal->lasts != NULL;
}

static void
note_threads(struct memory_journal *journal, const struct journal_item *item)
{
	for (size_t i = 0; i < item->thread_count; i++)
		journal->lasts[item->threads[i] & (journal->last_places - 1)] =
		    (struct memory_last){item->threads[i], item->place};
}

static enum store_result
add_entries(struct store *store, const struct journal_terms *terms,
    const struct journal_item *items, size_t count)
{
	struct memory *memory = (struct memory *)store;
	struct memory_journal *journal = &memory->journal;
	struct memory_kept fresh[JOURNAL_BATCH];
	size_t copied =
	    count <= JOURNAL_BATCH ? copy_items(items, count, fresh) : 0;
	bool added;

	pthread_mutex_lock(&memory->aside);
	added = copied == count && count > 0 && make_lasts(journal, terms) &&
	    make_room(journal, count);
	if (added) {
		merge(journal, fresh, count);
		for (size_t i = 0; i < count; i++)
			note_threads(journal, &items[i]);
		drop_surplus(journal, terms, fresh[count - 1].place);
	}
	pthread_mutex_unlock(&memory->aside);
	while (!added && copied > 0)
		free(fresh[--copied].text);
	return added || count == 0 ? STORE_OK : STORE_DOWN;
}

/* ---- Reading */

/* The first that lies behind `place`. */
static size_t
find_behind(const struct memory_journal *journal, uint64_t place)
{
	size_t low = journal->first, high = journal->first + journal->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (journal->kept[middle].place <= place)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
copy_range(struct memory *memory, const struct journal_range *range,
    struct bytes_out *out)
{
	const struct memory_journal *journal = &memory->journal;
	size_t left = range->most;

	pthread_mutex_lock(&memory->aside);
	for (size_t at = find_behind(journal, range->to);
	     at > journal->first && left > 0; left--) {
		const struct memory_kept *kept = &journal->kept[--at];

		if (kept->place < range->from)
			break;
		bytes_put_number(out, kept->length);
		bytes_put(out, kept->text, kept->length);
	}
	pthread_mutex_unlock(&memory->aside);
}

/* Who is told may take long, and ask again. */
static enum store_result
read_entries(struct store *store, const struct journal_range *range,
    bool (*each)(void *arg, const char *text, size_t length), void *arg)
{
	struct bytes_out out = {NULL, 0, 0, false};
	struct bytes_in in;
	bool goes_on = true, failed;

	copy_range((struct memory *)store, range, &out);
	in = (struct bytes_in){out.data, out.length, false};
	failed = out.failed;
	while (!failed && goes_on && in.left > 0) {
		size_t length = (size_t)bytes_get_number(&in);
		const unsigned char *text = bytes_get(&in, length);

		goes_on = text != NULL && each(arg, (const char *)text, length);
	}
	bytes_free(&out);
	return failed ? STORE_DOWN : STORE_OK;
}

static enum store_result
last_entries(struct store *store, const struct journal_terms *terms,
    const uint64_t *threads, size_t count, uint64_t *places_r)
{
	struct memory *memory = (struct memory *)store;
	struct memory_journal *journal = &memory->journal;
	uint64_t mask;

	(void)terms;
	memset(places_r, 0, count * sizeof *places_r);
	pthread_mutex_lock(&memory->aside);
	mask = journal->last_places - 1;
	for (size_t i = 0; i < count && journal->last_places > 0; i++) {
		const struct memory_last *last =
		    &journal->lasts[threads[i] & mask];

		if (last->thread == threads[i])
			places_r[i] = last->place;
	}
	pthread_mutex_unlock(&memory->aside);
	return STORE_OK;
}

/* ---- The host */

static enum store_result
put_host(struct store *store, const char *text, size_t length, int64_t now)
{
	struct memory *memory = (struct memory *)store;
	struct memory_journal *journal = &memory->journal;
	char *copy = malloc(length + 1), *old;

	(void)now;
	if (copy == NULL)
		return STORE_DOWN;
	memcpy(copy, text, length);
	copy[length] = '\0';
	pthread_mutex_lock(&memory->aside);
	old = journal->host;
	journal->host = copy;
	journal->host_length = length;
	pthread_mutex_unlock(&memory->aside);
	free(old);
	return STORE_OK;
}

static enum store_result
read_hosts(struct store *store, int64_t now,
    void (*each)(void *arg, const char *host, const char *text, size_t length),
    void *arg)
{
	struct memory *memory = (struct memory *)store;
	const struct memory_journal *journal = &memory->journal;
	struct bytes_out out = {NULL, 0, 0, false};

	(void)now;
	pthread_mutex_lock(&memory->aside);
	if (journal->host != NULL)
		bytes_put(&out, journal->host, journal->host_length);
	pthread_mutex_unlock(&memory->aside);
	if (!out.failed && out.length > 0)
		each(arg, memory->host, (const char *)out.data, out.length);
	bytes_free(&out);
	return out.failed ? STORE_DOWN : STORE_OK;
}

const struct store_journal_ops memory_journal_ops = {
    .add = add_entries,
    .read = read_entries,
    .last = last_entries,
    .put_host = put_host,
    .read_hosts = read_hosts,
};
