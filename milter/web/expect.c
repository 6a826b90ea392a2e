/* Whoever knows the secret, which is for one's own users, expects mail of a domain:
 * that domain stands on the shared list "expected" for a while, of which a rule has
 * to ask. */
#include "web/web_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "mail/hostname.h"
#include "web/form.h"

#define EXPECTED_LIST "expected"
#define EXPECTED_FOR  INT64_C(900) /* seconds */
#define EXPECT_TRIES  30	   /* of one visitor in a minute */
#define EXPECT_PATH   "/expect/"

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
