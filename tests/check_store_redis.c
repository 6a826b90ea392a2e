/* What only the store in Redis promises.  Needs the name of a Redis as its
 * arguments (lib/keeper.h); without them it is skipped. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/store_steps.h"
#include "store/redis/store_redis.h"

#define SKIPPED 77

static struct redis *redis;

static void
open_both(void)
{
	open_store();
	redis = keeper_redis();
}

static void
close_both(void)
{
	redis_close(&redis);
	close_store();
}

static const char *
key_of(const char *name)
{
	static char key[256];

	snprintf(key, sizeof key, "%s%s", keeper_prefix(), name);
	return key;
}

/* One command about a key of the store, with up to two more words; its answer,
 * -1 if that is no number. */
static int64_t
tell_redis(const char *command, const char *name, const char *first,
    const char *second)
{
	struct redis_request request = {.key = key_of(name)};
	int64_t answer = -1;

	if (second != NULL)
		resp_add(
		    &request.commands, command, request.key, first, second);
	else if (first != NULL)
		resp_add(&request.commands, command, request.key, first);
	else
		resp_add(&request.commands, command, request.key);
	ck_assert_int_eq(redis_ask(redis, &request, 1, 0), REDIS_ANSWERED);
	(void)resp_integer(request.replies[0], &answer);
	redis_request_free(&request);
	return answer;
}

/* ---- Lives */

/* Everything that the store ever writes about one stranger.  What it is told to
 * remember rides with its next question to the same server, which must come
 * before we look through a connection of our own. */
static void
write_all(void)
{
	const struct store_take takes[] = {
	    {.id = 1,
		.holder = NULL,
		.of_host = false,
		.period = HOUR,
		.units = 1},
	    {.id = 2,
		.holder = "bob",
		.of_host = false,
		.period = HOUR,
		.units = 1},
	};
	struct store_answer answer;
	struct store_query query = {.now = now,
	    .client = pooled_here,
	    .pairs = &pair,
	    .pair_count = 1,
	    .takes = takes,
	    .take_count = 2};
	const struct load_report own = {now, 0.5};
	struct load_report reports[4];
	int64_t there;
	size_t count;

	ck_assert_int_eq(store_look_up(store, &query, &answer), STORE_OK);
	mark(&pooled_here, MARK_FIRST, now);
	earn(&stranger, 1, 1, now);
	store_exchange_load(store, &own, reports, 4, &there, &count);
	look_up(&pooled_here);
	look_up(&stranger);
}

static const struct {
	const char *when, *key;
	int64_t least, most; /* seconds to live */
} life_rows[] = {
    {"a pool that is a stranger", "{example.net}", KEEPER_PENDING_LIFE - 60,
	KEEPER_PENDING_LIFE * 11 / 10},
    {"a network that is a stranger", "{192.0.2.0/24}", KEEPER_PENDING_LIFE - 60,
	KEEPER_PENDING_LIFE * 11 / 10},
    {"the load of the farm", "load", 3000, 3600},
    {"the key for hashing", "key", 300 * DAY, 400 * DAY},
};

START_TEST(every_key_has_a_life)
{
	open_both();
	write_all();
	for (int i = 0; i < COUNT(life_rows); i++) {
		int64_t life = tell_redis("TTL", life_rows[i].key, NULL, NULL);

		ck_assert_msg(
		    life >= life_rows[i].least && life <= life_rows[i].most,
		    "%s: %lld", life_rows[i].when, (long long)life);
	}
	close_both();
}
END_TEST

static const struct {
	const char *when;
	bool worthy[2];
	int64_t least;
} worth_rows[] = {
    {"a known client lives long", {true, true}, KEEPER_WORTHY_LIFE - 60},
    {"a stranger who becomes known lives long", {false, true},
	KEEPER_WORTHY_LIFE - 60},
    {"a known client's life is never cut", {true, false},
	KEEPER_WORTHY_LIFE - 60},
};

START_TEST(lives_go_by_worth)
{
	struct store_effects effects = {.client = stranger, .passes = 1};
	int64_t life;

	open_both();
	effects.now = now;
	for (int i = 0; i < 2; i++) {
		effects.worthy = worth_rows[_i].worthy[i];
		store_remember(store, &effects);
	}
	look_up(&stranger);
	life = tell_redis("TTL", "{192.0.2.0/24}", NULL, NULL);
	ck_assert_msg(life >= worth_rows[_i].least, "%s: %lld",
	    worth_rows[_i].when, (long long)life);
	close_both();
}
END_TEST

