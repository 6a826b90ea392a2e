/* From sessions to the store. */
#include "store/journal_parts.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "store/record.h"
#include "store/triplet.h"

#define QUEUE_MAX   8192		 /* entries that wait */
#define QUEUE_BYTES ((size_t)(16 << 20)) /* and their octets */
#define FLUSH_MS    300			 /* at one flush, or a batch more */

/* What a session told, with its texts behind each other: those of the table below,
 * the identity, the sender, and of each recipient the address and the pair's name.
 * An entry made of it is five times as large. */
struct pending {
	struct journal_note note; /* but for the texts */
	uint64_t before;	  /* once it is linked */
	bool linked;		  /* to the one before */
	size_t size;		  /* of all this */
	char texts[];
};

#define THREADS_MAX (JOURNAL_BATCH * JOURNAL_THREADS)

/* The last places of threads. */
struct threads {
	uint64_t names[THREADS_MAX], places[THREADS_MAX];
	size_t count;
};

/* What goes to the store at once; the texts stand behind each other. */
struct batch {
	struct threads threads;
	struct journal_entry entry; /* that is being made */
	struct journal_item items[JOURNAL_BATCH];
	char *ends[JOURNAL_BATCH]; /* of their texts */
	char texts[JOURNAL_BATCH * JOURNAL_ITEM_MAX];
};

struct journal {
	struct batch batch;		  /* only for who flushes */
	pthread_mutex_t mutex;		  /* guards the rest */
	struct pending *queue[QUEUE_MAX]; /* a ring */
	size_t first, count, bytes;
};

struct journal *
journal_open(void)
{
	struct journal *journal = calloc(1, sizeof *journal);

	if (journal != NULL && pthread_mutex_init(&journal->mutex, NULL) != 0) {
		free(journal);
		return NULL;
	}
	return journal;
}

void
journal_close(struct journal **journal)
{
	struct journal *mine = *journal;

	if (mine == NULL)
		return;
	for (size_t i = 0; i < mine->count; i++)
		free(mine->queue[(mine->first + i) % QUEUE_MAX]);
	pthread_mutex_destroy(&mine->mutex);
	free(mine);
	*journal = NULL;
}

/* ---- What a session tells */

static void
copy(char *text_r, size_t size, const char *text)
{
	size_t length = 0;

	for (; text != NULL && text[length] != '\0' && length < size - 1;
	     length++)
		text_r[length] = journal_clean(text[length]);
	text_r[length] = '\0';
}

#define TEXT(member)                                                           \
	{                                                                      \
		offsetof(struct journal_note, member),                         \
		    offsetof(struct journal_entry, member),                    \
		    sizeof((struct journal_entry *)NULL)->member               \
	}

static const struct {
	size_t of_note, of_entry, size;
} texts[] = {
    TEXT(reference),
    TEXT(session),
    TEXT(host),
    TEXT(rule),
    TEXT(response),
    TEXT(text),
    TEXT(client),
    TEXT(network),
    TEXT(name),
};
#define TEXTS (sizeof texts / sizeof texts[0])

static const char *
text_of(const struct journal_note *note, size_t which)
{
	const char *text;

	memcpy(&text, (const char *)note + texts[which].of_note, sizeof text);
	return text == NULL ? "" : text;
}

static size_t
hashed_recipients(const struct journal_note *note)
{
	return note->pair_count < JOURNAL_RECIPIENTS ? note->pair_count
						     : JOURNAL_RECIPIENTS;
}

static const char *
sender_of(const struct journal_note *note)
{
	return note->pair_count > 0 ? note->pairs[0].sender : "";
}

static const char *
name_of(const struct store_pair *pair)
{
	return pair->name == NULL ? "" : pair->name;
}

static size_t
octets_of(const struct journal_note *note)
{
	size_t octets = strlen(note->identity) + strlen(sender_of(note)) + 2;

	for (size_t i = 0; i < TEXTS; i++)
		octets += strlen(text_of(note, i)) + 1;
	for (size_t i = 0; i < hashed_recipients(note); i++)
		octets += strlen(note->pairs[i].recipient) +
		    strlen(name_of(&note->pairs[i])) + 2;
	return octets;
}

