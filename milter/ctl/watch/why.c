/* why -- why a message was deferred, and what became of it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/commands.h"
#include "store/journal.h"

#define SHOWN 50 /* entries, unless --last says otherwise */

struct why {
	struct ctl *ctl;
	struct journal_terms terms;
	int64_t retry_window;
	int64_t now;
	const char *kind; /* of the objects */
	int64_t left;	  /* entries to show */
	bool is_found;
	enum store_result result; /* of what is asked beside */
};

static const char *const states[] = {[JOURNAL_WAITS] = "waits",
    [JOURNAL_MAY] = "may come back",
    [JOURNAL_PASSED] = "passed",
    [JOURNAL_GAVE_UP] = "gave up",
    [JOURNAL_NOT_KEPT] = "not kept"};

static void
add_number(json_t *object, const char *key, int64_t number)
{
	if (number != 0)
		(void)json_object_set_new(object, key, json_integer(number));
}

static void
add_text(json_t *object, const char *key, const char *text)
{
	if (text[0] != '\0')
		(void)json_object_set_new(object, key, json_text(text));
}

static void
add_after(struct why *why, const struct journal_entry *entry, json_t *object)
{
	struct journal_after after;

	why->result = journal_after(why->ctl->store, &why->terms, entry,
	    why->retry_window, why->now, &after);
	if (why->result != STORE_OK)
		return;
	add_text(object, "after", states[after.state]);
	if (after.state == JOURNAL_NOT_KEPT)
		return;
	if (after.state == JOURNAL_PASSED)
		add_number(object, "passed_at", after.at);
	else if (after.at != entry->at)
		add_number(object, "tried_again_at", after.at);
	add_number(object, "waited_in_all", after.waited);
	add_number(object, "until", after.until);
	if (strcmp(after.reference, entry->reference) != 0)
		add_text(object, "last_reference", after.reference);
}

/* The lines of a reply stand behind each other. */
static void
add_reply(json_t *object, const struct journal_entry *entry)
{
	char text[JOURNAL_TEXT_SIZE];

	(void)snprintf(text, sizeof text, "%s", entry->text);
	for (char *at = text; *at != '\0'; at++)
		if (*at == '\n')
			*at = ' ';
	add_text(object, "reply", text);
}

static bool
emit_entry(void *arg, const struct journal_entry *entry)
{
	static const char *const known[] = {[JOURNAL_UNKNOWN] = "unknown",
	    [JOURNAL_STRANGER] = "no",
	    [JOURNAL_IS_KNOWN] = "yes"};
	struct why *why = arg;
	json_t *object = json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:I, s:s}",
	    "kind", why->kind, "what", journal_kinds[entry->kind], "at",
	    (json_int_t)entry->at, "reference", entry->reference, "stage",
	    stage_names[entry->stage], "client", entry->client, "recipients",
	    (json_int_t)entry->recipient_count, "known", known[entry->known]);

	why->is_found = true;
	add_text(object, "host", entry->host);
	add_text(object, "session", entry->session);
	add_text(object, "rule", entry->rule);
	add_text(object, "response", entry->response);
	add_reply(object, entry);
	add_number(object, "wait", entry->wait);
	add_number(object, "waited", entry->waited);
	add_text(object, "name", entry->name);
	add_text(object, "network", entry->network);
	if (entry->null_sender)
		(void)json_object_set_new(object, "null_sender", json_true());
	if (entry->has_score)
		(void)json_object_set_new(
		    object, "score", json_integer(entry->score));
	(void)json_object_set_new(object, "load", json_real(entry->load));
	if (entry->kind == JOURNAL_DEFER)
		add_after(why, entry, object);
	return ctl_emit(why->ctl, object) && --why->left > 0 &&
	    why->result == STORE_OK;
}

/* ---- Which */

static enum store_result
find_one(struct why *why, const char *reference)
{
	struct journal_entry entry;
	bool found;
	enum store_result result = journal_find(
	    why->ctl->store, &why->terms, reference, why->now, &entry, &found);

	why->kind = "decision";
	if (result == STORE_OK && found)
		(void)emit_entry(why, &entry);
	return result == STORE_OK ? why->result : result;
}

static enum store_result
find_all(struct why *why, struct journal_query *query)
{
	enum store_result result = STORE_OK;
	bool more = true;

	why->kind = "entry";
	while (result == STORE_OK && more && ctl_wait(why->ctl, 0))
		result = journal_read(
		    why->ctl->store, query, emit_entry, why, &more);
	if (result == STORE_OK && why->left == 0)
		ctl_warn(why->ctl,
		    "there may be older ones; --last NUMBER shows more");
	return result == STORE_OK ? why->result : result;
}

