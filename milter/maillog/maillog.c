#include "maillog/maillog.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/hash.h"
#include "mail/netaddr.h"

#define HOLD_FOR     INT64_C(300) /* seconds for what is told later */
#define HELD_MAX     65536
#define HELD_OCTETS  (64 << 20)
#define TEXT_MAX     1024 /* octets of an address or name */
#define ID_BUCKETS   16384
#define PROCESSES    8192 /* a power of 2 */
#define PROCESS_WAYS 4

/* One that is under way.  Strings are its own; NULL: not told. */
struct held {
	struct held *next;	 /* which began later */
	struct held *next_id;	 /* in the same bucket */
	uint64_t id;		 /* of host and queue id; 0: none */
	struct process *process; /* whose open one this is, or NULL */
	int64_t at;
	char *client, *name, *helo, *user, *sender;
	bool tls;
	int64_t size;
	char **recipients;
	enum maillog_fate *fates;
	size_t recipient_count;
	size_t refused;
	enum maillog_fate fate; /* of the message, for all that were taken */
	int64_t wanted; /* recipients of which will be told; -1: not known */
	int64_t told;
	bool complete;
	size_t octets;
};

/* One of Postfix's smtpd, or of Sendmail, and the client that it serves. */
struct process {
	uint64_t key; /* 0: free */
	int64_t used;
	char *client; /* NULL: not known */
	char *user;
	bool tls;
	struct held *open; /* that has no queue id, and may get further ones */
};

struct maillog {
	struct held *first, *last;
	struct held *given; /* taken, and still in use */
	size_t count;
	size_t octets;
	struct held *ids[ID_BUCKETS];
	struct process processes[PROCESSES];
	int64_t now;
	bool has_mail_server; /* some line was one's */
	bool failed;	      /* out of memory */
	struct maillog_sums sums;
};

/* ---- Texts */

/* Cut; octets that are 0 become blanks. */
static char *
text_of(struct maillog *log, struct span span)
{
	size_t length = span.length < TEXT_MAX ? span.length : TEXT_MAX - 1;
	char *text = malloc(length + 1);

	if (text == NULL) {
		log->failed = true;
		return NULL;
	}
	for (size_t i = 0; i < length; i++)
		text[i] = span.at[i] == '\0' ? ' ' : span.at[i];
	text[length] = '\0';
	return text;
}

/* What was told first stays. */
static void
set_text(struct maillog *log, struct held *held, char **text, struct span span)
{
	if (*text != NULL || span.length == 0)
		return;
	*text = text_of(log, span);
	held->octets += span.length;
	log->octets += span.length;
}

static bool
text_is(const char *text, struct span span)
{
	return text != NULL && span_is(span, text);
}

/* ---- Those under way */

static struct held *
new_held(struct maillog *log)
{
	struct held *held = calloc(1, sizeof *held);

	if (held == NULL) {
		log->failed = true;
		return NULL;
	}
	held->at = log->now;
	held->wanted = -1;
	held->octets = sizeof *held;
	log->octets += held->octets;
	log->count++;
	if (log->last == NULL)
		log->first = held;
	else
		log->last->next = held;
	log->last = held;
	return held;
}

static void
free_held(struct held *held)
{
	if (held == NULL)
		return;
	for (size_t i = 0; i < held->recipient_count; i++)
		free(held->recipients[i]);
	free(held->recipients);
	free(held->fates);
	free(held->client);
	free(held->name);
	free(held->helo);
	free(held->user);
	free(held->sender);
	free(held);
}

static uint64_t
key_of(const struct maillog_line *line, struct span name, uint64_t seed)
{
	uint64_t hash =
	    hash_64(HASH_64 ^ seed, line->host.at, line->host.length);

	hash = hash_64(hash, "", 1);
	hash = hash_64(hash, name.at, name.length);
	return hash == 0 ? 1 : hash;
}

static struct held *
find_id(const struct maillog *log, uint64_t id)
{
	struct held *held = log->ids[id % ID_BUCKETS];

	while (held != NULL && held->id != id)
		held = held->next_id;
	return held;
}

/* The one with the queue id of this line; `make`: a new one if there is none. */
static struct held *
held_of(struct maillog *log, const struct maillog_line *line, bool make)
{
	uint64_t id = key_of(line, line->queue_id, 1);
	struct held *held = find_id(log, id);

	if (held != NULL || !make)
		return held;
	held = new_held(log);
	if (held != NULL) {
		held->id = id;
		held->next_id = log->ids[id % ID_BUCKETS];
		log->ids[id % ID_BUCKETS] = held;
	}
	return held;
}

