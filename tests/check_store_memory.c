/* What only the embedded store promises: what goes first, and the file. */
#include "store/memory/store_memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/records_1.h"
#include "lib/store_steps.h"
#include "store/memory/memory_counters.h"

#define NOON INT64_C(1780000000)

static char directory[] = "/tmp/check_store_memory.XXXXXX";
static char file[sizeof directory + 16];
static char said[1024];

static void
note(void *arg, bool bad, const char *text)
{
	(void)arg;
	snprintf(said, sizeof said, "%s: %s", bad ? "bad" : "good", text);
}

static struct store_memory_config
config_of(const unsigned char *key)
{
	return (struct store_memory_config){.terms = keeper_terms(),
	    .key = key,
	    .file = file,
	    .save_every = 300,
	    .report = note};
}

static void
open_memory(const struct store_memory_config *config, int64_t at)
{
	now = at;
	store = store_memory_open(config, now);
	ck_assert_ptr_nonnull(store);
}

static void
make_directory(void)
{
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(file, sizeof file, "%s/records", directory);
	said[0] = '\0';
}

static void
remove_directory(void)
{
	char name[sizeof file + 16];

	snprintf(name, sizeof name, "%s.refused", file);
	unlink(name);
	snprintf(name, sizeof name, "%s.new", file);
	rmdir(name);
	snprintf(name, sizeof name, "%s.lock", file);
	unlink(name);
	unlink(file);
	ck_assert_int_eq(rmdir(directory), 0);
}

/* ---- Lives */

static const struct {
	const char *when;
	bool worthy;
	int64_t after;
	bool there;
} life_rows[] = {
    {"a stranger is remembered for the retry window", false,
	KEEPER_PENDING_LIFE - 1, true},
    {"and no longer", false, KEEPER_PENDING_LIFE, false},
    {"a known client is remembered longer", true, KEEPER_PENDING_LIFE, true},
    {"until it was away for long", true, KEEPER_WORTHY_LIFE - 1, true},
    {"and no longer", true, KEEPER_WORTHY_LIFE, false},
};

START_TEST(lives)
{
	const struct store_effects effects = {.now = NOON,
	    .client = stranger,
	    .passes = 1,
	    .worthy = life_rows[_i].worthy};

	open_store();
	store_remember(store, &effects);
	now = NOON + life_rows[_i].after;
	store_tidy(store, now);
	ck_assert_msg((look_up(&stranger)->passes == 1) == life_rows[_i].there,
	    "%s", life_rows[_i].when);
	close_store();
}
END_TEST

START_TEST(a_new_attempt_prolongs_a_strangers_life)
{
	open_store();
	mark(&stranger, MARK_FIRST, NOON);
	mark_pair(&stranger, &other_pair, CLOCK_REAL, MARK_FIRST,
	    NOON + KEEPER_PENDING_LIFE - 60);
	now = NOON + KEEPER_PENDING_LIFE + 60;
	ck_assert_int_ne(look_up_pair(&stranger, &other_pair)
			     ->pairs[0][CLOCK_REAL]
			     .first_seen,
	    0);
	close_store();
}
END_TEST

/* ---- What goes first */

/* Client number `i`, in a network of its own. */
static struct store_client
client_number(int i)
{
	static char network[32];

	snprintf(network, sizeof network, "10.%d.%d.0/24", i / 256, i % 256);
	return (struct store_client){network, 1, NULL, NULL};
}

static void
remember_number(int i, bool worthy)
{
	const struct store_effects effects = {.now = now,
	    .client = client_number(i),
	    .passes = 1,
	    .worthy = worthy};

	ck_assert_int_eq(store_remember(store, &effects), STORE_OK);
}

static bool
is_there(int i)
{
	const struct store_client client = client_number(i);

	return look_up(&client)->passes > 0;
}

#define SMALL  (128 << 10)
#define MANY   20000
#define FEW    100  /* fit into SMALL */
#define KNOWNS 2000 /* do not */

static const struct {
	const char *when;
	bool first_worthy, then_worthy;
	int first, then;
	bool first_there; /* the first of the first */
	bool last_there;  /* the last of the latter */
} worth_rows[] = {
    {"strangers make room for later ones", false, false, FEW, MANY, false,
	true},
    {"a flood of strangers leaves known clients alone", true, false, FEW, MANY,
	true, true},
    {"strangers make room for known clients", false, true, FEW, MANY, false,
	true},
    {"known clients make room for known clients", true, true, FEW, MANY, false,
	true},
    {"known clients leave some room to strangers", true, false, KNOWNS, 10,
	false, true},
};

