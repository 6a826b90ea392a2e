/* near -- which of some words was meant by one that is none of them.  Pure. */
#ifndef NEAR_H
#define NEAR_H

#include <stddef.h>

struct near {
	const char *word;   /* that was written */
	const char *best;   /* the most like it so far; NULL: none is */
	size_t best_length; /* as it may stand within a text */
	size_t wrong;	    /* letters */
};

#define NEAR_SIZE 80

void near_begin(struct near *near, const char *word);

/* Consider a word of so many letters. */
void near_try(struct near *near, const char *candidate, size_t length);

/* Consider each of a list with blanks between. */
void near_try_words(struct near *near, const char *words);

/* "; did you mean X?", or "" when nothing is like it. */
void near_say(const struct near *near, char text_r[NEAR_SIZE]);

#endif