static void
forget_id(struct maillog *log, const struct held *held)
{
	struct held **place = &log->ids[held->id % ID_BUCKETS];

	if (held->id == 0)
		return;
	while (*place != NULL && *place != held)
		place = &(*place)->next_id;
	if (*place != NULL)
		*place = held->next_id;
}

static void
add_recipient(struct maillog *log, struct held *held, struct span address,
    enum maillog_fate fate)
{
	size_t count = held->recipient_count;

	for (size_t i = 0; i < count; i++)
		if (text_is(held->recipients[i], address)) {
			/* Refused at the end, or told of once more. */
			if (fate != MAILLOG_TAKEN)
				held->fates[i] = fate;
			return;
		}
	if (count == MAILLOG_RECIPIENTS || address.length == 0)
		return;
	if (!array_grow(&held->recipients, count, sizeof *held->recipients) ||
	    !array_grow(&held->fates, count, sizeof *held->fates)) {
		log->failed = true;
		return;
	}
	held->recipients[count] = text_of(log, address);
	held->fates[count] = fate;
	held->octets += address.length + sizeof(char *);
	log->octets += address.length + sizeof(char *);
	if (!log->failed)
		held->recipient_count++;
}

static void
add_recipients(struct maillog *log, struct held *held, struct span recipients,
    enum maillog_fate fate)
{
	struct span address;

	while (!log->failed && maillog_next_recipient(&recipients, &address)) {
		add_recipient(log, held, address, fate);
		held->told++;
	}
}

static void
note_client(
    struct maillog *log, struct held *held, const struct maillog_line *line)
{
	set_text(log, held, &held->client, line->client);
	set_text(log, held, &held->name, line->name);
	set_text(log, held, &held->helo, line->helo);
	set_text(log, held, &held->user, line->user);
}

static void
note_sender(
    struct maillog *log, struct held *held, const struct maillog_line *line)
{
	if (!line->has_sender || held->sender != NULL)
		return;
	held->sender = text_of(log, line->sender);
	held->octets += line->sender.length;
	log->octets += line->sender.length;
}

/* ---- Processes */

static void
close_open(struct process *process)
{
	if (process->open == NULL)
		return;
	process->open->complete = true;
	process->open->process = NULL;
	process->open = NULL;
}

static void
reset_process(struct process *process)
{
	close_open(process);
	free(process->client);
	free(process->user);
	process->client = process->user = NULL;
	process->tls = false;
}

/* The process that wrote this line; of four that have one place, the one used least
 * lately makes room. */
static struct process *
process_of(struct maillog *log, const struct maillog_line *line)
{
	uint64_t key = key_of(line, line->pid,
	    hash_64(HASH_64, line->instance.at, line->instance.length));
	struct process *set =
	    &log->processes[key % (PROCESSES / PROCESS_WAYS) * PROCESS_WAYS];
	struct process *found = &set[0];

	for (size_t i = 0; i < PROCESS_WAYS && found->key != key; i++)
		if (set[i].key == key || set[i].used < found->used)
			found = &set[i];
	if (found->key != key) {
		reset_process(found);
		found->key = key;
	}
	found->used = log->now;
	return found;
}

static void
note_process(struct maillog *log, struct held *held, struct process *process)
{
	held->tls |= process->tls;
	if (process->user != NULL)
		set_text(log, held, &held->user,
		    (struct span){process->user, strlen(process->user)});
}

/* ---- Lines */

static void
take_connect(struct maillog *log, const struct maillog_line *line)
{
	struct process *process = process_of(log, line);

	reset_process(process);
	if (line->client.length > 0)
		process->client = text_of(log, line->client);
}

/* Sendmail tells of encryption and log-in with the client, and of no connection: a
 * process with the same id may serve another one now. */
static void
take_secure(struct maillog *log, const struct maillog_line *line)
{
	struct process *process = process_of(log, line);

	if (line->client.length > 0 &&
	    !text_is(process->client, line->client)) {
		reset_process(process);
		process->client = text_of(log, line->client);
	}
	if (line->kind == MAILLOG_SECURE) {
		process->tls = true;
		return;
	}
	free(process->user);
	process->user = text_of(log, line->user);
}

