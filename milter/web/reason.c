/* Why was my mail deferred?  The page behind the link in a reply, for whoever sent
 * the message: in the order in which he wants to know it. */
#include "web/web_parts.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "mail/hostname.h"
#include "store/journal.h"
#include "web/form.h"

#define ATTEMPTS_MAX 12
#define SLACK	     INT64_C(5) /* seconds by which clocks may differ */
#define SETTLE_TRIES 10
#define SETTLE_MS    20

/* A reference that nobody has: what is none is looked for under this name, so
 * that the answer takes as long. */
#define NOBODY "0000000000000000"

struct attempt {
	enum journal_kind kind;
	int64_t at;
	char host[JOURNAL_NAME_SIZE];
};

/* What there is to say.  Large: not for the stack. */
struct reason {
	struct journal_entry entry;
	struct journal_after after;
	enum cause cause;
	struct cause_text text;
	bool hides_wait; /* from whom is known to be bad */
	bool is_open;	 /* it was let in just now */
	/* With which whoever sent it lets it in; or "". */
	char token[TOKEN_SIZE];
	int64_t since; /* what was before is another story */
	struct attempt attempts[ATTEMPTS_MAX]; /* newest first */
	size_t attempt_count;
};

/* ---- Looking it up */

static bool
gather(void *arg, const struct journal_entry *entry)
{
	struct reason *reason = arg;
	struct attempt *attempt = &reason->attempts[reason->attempt_count];

	if (entry->at < reason->since)
		return false;
	attempt->kind = entry->kind;
	attempt->at = entry->at;
	(void)snprintf(attempt->host, sizeof attempt->host, "%s", entry->host);
	return ++reason->attempt_count < ATTEMPTS_MAX;
}

/* The attempts that the journal shows.  This one was found, so there is at least
 * one. */
static void
find_attempts(struct visit *visit, const struct journal_terms *terms,
    struct reason *reason)
{
	reason->since = reason->entry.at - visit->policy->settings.retry_window;
	(void)journal_story(
	    visit->shared->store, terms, &reason->entry, gather, reason);
	if (reason->attempt_count == 0)
		(void)gather(reason, &reason->entry);
}

static enum store_result
find_reason(struct visit *visit, const char *reference, struct reason *reason,
    bool *found_r)
{
	const struct settings *settings = &visit->policy->settings;
	const struct journal_terms terms = {
	    settings->journal.entries, settings->journal.age};
	struct store *store = visit->shared->store;
	struct journal_entry *entry = &reason->entry;
	char clean[JOURNAL_REFERENCE_SIZE] = NOBODY;
	bool is_one = journal_reference_read(reference, clean);
	enum store_result result =
	    journal_find(store, &terms, clean, visit->now, entry, found_r);

	*found_r = result == STORE_OK && *found_r && is_one &&
	    entry->kind == JOURNAL_DEFER;
	if (!*found_r)
		return result;
	result = journal_after(store, &terms, entry, settings->retry_window,
	    visit->now, &reason->after);
	if (result != STORE_OK)
		return result;
	reason->cause = cause_of(visit->policy, entry->response, entry->rule);
	cause_words(reason->cause, entry->response, visit->language,
	    settings->web.texts, &reason->text);
	reason->hides_wait =
	    entry->has_score && entry->score < settings->hide_wait_below;
	find_attempts(visit, &terms, reason);
	return STORE_OK;
}

/* ---- The door: a message that waits can be let in by whoever sent it, if the
 * postmaster wants that, once, and past nothing but the delay of greylisting.  It is
 * then one that has waited long enough: its clock is set back. */

enum door {
	DOOR_NONE, /* it waits for something else, or we cannot know */
	DOOR_SHUT, /* it waits, and may be let in */
	DOOR_OPEN  /* it need not wait any more */
};

