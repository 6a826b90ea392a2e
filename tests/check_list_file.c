#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/check_main.h"
#include "mail/list_file.h"

static char directory[] = "/tmp/check_list_file.XXXXXX";
static char path[sizeof(directory) + 8];

/* What the bad lines were, as "number: reason\n" each. */
struct complaints {
	char text[512];
};

static void
note(void *context, const char *name, unsigned line, const char *why)
{
	struct complaints *complaints = context;
	size_t used = strlen(complaints->text);

	ck_assert_str_eq(name, path);
	snprintf(complaints->text + used, sizeof(complaints->text) - used,
	    "%u: %s\n", line, why);
}

static void
set_up(void)
{
	memcpy(directory + sizeof(directory) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/list", directory);
}

static void
tear_down(void)
{
	unlink(path);
	rmdir(directory);
}

static void
write_file(const char *content, size_t length)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(content, 1, length, file), length);
	ck_assert_int_eq(fclose(file), 0);
}

static enum list_file_answer
load_from(const char *name, struct complaints *complaints, struct list **list_r,
    struct list_file_identity *identity_r)
{
	const struct list_file_terms terms = {
	    LIST_ALL, complaints == NULL ? NULL : note, complaints};

	return list_file_load(name, &terms, list_r, identity_r);
}

static enum list_file_answer
load(struct complaints *complaints, struct list **list_r,
    struct list_file_identity *identity_r)
{
	return load_from(path, complaints, list_r, identity_r);
}

#define TEXT(literal) literal, sizeof(literal) - 1

static const struct {
	const char *when;
	const char *content;
	size_t length;
	size_t count;
	const char *complaints;
} rows[] = {
    {"one entry stands on each line", TEXT("192.0.2.1\nexample.org\n"), 2, ""},
    {"the last line needs no end", TEXT("192.0.2.1\nexample.org"), 2, ""},
    {"an empty file is an empty list", TEXT(""), 0, ""},
    {"blank lines and comments are skipped",
	TEXT("\n  \n\t\n# a comment\n  # another\n192.0.2.1\n"), 1, ""},
    {"blanks around an entry are skipped", TEXT(" \t192.0.2.1 \t\n"), 1, ""},
    {"CR LF ends a line too", TEXT("192.0.2.1\r\n\r\nexample.org\r\n"), 2, ""},
    {"a comment may follow an entry", TEXT("192.0.2.1 # why\n"), 1, ""},
    {"a # within an entry belongs to it", TEXT("bob#1@example.org\n"), 1, ""},
    {"a bad line is named and skipped",
	TEXT("192.0.2.1\n\n192.0.2.1/24 # oops\nexample.org\n"), 2,
	"3: host bits are set; the network is 192.0.2.0/24\n"},
    {"each bad line is named", TEXT("*.a.example\n1.2.3\n"), 0,
	"1: no * in a list; a domain stands for all below it too\n"
	"2: not an IP address\n"},
    {"an entry may have an end", TEXT("192.0.2.1 until 2026-12-31T23:59Z\n"), 1,
	""},
    {"and a comment after it", TEXT("example.org until 2026-12-31 # why\n"), 1,
	""},
    {"an end without a moment is named", TEXT("192.0.2.1 until\n"), 0,
	"1: until what?  Write it as 2026-12-31T23:59Z or 2026-12-31\n"},
    {"and one that there is not", TEXT("192.0.2.1 until 2026-02-30\n"), 0,
	"1: until what?  Write it as 2026-12-31T23:59Z or 2026-12-31\n"},
    {"another word is named", TEXT("192.0.2.1 till 2026-02-03\n"), 0,
	"1: more than one word\n"},
    {"a NUL octet is named", TEXT("192.0.2.1\0x\nexample.org\n"), 1,
	"1: a NUL octet: this is not a text file\n"},
    {"a NUL octet hides nothing in a comment", TEXT("# \0\nexample.org\n"), 1,
	"1: a NUL octet: this is not a text file\n"},
};

START_TEST(test_load)
{
	struct complaints complaints = {""};
	struct list_file_identity identity;
	struct list *list = NULL;

	write_file(rows[_i].content, rows[_i].length);
	ck_assert_int_eq(load(&complaints, &list, &identity), LIST_FILE_LOADED);
	ck_assert_msg(list_count(list) == rows[_i].count, "%s", rows[_i].when);
	ck_assert_msg(strcmp(complaints.text, rows[_i].complaints) == 0,
	    "%s: %s", rows[_i].when, complaints.text);
	list_free(&list);
}
END_TEST

START_TEST(test_ask)
{
	struct list_file_identity identity;
	struct list *list = NULL;

	write_file(TEXT("example.org\nbad line\n"));
	ck_assert_int_eq(load(NULL, &list, &identity), LIST_FILE_LOADED);
	ck_assert_msg(list_has_domain(list, "mail.example.org", 0),
	    "the list is ready, and nobody need hear complaints");
	list_free(&list);
}
END_TEST

