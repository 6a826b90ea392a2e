/* span -- a piece of a line, which it borrows, and what is taken off its front.  Pure. */
#ifndef SPAN_H
#define SPAN_H

#include <stdbool.h>
#include <stddef.h>

/* Not terminated; length 0: nothing. */
struct span {
	const char *at;
	size_t length;
};

struct span span_of(const char *at, size_t length);

bool span_is(struct span span, const char *text);
bool span_begins(struct span span, const char *text);

/* The place of `text` in it, or its length: it is not in there. */
size_t span_find(struct span span, const char *text);

/* Go on by so many octets, which there are. */
void span_skip(struct span *span, size_t length);

/* Go on behind `text`, if it begins with that; false: it does not. */
bool span_take(struct span *span, const char *text);

/* Go on behind the next `end`, with what stands before it.  False: there is none. */
bool span_take_until(struct span *span, const char *end, struct span *taken_r);

/* Go on behind a number of so many digits, at most four; of more the first are taken.
 * False: there are fewer than `least`. */
bool
span_take_number(struct span *span, size_t least, size_t most, int *number_r);

#endif
