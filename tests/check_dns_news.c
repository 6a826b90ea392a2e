#include "dns/dns_answer.h"

#include <stdlib.h>
#include <string.h>

#include "lib/check_main.h"

#define ROOM 4096

static const unsigned char address[] = {0, 4, 0, 0, 127, 0, 0, 2};
static const unsigned char pointer[] = {0, 3, 0, 0, 'a', '.', '\0'};
static const unsigned char unended[] = {0, 3, 0, 0, 'a', '.', 'b'};
static const unsigned char too_long[] = {255, 255, 0, 0, 1, 2, 3, 4};
static const unsigned char short_address[] = {0, 3, 0, 0, 127, 0, 0};

static const struct {
	const char *when;
	enum dns_type type;
	struct dns_answer answer;
	bool is_read;
} rows[] = {
    {"an address", DNS_A, {DNS_FOUND, 1, address, sizeof address, 300}, true},
    {"a name", DNS_PTR, {DNS_FOUND, 1, pointer, sizeof pointer, 60}, true},
    {"nothing", DNS_A, {DNS_NOTHING, 0, NULL, 0, 4000000000U}, true},
    {"a failure is no news", DNS_A, {DNS_FAILED, 0, NULL, 0, 1}, false},
    {"more records than there are", DNS_A,
	{DNS_FOUND, 2, address, sizeof address, 1}, false},
    {"fewer", DNS_A, {DNS_FOUND, 0, address, sizeof address, 1}, false},
    {"a record beyond the end", DNS_TXT,
	{DNS_FOUND, 1, too_long, sizeof too_long, 1}, false},
    {"an address that is none", DNS_A,
	{DNS_FOUND, 1, short_address, sizeof short_address, 1}, false},
    {"a name without its end", DNS_PTR,
	{DNS_FOUND, 1, unended, sizeof unended, 1}, false},
    {"a type that nobody asks for", (enum dns_type)255,
	{DNS_FOUND, 1, address, sizeof address, 1}, false},
};

START_TEST(what_is_put_is_read)
{
	unsigned char room[ROOM];
	const unsigned char *bytes = room;
	const struct dns_answer *answer = &rows[_i].answer;
	struct dns_news news;
	size_t used = 0;
	bool is_read;

	ck_assert(dns_news_put(
	    room, sizeof room, &used, "x.example", rows[_i].type, answer));
	is_read = dns_news_next(&bytes, &used, &news);
	ck_assert_msg(is_read == rows[_i].is_read, "%s", rows[_i].when);
	if (!is_read)
		return;
	ck_assert_str_eq(news.name, "x.example");
	ck_assert(news.type == rows[_i].type);
	ck_assert(news.answer.status == answer->status);
	ck_assert_uint_eq(news.answer.ttl, answer->ttl);
	ck_assert_uint_eq(news.answer.length, answer->length);
	ck_assert_uint_eq(used, 0);
}
END_TEST

START_TEST(a_full_room_takes_no_more)
{
	unsigned char room[100];
	struct dns_answer answer = {DNS_FOUND, 1, address, sizeof address, 300};
	struct dns_news news;
	const unsigned char *bytes = room;
	size_t used = 0, count = 0, seen = 0;

	while (
	    dns_news_put(room, sizeof room, &used, "x.example", DNS_A, &answer))
		count++;
	ck_assert_uint_eq(count, 3);
	while (dns_news_next(&bytes, &used, &news))
		seen++;
	ck_assert_uint_eq(seen, 3);
}
END_TEST

/* Under a sanitizer this is worth something. */
START_TEST(garbage_is_read_with_care)
{
	unsigned char room[200];
	struct dns_answer answer = {DNS_FOUND, 1, pointer, sizeof pointer, 300};

	srand(1);
	for (int i = 0; i < 20000; i++) {
		const unsigned char *bytes = room;
		struct dns_news news;
		size_t used = 0;

		while (dns_news_put(
		    room, sizeof room, &used, "x.example", DNS_PTR, &answer))
			continue;
		for (int j = 0; j < 4; j++)
			room[(size_t)rand() % used] = (unsigned char)rand();
		used = (size_t)rand() % (used + 1);
		while (dns_news_next(&bytes, &used, &news))
			ck_assert(strlen(news.name) < DNS_NAME_SIZE);
	}
}
END_TEST

CHECK_MAIN("dns_news", tcase)
{
	tcase_add_loop_test(tcase, what_is_put_is_read, 0, COUNT(rows));
	tcase_add_test(tcase, a_full_room_takes_no_more);
	tcase_add_test(tcase, garbage_is_read_with_care);
}