/* Under which names the store remembers it. */
struct waiting {
	struct store_client client;
	char network[STORE_NETWORK_SIZE];
	char pool[HOSTNAME_SIZE];
	struct store_pair pairs[JOURNAL_RECIPIENTS];
	char names[JOURNAL_RECIPIENTS][STORE_NAME_SIZE];
	size_t pair_count;
};

/* As the session did.  False: the entry does not tell. */
static bool
find_waiting(const struct visit *visit, const struct journal_entry *entry,
    struct waiting *waiting_r)
{
	const struct settings *settings = &visit->policy->settings;
	struct netaddr address;

	memset(waiting_r, 0, sizeof *waiting_r);
	if (!netaddr_parse(entry->client, &address))
		return false;
	store_name_network(settings, &address, waiting_r->network);
	waiting_r->client.network = waiting_r->network;
	waiting_r->client.host = netaddr_host_bucket(&address);
	if (settings->identity != IDENTITY_NETWORK)
		waiting_r->client.address = entry->client;
	if (settings->identity == IDENTITY_POOL && entry->name[0] != '\0' &&
	    hostname_organisation(
		entry->name, visit->shared->psl, waiting_r->pool) &&
	    hostname_classify(entry->name, &address, waiting_r->pool) ==
		HOSTNAME_OWN)
		waiting_r->client.pool = waiting_r->pool;
	for (size_t i = 0; i < entry->recipient_hashes; i++) {
		struct store_pair *pair =
		    &waiting_r->pairs[waiting_r->pair_count];
		char *name = waiting_r->names[waiting_r->pair_count];

		if (entry->pairs[i][0] == '\0')
			continue;
		(void)snprintf(name, STORE_NAME_SIZE, "%s", entry->pairs[i]);
		*pair = (struct store_pair){"", "", name};
		waiting_r->pair_count++;
	}
	return waiting_r->pair_count > 0;
}

/* Look at the clocks; `*now_r` is the store's. */
static enum door
look(const struct visit *visit, const struct waiting *waiting,
    const struct greylist_terms *terms, int64_t *now_r)
{
	const struct store_query query = {
	    .now = visit->now,
	    .client = waiting->client,
	    .pairs = waiting->pairs,
	    .pair_count = waiting->pair_count,
	    .spaces = {[CLOCK_REAL] = true},
	};
	struct store_answer *answer = malloc(sizeof *answer);
	enum door door = DOOR_NONE;
	int64_t wait;

	if (answer != NULL &&
	    store_look_up(visit->shared->store, &query, answer) == STORE_OK) {
		*now_r = answer->now;
		for (size_t i = 0; i < waiting->pair_count; i++)
			switch (
			    greylist_judge(terms, &answer->pairs[i][CLOCK_REAL],
				answer->now, &wait)) {
			case GREYLIST_EARLY:
				door = DOOR_SHUT;
				break;
			case GREYLIST_PASSED:
				door = door == DOOR_NONE ? DOOR_OPEN : door;
				break;
			case GREYLIST_FIRST:
				break;
			}
	}
	free(answer);
	return door;
}

/* A token is bound to the message and to who sent it. */
#define SIGNED_SIZE (JOURNAL_REFERENCE_SIZE + NETADDR_TEXT_SIZE + 1)
static void
signed_text(const struct journal_entry *entry, char text_r[SIGNED_SIZE])
{
	(void)snprintf(
	    text_r, SIGNED_SIZE, "%s %s", entry->reference, entry->client);
}

/* By which rule it waits, and as whom.  NULL: for nothing that a visitor may end. */
static const struct rule *
find_door(const struct visit *visit, const struct journal_entry *entry,
    struct waiting *waiting_r)
{
	const struct policy *policy = visit->policy;

	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i];

		if (strcmp(rule->name, entry->rule) == 0)
			return policy->settings.web.release &&
				rule->verdict == RULE_GREYLIST &&
				rule->by == BY_TRIPLET &&
				find_waiting(visit, entry, waiting_r)
			    ? rule
			    : NULL;
	}
	return NULL;
}

