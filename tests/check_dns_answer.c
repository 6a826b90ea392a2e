#include "dns/dns_answer.h"

#include <string.h>

#include "lib/check_main.h"

#define NAME "a.example"
#define TTL  UINT32_C(300)

/* A message that grows as a server would write it. */
static struct {
	unsigned char octets[16384];
	size_t length;
} message;

static void
put(const void *data, size_t length)
{
	memcpy(message.octets + message.length, data, length);
	message.length += length;
}

static void
put_short(unsigned number)
{
	put((unsigned char[]){(unsigned char)(number >> 8),
		(unsigned char)number},
	    2);
}

static void
put_name(const char *name)
{
	while (*name != '\0') {
		size_t length = strcspn(name, ".");

		put(&(unsigned char){(unsigned char)length}, 1);
		put(name, length);
		name += length + (name[length] == '.');
	}
	put("", 1);
}

static void
begin(unsigned rcode, unsigned answers, unsigned authorities)
{
	message.length = 0;
	put_short(4711);
	put_short(0x8180 | rcode);
	put_short(1);
	put_short(answers);
	put_short(authorities);
	put_short(0);
	put_name("A.Example");
	put_short(DNS_A);
	put_short(1);
}

static void
put_head(const char *owner, unsigned type, uint32_t ttl, size_t length)
{
	if (owner == NULL)
		put("\xc0\x0c", 2); /* the name in the question */
	else
		put_name(owner);
	put_short(type);
	put_short(1);
	put_short(ttl >> 16);
	put_short(ttl & 0xffff);
	put_short((unsigned)length);
}

static void
put_address(const char *owner, uint32_t ttl, unsigned char last)
{
	put_head(owner, DNS_A, ttl, 4);
	put((unsigned char[]){127, 0, 0, last}, 4);
}

static void
put_alias(const char *owner, uint32_t ttl, const char *target)
{
	put_head(owner, 5, ttl, strlen(target) + 2);
	put_name(target);
}

static void
put_soa(uint32_t ttl, uint32_t minimum)
{
	put_head("example", 6, ttl, 22);
	put("\0\0", 2); /* root names */
	put("\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4", 16);
	put_short(minimum >> 16);
	put_short(minimum & 0xffff);
}

static unsigned char room[DNS_DATA_MAX];
static struct dns_answer answer;

static void
read_as(enum dns_type type)
{
	dns_answer_read(
	    message.octets, message.length, NAME, type, room, &answer);
}

static void
has_addresses(const char *lasts)
{
	struct dns_record record;

	ck_assert_int_eq(answer.status, DNS_FOUND);
	ck_assert_uint_eq(answer.count, strlen(lasts));
	for (; dns_answer_next(&answer, &record); lasts++) {
		ck_assert_uint_eq(record.length, 4);
		ck_assert_int_eq(record.data[3], *lasts);
	}
	ck_assert_int_eq(*lasts, '\0');
}

START_TEST(all_addresses_of_the_name_are_read)
{
	begin(0, 3, 0);
	put_address(NULL, TTL, 2);
	put_address("b.example", 1, 9);
	put_address("A.EXAMPLE", TTL + 1, 4);
	read_as(DNS_A);
	has_addresses("\2\4");
	ck_assert_uint_eq(answer.ttl, TTL);
}
END_TEST

START_TEST(aliases_are_followed_in_any_order)
{
	begin(0, 3, 0);
	put_address("c.example", TTL, 2);
	put_alias(NULL, 60, "b.example");
	put_alias("b.example", TTL, "c.example");
	read_as(DNS_A);
	has_addresses("\2");
	ck_assert_uint_eq(answer.ttl, 60);
}
END_TEST

START_TEST(aliases_in_a_circle_end)
{
	begin(0, 2, 0);
	put_alias(NULL, TTL, "b.example");
	put_alias("b.example", TTL, "a.example");
	read_as(DNS_A);
	ck_assert_int_eq(answer.status, DNS_FAILED);
}
END_TEST

