#include "dns/dns.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/outage.h"

#define ZONES_MAX    128 /* of all policies in use */
#define TEST_EVERY_S 3600
#define HEAL_EVERY_S 60 /* once the answer of the last test is forgotten */
#define AGAIN_S	     5	/* when it did not answer */
#define MISSES_MAX   2

/* What is tested: that the first is listed, that the second is not, and the same
 * for IPv6, which a list need not have. */
enum probe { LISTED, UNLISTED, LISTED_IPV6, UNLISTED_IPV6, PROBES };

/* One zone, for addresses or for names. */
struct zone {
	char name[DNS_LIST_ZONE_SIZE];
	bool of_names;
	bool on;
	bool on_ipv6;
	bool told_ipv6; /* that it has none */
	bool testing;
	bool test_entry;
	unsigned misses;   /* tests in a row without an answer */
	int64_t next_test; /* steady seconds */
	struct outage outage;
};

struct dns_zones {
	pthread_mutex_t mutex; /* guards the rest */
	struct zone zones[ZONES_MAX];
	size_t count;
};

/* ---- Open and close */

struct dns *
dns_open(void)
{
	struct dns *dns = calloc(1, sizeof *dns);

	if (dns == NULL)
		return NULL;
	dns->resolver = resolver_open();
	dns->geo = geo_open();
	dns->zones = calloc(1, sizeof *dns->zones);
	if (dns->zones != NULL)
		(void)pthread_mutex_init(&dns->zones->mutex, NULL);
	if (dns->resolver == NULL || dns->geo == NULL || dns->zones == NULL)
		dns_close(&dns);
	return dns;
}

void
dns_close(struct dns **dns)
{
	struct dns *mine = *dns;

	if (mine == NULL)
		return;
	resolver_close(&mine->resolver);
	geo_close(&mine->geo);
	if (mine->zones != NULL)
		(void)pthread_mutex_destroy(&mine->zones->mutex);
	free(mine->zones);
	free(mine);
	*dns = NULL;
}

/* A policy that asks no DNS gets no thread for it. */
void
dns_use(struct dns *dns, const struct policy *policy)
{
	const struct settings *settings = &policy->settings;
	struct resolver_terms terms = {.servers = settings->dns.servers,
	    .timeout_ms = settings->dns.timeout_ms,
	    .answers_max = (size_t)settings->dns.answers_max,
	    .memory_max = (size_t)settings->dns.memory_max};

	if (!resolver_use(dns->resolver, policy->wants_dns ? &terms : NULL))
		log_error("no thread for DNS: what it says is unknown");
}

/* ---- Zones */

static struct zone *
find_zone(struct dns_zones *zones, const char *name, bool of_names)
{
	for (size_t i = 0; i < zones->count; i++)
		if (zones->zones[i].of_names == of_names &&
		    strcmp(zones->zones[i].name, name) == 0)
			return &zones->zones[i];
	return NULL;
}

/* ---- The test of a zone */

enum said { SAID_NOTHING, SAID_NO, SAID_YES, SAID_NONSENSE };

static bool
probe_name(
    const struct zone *zone, enum probe probe, char name_r[DNS_LIST_NAME_SIZE])
{
	static const char *const addresses[PROBES] = {
	    "127.0.0.2", "127.0.0.1", NULL, NULL};
	/* ::FFFF:7F00:2, which is no IPv4 address here. */
	static const struct netaddr ipv6[2] = {
	    {{[10] = 0xff, 0xff, 0x7f, 0, 0, 2}, 16},
	    {{[10] = 0xff, 0xff, 0x7f, 0, 0, 1}, 16}};
	struct netaddr address;

	if (zone->of_names) {
		if (probe > UNLISTED)
			return false;
		(void)snprintf(name_r, DNS_LIST_NAME_SIZE, "%s.%s",
		    probe == LISTED ? "test" : "invalid", zone->name);
		return true;
	}
	if (probe > UNLISTED)
		address = ipv6[probe - LISTED_IPV6];
	else
		(void)netaddr_parse(addresses[probe], &address);
	dns_list_name_of_address(&address, zone->name, name_r);
	return true;
}

/* Of any code that is no nonsense. */
static enum said
said_of(struct dns_answer *answer)
{
	static const struct dns_list any = {.weight = 1};
	struct dns_record record;

	if (answer->status == DNS_FAILED)
		return SAID_NOTHING;
	while (dns_answer_next(answer, &record))
		if (dns_list_judge(&any, record.data) == DNS_LIST_WRONG)
			return SAID_NONSENSE;
	return answer->status == DNS_FOUND ? SAID_YES : SAID_NO;
}

static void
begin_test(struct resolver *resolver, struct zone *zone)
{
	char name[DNS_LIST_NAME_SIZE];

	zone->testing = true;
	for (enum probe probe = LISTED; probe < PROBES; probe++)
		if (probe_name(zone, probe, name))
			resolver_prefetch(resolver, name, DNS_A);
}

/* False: not all has been said. */
static bool
hear(struct resolver *resolver, const struct zone *zone,
    enum said said_r[PROBES])
{
	unsigned char room[DNS_CODES_SIZE];
	char name[DNS_LIST_NAME_SIZE];

	for (enum probe probe = LISTED; probe < PROBES; probe++) {
		struct dns_answer answer;

		said_r[probe] = SAID_NO;
		if (!probe_name(zone, probe, name))
			continue;
		if (!resolver_peek(
			resolver, name, DNS_A, room, sizeof room, &answer))
			return false;
		said_r[probe] = said_of(&answer);
	}
	return true;
}

