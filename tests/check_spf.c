#include "dns/spf.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "lib/check_main.h"
#include "lib/table.h"

#define RECORDS_MAX 200
#define FIELD_SIZE  2048
#define ALIASES_MAX 8

/* What the names of a suite have. */
struct zone_record {
	char name[FIELD_SIZE];
	char type[8];
	char value[FIELD_SIZE];
	size_t length;
};

static struct {
	struct zone_record records[RECORDS_MAX];
	size_t count;
	unsigned char room[DNS_DATA_MAX];
	char about[FIELD_SIZE];
	size_t cases, questions;
} zone;

/* ---- Answers */

static void
put(struct dns_answer *answer, const void *data, size_t length,
    unsigned preference)
{
	unsigned char *out = zone.room + answer->length;

	ck_assert_uint_le(answer->length + length + 4, DNS_DATA_MAX);
	out[0] = (unsigned char)(length >> 8);
	out[1] = (unsigned char)length;
	out[2] = (unsigned char)(preference >> 8);
	out[3] = (unsigned char)preference;
	memcpy(out + 4, data, length);
	answer->length += length + 4;
	answer->count++;
	answer->status = DNS_FOUND;
	answer->data = zone.room;
}

static void
put_host(struct dns_answer *answer, const char *host, unsigned preference)
{
	char name[DNS_NAME_SIZE];

	(void)snprintf(name, sizeof name, "%s", host);
	ascii_lower_all(name);
	if (name[0] != '\0' && name[strlen(name) - 1] == '.')
		name[strlen(name) - 1] = '\0';
	put(answer, name, strlen(name) + 1, preference);
}

static void
put_record(struct dns_answer *answer, const struct zone_record *record,
    enum dns_type type)
{
	unsigned char octets[16];
	char *host;
	unsigned long preference;

	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		ck_assert_int_eq(inet_pton(type == DNS_A ? AF_INET : AF_INET6,
				     record->value, octets),
		    1);
		put(answer, octets, type == DNS_A ? 4 : 16, 0);
		break;
	case DNS_MX:
		preference = strtoul(record->value, &host, 10);
		put_host(answer, host + 1, (unsigned)preference);
		break;
	case DNS_PTR:
		put_host(answer, record->value, 0);
		break;
	default:
		put(answer, record->value, record->length, 0);
	}
}

static const char *
type_name(enum dns_type type)
{
	switch (type) {
	case DNS_A:
		return "A";
	case DNS_AAAA:
		return "AAAA";
	case DNS_MX:
		return "MX";
	case DNS_PTR:
		return "PTR";
	default:
		return "TXT";
	}
}

/* The only record of that kind, or NULL. */
static const struct zone_record *
find(const char *name, const char *type)
{
	for (size_t i = 0; i < zone.count; i++)
		if (strcmp(zone.records[i].name, name) == 0 &&
		    strcmp(zone.records[i].type, type) == 0)
			return &zone.records[i];
	return NULL;
}

static struct dns_answer
look_up(const char *asked, enum dns_type type)
{
	struct dns_answer answer = {.status = DNS_NOTHING};
	const struct zone_record *alias;
	char name[FIELD_SIZE];
	int aliases = 0;

	(void)snprintf(name, sizeof name, "%s", asked);
	for (; (alias = find(name, "CNAME")) != NULL; aliases++) {
		if (aliases == ALIASES_MAX)
			return (struct dns_answer){.status = DNS_FAILED};
		(void)snprintf(name, sizeof name, "%s", alias->value);
		ascii_lower_all(name);
		if (name[strlen(name) - 1] == '.')
			name[strlen(name) - 1] = '\0';
	}
	for (size_t i = 0; i < zone.count; i++)
		if (strcmp(zone.records[i].name, name) == 0 &&
		    strcmp(zone.records[i].type, type_name(type)) == 0)
			put_record(&answer, &zone.records[i], type);
	if (answer.status == DNS_NOTHING && find(name, "TIMEOUT") != NULL)
		answer.status = DNS_FAILED;
	return answer;
}