static void
take_client(struct maillog *log, const struct maillog_line *line)
{
	struct process *process = process_of(log, line);
	struct held *held;

	close_open(process);
	if (line->queue_id.length == 0)
		return; /* a proxy filter is asked first */
	held = held_of(log, line, false);
	/* Queue ids are used again. */
	if (held != NULL && held->client != NULL) {
		held->complete = true;
		forget_id(log, held);
		held->id = 0;
	}
	held = held_of(log, line, true);
	if (held == NULL)
		return;
	note_client(log, held, line);
	note_process(log, held, process);
}

/* Sendmail: it comes when the message, or what there was of it, is over. */
static void
take_sendmail_envelope(struct maillog *log, const struct maillog_line *line)
{
	struct held *held = held_of(log, line, true);
	struct process *process = process_of(log, line);

	if (held == NULL)
		return;
	note_client(log, held, line);
	if (text_is(process->client, line->client))
		note_process(log, held, process);
}

static void
take_envelope(struct maillog *log, const struct maillog_line *line)
{
	struct held *held;

	if (line->instance.length == 0)
		take_sendmail_envelope(log, line);
	held = held_of(log, line, false);
	if (held == NULL)
		return; /* not from a client */
	note_sender(log, held, line);
	if (line->size > 0 && held->size == 0)
		held->size = line->size;
	held->wanted = line->count;
	held->complete |= held->told >= held->wanted;
}

static void
take_recipient(struct maillog *log, const struct maillog_line *line)
{
	struct held *held = held_of(log, line, line->instance.length == 0);

	if (held == NULL)
		return;
	add_recipients(log, held, line->recipients, MAILLOG_TAKEN);
	held->complete |= held->wanted >= 0 && held->told >= held->wanted;
}

static bool
has_recipient(const struct held *held, struct span address)
{
	for (size_t i = 0; i < held->recipient_count; i++)
		if (text_is(held->recipients[i], address))
			return true;
	return false;
}

/* The attempt that a recipient without a queue id belongs to: the one before, if
 * the sender is the same and the recipient another. */
static struct held *
open_of(struct maillog *log, const struct maillog_line *line)
{
	struct process *process = process_of(log, line);
	struct held *held = process->open;

	if (held != NULL &&
	    (!text_is(held->sender, line->sender) ||
		has_recipient(held, line->recipients)))
		close_open(process);
	if (process->open != NULL)
		return process->open;
	held = new_held(log);
	if (held == NULL)
		return NULL;
	process->open = held;
	held->process = process;
	note_process(log, held, process);
	return held;
}

static void
take_refused(struct maillog *log, const struct maillog_line *line)
{
	bool of_recipient = line->step == MAILLOG_OF_RECIPIENT;
	struct held *held;

	if (line->step == MAILLOG_OF_OTHER)
		return;
	held = line->queue_id.length > 0
	    ? held_of(log, line, line->instance.length == 0)
	    : line->recipients.length > 0 ? open_of(log, line)
					  : NULL;
	if (held == NULL)
		return;
	note_client(log, held, line);
	note_sender(log, held, line);
	if (of_recipient && line->fate == MAILLOG_REJECTED) {
		held->refused++;
		return;
	}
	if (line->recipients.length > 0)
		add_recipient(log, held, line->recipients, line->fate);
	if (!of_recipient) {
		held->fate = line->fate;
		/* Sendmail has more to say. */
		held->complete |= line->instance.length > 0;
	}
}

/* Where mail servers tell of attempts, our lines only add what these leave out. */
static void
take_ours(struct maillog *log, const struct maillog_line *line)
{
	struct held *held;

	if (log->has_mail_server) {
		held = line->queue_id.length > 0 ? held_of(log, line, false)
						 : NULL;
		if (held == NULL)
			return;
		note_client(log, held, line);
		/* Of what is put off at DATA they do not name all recipients. */
		if (line->fate == MAILLOG_PUT_OFF)
			add_recipients(
			    log, held, line->recipients, MAILLOG_PUT_OFF);
		return;
	}
	held = line->queue_id.length > 0 ? held_of(log, line, true)
					 : new_held(log);
	if (held == NULL)
		return;
	note_client(log, held, line);
	note_sender(log, held, line);
	add_recipients(log, held, line->recipients, line->fate);
	held->complete = held->id == 0;
}

