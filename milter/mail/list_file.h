/* list_file -- a list read from a text file.
 *
 * One entry on a line, as list_add takes it, or for LIST_NUMBERS a key and a whole
 * number (10k, 10M and 10G are powers of 1024); then perhaps "until" and a moment
 * of date.h, up to which it counts.  '#' at the start of a line or
 * after a blank starts a comment (a '#' inside an entry belongs to it); blank
 * lines, blanks around an entry and CR LF line ends are fine. */
#ifndef LIST_FILE_H
#define LIST_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mail/list.h"

/* What changes when a file is written anew or replaced.  Replacing it by
 * rename(2) is best: then nobody ever reads half of it. */
struct list_file_identity {
	dev_t device;
	ino_t inode;
	off_t size;
	int64_t modified_sec;
	int64_t modified_nsec;
};

/* A larger one is not read: a program may write it without end. */
#define LIST_FILE_BYTES_MAX ((size_t)64 << 20)

enum list_file_answer {
	LIST_FILE_LOADED,     /* bad lines, if any, were reported and skipped */
	LIST_FILE_MISSING,    /* there is no such file */
	LIST_FILE_UNREADABLE, /* it could not be read to its end: see errno */
	LIST_FILE_NO_MEMORY
};

/* Called for each bad line, the first being number 1.  Neither string outlives
 * the call; `why` holds nothing of the file's own text that could need escaping
 * in a log. */
typedef void list_file_complain(
    void *context, const char *path, unsigned line, const char *why);

/* How a file is to be read. */
struct list_file_terms {
	unsigned kinds;		      /* what it is for, of enum list_kind */
	list_file_complain *complain; /* may be NULL */
	void *context;
};

/* Read the file.  Only LIST_FILE_LOADED sets `*list_r`, to a sealed list that
 * the caller frees, and `*identity_r`, to what the file was when it was opened.
 * Anything but a regular file is unreadable (EINVAL, or EISDIR).  A file of nothing but bad lines calls it for every one of them. */
enum list_file_answer
list_file_load(const char *path, const struct list_file_terms *terms,
    struct list **list_r, struct list_file_identity *identity_r);

/* An entry as it stands in a file, in its one form: see list_item_text(). */
struct list_file_entry {
	char text[LIST_ENTRY_SIZE];
	unsigned line;
	int64_t until; /* or LIST_FOR_EVER */
};

/* Give `each` one after another, also those that another one covers; it returns
 * whether it wants more.  Bad lines are left out. */
enum list_file_answer list_file_each(const char *path, unsigned kinds,
    bool (*each)(void *arg, const struct list_file_entry *entry), void *arg);

/* What the file is now; false, with errno set, if it cannot be asked. */
bool
list_file_identify(const char *path, struct list_file_identity *identity_r);

bool list_file_is_same(
    const struct list_file_identity *a, const struct list_file_identity *b);

#endif