/* A name has to be one that a resolver takes. */
static void
check_name(const char *name)
{
	size_t label = 0;

	ck_assert_uint_le(strlen(name), SPF_NAME_MAX);
	for (; *name != '\0'; name++) {
		ck_assert(*name >= ' ' && *name <= '~' && *name != '\\');
		ck_assert_int_eq(*name, ascii_lower(*name));
		ck_assert(*name != '.' || label > 0);
		label = *name == '.' ? 0 : label + 1;
		ck_assert_uint_le(label, 63);
	}
	ck_assert_uint_gt(label, 0);
}

/* What the tests have to know of it. */
static struct {
	size_t count;
	char names[FIELD_SIZE];
} foreseen;

static void
note_foreseen(void *arg, const char *name, enum dns_type type)
{
	(void)arg;
	check_name(name);
	foreseen.count++;
	if (strlen(foreseen.names) + strlen(name) + 8 < FIELD_SIZE) {
		strcat(foreseen.names, name);
		strcat(foreseen.names, type == DNS_TXT ? "/TXT " : " ");
	}
}

static enum spf_result
check_host(const char *client, const char *sender, const char *helo)
{
	struct spf *spf = malloc(sizeof *spf);
	struct spf_question question = {.sender = sender, .helo = helo};
	struct dns_answer answer;
	enum spf_result result;

	ck_assert(spf != NULL && netaddr_parse(client, &question.client));
	memset(spf, 0xa5, sizeof *spf);
	spf_begin(spf, &question);
	for (zone.questions = 0; !spf->done; zone.questions++) {
		ck_assert_uint_lt(zone.questions, 1 + 10 * 11 + 11);
		check_name(spf->name);
		answer = look_up(spf->name, spf->type);
		foreseen.count = 0;
		spf_take(spf, &answer, note_foreseen, NULL);
		ck_assert_uint_le(foreseen.count, SPF_TERMS_MAX);
	}
	result = spf->result;
	free(spf);
	return result;
}

/* ---- Tables */

static size_t
unescape(const char *text, char text_r[FIELD_SIZE])
{
	char digits[3] = "";
	size_t length = 0;

	while (*text != '\0') {
		ck_assert_uint_lt(length, FIELD_SIZE - 1);
		if (text[0] == '\\' && text[1] == 'x') {
			memcpy(digits, text + 2, 2);
			text_r[length++] = (char)strtoul(digits, NULL, 16);
			text += 4;
		} else {
			text_r[length++] = *text++;
		}
	}
	text_r[length] = '\0';
	return length;
}

static void
add_record(const char *name, const char *type, const char *value)
{
	struct zone_record *record = &zone.records[zone.count++];

	ck_assert_uint_le(zone.count, RECORDS_MAX);
	(void)unescape(name, record->name);
	(void)snprintf(record->type, sizeof record->type, "%s", type);
	record->length = unescape(value, record->value);
}

static bool
is_allowed(const char *results, enum spf_result result)
{
	const char *name = spf_result_names[result];
	size_t length = strlen(name);

	for (; *results != '\0'; results += strcspn(results, ",")) {
		results += *results == ',';
		if (strncmp(results, name, length) == 0 &&
		    (results[length] == ',' || results[length] == '\0'))
			return true;
	}
	return false;
}

static void
take_row(const char *fields[TABLE_FIELDS], void *context)
{
	char sender[FIELD_SIZE], helo[FIELD_SIZE];
	enum spf_result result;

	(void)context;
	if (strcmp(fields[0], "suite") == 0) {
		zone.count = 0;
		(void)snprintf(zone.about, sizeof zone.about, "%s", fields[1]);
	} else if (strcmp(fields[0], "rr") == 0) {
		add_record(fields[1], fields[2], fields[3]);
	} else {
		ck_assert_str_eq(fields[0], "case");
		(void)unescape(fields[4], sender);
		(void)unescape(fields[5], helo);
		result = check_host(fields[3], sender, helo);
		ck_assert_msg(is_allowed(fields[6], result),
		    "%s: %s (%s): %s instead of %s", zone.about, fields[1],
		    fields[2], spf_result_names[result], fields[6]);
		zone.cases++;
	}
}

START_TEST(the_suite_of_rfc_7208_passes)
{
	table_read("rfc7208/suite.tsv", take_row, NULL);
	ck_assert_uint_eq(zone.cases, 203);
}
END_TEST