START_TEST(worth)
{
	struct store_terms terms = keeper_terms();
	const char *when = worth_rows[_i].when;

	terms.memory_max = SMALL;
	open_store_with(&terms);
	for (int i = 0; i < worth_rows[_i].first; i++)
		remember_number(i, worth_rows[_i].first_worthy);
	for (int i = 0; i < worth_rows[_i].then; i++)
		remember_number(30000 + i, worth_rows[_i].then_worthy);
	ck_assert_msg(is_there(0) == worth_rows[_i].first_there, "%s", when);
	ck_assert_msg(is_there(30000 + worth_rows[_i].then - 1) ==
		worth_rows[_i].last_there,
	    "%s", when);
	close_store();
}
END_TEST

START_TEST(who_comes_back_stays)
{
	struct store_terms terms = keeper_terms();

	terms.memory_max = SMALL;
	open_store_with(&terms);
	for (int i = 0; i < MANY; i++) {
		remember_number(1000 + i, true);
		if (i % 20 == 0)
			remember_number(0, true);
	}
	ck_assert(is_there(0));
	ck_assert(!is_there(1000));
	close_store();
}
END_TEST

/* Messages to as many recipients as are remembered, from one network after the
 * other. */
static void
flood_a_48(int networks)
{
	char network[64], address[64];
	struct store_client client = {network, 1, NULL, address};

	for (int i = 0; i < networks; i++) {
		snprintf(network, sizeof network, "2001:db8:1:%x::/64", i);
		snprintf(address, sizeof address, "2001:db8:1:%x::1", i);
		mark_flood(&client, "s@flood.example", 0, RECIPIENTS_MAX, now);
	}
}

START_TEST(a_flood_from_a_whole_48_leaves_others_alone)
{
	const struct store_client next_door = {
	    "2001:db8:2:1::/64", 1, NULL, "2001:db8:2:1::1"};
	struct store_terms terms = keeper_terms();

	terms.memory_max = 1 << 20;
	open_store_with(&terms);
	mark(&stranger, MARK_FIRST, now);
	mark(&next_door, MARK_FIRST, now);
	flood_a_48(10000);
	ck_assert_int_eq(clock_of(&stranger, CLOCK_REAL).first_seen, now);
	ck_assert_int_eq(clock_of(&next_door, CLOCK_REAL).first_seen, now);
	close_store();
}
END_TEST

/* With the largest cap a flood costs the others no time: the marks of a message
 * take about as long in a full record as in a small one. */
START_TEST(a_large_record_is_as_fast_as_a_small_one)
{
	struct store_terms terms = keeper_terms();
	clock_t small, large;

	terms.network_cap = 10000;
	open_store_with(&terms);
	small = clock();
	for (int i = 0; i < 70; i++) /* fill it */
		mark_flood(
		    &stranger, "", i * RECIPIENTS_MAX, RECIPIENTS_MAX, now);
	small = clock() - small;
	large = clock();
	for (int i = 70; i < 140; i++)
		mark_flood(
		    &stranger, "", i * RECIPIENTS_MAX, RECIPIENTS_MAX, now);
	large = clock() - large;
	ck_assert_msg(
	    large < 8 * small, "%ld, then %ld", (long)small, (long)large);
	close_store();
}
END_TEST

START_TEST(the_expired_go_first)
{
	struct store_terms terms = keeper_terms();

	terms.memory_max = SMALL;
	open_store_with(&terms);
	remember_number(0, true);
	now += KEEPER_WORTHY_LIFE + 1;
	for (int i = 0; i < FEW; i++)
		remember_number(1 + i, false);
	for (int i = 0; i < MANY; i++)
		remember_number(30000 + i, true);
	ck_assert(!is_there(0));
	close_store();
}
END_TEST

START_TEST(counters_are_bounded)
{
	struct memory_counters *counters = memory_counters_open(1);
	struct memory_counter_key key = {.period = HOUR};
	const struct memory_counting one = {.now = NOON, .units = 1};
	struct window_counts counts;

	for (uint32_t i = 0; i < 10000; i++) {
		key.id = i;
		ck_assert(memory_counters_take(counters, &key, &one, &counts));
		ck_assert_int_eq(counts.slots[WINDOW_SLOT_NOW], 1);
	}
	ck_assert_int_eq((int)memory_counters_count(counters), 256);
	for (int i = 0; i < 100; i++)
		memory_counters_expire(counters, NOON + 3 * HOUR);
	ck_assert_int_eq((int)memory_counters_count(counters), 0);
	memory_counters_close(&counters);
}
END_TEST

/* ---- Clocks that were ahead */

