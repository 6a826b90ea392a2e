/* mta_macros -- the macros that Postfix 3.7 tells a milter at each step.
 *
 * A milter may ask for its own set at negotiation; else the defaults of
 * main.cf are sent.  A macro without a value is left out, as Postfix does. */
#ifndef MTA_MACROS_H
#define MTA_MACROS_H

#include "packet.h"
#include "traffic.h"

#include <stdbool.h>

#define MACRO_STAGES   7 /* SMFIM_CONNECT .. SMFIM_EOH */
#define MACRO_LIST_MAX 256

/* The names for each stage, separated by blanks. */
struct macro_lists {
	char names[MACRO_STAGES][MACRO_LIST_MAX];
};

/* What the values are made of. */
struct macro_source {
	const struct mail *mail;
	const char *sender;    /* with brackets, or "" before MAIL */
	const char *recipient; /* of this step, with brackets, or "" */
	bool queued;	       /* the queue id exists */
};

/* Set the defaults, then what the answer to the negotiation asks for (`asked`
 * are its bytes after the three numbers).  False: the answer is malformed. */
bool macro_lists_init(
    struct macro_lists *lists_r, const unsigned char *asked, size_t size);

/* Add the frame that precedes the step `command`; none if nothing is to tell. */
void macro_write(struct packet *packet, const struct macro_lists *lists,
    int stage, char command, const struct macro_source *source);

#endif
