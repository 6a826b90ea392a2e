/* Doors that a person may open: for a message that waits (whoever sent it), and for
 * a sender's domain (whoever knows the secret, for one's own users).
 *
 * Neither opens more than the delay of greylisting.  A message that is let in is
 * one that has waited long enough: its clock is set back.  A domain that is
 * expected stands on the shared list "expected", of which a rule has to ask. */
#include "web/web_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "mail/hostname.h"
#include "store/journal.h"
#include "web/form.h"

#define SLACK	      INT64_C(5) /* seconds by which clocks may differ */
#define SETTLE_TRIES  10
#define SETTLE_MS     20
#define EXPECTED_LIST "expected"
#define EXPECTED_FOR  INT64_C(900) /* seconds */
#define EXPECT_TRIES  30	   /* of one visitor in a minute */
#define EXPECT_PATH   "/expect/"

/* ---- A message that waits */

/* Under which names the store remembers it. */
struct waiting {
	struct store_client client;
	char network[STORE_NETWORK_SIZE];
	char pool[HOSTNAME_SIZE];
	struct store_pair pairs[JOURNAL_RECIPIENTS];
	char names[JOURNAL_RECIPIENTS][STORE_NAME_SIZE];
	size_t pair_count;
};

static const struct rule *
greylist_rule(const struct policy *policy, const char *name)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i];

		if (strcmp(rule->name, name) == 0)
			return rule->verdict == RULE_GREYLIST &&
				rule->by == BY_TRIPLET
			    ? rule
			    : NULL;
	}
	return NULL;
}

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

enum door
door_look(const struct visit *visit, const struct journal_entry *entry,
    char token_r[TOKEN_SIZE])
{
	const struct rule *rule = greylist_rule(visit->policy, entry->rule);
	char text[SIGNED_SIZE];
	struct waiting waiting;
	enum door door;
	int64_t now;

	token_r[0] = '\0';
	if (!visit->policy->settings.web.release || rule == NULL ||
	    !find_waiting(visit, entry, &waiting))
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

bool
door_open(
    struct visit *visit, const struct journal_entry *entry, const char *token)
{
	const struct rule *rule = greylist_rule(visit->policy, entry->rule);
	char text[SIGNED_SIZE], from[NETADDR_TEXT_SIZE];
	struct waiting waiting;

	signed_text(entry, text);
	if (!visit->policy->settings.web.release || rule == NULL ||
	    !token_suits(visit->key, "release", text, token) ||
	    !find_waiting(visit, entry, &waiting) ||
	    !open_once(visit, &waiting, &rule->terms))
		return false;
	netaddr_format(&visit->request->visitor, from);
	log_info("web: released reference=%s rule=\"%s\" client=%s from=%s",
	    entry->reference, rule->name, entry->client, from);
	web_count(visit->web, WEB_RELEASED);
	return true;
}

/* ---- A domain that is expected */

static bool
knows_secret(const struct visit *visit)
{
	const char *path = visit->policy->settings.web.expect_file;
	char secret[SECRET_SIZE], why[512];
	bool knows;

	if (path[0] == '\0' || !secret_read(path, secret, why, sizeof why))
		return false;
	knows = strlen(secret) >= SECRET_MIN &&
	    token_equal(secret, visit->request->path + strlen(EXPECT_PATH));
	secret_wipe(secret, sizeof secret);
	return knows;
}

/* A domain of somebody, not one below which everybody has his. */
static bool
take_domain(const struct visit *visit, char domain_r[HOSTNAME_SIZE])
{
	char typed[HOSTNAME_SIZE], organisation[HOSTNAME_SIZE];
	const char *at;

	form_field(visit->request->body, "domain", typed, sizeof typed);
	at = strrchr(typed, '@');
	return hostname_clean(
		   at == NULL ? typed : at + 1, domain_r, HOSTNAME_SIZE) &&
	    hostname_organisation(domain_r, visit->shared->psl, organisation);
}

static void
show_form(struct visit *visit, unsigned status, const char *class,
    const char *note, const char *domain)
{
	visit->answer->status = status;
	visit->language = ENGLISH;
	web_begin(visit, "I am expecting mail", 0);
	html_raw(visit->out,
	    "<div class=\"narrow\"><h1>I am expecting "
	    "mail</h1>\n");
	if (note != NULL)
		html(visit->out,
		    "<p class=\"note %s\" role=\"status\">%s%s</p>\n", class,
		    domain, note);
	html_raw(visit->out,
	    "<p>A confirmation, a code, a first message: for 15 minutes mail "
	    "of this sender's domain need not wait. Limits and block lists "
	    "hold all the same.</p>\n<form method=\"post\"><p><label "
	    "for=\"domain\">Domain or address of the sender</label><input "
	    "id=\"domain\" name=\"domain\" autocapitalize=\"none\" required>"
	    "</p>\n<p><button>Open the door</button></p></form></div>\n");
	web_end(visit);
}

static void
expect(struct visit *visit)
{
	char domain[HOSTNAME_SIZE], from[NETADDR_TEXT_SIZE], note[128];
	struct store_entry entry = {
	    .text = domain, .until = visit->now + EXPECTED_FOR, .note = note};
	enum store_change change;
	enum store_result result;

	if (!take_domain(visit, domain)) {
		show_form(visit, 400, "bad",
		    "Please name a domain, such as example.org.", "");
		return;
	}
	netaddr_format(&visit->request->visitor, from);
	(void)snprintf(note, sizeof note, "expected, said %s", from);
	result = store_list_add(
	    visit->shared->store, EXPECTED_LIST, &entry, &change);
	if (result != STORE_OK || change == STORE_FULL) {
		show_form(visit, 503, "bad",
		    "This does not work right now. Please try again.", "");
		return;
	}
	log_info("web: expected domain=%s for=%" PRId64 " from=%s", domain,
	    EXPECTED_FOR, from);
	web_count(visit->web, WEB_EXPECTED);
	show_form(visit, 200, "good",
	    " is expected: the door is open for 15 minutes.", domain);
}

void
web_expect(struct visit *visit)
{
	if (!visitors_may(&visit->web->logins, &visit->request->visitor,
		EXPECT_TRIES, clock_steady_us())) {
		web_count(visit->web, WEB_REFUSED);
		web_plain(visit, 429, "too often");
	} else if (!knows_secret(visit)) {
		web_plain(visit, 404, "no such page");
	} else if (visit->request->is_post) {
		expect(visit);
	} else {
		show_form(visit, 200, "", NULL, "");
	}
}
