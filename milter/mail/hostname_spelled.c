/* Does a host name spell its client's address?
 *
 * Providers name lines and machines by a program, and a program knows nothing
 * but the address: all of it, its end, or its end and its network apart.  The
 * forms are those of RFC 1912 2.1 and of the names in tests/names/rdns.tsv. */
#include <string.h>

#include "base/ascii.h"
#include "mail/hostname.h"

enum { OCTETS = 4, NIBBLES = 16, GROUPS = 8, GROUPS_ENOUGH = 4 };

/* ---- Numbers with something between them */

/* A run of decimal digits in a name. */
struct number {
	const char *at;
	size_t digits;
	unsigned value; /* 256 for whatever is no octet; zeros may lead */
};

/* The first one at or behind `from`; false if there is none. */
static bool
next_number(const char *from, struct number *number_r)
{
	number_r->at = from + strcspn(from, "0123456789");
	number_r->digits = strspn(number_r->at, "0123456789");
	number_r->value = 0;
	for (size_t i = 0; i < number_r->digits && i < 4; i++)
		number_r->value =
		    number_r->value * 10 + (unsigned)(number_r->at[i] - '0');
	if (number_r->digits > 3 || number_r->value > 255)
		number_r->value = 256;
	return number_r->digits > 0;
}

static bool
is_joined(const struct number *left, const struct number *right)
{
	return right->at == left->at + left->digits + 1 &&
	    strchr(".-_x", right->at[-1]) != NULL;
}

/* Whether the last `count` of `window` are `octets`, in either order. */
static bool
are_octets(const struct number window[OCTETS], const unsigned char *octets,
    size_t count)
{
	const struct number *last = window + OCTETS - count;
	bool forward = true;
	bool backward = true;

	for (size_t i = 0; i < count; i++) {
		forward = forward && last[i].value == octets[i];
		backward = backward && last[i].value == octets[count - 1 - i];
	}
	return forward || backward;
}

/* How many of the four are `value`. */
static size_t
count_value(const struct number window[OCTETS], unsigned value)
{
	size_t count = 0;

	for (size_t i = 0; i < OCTETS; i++)
		count += window[i].value == value;
	return count;
}

/* Whether the four of `window` are the octets in some order: a few providers
 * put the host's number before the network's (74.67-201-80). */
static bool
are_shuffled(const struct number window[OCTETS], const unsigned char *octets)
{
	for (size_t i = 0; i < OCTETS; i++) {
		size_t wanted = 0;

		for (size_t k = 0; k < OCTETS; k++)
			wanted += octets[k] == octets[i];
		if (count_value(window, octets[i]) != wanted)
			return false;
	}
	return true;
}

static bool
are_all_joined(const struct number window[OCTETS])
{
	bool joined = window[0].digits > 0;

	for (size_t i = 1; i < OCTETS; i++)
		joined = joined && is_joined(&window[i - 1], &window[i]);
	for (size_t i = 0; i < OCTETS; i++)
		joined = joined && window[i].value < 256;
	return joined;
}

/* Three octets in a row cannot be chance, whatever stands between them.  Two
 * must be neighbours and have the last with them; nat-52-gw-01.example at
 * 192.0.1.52 is chance. */
static enum hostname_spelling
judge_window(const struct number window[OCTETS], const unsigned char *octets)
{
	if (are_octets(window, octets, 3) || are_octets(window, octets + 1, 3))
		return HOSTNAME_SPELLS_ALL;
	if (are_shuffled(window, octets))
		return HOSTNAME_SPELLS_ALL;
	if (are_octets(window, octets + 2, 2) &&
	    is_joined(&window[OCTETS - 2], &window[OCTETS - 1]))
		return HOSTNAME_SPELLS_PART;
	return are_all_joined(window) ? HOSTNAME_SPELLS_OTHER
				      : HOSTNAME_SPELLS_NONE;
}

/* `octets` is NULL for an address that is not known, or is one of IPv6. */
static enum hostname_spelling
spells_numbers(const char *name, const unsigned char *octets)
{
	struct number window[OCTETS] = {
	    {.value = 256}, {.value = 256}, {.value = 256}, {.value = 256}};
	enum hostname_spelling best = HOSTNAME_SPELLS_NONE;

	while (memmove(window, window + 1, sizeof window - sizeof window[0]),
	    next_number(name, &window[OCTETS - 1])) {
		enum hostname_spelling spelling = HOSTNAME_SPELLS_NONE;

		if (octets != NULL)
			spelling = judge_window(window, octets);
		else if (are_all_joined(window))
			spelling = HOSTNAME_SPELLS_OTHER;
		if (spelling > best)
			best = spelling;
		name = window[OCTETS - 1].at + window[OCTETS - 1].digits;
	}
	return best;
}

/* ---- Digits without anything between them */

/* Write `count` octets in `base`, each with `width` digits; returns the end. */
static char *
put_octets(char *to, const unsigned char *octets, size_t count, unsigned base,
    size_t width)
{
	for (size_t i = 0; i < count; i++, to += width) {
		unsigned octet = octets[i];

		for (size_t at = width; at-- > 0; octet /= base)
			to[at] = "0123456789abcdef"[octet % base];
	}
	*to = '\0';
	return to;
}

