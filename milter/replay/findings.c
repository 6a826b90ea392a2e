#include "replay/findings.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define PLACES (FINDINGS_MAX * 2)

void
findings_free(struct findings *findings)
{
	for (size_t i = 0; findings->found != NULL && i < PLACES; i++) {
		free(findings->found[i].client);
		free(findings->found[i].name);
		free(findings->found[i].sender);
		free(findings->found[i].recipient);
		free(findings->found[i].who);
	}
	free(findings->found);
	memset(findings, 0, sizeof *findings);
}

/* Its place, or a free one: at most half of them are taken. */
static struct finding *
place_of(
    const struct findings *findings, const char *who, const struct rule *rule)
{
	uint64_t hash = hash_64(HASH_64, who, strlen(who));
	size_t place;

	hash = hash_64(hash, &rule, sizeof rule);
	for (place = hash % PLACES;; place = (place + 1) % PLACES) {
		struct finding *found = &findings->found[place];

		if (found->who == NULL ||
		    (found->rule == rule && strcmp(found->who, who) == 0))
			return found;
	}
}

static bool
fill(struct finding *found, const struct maillog_attempt *attempt,
    const char *who, size_t recipient)
{
	found->first = attempt->at;
	found->who = strdup(who);
	found->client = strdup(attempt->client);
	found->name = strdup(attempt->name == NULL ? "" : attempt->name);
	found->sender = strdup(attempt->sender);
	found->recipient = strdup(attempt->recipients[recipient]);
	return found->who != NULL && found->client != NULL &&
	    found->name != NULL && found->sender != NULL &&
	    found->recipient != NULL;
}

bool
findings_note(struct findings *findings, const struct maillog_attempt *attempt,
    const struct rehearsed *played, size_t recipient)
{
	const char *who =
	    played->pool[0] != '\0' ? played->pool : played->network;
	const struct rule *rule = played->rules[recipient];
	struct finding *found;

	if (findings->found == NULL)
		findings->found = calloc(PLACES, sizeof *findings->found);
	if (findings->found == NULL)
		return false;
	found = place_of(findings, who, rule);
	if (found->who == NULL && findings->count == FINDINGS_MAX) {
		findings->unlisted++;
		return true;
	}
	found->count++;
	if (found->who != NULL)
		return true;
	found->rule = rule;
	findings->count++;
	return fill(found, attempt, who, recipient);
}

/* Free places last. */
static int
by_count(const void *a, const void *b)
{
	const struct finding *left = a, *right = b;

	if (left->count == right->count)
		return (left->first > right->first) -
		    (left->first < right->first);
	return left->count < right->count ? 1 : -1;
}

void
findings_sort(struct findings *findings)
{
	if (findings->found != NULL)
		qsort(
		    findings->found, PLACES, sizeof *findings->found, by_count);
}
