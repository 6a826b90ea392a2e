/* What becomes of a file of records that another version, another program or
 * another secret has left: it is read, or it is still there. */
#include "store/memory/store_memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/check_main.h"
#include "lib/keeper.h"

/* When 0.1.0 wrote tests/states/0.1.0. */
#define RELEASED INT64_C(1795877684)

#define FILE_MAX_SIZE 8192

static char directory[64];
static char file[128];
static char said[1024];
static struct store *store;

static void
note(void *arg, bool bad, const char *text)
{
	(void)arg;
	if (bad || said[0] == '\0')
		snprintf(
		    said, sizeof said, "%s: %s", bad ? "bad" : "good", text);
}

static void
open_with(const unsigned char *key)
{
	const struct store_memory_config config = {.terms = keeper_terms(),
	    .key = key,
	    .file = file,
	    .save_every = 300,
	    .report = note};

	said[0] = '\0';
	store = store_memory_open(&config, RELEASED);
	ck_assert_ptr_nonnull(store);
}

static void
set_up(void)
{
	strcpy(directory, "/tmp/check_state.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(file, sizeof file, "%s/state", directory);
}

static void
tear_down(void)
{
	char command[sizeof directory + 16];

	snprintf(command, sizeof command, "rm -r %s", directory);
	ck_assert_int_eq(system(command), 0);
}

static size_t
read_from(const char *path, unsigned char data_r[FILE_MAX_SIZE])
{
	FILE *in = fopen(path, "r");
	size_t length;

	ck_assert_msg(in != NULL, "%s", path);
	length = fread(data_r, 1, FILE_MAX_SIZE, in);
	fclose(in);
	return length;
}

static void
write_file(const void *data, size_t length)
{
	FILE *out = fopen(file, "w");

	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(data, 1, length, out), length);
	ck_assert_int_eq(fclose(out), 0);
}

static size_t
read_released(unsigned char data_r[FILE_MAX_SIZE])
{
	char path[512];
	const char *srcdir = getenv("srcdir");

	snprintf(path, sizeof path, "%s/tests/states/0.1.0",
	    srcdir != NULL ? srcdir : ".");
	return read_from(path, data_r);
}

static void
put_released(void)
{
	unsigned char data[FILE_MAX_SIZE];

	write_file(data, read_released(data));
}

static struct store_answer
look_up(const struct store_client *client, const char *sender)
{
	const struct store_pair pair = {sender, "bob@local.test", NULL};
	const struct store_query query = {.now = RELEASED,
	    .client = *client,
	    .pairs = &pair,
	    .pair_count = 1,
	    .spaces = {true, true, true}};
	static struct store_answer answer;

	ck_assert_int_eq(store_look_up(store, &query, &answer), STORE_OK);
	return answer;
}

/* ---- An older version */

static const struct {
	const char *when;
	struct store_client client;
	const char *sender;
	int64_t passes;
	bool has_passed;
	bool is_pending;
	double bad;
} released_rows[] = {
    {"a client known by its address", {"198.18.7.0/24", 9, NULL, "198.18.7.9"},
	"a@sender.example", 3, true, false, 0},
    {"one of IPv6", {"2001:db8::/64", 0, NULL, "2001:db8::25"},
	"a@sender.example", 3, true, false, 0},
    {"one that is known by its organisation, at another address",
	{"203.0.113.0/24", 9, "shop.example", "203.0.113.9"},
	"c@sender.example", 3, true, false, 0},
    {"a stranger that waits", {"192.0.2.0/24", 25, NULL, "192.0.2.25"},
	"news@list.example", 0, false, true, 0},
    {"one with a bad name", {"203.0.113.0/24", 66, NULL, "203.0.113.66"},
	"a@sender.example", 0, false, false, 200},
};

