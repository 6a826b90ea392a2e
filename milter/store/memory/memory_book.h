/* memory_book -- all records of the embedded store, of which the least worthy
 * go first when memory is short.
 *
 * Strangers and known clients stand in one row each, in the order in which they
 * were last renewed, which is the order in which they expire.  The networks of
 * an IPv6 /48, which may be one customer's, are a family: it has no more than a
 * share of the memory, and makes room for its own.  Not locked: the owner does
 * that. */
#ifndef MEMORY_BOOK_H
#define MEMORY_BOOK_H

#include "store/memory/memory_record.h"

struct memory_book;

/* The key spreads the records over the table, so that nobody can choose names
 * that fall into one place.  Namer and terms are borrowed.  NULL: no memory. */
struct memory_book *memory_book_open(
    const struct store_terms *terms, const struct triplet_namer *namer);
void memory_book_close(struct memory_book **book);

/* A record's name and what belongs to it: work it out before locking. */
struct memory_name {
	const char *text; /* borrowed */
	uint64_t number;  /* that stands for it */
	size_t family;	  /* 0: none */
};

/* False: out of memory. */
bool memory_book_name(const struct memory_book *book, const char *text,
    struct memory_name *name_r);

/* The record of that name, or NULL; one that has expired is none. */
struct memory_record *memory_book_find(
    struct memory_book *book, const struct memory_name *name, int64_t now);

/* The same by the name alone, also what expires before some time ahead; nothing is
 * changed. */
const struct memory_record *memory_book_peek(
    const struct memory_book *book, const struct memory_name *name);

/* The record of which only that number is known, or NULL. */
struct memory_record *
memory_book_find_number(struct memory_book *book, uint64_t number, int64_t now);

/* The same as memory_book_find(), made if there is none.  NULL: out of memory.
 * Follow each change of a record by memory_book_renew(). */
struct memory_record *memory_book_make(
    struct memory_book *book, const struct memory_name *name, int64_t now);

/* The record has something new to remember: it lives on as a stranger's or, if
 * `worthy`, as a known client's, which it stays.  Others that are worth less
 * make room for it. */
void memory_book_renew(struct memory_book *book, struct memory_record *record,
    bool worthy, int64_t now);

void memory_book_remove(struct memory_book *book, struct memory_record *record);

/* Remove what has expired, a bounded number at a time. */
void memory_book_expire(struct memory_book *book, int64_t now);

size_t memory_book_count(const struct memory_book *book);

/* To walk all records: places are 0 .. memory_book_places() - 1, and a record
 * stays in its place as long as it lives. */
size_t memory_book_places(const struct memory_book *book);
const struct memory_record *
memory_book_at(const struct memory_book *book, size_t place);

/* The clock was ahead and has gone back: no time in the records of this place
 * lies ahead of `now` any more. */
void memory_book_turn_back(struct memory_book *book, size_t place, int64_t now);

/* Take over a record that was made elsewhere, with its expiry, if there is none of
 * its name; frees it if there is no room or no use for it.  Give them in the order
 * of their expiry: until the one expires that was renewed before it, one may outlive
 * its own end, of no use. */
void memory_book_adopt(
    struct memory_book *book, struct memory_record *record, int64_t now);

#endif
