/* What milter-greylist leaves: its dump, a line for each of
 *
 *	address <TAB> <sender> <TAB> <recipient> <TAB> time [AUTO | TARPIT]
 *
 * where the time is that from which it is let in, with AUTO that until which it is;
 * and its configuration, of which the plain whitelists are taken: "acl whitelist addr
 * NETWORK" and "list NAME addr { ... }" of one that is whitelisted. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/ascii.h"
#include "base/decimal.h"
#include "mail/netaddr.h"
#include "transfer/foreign.h"

#define TIME_MAX INT64_C(253402300799)
#define DELAY	 1800 /* seconds: the default of milter-greylist */
#define WORDS	 256

static const char *const blanks = " \t\r\n";

/* ---- The dump */

/* An address of a mail without its brackets. */
static char *
strip(char *text)
{
	size_t length = strlen(text);

	if (length < 2 || text[0] != '<' || text[length - 1] != '>')
		return text;
	text[length - 1] = '\0';
	return text + 1;
}

/* False: it is no such line. */
static bool
take_tuple(struct foreign *foreign, char *words[5])
{
	char client[NETADDR_TEXT_SIZE];
	bool is_auto = words[4] != NULL && strcmp(words[4], "AUTO") == 0;
	struct foreign_pair pair = {.client = client, .counts = true};
	struct netaddr address;
	int64_t at;

	if (words[3] == NULL || !netaddr_parse(words[0], &address) ||
	    decimal_read(words[3], strlen(words[3]), TIME_MAX, &at) == 0)
		return false;
	netaddr_format(&address, client);
	pair.sender = strip(words[1]);
	pair.recipient = strip(words[2]);
	if (is_auto && at < (int64_t)time(NULL))
		return true; /* its time is over */
	if (is_auto)
		pair.passed = (int64_t)time(NULL);
	else
		pair.first = at > DELAY ? at - DELAY : 1;
	foreign_pair(foreign, &pair);
	return true;
}

static size_t
split(char *line, char *words_r[5])
{
	size_t count = 0;
	char *rest = NULL, *word = strtok_r(line, blanks, &rest);

	for (; word != NULL && word[0] != '#' && count < 5;
	     word = strtok_r(NULL, blanks, &rest))
		words_r[count++] = word;
	return count;
}

static const char *
read_dump(struct foreign *foreign, FILE *file)
{
	int64_t odd = 0;
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, file) > 0) {
		char *words[5] = {NULL};

		if (split(line, words) > 0 && !take_tuple(foreign, words))
			odd++;
	}
	free(line);
	foreign_odd(
	    foreign, odd, "lines", "they are none of milter-greylist's");
	return NULL;
}

/* ---- The configuration */

/* Addresses and networks are listed, all else is told. */
static void
take_listed(struct foreign *foreign, const char *what, const char *text)
{
	char canonical[NETWORK_TEXT_SIZE], why[NETWORK_WHY_SIZE];
	struct network network;

	if (strcmp(what, "addr") == 0 && network_parse(text, &network, why)) {
		network_format(&network, canonical);
		foreign_listed(foreign, canonical);
		return;
	}
	foreign_left(foreign, what, text,
	    "a rule takes it: client_name, sender or recipient, verdict = "
	    "accept");
}

/* The words of one statement; braces are words, and so is what stands in quotes. */
static size_t
words_of(char *statement, char *words_r[WORDS])
{
	size_t count = 0;
	char *at = statement;

	while (*at != '\0' && count < WORDS) {
		at += strspn(at, blanks);
		if (*at == '\0' || *at == '#')
			break;
		if (*at == '"') {
			words_r[count++] = ++at;
			at += strcspn(at, "\"");
		} else {
			words_r[count++] = at;
			at += strcspn(at, blanks);
		}
		if (*at != '\0')
			*at++ = '\0';
	}
	return count;
}

typedef void
take_statement(struct foreign *foreign, char **words, size_t count);

static bool
is_whitelist(char **words, size_t count)
{
	return count > 2 &&
	    (strcasecmp(words[0], "acl") == 0 ||
		strcasecmp(words[0], "racl") == 0) &&
	    strcasecmp(words[1], "whitelist") == 0;
}

/* acl whitelist list "my network" */
static void
note_list(struct foreign *foreign, char **words, size_t count)
{
	if (is_whitelist(words, count) && count == 4 &&
	    strcasecmp(words[2], "list") == 0)
		foreign_note(foreign, words[3]);
}

/* acl whitelist addr 192.0.2.0/24, or
 * list "my network" addr { 127.0.0.1/8 10.0.0.0/8 } of one that was noted */
static void
take_whitelist(struct foreign *foreign, char **words, size_t count)
{
	bool is_list = count > 3 && strcasecmp(words[0], "list") == 0 &&
	    strcmp(words[3], "{") == 0 && foreign_is_noted(foreign, words[1]);

	for (size_t i = 4; is_list && i < count && strcmp(words[i], "}") != 0;
	     i++)
		take_listed(foreign, words[2], words[i]);
	if (!is_whitelist(words, count) || strcasecmp(words[2], "list") == 0)
		return;
	if (count == 4)
		take_listed(foreign, words[2], words[3]);
	else
		foreign_left(foreign, words[2], count > 3 ? words[3] : "",
		    "it has several conditions");
}

/* A line that ends with a backslash goes on in the next. */
static void
read_statements(struct foreign *foreign, FILE *file, take_statement *take)
{
	char statement[65536], *words[WORDS], *line = NULL;
	size_t size = 0, length = 0;

	rewind(file);
	while (getline(&line, &size, file) > 0) {
		size_t part = strcspn(line, "\r\n");
		bool goes_on = part > 0 && line[part - 1] == '\\';

		if (goes_on)
			part--;
		if (length + part + 2 > sizeof statement)
			part = 0;
		memcpy(statement + length, line, part);
		length += part;
		statement[length++] = ' ';
		if (goes_on)
			continue;
		statement[length - 1] = '\0';
		take(foreign, words, words_of(statement, words));
		length = 0;
	}
	free(line);
}

const char *
foreign_milter_greylist(struct foreign *foreign, FILE *file, const char *path)
{
	size_t length = strlen(path);

	if (length < 5 || strcmp(path + length - 5, ".conf") != 0)
		return read_dump(foreign, file);
	read_statements(foreign, file, note_list);
	read_statements(foreign, file, take_whitelist);
	return NULL;
}