/* ---- Time */

START_TEST(the_time_is_that_of_redis)
{
	struct store_answer answer;
	struct store_query query = {.client = stranger};
	struct store_effects effects = {.client = stranger, .bad = 8};

	open_both();
	query.now = now + 365 * DAY; /* this host's calendar is wrong */
	ck_assert_int_eq(store_look_up(store, &query, &answer), STORE_OK);
	ck_assert_int_le(llabs(answer.now - now), 2);
	effects.now = now + 365 * DAY;
	ck_assert_int_eq(store_remember(store, &effects), STORE_OK);
	ck_assert_double_eq_tol(look_up(&stranger)->network.bad, 8, 0.01);
	close_both();
}
END_TEST

/* ---- The farm */

START_TEST(hosts_read_each_others_load)
{
	struct store_terms terms = keeper_terms();
	struct load_report own = {.load = 0.25}, reports[8];
	struct store *other;
	int64_t there;
	size_t count, sane = 0;
	double sum = 0;

	open_both();
	terms.host = "mx2.example.net";
	other = keeper_open(&terms);
	tell_redis("HSET", "load", "mx3.example.net", "nonsense");
	store_exchange_load(store, &own, reports, 8, &there, &count);
	own.load = 0.5;
	store_exchange_load(other, &own, reports, 8, &there, &count);
	ck_assert_int_eq((int)count, 3);
	for (size_t i = 0; i < count; i++) {
		if (isnan(reports[i].load))
			continue;
		sane++;
		sum += reports[i].load;
	}
	ck_assert_int_eq((int)sane, 2);
	ck_assert_double_eq_tol(sum, 0.75, 0.001);
	store_close(&other);
	close_both();
}
END_TEST

START_TEST(a_host_that_fell_silent_is_forgotten)
{
	struct load_report own = {.load = 0.25}, reports[8];
	int64_t there;
	size_t count;

	open_both();
	tell_redis("HSET", "load", "mx3.example.net", "1000000:0.5");
	store_exchange_load(store, &own, reports, 8, &there, &count);
	store_exchange_load(store, &own, reports, 8, &there, &count);
	ck_assert_int_eq((int)count, 1);
	close_both();
}
END_TEST

START_TEST(servers_hash_with_the_same_key)
{
	struct store_terms terms = keeper_terms();
	struct store *first;

	open_both();
	mark(&stranger, MARK_FIRST, now - 60);
	look_up(&stranger);
	first = store;
	store = keeper_open(&terms);
	ck_assert_int_eq(clock_of(&stranger, CLOCK_REAL).first_seen, now - 60);
	store_close(&first);
	close_both();
}
END_TEST

START_TEST(a_key_that_is_too_short_is_not_used)
{
	const char *why = "less than 32";
	struct store_answer answer;
	struct store_query query = {.client = stranger};

	redis = keeper_redis();
	tell_redis("SET", "key", "secret", NULL);
	store = keeper_connect(&(struct store_terms){.network_cap = 1});
	/* Down in any case; why, is known when the server of the key answers. */
	for (int i = 0; i < 2000 && strstr(keeper_said(), why) == NULL; i++) {
		ck_assert_int_eq(
		    store_look_up(store, &query, &answer), STORE_DOWN);
		nanosleep(&(struct timespec){0, 20000000}, NULL);
	}
	ck_assert_ptr_nonnull(strstr(keeper_said(), why));
	close_both();
}
END_TEST

/* Of another type, or longer than any; found at the start, or later on. */
START_TEST(a_key_of_another_kind_is_made_anew)
{
	bool is_long = _i % 2 == 1, is_late = _i / 2 == 1;
	struct store_terms terms = keeper_terms();

	if (is_late)
		open_both();
	else
		redis = keeper_redis();
	tell_redis("UNLINK", "key", NULL, NULL);
	if (is_long)
		tell_redis("SETRANGE", "key", "1500000", "x");
	else
		tell_redis("RPUSH", "key", "a", "b");
	if (is_late)
		store_tidy(store, now);
	else
		store = keeper_open(&terms);
	mark(&stranger, MARK_FIRST, now);
	ck_assert_int_eq(clock_of(&stranger, CLOCK_REAL).first_seen, now);
	ck_assert_ptr_nonnull(
	    strstr(keeper_said(), is_late ? "is there again" : "newly made"));
	ck_assert_int_eq(tell_redis("STRLEN", "key", NULL, NULL), 64);
	close_both();
}
END_TEST

