#include "mail/netaddr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/ascii.h"
#include "base/decimal.h"
#include "base/hash.h"

enum { MAPPED_BITS = 96 };

static const unsigned char mapped_prefix[MAPPED_BITS / 8] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static void
set_ipv4(struct netaddr *addr, const unsigned char octets[4])
{
	memset(addr, 0, sizeof(*addr));
	memcpy(addr->octets, octets, 4);
	addr->length = 4;
}

static void
set_ipv6(struct netaddr *addr, const unsigned char octets[16])
{
	if (memcmp(octets, mapped_prefix, sizeof(mapped_prefix)) == 0) {
		set_ipv4(addr, octets + sizeof(mapped_prefix));
		return;
	}
	memcpy(addr->octets, octets, 16);
	addr->length = 16;
}

/* Copy what stands between the brackets, if there are any. */
static bool
take_off_brackets(const char *text, char *bare_r, size_t size)
{
	size_t length = strlen(text);

	if (text[0] == '[') {
		if (text[length - 1] != ']')
			return false;
		text++;
		length -= 2;
	}
	if (length >= size)
		return false;
	memcpy(bare_r, text, length);
	bare_r[length] = '\0';
	return true;
}

bool
netaddr_parse(const char *text, struct netaddr *addr_r)
{
	static const char tag[] = "IPv6:";
	char bare[sizeof(tag) + NETADDR_TEXT_SIZE];
	unsigned char octets[16];
	const char *ipv6 = bare;

	if (text == NULL || !take_off_brackets(text, bare, sizeof(bare)))
		return false;
	if (inet_pton(AF_INET, bare, octets) == 1) {
		set_ipv4(addr_r, octets);
		return true;
	}
	if (ascii_has_prefix(bare, tag))
		ipv6 += strlen(tag);
	if (inet_pton(AF_INET6, ipv6, octets) != 1)
		return false;
	set_ipv6(addr_r, octets);
	return true;
}

bool
netaddr_parse_port(const char *text, struct netaddr *addr_r, unsigned *port_r)
{
	char host[NETADDR_TEXT_SIZE + 2];
	const char *colon;
	size_t length;
	int64_t port;

	if (netaddr_parse(text, addr_r))
		return true;
	colon = text == NULL ? NULL : strrchr(text, ':');
	if (colon == NULL || (size_t)(colon - text) >= sizeof host ||
	    (text[0] == '[') != (colon > text && colon[-1] == ']'))
		return false;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	length = strlen(colon + 1);
	if (length > 5 || !decimal_read_all(colon + 1, length, 65535, &port) ||
	    port == 0 || (host[0] != '[' && strchr(host, ':') != NULL) ||
	    !netaddr_parse(host, addr_r))
		return false;
	*port_r = (unsigned)port;
	return true;
}

/* Copied rather than cast: a sockaddr may come from anywhere, aligned or not. */
bool
netaddr_from_sockaddr(const struct sockaddr *sa, struct netaddr *addr_r)
{
	unsigned char octets[16];

	if (sa == NULL)
		return false;
	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof(in));
		memcpy(octets, &in.sin_addr, 4);
		set_ipv4(addr_r, octets);
		return true;
	}
	if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, sa, sizeof(in6));
		memcpy(octets, &in6.sin6_addr, 16);
		set_ipv6(addr_r, octets);
		return true;
	}
	return false;
}

size_t
netaddr_to_sockaddr(
    const struct netaddr *addr, struct sockaddr_storage *sockaddr_r)
{
	struct sockaddr_in *in = (struct sockaddr_in *)sockaddr_r;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)sockaddr_r;

	memset(sockaddr_r, 0, sizeof *sockaddr_r);
	if (addr->length == 4) {
		in->sin_family = AF_INET;
		memcpy(&in->sin_addr, addr->octets, 4);
		return sizeof *in;
	}
	in6->sin6_family = AF_INET6;
	memcpy(&in6->sin6_addr, addr->octets, 16);
	return sizeof *in6;
}

void
netaddr_format(const struct netaddr *addr, char text_r[NETADDR_TEXT_SIZE])
{
	int family = addr->length == 4 ? AF_INET : AF_INET6;

	if (inet_ntop(family, addr->octets, text_r, NETADDR_TEXT_SIZE) == NULL)
		text_r[0] = '\0';
}

bool
netaddr_equal(const struct netaddr *a, const struct netaddr *b)
{
	return a->length == b->length &&
	    memcmp(a->octets, b->octets, a->length) == 0;
}