START_TEST(what_the_suite_leaves_open)
{
	table_read("spf/cases.tsv", take_row, NULL);
	ck_assert_uint_gt(zone.cases, 50);
}
END_TEST

/* ---- Bounds */

/* A record of `length` octets that includes `domain`. */
static void
add_long_record(const char *name, const char *domain, size_t length)
{
	struct zone_record *record = &zone.records[zone.count++];
	size_t used;

	(void)snprintf(record->name, sizeof record->name, "%s", name);
	(void)snprintf(record->type, sizeof record->type, "TXT");
	used = (size_t)snprintf(record->value, sizeof record->value,
	    "v=spf1 include:%s -all", domain);
	memset(record->value + used, ' ', length - used);
	record->length = length;
}

START_TEST(records_that_include_each_other_take_bounded_room)
{
	char name[32], next[32];

	for (int i = 0; i < 9; i++) {
		(void)snprintf(name, sizeof name, "l%d.example", i);
		(void)snprintf(next, sizeof next, "l%d.example", i + 1);
		add_long_record(name, next, 2000);
	}
	add_record("l9.example", "TXT", "v=spf1 ip4:192.0.2.1 -all");
	ck_assert_int_eq(
	    check_host("192.0.2.1", "a@l0.example", "h"), SPF_PERMERROR);
	ck_assert_int_eq(
	    check_host("192.0.2.1", "a@l1.example", "h"), SPF_PASS);
}
END_TEST

/* Each of ten mx asks for itself and ten hosts, and a name has eleven. */
START_TEST(the_most_that_one_check_asks)
{
	char host[64];

	add_record("most.example", "TXT",
	    "v=spf1 mx mx mx mx mx mx mx mx mx ptr -all");
	for (int i = 0; i < 10; i++) {
		(void)snprintf(host, sizeof host, "0 h%d.example", i);
		add_record("most.example", "MX", host);
		add_record(host + 2, "A", "192.0.2.200");
		add_record("1.2.0.192.in-addr.arpa", "PTR", host + 2);
	}
	add_record("1.2.0.192.in-addr.arpa", "PTR", "most.example");
	add_record("most.example", "A", "192.0.2.1");
	ck_assert_int_eq(
	    check_host("192.0.2.1", "a@most.example", "h"), SPF_FAIL);
	ck_assert_uint_eq(zone.questions, 1 + 9 * 11 + 11);
}
END_TEST

START_TEST(what_will_be_asked_is_foreseen)
{
	add_record("a.example", "TXT",
	    "v=spf1 ip4:192.0.2.9 include:b.example ~exists:%{i}.a.example "
	    "exists:%{p}.a.example redirect=%{l}.example a:.a.example mx");
	add_record("b.example", "TXT",
	    "v=spf1 a include:c.example -all include:d.example");
	add_record("1.example", "TXT", "v=spf1 -all");
	foreseen.names[0] = '\0';
	(void)check_host("192.0.2.1", "1@a.example", "h");
	ck_assert_str_eq(foreseen.names,
	    "192.0.2.1.a.example 1.example/TXT a.example c.example/TXT ");
	foreseen.names[0] = '\0';
	ck_assert_int_eq(check_host("192.0.2.9", "1@a.example", "h"), SPF_PASS);
	ck_assert_str_eq(foreseen.names, "");
}
END_TEST

START_TEST(parts_that_are_too_long_are_cut)
{
	char sender[1200];

	memset(sender, 'a', sizeof sender);
	strcpy(sender + 1000, "@cut.example");
	add_record("cut.example", "TXT", "v=spf1 exists:%{l}.example -all");
	ck_assert_int_eq(check_host("192.0.2.1", sender, sender), SPF_FAIL);
	ck_assert_int_eq(check_host("192.0.2.1", "", sender), SPF_NONE);
}
END_TEST

CHECK_MAIN("spf", tcase)
{
	tcase_add_test(tcase, the_suite_of_rfc_7208_passes);
	tcase_add_test(tcase, what_the_suite_leaves_open);
	tcase_add_test(
	    tcase, records_that_include_each_other_take_bounded_room);
	tcase_add_test(tcase, the_most_that_one_check_asks);
	tcase_add_test(tcase, what_will_be_asked_is_foreseen);
	tcase_add_test(tcase, parts_that_are_too_long_are_cut);
}
