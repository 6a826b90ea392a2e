#include "traffic.h"

#include <stdio.h>
#include <string.h>

#define NETWORK_BITS 24
#define NETWORK_MASK ((UINT32_C(1) << NETWORK_BITS) - 1)

static const char *const kind_names[] = {
    [TRAFFIC_EXEMPT] = "exempt",
    [TRAFFIC_KNOWN] = "known",
    [TRAFFIC_LEARN] = "learn",
    [TRAFFIC_STRANGERS] = "strangers",
    [TRAFFIC_RETRIES] = "retries",
    [TRAFFIC_AGAIN] = "again",
};

bool
traffic_kind_by_name(const char *name, enum traffic_kind *kind_r)
{
	size_t i;

	for (i = 0; i < sizeof kind_names / sizeof *kind_names; i++) {
		if (strcmp(name, kind_names[i]) == 0) {
			*kind_r = (enum traffic_kind)i;
			return true;
		}
	}
	return false;
}

/* The finaliser of splitmix64: neighbouring numbers become unrelated. */
static uint64_t
scramble(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* A one-to-one walk through all /24 networks: each step is invertible modulo
 * 2^24, so no network comes twice within 16.7 million. */
static uint32_t
walk(uint64_t number)
{
	uint32_t x = (uint32_t)(number & NETWORK_MASK);

	x = x * UINT32_C(0x9e3779) & NETWORK_MASK;
	x ^= x >> 12;
	x = x * UINT32_C(0x85ebcb) & NETWORK_MASK;
	return x ^ x >> 11;
}

/* Is this /24 of no use as a stranger's: private, local, multicast, or in a
 * range that one of the other kinds draws from? */
static bool
is_reserved(uint32_t network)
{
	uint32_t first = network >> 16;
	uint32_t pair = network >> 8;

	return first == 0 || first == 10 || first == 127 || first >= 224 ||
	    pair == (169 << 8 | 254) || pair == (192 << 8 | 168) ||
	    (pair >= (172 << 8 | 16) && pair <= (172 << 8 | 31)) ||
	    pair >> 6 == (100 << 8 | 64) >> 6 ||
	    pair >> 1 == (198 << 8 | 18) >> 1;
}

static void
set_address(struct mail *mail, uint32_t network, uint64_t dice)
{
	snprintf(mail->address, sizeof mail->address, "%u.%u.%u.%u",
	    (unsigned)(network >> 16 & 255), (unsigned)(network >> 8 & 255),
	    (unsigned)(network & 255), (unsigned)(1 + dice % 254));
}

/* Legitimate senders have a verified name, strangers have none. */
static void
set_name(struct mail *mail, const char *domain, uint64_t number)
{
	if (domain == NULL)
		snprintf(mail->name, sizeof mail->name, "[%s]", mail->address);
	else
		snprintf(mail->name, sizeof mail->name, "mx.%s%u.example",
		    domain, (unsigned)number);
}

static void
from_known(struct mail *mail, uint64_t number, uint64_t serial)
{
	uint32_t network = (uint32_t)(number % TRAFFIC_KNOWN_NETWORKS);

	set_address(mail, (198 << 16 | 18 << 8) + network, number);
	set_name(mail, "known", network);
	mail->serial = serial;
}

static void
from_stranger(struct traffic *traffic, struct mail *mail)
{
	uint32_t network = walk(traffic->next++);

	while (is_reserved(network))
		network = walk(traffic->next++);
	mail->serial = traffic->next;
	set_address(mail, network, scramble(mail->serial));
	set_name(mail, NULL, 0);
}

static void
from_retrier(struct mail *mail, uint64_t dice)
{
	uint32_t number = (uint32_t)(dice % TRAFFIC_TRIPLETS);

	set_address(mail, (100 << 16 | 64 << 8) + number, number);
	set_name(mail, "again", number);
	mail->serial = number;
}

void
traffic_next(struct traffic *traffic, struct mail *mail_r)
{
	uint64_t dice = scramble(traffic->seed ^ scramble(traffic->next));

	switch (traffic->kind) {
	case TRAFFIC_EXEMPT:
		mail_r->serial = traffic->next++;
		set_address(
		    mail_r, (uint32_t)(10 << 16 | (dice & 0xffff)), dice >> 16);
		set_name(mail_r, NULL, 0);
		return;
	case TRAFFIC_LEARN:
		from_known(mail_r, traffic->next, traffic->next);
		traffic->next++;
		return;
	case TRAFFIC_AGAIN:
		from_known(mail_r, traffic->next % TRAFFIC_KNOWN_NETWORKS,
		    traffic->next);
		traffic->next++;
		return;
	case TRAFFIC_RETRIES:
		from_retrier(mail_r, dice);
		traffic->next++;
		return;
	case TRAFFIC_KNOWN:
		if (dice % 10 != 0) {
			from_known(mail_r, dice >> 8, dice);
			traffic->next++;
			return;
		}
		break;
	case TRAFFIC_STRANGERS:
		break;
	}
	from_stranger(traffic, mail_r);
}