/* Both may notice, or the one that lost it may restart first. */
START_TEST(servers_agree_again_when_redis_lost_the_key)
{
	struct store_terms terms = keeper_terms();
	struct store *other;
	bool restarts = _i == 1;

	open_both();
	other = keeper_open(&terms);
	tell_redis("UNLINK", "key", NULL, NULL);
	if (restarts) {
		store_close(&other);
		other = keeper_open(&terms);
	}
	store_tidy(store, now);
	store_tidy(other, now);
	mark(&stranger, MARK_FIRST, now - 60);
	look_up(&stranger);
	store_close(&store);
	store = other;
	ck_assert_int_eq(clock_of(&stranger, CLOCK_REAL).first_seen, now - 60);
	ck_assert_ptr_nonnull(strstr(
	    keeper_said(), restarts ? "was replaced" : "is there again"));
	close_both();
}
END_TEST

START_TEST(another_secret_is_noticed)
{
	const char *why = "hashes with another secret";
	char mark_of_mx9[64];

	open_both();
	for (int i = 0; i < 800 && strstr(keeper_said(), why) == NULL; i++) {
		snprintf(mark_of_mx9, sizeof mark_of_mx9, "%lld:mx9\r",
		    (long long)time(NULL));
		tell_redis("HSET", "secrets", "AAAAAAAA", mark_of_mx9);
		store_tidy(store, now);
		nanosleep(&(struct timespec){0, 50000000}, NULL);
	}
	ck_assert_ptr_nonnull(strstr(keeper_said(), why));
	ck_assert_ptr_nonnull(strstr(keeper_said(), "mx9?"));
	close_both();
}
END_TEST

START_TEST(what_was_first_seen_in_the_future_begins_now)
{
	char clock[32];

	open_both();
	mark(&stranger, MARK_FIRST, now);
	look_up(&stranger);
	snprintf(clock, sizeof clock, "%lld",
	    (long long)(now + 6 * HOUR - INT64_C(1704067200)));
	tell_redis("HSET", "{192.0.2.0/24}", "AAAAAAAA", clock);
	tell_redis("HSET", "{192.0.2.0/24}", "s", clock);
	look_up(&stranger);
	store_tidy(store, now);
	look_up(&stranger);
	ck_assert_int_eq(
	    tell_redis("HEXISTS", "{192.0.2.0/24}", "AAAAAAAA", NULL), 0);
	ck_assert_int_eq(clock_of(&stranger, CLOCK_REAL).first_seen, now);
	close_both();
}
END_TEST

/* ---- Lists */

START_TEST(a_shared_list_is_read_when_it_changes)
{
	struct list *list;

	open_both();
	tell_redis("SADD", "list:friends", "192.0.2.0/24", "example.org");
	ck_assert_int_eq(store_read_list(store, "friends", &list), STORE_OK);
	ck_assert_int_eq((int)list_count(list), 2);
	ck_assert(list_has_domain(list, "mail.example.org", 0));
	list_free(&list);
	ck_assert_int_eq(store_read_list(store, "friends", &list), STORE_OK);
	ck_assert_ptr_null(list);

	tell_redis("SADD", "list:friends", "example.net", NULL);
	ck_assert_int_eq(store_read_list(store, "friends", &list), STORE_OK);
	ck_assert_ptr_nonnull(list);
	list_free(&list);

	tell_redis("SREM", "list:friends", "example.net", NULL);
	tell_redis("SADD", "list:friends", "example.com", NULL);
	tell_redis("HINCRBY", "lists", "friends", "1");
	ck_assert_int_eq(store_read_list(store, "friends", &list), STORE_OK);
	ck_assert(list_has_domain(list, "example.com", 0));
	ck_assert(!list_has_domain(list, "example.net", 0));
	list_free(&list);
	close_both();
}
END_TEST

START_TEST(what_is_no_entry_is_named_once)
{
	struct list *list;

	open_both();
	tell_redis("SADD", "list:friends", "not an entry\r\n", "example.org");
	ck_assert_int_eq(store_read_list(store, "friends", &list), STORE_OK);
	ck_assert_int_eq((int)list_count(list), 1);
	list_free(&list);
	ck_assert_str_eq(keeper_said(),
	    "bad: shared list friends: 1 entries are no network, address or "
	    "domain, such as \"not an entry??\"");
	close_both();
}
END_TEST