static void
copy_texts(const struct journal_note *note, char *end)
{
	for (size_t i = 0; i < TEXTS; i++)
		end = stpcpy(end, text_of(note, i)) + 1;
	end = stpcpy(end, note->identity) + 1;
	end = stpcpy(end, sender_of(note)) + 1;
	for (size_t i = 0; i < hashed_recipients(note); i++) {
		end = stpcpy(end, note->pairs[i].recipient) + 1;
		end = stpcpy(end, name_of(&note->pairs[i])) + 1;
	}
}

/* True if there was room. */
static bool
enqueue(struct journal *journal, struct pending *pending)
{
	bool has_room;

	pthread_mutex_lock(&journal->mutex);
	has_room = journal->count < QUEUE_MAX &&
	    journal->bytes + pending->size <= QUEUE_BYTES;
	if (has_room) {
		size_t last = (journal->first + journal->count) % QUEUE_MAX;

		journal->queue[last] = pending;
		journal->count++;
		journal->bytes += pending->size;
	}
	pthread_mutex_unlock(&journal->mutex);
	return has_room;
}

bool
journal_put(struct journal *journal, const struct journal_note *note)
{
	size_t size = sizeof(struct pending) + octets_of(note);
	struct pending *pending = malloc(size);

	if (pending != NULL) {
		pending->note = *note;
		pending->before = 0;
		pending->linked = false;
		pending->size = size;
		copy_texts(note, pending->texts);
		if (enqueue(journal, pending))
			return true;
	}
	free(pending);
	return false;
}

/* ---- To the store */

static const char *
next(const char *text)
{
	return text + strlen(text) + 1;
}

static void
add_hashes(const struct triplet_namer *namer, const struct journal_note *note,
    const char *text, struct journal_entry *entry)
{
	triplet_mark(namer, JOURNAL_IDENTITY, text, entry->identity);
	text = next(text);
	entry->sender[0] = '\0';
	if (!entry->null_sender)
		triplet_mark(namer, JOURNAL_SENDER, text, entry->sender);
	entry->recipient_hashes = hashed_recipients(note);
	for (size_t i = 0; i < entry->recipient_hashes; i++) {
		text = next(text);
		triplet_mark(
		    namer, JOURNAL_RECIPIENT, text, entry->recipients[i]);
		text = next(text);
		copy(entry->pairs[i], sizeof entry->pairs[i], text);
	}
}

/* All that an entry is read for; most of its octets stay as they are. */
static void
make_entry(const struct triplet_namer *namer, const struct pending *pending,
    struct journal_entry *entry)
{
	const struct journal_note *note = &pending->note;
	const char *text = pending->texts;

	entry->before = pending->before;
	entry->kind = note->kind;
	entry->at = note->at;
	entry->wait = note->wait;
	entry->waited = note->waited;
	entry->stage = note->stage;
	entry->null_sender = note->null_sender;
	entry->recipient_count = note->recipient_count;
	entry->has_score = note->has_score;
	entry->score = note->score;
	entry->known = note->known;
	entry->load = note->load;
	for (size_t i = 0; i < TEXTS; i++) {
		copy((char *)entry + texts[i].of_entry, texts[i].size, text);
		text = next(text);
	}
	add_hashes(namer, note, text, entry);
}

/* All but its text.  What a rule on trial says of a message is no step on its
 * way. */
static void
begin_item(const struct journal_entry *entry, struct journal_item *item_r)
{
	item_r->place = journal_place(entry->reference, entry->at);
	item_r->thread_count =
	    entry->kind == JOURNAL_OBSERVE ? 0 : entry->recipient_hashes;
	if (item_r->thread_count > JOURNAL_THREADS)
		item_r->thread_count = JOURNAL_THREADS;
	for (size_t i = 0; i < item_r->thread_count; i++)
		item_r->threads[i] = journal_thread(entry, i);
}

/* ---- What was there before */

