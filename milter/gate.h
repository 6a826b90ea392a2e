/* gate -- what all sessions of the process share: the policy in force, the
 * store, and what a background thread keeps fresh. */
#ifndef GATE_H
#define GATE_H

#include "policy.h"
#include "store.h"

struct gate;

/* Takes over `policy` and `store`, also on failure.  NULL: out of memory. */
struct gate *gate_open(struct policy *policy, struct store *store);
void gate_close(struct gate **gate);

/* A reference to the policy in force; give it back with policy_release(). */
struct policy *gate_policy(struct gate *gate);

/* Put another policy in force, for sessions that begin from now on. */
void gate_publish(struct gate *gate, struct policy *policy);

/* What is to be done once a second in one background thread: sample and
 * exchange load, re-read lists, take reports, tidy the store.  May wait for
 * the store. */
void gate_tick(struct gate *gate, int64_t now);

/* Sessions open at this moment, for the load and for a clean stop. */
void gate_session_began(struct gate *gate);
void gate_session_ended(struct gate *gate);

/* The organisational domain of a verified host name; false if it has none. */
bool gate_organisation(
    const struct gate *gate, const char *name, char *organisation_r);

#endif