unsigned char
netaddr_host_bucket(const struct netaddr *addr)
{
	uint32_t mix;

	if (addr->length == 4)
		return addr->octets[3];
	mix = hash_32(HASH_32, addr->octets + 8, 8); /* folded to one octet */
	mix ^= mix >> 16;
	mix ^= mix >> 8;
	return (unsigned char)(mix & 0xff);
}

/* The bits of the octet `index` that a prefix of `bits` covers. */
static unsigned char
octet_mask(size_t index, unsigned bits)
{
	size_t before = index * 8;

	if (bits <= before)
		return 0;
	if (bits >= before + 8)
		return 0xff;
	return (unsigned char)(0xff00 >> (bits - before) & 0xff);
}

struct network
network_of(const struct netaddr *addr, unsigned bits)
{
	unsigned most = addr->length * 8u;
	struct network net = {.base = *addr};

	net.bits = (unsigned char)(bits < most ? bits : most);
	for (size_t i = 0; i < addr->length; i++)
		net.base.octets[i] &= octet_mask(i, net.bits);
	return net;
}

/* A prefix length: digits alone, no leading zero, at most 128. */
static bool
parse_bits(const char *text, unsigned *bits_r)
{
	size_t length = strlen(text);
	int64_t bits;

	if ((text[0] == '0' && length > 1) ||
	    !decimal_read_all(text, length, 128, &bits))
		return false;
	*bits_r = (unsigned)bits;
	return true;
}

/* Read the number behind the slash and make it count within `addr`'s own
 * family: behind a folded address it was meant to count from the start of the
 * IPv6 address that was written. */
static bool
parse_prefix(const char *prefix, const struct netaddr *addr, bool folded,
    unsigned *bits_r, char why_r[NETWORK_WHY_SIZE])
{
	unsigned least = folded ? MAPPED_BITS : 0;
	unsigned most = least + addr->length * 8u;
	unsigned bits;

	if (!parse_bits(prefix, &bits)) {
		snprintf(why_r, NETWORK_WHY_SIZE,
		    "what follows the / is not a number from %u to %u", least,
		    most);
		return false;
	}
	if (bits < least || bits > most) {
		snprintf(why_r, NETWORK_WHY_SIZE,
		    "/%u does not fit this address, /%u to /%u would", bits,
		    least, most);
		return false;
	}
	*bits_r = bits - least;
	return true;
}

/* Read the address before the slash, which is `length` octets long. */
static bool
parse_host(const char *text, size_t length, struct netaddr *addr_r)
{
	char host[NETWORK_TEXT_SIZE + 8]; /* room for brackets and tag */

	if (length >= sizeof(host))
		return false;
	memcpy(host, text, length);
	host[length] = '\0';
	return netaddr_parse(host, addr_r);
}

bool
network_parse(
    const char *text, struct network *net_r, char why_r[NETWORK_WHY_SIZE])
{
	size_t length = text == NULL ? 0 : strcspn(text, "/");
	char right[NETWORK_TEXT_SIZE];
	struct netaddr addr;
	struct network net;
	unsigned bits;
	bool folded;

	if (length == 0 || !parse_host(text, length, &addr)) {
		snprintf(why_r, NETWORK_WHY_SIZE, "not an IP address");
		return false;
	}
	bits = addr.length * 8u;
	folded = addr.length == 4 && memchr(text, ':', length) != NULL;
	if (text[length] == '/' &&
	    !parse_prefix(text + length + 1, &addr, folded, &bits, why_r))
		return false;
	net = network_of(&addr, bits);
	if (!netaddr_equal(&net.base, &addr)) {
		network_format(&net, right);
		snprintf(why_r, NETWORK_WHY_SIZE,
		    "host bits are set; the network is %s", right);
		return false;
	}
	*net_r = net;
	return true;
}

bool
network_contains(const struct network *net, const struct netaddr *addr)
{
	size_t whole = net->bits / 8;

	return net->base.length == addr->length &&
	    memcmp(net->base.octets, addr->octets, whole) == 0 &&
	    (whole == addr->length ||
		((net->base.octets[whole] ^ addr->octets[whole]) &
		    octet_mask(whole, net->bits)) == 0);
}

void
network_format(const struct network *net, char text_r[NETWORK_TEXT_SIZE])
{
	char base[NETADDR_TEXT_SIZE];

	netaddr_format(&net->base, base);
	snprintf(text_r, NETWORK_TEXT_SIZE, "%s/%u", base, net->bits);
}
