/* journal_parts -- the inside of the journal, for journal*.c alone. */
#ifndef JOURNAL_PARTS_H
#define JOURNAL_PARTS_H

#include "store/journal.h"

/* The place of a checked reference that was made at about `near`. */
uint64_t journal_place(const char *reference, int64_t near);

/* Tell of an entry that was encoded without it which one was before: `end` is that of
 * the text, with room for so many octets. */
#define JOURNAL_BEFORE_MAX 32
void journal_encode_before(uint64_t before, char *end);

/* What stands for one client, sender and recipient. */
uint64_t journal_thread(const struct journal_entry *entry, size_t recipient);

/* What may stand in an entry; all else is '?'. */
static inline char
journal_clean(char octet)
{
	return octet == '\n' || (octet >= ' ' && octet <= '~') ? octet : '?';
}

/* What is hashed (triplet_mark()): the kinds of texts. */
#define JOURNAL_IDENTITY  'i'
#define JOURNAL_SENDER	  's'
#define JOURNAL_RECIPIENT 'r'

#endif
