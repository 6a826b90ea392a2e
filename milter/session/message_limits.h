/* message_limits -- the units of limits that one message takes and gives back. */
#ifndef MESSAGE_LIMITS_H
#define MESSAGE_LIMITS_H

#include "session/message.h"

/* Each limit may count twice: for the client and for its family. */
#define LIMIT_TAKES_MAX (2 * LIMITS_MAX)

/* Begin a message.  A session is one connection, so the unit that was once
 * counted for that stays. */
void limits_forget(struct message *message);

/* From now on limits of recipients are about this one. */
void limits_begin_recipient(struct message *message, size_t recipient);

/* He is deferred: give back what they took for him. */
size_t limits_return_recipient(
    struct message *message, struct store_take takes_r[LIMIT_TAKES_MAX]);

/* The takes of a look-up at this stage; `which_r` names the limit of each,
 * from LIMITS_MAX on that of a family.  `only_reads`: nothing is taken of what a
 * deferral would give back. */
size_t limits_choose(const struct message *message, enum stage stage,
    bool only_reads, struct store_take takes_r[LIMIT_TAKES_MAX],
    size_t which_r[LIMIT_TAKES_MAX]);

/* Note what that look-up said. */
void limits_learn(struct message *message, const struct store_query *query,
    const size_t *which, const struct store_answer *answer);

/* Whether units were only read: the counts hold what taking them would have
 * given, and that is good for a deferral. */
bool limits_are_untaken(const struct message *message);

/* Have the next look-up take those. */
void limits_ask_again(struct message *message);

/* What a message that ended changes: the units to give back (all, or those of
 * rules that turned out not to concern it) and, as negative ones, those of
 * recipients that the MTA refused.  None are held afterwards. */
size_t limits_return(struct message *message, bool all,
    struct store_take takes_r[LIMIT_TAKES_MAX]);

/* The units of a connection that never came to ask, as negative ones. */
size_t limits_of_connection(
    const struct message *message, struct store_take takes_r[LIMIT_TAKES_MAX]);

#endif
