/* findings -- clients to be listed, each once for each rule that put it off. */
#ifndef FINDINGS_H
#define FINDINGS_H

#include "maillog/maillog.h"
#include "replay/rehearse.h"

/* A client as it is remembered, and the first time that it was found. */
struct finding {
	char *who; /* its organisation, or its network */
	char *client, *name, *sender, *recipient;
	const struct rule *rule;
	int64_t first; /* Unix seconds */
	int64_t count; /* messages */
};

#define FINDINGS_MAX 10000

/* All zero is an empty one. */
struct findings {
	struct finding *found; /* NULL: none yet */
	size_t count;
	int64_t unlisted; /* messages of clients for which there was no room */
};

/* The recipient of this number was put off.  False: out of memory. */
bool
findings_note(struct findings *findings, const struct maillog_attempt *attempt,
    const struct rehearsed *played, size_t recipient);

/* The `count` with most messages first.  Nothing may be noted any more. */
void findings_sort(struct findings *findings);

void findings_free(struct findings *findings);

#endif
