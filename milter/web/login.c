/* Who is this?  Users log in by a form, and bring back a signed cookie. */
#include "web/web_parts.h"

#include <crypt.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/secret.h"
#include "web/form.h"

#define COOKIE	      "milter_defer"
#define SESSION	      INT64_C(43200) /* seconds */
#define TRIES	      6		     /* of one visitor in a minute */
#define TRIES_OF_ALL  120 /* a password costs some hundredths of a second */
#define PASSWORD_SIZE 256
#define SIGNED_SIZE   256
#define CLEAN_SIZE    256
#define LINE_SIZE     512
#define LINES_MAX     1000
#define HASH_SIZE     256

/* ---- The file of users */

/* What a password is compared with where there is no user, so that both take as
 * long: yescrypt, of nobody's password. */
#define NOBODY                                                                 \
	"$y$j9T$F5Jx5fExrKuPp53xLKQ..1$"                                       \
	"X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"

struct line {
	struct user user;
	char hash[HASH_SIZE];
};

/* NULL, or what is wrong with the line; an empty one has no name. */
static const char *
read_line(const char *text, struct line *line_r)
{
	size_t name = strcspn(text, ":\r\n");
	size_t hash;
	const char *role;

	memset(line_r, 0, sizeof *line_r);
	if (text[0] == '#' || text[strspn(text, " \t\r\n")] == '\0')
		return NULL;
	if (text[name] != ':' || name == 0 || name >= USER_NAME_SIZE)
		return "NAME:HASH:ROLE is wanted";
	for (size_t i = 0; i < name; i++)
		if (!ascii_is_alnum(text[i]) && strchr("-_.@", text[i]) == NULL)
			return "a name has letters, digits and -_.@ alone";
	hash = strcspn(text + name + 1, ":\r\n");
	role = text + name + 1 + hash;
	if (*role != ':' || hash == 0 || hash >= HASH_SIZE)
		return "NAME:HASH:ROLE is wanted";
	role++;
	if (strncmp(role, "read", 4) == 0 && strcspn(role, "\r\n") == 4)
		line_r->user.role = ROLE_READ;
	else if (strncmp(role, "change", 6) == 0 && strcspn(role, "\r\n") == 6)
		line_r->user.role = ROLE_CHANGE;
	else
		return "the role is read or change";
	memcpy(line_r->user.name, text, name);
	memcpy(line_r->hash, text + name + 1, hash);
	line_r->user.stamp = hash_64(HASH_64, line_r->hash, hash);
	return NULL;
}

static FILE *
open_users(const char *path)
{
	struct stat status;
	int fd = file_open(path, &status);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (file == NULL && fd >= 0)
		(void)close(fd);
	return file;
}

/* A line that is wrong is nobody's. */
static bool
find_user(const char *path, const char *name, struct line *line_r)
{
	FILE *file = open_users(path);
	char text[LINE_SIZE];
	bool found = false;

	for (int i = 0; file != NULL && !found && i < LINES_MAX &&
	     fgets(text, sizeof text, file) != NULL;
	     i++)
		found = read_line(text, line_r) == NULL &&
		    line_r->user.name[0] != '\0' &&
		    strcmp(line_r->user.name, name) == 0;
	if (file != NULL)
		(void)fclose(file);
	secret_wipe(text, sizeof text);
	return found;
}

static bool
password_suits(const char *password, const char *hash)
{
	struct crypt_data *data = calloc(1, sizeof *data);
	const char *made = data == NULL ? NULL : crypt_r(password, hash, data);
	bool suits = made != NULL && made[0] != '*' && token_equal(made, hash);

	if (data != NULL)
		secret_wipe(data, sizeof *data);
	free(data);
	return suits;
}

/* Whether a user of that name has that password.  Takes about as long when there
 * is no such user.  Slow by intent. */
static bool
users_check(const char *path, const char *name, const char *password,
    struct user *user_r)
{
	struct line line;
	bool found = find_user(path, name, &line);
	bool suits = password_suits(password, found ? line.hash : NOBODY);

	if (found && suits)
		*user_r = line.user;
	secret_wipe(&line, sizeof line);
	return found && suits;
}

/* False: there is none any more. */
static bool
users_find(const char *path, const char *name, struct user *user_r)
{
	struct line line;
	bool found = path[0] != '\0' && find_user(path, name, &line);

	if (found)
		*user_r = line.user;
	secret_wipe(&line, sizeof line);
	return found;
}

bool
users_test(const char *path, char *why_r, size_t size)
{
	FILE *file = open_users(path);
	char text[LINE_SIZE];
	const char *wrong = NULL;
	struct line line;
	int number = 0;

	if (file == NULL) {
		(void)snprintf(why_r, size, "%s: %s", path, file_why(errno));
		return false;
	}
	while (wrong == NULL && number < LINES_MAX &&
	    fgets(text, sizeof text, file) != NULL) {
		number++;
		wrong = read_line(text, &line);
	}
	(void)fclose(file);
	secret_wipe(text, sizeof text);
	secret_wipe(&line, sizeof line);
	if (wrong == NULL)
		return true;
	(void)snprintf(why_r, size, "%s: line %d: %s", path, number, wrong);
	return false;
}

/* ---- Sessions */

/* What a session's signature is for.  With another password it is no more. */
static void
session_text(const struct user *user, int64_t until, char text_r[SIGNED_SIZE])
{
	(void)snprintf(text_r, SIGNED_SIZE, "%" PRId64 "\n%" PRIx64 "\n%s",
	    until, user->stamp, user->name);
}

