/* message -- one message before the policy: asks the store for what a rule needs,
 * calls decide, and hands over what is to be remembered. */
#ifndef MESSAGE_H
#define MESSAGE_H

#include "base/random.h"
#include "dns/evidence.h"
#include "policy/decide.h"
#include "session/shared.h"
#include "store/lists.h"

/* Part of a session and used by its thread alone.  `facts.recipients` and
 * `pairs` run in parallel.  The session fills what the MTA tells; the rest is
 * filled here. */
struct message {
	struct shared *shared;
	struct policy *policy; /* of the session, which holds it */
	struct facts facts;
	int64_t clock; /* this host's, at the step in hand */
	struct random random;
	size_t pairs_asked; /* the first of them, whose clocks were read */
	struct limit_count limits[LIMITS_MAX];
	int64_t taken_at[LIMITS_MAX]; /* when their units were taken */
	size_t limited; /* the recipient whom limits of such are about */
	bool is_untaken[LIMITS_MAX]; /* they were only read so far */
	bool load_crossed[THRESHOLDS_MAX];
	unsigned char settled[SETTLED_MAX];
	struct evidence evidence; /* of DNS, about the facts */
	struct list_snapshot *snapshots[LISTS_MAX];
	const struct list *lists[LISTS_MAX];
	/* who the client is for the store; "" for no pool */
	char network[STORE_NETWORK_SIZE];
	unsigned host;
	char pool[STORE_POOL_MAX];
	char family[STORE_POOL_MAX]; /* store_name_family() */
	char address[NETADDR_TEXT_SIZE];
	/* see message_remember.c: "@example.org", "" for none (yet) */
	char organisation[STORE_POOL_MAX + 1];
	bool joins;	    /* its clocks of pairs are the client's */
	bool joins_late;    /* it was deferred before that could be known */
	const char *server; /* this mail server's name */
	int64_t last_used;  /* of the record */
	bool is_new;	    /* store_answer.is_new */
	bool pool_is_new;
	struct reputation_sums earned; /* by what the client did so far */
	double accepted; /* points that are paced, store_effects.accepted */
	int64_t refused; /* recipients that the MTA refused, not yet counted */
	bool hammered;	 /* counted, once a session */
	bool begun;
	bool complete; /* it was accepted, and reached its end */
	bool exempt;   /* nothing is learned of this message's client */
	/* The large rest is not cleared: it is filled as far as it is used. */
	struct recipient recipients[RECIPIENTS_MAX];
	struct store_pair pairs[RECIPIENTS_MAX];
	char names[RECIPIENTS_MAX][STORE_NAME_SIZE]; /* of the pairs */
	struct store_answer answer;		     /* to the last look-up */
};

/* Who the client is to the store; borrowed from the message. */
struct store_client message_client(const struct message *message);

/* The same in one word, as the journal has it: its pool, or else its address or
 * network. */
const char *message_identity(const struct message *message);

/* Begin a message, of which the sender is known and no recipient yet, after the last
 * has ended: keep what is known of the client and the session, read what runs in the
 * background, ask DNS. */
void message_begin(struct message *message, int64_t now);

/* Judge one recipient (its index), or with MESSAGE_WHOLE the message.  Waits
 * for the store at most as long as the store's deadline. */
#define MESSAGE_WHOLE ((size_t)-1)
struct outcome
message_judge(struct message *message, size_t recipient, enum stage stage);

/* Learn what is known of the client, though no rule may have asked: for who rehearses
 * a policy.  Nothing is changed by it. */
void message_recall(struct message *message);

/* Remember a deferral: of one recipient at RCPT (its index), or of the whole
 * message, which is over then. */
void message_deferred(struct message *message, size_t recipient);

/* An accepted message reached its end, so that it has earned what `outcome`
 * says, and keeps the units that it took. */
void message_completed(struct message *message, const struct outcome *outcome);

/* Count an event towards the client's reputation, and a recipient that the MTA
 * refused for limits. */
void message_event(struct message *message, enum reputation_event event);

/* The message is over: hand over what the client did meanwhile and, unless it
 * was completed, give back what it held.  Does nothing when none was begun. */
void message_end(struct message *message);

/* Count a connection that never came to ask the store. */
void message_count_connection(struct message *message, int64_t now);

/* ---- The inside, for message*.c */

/* message_remember.c: see whether the organisation is known by now, before each
 * question. */
void organisation_find(struct message *message);

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

#endif
