#include "base/near.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"

#define WORD_MAX 40

/* Letters that may be wrong in a word of that many: one in three. */
static size_t
allowed_in(size_t length)
{
	size_t most = (length + 1) / 3;

	return most == 0 ? 1 : most > 3 ? 3 : most;
}

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t less = a < b ? a : b;

	return less < c ? less : c;
}

static bool
same(char a, char b)
{
	return ascii_lower(a) == ascii_lower(b);
}

/* How many letters have to be added, dropped, replaced, or exchanged with the
 * next (optimal string alignment). */
static size_t
distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t rows[3][WORD_MAX + 1]; /* of this letter, and the two before */

	for (size_t j = 0; j <= b_length; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t *row = rows[i % 3], *above = rows[(i + 2) % 3];
		const size_t *before = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			bool equal = same(a[i - 1], b[j - 1]);

			row[j] = least(above[j - 1] + (equal ? 0 : 1),
			    above[j] + 1, row[j - 1] + 1);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) &&
			    same(a[i - 2], b[j - 1]) &&
			    before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
	}
	return rows[a_length % 3][b_length];
}

/* Whether the shorter of two words, of three letters at least, begins the
 * other. */
static bool
begins_alike(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t length = a_length < b_length ? a_length : b_length;

	for (size_t i = 0; i < length; i++)
		if (!same(a[i], b[i]))
			return false;
	return length >= 3;
}

void
near_begin(struct near *near, const char *word)
{
	memset(near, 0, sizeof *near);
	near->word = word;
	near->wrong = WORD_MAX;
}

void
near_try(struct near *near, const char *candidate, size_t length)
{
	size_t own = strlen(near->word);
	size_t wrong;

	if (own == 0 || length == 0 || own > WORD_MAX || length > WORD_MAX)
		return;
	wrong = distance(near->word, own, candidate, length);
	if (wrong > allowed_in(length) || wrong >= length) {
		if (!begins_alike(near->word, own, candidate, length))
			return;
		wrong += WORD_MAX / 2; /* better than nothing */
	}
	if (wrong >= near->wrong)
		return;
	near->wrong = wrong;
	near->best = candidate;
	near->best_length = length;
}

void
near_try_words(struct near *near, const char *words)
{
	while (*words != '\0') {
		size_t length = strcspn(words, " ");

		near_try(near, words, length);
		words += length + strspn(words + length, " ");
	}
}

void
near_say(const struct near *near, char text_r[NEAR_SIZE])
{
	text_r[0] = '\0';
	if (near->best != NULL)
		(void)snprintf(text_r, NEAR_SIZE, "; did you mean %.*s?",
		    (int)near->best_length, near->best);
}