/* Asks the store.  What opens one that is shut is `token_r`; "": out of memory. */
static enum door
door_look(const struct visit *visit, const struct journal_entry *entry,
    char token_r[TOKEN_SIZE])
{
	struct waiting waiting;
	const struct rule *rule = find_door(visit, entry, &waiting);
	char text[SIGNED_SIZE];
	enum door door;
	int64_t now;

	token_r[0] = '\0';
	if (rule == NULL)
		return DOOR_NONE;
	door = look(visit, &waiting, &rule->terms, &now);
	signed_text(entry, text);
	if (door == DOOR_SHUT &&
	    !token_sign(visit->key, "release", text, token_r))
		token_r[0] = '\0';
	return door;
}

/* As if all of it had come first so long ago. */
static bool
set_back(const struct visit *visit, const struct waiting *waiting,
    const struct greylist_terms *terms, int64_t now)
{
	enum clock_mark marks[JOURNAL_RECIPIENTS][CLOCK_SPACES];
	const struct store_effects effects = {
	    .now = now - terms->delay - SLACK,
	    .client = waiting->client,
	    .pairs = waiting->pairs,
	    .marks = (const enum clock_mark(*)[CLOCK_SPACES])marks,
	    .pair_count = waiting->pair_count,
	};

	memset(marks, 0, sizeof marks);
	for (size_t i = 0; i < waiting->pair_count; i++)
		marks[i][CLOCK_REAL] = MARK_RESTART;
	return store_remember(visit->shared->store, &effects) == STORE_OK;
}

/* What is handed over is not yet there: wait for it, so that a token which comes
 * again is seen to be used. */
static void
await(const struct visit *visit, const struct waiting *waiting,
    const struct greylist_terms *terms)
{
	int64_t now;

	for (int i = 0; i < SETTLE_TRIES; i++) {
		if (look(visit, waiting, terms, &now) == DOOR_OPEN)
			return;
		clock_sleep(SETTLE_MS);
	}
}

static bool
open_once(const struct visit *visit, const struct waiting *waiting,
    const struct greylist_terms *terms)
{
	int64_t now;
	bool opened;

	pthread_mutex_lock(&visit->web->door);
	opened = look(visit, waiting, terms, &now) == DOOR_SHUT &&
	    set_back(visit, waiting, terms, now);
	if (opened)
		await(visit, waiting, terms);
	pthread_mutex_unlock(&visit->web->door);
	return opened;
}

/* Let it in on its next try.  False: the token does not suit, or was used, or there
 * is nothing to wait for any more. */
static bool
door_open(
    struct visit *visit, const struct journal_entry *entry, const char *token)
{
	struct waiting waiting;
	const struct rule *rule = find_door(visit, entry, &waiting);
	char text[SIGNED_SIZE], from[NETADDR_TEXT_SIZE];

	signed_text(entry, text);
	if (rule == NULL || !token_suits(visit->key, "release", text, token) ||
	    !open_once(visit, &waiting, &rule->terms))
		return false;
	netaddr_format(&visit->request->visitor, from);
	log_info("web: released reference=%s rule=\"%s\" client=%s from=%s",
	    entry->reference, rule->name, entry->client, from);
	web_count(visit->web, WEB_RELEASED);
	return true;
}

/* ---- Showing it */

static const char *
word(const struct visit *visit, enum word which)
{
	return cause_page_words[visit->language][which];
}

/* Words with one place, for a span of time. */
static void
say_span(struct visit *visit, enum word which, int64_t seconds)
{
	const char *pattern = word(visit, which);
	const char *place = strstr(pattern, "%s");
	char span[WEB_SPAN_SIZE];

	web_span(visit->language, seconds, span);
	bytes_put(visit->out, pattern, (size_t)(place - pattern));
	html_text(visit->out, span);
	html_text(visit->out, place + 2);
}

