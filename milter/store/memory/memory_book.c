#include "store/memory/memory_book.h"

#include <stdlib.h>
#include <string.h>

#define OCTETS_PER_PLACE 512 /* about one record */
#define OCTETS_MIN	 (size_t)65536
#define EXPIRED_AT_ONCE	 5000

/* Strangers keep this share of the memory: if known clients could fill it all,
 * no stranger would ever be remembered until its retry. */
#define STRANGERS_SHARE 8

struct row {
	struct memory_record *oldest;
	struct memory_record *newest;
	size_t octets;
};

struct memory_book {
	struct store_terms terms;
	struct triplet_namer namer;
	struct row strangers;
	struct row worthy;
	size_t count;
	size_t table_octets;
	size_t bytes_max;
	size_t place_count;
	struct memory_record *places[];
};

struct memory_book *
memory_book_open(
    const struct store_terms *terms, const struct triplet_namer *namer)
{
	size_t octets =
	    terms->memory_max > OCTETS_MIN ? terms->memory_max : OCTETS_MIN;
	size_t count = octets / OCTETS_PER_PLACE;
	size_t table =
	    sizeof(struct memory_book) + count * sizeof(struct memory_record *);
	struct memory_book *book = calloc(1, table);

	if (book == NULL)
		return NULL;
	book->terms = *terms;
	book->namer = *namer;
	book->place_count = count;
	book->table_octets = table;
	book->bytes_max = octets;
	return book;
}

void
memory_book_close(struct memory_book **book)
{
	struct memory_record *record, *next;

	if (*book == NULL)
		return;
	for (size_t i = 0; i < (*book)->place_count; i++) {
		for (record = (*book)->places[i]; record != NULL;
		     record = next) {
			next = record->next;
			memory_record_free(&record);
		}
	}
	free(*book);
	*book = NULL;
}

bool
memory_book_name(const struct memory_book *book, const char *text,
    struct memory_name *name_r)
{
	char hash[TRIPLET_SIZE];
	uint64_t number;

	if (!triplet_holder(&book->namer, text, hash))
		return false;
	memcpy(&number, hash, sizeof number);
	name_r->text = text;
	name_r->place = (size_t)(number % book->place_count);
	return true;
}

static struct row *
row_of(struct memory_book *book, const struct memory_record *record)
{
	return record->worthy ? &book->worthy : &book->strangers;
}

static void
row_recount(struct row *row, struct memory_record *record)
{
	row->octets -= record->counted;
	record->counted = memory_record_octets(record);
	row->octets += record->counted;
}

static void
row_leave(struct row *row, struct memory_record *record)
{
	if (record->older != NULL)
		record->older->newer = record->newer;
	else
		row->oldest = record->newer;
	if (record->newer != NULL)
		record->newer->older = record->older;
	else
		row->newest = record->older;
	record->older = record->newer = NULL;
	row->octets -= record->counted;
}

static void
row_join(struct row *row, struct memory_record *record)
{
	record->older = row->newest;
	record->newer = NULL;
	if (row->newest != NULL)
		row->newest->newer = record;
	else
		row->oldest = record;
	row->newest = record;
	record->counted = 0;
	row_recount(row, record);
}

static void
insert(struct memory_book *book, struct memory_record *record)
{
	record->next = book->places[record->place];
	book->places[record->place] = record;
	row_join(row_of(book, record), record);
	book->count++;
}

static void
discard(struct memory_book *book, struct memory_record *record)
{
	struct memory_record **at = &book->places[record->place];

	while (*at != record)
		at = &(*at)->next;
	*at = record->next;
	row_leave(row_of(book, record), record);
	book->count--;
	memory_record_free(&record);
}

struct memory_record *
memory_book_find(
    struct memory_book *book, const struct memory_name *name, int64_t now)
{
	struct memory_record *record = book->places[name->place];

	while (record != NULL && strcmp(record->name, name->text) != 0)
		record = record->next;
	if (record != NULL && record->expires <= now) {
		discard(book, record);
		return NULL;
	}
	return record;
}

struct memory_record *
memory_book_make(
    struct memory_book *book, const struct memory_name *name, int64_t now)
{
	struct memory_record *record = memory_book_find(book, name, now);

	if (record != NULL)
		return record;
	record = memory_record_new(name->text);
	if (record == NULL)
		return NULL;
	record->place = name->place;
	record->expires = now + book->terms.pending_life;
	insert(book, record);
	return record;
}

/* What goes next: the expired, then strangers, then known clients. */
static struct memory_record *
least_worthy(const struct memory_book *book, int64_t now)
{
	struct memory_record *stranger = book->strangers.oldest;
	struct memory_record *known = book->worthy.oldest;

	if (stranger == NULL || known == NULL)
		return stranger == NULL ? known : stranger;
	if (stranger->expires <= now)
		return stranger;
	if (known->expires <= now ||
	    book->strangers.octets < book->bytes_max / STRANGERS_SHARE)
		return known;
	return stranger;
}

static void
make_room(struct memory_book *book, int64_t now)
{
	while (book->count > 0 && memory_book_octets(book) > book->bytes_max)
		discard(book, least_worthy(book, now));
}

/* A known client keeps its turn when it does nothing worthy. */
void
memory_book_renew(struct memory_book *book, struct memory_record *record,
    bool worthy, int64_t now)
{
	int64_t life =
	    worthy ? book->terms.worthy_life : book->terms.pending_life;

	if (record->worthy && !worthy) {
		row_recount(&book->worthy, record);
	} else {
		row_leave(row_of(book, record), record);
		record->worthy = worthy;
		if (record->expires < now + life)
			record->expires = now + life;
		row_join(row_of(book, record), record);
	}
	make_room(book, now);
}

void
memory_book_expire(struct memory_book *book, int64_t now)
{
	for (int i = 0; i < EXPIRED_AT_ONCE && book->count > 0; i++) {
		struct memory_record *record = least_worthy(book, now);

		if (record->expires > now)
			return;
		discard(book, record);
	}
}

size_t
memory_book_count(const struct memory_book *book)
{
	return book->count;
}

size_t
memory_book_octets(const struct memory_book *book)
{
	return book->table_octets + book->strangers.octets +
	    book->worthy.octets;
}

size_t
memory_book_places(const struct memory_book *book)
{
	return book->place_count;
}

const struct memory_record *
memory_book_at(const struct memory_book *book, size_t place)
{
	return book->places[place];
}

/* Nobody lives longer from now on than who is renewed now. */
static void
turn_back(
    const struct memory_book *book, struct memory_record *record, int64_t now)
{
	int64_t life =
	    record->worthy ? book->terms.worthy_life : book->terms.pending_life;

	if (record->expires > now + life)
		record->expires = now + life;
	memory_record_turn_back(record, now);
}

void
memory_book_turn_back(struct memory_book *book, size_t place, int64_t now)
{
	struct memory_record *record = book->places[place];

	for (; record != NULL; record = record->next)
		turn_back(book, record, now);
}

void
memory_book_adopt(
    struct memory_book *book, struct memory_record *record, int64_t now)
{
	struct memory_name name;

	if (record->expires <= now ||
	    !memory_book_name(book, record->name, &name) ||
	    memory_book_find(book, &name, now) != NULL) {
		memory_record_free(&record);
		return;
	}
	turn_back(book, record, now);
	record->place = name.place;
	insert(book, record);
	make_room(book, now);
}