START_TEST(what_0_1_0_remembered_is_remembered)
{
	struct store_answer answer;
	const char *when = released_rows[_i].when;

	put_released();
	for (int i = 0; i < 2;
	     i++) { /* as it was written, and as we write it */
		open_with(NULL);
		ck_assert_msg(strncmp(said, "good: read 5 records", 20) == 0 ||
			strncmp(said, "good: read 6 records", 20) == 0,
		    "%s", said);
		answer = look_up(
		    &released_rows[_i].client, released_rows[_i].sender);
		ck_assert_msg(answer.passes == released_rows[_i].passes,
		    "%s: %lld passes", when, (long long)answer.passes);
		ck_assert_msg((answer.pairs[0][CLOCK_REAL].last_passed != 0) ==
			    released_rows[_i].has_passed &&
			(answer.pairs[0][CLOCK_REAL].first_seen != 0) ==
			    released_rows[_i].is_pending,
		    "%s: its pair", when);
		ck_assert_msg(answer.host.bad >= released_rows[_i].bad * 0.99,
		    "%s: %f", when, answer.host.bad);
		store_close(&store);
	}
}
END_TEST

/* ---- Our own */

static bool
note_entry(void *arg, const struct store_entry *entry)
{
	snprintf(arg, 128, "%s %lld %s", entry->text,
	    (long long)(entry->until - RELEASED), entry->note);
	return true;
}

START_TEST(lists_are_saved)
{
	const struct store_entry entry = {
	    "192.0.2.0/24", RELEASED + 60, "anne: for a test"};
	char found[128] = "";
	enum store_change change;

	open_with(NULL);
	ck_assert_int_eq(
	    store_list_add(store, "friends", &entry, &change), STORE_OK);
	store_close(&store);
	open_with(NULL);
	ck_assert_int_eq(
	    store_list_each(store, "friends", note_entry, found), STORE_OK);
	ck_assert_str_eq(found, "192.0.2.0/24 60 anne: for a test");
	store_close(&store);
}
END_TEST

/* ---- What matched */

struct wanted {
	const char *name;
	int64_t day;
};

static void
look_at(void *arg, const struct store_match *match)
{
	struct wanted *wanted = arg;

	if (strcmp(match->name, wanted->name) == 0)
		wanted->day = match->day;
}

static int64_t
day_of(const char *list, const char *name, int64_t *since_r)
{
	struct wanted wanted = {name, 0};

	ck_assert_int_eq(
	    store_read_matches(store, list, look_at, &wanted, since_r),
	    STORE_OK);
	return wanted.day;
}

START_TEST(what_matched_of_lists_is_remembered)
{
	const struct store_match match = {"Qx3k8Jpf", RELEASED / 86400 - 2};
	int64_t since;

	open_with(NULL);
	ck_assert_int_eq(store_put_matches(store, "8JpfQx3k", &match, 1,
			     RELEASED - 3 * 86400),
	    STORE_OK);
	store_close(&store);
	open_with(NULL);
	ck_assert_int_eq(day_of("8JpfQx3k", match.name, &since), match.day);
	ck_assert_int_eq(since, RELEASED - 3 * 86400);
	ck_assert_int_eq(day_of("8JpfQx3k", "AAAAAAAA", &since), 0);
	ck_assert_int_eq(day_of("Qx3k8Jpf", match.name, &since), 0);
	ck_assert_int_eq(since, 0);
	store_close(&store);
}
END_TEST

/* ---- What is refused */

static const struct {
	const char *when;
	const char *text; /* NULL: the released file, cut to `length` */
	size_t length;
	const char *why;
} refused_rows[] = {
    {"the next version", "milter-defer records 5\nand whatever it holds", 44,
	"was written by a later milter-defer (records 5, this one reads up to "
	"4)"},
    {"one far away, and short", "milter-defer records 99999999999999\n", 36,
	"was written by a later milter-defer (records"},
    {"no version", "milter-defer records \n", 22, "is no file of records"},
    {"a version of nothing", "milter-defer records 0\n", 23,
	"is no file of records"},
    {"another program's", "SQLite format 3\0with many a table", 33,
	"is no file of records"},
    {"a list", "192.0.2.7\n", 10, "is no file of records"},
    {"the first line alone", NULL, 23, "is cut off"},
    {"half of the head", NULL, 40, "has a wrong checksum"},
    {"the head", NULL, 63, "has a wrong checksum"},
    {"all but an octet", NULL, 2053, "has a wrong checksum"},
};

