/* berkeley -- reads what stands in a file of Berkeley DB (a B-tree, as postgrey has
 * it), or in the text that db_dump makes of one.
 *
 * The file alone is read, page by page: what a program that runs has not written
 * yet is not there.  Every octet of it may be wrong. */
#ifndef BERKELEY_H
#define BERKELEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* A key and what belongs to it, with a NUL behind each; longer than
 * BERKELEY_ITEM_MAX none are given. */
#define BERKELEY_ITEM_MAX 4096
struct berkeley_pair {
	const char *key;
	const char *value;
	size_t key_length;
	size_t value_length;
};
typedef void berkeley_each(void *arg, const struct berkeley_pair *pair);

enum berkeley_kind { BERKELEY_NONE, BERKELEY_BTREE, BERKELEY_DUMP };

/* What a file is, by its first octets; `length` of them are there. */
#define BERKELEY_HEAD 32
enum berkeley_kind berkeley_kind(const unsigned char *head, size_t length);

/* NULL, or what is wrong.  A B-tree is a file that can seek, from its beginning; of the
 * text the first lines may have been read. */
const char *berkeley_read(
    FILE *file, enum berkeley_kind kind, berkeley_each *each, void *arg);

#endif
