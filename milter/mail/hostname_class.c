/* Does a host name only spell the address, or the kind of line, it stands for? */
#include <string.h>

#include "base/ascii.h"
#include "mail/hostname.h"

enum { OCTETS = 4, NIBBLES = 16 };

/* What providers call the lines of their customers. */
static const char *const line_words[] = {"adsl", "broadband", "cable", "catv",
    "cgn", "cgnat", "client", "clients", "cpe", "cust", "customer", "customers",
    "dhcp", "dial", "dialin", "dialup", "dip", "docsis", "dsl", "dyn",
    "dynamic", "dynamicip", "dyndsl", "dynip", "fttb", "ftth", "gprs", "hsd",
    "isdn", "lte", "modem", "pool", "pools", "ppp", "pppoe", "res",
    "residential", "subscriber", "umts", "vdsl", "wifi", "wireless", "wlan",
    "xdsl"};

/* What owners call their mail servers. */
static const char *const mail_words[] = {"email", "mail", "mailer", "mailgw",
    "mailout", "mta", "mx", "out", "outbound", "relay", "smtp", "webmail"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool
is_among(
    const char *word, size_t length, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strncmp(word, words[i], length) == 0 &&
		    words[i][length] == '\0')
			return true;
	}
	return false;
}

/* Whether decimal `octets` stand at `at`, one separator between two of them and
 * no further digit behind; leading zeros are allowed. */
static bool
starts_with_octets(const char *at, const unsigned char *octets, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t digits = strspn(at, "0123456789");
		unsigned value = 0;

		if (digits == 0 || digits > 3)
			return false;
		for (; digits > 0; digits--)
			value = value * 10 + (unsigned)(*at++ - '0');
		if (value != octets[i])
			return false;
		if (i + 1 == count)
			return true;
		if (*at == '\0' || strchr(".-_x", *at) == NULL)
			return false;
		at++;
	}
	return false;
}

static bool
has_octets(const char *name, const unsigned char *octets, size_t count)
{
	for (const char *at = name; *at != '\0'; at++) {
		bool inside = at > name && ascii_is_digit(at[-1]);

		if (!inside && starts_with_octets(at, octets, count))
			return true;
	}
	return false;
}

/* Whether they stand in `name` one behind the other, each with so many digits. */
static bool
has_digits(const char *name, const unsigned char o[OCTETS], unsigned base,
    size_t width)
{
	char text[3 * OCTETS + 1] = "";
	char *end = text;

	for (size_t i = 0; i < OCTETS; i++, end += width) {
		unsigned octet = o[i];

		for (size_t at = width; at-- > 0; octet /= base)
			end[at] = "0123456789abcdef"[octet % base];
	}
	*end = '\0';
	return strstr(name, text) != NULL;
}

static bool
spells_octets(const char *name, const unsigned char o[OCTETS])
{
	return has_octets(name, o, OCTETS - 1) ||
	    has_octets(name, o + 1, OCTETS - 1) || has_digits(name, o, 10, 3) ||
	    has_digits(name, o, 16, 2);
}

static bool
spells_ipv4(const char *name, const struct netaddr *addr)
{
	const unsigned char *o = addr->octets;
	const unsigned char backward[OCTETS] = {o[3], o[2], o[1], o[0]};

	return spells_octets(name, o) || spells_octets(name, backward);
}

/* Whether the low 64 bits stand in `name` as nibbles, whatever separates them. */
static bool
spells_nibbles(const char *name, const struct netaddr *addr)
{
	char joined[HOSTNAME_SIZE];
	char forward[NIBBLES + 1];
	char backward[NIBBLES + 1];
	size_t length = 0;

	for (; *name != '\0'; name++) {
		if (strchr(".-_", *name) == NULL)
			joined[length++] = *name;
	}
	joined[length] = '\0';
	for (size_t i = 0; i < NIBBLES; i++) {
		unsigned octet = addr->octets[8 + i / 2];
		unsigned nibble = i % 2 == 0 ? octet >> 4 : octet & 0xf;

		forward[i] = "0123456789abcdef"[nibble];
		backward[NIBBLES - 1 - i] = forward[i];
	}
	forward[NIBBLES] = backward[NIBBLES] = '\0';
	return strstr(joined, forward) != NULL ||
	    strstr(joined, backward) != NULL;
}

/* Whether a label, or what follows a '-' in it, is the address with '-' for
 * ':', as in ip-2001-db8--5. */
static bool
spells_groups(const char *label, const struct netaddr *addr)
{
	char text[NETADDR_TEXT_SIZE];
	size_t length = strcspn(label, ".");
	struct netaddr spelled;

	for (size_t start = 0; start < length; start++) {
		if (start > 0 && label[start - 1] != '-')
			continue;
		if (length - start >= sizeof(text))
			continue;
		for (size_t i = start; i < length; i++) {
			text[i - start] = label[i];
			if (label[i] == '-')
				text[i - start] = ':';
		}
		text[length - start] = '\0';
		if (netaddr_parse(text, &spelled) &&
		    netaddr_equal(&spelled, addr))
			return true;
	}
	return false;
}

static bool
spells_ipv6(const char *name, const struct netaddr *addr)
{
	if (spells_nibbles(name, addr))
		return true;
	for (const char *label = name; label != NULL;
	     label = strchr(label, '.')) {
		if (*label == '.')
			label++;
		if (spells_groups(label, addr))
			return true;
	}
	return false;
}

/* The length of what stands before the organisational domain. */
static size_t
host_part_length(const char *name, const char *organisation)
{
	size_t length = strlen(name);
	size_t org_length = organisation == NULL ? 0 : strlen(organisation);
	unsigned dots = 0;

	if (org_length > 0 && org_length <= length &&
	    strcmp(name + length - org_length, organisation) == 0)
		return length - org_length;
	while (length > 0) {
		if (name[length - 1] == '.' && ++dots == 2)
			return length;
		length--;
	}
	return 0;
}

static bool
has_line_word(const char *name, size_t host_length)
{
	size_t letters;
	bool first = true;

	for (size_t i = 0; i < host_length; i += letters) {
		letters = 0;
		while (i + letters < host_length &&
		    ascii_is_letter(name[i + letters]))
			letters++;
		if (letters == 0) {
			letters = 1;
			continue;
		}
		if (first &&
		    is_among(name + i, letters, mail_words, COUNT(mail_words)))
			return false;
		if (is_among(name + i, letters, line_words, COUNT(line_words)))
			return true;
		first = false;
	}
	return false;
}

enum hostname_class
hostname_classify(
    const char *name, const struct netaddr *addr, const char *organisation)
{
	char clean[HOSTNAME_SIZE];

	if (!hostname_clean(name, clean, sizeof(clean)) || clean[0] == '[')
		return HOSTNAME_NONE;
	if (addr != NULL && addr->length == 4 && spells_ipv4(clean, addr))
		return HOSTNAME_LINE;
	if (addr != NULL && addr->length == 16 && spells_ipv6(clean, addr))
		return HOSTNAME_LINE;
	if (has_line_word(clean, host_part_length(clean, organisation)))
		return HOSTNAME_LINE;
	return HOSTNAME_OWN;
}
