#include "dns/spf_record.h"

#include <string.h>

#include "base/ascii.h"

#define BITS4	     32
#define BITS6	     128
#define MAPPED_ZEROS 80 /* bits at the front of ::ffff:192.0.2.1 */

/* What stands behind the name of a mechanism. */
enum argument {
	ARG_NONE,
	ARG_DOMAIN,
	ARG_MAYBE_DOMAIN,
	ARG_HOSTS,
	ARG_NETWORK
};

static const struct mechanism {
	const char *name;
	enum spf_kind kind;
	enum argument argument;
} mechanisms[] = {
    {"all", SPF_ALL, ARG_NONE},
    {"include", SPF_INCLUDE, ARG_DOMAIN},
    {"a", SPF_A, ARG_HOSTS},
    {"mx", SPF_MX, ARG_HOSTS},
    {"ptr", SPF_PTR, ARG_MAYBE_DOMAIN},
    {"ip4", SPF_IP4, ARG_NETWORK},
    {"ip6", SPF_IP6, ARG_NETWORK},
    {"exists", SPF_EXISTS, ARG_DOMAIN},
};

static bool
equals(struct spf_text text, const char *word)
{
	if (text.length != strlen(word))
		return false;
	for (size_t i = 0; i < text.length; i++)
		if (ascii_lower(text.at[i]) != word[i])
			return false;
	return true;
}

/* The first `length` octets, which are taken off. */
static struct spf_text
cut(struct spf_text *text, size_t length)
{
	struct spf_text front = {text->at, length};

	text->at += length;
	text->length -= length;
	return front;
}

/* ---- Prefix lengths */

/* A number without leading zeros, up to `most`. */
static bool
read_bits(struct spf_text text, unsigned most, unsigned *bits_r)
{
	if (text.length == 0 || text.length > 3 ||
	    (text.length > 1 && text.at[0] == '0'))
		return false;
	*bits_r = 0;
	for (size_t i = 0; i < text.length; i++) {
		if (!ascii_is_digit(text.at[i]))
			return false;
		*bits_r = *bits_r * 10 + (unsigned)(text.at[i] - '0');
	}
	return *bits_r <= most;
}

/* Take slashes and a number off the end, if they are there; a domain may have
 * slashes of its own.  False: the number is bad. */
static bool
cut_bits(
    struct spf_text *text, const char *slashes, unsigned most, unsigned *bits_r)
{
	size_t end = text->length, wanted = strlen(slashes);

	*bits_r = most;
	while (end > 0 && ascii_is_digit(text->at[end - 1]))
		end--;
	if (end == text->length || end < wanted ||
	    memcmp(text->at + end - wanted, slashes, wanted) != 0)
		return true;
	if (!read_bits((struct spf_text){text->at + end, text->length - end},
		most, bits_r))
		return false;
	text->length = end - wanted;
	return true;
}

/* ---- Arguments */

static bool
read_domain(struct spf_text argument, struct spf_term *term)
{
	if (argument.length == 0 || argument.at[0] != ':')
		return false;
	(void)cut(&argument, 1);
	term->domain = argument;
	return spf_macro_is_domain(argument);
}

/* ":" address [ "/" bits ] */
static bool
read_network(struct spf_text argument, struct spf_term *term)
{
	bool ipv4 = term->kind == SPF_IP4;
	char text[NETADDR_TEXT_SIZE];
	struct netaddr address;
	unsigned bits;

	if (argument.length == 0 || argument.at[0] != ':' ||
	    !cut_bits(&argument, "/", ipv4 ? BITS4 : BITS6, &bits))
		return false;
	(void)cut(&argument, 1);
	if (argument.length == 0 || argument.length >= sizeof text)
		return false;
	memcpy(text, argument.at, argument.length);
	text[argument.length] = '\0';
	if (strspn(text, "0123456789abcdefABCDEF:.") != argument.length ||
	    (strchr(text, ':') == NULL) != ipv4 ||
	    !netaddr_parse(text, &address))
		return false;
	/* An address of IPv4 within IPv6 is no client that ip6 could match
	 * (RFC 7208 5); the first bits of it are 0. */
	if (!ipv4 && address.length == 4) {
		if (bits > MAPPED_ZEROS)
			return true;
		address = (struct netaddr){.length = 16};
	}
	term->network = network_of(&address, bits);
	return true;
}

static bool
read_argument(
    struct spf_text argument, enum argument wanted, struct spf_term *term)
{
	switch (wanted) {
	case ARG_NONE:
		return argument.length == 0;
	case ARG_DOMAIN:
		return read_domain(argument, term);
	case ARG_MAYBE_DOMAIN:
		return argument.length == 0 || read_domain(argument, term);
	case ARG_HOSTS:
		return cut_bits(&argument, "//", BITS6, &term->bits6) &&
		    cut_bits(&argument, "/", BITS4, &term->bits4) &&
		    (argument.length == 0 || read_domain(argument, term));
	case ARG_NETWORK:
		break;
	}
	return read_network(argument, term);
}

/* ---- Terms */

static enum spf_result
take_qualifier(struct spf_text *text)
{
	enum spf_result result = SPF_PASS;

	switch (text->at[0]) {
	case '-':
		result = SPF_FAIL;
		break;
	case '~':
		result = SPF_SOFTFAIL;
		break;
	case '?':
		result = SPF_NEUTRAL;
		break;
	case '+':
		break;
	default:
		return result;
	}
	(void)cut(text, 1);
	return result;
}

static bool
read_mechanism(struct spf_text text, struct spf_term *term)
{
	struct spf_text name;
	size_t length = 0;

	term->result = take_qualifier(&text);
	while (length < text.length && text.at[length] != ':' &&
	    text.at[length] != '/')
		length++;
	name = cut(&text, length);
	for (size_t i = 0; i < sizeof mechanisms / sizeof *mechanisms; i++)
		if (equals(name, mechanisms[i].name)) {
			term->kind = mechanisms[i].kind;
			return read_argument(
			    text, mechanisms[i].argument, term);
		}
	return false;
}

/* `name` "=" `value` */
static bool
read_modifier(
    struct spf_text name, struct spf_text value, struct spf_term *term)
{
	term->domain = value;
	if (equals(name, "redirect"))
		term->kind = SPF_REDIRECT;
	else if (equals(name, "exp"))
		term->kind = SPF_EXP;
	else
		term->kind = SPF_MODIFIER;
	return term->kind == SPF_MODIFIER ? spf_macro_is_string(value)
					  : spf_macro_is_domain(value);
}

/* How long the name of a modifier is that the term begins with; 0: none. */
static size_t
modifier_name(struct spf_text text)
{
	size_t length = 0;

	if (!ascii_is_letter(text.at[0]))
		return 0;
	while (length < text.length &&
	    (ascii_is_alnum(text.at[length]) || text.at[length] == '-' ||
		text.at[length] == '_' || text.at[length] == '.'))
		length++;
	return length < text.length && text.at[length] == '=' ? length : 0;
}

bool
spf_record_next(struct spf_text *left, struct spf_term *term_r)
{
	struct spf_text term, name;
	size_t length = 0;

	*term_r = (struct spf_term){.kind = SPF_END};
	while (left->length > 0 && left->at[0] == ' ')
		(void)cut(left, 1);
	while (length < left->length && left->at[length] != ' ')
		length++;
	if (length == 0)
		return true;
	term = cut(left, length);
	length = modifier_name(term);
	if (length == 0)
		return read_mechanism(term, term_r);
	name = cut(&term, length);
	(void)cut(&term, 1);
	return read_modifier(name, term, term_r);
}