START_TEST(no_name_holds_as_long_as_the_zone_says)
{
	begin(3, 0, 1);
	put_soa(900, 120);
	read_as(DNS_A);
	ck_assert_int_eq(answer.status, DNS_NOTHING);
	ck_assert_uint_eq(answer.ttl, 120);
	begin(0, 0, 1);
	put_soa(90, 120);
	read_as(DNS_A);
	ck_assert_int_eq(answer.status, DNS_NOTHING);
	ck_assert_uint_eq(answer.ttl, 90);
}
END_TEST

START_TEST(a_failure_is_no_answer)
{
	begin(2, 0, 0);
	read_as(DNS_A);
	ck_assert_int_eq(answer.status, DNS_FAILED);
	begin(5, 1, 0);
	put_address(NULL, TTL, 2);
	read_as(DNS_A);
	ck_assert_int_eq(answer.status, DNS_FAILED);
}
END_TEST

START_TEST(a_message_that_is_cut_anywhere_is_no_listing)
{
	size_t whole;

	begin(0, 1, 0);
	put_address(NULL, TTL, 2);
	whole = message.length;
	for (message.length = 0; message.length < whole; message.length++) {
		read_as(DNS_A);
		ck_assert_int_eq(answer.status, DNS_FAILED);
	}
}
END_TEST

START_TEST(an_address_of_another_length_is_garbage)
{
	begin(0, 1, 0);
	put_head(NULL, DNS_A, TTL, 3);
	put("\177\0\0", 3);
	read_as(DNS_A);
	ck_assert_int_eq(answer.status, DNS_FAILED);
}
END_TEST

START_TEST(a_name_that_points_to_itself_is_garbage)
{
	begin(0, 1, 0);
	put((unsigned char[]){0xc0, (unsigned char)message.length}, 2);
	put("\0\1\0\1\0\0\1\0\0\4\177\0\0\2", 14);
	read_as(DNS_A);
	ck_assert_int_eq(answer.status, DNS_FAILED);
}
END_TEST

START_TEST(a_text_is_its_strings_put_together)
{
	struct dns_record record;

	begin(0, 1, 0);
	put_head(NULL, DNS_TXT, TTL, 10);
	put("\4v=sp\4f1 -", 10);
	read_as(DNS_TXT);
	ck_assert(dns_answer_next(&answer, &record));
	ck_assert_uint_eq(record.length, 8);
	ck_assert_int_eq(memcmp(record.data, "v=spf1 -", 8), 0);
}
END_TEST

/* Some domains have many, and long ones. */
START_TEST(texts_of_no_use_take_no_room)
{
	struct dns_record record;

	begin(0, 3, 0);
	put_head(NULL, DNS_TXT, TTL, 25 * 256);
	for (int i = 0; i < 25; i++) {
		put("\377", 1);
		put(&room, 255);
	}
	put_head(NULL, DNS_TXT, TTL, 12);
	put("\13V=spf1 -all", 12);
	put_head(NULL, DNS_TXT, TTL, 1);
	put("", 1);
	read_as(DNS_TXT);
	ck_assert_uint_eq(answer.count, 1);
	ck_assert(dns_answer_next(&answer, &record));
	ck_assert_int_eq(memcmp(record.data, "V=spf1 -all", 11), 0);
	begin(0, 1, 0);
	put_head(NULL, DNS_TXT, TTL, 6);
	put("\5other", 6);
	read_as(DNS_TXT);
	ck_assert_int_eq(answer.status, DNS_NOTHING);
	ck_assert_uint_eq(answer.ttl, TTL);
}
END_TEST

START_TEST(what_contradicts_itself_tells_nothing)
{
	begin(3, 1, 0);
	put_address(NULL, TTL, 2);
	read_as(DNS_A);
	ck_assert_int_eq(answer.status, DNS_FAILED);
}
END_TEST

