/* dns_list -- a list of addresses or names that is asked by DNS (RFC 5782): how
 * one is written in the configuration, what is asked, what an answer means.  Pure.
 *
 * Written as in Postfix's postscreen_dnsbl_sites, but the codes have to be
 * named:
 *
 *	zone=codes		zone=codes*weight
 *	zen.example=127.0.0.[2..11]*3
 *	list.example=127.0.[0..255].[2;3]*-2
 *
 * `codes` has four parts with dots between, each a number or, in brackets,
 * numbers and spans (2..11) with semicolons between; they begin with 127.
 * `weight` is a whole number other than 0, from -1000 to 1000; without it is 1. */
#ifndef DNS_LIST_H
#define DNS_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mail/netaddr.h"

#define DNS_LIST_ZONE_SIZE  190 /* before it stand the 64 octets of IPv6 */
#define DNS_LIST_NAME_SIZE  256
#define DNS_LIST_WHY_SIZE   160
#define DNS_LIST_WEIGHT_MAX 1000

struct dns_list {
	char zone[DNS_LIST_ZONE_SIZE]; /* lower case, no dot at the end */
	uint32_t codes[4][8];	       /* a bit for each value of a part */
	int weight;
};

/* False: `why_r` says what would be right. */
bool dns_list_parse(
    const char *text, struct dns_list *list_r, char why_r[DNS_LIST_WHY_SIZE]);

/* What an answer of a zone says.  WRONG is an answer that no list gives of a
 * client: outside 127/8 (a wildcard, a lying resolver), 127.0.0.1, or 127.255.255/24
 * (an error of the list, such as too many questions).  If one is wrong, all are. */
enum dns_list_code { DNS_LIST_NO_MATCH, DNS_LIST_MATCH, DNS_LIST_WRONG };
enum dns_list_code
dns_list_judge(const struct dns_list *list, const unsigned char address[4]);

/* The name to ask for: 2.0.0.127.zone, or 32 nibbles for IPv6; the zone is one of
 * a struct dns_list. */
void dns_list_name_of_address(const struct netaddr *address, const char *zone,
    char name_r[DNS_LIST_NAME_SIZE]);

/* The same of a domain or host name; false if it is none, or too long to be asked
 * for. */
bool dns_list_name_of_domain(
    const char *domain, const char *zone, char name_r[DNS_LIST_NAME_SIZE]);

#endif
