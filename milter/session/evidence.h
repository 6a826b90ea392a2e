/* evidence -- what DNS says of a message: asked for as soon as its names are known,
 * taken when it is judged. */
#ifndef EVIDENCE_H
#define EVIDENCE_H

#include "session/message.h"

/* The steps that tell of a name to ask for. */
enum evidence_step { EVIDENCE_CONNECT, EVIDENCE_HELO, EVIDENCE_MAIL };

/* Have DNS asked for what became known at this step.  Waits for nothing. */
void evidence_ask(
    struct shared *shared, struct message *message, enum evidence_step step);

/* A message begins: nothing has been taken of it. */
void evidence_forget(struct message *message);

/* Take what is there now.  From DATA on, with no patience, that is all. */
void
evidence_take(struct shared *shared, struct message *message, enum stage stage);

/* A rule waits for what is pending: wait for it, `due_us` of the steady clock at the
 * latest, and then do without.  False: nothing was pending. */
bool
evidence_await(struct shared *shared, struct message *message, int64_t due_us);

/* " dnsbl=name:3,other:unknown spf=pass", for the log; "" when nothing is asked. */
#define EVIDENCE_SIZE 800
void evidence_say(const struct message *message, char text_r[EVIDENCE_SIZE]);

#endif
