#include "web/web_parts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

#include "base/secret.h"
#include "config/conf.h"
#include "store/record.h"
#include "store/triplet.h"

#define WHY_SIZE 512

void
web_count(struct web *web, enum web_count which)
{
	(void)atomic_fetch_add(&web->counts[which], 1);
}

/* ---- Small pages */

void
web_plain(struct visit *visit, unsigned status, const char *text)
{
	visit->answer->status = status;
	visit->answer->type = "text/plain; charset=utf-8";
	html_raw(visit->out, text);
	html_raw(visit->out, "\n");
}

void
web_redirect(struct visit *visit, const char *to)
{
	http_say(visit->answer, "Location", to);
	web_plain(visit, 303, to);
}

static void
show_style(struct visit *visit)
{
	visit->answer->type = "text/css; charset=utf-8";
	visit->answer->keep = true;
	html_raw(visit->out, web_style);
}

static void
show_icon(struct visit *visit)
{
	visit->answer->type = "image/svg+xml";
	visit->answer->keep = true;
	html_raw(visit->out,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 32 "
	    "32\"><circle cx=\"16\" cy=\"16\" r=\"14\" fill=\"#1a569c\"/>"
	    "<path d=\"M16 8v8l5 4\" fill=\"none\" stroke=\"#fff\" "
	    "stroke-width=\"3\" stroke-linecap=\"round\"/></svg>\n");
}

/* Nothing of it is worth a walk by a robot. */
static void
show_robots(struct visit *visit)
{
	web_plain(visit, 200, "User-agent: *\nDisallow: /");
}

/* Without the store the filter goes on, by its rules. */
static void
show_health(struct visit *visit)
{
	struct web *web = visit->web;

	if (atomic_load(&web->draining))
		web_plain(visit, 503, "draining");
	else if (!web->host.is_served(web->host.arg))
		web_plain(visit, 503, "the milter socket is not served");
	else if (!store_is_up(visit->shared->store))
		web_plain(visit, 200, "ok, but the store is away");
	else
		web_plain(visit, 200, "ok");
}

/* ---- Which page */

enum method { GET = 1, POST = 2 };

static const struct page {
	const char *path;
	unsigned methods; /* of enum method */
	enum role role;	  /* who may see it; ROLE_NONE: anybody */
	void (*show)(struct visit *visit);
} pages[] = {
    {"/healthz", GET, ROLE_NONE, show_health},
    {"/metrics", GET, ROLE_NONE, web_metrics},
    {"/login", GET | POST, ROLE_NONE, web_login},
    {"/logout", POST, ROLE_READ, web_logout},
    {"/dashboard", GET, ROLE_READ, web_dashboard},
    {"/deferrals", GET | POST, ROLE_READ, web_deferrals},
    {"/client", GET | POST, ROLE_READ, web_client},
    {"/plot.csv", GET, ROLE_READ, web_plot_csv},
    {"/release", POST, ROLE_NONE, web_release},
    {"/style.css", GET, ROLE_NONE, show_style},
    {"/icon.svg", GET, ROLE_NONE, show_icon},
    {"/robots.txt", GET, ROLE_NONE, show_robots},
};

static const struct page *
find_page(const char *path)
{
	for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
		if (strcmp(pages[i].path, path) == 0)
			return &pages[i];
	return NULL;
}

/* The host part of a Host field or of a link: "mx.example.org" of
 * "mx.example.org:8080". */
static size_t
host_length(const char *text)
{
	return text[0] == '[' ? strcspn(text, "]") + 1 : strcspn(text, ":/?#");
}

static bool
is_host(const char *host, size_t length, const char *name)
{
	return strlen(name) == length && strncasecmp(host, name, length) == 0;
}

/* The name under which replies link to us. */
static bool
is_link_host(const char *host, size_t length, const char *link)
{
	const char *name = strstr(link, "://");

	if (name == NULL)
		return false;
	name += 3;
	return host_length(name) == length &&
	    strncasecmp(host, name, length) == 0;
}

/* A page that has been led to us under another's name could read what we say: only
 * names that are ours, and addresses, are answered. */
static bool
knows_host(const struct visit *visit)
{
	const struct settings *settings = &visit->policy->settings;
	const char *host = http_value(visit->request, HTTP_HEADER, "Host");
	char text[NETADDR_TEXT_SIZE + 2];
	struct netaddr address;
	size_t length;

	if (host == NULL)
		return false;
	length = host_length(host);
	if (length < sizeof text) {
		memcpy(text, host, length);
		text[length] = '\0';
		if (netaddr_parse(text, &address))
			return true;
	}
	if (is_host(host, length, "localhost") ||
	    is_link_host(host, length, settings->link))
		return true;
	for (char *const *name = settings->web.hosts;
	     name != NULL && *name != NULL; name++)
		if (is_host(host, length, *name))
			return true;
	return false;
}

/* Some load balancers ask as browsers never do, in HTTP/1.0 without a host. */
static bool
is_bare(const struct visit *visit)
{
	return visit->request->is_old &&
	    http_value(visit->request, HTTP_HEADER, "Host") == NULL;
}

/* A browser tells where a form comes from: from us, or it is none of ours. */
static bool
is_from_us(const struct visit *visit)
{
	const char *origin = http_value(visit->request, HTTP_HEADER, "Origin");
	const char *host = http_value(visit->request, HTTP_HEADER, "Host");
	const char *name = origin == NULL ? NULL : strstr(origin, "://");

	return origin == NULL ||
	    (name != NULL && host != NULL && strcasecmp(name + 3, host) == 0);
}

