#include "store/levers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/decimal.h"
#include "base/log.h"

/* What was forgotten so short a while ago is forgotten again: more may have come
 * within the second that was seen last. */
#define AGAIN 3

/* A word of a note: what is no part of it would part it. */
static void
write_user(const char *user, char word_r[64])
{
	size_t length = 0;

	for (; length < 63 && user[length] != '\0'; length++)
		word_r[length] = user[length] > ' ' && user[length] < 0x7f
		    ? user[length]
		    : '_';
	word_r[length] = '\0';
	if (length == 0)
		strcpy(word_r, "-");
}

void
entry_note_write(const struct entry_note *note, char note_r[STORE_NOTE_SIZE])
{
	char user[64];
	size_t length;

	write_user(note->user, user);
	(void)snprintf(
	    note_r, STORE_NOTE_SIZE, "%s %" PRId64 " ", user, note->at);
	length = strlen(note_r);
	ascii_clean(note->text, note_r + length, STORE_NOTE_SIZE - length);
}

/* Others may have written it, so that it is all text. */
void
entry_note_read(const char *text, struct entry_note *note_r)
{
	size_t user = strcspn(text, " ");
	const char *end = NULL;

	memset(note_r, 0, sizeof *note_r);
	if (user < sizeof note_r->user && text[user] == ' ')
		note_r->at = decimal_scan(text + user + 1, &end);
	if (end == NULL || *end != ' ' || note_r->at <= 0) {
		note_r->at = 0;
		(void)snprintf(note_r->text, sizeof note_r->text, "%s", text);
		return;
	}
	memcpy(note_r->user, text, user);
	(void)snprintf(note_r->text, sizeof note_r->text, "%s", end + 1);
}

struct reading {
	const char *host;
	int64_t now;
	int64_t since; /* what is forgotten since then is told */
	struct levers levers;
	bool of_host; /* the load is this server's own */
	void (*forget)(void *arg, const char *what);
	void *arg;
};

static void
read_load(struct reading *reading, const struct store_entry *entry,
    const struct entry_note *note)
{
	const char *host = entry->text + sizeof LEVERS_LOAD - 1;
	bool of_host = host[0] == '@' && strcmp(host + 1, reading->host) == 0;
	struct levers *levers = &reading->levers;
	char *end;
	double load = strtod(note->text, &end);

	if ((host[0] != '\0' && !of_host) || (reading->of_host && !of_host) ||
	    end == note->text || *end != '\0' || !load_is_sane(load))
		return;
	reading->of_host = of_host;
	levers->has_load = true;
	levers->load = load;
	levers->load_until = entry->until;
	strcpy(levers->load_by, note->user);
}

static bool
begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool
read_one(void *arg, const struct store_entry *entry)
{
	struct reading *reading = arg;
	struct levers *levers = &reading->levers;
	struct entry_note note;

	if (entry->until <= reading->now)
		return true;
	entry_note_read(entry->note, &note);
	if (strcmp(entry->text, LEVERS_OBSERVE) == 0) {
		levers->observes = true;
		levers->observes_until = entry->until;
		strcpy(levers->observes_by, note.user);
	} else if (begins(entry->text, LEVERS_FORGET "@")) {
		if (entry->until > levers->forgotten)
			levers->forgotten = entry->until;
		if (entry->until > reading->since ||
		    entry->until >= reading->now + LEVERS_FORGET_FOR - AGAIN)
			reading->forget(
			    reading->arg, entry->text + sizeof LEVERS_FORGET);
	} else if (begins(entry->text, LEVERS_LOAD)) {
		read_load(reading, entry, &note);
	}
	return true;
}

bool
levers_read(struct store *store, int64_t now, struct levers *levers,
    void (*forget)(void *arg, const char *what), void *arg)
{
	struct reading reading = {
	    .host = store->host == NULL ? "" : store->host,
	    .now = store_now(store, now),
	    .since = levers->forgotten,
	    .forget = forget,
	    .arg = arg};

	reading.levers.forgotten = levers->forgotten;
	if (store_list_each(store, LEVERS_LIST, read_one, &reading) != STORE_OK)
		return false;
	*levers = reading.levers;
	return true;
}

static const char *
who(const char *by)
{
	return by[0] == '\0' ? "somebody" : by;
}

/* 0: no end. */
static int64_t
left_of(int64_t until, int64_t now)
{
	return until == LIST_FOR_EVER ? 0 : until - now;
}

static void
tell_levers(
    const struct levers *before, const struct levers *after, int64_t now)
{
	if (after->observes && !before->observes)
		log_info("everything only observes for %" PRId64
			 " seconds (0: no end), set by %s",
		    left_of(after->observes_until, now),
		    who(after->observes_by));
	if (before->observes && !after->observes)
		log_info("not everything only observes any more");
	if (after->has_load &&
	    (!before->has_load || before->load != after->load))
		log_info("the load is set to %.2f for %" PRId64
			 " seconds (0: no end), by %s",
		    after->load, left_of(after->load_until, now),
		    who(after->load_by));
	if (before->has_load && !after->has_load)
		log_info("the load is what is measured again");
}

void
levers_tick(struct store *store, int64_t now, struct levers *levers,
    void (*forget)(void *arg, const char *what), void *arg)
{
	const struct levers before = *levers;
	int64_t store_time = store_now(store, now);

	if (!levers_read(store, now, levers, forget, arg)) {
		if (levers->observes_until <= store_time)
			levers->observes = false;
		if (levers->load_until <= store_time)
			levers->has_load = false;
	}
	tell_levers(&before, levers, store_time);
}