START_TEST(what_a_clock_ahead_gave_is_of_now_when_it_is_right_again)
{
	const struct store_effects worthy = {.now = NOON + 6 * HOUR,
	    .client = elsewhere,
	    .passes = 1,
	    .good = 8,
	    .worthy = true};
	const struct store_answer *answer;

	open_store();
	store_tidy(store, NOON + 6 * HOUR);
	mark(&stranger, MARK_FIRST, NOON + 6 * HOUR);
	store_remember(store, &worthy);
	store_tidy(store, NOON);
	now = NOON;
	ck_assert_int_eq(clock_of(&stranger, CLOCK_REAL).first_seen, NOON);
	answer = look_up(&elsewhere);
	ck_assert_int_eq(answer->last_used, NOON);
	earn(&elsewhere, 0, 8, NOON);
	ck_assert_double_eq_tol(look_up(&elsewhere)->network.bad, 8, 0.001);
	now = NOON + KEEPER_PENDING_LIFE;
	ck_assert_int_eq(clock_of(&stranger, CLOCK_REAL).first_seen, 0);
	close_store();
}
END_TEST

/* ---- The file */

/* All that a record can hold. */
static void
fill(void)
{
	struct store_effects effects = {.now = now,
	    .client = stranger,
	    .passes = 3,
	    .good = 5,
	    .bad = 7,
	    .worthy = true};

	effects.client_mark[CLOCK_OBSERVED] = MARK_PASSED;
	store_remember(store, &effects);
	mark(&stranger, MARK_FIRST, now - 60);
	mark_pair(&stranger, &other_pair, CLOCK_DEFERRED, MARK_PASSED, now);
	mark(&pooled_here, MARK_FIRST, now - 30);
}

static void
check_filled(void)
{
	const struct store_answer *answer = look_up(&stranger);

	ck_assert_int_eq(answer->passes, 3);
	ck_assert_int_eq(answer->last_used, NOON);
	ck_assert_int_eq(answer->client[CLOCK_OBSERVED].last_passed, NOON);
	ck_assert_int_eq(answer->pairs[0][CLOCK_REAL].first_seen, NOON - 60);
	ck_assert_double_eq_tol(answer->network.good, 5, 0.01);
	ck_assert_double_eq_tol(answer->host.bad, 7, 0.01);
	answer = look_up_pair(&stranger, &other_pair);
	ck_assert_int_eq(answer->pairs[0][CLOCK_DEFERRED].last_passed, NOON);
	ck_assert_int_eq(
	    clock_of(&pooled_there, CLOCK_REAL).first_seen, NOON - 30);
}

static const unsigned char one_key[TRIPLET_KEY] = {1};
static const unsigned char other_key[TRIPLET_KEY] = {2};

static const struct {
	const char *when;
	const unsigned char *key;
} key_rows[] = {
    {"with a key from the configuration", one_key},
    {"with a key of its own", NULL},
};

START_TEST(records_survive_a_restart)
{
	const struct store_memory_config config = config_of(key_rows[_i].key);
	struct stat status;

	make_directory();
	open_memory(&config, NOON);
	fill();
	store_close(&store);
	ck_assert_int_eq(stat(file, &status), 0);
	ck_assert_int_eq(status.st_mode & 0777, 0600);
	open_memory(&config, NOON + 60);
	ck_assert_str_eq(said + strlen(said) - strlen(file), file);
	ck_assert_ptr_nonnull(strstr(said, "good: read 3 records from "));
	check_filled();
	store_close(&store);
	remove_directory();
}
END_TEST

/* Who made an attempt is known by names of the file's own key, too. */
START_TEST(what_is_abandoned_costs_after_a_restart)
{
	const struct store_memory_config config = config_of(key_rows[_i].key);

	make_directory();
	open_memory(&config, NOON);
	mark_pair(&stranger, &pair, CLOCK_REAL, MARK_FIRST, NOON);
	mark_pair(&stranger, &other_pair, CLOCK_REAL, MARK_FIRST,
	    NOON + KEEPER_ABANDONED_AFTER - 60);
	store_close(&store);
	open_memory(&config, NOON + KEEPER_ABANDONED_AFTER - 30);
	now = NOON + KEEPER_ABANDONED_AFTER + 30;
	ck_assert_msg(look_up_pair(&stranger, &other_pair)->network.bad > 0,
	    "%s", key_rows[_i].when);
	store_close(&store);
	remove_directory();
}
END_TEST

/* What can be told to be somebody's is his; of a network with two hosts nobody can
 * tell, and first attempts of which nobody knows who made them cost nothing. */