static void
take_done(struct maillog *log, const struct maillog_line *line)
{
	struct held *held = held_of(log, line, false);

	if (held == NULL)
		return;
	held->complete = true;
	/* Whatever comes with this queue id is another message. */
	forget_id(log, held);
	held->id = 0;
}

static void
take_line(struct maillog *log, const struct maillog_line *line)
{
	static void (*const takers[])(
	    struct maillog *, const struct maillog_line *) = {
	    [MAILLOG_CONNECT] = take_connect,
	    [MAILLOG_CLOSE] = take_connect,
	    [MAILLOG_SECURE] = take_secure,
	    [MAILLOG_LOGIN] = take_secure,
	    [MAILLOG_CLIENT] = take_client,
	    [MAILLOG_ENVELOPE] = take_envelope,
	    [MAILLOG_RECIPIENT] = take_recipient,
	    [MAILLOG_REFUSED] = take_refused,
	    [MAILLOG_DONE] = take_done,
	    [MAILLOG_OURS] = take_ours,
	};

	if (line->kind == MAILLOG_SCREENED)
		log->sums.screened++;
	if ((size_t)line->kind >= sizeof takers / sizeof takers[0] ||
	    takers[line->kind] == NULL)
		return;
	log->sums.used++;
	takers[line->kind](log, line);
}

/* ---- The whole */

struct maillog *
maillog_open(void)
{
	return calloc(1, sizeof(struct maillog));
}

void
maillog_close(struct maillog **log)
{
	struct maillog *mine = *log;

	if (mine == NULL)
		return;
	for (size_t i = 0; i < PROCESSES; i++)
		if (mine->processes[i].key != 0)
			reset_process(&mine->processes[i]);
	while (mine->first != NULL) {
		struct held *next = mine->first->next;

		free_held(mine->first);
		mine->first = next;
	}
	free_held(mine->given);
	free(mine);
	*log = NULL;
}

bool
maillog_feed(struct maillog *log, const struct maillog_line *line, int64_t at)
{
	log->now = at;
	log->has_mail_server |= line->is_mail_server;
	take_line(log, line);
	return !log->failed;
}

static bool
is_due(const struct maillog *log, const struct held *held, bool is_end)
{
	return held->complete || is_end || log->now - held->at > HOLD_FOR ||
	    log->count > HELD_MAX || log->octets > HELD_OCTETS;
}

static struct held *
detach_first(struct maillog *log)
{
	struct held *held = log->first;

	log->first = held->next;
	if (log->first == NULL)
		log->last = NULL;
	log->count--;
	log->octets -= held->octets;
	forget_id(log, held);
	if (held->process != NULL)
		held->process->open = NULL;
	return held;
}

static bool
is_usable(const struct held *held)
{
	struct netaddr client;

	return netaddr_parse(held->client, &client) && held->sender != NULL &&
	    held->recipient_count + held->refused > 0;
}

/* What was said of the message holds for all that had been taken. */
static enum maillog_fate
fate_of(const struct held *held, size_t i)
{
	return held->fates[i] != MAILLOG_TAKEN ? held->fates[i] : held->fate;
}

static void
describe(const struct held *held, struct maillog_attempt *attempt_r)
{
	*attempt_r = (struct maillog_attempt){.at = held->at,
	    .client = held->client,
	    .name = held->name,
	    .helo = held->helo,
	    .user = held->user,
	    .tls = held->tls,
	    .sender = held->sender,
	    .size = held->size,
	    .recipient_count = held->recipient_count,
	    .refused = held->refused};
	for (size_t i = 0; i < held->recipient_count; i++) {
		attempt_r->recipients[i] = held->recipients[i];
		attempt_r->fates[i] = fate_of(held, i);
	}
}

bool
maillog_take(
    struct maillog *log, bool is_end, struct maillog_attempt *attempt_r)
{
	free_held(log->given);
	log->given = NULL;
	while (log->first != NULL && is_due(log, log->first, is_end)) {
		struct held *held = detach_first(log);

		if (is_usable(held)) {
			log->given = held;
			log->sums.attempts++;
			describe(held, attempt_r);
			return true;
		}
		/* Local mail has no client. */
		if (held->client != NULL)
			log->sums.unfinished++;
		free_held(held);
	}
	return false;
}

const struct maillog_sums *
maillog_sums(const struct maillog *log)
{
	return &log->sums;
}