START_TEST(a_long_list_is_read_whole)
{
	struct list *list;
	char name[32];

	open_both();
	for (int i = 0; i < 2500; i++) {
		snprintf(name, sizeof name, "d%d.example.org", i);
		tell_redis("SADD", "list:foes", name, NULL);
	}
	ck_assert_int_eq(store_read_list(store, "foes", &list), STORE_OK);
	ck_assert_int_ge((int)list_count(list), 2500);
	ck_assert(list_has_domain(list, "d2499.example.org", 0));
	list_free(&list);
	close_both();
}
END_TEST

/* ---- Reports */

static void
add_number(void *arg, const char *text)
{
	*(long *)arg += atol(text);
}

START_TEST(each_report_is_given_once)
{
	char text[16];
	long sum = 0;

	open_both();
	for (int i = 1; i <= 250; i++) {
		snprintf(text, sizeof text, "%d", i);
		tell_redis("RPUSH", "reports", text, NULL);
	}
	ck_assert_int_eq(
	    store_take_reports(store, now, add_number, &sum), STORE_OK);
	ck_assert_int_eq(sum, 250 * 251 / 2);
	ck_assert_int_eq(
	    store_take_reports(store, now, add_number, &sum), STORE_OK);
	ck_assert_int_eq(sum, 250 * 251 / 2);
	close_both();
}
END_TEST

/* ---- Sweeping */

/* There a host and sender may add a few more, as anybody else may. */
START_TEST(a_flood_stops_at_half_above_the_cap_by_itself)
{
	struct store_terms terms = keeper_terms();

	terms.network_cap = 32;
	open_store_with(&terms);
	redis = keeper_redis();
	for (int i = 0; i < 500; i++) {
		mark_attempt(&stranger, i, now);
		look_up(&stranger);
	}
	ck_assert_int_eq(
	    tell_redis("HLEN", "{192.0.2.0/24}", NULL, NULL), 48 + 16);
	store_tidy(store, now);
	/* what the sweeper notes, and that the host is crowded */
	ck_assert_int_eq(
	    tell_redis("HLEN", "{192.0.2.0/24}", NULL, NULL), 32 + 3);
	mark_attempt(&stranger, 1000, now);
	ck_assert_int_eq(remembered(&stranger, 1000, 1001), 1);
	close_both();
}
END_TEST

START_TEST(a_record_that_is_full_of_passes_takes_attempts)
{
	struct store_terms terms = keeper_terms();

	terms.network_cap = 32;
	open_store_with(&terms);
	for (int i = 0; i < 2 * 32; i++)
		mark_number(&stranger, i, MARK_PASSED, now);
	look_up(&stranger);
	mark_attempt(&stranger, 1000, now);
	look_up(&stranger);
	store_tidy(store, now);
	ck_assert_int_eq(remembered(&stranger, 1000, 1001), 1);
	ck_assert_int_eq(remembered(&stranger, 0, 2 * 32), 31);
	close_store();
}
END_TEST

/* Until the next sweep tells them apart they count as clocks. */
START_TEST(new_sums_of_hosts_refuse_attempts_only_until_a_sweep)
{
	struct store_terms terms = keeper_terms();
	struct store_client client = stranger;

	terms.network_cap = 32;
	open_store_with(&terms);
	mark(&stranger, MARK_FIRST, now);
	look_up(&stranger);
	store_tidy(store, now);
	for (client.host = 0; client.host < 2 * 32; client.host++)
		earn(&client, 1, 0, now);
	look_up(&stranger);
	store_tidy(store, now);
	look_up(&stranger);
	mark_attempt(&stranger, 1000, now);
	ck_assert_int_eq(remembered(&stranger, 1000, 1001), 1);
	close_store();
}
END_TEST

START_TEST(sums_of_another_half_life_are_swept)
{
	open_both();
	tell_redis("HSET", "{192.0.2.0/24}", "g3d.50", "1000");
	tell_redis("HSET", "{192.0.2.0/24}", "b7d.50.ff", "1000");
	earn(&stranger, 4, 0, now);
	look_up(&stranger);
	store_tidy(store, now);
	ck_assert_double_eq_tol(look_up(&stranger)->host.good, 4, 0.01);
	/* good of network and host, and what the sweeper notes */
	ck_assert_int_eq(
	    tell_redis("HLEN", "{192.0.2.0/24}", NULL, NULL), 2 + 2);
	close_both();
}
END_TEST

