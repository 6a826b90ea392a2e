/* levers -- what somebody has set by hand for all mail servers, for a while.
 *
 * They are entries of a shared list of its own, LEVERS_LIST; every server reads it
 * once a second. */
#ifndef LEVERS_H
#define LEVERS_H

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

#define LEVERS_LIST    ".levers"
#define LEVERS_OBSERVE "observe" /* nothing is deferred, only logged */
#define LEVERS_LOAD    "load"	 /* of all servers, or with "@NAME" of one */
#define LEVERS_FORGET                                                          \
	"forget" /* with "@" and an address, or what a pool is
				  * called, or "*": of everybody */
#define LEVERS_FORGET_FOR INT64_C(3600) /* seconds that such an entry lives */

/* What is noted of any entry: who made it, when, and a text; "USER TIME TEXT". */
struct entry_note {
	char user[64]; /* "": nobody knows */
	int64_t at;    /* Unix seconds; 0: nobody knows */
	char text[STORE_NOTE_SIZE];
};
void
entry_note_write(const struct entry_note *note, char note_r[STORE_NOTE_SIZE]);
void entry_note_read(const char *text, struct entry_note *note_r);

struct levers {
	bool observes;
	char observes_by[64];
	int64_t observes_until; /* or LIST_FOR_EVER */
	bool has_load;
	double load; /* 0..LOAD_MAX */
	char load_by[64];
	int64_t load_until;
	int64_t forgotten; /* what is forgotten, up to that entry */
};

/* Read them anew, as they are at `now` for the server of this store.  Each thing
 * that is to be forgotten is given to `forget`, maybe more than once.  False: they
 * could not be read, and are as they were. */
bool levers_read(struct store *store, int64_t now, struct levers *levers,
    void (*forget)(void *arg, const char *what), void *arg);

/* The same, and what changed by it is said in the log.  While they cannot be read,
 * what is over by the store's clock ends. */
void levers_tick(struct store *store, int64_t now, struct levers *levers,
    void (*forget)(void *arg, const char *what), void *arg);

#endif
