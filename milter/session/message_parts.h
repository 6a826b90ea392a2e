/* message_parts -- the inside of a message, for message*.c. */
#ifndef MESSAGE_PARTS_H
#define MESSAGE_PARTS_H

#include "session/message.h"

/* message_limits.c: the units of limits that it takes and gives back.  Each limit
 * may count twice: for the client and for its family. */
#define LIMIT_TAKES_MAX (2 * LIMITS_MAX)

/* Begin a message, or with a recipient's index: limits of recipients are about
 * that one from now on. */
void limits_begin(struct message *message, size_t recipient);

/* The takes of a look-up at this stage; `which_r` names the limit of each,
 * from LIMITS_MAX on that of a family.  `only_reads`: nothing is taken of what a
 * deferral would give back. */
size_t limits_choose(const struct message *message, enum stage stage,
    bool only_reads, struct store_take takes_r[LIMIT_TAKES_MAX],
    size_t which_r[LIMIT_TAKES_MAX]);

/* Note what that look-up said. */
void limits_learn(struct message *message, const struct store_query *query,
    const size_t *which, const struct store_answer *answer);

/* Whether units were only read: the counts hold what taking them would have given,
 * and that is good for a deferral.  The next look-up takes them. */
bool limits_take_rest(struct message *message);

/* What changes when the recipient in hand is deferred, or the message `is_over`: the
 * units to give back (of a message that is complete only those of rules that turned
 * out not to concern it) and, as negative ones, those of recipients that the MTA
 * refused.  None are held afterwards. */
size_t limits_return(struct message *message, bool is_over,
    struct store_take takes_r[LIMIT_TAKES_MAX]);

/* The units of a connection that never came to ask, as negative ones. */
size_t limits_of_connection(
    const struct message *message, struct store_take takes_r[LIMIT_TAKES_MAX]);

/* message_organisation.c: see whether it is known by now, before each question. */
void organisation_find(struct message *message);

/* Of what is remembered of the client, what is the organisation's. */
void organisation_remember(
    const struct message *message, const struct store_effects *effects);

/* Whether it is not known only because DNS has not told. */
bool organisation_may_come(const struct message *message);

/* The message is over, and what DNS says of it may be there only now: its pairs
 * have to be known when they come back from elsewhere. */
void organisation_settle(struct message *message);

#endif
