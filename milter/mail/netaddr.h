/* netaddr -- IP addresses, single or as networks.  Pure.
 *
 * An IPv4 address inside IPv6 (::ffff:192.0.2.1) is always folded to IPv4, so
 * that one client is one client, whichever socket it came through. */
#ifndef NETADDR_H
#define NETADDR_H

#include <stdbool.h>
#include <stddef.h>

#define NETADDR_TEXT_SIZE 46 /* the longest IPv6 address and its NUL */
#define NETWORK_TEXT_SIZE 50 /* that and "/128" */
#define NETWORK_WHY_SIZE  96

/* `length` is 4 or 16; the octets beyond it are 0. */
struct netaddr {
	unsigned char octets[16];
	unsigned char length;
};

/* `bits` is at most 8 * base.length; the bits of `base` beyond it are 0. */
struct network {
	struct netaddr base;
	unsigned char bits;
};

struct sockaddr;
struct sockaddr_storage;

/* Read an address as people, MTAs and clients write it: 192.0.2.1,
 * 2001:db8::1, either in brackets, IPv6 also behind the tag of RFC 5321 4.1.3
 * ("IPv6:", any case).  False for NULL and for anything else, scope ids and
 * octets with leading zeros among it. */
bool netaddr_parse(const char *text, struct netaddr *addr_r);

/* The same with a port behind it, or without: 192.0.2.1:53, [2001:db8::1]:53.
 * `*port_r` (1..65535) stays as it is when there is none. */
bool
netaddr_parse_port(const char *text, struct netaddr *addr_r, unsigned *port_r);

/* False for NULL and for families other than AF_INET and AF_INET6.
 * `sa` must be as large as its family says. */
bool netaddr_from_sockaddr(const struct sockaddr *sa, struct netaddr *addr_r);

/* With port 0; the size of what is used of it. */
size_t netaddr_to_sockaddr(
    const struct netaddr *addr, struct sockaddr_storage *sockaddr_r);

/* Write the canonical text (RFC 5952): no brackets, no tag. */
void netaddr_format(const struct netaddr *addr, char text_r[NETADDR_TEXT_SIZE]);

bool netaddr_equal(const struct netaddr *a, const struct netaddr *b);

/* Which of the 256 buckets of its network a host falls into: the last octet
 * of an IPv4 address, a fixed mix of the low 64 bits of an IPv6 address.  The
 * number is stored and shared, so it must never change. */
unsigned char netaddr_host_bucket(const struct netaddr *addr);

/* The network of `bits` bits around `addr`; more bits than the address has
 * mean the host alone. */
struct network network_of(const struct netaddr *addr, unsigned bits);

/* Read "192.0.2.0/24", or an address alone, which stands for this one host.
 * "::ffff:192.0.2.0/120" is 192.0.2.0/24.  If it is refused, `*net_r` is left
 * alone and `why_r` tells the reason in plain words; bits set beyond the
 * prefix are refused, as one of the two numbers must be a slip, and the reason
 * names the network that the prefix would give. */
bool network_parse(
    const char *text, struct network *net_r, char why_r[NETWORK_WHY_SIZE]);

/* Always false across families: ::/0 holds no IPv4 address. */
bool network_contains(const struct network *net, const struct netaddr *addr);

/* Write the canonical text, always with its prefix: "2001:db8::/64". */
void network_format(const struct network *net, char text_r[NETWORK_TEXT_SIZE]);

#endif
