/* foreign -- what other greylisting programs keep, as the lines that import takes.
 *
 * The lines are plain: whose names they hold is made unreadable where they are
 * taken over (record_json.h). */
#ifndef FOREIGN_H
#define FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* What is to be read: `count` files, "-" for standard input, or directories. */
struct foreign_source {
	const char *program; /* that left them; NULL: they hold lines already */
	const char *whitelisted_after; /* a number, or NULL */
	const char *const *paths;
	size_t count;
};

/* Write their lines.  False: something was wrong, and standard error tells. */
bool foreign_feed(const struct foreign_source *source, FILE *out);

/* ---- For the readers */

struct foreign;

/* A client, an address or a network as text, delivered so often.  It was let in if
 * that was often enough, or is `known` to have been. */
void foreign_client(struct foreign *foreign, const char *client,
    int64_t deliveries, int64_t last, bool known);

/* A pair of its: `first` when it came, or 0, and `passed` when it was let in, or
 * 0. */
struct foreign_pair {
	const char *client;
	const char *sender; /* "" or "<>": the null sender */
	const char *recipient;
	int64_t first;
	int64_t passed;
	bool counts; /* a pass is a delivery of the client */
};
void foreign_pair(struct foreign *foreign, const struct foreign_pair *pair);

/* Remember a text, and whether one was: from one file to the next, by a hash. */
void foreign_note(struct foreign *foreign, const char *text);
bool foreign_is_noted(const struct foreign *foreign, const char *text);

/* An address or network of a whitelist. */
void foreign_listed(struct foreign *foreign, const char *text);

/* Something that cannot be taken over, and why. */
void foreign_left(struct foreign *foreign, const char *what, const char *text,
    const char *why);

/* So many lines, rows or entries of a file cannot be read; none: nothing is said. */
void foreign_odd(
    struct foreign *foreign, int64_t count, const char *unit, const char *why);

/* One reader each: take a file that is open at its beginning.  NULL, or what is
 * wrong with it. */
typedef const char *
foreign_read(struct foreign *foreign, FILE *file, const char *path);
foreign_read foreign_postgrey;
foreign_read foreign_sqlgrey;
foreign_read foreign_milter_greylist;

#endif
