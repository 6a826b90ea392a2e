/* scenario_keeper -- a keeper for scenarios: the embedded store, which can go
 * away, counts how often it is asked, and hands out shared lists and reports. */
#ifndef SCENARIO_KEEPER_H
#define SCENARIO_KEEPER_H

#include "store/store.h"

struct keeper;

enum keeper_state {
	KEEPER_UP,
	KEEPER_MUTE, /* is there, but does not answer in time */
	KEEPER_AWAY  /* is known to be away */
};

/* Takes over `inner`.  Close it as any store. */
struct keeper *keeper_open(struct store *inner);
struct store *keeper_store(struct keeper *keeper);

void keeper_set_state(struct keeper *keeper, enum keeper_state state);

/* By how many seconds its clock is ahead of this host's. */
void keeper_set_skew(struct keeper *keeper, int64_t seconds);

/* Questions, and things to remember, since this was called the last time. */
unsigned keeper_asked(struct keeper *keeper);
unsigned keeper_told(struct keeper *keeper);

/* To be given to the next one who reads them. */
void keeper_report(struct keeper *keeper, const char *text);
void keeper_set_list(struct keeper *keeper, const char *name,
    char *const *entries, size_t count);

#endif
