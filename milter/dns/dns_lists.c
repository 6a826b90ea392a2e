#include "dns/dns_lists.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/outage.h"
#include "mail/netaddr.h"

#define ZONES_MAX    128 /* of all policies in use */
#define ROOM	     512 /* for the codes of one answer */
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

struct dns_lists {
	struct resolver *resolver;
	pthread_mutex_t mutex; /* guards the rest */
	struct zone zones[ZONES_MAX];
	size_t count;
};

struct dns_lists *
dns_lists_open(struct resolver *resolver)
{
	struct dns_lists *lists = calloc(1, sizeof *lists);

	if (lists == NULL)
		return NULL;
	lists->resolver = resolver;
	(void)pthread_mutex_init(&lists->mutex, NULL);
	return lists;
}

void
dns_lists_close(struct dns_lists **lists)
{
	if (*lists == NULL)
		return;
	(void)pthread_mutex_destroy(&(*lists)->mutex);
	free(*lists);
	*lists = NULL;
}

static struct zone *
find_zone(struct dns_lists *lists, const char *name, bool of_names)
{
	for (size_t i = 0; i < lists->count; i++)
		if (lists->zones[i].of_names == of_names &&
		    strcmp(lists->zones[i].name, name) == 0)
			return &lists->zones[i];
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
begin_test(struct dns_lists *lists, struct zone *zone)
{
	char name[DNS_LIST_NAME_SIZE];

	zone->testing = true;
	for (enum probe probe = LISTED; probe < PROBES; probe++)
		if (probe_name(zone, probe, name))
			resolver_prefetch(lists->resolver, name, DNS_A);
}

/* False: not all has been said. */
static bool
hear(struct dns_lists *lists, const struct zone *zone, enum said said_r[PROBES])
{
	unsigned char room[ROOM];
	char name[DNS_LIST_NAME_SIZE];

	for (enum probe probe = LISTED; probe < PROBES; probe++) {
		struct dns_answer answer;

		said_r[probe] = SAID_NO;
		if (!probe_name(zone, probe, name))
			continue;
		if (!resolver_peek(lists->resolver, name, DNS_A, room,
			sizeof room, &answer))
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
is_doubtful(struct dns_lists *lists, struct zone *zone,
    const enum said said[PROBES], int64_t now)
{
	if (said[LISTED] != SAID_NOTHING && said[UNLISTED] != SAID_NOTHING) {
		zone->misses = 0;
		return false;
	}
	zone->next_test = now + AGAIN_S;
	if (resolver_health(lists->resolver) == RESOLVER_LIVES)
		zone->misses++;
	else
		zone->next_test = now + 1;
	return zone->misses < MISSES_MAX;
}

static void
end_test(struct dns_lists *lists, struct zone *zone, int64_t now)
{
	enum said said[PROBES];
	const char *why;
	bool was_on = zone->on;

	if (!hear(lists, zone, said))
		return;
	zone->testing = false;
	if (is_doubtful(lists, zone, said, now))
		return;
	why = why_off(zone, said);
	zone->next_test = now + (why == NULL ? TEST_EVERY_S : HEAL_EVERY_S);
	zone->on = why == NULL;
	tell(zone, why, !was_on);
	judge_ipv6(zone, said, now);
}

/* Zones of earlier policies go when their room is needed. */
static struct zone *
add_zone(struct dns_lists *lists, const char *name, bool of_names)
{
	struct zone *zone;

	if (lists->count == ZONES_MAX)
		lists->count = 0;
	zone = &lists->zones[lists->count++];
	*zone = (struct zone){.of_names = of_names};
	strcpy(zone->name, name);
	return zone;
}

static void
tick_zone(struct dns_lists *lists, const struct dnsbl *dnsbl, const char *name)
{
	int64_t now = clock_steady_us() / 1000000;
	bool of_names = dnsbl->of != DNSBL_OF_CLIENT;
	struct zone *zone = find_zone(lists, name, of_names);

	if (zone == NULL)
		zone = add_zone(lists, name, of_names);
	if (zone->test_entry != dnsbl->test_entry) {
		zone->test_entry = dnsbl->test_entry;
		zone->next_test = 0;
	}
	if (!zone->testing && now >= zone->next_test)
		begin_test(lists, zone);
	if (zone->testing)
		end_test(lists, zone, now);
}

void
dns_lists_tick(struct dns_lists *lists, const struct policy *policy)
{
	if (!policy->wants_dns)
		return;
	pthread_mutex_lock(&lists->mutex);
	for (size_t i = 0; i < policy->dnsbl_count; i++)
		for (size_t j = 0; j < policy->dnsbls[i].list_count; j++)
			tick_zone(lists, &policy->dnsbls[i],
			    policy->dnsbls[i].lists[j].zone);
	pthread_mutex_unlock(&lists->mutex);
}

/* ---- Who is asked about */

/* Addresses that no list has (RFC 6890). */
static const struct network private_networks[] = {
    {{{0}, 4}, 8},
    {{{10}, 4}, 8},
    {{{100, 64}, 4}, 10},
    {{{127}, 4}, 8},
    {{{169, 254}, 4}, 16},
    {{{172, 16}, 4}, 12},
    {{{192, 168}, 4}, 16},
    {{{224}, 4}, 3},
    {{{0}, 16}, 96},
    {{{0xfc}, 16}, 7},
    {{{0xfe, 0x80}, 16}, 10},
    {{{0xff}, 16}, 8},
};

static bool
is_private(const struct netaddr *address)
{
	const size_t count =
	    sizeof private_networks / sizeof private_networks[0];

	for (size_t i = 0; i < count; i++)
		if (network_contains(&private_networks[i], address))
			return true;
	return false;
}

/* What a section asks for: whether that is known, and whether there is anything
 * to ask for. */
struct subject {
	bool known;
	const struct netaddr *address; /* or */
	const char *name;	       /* NULL both: nothing */
};

static struct subject
subject_of(const struct dnsbl *dnsbl, const struct facts *facts)
{
	struct subject subject = {.known = true};

	switch (dnsbl->of) {
	case DNSBL_OF_CLIENT:
		if (!is_private(&facts->client))
			subject.address = &facts->client;
		break;
	case DNSBL_OF_CLIENT_NAME:
		subject.known = facts->name_certainty == FACT_KNOWN;
		subject.name = facts->name;
		break;
	case DNSBL_OF_HELO:
		subject.known = facts->helo_certainty == FACT_KNOWN;
		subject.name = facts->helo;
		break;
	case DNSBL_OF_SENDER_DOMAIN:
		subject.name = facts->null_sender ? NULL : facts->sender_domain;
		break;
	}
	return subject;
}

/* False: there is nothing to ask for. */
static bool
name_of(const struct subject *subject, const char *zone,
    char name_r[DNS_LIST_NAME_SIZE])
{
	if (subject->address != NULL) {
		dns_list_name_of_address(subject->address, zone, name_r);
		return true;
	}
	return subject->name != NULL &&
	    dns_list_name_of_domain(subject->name, zone, name_r);
}

static bool
is_on(struct dns_lists *lists, const struct dnsbl *dnsbl, const char *name,
    const struct subject *subject)
{
	const struct zone *zone;
	bool on;

	pthread_mutex_lock(&lists->mutex);
	zone = find_zone(lists, name, dnsbl->of != DNSBL_OF_CLIENT);
	on = zone != NULL && zone->on;
	if (on && subject->address != NULL && subject->address->length == 16)
		on = zone->on_ipv6;
	pthread_mutex_unlock(&lists->mutex);
	return on;
}

/* Whether an earlier list of the section is of the same zone. */
static bool
is_again(const struct dnsbl *dnsbl, size_t place)
{
	for (size_t i = 0; i < place; i++)
		if (strcmp(dnsbl->lists[i].zone, dnsbl->lists[place].zone) == 0)
			return true;
	return false;
}

void
dns_lists_ask(struct dns_lists *lists, const struct policy *policy,
    const struct facts *facts, unsigned of)
{
	char name[DNS_LIST_NAME_SIZE];

	for (size_t i = 0; i < policy->dnsbl_count; i++) {
		const struct dnsbl *dnsbl = &policy->dnsbls[i];
		struct subject subject;

		if ((of >> dnsbl->of & 1U) == 0)
			continue;
		subject = subject_of(dnsbl, facts);

		for (size_t j = 0; subject.known && j < dnsbl->list_count; j++)
			if (!is_again(dnsbl, j) &&
			    name_of(&subject, dnsbl->lists[j].zone, name) &&
			    is_on(lists, dnsbl, dnsbl->lists[j].zone, &subject))
				resolver_prefetch(lists->resolver, name, DNS_A);
	}
}

/* ---- What they say */

/* Of one zone, for all lists of it. */
struct verdict {
	bool known;
	bool pending;
	struct dns_answer answer;
	unsigned char room[ROOM];
};

static void
hear_zone(struct dns_lists *lists, const struct dnsbl *dnsbl, const char *zone,
    const struct subject *subject, struct verdict *verdict_r)
{
	char name[DNS_LIST_NAME_SIZE];

	verdict_r->known = verdict_r->pending = false;
	verdict_r->answer = (struct dns_answer){.status = DNS_NOTHING};
	if (!subject->known)
		return;
	if (!name_of(subject, zone, name)) {
		verdict_r->known = true; /* what is not there is not listed */
		return;
	}
	if (!is_on(lists, dnsbl, zone, subject))
		return;
	verdict_r->pending = !resolver_peek(lists->resolver, name, DNS_A,
	    verdict_r->room, ROOM, &verdict_r->answer);
	verdict_r->known = verdict_r->answer.status != DNS_FAILED;
	/* What serves until the new answer is there. */
	if (verdict_r->known)
		verdict_r->pending = false;
}

static enum dns_list_code
judge_list(const struct dns_list *list, struct dns_answer answer)
{
	enum dns_list_code found = DNS_LIST_NO_MATCH;
	struct dns_record record;

	while (dns_answer_next(&answer, &record)) {
		enum dns_list_code code = dns_list_judge(list, record.data);

		if (code > found)
			found = code;
	}
	return found;
}

static int64_t
positive(int weight)
{
	return weight > 0 ? weight : 0;
}

static int64_t
negative(int weight)
{
	return weight < 0 ? weight : 0;
}

/* Add all lists of the zone of the list at `place`. */
static void
add_zone_to_sum(const struct dnsbl *dnsbl, size_t place,
    const struct verdict *verdict, struct dnsbl_sum *sum)
{
	bool good = false, bad = false, may_good = false, may_bad = false;

	for (size_t i = place; i < dnsbl->list_count; i++) {
		const struct dns_list *list = &dnsbl->lists[i];
		enum dns_list_code code;

		if (strcmp(list->zone, dnsbl->lists[place].zone) != 0)
			continue;
		code = verdict->known ? judge_list(list, verdict->answer)
				      : DNS_LIST_WRONG;
		if (code == DNS_LIST_NO_MATCH)
			continue;
		may_good = may_good || list->weight < 0;
		may_bad = may_bad || list->weight > 0;
		if (code == DNS_LIST_MATCH) {
			good = good || list->weight < 0;
			bad = bad || list->weight > 0;
			sum->least += list->weight;
			sum->most += list->weight;
		} else {
			sum->least += negative(list->weight);
			sum->most += positive(list->weight);
		}
	}
	sum->good += good;
	sum->bad += bad;
	sum->most_good += may_good;
	sum->most_bad += may_bad;
	sum->pending = sum->pending || verdict->pending;
}

bool
dns_lists_read(struct dns_lists *lists, const struct policy *policy,
    const struct facts *facts, struct dnsbl_sum *sums_r)
{
	bool pending = false;

	for (size_t i = 0; i < policy->dnsbl_count; i++) {
		const struct dnsbl *dnsbl = &policy->dnsbls[i];
		struct subject subject = subject_of(dnsbl, facts);
		struct dnsbl_sum *sum = &sums_r[i];

		*sum = (struct dnsbl_sum){.needed = dnsbl->alone ? 1 : 2};
		for (size_t j = 0; j < dnsbl->list_count; j++) {
			struct verdict verdict;

			if (is_again(dnsbl, j))
				continue;
			hear_zone(lists, dnsbl, dnsbl->lists[j].zone, &subject,
			    &verdict);
			add_zone_to_sum(dnsbl, j, &verdict, sum);
		}
		pending = pending || sum->pending;
	}
	return !pending;
}