static void
show_when(struct visit *visit, const struct reason *reason)
{
	const struct journal_after *after = &reason->after;
	bool passes = reason->text.passes;

	html(visit->out, "<section class=\"card\"><h2>%s</h2><p>",
	    word(visit,
		after->state == JOURNAL_PASSED ? WORD_WHEN_PASSED : WORD_WHEN));
	switch (after->state) {
	case JOURNAL_PASSED:
		html_text(visit->out, word(visit, WORD_PASSED));
		web_time(visit, after->at);
		say_span(visit, WORD_AFTER, after->waited);
		break;
	case JOURNAL_WAITS:
		if (reason->hides_wait || after->until <= visit->now) {
			html_text(visit->out, word(visit, WORD_SOME_TIME));
			break;
		}
		say_span(visit, WORD_IN, after->until - visit->now);
		web_time(visit, after->until);
		html_text(visit->out,
		    word(visit, passes ? WORD_LET_IN : WORD_JUDGED));
		break;
	case JOURNAL_MAY:
		html_text(visit->out,
		    word(visit, passes ? WORD_MAY : WORD_MAY_JUDGED));
		break;
	case JOURNAL_GAVE_UP:
		html_text(visit->out, word(visit, WORD_GAVE_UP));
		break;
	case JOURNAL_NOT_KEPT:
		html_text(visit->out, word(visit, WORD_NOT_KEPT));
		break;
	}
	html_raw(visit->out, "</p></section>\n");
}

static void
show_story(struct visit *visit, const struct reason *reason)
{
	bool waits = reason->after.state == JOURNAL_WAITS &&
	    !reason->hides_wait && reason->after.until > visit->now;

	html(visit->out,
	    "<section class=\"card\"><h2>%s</h2>\n<ol class=\"steps\">\n",
	    word(visit, WORD_STORY));
	for (size_t i = reason->attempt_count; i-- > 0;) {
		const struct attempt *attempt = &reason->attempts[i];
		bool passed = attempt->kind == JOURNAL_PASS;

		html_raw(visit->out, passed ? "<li class=\"good\">" : "<li>");
		web_time(visit, attempt->at);
		html(visit->out, "<strong>%s</strong>",
		    word(visit, passed ? WORD_ACCEPTED : WORD_PUT_OFF));
		html(visit->out, " <span class=\"soft\">%s</span></li>\n",
		    attempt->host);
	}
	if (waits) {
		html_raw(visit->out, "<li class=\"next\">");
		web_time(visit, reason->after.until);
		html(visit->out, "%s</li>\n", word(visit, WORD_NEXT));
	}
	html_raw(visit->out, "</ol></section>\n");
}

static void
show_fact(
    struct visit *visit, enum word which, const char *class, const char *value)
{
	if (value[0] != '\0')
		html(visit->out, "<dt>%s</dt><dd class=\"%s\">%s</dd>\n",
		    word(visit, which), class, value);
}

static void
show_facts(struct visit *visit, const struct reason *reason)
{
	const struct journal_entry *entry = &reason->entry;
	char client[JOURNAL_NAME_SIZE + NETADDR_TEXT_SIZE + 4];

	(void)snprintf(client, sizeof client,
	    entry->name[0] != '\0' ? "%s (%s)" : "%s%s",
	    entry->name[0] != '\0' ? entry->name : entry->client,
	    entry->name[0] != '\0' ? entry->client : "");
	html(visit->out,
	    "<section class=\"card\"><h2>%s</h2>\n<dl class=\"facts\">\n",
	    word(visit, WORD_POSTMASTER));
	show_fact(visit, WORD_REFERENCE, "mono reference", entry->reference);
	show_fact(visit, WORD_RULE, "", entry->rule);
	show_fact(visit, WORD_CLIENT, "mono", client);
	show_fact(visit, WORD_SERVER, "mono", entry->host);
	html_raw(visit->out, "</dl></section>\n");
}

static void
show_section(struct visit *visit, enum word title, const char *text)
{
	html(visit->out,
	    "<section class=\"card\"><h2>%s</h2><p>%s</p></section>\n",
	    word(visit, title), text);
}