static const struct {
	const char *when;
	const struct store_client *client;
	bool taken_over;
} old_rows[] = {
    {"the only host of a network", &stranger, true},
    {"but not its neighbour", &neighbour, false},
    {"one of two hosts", &elsewhere, false},
    {"a pool", &pooled_there, true},
};

START_TEST(a_file_of_version_1_is_read)
{
	const struct store_memory_config config = config_of(one_key);
	const struct store_client *client = old_rows[_i].client;
	bool taken_over = old_rows[_i].taken_over;
	const char *when = old_rows[_i].when;
	const struct store_answer *answer;
	FILE *old;

	make_directory();
	old = fopen(file, "w");
	ck_assert_ptr_nonnull(old);
	ck_assert_uint_eq(
	    fwrite(records_1, 1, sizeof records_1, old), sizeof records_1);
	fclose(old);
	open_memory(&config, NOON + 60);
	ck_assert_msg(
	    strstr(said, "good: read 4 records from ") != NULL, "%s", said);
	answer = look_up(client);
	ck_assert_msg(answer->passes == (taken_over ? 3 : 0) &&
		answer->pairs[0][CLOCK_REAL].first_seen ==
		    (taken_over ? NOON : 0) &&
		answer->client[CLOCK_OBSERVED].last_passed ==
		    (taken_over ? NOON : 0),
	    "%s: %lld passes", when, (long long)answer->passes);
	now = NOON + KEEPER_ABANDONED_AFTER + 60;
	answer = look_up_pair(&stranger, &other_pair);
	ck_assert_double_eq_tol(answer->network.good, 5, 0.2);
	ck_assert_double_eq_tol(answer->host.bad, 7, 0.2);
	store_close(&store);
	open_memory(&config, now);
	ck_assert_int_eq(look_up_pair(&stranger, &other_pair)->passes, 3);
	store_close(&store);
	remove_directory();
}
END_TEST

START_TEST(what_expired_meanwhile_is_not_read)
{
	const struct store_memory_config config = config_of(one_key);

	make_directory();
	open_memory(&config, NOON);
	fill();
	store_close(&store);
	open_memory(&config, NOON + KEEPER_PENDING_LIFE + 60);
	ck_assert_ptr_nonnull(strstr(said, "read 1 records"));
	store_close(&store);
	remove_directory();
}
END_TEST

START_TEST(records_are_saved_now_and_then)
{
	const struct store_memory_config config = config_of(one_key);

	make_directory();
	open_memory(&config, NOON);
	fill();
	ck_assert(store_save(store, 1000, false));
	ck_assert(store_save(store, 1299, false));
	ck_assert_int_ne(access(file, F_OK), 0);
	ck_assert(store_save(store, 1300, false));
	ck_assert_int_eq(access(file, F_OK), 0);
	store_close(&store);
	remove_directory();
}
END_TEST

START_TEST(a_save_that_fails_is_told_once_and_so_is_its_end)
{
	const struct store_memory_config config = config_of(one_key);
	char aside[sizeof file + 4];

	make_directory();
	open_memory(&config, NOON);
	snprintf(aside, sizeof aside, "%s.new", file);
	ck_assert_int_eq(mkdir(aside, 0700), 0); /* stands in the way */
	ck_assert(store_save(store, 0, false));
	ck_assert(!store_save(store, 300, false));
	ck_assert_ptr_nonnull(strstr(said, "bad: cannot save records: "));
	ck_assert_ptr_nonnull(strstr(said, file));
	said[0] = '\0';
	ck_assert(!store_save(store, 600, false));
	ck_assert_str_eq(said, "");
	ck_assert_int_eq(rmdir(aside), 0);
	ck_assert(store_save(store, 900, false));
	ck_assert_str_eq(said, "good: records are saved again");
	store_close(&store);
	remove_directory();
}
END_TEST

/* How a file is spoilt. */
enum spoil { CUT, EMPTIED, FLIPPED, REPLACED, KEYED, KEYLESS };

static const struct {
	const char *when;
	enum spoil spoil;
	const char *why;
} spoilt_rows[] = {
    {"a torn file is refused", CUT, "wrong checksum"},
    {"an empty one too", EMPTIED, "empty"},
    {"one bit is enough", FLIPPED, "wrong checksum"},
    {"something else is refused", REPLACED, "no file of records"},
    {"a file made with another key is of no use", KEYED, "another secret"},
    {"nor is one with a key of its own", KEYLESS, "without the secret_file"},
};

