/* What other programs leave, and what only looks so. */
#include "transfer/foreign.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/check_main.h"
#include "transfer/berkeley.h"

static char path[64];

static void
set_up(void)
{
	strcpy(path, "/tmp/check_foreign.XXXXXX");
	close(mkstemp(path));
}

static void
tear_down(void)
{
	unlink(path);
}

static void
write_file(const void *data, size_t length)
{
	FILE *file = fopen(path, "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(data, 1, length, file), length);
	ck_assert_int_eq(fclose(file), 0);
}

/* ---- Berkeley DB */

#define PAGE 512

static unsigned char tree[4 * PAGE];

static void
put_16(size_t at, unsigned number)
{
	tree[at] = (unsigned char)number;
	tree[at + 1] = (unsigned char)(number >> 8);
}

static void
put_32(size_t at, unsigned long number)
{
	put_16(at, number & 0xffff);
	put_16(at + 2, number >> 16 & 0xffff);
}

/* Page 1 is a leaf with one pair; page 2 holds a value that is too long for it. */
static void
make_tree(void)
{
	memset(tree, 0, sizeof tree);
	put_32(12, 0x053162);
	put_32(16, 9);
	put_32(20, PAGE);
	tree[25] = 9;
	put_32(PAGE + 8, 1);
	put_16(PAGE + 20, 2);
	tree[PAGE + 24] = 1;
	tree[PAGE + 25] = 5;
	put_16(PAGE + 26, 500);
	put_16(PAGE + 28, 480);
	put_16(PAGE + 500, 7);
	tree[PAGE + 502] = 1;
	memcpy(tree + PAGE + 503, "10.0.0.", 7);
	put_16(PAGE + 480, 3);
	tree[PAGE + 482] = 1;
	memcpy(tree + PAGE + 483, "9,8", 3);
	tree[2 * PAGE + 25] = 7;
	put_16(2 * PAGE + 22, 400);
	memset(tree + 2 * PAGE + 26, 'x', 400);
}

struct found {
	size_t count;
	char key[32];
	size_t value_length;
};

static void
note(void *arg, const struct berkeley_pair *pair)
{
	struct found *found = arg;

	found->count++;
	found->value_length = pair->value_length;
	ck_assert_uint_eq(strlen(pair->value), pair->value_length);
	(void)snprintf(found->key, sizeof found->key, "%s", pair->key);
}

enum harm {
	NONE,
	SWAPPED,
	CUT_IN_PAGE,
	CUT_IN_HEAD,
	ENTRIES,
	OFFSET,
	OFFSET_LOW,
	LENGTH,
	DELETED,
	OTHER_TYPE,
	PAGE_SIZE,
	ENCRYPTED,
	OVERFLOW_GOOD,
	OVERFLOW_CYCLE,
	OVERFLOW_SHORT,
	OVERFLOW_LONG,
	OVERFLOW_NOWHERE
};

static const struct {
	const char *when;
	enum harm harm;
	const char *wrong; /* NULL: nothing is */
	size_t count;
	size_t value_length;
} tree_rows[] = {
    {"one pair is found", NONE, NULL, 1, 3},
    {"a machine of the other order wrote it", SWAPPED, NULL, 0, 0},
    {"a page that is cut off is none", CUT_IN_PAGE, NULL, 0, 0},
    {"half a head is none", CUT_IN_HEAD, "is no B-tree of Berkeley DB", 0, 0},
    {"more entries than a page can have", ENTRIES, NULL, 0, 0},
    {"an item beyond its page", OFFSET, NULL, 0, 0},
    {"an item in the head of its page", OFFSET_LOW, NULL, 0, 0},
    {"an item that reaches beyond its page", LENGTH, NULL, 0, 0},
    {"what was deleted", DELETED, NULL, 0, 0},
    {"another kind of page", OTHER_TYPE, NULL, 0, 0},
    {"pages of no size", PAGE_SIZE, "is damaged: its pages have no size", 0, 0},
    {"an encrypted one", ENCRYPTED, "is encrypted", 0, 0},
    {"a value on a page of its own", OVERFLOW_GOOD, NULL, 1, 400},
    {"that goes round in circles", OVERFLOW_CYCLE, NULL, 0, 0},
    {"that ends too early", OVERFLOW_SHORT, NULL, 0, 0},
    {"that is endless", OVERFLOW_LONG, NULL, 0, 0},
    {"that is nowhere", OVERFLOW_NOWHERE, NULL, 0, 0},
};

static void
put_overflow(unsigned long number, unsigned long length)
{
	tree[PAGE + 482] = 3;
	put_32(PAGE + 484, number);
	put_32(PAGE + 488, length);
}

static size_t
harm_tree(enum harm harm)
{
	switch (harm) {
	case NONE:
		break;
	case SWAPPED:
		for (int i = 0; i < 4; i++)
			tree[12 + i] =
			    (unsigned char)(0x053162 >> (24 - 8 * i));
		memcpy(tree + 20, "\0\0\2\0", 4);
		break;
	case CUT_IN_PAGE:
		return PAGE + 100;
	case CUT_IN_HEAD:
		return 20;
	case ENTRIES:
		put_16(PAGE + 20, 60000);
		break;
	case OFFSET:
		put_16(PAGE + 28, 60000);
		break;
	case OFFSET_LOW:
		put_16(PAGE + 28, 3);
		break;
	case LENGTH:
		put_16(PAGE + 480, 500);
		break;
	case DELETED:
		tree[PAGE + 482] = 0x81;
		break;
	case OTHER_TYPE:
		tree[PAGE + 25] = 3;
		break;
	case PAGE_SIZE:
		put_32(20, 513);
		break;
	case ENCRYPTED:
		tree[24] = 1;
		break;
	case OVERFLOW_GOOD:
		put_overflow(2, 400);
		break;
	case OVERFLOW_CYCLE:
		put_overflow(2, 4000);
		put_32(2 * PAGE + 16, 2);
		put_16(2 * PAGE + 22, 0);
		break;
	case OVERFLOW_SHORT:
		put_overflow(2, 500);
		break;
	case OVERFLOW_LONG:
		put_overflow(2, 0xffffffff);
		break;
	case OVERFLOW_NOWHERE:
		put_overflow(0x7fffffff, 400);
		break;
	}
	return sizeof tree;
}

START_TEST(trees)
{
	struct found found = {0};
	const char *wrong;
	FILE *file;

	make_tree();
	write_file(tree, harm_tree(tree_rows[_i].harm));
	file = fopen(path, "r");
	wrong = berkeley_read(file, BERKELEY_BTREE, note, &found);
	fclose(file);
	if (tree_rows[_i].wrong == NULL)
		ck_assert_msg(
		    wrong == NULL, "%s: %s", tree_rows[_i].when, wrong);
	else
		ck_assert_str_eq(wrong, tree_rows[_i].wrong);
	ck_assert_msg(found.count == tree_rows[_i].count &&
		found.value_length == tree_rows[_i].value_length,
	    "%s: %zu", tree_rows[_i].when, found.count);
}
END_TEST

/* ---- Whole programs */

static const struct {
	const char *when;
	const char *from;
	const char *text;
	bool good;
	const char *lines; /* without the first and the last */
} text_rows[] = {
    {"a dump in hex", "postgrey",
	"VERSION=3\nformat=bytevalue\nHEADER=END\n 31302e302e302e37\n"
	" 352c3939\nDATA=END\n",
	true,
	"{\"kind\":\"client\",\"client\":\"10.0.0.7\",\"known\":true,"
	"\"passes\":5,\"used\":99}\n"},
    {"a dump without its end", "postgrey",
	"VERSION=3\nformat=print\nHEADER=END\n 10.0.0.7\n 5,99\n", false,
	"{\"kind\":\"client\",\"client\":\"10.0.0.7\",\"known\":true,"
	"\"passes\":5,\"used\":99}\n"},
    {"a dump of rubbish", "postgrey",
	"VERSION=3\nformat=print\nHEADER=END\n a\\zz\n 5\n 10.0.0.7\n x\n"
	" /\n 1,2\n a/b/c\n 1,2\n 10.0.0.0/a/b\n 1\nDATA=END\n",
	true,
	"{\"kind\":\"left\",\"what\":\"unreadable\",\"text\":\"4 entries\","
	"\"why\":\"they are none of postgrey's\"}\n"},
    {"senders with slashes, and none", "postgrey",
	"VERSION=3\nformat=print\nHEADER=END\n 10.0.0.0//b@x\n 1,1000\n"
	" 10.0.0.0/a/b/c@y/b@x\n 5,5\nDATA=END\n",
	true,
	"{\"kind\":\"client\",\"client\":\"10.0.0.0/24\",\"pairs\":["
	"{\"sender\":\"\",\"recipient\":\"b@x\",\"passed\":1000},"
	"{\"sender\":\"a/b/c@y\",\"recipient\":\"b@x\",\"first\":5}]}\n"},
    {"a single host looked up by host", "postgrey",
	"VERSION=3\nformat=print\nHEADER=END\n 10.0.0.9/a@y/b@x\n"
	" 5,5\nDATA=END\n",
	true,
	"{\"kind\":\"client\",\"client\":\"10.0.0.9\",\"pairs\":["
	"{\"sender\":\"a@y\",\"recipient\":\"b@x\",\"first\":5}]}\n"},
    {"SQL that ends nowhere", "sqlgrey",
	"INSERT INTO from_awl VALUES('a','b','10.0.0.7','5','6'\n"
	"INSERT INTO from_awl VALUES(\nINSERT INTO from_awl (a,\n"
	"INSERT INTO from_awl VALUES('a\nINSERT INTO\nCOPY\n",
	true,
	"{\"kind\":\"left\",\"what\":\"unreadable\",\"text\":\"4 rows\","
	"\"why\":\"they are none of sqlgrey's\"}\n"},
    {"columns in another order", "sqlgrey",
	"INSERT INTO \"from_awl\" (last_seen, src, first_seen, x) VALUES "
	"(6, '10.0.0.7', 5, 'y');\n",
	true,
	"{\"kind\":\"client\",\"client\":\"10.0.0.7\",\"known\":true,"
	"\"passes\":1,\"used\":6}\n"},
    {"rows on lines of their own", "sqlgrey",
	"INSERT INTO `from_awl` VALUES\n('a','b','10.0.0.7','5','6'),\n"
	"\t('a','b','10.0.0.8','5','7');\n('a','b','10.0.0.9','5','7');\n",
	true,
	"{\"kind\":\"client\",\"client\":\"10.0.0.7\",\"known\":true,"
	"\"passes\":1,\"used\":6}\n{\"kind\":\"client\",\"client\":"
	"\"10.0.0.8\",\"known\":true,\"passes\":1,\"used\":7}\n"},
    {"rows that replace others", "sqlgrey",
	"REPLACE INTO from_awl VALUES ('a','b','10.0.0.7','5','6');\n"
	"INSERT IGNORE INTO domain_awl VALUES ('b','10.0.0.8','5','7');\n",
	true,
	"{\"kind\":\"client\",\"client\":\"10.0.0.7\",\"known\":true,"
	"\"passes\":1,\"used\":6}\n{\"kind\":\"client\",\"client\":"
	"\"10.0.0.8\",\"known\":true,\"passes\":1,\"used\":7}\n"},
    {"a name that is no UTF-8", "sqlgrey",
	"INSERT INTO connect VALUES('\xff','b','10.0.0.7','c@d',5);\n", true,
	"{\"kind\":\"client\",\"client\":\"10.0.0.7\",\"pairs\":[{\"sender\":"
	"\"?@b\",\"recipient\":\"c@d\",\"first\":5}]}\n"},
    {"too many values", "sqlgrey",
	"INSERT INTO from_awl VALUES(1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8);\n",
	true,
	"{\"kind\":\"left\",\"what\":\"unreadable\",\"text\":\"1 rows\","
	"\"why\":\"they are none of sqlgrey's\"}\n"},
    {"tuples that are none", "milter-greylist",
	"10.0.0.7\t<a>\n10.0.0.7 a b 99999999999999999999\nx y z 5\n\n#\n",
	true,
	"{\"kind\":\"left\",\"what\":\"unreadable\",\"text\":\"3 lines\","
	"\"why\":\"they are none of milter-greylist's\"}\n"},
};

static void
feed(const char *from, char *out_r, size_t size, bool *good_r)
{
	const char *const paths[] = {path};
	const struct foreign_source source = {
	    .program = from, .paths = paths, .count = 1};
	FILE *out = fmemopen(out_r, size, "w");

	ck_assert_ptr_nonnull(out);
	*good_r = foreign_feed(&source, out);
	fclose(out);
}

START_TEST(texts)
{
	char out[4096] = "", wanted[4096];
	bool good;

	write_file(text_rows[_i].text, strlen(text_rows[_i].text));
	feed(text_rows[_i].from, out, sizeof out, &good);
	(void)snprintf(wanted, sizeof wanted,
	    "{\"kind\":\"milter-defer clients\",\"version\":1,\"from\":\"%s\"}"
	    "\n%s%s",
	    text_rows[_i].from, text_rows[_i].lines,
	    text_rows[_i].good ? "{\"kind\":\"total\"}\n" : "");
	ck_assert_str_eq(out, wanted);
	ck_assert_msg(good == text_rows[_i].good, "%s", text_rows[_i].when);
}
END_TEST

CHECK_MAIN("foreign", tcase)
{
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(
	    tcase, trees, 0, sizeof tree_rows / sizeof tree_rows[0]);
	tcase_add_loop_test(
	    tcase, texts, 0, sizeof text_rows / sizeof text_rows[0]);
}
