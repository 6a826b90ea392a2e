#include "config/conf_suggest.h"

#include <string.h>

#define NAME_MAX_LENGTH 40
#define NEAR		2 /* letters that may be wrong */

static size_t
smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many letters have to be added, dropped or replaced (Levenshtein). */
static size_t
distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_LENGTH + 1];
	size_t length = strlen(b);

	if (strlen(a) > NAME_MAX_LENGTH || length > NAME_MAX_LENGTH)
		return NAME_MAX_LENGTH;
	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < length; j++) {
			size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);

			diagonal = row[j + 1];
			row[j + 1] =
			    smaller(replaced, smaller(row[j], row[j + 1]) + 1);
		}
	}
	return row[length];
}

/* A short name is not like everything else that is short. */
static void
consider(
    const char *name, const char *candidate, const char **best, size_t *nearest)
{
	size_t letters = distance(name, candidate);

	if (letters < *nearest && letters < strlen(candidate) / 2) {
		*nearest = letters;
		*best = candidate;
	}
}

const char *
conf_suggest(
    const struct conf_grammar *grammar, const char *kind, const char *name)
{
	size_t nearest = NEAR + 1;
	const char *best = NULL;
	const char *option;

	for (size_t i = 0; (option = grammar->option(kind, i)) != NULL; i++)
		consider(name, option, &best, &nearest);
	for (size_t i = 0; kind[0] == '\0' && i < grammar->kind_count; i++)
		consider(name, grammar->kinds[i].name, &best, &nearest);
	return best;
}