static void
show_release(struct visit *visit, const struct reason *reason)
{
	html(visit->out,
	    "<form class=\"card\" method=\"post\" action=\"release?lang=%s\">"
	    "<p>%s</p>\n<input type=\"hidden\" name=\"reference\" "
	    "value=\"%s\"><input type=\"hidden\" name=\"token\" "
	    "value=\"%s\">\n<p><button>%s</button></p></form>\n",
	    language_names[visit->language], word(visit, WORD_RELEASE_TEXT),
	    reason->entry.reference, reason->token, word(visit, WORD_RELEASE));
}

/* The same page in the other language. */
static void
show_language(struct visit *visit, const char *reference)
{
	enum language other = visit->language == ENGLISH ? GERMAN : ENGLISH;

	html(visit->out,
	    "</main>\n<footer><p><a href=\"%s?lang=%s\" hreflang=\"%s\" "
	    "lang=\"%s\">%s</a></p></footer>\n</body>\n</html>\n",
	    reference, language_names[other], language_names[other],
	    language_names[other], word(visit, WORD_OTHER));
}

static void
show_page(struct visit *visit, const struct reason *reason)
{
	bool passed = reason->after.state == JOURNAL_PASSED;
	const char *contact = visit->policy->settings.web.contact;

	web_begin(visit, word(visit, WORD_TITLE), 0);
	html(visit->out, "<p class=\"pill%s\">%s</p>\n",
	    passed					 ? " good"
		: reason->after.state == JOURNAL_GAVE_UP ? " bad"
							 : "",
	    word(visit, (enum word)(WORD_STATE + reason->after.state)));
	if (visit->request->is_post)
		html(visit->out, "<p class=\"note%s\" role=\"status\">%s</p>\n",
		    reason->is_open ? " good" : " bad",
		    word(visit,
			reason->is_open ? WORD_RELEASED : WORD_NOT_RELEASED));
	html(visit->out, "<h1>%s</h1>\n<p class=\"lead\">%s</p>\n",
	    passed ? word(visit, WORD_ARRIVED) : reason->text.happened,
	    word(visit, passed ? WORD_SAFE_PASSED : WORD_SAFE));
	if (passed)
		show_section(visit, WORD_WHY, reason->text.happened);
	else
		show_section(visit, WORD_TURN, reason->text.turn);
	show_when(visit, reason);
	if (reason->token[0] != '\0')
		show_release(visit, reason);
	if (!passed)
		show_section(visit, WORD_HELP, reason->text.help);
	show_story(visit, reason);
	show_facts(visit, reason);
	if (contact[0] != '\0')
		show_section(visit, WORD_CONTACT, contact);
	show_language(visit, reason->entry.reference);
}

static bool
wants_json(const struct visit *visit)
{
	const char *accept = http_value(visit->request, HTTP_HEADER, "Accept");

	return accept != NULL && strstr(accept, "application/json") != NULL &&
	    strstr(accept, "text/html") == NULL;
}

/* Takes `object`. */
static void
put_json(struct visit *visit, json_t *object)
{
	char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);

	visit->answer->type = "application/json";
	if (text == NULL)
		visit->answer->status = 503;
	else
		html_raw(visit->out, text);
	html_raw(visit->out, "\n");
	free(text);
	json_decref(object);
}

static json_t *
attempts_json(const struct reason *reason)
{
	json_t *attempts = json_array();

	for (size_t i = reason->attempt_count; i-- > 0;)
		(void)json_array_append_new(attempts,
		    json_pack("{s:I, s:s, s:s}", "at",
			(json_int_t)reason->attempts[i].at, "kind",
			journal_kinds[reason->attempts[i].kind], "host",
			reason->attempts[i].host));
	return attempts;
}