static void
spoil_file(enum spoil how)
{
	static const char foreign[] =
	    "root:x:0:0:root:/root:/bin/bash\nand so on for a while\n";
	int fd = open(file, O_RDWR);
	struct stat status;
	char octet;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &status), 0);
	if (how == CUT) {
		ck_assert_int_eq(ftruncate(fd, status.st_size / 2), 0);
	} else if (how == EMPTIED) {
		ck_assert_int_eq(ftruncate(fd, 0), 0);
	} else if (how == FLIPPED) {
		ck_assert_int_eq(pread(fd, &octet, 1, 200), 1);
		octet ^= 4;
		ck_assert_int_eq(pwrite(fd, &octet, 1, 200), 1);
	} else if (how == REPLACED) {
		ck_assert_int_eq(ftruncate(fd, 0), 0);
		ck_assert_int_gt(write(fd, foreign, sizeof foreign - 1), 0);
	}
	close(fd);
}

START_TEST(a_bad_file_is_refused_and_put_aside)
{
	const struct store_memory_config config = config_of(one_key);
	enum spoil how = spoilt_rows[_i].spoil;
	const struct store_memory_config first =
	    config_of(how == KEYED   ? other_key
		    : how == KEYLESS ? NULL
				     : one_key);
	char aside[sizeof file + 24];

	make_directory();
	open_memory(&first, NOON);
	fill();
	store_close(&store);
	spoil_file(how);
	open_memory(&config, NOON);
	ck_assert_msg(strncmp(said, "bad: ", 5) == 0 &&
		strstr(said, spoilt_rows[_i].why) != NULL &&
		strstr(said, file) != NULL,
	    "%s: %s", spoilt_rows[_i].when, said);
	snprintf(aside, sizeof aside, "%s.refused", file);
	ck_assert_int_eq(access(aside, F_OK), 0);
	ck_assert_int_eq(access(file, F_OK), -1);
	ck_assert_int_eq(look_up(&stranger)->passes, 0);
	fill();
	store_close(&store);
	open_memory(&config, NOON);
	check_filled();
	store_close(&store);
	remove_directory();
}
END_TEST

START_TEST(one_put_aside_before_is_kept)
{
	const struct store_memory_config config = config_of(one_key);
	char aside[sizeof file + 24];

	make_directory();
	for (int i = 1; i <= 9; i++) {
		open_memory(&config, NOON);
		fill();
		store_close(&store);
		spoil_file(CUT);
	}
	open_memory(&config, NOON);
	snprintf(aside, sizeof aside, "%s.refused", file);
	ck_assert_int_eq(unlink(aside), 0);
	for (int i = 2; i <= 9; i++) {
		snprintf(aside, sizeof aside, "%s.refused.%d", file, i);
		ck_assert_int_eq(unlink(aside), 0);
	}
	store_close(&store);
	remove_directory(); /* there is nothing else */
}
END_TEST

static Suite *
store_memory_suite(void)
{
	Suite *suite = suite_create("store_memory");
	TCase *bounds = tcase_create("bounds");
	TCase *saved = tcase_create("file");

	tcase_set_timeout(bounds, 240);
	tcase_add_loop_test(bounds, lives, 0, COUNT(life_rows));
	tcase_add_test(bounds, a_new_attempt_prolongs_a_strangers_life);
	tcase_add_loop_test(bounds, worth, 0, COUNT(worth_rows));
	tcase_add_test(bounds, who_comes_back_stays);
	tcase_add_test(
	    bounds, what_a_clock_ahead_gave_is_of_now_when_it_is_right_again);
	tcase_add_test(bounds, a_flood_from_a_whole_48_leaves_others_alone);
	tcase_add_test(bounds, a_large_record_is_as_fast_as_a_small_one);
	tcase_add_test(bounds, the_expired_go_first);
	tcase_add_test(bounds, counters_are_bounded);
	suite_add_tcase(suite, bounds);

	tcase_add_loop_test(
	    saved, records_survive_a_restart, 0, COUNT(key_rows));
	tcase_add_loop_test(
	    saved, what_is_abandoned_costs_after_a_restart, 0, COUNT(key_rows));
	tcase_add_loop_test(
	    saved, a_file_of_version_1_is_read, 0, COUNT(old_rows));
	tcase_add_test(saved, what_expired_meanwhile_is_not_read);
	tcase_add_test(saved, records_are_saved_now_and_then);
	tcase_add_test(saved, a_save_that_fails_is_told_once_and_so_is_its_end);
	tcase_add_loop_test(
	    saved, a_bad_file_is_refused_and_put_aside, 0, COUNT(spoilt_rows));
	tcase_add_test(saved, one_put_aside_before_is_kept);
	suite_add_tcase(suite, saved);
	return suite;
}

int
main(void)
{
	return run_suite(store_memory_suite(), 1, NULL);
}