START_TEST(what_is_refused_is_still_there)
{
	unsigned char data[FILE_MAX_SIZE], found[FILE_MAX_SIZE];
	size_t length = refused_rows[_i].length;
	char aside[sizeof file + 16];
	struct stat status;

	if (refused_rows[_i].text != NULL)
		memcpy(data, refused_rows[_i].text, length);
	else
		ck_assert_uint_ge(read_released(data), length);
	write_file(data, length);
	open_with(NULL);
	ck_assert_msg(strncmp(said, "bad: ", 5) == 0 &&
		strstr(said, refused_rows[_i].why) != NULL &&
		strstr(said, "starting without records, the file is now ") !=
		    NULL,
	    "%s: %s", refused_rows[_i].when, said);
	ck_assert(store_save(store, 1000, true));
	store_close(&store);
	ck_assert_int_eq(stat(file, &status), 0); /* a new one */
	snprintf(aside, sizeof aside, "%s.refused", file);
	ck_assert_uint_eq(read_from(aside, found), length);
	ck_assert_mem_eq(found, data, length);
}
END_TEST

START_TEST(what_cannot_be_moved_is_not_replaced)
{
	static const char later[] = "milter-defer records 5\n";
	unsigned char found[FILE_MAX_SIZE];
	char aside[sizeof file + 32];

	for (int i = 1; i <= 9; i++) {
		snprintf(aside, sizeof aside,
		    i == 1 ? "%s.refused" : "%s.refused.%d", file, i);
		write_file("mine", 4);
		ck_assert_int_eq(rename(file, aside), 0);
	}
	write_file(later, sizeof later - 1);
	open_with(NULL);
	ck_assert_msg(
	    strstr(said, "what is learned is not saved") != NULL, "%s", said);
	ck_assert(store_save(store, 1000, false));
	ck_assert(store_save(store, 2000, true));
	store_close(&store);
	ck_assert_uint_eq(read_from(file, found), sizeof later - 1);
	ck_assert_mem_eq(found, later, sizeof later - 1);
	ck_assert_uint_eq(read_from(aside, found), 4);
}
END_TEST

/* ---- Who else has it */

START_TEST(two_processes_do_not_share_a_file)
{
	int status, ready[2], go[2];
	char octet;
	pid_t child;

	put_released();
	ck_assert(pipe(ready) == 0 && pipe(go) == 0);
	child = fork();
	if (child == 0) {
		open_with(NULL);
		_exit(write(ready[1], "", 1) != 1 ||
		    read(go[0], &octet, 1) != 1 || said[0] != 'g');
	}
	ck_assert_int_eq(read(ready[0], &octet, 1), 1);
	open_with(NULL);
	ck_assert_msg(strstr(said, "another process (") != NULL &&
		strstr(said, "these here are not saved") != NULL,
	    "%s", said);
	ck_assert(store_save(store, 1000, true));
	store_close(&store);
	ck_assert_int_eq(write(go[1], "", 1), 1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	open_with(NULL); /* its end, however it came, has freed the file */
	ck_assert_msg(strncmp(said, "good: read", 10) == 0, "%s", said);
	store_close(&store);
}
END_TEST

CHECK_MAIN("state", tcase)
{
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, what_0_1_0_remembered_is_remembered, 0,
	    sizeof released_rows / sizeof released_rows[0]);
	tcase_add_test(tcase, lists_are_saved);
	tcase_add_test(tcase, what_matched_of_lists_is_remembered);
	tcase_add_loop_test(tcase, what_is_refused_is_still_there, 0,
	    sizeof refused_rows / sizeof refused_rows[0]);
	tcase_add_test(tcase, what_cannot_be_moved_is_not_replaced);
	tcase_add_test(tcase, two_processes_do_not_share_a_file);
}