static void
show_json(struct visit *visit, const struct reason *reason)
{
	static const char *const state_names[] = {
	    "waits", "may-come", "passed", "gave-up", "unknown"};
	const struct journal_entry *entry = &reason->entry;
	const struct journal_after *after = &reason->after;
	json_t *object = json_pack("{s:s, s:s, s:s, s:b, s:s, s:s, s:s, s:I}",
	    "reference", entry->reference, "cause", cause_names[reason->cause],
	    "happened", reason->text.happened, "lost", 0, "turn",
	    reason->text.turn, "help", reason->text.help, "state",
	    state_names[after->state], "at", (json_int_t)entry->at);

	if (object != NULL) {
		(void)json_object_set_new(
		    object, "attempts", attempts_json(reason));
		(void)json_object_set_new(
		    object, "rule", json_string(entry->rule));
		(void)json_object_set_new(
		    object, "server", json_string(entry->host));
		(void)json_object_set_new(
		    object, "client", json_string(entry->client));
		if (after->state == JOURNAL_WAITS && !reason->hides_wait)
			(void)json_object_set_new(
			    object, "until", json_integer(after->until));
		if (after->state == JOURNAL_PASSED)
			(void)json_object_set_new(
			    object, "waited", json_integer(after->waited));
	}
	put_json(visit, object);
}

/* What there is to say when there is no reason to show. */
static void
show_nothing(
    struct visit *visit, unsigned status, enum word title, enum word text)
{
	visit->answer->status = status;
	if (wants_json(visit)) {
		put_json(visit, json_pack("{s:s}", "error", word(visit, text)));
		return;
	}
	web_begin(visit, word(visit, title), 0);
	html(visit->out, "<h1>%s</h1>\n<p class=\"lead\">%s</p>\n",
	    word(visit, title), word(visit, text));
	show_language(visit, "");
}

/* A form that was sent opens it; what comes too late changes nothing. */
static void
use_door(struct visit *visit, struct reason *reason)
{
	char token[TOKEN_SIZE + 1];
	enum door door = DOOR_NONE;

	if (visit->request->is_post) {
		form_field(visit->request->body, "token", token, sizeof token);
		reason->is_open = !reason->hides_wait &&
		    door_open(visit, &reason->entry, token);
		visit->answer->status = reason->is_open ? 200 : 409;
	}
	if (reason->after.state == JOURNAL_WAITS && !reason->hides_wait)
		door = door_look(visit, &reason->entry, reason->token);
	if (door == DOOR_OPEN)
		reason->after.state = JOURNAL_MAY;
}

void
web_release(struct visit *visit)
{
	char reference[2 * JOURNAL_REFERENCE_SIZE];

	form_field(
	    visit->request->body, "reference", reference, sizeof reference);
	web_reason(visit, reference);
}

void
web_reason(struct visit *visit, const char *reference)
{
	const char *lang = http_value(visit->request, HTTP_QUERY, "lang");
	struct reason *reason;
	enum store_result result;
	bool found = false;

	if (lang != NULL)
		visit->language = language_choose(lang);
	web_count(visit->web, WEB_LOOKUPS);
	if (!visitors_may(&visit->web->lookups, &visit->request->visitor,
		visit->policy->settings.web.lookups, clock_steady_us())) {
		web_count(visit->web, WEB_REFUSED);
		http_say(visit->answer, "Retry-After", "60");
		show_nothing(visit, 429, WORD_TITLE, WORD_TOO_OFTEN);
		return;
	}
	reason = calloc(1, sizeof *reason);
	result = reason == NULL ? STORE_DOWN
				: find_reason(visit, reference, reason, &found);
	if (result == STORE_OK && found)
		use_door(visit, reason);
	if (result != STORE_OK)
		show_nothing(visit, 503, WORD_TITLE, WORD_AWAY);
	else if (!found)
		show_nothing(visit, 404, WORD_UNKNOWN, WORD_UNKNOWN_TEXT);
	else if (wants_json(visit))
		show_json(visit, reason);
	else
		show_page(visit, reason);
	free(reason);
}