START_TEST(two_servers_count_an_abandoned_attempt_once)
{
	struct store_terms terms = keeper_terms();
	struct store *first;

	open_both();
	first = store;
	store = keeper_open(&terms);
	mark(&stranger, MARK_FIRST, now - KEEPER_ABANDONED_AFTER);
	look_up_pair(&stranger, &other_pair);
	store_look_up(first,
	    &(struct store_query){.now = now, .client = stranger},
	    &(struct store_answer){0});
	store_tidy(store, now);
	store_tidy(first, now);
	ck_assert_double_eq_tol(look_up(&stranger)->network.bad, 2, 0.01);
	store_close(&first);
	close_both();
}
END_TEST

/* ---- Faults */

/* A key of ours that another program made: {key, command, word, word}. */
static const struct {
	const char *when, *key, *command, *first, *second;
	enum store_result result;
} foreign_rows[] = {
    {"the record is a string", "{192.0.2.0/24}", "SETEX", "600", "foreign",
	STORE_UNREADABLE},
    {"it is a list", "{192.0.2.0/24}", "RPUSH", "a", "b", STORE_UNREADABLE},
    {"a field of it is no number", "{192.0.2.0/24}", "HSET", "p", "many",
	STORE_OK},
};

START_TEST(what_is_no_record_concerns_its_client_alone)
{
	struct store_answer answer;
	struct store_query query = {.now = now, .client = stranger};

	open_both();
	tell_redis(foreign_rows[_i].command, foreign_rows[_i].key,
	    foreign_rows[_i].first, foreign_rows[_i].second);
	ck_assert_msg(
	    store_look_up(store, &query, &answer) == foreign_rows[_i].result,
	    "%s", foreign_rows[_i].when);
	ck_assert(store_is_up(store));
	query.client = elsewhere;
	ck_assert_int_eq(store_look_up(store, &query, &answer), STORE_OK);
	/* it is removed, and begins anew */
	mark(&stranger, MARK_FIRST, now);
	ck_assert_int_eq(clock_of(&stranger, CLOCK_REAL).first_seen, now);
	close_both();
}
END_TEST

START_TEST(a_window_of_another_kind_begins_anew)
{
	const struct store_take unit = {.id = 1,
	    .holder = NULL,
	    .of_host = false,
	    .period = HOUR,
	    .units = 1};
	struct store_query query = {
	    .now = now, .client = stranger, .takes = &unit, .take_count = 1};
	struct store_answer answer;
	char name[64];

	open_both();
	mark(&stranger, MARK_FIRST, now);
	snprintf(name, sizeof name, "{192.0.2.0/24}:r:3600:%lld",
	    (long long)(window_slot(now, HOUR) / 32));
	tell_redis("SETEX", name, "600", "foreign");
	ck_assert_int_eq(
	    store_look_up(store, &query, &answer), STORE_UNREADABLE);
	ck_assert_ptr_nonnull(strstr(keeper_said(), ":r:3600:"));
	ck_assert_int_eq(store_look_up(store, &query, &answer), STORE_OK);
	ck_assert_int_eq(answer.counts[0].slots[WINDOW_SLOT_NOW], 1);
	/* the record beside it is as it was */
	ck_assert_int_eq(clock_of(&stranger, CLOCK_REAL).first_seen, now);
	close_both();
}
END_TEST

static const char *const shared_keys[] = {
    "load", "reports", "list:friends", "lists", "secrets"};

START_TEST(a_shared_key_of_another_kind_stops_nothing_else)
{
	struct load_report own = {.load = 0.5}, report;
	struct list *list;
	int64_t there;
	size_t count;

	open_both();
	tell_redis("SETEX", shared_keys[_i], "600", "foreign");
	for (int i = 0; i < 3; i++) {
		(void)store_exchange_load(
		    store, &own, &report, 1, &there, &count);
		(void)store_read_list(store, "friends", &list);
		list_free(&list);
		(void)store_take_reports(store, now, add_number, NULL);
		store_tidy(store, now);
	}
	mark(&stranger, MARK_FIRST, now);
	ck_assert_int_eq(clock_of(&stranger, CLOCK_REAL).first_seen, now);
	ck_assert(store_is_up(store));
	ck_assert_int_eq(
	    store_exchange_load(store, &own, &report, 1, &there, &count),
	    STORE_OK);
	ck_assert_int_eq((int)count, 1);
	close_both();
}
END_TEST