static enum store_result
find_lasts(struct batch *batch, struct store *store,
    const struct journal_terms *terms, struct pending *const *pending,
    size_t count)
{
	struct threads *threads = &batch->threads;

	threads->count = 0;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0;
		     !pending[i]->linked && j < batch->items[i].thread_count;
		     j++)
			threads->names[threads->count++] =
			    batch->items[i].threads[j];
	return threads->count == 0
	    ? STORE_OK
	    : store->ops->journal->last(store, terms, threads->names,
		  threads->count, threads->places);
}

/* Those of one batch that are about the same are seldom, and then near: of the few
 * that were looked at last, one may have been it. */
#define NEAR 16
static uint64_t
before_in_batch(const struct batch *batch, size_t at, uint64_t thread)
{
	size_t least = at > NEAR ? at - NEAR : 0;

	for (size_t i = at; i-- > least;)
		for (size_t j = 0; j < batch->items[i].thread_count; j++)
			if (batch->items[i].threads[j] == thread)
				return batch->items[i].place;
	return 0;
}

/* Once: what is handed over again, as nobody knows whether it came, is the same.  The
 * text has room for it. */
static void
link_all(struct batch *batch, struct pending *const *pending, size_t count)
{
	const uint64_t *last = batch->threads.places;

	for (size_t i = 0; i < count; i++) {
		struct pending *one = pending[i];
		const struct journal_item *item = &batch->items[i];

		for (size_t j = 0; !one->linked && j < item->thread_count;
		     j++) {
			uint64_t near =
			    before_in_batch(batch, i, item->threads[j]);
			uint64_t place = near > *last ? near : *last;

			last++;
			if (place > one->before && place != item->place)
				one->before = place;
		}
		if (!one->linked && one->before > 0)
			journal_encode_before(one->before, batch->ends[i]);
		one->linked = true;
	}
}

static void
drop(struct journal *journal, size_t count)
{
	struct pending *dropped[JOURNAL_BATCH];

	pthread_mutex_lock(&journal->mutex);
	for (size_t i = 0; i < count; i++) {
		dropped[i] = journal->queue[journal->first];
		journal->first = (journal->first + 1) % QUEUE_MAX;
		journal->bytes -= dropped[i]->size;
	}
	journal->count -= count;
	pthread_mutex_unlock(&journal->mutex);
	for (size_t i = 0; i < count; i++)
		free(dropped[i]);
}

/* The oldest ones, which stay in the queue: nobody else takes them out. */
static size_t
peek(struct journal *journal, struct pending *pending_r[JOURNAL_BATCH])
{
	size_t count;

	pthread_mutex_lock(&journal->mutex);
	count = journal->count < JOURNAL_BATCH ? journal->count : JOURNAL_BATCH;
	for (size_t i = 0; i < count; i++)
		pending_r[i] = journal->queue[(journal->first + i) % QUEUE_MAX];
	pthread_mutex_unlock(&journal->mutex);
	return count;
}

static enum store_result
hand_over(struct batch *batch, struct store *store,
    const struct journal_terms *terms, struct pending *const *pending,
    size_t count)
{
	struct triplet_namer namer;
	enum store_result result = store_namer(store, &namer);
	char *end = batch->texts;

	for (size_t i = 0; i < count && result == STORE_OK; i++) {
		make_entry(&namer, pending[i], &batch->entry);
		begin_item(&batch->entry, &batch->items[i]);
		batch->items[i].text = end;
		batch->ends[i] = end + journal_encode(&batch->entry, end);
		end = batch->ends[i] + JOURNAL_BEFORE_MAX;
	}
	secret_wipe(&namer, sizeof namer);
	if (result == STORE_OK)
		result = find_lasts(batch, store, terms, pending, count);
	if (result != STORE_OK)
		return result;
	link_all(batch, pending, count);
	return store->ops->journal->add(store, terms, batch->items, count);
}

void
journal_flush(struct journal *journal, struct store *store,
    const struct journal_terms *terms)
{
	struct pending *pending[JOURNAL_BATCH];
	int64_t due_us = clock_steady_us() + FLUSH_MS * 1000;
	size_t count;

	while (clock_steady_us() < due_us) {
		count = peek(journal, pending);
		if (count == 0 ||
		    (terms->entries > 0 &&
			hand_over(&journal->batch, store, terms, pending,
			    count) != STORE_OK))
			return;
		drop(journal, count);
	}
}