/* NULL: it passes. */
static const char *
why_off(const struct zone *zone, const enum said said[PROBES])
{
	if (said[LISTED] == SAID_NOTHING || said[UNLISTED] == SAID_NOTHING)
		return "it does not answer";
	if (said[LISTED] == SAID_NONSENSE || said[UNLISTED] == SAID_NONSENSE)
		return "it gives answers that no list gives";
	if (said[UNLISTED] == SAID_YES)
		return zone->of_names
		    ? "it lists whatever one asks for, even \"invalid\""
		    : "it lists whatever one asks for, even 127.0.0.1";
	if (zone->test_entry && said[LISTED] == SAID_NO)
		return zone->of_names
		    ? "its entry for tests, \"test\", is not there"
		    : "its entry for tests, 127.0.0.2, is not there";
	return NULL;
}

static void
tell(struct zone *zone, const char *why, bool first)
{
	enum outage_news news =
	    outage_note(&zone->outage, why, clock_steady_us() / 1000);

	if (news == OUTAGE_BEGAN)
		log_warning("DNS list %s: %s; it is off until that is mended",
		    zone->name, why);
	else if (news == OUTAGE_ENDED)
		log_info("DNS list %s: it passes its test again, and is on",
		    zone->name);
	else if (why == NULL && first)
		log_info(
		    "DNS list %s: it passes its test, and is on", zone->name);
}

static void
tell_ipv6(struct zone *zone)
{
	if (!zone->of_names && zone->on && !zone->on_ipv6 && !zone->told_ipv6)
		log_info("DNS list %s: it has no entry for tests of IPv6, and "
			 "is not asked for such clients",
		    zone->name);
	zone->told_ipv6 = zone->on && !zone->on_ipv6;
}

/* Where that was not answered all stays as it is, and is asked again soon. */
static void
judge_ipv6(struct zone *zone, const enum said said[PROBES], int64_t now)
{
	bool told = said[LISTED_IPV6] != SAID_NOTHING &&
	    said[UNLISTED_IPV6] != SAID_NOTHING;

	if (zone->on && !told) {
		zone->next_test = now + HEAL_EVERY_S;
		return;
	}
	zone->on_ipv6 = zone->on && said[UNLISTED_IPV6] == SAID_NO &&
	    (said[LISTED_IPV6] == SAID_YES || !zone->test_entry);
	tell_ipv6(zone);
}

/* Whether it is too early to say that a zone does not answer: perhaps nobody does,
 * which is told elsewhere. */
static bool
is_doubtful(struct resolver *resolver, struct zone *zone,
    const enum said said[PROBES], int64_t now)
{
	if (said[LISTED] != SAID_NOTHING && said[UNLISTED] != SAID_NOTHING) {
		zone->misses = 0;
		return false;
	}
	zone->next_test = now + AGAIN_S;
	if (resolver_health(resolver) == RESOLVER_LIVES)
		zone->misses++;
	else
		zone->next_test = now + 1;
	return zone->misses < MISSES_MAX;
}

static void
end_test(struct resolver *resolver, struct zone *zone, int64_t now)
{
	enum said said[PROBES];
	const char *why;
	bool was_on = zone->on;

	if (!hear(resolver, zone, said))
		return;
	zone->testing = false;
	if (is_doubtful(resolver, zone, said, now))
		return;
	why = why_off(zone, said);
	zone->next_test = now + (why == NULL ? TEST_EVERY_S : HEAL_EVERY_S);
	zone->on = why == NULL;
	tell(zone, why, !was_on);
	judge_ipv6(zone, said, now);
}

/* Zones of earlier policies go when their room is needed. */
static struct zone *
add_zone(struct dns_zones *zones, const char *name, bool of_names)
{
	struct zone *zone;

	if (zones->count == ZONES_MAX)
		zones->count = 0;
	zone = &zones->zones[zones->count++];
	*zone = (struct zone){.of_names = of_names};
	strcpy(zone->name, name);
	return zone;
}

static void
tick_zone(struct dns *dns, const struct dnsbl *dnsbl, const char *name)
{
	int64_t now = clock_steady_us() / 1000000;
	bool of_names = dnsbl->of != DNSBL_OF_CLIENT;
	struct zone *zone = find_zone(dns->zones, name, of_names);

	if (zone == NULL)
		zone = add_zone(dns->zones, name, of_names);
	if (zone->test_entry != dnsbl->test_entry) {
		zone->test_entry = dnsbl->test_entry;
		zone->next_test = 0;
	}
	if (!zone->testing && now >= zone->next_test)
		begin_test(dns->resolver, zone);
	if (zone->testing)
		end_test(dns->resolver, zone, now);
}

static void
tick_zones(struct dns *dns, const struct policy *policy)
{
	pthread_mutex_lock(&dns->zones->mutex);
	for (size_t i = 0; i < policy->dnsbl_count; i++)
		for (size_t j = 0; j < policy->dnsbls[i].list_count; j++)
			tick_zone(dns, &policy->dnsbls[i],
			    policy->dnsbls[i].lists[j].zone);
	pthread_mutex_unlock(&dns->zones->mutex);
}

void
dns_tick(struct dns *dns, const struct policy *policy)
{
	const char *const files[GEO_KINDS] = {
	    [GEO_COUNTRY] = policy->settings.geo.country_file,
	    [GEO_ASN] = policy->settings.geo.asn_file};

	if (policy->wants_dns)
		tick_zones(dns, policy);
	geo_tick(dns->geo, files);
}

bool
dns_list_is_on(struct dns *dns, const char *zone, bool of_names, bool of_ipv6)
{
	const struct zone *found;
	bool is_on;

	pthread_mutex_lock(&dns->zones->mutex);
	found = find_zone(dns->zones, zone, of_names);
	is_on = found != NULL && found->on && (!of_ipv6 || found->on_ipv6);
	pthread_mutex_unlock(&dns->zones->mutex);
	return is_on;
}
