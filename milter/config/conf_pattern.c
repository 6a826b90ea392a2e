/* conf_pattern -- patterns that can match nothing of what they are for. */
#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "config/conf_build.h"
#include "mail/netaddr.h"

/* A pattern without * and ? is a text, and has to be one that can come. */
static bool
is_plain(const char *pattern)
{
	return strpbrk(pattern, "*?") == NULL;
}

/* The address of an envelope: local@domain.  Only postmaster may stand without a
 * domain (RFC 5321 4.5.1), and what programs of this host submit. */
static const char *
address_doubt(const char *pattern)
{
	const char *at = strrchr(pattern, '@');

	if (strcmp(pattern, "<>") == 0)
		return "the null sender matches no pattern; ask null_sender";
	if (strchr(pattern, '<') != NULL || strchr(pattern, '>') != NULL)
		return "addresses are compared without < and >";
	if (at == NULL && is_plain(pattern) && strpbrk(pattern, ".:/") != NULL)
		return "no address is without @; of a domain, all addresses "
		       "are \"*@example.org\"";
	if (at == pattern)
		return "no address begins with @; of a domain, all addresses "
		       "are \"*@example.org\"";
	if (at != NULL && at[1] == '\0')
		return "no address ends with @";
	if (at != NULL && at[1] == '.')
		return "no domain begins with a dot; all below it are "
		       "\"*@*.example.org\"";
	return NULL;
}

static const char *
name_doubt(const char *pattern)
{
	struct network network;
	char why[NETWORK_WHY_SIZE];

	if (strpbrk(pattern, "@/:[ ") != NULL)
		return "no host name has one of @ / : [ or a blank; for "
		       "addresses and networks there is client";
	if (is_plain(pattern) && network_parse(pattern, &network, why))
		return "that is an address, and no host name; for addresses "
		       "and networks there is client";
	if (pattern[0] == '.')
		return "no host name begins with a dot; all below a domain "
		       "are \"*.example.org\"";
	return NULL;
}

bool
conf_pattern_is_rare(const char *condition, const char *pattern)
{
	return (strcmp(condition, "sender") == 0 ||
		   (strcmp(condition, "recipient") == 0 &&
		       strcasecmp(pattern, "postmaster") != 0)) &&
	    is_plain(pattern) && strchr(pattern, '@') == NULL;
}

const char *
conf_pattern_doubt(const char *condition, const char *pattern)
{
	if (pattern[0] == '\0')
		return "an empty pattern matches nothing";
	if (strcmp(condition, "sender") == 0 ||
	    strcmp(condition, "recipient") == 0)
		return address_doubt(pattern);
	if (strcmp(condition, "client_name") == 0)
		return name_doubt(pattern);
	return NULL;
}