/* Whoever has not logged in learns nothing of pages that want it. */
static void
show_to_user(struct visit *visit, const struct page *page)
{
	web_recognize(visit);
	if (visit->user.role >= page->role)
		page->show(visit);
	else if (visit->policy->settings.web.users_file[0] == '\0')
		web_plain(visit, 404, "no such page");
	else
		web_redirect(visit, "login");
}

/* Servers that share a store take each other's tokens, and so does one that starts
 * anew.  While the store is away the last key holds. */
static void
find_key(struct visit *visit)
{
	struct web *web = visit->web;
	struct triplet_namer namer;
	char token[TOKEN_SIZE];
	bool told = store_namer(visit->shared->store, &namer) == STORE_OK &&
	    token_sign(namer.key, "web", "key", token);

	secret_wipe(&namer, sizeof namer);
	pthread_mutex_lock(&web->mutex);
	if (told)
		memcpy(web->key, token, sizeof web->key);
	memcpy(visit->key, web->key, sizeof visit->key);
	pthread_mutex_unlock(&web->mutex);
	secret_wipe(token, sizeof token);
}

static void
show(struct visit *visit)
{
	const char *path = visit->request->path;
	const struct page *page = find_page(path);

	/* The others sign nothing. */
	if (page == NULL || page->role != ROLE_NONE ||
	    (page->methods & POST) != 0)
		find_key(visit);
	if (!knows_host(visit) &&
	    !(is_bare(visit) && page != NULL && page->show == show_health))
		web_plain(
		    visit, 421, "this is not the host that was asked for");
	else if (visit->request->is_post && !is_from_us(visit))
		web_plain(visit, 403, "this form is not ours");
	else if (page == NULL && strncmp(path, "/expect/", 8) == 0)
		web_expect(visit);
	else if (page == NULL && !visit->request->is_post)
		web_reason(visit, path + 1);
	else if (page == NULL)
		web_plain(visit, 404, "no such page");
	else if ((page->methods & (visit->request->is_post ? POST : GET)) == 0)
		web_plain(visit, 405, "not in this way");
	else if (page->role != ROLE_NONE)
		show_to_user(visit, page);
	else
		page->show(visit);
}

static void
on_request(
    void *arg, const struct http_request *request, struct http_answer *answer)
{
	struct web *web = arg;
	struct policy *policy = shared_policy(web->host.shared);
	struct visit visit = {.web = web,
	    .shared = web->host.shared,
	    .policy = policy,
	    .request = request,
	    .answer = answer,
	    .out = &answer->body,
	    .now = (int64_t)time(NULL)};

	web_count(web, WEB_REQUESTS);
	visit.language = language_choose(
	    http_value(request, HTTP_HEADER, "Accept-Language"));
	show(&visit);
	secret_wipe(visit.key, sizeof visit.key);
	policy_release(&policy);
}

/* ---- Life */

/* Without them nobody gets in, which is safe, but not what was wanted. */
bool
web_look(const struct settings *settings, conf_say *say, void *arg)
{
	char why[WHY_SIZE], secret[SECRET_SIZE];
	bool good = true;

	if (settings->web.users_file[0] != '\0' &&
	    !users_test(settings->web.users_file, why, sizeof why)) {
		say(arg, true, why);
		good = false;
	}
	if (settings->web.expect_file[0] != '\0' &&
	    !secret_read(settings->web.expect_file, secret, why, sizeof why)) {
		say(arg, true, why);
		good = false;
	} else if (settings->web.expect_file[0] != '\0' &&
	    strlen(secret) < SECRET_MIN) {
		(void)snprintf(why, sizeof why,
		    "expect_file: %s: needs at least %d characters in its "
		    "first line",
		    settings->web.expect_file, SECRET_MIN);
		say(arg, true, why);
		good = false;
	}
	secret_wipe(secret, sizeof secret);
	if (settings->web.texts[0] != '\0')
		good = cause_look(settings->web.texts, say, arg) && good;
	return good;
}

struct web *
web_open(const struct http_terms *terms, char *why_r, size_t size)
{
	struct web *web = calloc(1, sizeof *web);

	(void)snprintf(why_r, size, "out of memory");
	if (web == NULL || pthread_mutex_init(&web->door, NULL) != 0 ||
	    pthread_mutex_init(&web->mutex, NULL) != 0 ||
	    pthread_mutex_init(&web->lookups.mutex, NULL) != 0 ||
	    pthread_mutex_init(&web->logins.mutex, NULL) != 0) {
		free(web);
		return NULL;
	}
	web->http = http_open(terms, why_r, size);
	if (web->http == NULL)
		web_close(&web);
	return web;
}

bool
web_start(struct web *web, const struct web_host *host)
{
	web->host = *host;
	return getrandom(web->key, sizeof web->key, 0) ==
	    (ssize_t)sizeof web->key &&
	    http_start(web->http, on_request, web);
}

void
web_drain(struct web *web)
{
	atomic_store(&web->draining, true);
}

void
web_close(struct web **web)
{
	struct web *mine = *web;

	if (mine == NULL)
		return;
	http_close(&mine->http);
	secret_wipe(mine->key, sizeof mine->key);
	pthread_mutex_destroy(&mine->lookups.mutex);
	pthread_mutex_destroy(&mine->logins.mutex);
	pthread_mutex_destroy(&mine->door);
	pthread_mutex_destroy(&mine->mutex);
	free(mine);
	*web = NULL;
}