START_TEST(nobody_there_is_down)
{
	char *nowhere[] = {"127.0.0.1:9", NULL};
	struct store_effects effects = {.client = stranger, .bad = 1};
	struct store_query query = {.client = stranger};
	struct load_report own = {.load = 0.5}, report;
	struct store_answer answer;
	struct list *list;
	int64_t there;
	size_t count;

	keeper_use(nowhere);
	store = keeper_connect(&(struct store_terms){.network_cap = 1});
	ck_assert(!store_is_up(store));
	ck_assert_int_eq(store_look_up(store, &query, &answer), STORE_DOWN);
	ck_assert_int_eq(store_remember(store, &effects), STORE_DOWN);
	ck_assert_int_eq(
	    store_exchange_load(store, &own, &report, 1, &there, &count),
	    STORE_DOWN);
	ck_assert_int_eq(store_read_list(store, "friends", &list), STORE_DOWN);
	ck_assert_int_eq(
	    store_take_reports(store, 0, add_number, NULL), STORE_DOWN);
	store_tidy(store, 0);
	close_store();
}
END_TEST

static const struct {
	const char *when, *prefix, *why;
} prefix_rows[] = {
    {"there must be a prefix", "", "is empty"},
    {"it may have no braces", "m{x}:", "braces"},
    {"it may have no blanks", "m x:", "blanks"},
    {"it may not be long",
	"mdefermdefermdefermdefermdefermdefermdefermdefermdefermdefermdefer:",
	"too long"},
};

START_TEST(prefixes)
{
	char error[256] = "";

	ck_assert_msg(keeper_try_prefix(prefix_rows[_i].prefix, error,
			  sizeof error) == NULL &&
		strstr(error, prefix_rows[_i].why) != NULL,
	    "%s: %s", prefix_rows[_i].when, error);
}
END_TEST

static Suite *
store_redis_suite(void)
{
	Suite *suite = suite_create("store_redis");
	TCase *all = tcase_create("all");

	tcase_set_timeout(all, 240);
	tcase_add_test(all, every_key_has_a_life);
	tcase_add_loop_test(all, lives_go_by_worth, 0, COUNT(worth_rows));
	tcase_add_test(all, the_time_is_that_of_redis);
	tcase_add_test(all, hosts_read_each_others_load);
	tcase_add_test(all, a_host_that_fell_silent_is_forgotten);
	tcase_add_test(all, servers_hash_with_the_same_key);
	tcase_add_test(all, a_key_that_is_too_short_is_not_used);
	tcase_add_loop_test(all, a_key_of_another_kind_is_made_anew, 0, 4);
	tcase_add_test(all, a_shared_list_is_read_when_it_changes);
	tcase_add_test(all, what_is_no_entry_is_named_once);
	tcase_add_test(all, a_long_list_is_read_whole);
	tcase_add_test(all, each_report_is_given_once);
	tcase_add_test(all, a_flood_stops_at_half_above_the_cap_by_itself);
	tcase_add_test(all, a_record_that_is_full_of_passes_takes_attempts);
	tcase_add_test(
	    all, new_sums_of_hosts_refuse_attempts_only_until_a_sweep);
	tcase_add_test(all, sums_of_another_half_life_are_swept);
	tcase_add_test(all, two_servers_count_an_abandoned_attempt_once);
	tcase_add_loop_test(all, what_is_no_record_concerns_its_client_alone, 0,
	    COUNT(foreign_rows));
	tcase_add_test(all, a_window_of_another_kind_begins_anew);
	tcase_add_loop_test(all,
	    a_shared_key_of_another_kind_stops_nothing_else, 0,
	    COUNT(shared_keys));
	tcase_add_loop_test(
	    all, servers_agree_again_when_redis_lost_the_key, 0, 2);
	tcase_add_test(all, another_secret_is_noticed);
	tcase_add_test(all, what_was_first_seen_in_the_future_begins_now);
	tcase_add_test(all, nobody_there_is_down);
	tcase_add_loop_test(all, prefixes, 0, COUNT(prefix_rows));
	suite_add_tcase(suite, all);
	return suite;
}

int
main(int argc, char **argv)
{
	if (argc < 2)
		return SKIPPED;
	return run_suite(store_redis_suite(), argc, argv);
}