START_TEST(test_long_line)
{
	struct complaints complaints = {""};
	struct list_file_identity identity;
	struct list *list = NULL;
	char content[5000];

	memset(content, 'a', sizeof(content));
	content[0] = '#';
	content[1500] = '\n';
	content[4000] = '\n';
	memcpy(content + 4001, "\nexample.org\n", 13);
	write_file(content, 4014);
	ck_assert_int_eq(load(&complaints, &list, &identity), LIST_FILE_LOADED);
	ck_assert_msg(strcmp(complaints.text, "2: too long\n") == 0,
	    "a comment may be long, an entry may not: %s", complaints.text);
	ck_assert_uint_eq(list_count(list), 1);
	list_free(&list);
}
END_TEST

/* What the lines of a file for `kinds` are told. */
static struct list *
load_for(unsigned kinds, const char *content, struct complaints *complaints)
{
	const struct list_file_terms terms = {kinds, note, complaints};
	struct list_file_identity identity;
	struct list *list = NULL;

	write_file(content, strlen(content));
	ck_assert_int_eq(
	    list_file_load(path, &terms, &list, &identity), LIST_FILE_LOADED);
	return list;
}

static const struct {
	const char *when;
	unsigned kinds;
	const char *line;
	const char *complaint; /* NULL: none */
} kind_rows[] = {
    {"networks of clients", LIST_NETWORK, "192.0.2.0/24", NULL},
    {"host names of clients", LIST_NETWORK, "outbound.partner.example",
	"1: a host name or domain can never match here, only addresses and "
	"networks can\n"},
    {"mail addresses of clients", LIST_NETWORK, "kim@partner.example",
	"1: a mail address can never match here, only addresses and networks "
	"can\n"},
    {"names of clients", LIST_DOMAIN, "partner.example", NULL},
    {"networks by name", LIST_DOMAIN, "2001:db8::/32",
	"1: a network can never match here, only host names and domains can\n"},
    {"domains of senders", LIST_ADDRESS | LIST_DOMAIN, "partner.example", NULL},
    {"networks of senders", LIST_ADDRESS | LIST_DOMAIN, "192.0.2.7",
	"1: a network can never match here, only mail addresses and domains "
	"can\n"},
    {"senders of clients", LIST_NETWORK | LIST_DOMAIN, "kim@partner.example",
	"1: a mail address can never match here, only networks, host names "
	"and domains can\n"},
    {"a key without number", LIST_NUMBERS, "bob",
	"1: a key and a whole number are needed, as in \"bob 100\"\n"},
    {"a key with less than a number", LIST_NUMBERS, "bob 1.5",
	"1: a key and a whole number are needed, as in \"bob 100\"\n"},
    {"a key with its number", LIST_NUMBERS, "bob@example.org 10", NULL},
};

START_TEST(test_kinds)
{
	struct complaints complaints = {""};
	struct list *list =
	    load_for(kind_rows[_i].kinds, kind_rows[_i].line, &complaints);
	const char *wanted = kind_rows[_i].complaint;

	ck_assert_msg(
	    strcmp(complaints.text, wanted == NULL ? "" : wanted) == 0,
	    "%s: %s", kind_rows[_i].when, complaints.text);
	ck_assert_uint_eq(list_count(list), wanted == NULL ? 1 : 0);
	list_free(&list);
}
END_TEST

#define NOON INT64_C(1798718400) /* 2026-12-31T12:00Z */

START_TEST(test_an_end)
{
	struct complaints complaints = {""};
	struct list *list = load_for(LIST_ALL,
	    "example.org until 2026-12-31T12:00Z\nexample.net\n", &complaints);

	ck_assert(list_has_domain(list, "example.org", NOON - 1));
	ck_assert(!list_has_domain(list, "example.org", NOON));
	ck_assert(list_has_domain(list, "example.net", NOON));
	list_free(&list);
}
END_TEST

static const struct {
	const char *key;
	int64_t number; /* -1: none */
} number_rows[] = {
    {"bob", 7}, {"BOB", 7}, {"eve@example.org", 20}, {"bob@example.org", 10},
    {"bob@sub.example.org", 20}, {"mx.example.org", 20}, {"example.net", 1024},
    {"anybody", 3}, {"ann", 3}, /* her own has ended */
};

START_TEST(test_numbers)
{
	struct complaints complaints = {""};
	struct list *list = load_for(LIST_NUMBERS,
	    "Bob 5\nbob 7\nbob@example.org 10\n@example.org 20\n"
	    "example.net 1k\n* 3\nann 9 until 2026-12-31\n",
	    &complaints);
	int64_t number = -1;

	ck_assert_str_eq(complaints.text, "");
	ck_assert(list_number(list, number_rows[_i].key, NOON, &number));
	ck_assert_msg(number == number_rows[_i].number, "%s: %d",
	    number_rows[_i].key, (int)number);
	list_free(&list);
	list = load_for(LIST_NUMBERS, "bob 5\n", &complaints);
	ck_assert(!list_number(list, "eve", NOON, &number));
	list_free(&list);
}
END_TEST