/* A cookie is UNTIL.SIGNATURE.NAME. */
static bool
read_cookie(struct visit *visit, const char *cookie, int64_t *until_r,
    struct user *user_r)
{
	size_t digits =
	    decimal_read(cookie, strlen(cookie), INT64_MAX / 2, until_r);
	const char *signature = cookie + digits + 1;
	char token[TOKEN_SIZE], text[SIGNED_SIZE];

	if (digits == 0 || cookie[digits] != '.' ||
	    strlen(signature) < TOKEN_SIZE || signature[TOKEN_SIZE - 1] != '.')
		return false;
	memcpy(token, signature, TOKEN_SIZE - 1);
	token[TOKEN_SIZE - 1] = '\0';
	if (*until_r < visit->now ||
	    !users_find(visit->policy->settings.web.users_file,
		signature + TOKEN_SIZE, user_r))
		return false;
	session_text(user_r, *until_r, text);
	return token_suits(visit->key, "session", text, token);
}

void
web_recognize(struct visit *visit)
{
	const char *cookie = http_value(visit->request, HTTP_COOKIE, COOKIE);
	char text[SIGNED_SIZE];
	struct user user;
	int64_t until;

	if (cookie == NULL || !read_cookie(visit, cookie, &until, &user))
		return;
	session_text(&user, until, text);
	if (token_sign(visit->key, "form", text, visit->csrf))
		visit->user = user;
}

bool
web_form_is_theirs(const struct visit *visit)
{
	char token[TOKEN_SIZE];

	form_field(visit->request->body, "token", token, sizeof token);
	return visit->user.role != ROLE_NONE && token_equal(visit->csrf, token);
}

static void
set_cookie(struct visit *visit, const char *value, int64_t age)
{
	const char *scheme =
	    http_value(visit->request, HTTP_HEADER, "X-Forwarded-Proto");
	bool secure = scheme != NULL && strcmp(scheme, "https") == 0;
	char text[HTTP_VALUE_SIZE];

	(void)snprintf(text, sizeof text,
	    COOKIE "=%s; Max-Age=%" PRId64 "; HttpOnly; SameSite=Strict%s",
	    value, age, secure ? "; Secure" : "");
	http_say(visit->answer, "Set-Cookie", text);
}

static void
show_form(struct visit *visit, unsigned status, const char *why)
{
	struct bytes_out *out = visit->out;

	visit->answer->status = status;
	visit->language = ENGLISH;
	web_begin(visit, "Log in", 0);
	html_raw(
	    out, "<div class=\"narrow\"><h1>Log in to milter-defer</h1>\n");
	if (why != NULL)
		html(out, "<p class=\"note bad\" role=\"alert\">%s</p>\n", why);
	html_raw(out,
	    "<form method=\"post\" action=\"login\">"
	    "<p><label for=\"name\">Name</label>"
	    "<input id=\"name\" name=\"name\" autocomplete=\"username\" "
	    "autocapitalize=\"none\" required></p>\n"
	    "<p><label for=\"password\">Password</label>"
	    "<input id=\"password\" name=\"password\" type=\"password\" "
	    "autocomplete=\"current-password\" required></p>\n"
	    "<p><button>Log in</button></p></form></div>\n");
	web_end(visit);
}

static bool
may_try(struct visit *visit)
{
	const struct netaddr all = {.length = 4};
	int64_t now_us = clock_steady_us();

	return visitors_may(&visit->web->logins, &visit->request->visitor,
		   TRIES, now_us) &&
	    visitors_may(&visit->web->logins, &all, TRIES_OF_ALL, now_us);
}

static void
let_in(struct visit *visit, const struct user *user)
{
	char text[SIGNED_SIZE], token[TOKEN_SIZE], cookie[HTTP_VALUE_SIZE];
	int64_t until = visit->now + SESSION;

	session_text(user, until, text);
	if (!token_sign(visit->key, "session", text, token)) {
		web_plain(visit, 503, "out of memory");
		return;
	}
	(void)snprintf(cookie, sizeof cookie, "%" PRId64 ".%s.%s", until, token,
	    user->name);
	set_cookie(visit, cookie, SESSION);
	web_redirect(visit, "dashboard");
}

static void
try_password(struct visit *visit)
{
	const char *users = visit->policy->settings.web.users_file;
	char name[USER_NAME_SIZE], password[PASSWORD_SIZE];
	char clean[CLEAN_SIZE], from[NETADDR_TEXT_SIZE];
	struct user user;
	bool good;

	form_field(visit->request->body, "name", name, sizeof name);
	form_field(visit->request->body, "password", password, sizeof password);
	good = users_check(users, name, password, &user);
	secret_wipe(password, sizeof password);
	netaddr_format(&visit->request->visitor, from);
	log_info("web: user=%s from=%s login=%s",
	    log_clean(name, clean, sizeof clean), from, good ? "yes" : "no");
	web_count(visit->web, good ? WEB_LOGINS : WEB_BAD_LOGINS);
	if (good)
		let_in(visit, &user);
	else
		show_form(visit, 403, "Name or password are wrong.");
}

void
web_login(struct visit *visit)
{
	if (visit->policy->settings.web.users_file[0] == '\0') {
		web_plain(visit, 404, "no such page");
	} else if (!visit->request->is_post) {
		show_form(visit, 200, NULL);
	} else if (!may_try(visit)) {
		web_count(visit->web, WEB_REFUSED);
		http_say(visit->answer, "Retry-After", "60");
		show_form(visit, 429,
		    "There were too many attempts. Please come back in a "
		    "minute.");
	} else {
		try_password(visit);
	}
}

void
web_logout(struct visit *visit)
{
	if (!web_form_is_theirs(visit)) {
		web_plain(visit, 403, "this form is not yours");
		return;
	}
	set_cookie(visit, "", 0);
	web_redirect(visit, "login");
}
