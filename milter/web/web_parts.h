/* web_parts -- the inside of the pages, for web/ alone. */
#ifndef WEB_PARTS_H
#define WEB_PARTS_H

#include "web/cause.h"
#include "web/html.h"
#include "web/http.h"
#include "web/token.h"
#include "web/visitors.h"
#include "web/web.h"

/* Users are those who may see the dashboard, and who may change anything by it.  A
 * file has a line NAME:HASH:ROLE for each of them: HASH as crypt(3) makes it
 * (`mkpasswd -m yescrypt`), ROLE is "read" or "change"; empty lines and those that
 * begin with # say nothing.  It is read anew at each attempt to log in, and at
 * each page. */
enum role { ROLE_NONE, ROLE_READ, ROLE_CHANGE };

#define USER_NAME_SIZE 65
struct user {
	char name[USER_NAME_SIZE];
	enum role role;
	uint64_t stamp; /* another one when the password is another */
};

/* Whether such a file can be used; `why_r` says what is wrong with it. */
bool users_test(const char *path, char *why_r, size_t size);

/* What the pages count of themselves. */
enum web_count {
	WEB_REQUESTS,
	WEB_LOOKUPS,  /* of references */
	WEB_REFUSED,  /* requests of whom asks too often, or may not */
	WEB_RELEASED, /* messages that were let in by who sent them */
	WEB_EXPECTED, /* doors that were opened for a sender's domain */
	WEB_LOGINS,   /* of users */
	WEB_BAD_LOGINS,
	WEB_COUNTS
};

/* Characters of the secret in expect_file. */
#define SECRET_MIN 16

struct web {
	struct http *http;
	struct web_host host;
	atomic_bool draining;
	pthread_mutex_t mutex;	      /* guards the key */
	unsigned char key[TOKEN_KEY]; /* signs what visitors bring back */
	struct visitors lookups;
	struct visitors logins;
	pthread_mutex_t door; /* one message is let in at a time */
	atomic_llong counts[WEB_COUNTS];
};

/* One request. */
struct visit {
	struct web *web;
	struct shared *shared;
	const struct policy *policy;
	const struct http_request *request;
	struct http_answer *answer;
	struct bytes_out *out; /* the body of the answer */
	int64_t now;	       /* Unix seconds */
	unsigned char key[TOKEN_KEY];
	enum language language;
	struct user user;      /* who has logged in; no role: nobody */
	char csrf[TOKEN_SIZE]; /* which each form of that user brings back */
};

void web_count(struct web *web, enum web_count which);

/* A page that says one thing; nothing else may have been written. */
void web_plain(struct visit *visit, unsigned status, const char *text);

/* Go to another page of ours instead. */
void web_redirect(struct visit *visit, const char *to);

/* Begin and end a page.  `refresh` is seconds, 0: it stays as it is. */
void web_begin(struct visit *visit, const char *title, int64_t refresh);
void web_end(struct visit *visit);

/* Find out who the visitor is. */
void web_recognize(struct visit *visit);

/* Whether the form that came in was made for this user. */
bool web_form_is_theirs(const struct visit *visit);

/* Moments as people read them, in UTC: "28 November 2026, 14:05:09 UTC". */
void web_time(struct visit *visit, int64_t at);
/* "5 minutes", in the visitor's language; rounded up. */
#define WEB_SPAN_SIZE 48
void
web_span(enum language language, int64_t seconds, char span_r[WEB_SPAN_SIZE]);

/* The pages; each in the file of its name. */
void web_metrics(struct visit *visit);
void web_reason(struct visit *visit, const char *reference);
void web_release(struct visit *visit);
void web_expect(struct visit *visit);
void web_login(struct visit *visit);
void web_logout(struct visit *visit);
void web_dashboard(struct visit *visit);
void web_deferrals(struct visit *visit);
void web_client(struct visit *visit);
void web_plot_csv(struct visit *visit);

/* A table of what the journal told. */
struct recent;
void web_show_entries(struct visit *visit, const struct recent *recent);

extern const char web_style[];

#endif