/* What is given one by one, up to so many. */
struct given {
	char text[512];
	int wanted;
};

static bool
give(void *arg, const struct list_file_entry *entry)
{
	struct given *given = arg;
	size_t used = strlen(given->text);

	snprintf(given->text + used, sizeof(given->text) - used, "%u:%s%s ",
	    entry->line, entry->text, entry->until == LIST_FOR_EVER ? "" : "!");
	return --given->wanted > 0;
}

static const struct {
	unsigned kinds;
	int wanted;
	const char *content, *given;
} each_rows[] = {
    {LIST_NETWORK, 99,
	"# nets\n192.0.2.0/24 # one\nno.net.example\n\n192.0.2.7/32\r\n"
	"2001:DB8::1 until 2026-12-31\nnonsense/9\n",
	"2:192.0.2.0/24 5:192.0.2.7 6:2001:db8::1! "},
    {LIST_ADDRESS | LIST_DOMAIN, 2, "Bob@Example.ORG\n.net\nc.example\n",
	"1:bob@example.org 2:net "},
    {LIST_NUMBERS, 99, "Bob 5\n@Example.ORG 1k\n* 3\nnone\n",
	"1:bob 2:example.org 3:* "},
};

START_TEST(test_each)
{
	struct given given = {"", each_rows[_i].wanted};

	ck_assert_int_eq(
	    list_file_each(path, LIST_ALL, give, &given), LIST_FILE_MISSING);
	write_file(each_rows[_i].content, strlen(each_rows[_i].content));
	ck_assert_int_eq(
	    list_file_each(path, each_rows[_i].kinds, give, &given),
	    LIST_FILE_LOADED);
	ck_assert_str_eq(given.text, each_rows[_i].given);
}
END_TEST

START_TEST(test_unreadable)
{
	struct list_file_identity identity;
	struct list *list = NULL;

	ck_assert_int_eq(load(NULL, &list, &identity), LIST_FILE_MISSING);
	ck_assert(!list_file_identify(path, &identity));
	ck_assert_int_eq(
	    load_from(directory, NULL, &list, &identity), LIST_FILE_UNREADABLE);
	ck_assert_int_eq(errno, EISDIR);
	ck_assert_int_eq(mkfifo(path, 0600), 0);
	ck_assert_msg(load(NULL, &list, &identity) == LIST_FILE_UNREADABLE,
	    "a FIFO is refused at once");
	ck_assert_ptr_null(list);
}
END_TEST

START_TEST(test_endless)
{
	struct list_file_identity loaded;
	struct list *list = NULL;

	write_file(TEXT("example.org\n"));
	ck_assert_int_eq(truncate(path, (off_t)LIST_FILE_BYTES_MAX + 1), 0);
	ck_assert_int_eq(load(NULL, &list, &loaded), LIST_FILE_UNREADABLE);
	ck_assert_int_eq(errno, EFBIG);
	ck_assert_ptr_null(list);
}
END_TEST

START_TEST(test_identity)
{
	struct list_file_identity loaded;
	struct list_file_identity now;
	struct timespec later[2] = {{1000000000, 0}, {1000000000, 7}};
	struct list *list = NULL;

	write_file(TEXT("example.org\n"));
	ck_assert_int_eq(load(NULL, &list, &loaded), LIST_FILE_LOADED);
	list_free(&list);
	ck_assert(list_file_identify(path, &now));
	ck_assert_msg(
	    list_file_is_same(&loaded, &now), "a file left alone is the same");
	ck_assert_int_eq(utimensat(AT_FDCWD, path, later, 0), 0);
	ck_assert(list_file_identify(path, &now));
	ck_assert_msg(!list_file_is_same(&loaded, &now),
	    "a file with another time is not");
	loaded = now;
	write_file(TEXT("example.com\nexample.org\n"));
	ck_assert_int_eq(utimensat(AT_FDCWD, path, later, 0), 0);
	ck_assert(list_file_identify(path, &now));
	ck_assert_msg(
	    !list_file_is_same(&loaded, &now), "a file that has grown is not");
}
END_TEST

CHECK_MAIN("list_file", tcase)
{
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, test_load, 0, COUNT(rows));
	tcase_add_test(tcase, test_ask);
	tcase_add_test(tcase, test_long_line);
	tcase_add_test(tcase, test_unreadable);
	tcase_add_loop_test(tcase, test_kinds, 0, COUNT(kind_rows));
	tcase_add_test(tcase, test_an_end);
	tcase_add_loop_test(tcase, test_numbers, 0, COUNT(number_rows));
	tcase_add_loop_test(tcase, test_each, 0, COUNT(each_rows));
	tcase_add_test(tcase, test_endless);
	tcase_add_test(tcase, test_identity);
}