START_TEST(what_is_cut_off_tells_nothing)
{
	begin(0, 1, 0);
	put_address(NULL, TTL, 2);
	message.octets[2] |= 2;
	read_as(DNS_A);
	ck_assert_int_eq(answer.status, DNS_FAILED);
}
END_TEST

/* A server that does not know, and names others (RFC 2308 2.2). */
START_TEST(a_referral_is_no_answer)
{
	begin(0, 0, 1);
	put_head("example", 2, TTL, 12);
	put_name("ns.example");
	read_as(DNS_A);
	ck_assert_int_eq(answer.status, DNS_FAILED);
	begin(0, 0, 2);
	put_head("example", 2, TTL, 12);
	put_name("ns.example");
	put_soa(900, 120);
	read_as(DNS_A);
	ck_assert_int_eq(answer.status, DNS_NOTHING);
	begin(0, 1, 1);
	put_address(NULL, TTL, 2);
	put_head("example", 2, TTL, 12);
	put_name("ns.example");
	read_as(DNS_A);
	ck_assert_int_eq(answer.status, DNS_FOUND);
}
END_TEST

/* Servers name themselves beside an answer, also where nobody can use that one. */
START_TEST(a_name_of_no_use_is_no_referral)
{
	begin(0, 1, 1);
	put_head(NULL, DNS_MX, TTL, 6);
	put("\0\12\1\xe4\xc0\x0c", 6);
	put_head("example", 2, TTL, 12);
	put_name("ns.example");
	read_as(DNS_MX);
	ck_assert_int_eq(answer.status, DNS_NOTHING);
	ck_assert_uint_eq(answer.ttl, TTL);
}
END_TEST

START_TEST(a_mail_exchanger_has_name_and_preference)
{
	struct dns_record record;

	begin(0, 1, 0);
	put_head(NULL, DNS_MX, TTL, 7);
	put("\0\12\2Mx\xc0\x0c", 7);
	read_as(DNS_MX);
	ck_assert(dns_answer_next(&answer, &record));
	ck_assert_str_eq((const char *)record.data, "mx.a.example");
	ck_assert_uint_eq(record.preference, 10);
}
END_TEST

START_TEST(more_than_there_is_room_for_is_no_answer)
{
	begin(0, 2100, 0);
	for (int i = 0; i < 240; i++)
		put_address(NULL, TTL, 2);
	message.octets[6] = 0;
	message.octets[7] = 240;
	read_as(DNS_A);
	ck_assert_uint_eq(answer.count, 240);
}
END_TEST

CHECK_MAIN("dns_answer", tcase)
{
	tcase_add_test(tcase, all_addresses_of_the_name_are_read);
	tcase_add_test(tcase, aliases_are_followed_in_any_order);
	tcase_add_test(tcase, aliases_in_a_circle_end);
	tcase_add_test(tcase, no_name_holds_as_long_as_the_zone_says);
	tcase_add_test(tcase, a_failure_is_no_answer);
	tcase_add_test(tcase, a_message_that_is_cut_anywhere_is_no_listing);
	tcase_add_test(tcase, an_address_of_another_length_is_garbage);
	tcase_add_test(tcase, a_name_that_points_to_itself_is_garbage);
	tcase_add_test(tcase, a_text_is_its_strings_put_together);
	tcase_add_test(tcase, texts_of_no_use_take_no_room);
	tcase_add_test(tcase, what_contradicts_itself_tells_nothing);
	tcase_add_test(tcase, what_is_cut_off_tells_nothing);
	tcase_add_test(tcase, a_referral_is_no_answer);
	tcase_add_test(tcase, a_name_of_no_use_is_no_referral);
	tcase_add_test(tcase, a_mail_exchanger_has_name_and_preference);
	tcase_add_test(tcase, more_than_there_is_room_for_is_no_answer);
}
