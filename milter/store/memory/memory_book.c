#include "store/memory/memory_book.h"

#include <stdlib.h>
#include <string.h>

#include "mail/netaddr.h"

#define OCTETS_PER_PLACE 512 /* about one record */
#define OCTETS_MIN	 (size_t)65536
#define EXPIRED_AT_ONCE	 5000

/* Strangers keep this share of the memory: if known clients could fill it all,
 * no stranger would ever be remembered until its retry. */
#define STRANGERS_SHARE 8

/* Of strangers and of known clients a family may have this share each. */
#define FAMILY_SHARE 16
#define FAMILY_BITS  48
#define FAMILIES     1024 /* some share one by chance; 0 is no family */

struct row {
	struct memory_record *oldest;
	struct memory_record *newest;
	size_t octets;
};

/* Strangers and known clients, as record->worthy says. */
struct rows {
	struct row of[2];
};

struct memory_book {
	const struct store_terms *terms;
	const struct triplet_namer *namer;
	struct rows all;
	struct rows families[FAMILIES];
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
	book->terms = terms;
	book->namer = namer;
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

static bool
number_of(const struct memory_book *book, const char *text, uint64_t *number_r)
{
	char name[TRIPLET_SIZE];

	if (!triplet_holder(book->namer, text, name))
		return false;
	memcpy(number_r, name, sizeof *number_r);
	return true;
}

/* An IPv6 network's. */
static bool
find_family(const struct memory_book *book, const char *text, size_t *family_r)
{
	char wide[NETWORK_TEXT_SIZE], why[NETWORK_WHY_SIZE];
	struct network network;
	uint64_t number;

	*family_r = 0;
	if (strchr(text, ':') == NULL || !network_parse(text, &network, why))
		return true;
	network = network_of(&network.base, FAMILY_BITS);
	network_format(&network, wide);
	if (!number_of(book, wide, &number))
		return false;
	*family_r = 1 + (size_t)(number % (FAMILIES - 1));
	return true;
}

bool
memory_book_name(const struct memory_book *book, const char *text,
    struct memory_name *name_r)
{
	name_r->text = text;
	return number_of(book, text, &name_r->number) &&
	    find_family(book, text, &name_r->family);
}

/* The row of which a record is part. */
static struct row *
row_of(struct memory_book *book, const struct memory_record *record, int which)
{
	struct rows *rows = which == MEMORY_FAMILY
	    ? &book->families[record->family]
	    : &book->all;

	return &rows->of[record->worthy];
}

static void
leave_row(struct row *row, struct memory_record *record, int which)
{
	struct memory_links *links = &record->rows[which];

	if (links->older != NULL)
		links->older->rows[which].newer = links->newer;
	else
		row->oldest = links->newer;
	if (links->newer != NULL)
		links->newer->rows[which].older = links->older;
	else
		row->newest = links->older;
	links->older = links->newer = NULL;
	row->octets -= record->counted;
}

static void
join_row(struct row *row, struct memory_record *record, int which)
{
	struct memory_links *links = &record->rows[which];

	links->older = row->newest;
	links->newer = NULL;
	if (row->newest != NULL)
		row->newest->rows[which].newer = record;
	else
		row->oldest = record;
	row->newest = record;
	row->octets += record->counted;
}

static void
leave_rows(struct memory_book *book, struct memory_record *record)
{
	for (int which = 0; which < MEMORY_ROWS; which++)
		leave_row(row_of(book, record, which), record, which);
}

static void
join_rows(struct memory_book *book, struct memory_record *record)
{
	record->counted = memory_record_octets(record);
	for (int which = 0; which < MEMORY_ROWS; which++)
		join_row(row_of(book, record, which), record, which);
}

static void
recount(struct memory_book *book, struct memory_record *record)
{
	size_t octets = memory_record_octets(record);

	for (int which = 0; which < MEMORY_ROWS; which++)
		row_of(book, record, which)->octets += octets - record->counted;
	record->counted = octets;
}

static void
insert(struct memory_book *book, struct memory_record *record,
    const struct memory_name *name)
{
	record->number = name->number;
	record->family = name->family;
	record->place = (size_t)(name->number % book->place_count);
	record->next = book->places[record->place];
	book->places[record->place] = record;
	join_rows(book, record);
	book->count++;
}

void
memory_book_remove(struct memory_book *book, struct memory_record *record)
{
	struct memory_record **at = &book->places[record->place];

	while (*at != record)
		at = &(*at)->next;
	*at = record->next;
	leave_rows(book, record);
	book->count--;
	memory_record_free(&record);
}

/* A text of NULL: by the number alone. */
static struct memory_record *
find(struct memory_book *book, uint64_t number, const char *text, int64_t now)
{
	struct memory_record *record = book->places[number % book->place_count];

	while (record != NULL &&
	    (record->number != number ||
		(text != NULL && strcmp(record->name, text) != 0)))
		record = record->next;
	if (record != NULL && record->expires <= now) {
		memory_book_remove(book, record);
		return NULL;
	}
	return record;
}

struct memory_record *
memory_book_find(
    struct memory_book *book, const struct memory_name *name, int64_t now)
{
	return find(book, name->number, name->text, now);
}

const struct memory_record *
memory_book_peek(const struct memory_book *book, const struct memory_name *name)
{
	const struct memory_record *record =
	    book->places[name->number % book->place_count];

	while (record != NULL &&
	    (record->number != name->number ||
		strcmp(record->name, name->text) != 0))
		record = record->next;
	return record;
}

struct memory_record *
memory_book_find_number(struct memory_book *book, uint64_t number, int64_t now)
{
	return find(book, number, NULL, now);
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
	record->expires = now + book->terms->pending_life;
	insert(book, record, name);
	return record;
}

/* What goes next: the expired, then strangers, then known clients. */
static struct memory_record *
least_worthy(const struct memory_book *book, int64_t now)
{
	struct memory_record *stranger = book->all.of[false].oldest;
	struct memory_record *known = book->all.of[true].oldest;

	if (stranger == NULL || known == NULL)
		return stranger == NULL ? known : stranger;
	if (stranger->expires <= now)
		return stranger;
	if (known->expires <= now ||
	    book->all.of[false].octets < book->bytes_max / STRANGERS_SHARE)
		return known;
	return stranger;
}

/* In the family of a record that was just renewed, and which stays. */
static void
make_room_for_kin(struct memory_book *book, const struct memory_record *record)
{
	struct row *kin = row_of(book, record, MEMORY_FAMILY);

	if (record->family == 0)
		return;
	while (kin->octets > book->bytes_max / FAMILY_SHARE &&
	    kin->oldest != record)
		memory_book_remove(book, kin->oldest);
}

static size_t
octets_of_all(const struct memory_book *book)
{
	return book->table_octets + book->all.of[false].octets +
	    book->all.of[true].octets;
}

static void
make_room(struct memory_book *book, int64_t now)
{
	while (book->count > 0 && octets_of_all(book) > book->bytes_max)
		memory_book_remove(book, least_worthy(book, now));
}

/* A known client keeps its turn when it does nothing worthy. */
void
memory_book_renew(struct memory_book *book, struct memory_record *record,
    bool worthy, int64_t now)
{
	int64_t life =
	    worthy ? book->terms->worthy_life : book->terms->pending_life;

	if (record->worthy && !worthy) {
		recount(book, record);
	} else {
		leave_rows(book, record);
		record->worthy = worthy;
		if (record->expires < now + life)
			record->expires = now + life;
		join_rows(book, record);
		make_room_for_kin(book, record);
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
		memory_book_remove(book, record);
	}
}

size_t
memory_book_count(const struct memory_book *book)
{
	return book->count;
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
	int64_t life = record->worthy ? book->terms->worthy_life
				      : book->terms->pending_life;

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
	insert(book, record, &name);
	make_room_for_kin(book, record);
	make_room(book, now);
}