/* Whether `digits` stand in `name` with no further digit of theirs beside. */
static bool
has_whole(const char *name, const char *digits, bool (*is_digit)(char))
{
	size_t length = strlen(digits);

	for (const char *at = name; (at = strstr(at, digits)) != NULL; at++) {
		if ((at == name || !is_digit(at[-1])) && !is_digit(at[length]))
			return true;
	}
	return false;
}

/* 12 or 9 decimal, or 8 hexadecimal digits; a program often puts a letter in
 * front that is a hexadecimal digit as well, so their ends do not matter. */
static bool
has_packed(const char *name, const unsigned char octets[OCTETS])
{
	char text[3 * OCTETS + 1];

	put_octets(text, octets, OCTETS, 10, 3);
	if (strstr(name, text) != NULL)
		return true;
	put_octets(text, octets + 1, OCTETS - 1, 10, 3);
	if (has_whole(name, text, ascii_is_digit))
		return true;
	put_octets(text, octets, OCTETS, 16, 2);
	return strstr(name, text) != NULL;
}

/* The last two octets with 6 decimal or 4 hexadecimal digits. */
static bool
has_packed_end(const char *name, const unsigned char octets[OCTETS])
{
	char text[3 * 2 + 1];

	put_octets(text, octets + 2, 2, 10, 3);
	if (has_whole(name, text, ascii_is_digit))
		return true;
	put_octets(text, octets + 2, 2, 16, 2);
	return has_whole(name, text, ascii_is_hex);
}

static enum hostname_spelling
spells_ipv4(const char *name, const unsigned char o[OCTETS])
{
	const unsigned char backward[OCTETS] = {o[3], o[2], o[1], o[0]};
	enum hostname_spelling numbers;

	if (has_packed(name, o) || has_packed(name, backward))
		return HOSTNAME_SPELLS_ALL;
	numbers = spells_numbers(name, o);
	if (numbers < HOSTNAME_SPELLS_PART && has_packed_end(name, o))
		return HOSTNAME_SPELLS_PART;
	return numbers;
}

/* ---- IPv6 */

/* Whether 64 bits of the address stand in `joined` as nibbles. */
static bool
has_nibbles(const char *joined, const unsigned char octets[NIBBLES / 2])
{
	char forward[NIBBLES + 1];
	char backward[NIBBLES + 1];

	put_octets(forward, octets, NIBBLES / 2, 16, 2);
	for (size_t i = 0; i < NIBBLES; i++)
		backward[i] = forward[NIBBLES - 1 - i];
	backward[NIBBLES] = '\0';
	return strstr(joined, forward) != NULL ||
	    strstr(joined, backward) != NULL;
}

/* The host's or the network's half, whatever separates the nibbles. */
static bool
spells_nibbles(const char *name, const unsigned char octets[NIBBLES])
{
	char joined[HOSTNAME_SIZE];
	size_t length = 0;

	for (; *name != '\0'; name++) {
		if (strchr(".-_", *name) == NULL)
			joined[length++] = *name;
	}
	joined[length] = '\0';
	return has_nibbles(joined, octets) || has_nibbles(joined, octets + 8);
}

/* The groups at `at`, hexadecimal and with '-', '.' or '_' between them, that
 * agree with the address from its group `first` on. */
static size_t
count_groups(const char *at, const unsigned char *octets, size_t first)
{
	size_t count = 0;

	while (first + count < GROUPS) {
		const unsigned char *group = octets + 2 * (first + count);
		unsigned value = 0;
		size_t digits = 0;

		for (; digits < 4 && ascii_is_hex(at[digits]); digits++)
			value = value * 16 +
			    (unsigned)(strchr("0123456789abcdef", at[digits]) -
				"0123456789abcdef");
		if (digits == 0 || ascii_is_hex(at[digits]) ||
		    value != (unsigned)(group[0] << 8 | group[1]))
			break;
		count++;
		at += digits;
		if (*at == '\0' || strchr("-._", *at) == NULL)
			break;
		at++;
	}
	return count;
}

/* Whether a label, or what follows a '-' in it, is the address with '-' for
 * ':', as in ip-2001-db8--5. */
static bool
is_shortened(const char *at, const struct netaddr *addr)
{
	char text[NETADDR_TEXT_SIZE];
	size_t length = strcspn(at, ".");
	struct netaddr spelled;

	if (length >= sizeof text)
		return false;
	for (size_t i = 0; i < length; i++)
		text[i] = at[i] == '-' ? ':' : at[i];
	text[length] = '\0';
	return netaddr_parse(text, &spelled) && netaddr_equal(&spelled, addr);
}

static bool
spells_groups(const char *name, const struct netaddr *addr)
{
	for (const char *at = name; *at != '\0'; at++) {
		if (at > name && strchr("-.", at[-1]) == NULL)
			continue;
		if (is_shortened(at, addr) ||
		    count_groups(at, addr->octets, 0) >= GROUPS_ENOUGH ||
		    count_groups(at, addr->octets, 4) >= GROUPS_ENOUGH)
			return true;
	}
	return false;
}

enum hostname_spelling
hostname_spelling(const char *name, const struct netaddr *addr)
{
	if (addr != NULL && addr->length == 4)
		return spells_ipv4(name, addr->octets);
	if (addr != NULL && addr->length == 16 &&
	    (spells_nibbles(name, addr->octets) || spells_groups(name, addr)))
		return HOSTNAME_SPELLS_ALL;
	return spells_numbers(name, NULL);
}
