#include "store/triplet.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "lib/check_main.h"

static struct triplet_hash *hash;
static struct triplet_namer namer;

static void
open_namer(void)
{
	hash = triplet_hash_new();
	ck_assert_ptr_nonnull(hash);
	namer.hash = hash;
	ck_assert(triplet_namer_set(
	    &namer, (const unsigned char *)"0123456789abcdef0123456789abcdef"));
}

static void
close_namer(void)
{
	triplet_hash_free(&hash);
	ck_assert_ptr_null(hash);
}

static const struct {
	const char *when;
	struct store_pair a, b;
	bool same;
} pair_rows[] = {
    {"a pair has one name", {"a@x", "b@y", NULL}, {"a@x", "b@y", NULL}, true},
    {"another sender is another pair", {"a@x", "b@y", NULL},
	{"c@x", "b@y", NULL}, false},
    {"another recipient is another pair", {"a@x", "b@y", NULL},
	{"a@x", "c@y", NULL}, false},
    {"sender and recipient are not exchanged", {"a@x", "b@y", NULL},
	{"b@y", "a@x", NULL}, false},
    {"the border between them counts", {"a@x", "b@y", NULL},
	{"a@xb", "@y", NULL}, false},
    {"the null sender has pairs of its own", {"", "b@y", NULL},
	{"b@y", "", NULL}, false},
};

START_TEST(pairs)
{
	char a[TRIPLET_SIZE], b[TRIPLET_SIZE];

	ck_assert(triplet_name(&namer, &pair_rows[_i].a, a));
	ck_assert(triplet_name(&namer, &pair_rows[_i].b, b));
	ck_assert_msg((strcmp(a, b) == 0) == pair_rows[_i].same, "%s: %s, %s",
	    pair_rows[_i].when, a, b);
	ck_assert_int_eq((int)strlen(a), TRIPLET_LENGTH);
}
END_TEST

/* Computed by: python3 -c 'import base64,hmac; k=b"0123456789abcdef"*2;
 * i=hmac.digest(k,b"a@x","sha256"); d=hmac.digest(i,b"b@y","sha256");
 * print(base64.urlsafe_b64encode(d[:6]))' */
START_TEST(a_name_never_changes)
{
	const struct store_pair pair = {"a@x", "b@y", NULL};
	char name[TRIPLET_SIZE];

	ck_assert(triplet_name(&namer, &pair, name));
	ck_assert_str_eq(name, "ShknuC8G");
}
END_TEST

START_TEST(many_are_named_as_each_is)
{
	const struct store_pair many[] = {{"a@x", "b@y", NULL},
	    {"a@x", "c@y", NULL}, {"d@x", "c@y", NULL}, {"a@x", "b@y", NULL}};
	char names[4][TRIPLET_SIZE], name[TRIPLET_SIZE];

	ck_assert(triplet_names(&namer, many, 4, names));
	for (size_t i = 0; i < 4; i++) {
		ck_assert(triplet_name(&namer, &many[i], name));
		ck_assert_str_eq(names[i], name);
	}
}
END_TEST

/* As above, with b"\001holder" for the sender. */
START_TEST(a_holder_never_changes)
{
	char name[TRIPLET_SIZE];

	ck_assert(triplet_holder(&namer, "192.0.2.0/24", name));
	ck_assert_str_eq(name, "7a9Z8KSD");
}
END_TEST

START_TEST(a_pair_keeps_its_name)
{
	char room[STORE_NAME_SIZE] = "", first[TRIPLET_SIZE];
	char second[TRIPLET_SIZE], again[TRIPLET_SIZE];
	const struct store_pair pair = {"a@x", "b@y", NULL};
	const struct store_pair keeping = {"a@x", "b@y", room};
	const struct store_pair kept = {"c@x", "b@y", room};

	ck_assert(triplet_name(&namer, &pair, first));
	ck_assert(triplet_name(&namer, &keeping, second));
	ck_assert_str_eq(second, first);
	ck_assert_str_eq(room, first);
	ck_assert(triplet_name(&namer, &kept, again));
	ck_assert_str_eq(again, first);
}
END_TEST

START_TEST(another_key_gives_other_names)
{
	const struct store_pair pair = {"a@x", "b@y", NULL};
	struct triplet_namer other = namer;
	char a[TRIPLET_SIZE], b[TRIPLET_SIZE];

	ck_assert(triplet_key_new(other.key));
	ck_assert(triplet_namer_set(&other, other.key));
	ck_assert(triplet_name(&namer, &pair, a));
	ck_assert(triplet_name(&other, &pair, b));
	ck_assert_str_ne(a, b);
}
END_TEST

