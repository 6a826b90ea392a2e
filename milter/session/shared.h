/* shared -- what all sessions of the process share: the policy in force, the
 * store, and what a background thread keeps fresh. */
#ifndef SHARED_H
#define SHARED_H

#include "policy/policy.h"
#include "store/store.h"

struct shared;

/* Takes over `policy` and `store`, also on failure.  NULL: out of memory. */
struct shared *shared_open(struct policy *policy, struct store *store);
void shared_close(struct shared **shared);

/* A reference to the policy in force; give it back with policy_release(). */
struct policy *shared_policy(struct shared *shared);

/* Put another policy in force, for sessions that begin from now on; the store
 * reads anew with whom it logs in. */
void shared_publish(struct shared *shared, struct policy *policy);

/* What is to be done once a second in one background thread: sample and
 * exchange load, re-read lists, take reports, tidy the store.  May wait for
 * the store; files that hang are left to themselves. */
void shared_tick(struct shared *shared, int64_t now);

/* The same in two further ones, which may hang with the file system: take reports
 * out of a file; save what the store keeps, `last` at the end.  False: it cannot
 * be saved. */
void shared_tick_file(struct shared *shared, int64_t now);
bool shared_save(struct shared *shared, bool last);

/* The end is near: a tick that is under way ends soon. */
void shared_stop(struct shared *shared);

/* Sessions open at this moment, for the load and for a clean stop. */
void shared_session_began(struct shared *shared);
void shared_session_ended(struct shared *shared);

/* Whether this host has a public suffix list, by which organisations are known. */
bool shared_has_suffixes(void);

/* The organisational domain of a verified host name; false if it has none. */
bool shared_organisation(
    const struct shared *shared, const char *name, char *organisation_r);

/* Remember the organisation of a verified client, or with NULL that it has none;
 * and recall it while the DNS fails.  See client_names.h. */
void shared_note_name(struct shared *shared, const struct netaddr *client,
    const char *organisation, int64_t now);
bool shared_recall_name(struct shared *shared, const struct netaddr *client,
    int64_t now, char *organisation_r);

#endif
