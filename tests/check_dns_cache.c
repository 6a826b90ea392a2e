#include "dns/dns_cache.h"

#include <stdio.h>
#include <string.h>

#include "lib/check_main.h"

#define NOON	INT64_C(1000000)
#define CLIENTS 100000

static struct dns_cache *cache;

static void
open_cache(size_t answers, size_t memory)
{
	cache = dns_cache_open(1);
	ck_assert_ptr_nonnull(cache);
	dns_cache_limit(cache, answers, memory);
}

static void
keep(const char *name, enum dns_status status, uint32_t ttl, int64_t now)
{
	unsigned char record[8] = {0, 4, 0, 0, 127, 0, 0, 2};
	struct dns_answer answer = {.status = status, .ttl = ttl};
	struct dns_entry *entry = dns_cache_find(cache, name, DNS_A, true);

	if (status == DNS_FOUND) {
		answer.count = 1;
		answer.data = record;
		answer.length = sizeof record;
	}
	ck_assert_ptr_nonnull(entry);
	dns_cache_keep(cache, entry, &answer, now);
}

static const struct {
	const char *when;
	uint32_t ttl;
	int64_t after;
	bool fresh;
	enum dns_status status;
} lives[] = {
    {"a new answer serves", 300, 0, true, DNS_FOUND},
    {"until its time is over", 300, 299, true, DNS_FOUND},
    {"then it is asked anew, and serves until that is there", 300, 300, false,
	DNS_FOUND},
    {"but not beyond an hour", 300, 3600, false, DNS_FAILED},
    {"a life of nothing is a minute", 0, 59, true, DNS_FOUND},
    {"and no more", 0, 60, false, DNS_FOUND},
    {"a life of a week is an hour", 604800, 3599, true, DNS_FOUND},
    {"and no more", 604800, 3600, false, DNS_FAILED},
};

START_TEST(test_life)
{
	struct dns_entry *entry;

	open_cache(10, 10000);
	keep("a.example", DNS_FOUND, lives[_i].ttl, NOON);
	entry = dns_cache_find(cache, "a.example", DNS_A, false);
	ck_assert_msg(dns_entry_is_fresh(entry, NOON + lives[_i].after) ==
		lives[_i].fresh,
	    "%s", lives[_i].when);
	ck_assert_msg(dns_entry_answer(entry, NOON + lives[_i].after).status ==
		lives[_i].status,
	    "%s", lives[_i].when);
	dns_cache_close(&cache);
}
END_TEST

START_TEST(a_failure_does_not_replace_what_serves)
{
	struct dns_entry *entry;

	open_cache(10, 10000);
	keep("a.example", DNS_FOUND, 60, NOON);
	keep("a.example", DNS_FAILED, 30, NOON + 60);
	entry = dns_cache_find(cache, "a.example", DNS_A, false);
	ck_assert(dns_entry_is_fresh(entry, NOON + 89));
	ck_assert(!dns_entry_is_fresh(entry, NOON + 90));
	ck_assert_int_eq(dns_entry_answer(entry, NOON + 89).status, DNS_FOUND);
	dns_cache_close(&cache);
}
END_TEST

START_TEST(types_are_apart)
{
	open_cache(10, 10000);
	keep("a.example", DNS_FOUND, 60, NOON);
	ck_assert_ptr_null(dns_cache_find(cache, "a.example", DNS_TXT, false));
	dns_cache_close(&cache);
}
END_TEST

START_TEST(the_least_lately_used_goes_first)
{
	open_cache(2, 10000);
	keep("a.example", DNS_FOUND, 60, NOON);
	keep("b.example", DNS_FOUND, 60, NOON);
	(void)dns_cache_find(cache, "a.example", DNS_A, false);
	keep("c.example", DNS_FOUND, 60, NOON);
	ck_assert_uint_eq(dns_cache_count(cache), 2);
	ck_assert_ptr_nonnull(dns_cache_find(cache, "a.example", DNS_A, false));
	ck_assert_ptr_null(dns_cache_find(cache, "b.example", DNS_A, false));
	dns_cache_close(&cache);
}
END_TEST

START_TEST(an_open_question_stays)
{
	struct dns_entry *entry;

	open_cache(1, 10000);
	entry = dns_cache_find(cache, "a.example", DNS_A, true);
	entry->asking = true;
	ck_assert_ptr_null(dns_cache_find(cache, "b.example", DNS_A, true));
	ck_assert_ptr_eq(
	    dns_cache_find(cache, "a.example", DNS_A, false), entry);
	dns_cache_close(&cache);
}
END_TEST

START_TEST(octets_are_bounded)
{
	char name[40];

	open_cache(CLIENTS, 64 * 1024);
	for (int i = 0; i < 10000; i++) {
		(void)snprintf(name, sizeof name, "%d.list.example", i);
		keep(name, DNS_FOUND, 60, NOON);
	}
	ck_assert_uint_gt(dns_cache_count(cache), 100);
	ck_assert_uint_lt(dns_cache_count(cache), 1000);
	dns_cache_close(&cache);
}
END_TEST

/* What a large site needs; the figure stands in the manual page. */
START_TEST(many_clients_fit_into_the_default)
{
	char name[60];
	size_t octets;

	open_cache(CLIENTS, 32 * 1048576);
	for (int i = 0; i < CLIENTS; i++) {
		(void)snprintf(name, sizeof name,
		    "%d.%d.51.198.zen.list.example", i % 256, i / 256);
		keep(name, i % 10 == 0 ? DNS_FOUND : DNS_NOTHING, 60, NOON);
	}
	octets = dns_cache_octets(cache);
	printf("%d answers: %zu octets, %zu each\n", CLIENTS, octets,
	    octets / CLIENTS);
	ck_assert_uint_eq(dns_cache_count(cache), CLIENTS);
	ck_assert_uint_lt(octets / CLIENTS, 200);
	dns_cache_close(&cache);
}
END_TEST

CHECK_MAIN("dns_cache", tcase)
{
	tcase_add_loop_test(tcase, test_life, 0, COUNT(lives));
	tcase_add_test(tcase, a_failure_does_not_replace_what_serves);
	tcase_add_test(tcase, types_are_apart);
	tcase_add_test(tcase, the_least_lately_used_goes_first);
	tcase_add_test(tcase, an_open_question_stays);
	tcase_add_test(tcase, octets_are_bounded);
	tcase_add_test(tcase, many_clients_fit_into_the_default);
}