START_TEST(a_holder_is_no_pair)
{
	const struct store_pair pair = {"", "example.org", NULL};
	char a[TRIPLET_SIZE], b[TRIPLET_SIZE], c[TRIPLET_SIZE];

	ck_assert(triplet_name(&namer, &pair, a));
	ck_assert(triplet_holder(&namer, "example.org", b));
	ck_assert(triplet_holder(&namer, "example.net", c));
	ck_assert_str_ne(a, b);
	ck_assert_str_ne(b, c);
}
END_TEST

/* Whether a thread of many always got the right name. */
static void *
name_often(void *arg)
{
	const struct store_pair pair = {"a@x", "b@y", NULL};
	char name[TRIPLET_SIZE];

	(void)arg;
	for (int i = 0; i < 2000; i++)
		if (!triplet_name(&namer, &pair, name) ||
		    strcmp(name, "ShknuC8G") != 0)
			return NULL;
	return &namer;
}

START_TEST(threads_share_one_hash)
{
	pthread_t threads[8];
	void *good;

	for (int i = 0; i < COUNT(threads); i++)
		ck_assert_int_eq(
		    pthread_create(&threads[i], NULL, name_often, NULL), 0);
	for (int i = 0; i < COUNT(threads); i++) {
		ck_assert_int_eq(pthread_join(threads[i], &good), 0);
		ck_assert_ptr_nonnull(good);
	}
}
END_TEST

/* ---- Files */

#define LONG_ENOUGH "0123456789abcdef0123456789abcdef"

static const struct {
	const char *when;
	const char *text;  /* NULL: there is no file */
	const char *error; /* what the complaint says; NULL: none */
} file_rows[] = {
    {"32 characters are enough", LONG_ENOUGH, NULL},
    {"a line end does not count", LONG_ENOUGH "\r\n", NULL},
    {"only the first line counts", LONG_ENOUGH "\nand more\n", NULL},
    {"31 characters are not", "0123456789abcdef0123456789abcde\n",
	"at least 32"},
    {"there must be a file", NULL, "No such file"},
    {"an empty file is none", "", "is empty"},
    {"an empty line is none", "\n" LONG_ENOUGH, "empty first line"},
    {"control characters betray another kind of file", "\001\002" LONG_ENOUGH,
	"control characters"},
};

static char path[] = "/tmp/check_triplet.XXXXXX";

static void
write_file(const char *text, size_t length)
{
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, length), (ssize_t)length);
	close(fd);
}

START_TEST(key_files)
{
	const char *text = file_rows[_i].text;
	unsigned char read[TRIPLET_KEY], direct[TRIPLET_KEY];
	char error[256] = "";
	bool good;

	if (text != NULL)
		write_file(text, strlen(text));
	good = triplet_key_read(path, read, error, sizeof error);
	if (text != NULL)
		unlink(path);
	ck_assert_msg(good == (file_rows[_i].error == NULL), "%s: %s",
	    file_rows[_i].when, error);
	if (good) {
		ck_assert(triplet_key_from(LONG_ENOUGH, direct));
		ck_assert_mem_eq(read, direct, TRIPLET_KEY);
		return;
	}
	ck_assert_msg(strstr(error, file_rows[_i].error) != NULL &&
		strstr(error, path) != NULL && strstr(error, "0123") == NULL,
	    "%s: %s", file_rows[_i].when, error);
}
END_TEST

START_TEST(a_line_may_be_too_long)
{
	char text[SECRET_SIZE + 10], secret[SECRET_SIZE], error[256];

	memset(text, 'x', sizeof text);
	write_file(text, sizeof text);
	ck_assert(!secret_read(path, secret, error, sizeof error));
	ck_assert_ptr_nonnull(strstr(error, "too long"));
	unlink(path);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("triplet");
	TCase *names = tcase_create("names");
	TCase *files = tcase_create("files");

	tcase_add_checked_fixture(names, open_namer, close_namer);
	tcase_add_loop_test(names, pairs, 0, COUNT(pair_rows));
	tcase_add_test(names, a_name_never_changes);
	tcase_add_test(names, a_holder_never_changes);
	tcase_add_test(names, many_are_named_as_each_is);
	tcase_add_test(names, a_pair_keeps_its_name);
	tcase_add_test(names, another_key_gives_other_names);
	tcase_add_test(names, a_holder_is_no_pair);
	tcase_add_test(names, threads_share_one_hash);
	suite_add_tcase(suite, names);
	tcase_add_loop_test(files, key_files, 0, COUNT(file_rows));
	tcase_add_test(files, a_line_may_be_too_long);
	suite_add_tcase(suite, files);

	return check_run(suite);
}