/* An address alone is a network of one host.  False: it is neither. */
static bool
read_client(const char *word, struct network *network_r)
{
	char why[NETWORK_WHY_SIZE];
	struct netaddr client;

	if (netaddr_parse(word, &client)) {
		*network_r = network_of(&client, 128);
		return true;
	}
	return network_parse(word, network_r, why);
}

static enum store_result
hash_addresses(
    struct ctl *ctl, const struct ctl_args *args, struct journal_query *query)
{
	const char *from = ctl_value(args, "from"), *to = ctl_value(args, "to");
	enum store_result result = STORE_OK;

	if (from != NULL)
		result = journal_hash_sender(ctl->store, from, query->sender);
	if (result == STORE_OK && to != NULL)
		result =
		    journal_hash_recipient(ctl->store, to, query->recipient);
	return result;
}

/* ---- The command */

static enum ctl_status
search(struct why *why, const struct ctl_args *args)
{
	const char *word = args->word_count > 0 ? args->words[0] : NULL;
	struct journal_query query = {.client = NULL};
	char reference[JOURNAL_REFERENCE_SIZE];
	struct network network;
	int64_t since = 0;
	enum store_result result = hash_addresses(why->ctl, args, &query);

	if (!ctl_duration(why->ctl, args, "since", &since))
		return CTL_FAILED;
	if (since > 0)
		query.since = why->now - since;
	if (word != NULL && read_client(word, &network))
		query.client = &network;
	else if (word != NULL && !journal_reference_read(word, reference))
		return ctl_fail(why->ctl,
		    "%s: a reference, an address or a network is needed", word);
	if (result == STORE_OK && word != NULL && query.client == NULL)
		result = find_one(why, word);
	else if (result == STORE_OK)
		result = find_all(why, &query);
	if (result != STORE_OK)
		return ctl_fail_store(why->ctl, result);
	return why->is_found
	    ? CTL_DONE
	    : ctl_nothing(why->ctl,
		  "the journal has nothing of it; it is kept for %" PRId64
		  " hours at most",
		  why->terms.age / 3600);
}

static enum ctl_status
run_why(struct ctl *ctl, const struct ctl_args *args)
{
	const struct settings *settings = &ctl->policy->settings;
	struct why why = {.ctl = ctl,
	    .terms = {settings->journal.entries, settings->journal.age},
	    .retry_window = settings->retry_window,
	    .now = store_now(ctl->store, (int64_t)time(NULL)),
	    .left = SHOWN};

	if (settings->journal.entries == 0)
		return ctl_fail(ctl, "there is no journal (entries = 0)");
	if (args->word_count == 0 && ctl_value(args, "from") == NULL)
		return ctl_fail(
		    ctl, "a reference, an address, or --from SENDER is needed");
	if (!ctl_number(ctl, args, "last", &why.left))
		return CTL_FAILED;
	return search(&why, args);
}

static const struct ctl_option options[] = {
    {"from", "SENDER", "what came from this sender", false},
    {"to", "RECIPIENT", "and went to this recipient", false},
    {"since", "DURATION", "not what is older than this", false},
    {"last", "NUMBER", "show so many, and not 50", false}, {NULL}};

static const struct ctl_layout layouts[] = {
    {"decision", false,
	{{"what", "what", CTL_TEXT}, {"at", "when", CTL_TIME},
	    {"host", "on", CTL_TEXT}, {"client", "client", CTL_TEXT},
	    {"name", "name", CTL_TEXT}, {"rule", "rule", CTL_TEXT},
	    {"reply", "reply", CTL_TEXT}, {"wait", "wait", CTL_SPAN},
	    {"waited", "waited", CTL_SPAN}, {"after", "since then", CTL_MARK},
	    {"passed_at", "passed", CTL_TIME},
	    {"tried_again_at", "last try", CTL_TIME},
	    {"waited_in_all", "in all", CTL_SPAN}, {"until", "until", CTL_TIME},
	    {NULL}}},
    {"entry", true,
	{{"at", "WHEN", CTL_TIME}, {"host", "HOST", CTL_TEXT},
	    {"what", "WHAT", CTL_TEXT}, {"client", "CLIENT", CTL_TEXT},
	    {"rule", "RULE", CTL_TEXT}, {"wait", "WAIT", CTL_SPAN},
	    {"after", "SINCE THEN", CTL_MARK},
	    {"waited_in_all", "IN ALL", CTL_SPAN},
	    {"reference", "REFERENCE", CTL_TEXT}, {NULL}}},
    {NULL}};

const struct ctl_command ctl_why = {.name = "why",
    .arguments = "REFERENCE | ADDRESS|NETWORK | --from SENDER",
    .help = "tell why a message was deferred, and what became of it",
    .flags = CTL_STORE,
    .least_words = 0,
    .most_words = 1,
    .options = options,
    .layouts = layouts,
    .run = run_why};
