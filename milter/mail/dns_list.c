#include "mail/dns_list.h"

#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "mail/hostname.h"

#define WANTS_CODES                                                            \
	"the codes that count have to be named, such as "                      \
	"list.example=127.0.0.[2..11]*2"

static bool
refuse(char why_r[DNS_LIST_WHY_SIZE], const char *why)
{
	(void)snprintf(why_r, DNS_LIST_WHY_SIZE, "%s", why);
	return false;
}

/* ---- Parts of the text; each moves on behind what it took. */

/* A whole number of at most four digits. */
static bool
take_number(const char **text, int *number_r)
{
	int64_t number = 0;
	size_t digits = decimal_read(*text, strlen(*text), 9999, &number);

	*text += digits;
	*number_r = (int)number;
	return digits > 0 && digits < 5;
}

static bool
take_octet(const char **text, int *octet_r)
{
	return take_number(text, octet_r) && *octet_r <= 255;
}

/* "5" or "2..11", into the bits. */
static bool
take_span(const char **text, uint32_t bits[8])
{
	int from, to;

	if (!take_octet(text, &from))
		return false;
	to = from;
	if ((*text)[0] == '.' && (*text)[1] == '.') {
		*text += 2;
		if (!take_octet(text, &to) || to < from)
			return false;
	}
	for (int value = from; value <= to; value++)
		bits[value / 32] |= UINT32_C(1) << value % 32;
	return true;
}

static bool
take_part(const char **text, uint32_t bits[8])
{
	int octet;

	if (**text != '[') {
		if (!take_octet(text, &octet))
			return false;
		bits[octet / 32] |= UINT32_C(1) << octet % 32;
		return true;
	}
	do {
		(*text)++;
		if (!take_span(text, bits))
			return false;
	} while (**text == ';');
	return *(*text)++ == ']';
}

static bool
take_codes(const char **text, struct dns_list *list)
{
	for (int part = 0; part < 4; part++) {
		if (part > 0 && *(*text)++ != '.')
			return false;
		if (!take_part(text, list->codes[part]))
			return false;
	}
	return true;
}

static bool
take_weight(const char *text, int *weight_r)
{
	bool negative = *text == '-';

	if (*text == '-' || *text == '+')
		text++;
	if (!take_number(&text, weight_r) || *text != '\0' || *weight_r == 0 ||
	    *weight_r > DNS_LIST_WEIGHT_MAX)
		return false;
	if (negative)
		*weight_r = -*weight_r;
	return true;
}

static bool
take_zone(const char *text, size_t length, char zone_r[DNS_LIST_ZONE_SIZE])
{
	char zone[DNS_LIST_ZONE_SIZE];

	if (length >= sizeof zone)
		return false;
	memcpy(zone, text, length);
	zone[length] = '\0';
	return hostname_clean(zone, zone_r, DNS_LIST_ZONE_SIZE) &&
	    hostname_is_valid(zone_r);
}

static bool
only_127(const struct dns_list *list)
{
	for (int word = 0; word < 8; word++)
		if (list->codes[0][word] !=
		    (word == 3 ? UINT32_C(1) << 31 : UINT32_C(0)))
			return false;
	return true;
}

bool
dns_list_parse(
    const char *text, struct dns_list *list_r, char why_r[DNS_LIST_WHY_SIZE])
{
	size_t zone_length = strcspn(text, "=*");
	struct dns_list list = {.weight = 1};
	const char *at = text + zone_length;

	if (!take_zone(text, zone_length, list.zone))
		return refuse(why_r,
		    "it has to begin with the name of a zone, such as "
		    "list.example");
	if (*at != '=')
		return refuse(why_r, WANTS_CODES);
	at++;
	if (!take_codes(&at, &list) || (*at != '\0' && *at != '*'))
		return refuse(
		    why_r, "codes are four parts, such as 127.0.0.[2..4;9]");
	if (!only_127(&list))
		return refuse(
		    why_r, "codes begin with 127, as no list says any other");
	if (*at == '*' && !take_weight(at + 1, &list.weight))
		return refuse(why_r,
		    "a weight is a whole number from -1000 to 1000, and not "
		    "0");
	*list_r = list;
	return true;
}

/* ---- Answers and questions */

enum dns_list_code
dns_list_judge(const struct dns_list *list, const unsigned char address[4])
{
	if (address[0] != 127 ||
	    (address[1] == 0 && address[2] == 0 && address[3] == 1) ||
	    (address[1] == 255 && address[2] == 255))
		return DNS_LIST_WRONG;
	for (int part = 0; part < 4; part++)
		if ((list->codes[part][address[part] / 32] >>
			    address[part] % 32 &
			1U) == 0)
			return DNS_LIST_NO_MATCH;
	return DNS_LIST_MATCH;
}

/* Written by hand: this is done for each list and message. */
static char *
put_octet(char *out, unsigned octet)
{
	if (octet >= 100)
		*out++ = (char)('0' + octet / 100);
	if (octet >= 10)
		*out++ = (char)('0' + octet / 10 % 10);
	*out++ = (char)('0' + octet % 10);
	*out++ = '.';
	return out;
}

static char *
put_nibble(char *out, unsigned nibble)
{
	*out++ = "0123456789abcdef"[nibble];
	*out++ = '.';
	return out;
}

void
dns_list_name_of_address(const struct netaddr *address, const char *zone,
    char name_r[DNS_LIST_NAME_SIZE])
{
	char *out = name_r;

	for (int i = address->length - 1; i >= 0; i--) {
		unsigned octet = address->octets[i];

		if (address->length == 4) {
			out = put_octet(out, octet);
		} else {
			out = put_nibble(out, octet & 0xfU);
			out = put_nibble(out, octet >> 4U);
		}
	}
	strcpy(out, zone);
}

bool
dns_list_name_of_domain(
    const char *domain, const char *zone, char name_r[DNS_LIST_NAME_SIZE])
{
	char clean[HOSTNAME_SIZE];
	size_t length, more = strlen(zone);

	/* A name without a dot is nobody's. */
	if (!hostname_clean(domain, clean, sizeof clean) ||
	    !hostname_is_valid(clean) || strchr(clean, '.') == NULL)
		return false;
	length = strlen(clean);
	if (length + 1 + more > 253)
		return false;
	memcpy(name_r, clean, length);
	name_r[length] = '.';
	memcpy(name_r + length + 1, zone, more + 1);
	return true;
}
