/* message_organisation -- whose mail a message is, and what that has earned on the
 * whole farm.
 *
 * An organisation is the one of the client's verified name, as its pool is, or else
 * the domain of the sender, if SPF says that the client may send its mail.  Anybody
 * can have such a domain: so it is no pool, gives no trust, and only joins what
 * comes back from another of its networks. */
#ifndef MESSAGE_ORGANISATION_H
#define MESSAGE_ORGANISATION_H

#include "session/message.h"

/* A message begins. */
void organisation_forget(struct message *message);

/* See whether it is known by now, before each question. */
void organisation_find(struct shared *shared, struct message *message);

/* Add it to what the store is asked; learn what that told. */
void organisation_ask(const struct message *message, struct store_query *query);
void organisation_learn(struct message *message,
    const struct store_query *query, const struct store_answer *answer);

/* Of what is remembered of the client, what is the organisation's. */
void organisation_remember(struct shared *shared, const struct message *message,
    const struct store_effects *effects);

/* Whether it is not known only because DNS has not told. */
bool organisation_may_come(const struct message *message);

/* The message is over, and what DNS says of it may be there only now: its pairs
 * have to be known when they come back from elsewhere. */
void organisation_settle(struct shared *shared, struct message *message);

#endif
