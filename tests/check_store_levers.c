/* The contract of every store: lists that commands change, and forgetting.  Without
 * arguments the embedded store is held to it, else that of the Redis which they
 * name (lib/keeper.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/store_steps.h"

/* ---- Lists */

static enum store_change
add(const char *text, int64_t until, const char *note)
{
	const struct store_entry entry = {text, until, note};
	enum store_change change;

	ck_assert_int_eq(
	    store_list_add(store, "friends", &entry, &change), STORE_OK);
	return change;
}

static enum store_change
remove_entry(const char *text)
{
	enum store_change change;

	ck_assert_int_eq(
	    store_list_remove(store, "friends", text, &change), STORE_OK);
	return change;
}

/* What was told of one entry, and of how many. */
struct shown {
	const char *text;
	size_t count;
	int64_t until;
	char note[STORE_NOTE_SIZE];
};

static bool
note_shown(void *arg, const struct store_entry *entry)
{
	struct shown *shown = arg;

	shown->count++;
	if (strcmp(entry->text, shown->text) != 0)
		return true;
	shown->until = entry->until;
	snprintf(shown->note, sizeof shown->note, "%s", entry->note);
	return true;
}

static struct shown
show(const char *text)
{
	struct shown shown = {.text = text};

	ck_assert_int_eq(
	    store_list_each(store, "friends", note_shown, &shown), STORE_OK);
	return shown;
}

START_TEST(an_entry_is_added_renewed_and_removed)
{
	open_store();
	ck_assert_int_eq(
	    add("192.0.2.7", now + 60, "anne: a test"), STORE_ADDED);
	ck_assert_str_eq(show("192.0.2.7").note, "anne: a test");
	ck_assert_int_eq(show("192.0.2.7").until, now + 60);
	ck_assert_int_eq(add("192.0.2.7", now + 90, "bob"), STORE_RENEWED);
	ck_assert_int_eq(show("192.0.2.7").until, now + 90);
	ck_assert_int_eq(add("192.0.2.7", LIST_FOR_EVER, ""), STORE_RENEWED);
	ck_assert_int_eq(show("192.0.2.7").until, LIST_FOR_EVER);
	ck_assert_str_eq(show("192.0.2.7").note, "");
	ck_assert_int_eq(add("192.0.2.7", now + 30, "bob"), STORE_RENEWED);
	ck_assert_int_eq(show("192.0.2.7").until, now + 30);
	ck_assert_uint_eq(show("192.0.2.7").count, 1);
	ck_assert_int_eq(remove_entry("192.0.2.7"), STORE_REMOVED);
	ck_assert_int_eq(remove_entry("192.0.2.7"), STORE_ABSENT);
	ck_assert_uint_eq(show("192.0.2.7").count, 0);
	close_store();
}
END_TEST

/* NULL: it is as it was. */
static struct list *
read_friends(void)
{
	struct list *list;

	ck_assert_int_eq(store_read_list(store, "friends", &list), STORE_OK);
	return list;
}

static bool
is_friend(const char *address, int64_t at)
{
	static struct list *list;
	struct list *fresh = read_friends();
	struct netaddr addr;

	if (fresh != NULL) {
		list_free(&list);
		list = fresh;
	}
	ck_assert(netaddr_parse(address, &addr));
	return list_has_client(list, &addr, at);
}

START_TEST(each_change_is_read)
{
	open_store();
	ck_assert(!is_friend("192.0.2.7", now));
	(void)add("192.0.2.0/24", now + 60, "");
	ck_assert(is_friend("192.0.2.7", now + 59));
	ck_assert(!is_friend("192.0.2.7", now + 60));
	ck_assert_ptr_null(read_friends());
	(void)add("192.0.2.0/24", now + 90, "");
	ck_assert(is_friend("192.0.2.7", now + 89));
	(void)add("192.0.2.0/24", LIST_FOR_EVER, "");
	ck_assert(is_friend("192.0.2.7", now + DAY));
	(void)remove_entry("192.0.2.0/24");
	ck_assert(!is_friend("192.0.2.7", now));
	close_store();
}
END_TEST

START_TEST(what_has_expired_is_removed)
{
	open_store();
	(void)add("192.0.2.1", now - 3600, "is over");
	(void)add("192.0.2.2", now + 3600, "");
	(void)add("192.0.2.3", LIST_FOR_EVER, "");
	for (int i = 0; i < 200 && show("").count > 2; i++) {
		list_free(&(struct list *){read_friends()});
		store_tidy(store, now);
	}
	ck_assert_uint_eq(show("192.0.2.2").count, 2);
	ck_assert_int_eq(show("192.0.2.2").until, now + 3600);
	close_store();
}
END_TEST

START_TEST(lists_do_not_mix)
{
	enum store_change change;

	open_store();
	(void)add("192.0.2.1", LIST_FOR_EVER, "");
	ck_assert_int_eq(
	    store_list_remove(store, "foes", "192.0.2.1", &change), STORE_OK);
	ck_assert_int_eq(change, STORE_ABSENT);
	ck_assert_uint_eq(show("192.0.2.1").count, 1);
	close_store();
}
END_TEST

static bool
want_one_less(void *arg, const struct store_entry *entry)
{
	(void)entry;
	return --*(int *)arg > 0;
}

START_TEST(a_long_list_is_told_whole)
{
	static const int wanted[] = {1, 2, 200, 201, 749, 1000};
	char text[32];

	open_store();
	for (int i = 0; i < 1500; i++) {
		snprintf(text, sizeof text, "198.18.%d.%d", i / 256, i % 256);
		ck_assert_int_eq(
		    add(text, i % 2 == 0 ? LIST_FOR_EVER : now + i, text),
		    STORE_ADDED);
	}
	ck_assert_uint_ge(show("198.18.5.219").count, 1500);
	ck_assert_str_eq(show("198.18.5.219").note, "198.18.5.219");
	ck_assert_int_eq(show("198.18.5.219").until, now + 1499);
	for (int i = 0; i < COUNT(wanted); i++) {
		int left = wanted[i];

		ck_assert_int_eq(
		    store_list_each(store, "friends", want_one_less, &left),
		    STORE_OK);
		ck_assert_int_eq(left, 0); /* and is told no more */
	}
	close_store();
}
END_TEST

/* ---- Forgetting */

static const int64_t hour[] = {HOUR};

static size_t
forget(const struct store_forget *what)
{
	size_t count;

	ck_assert_int_eq(store_forget(store, what, &count), STORE_OK);
	return count;
}

static void
give_passes(const struct store_client *client)
{
	struct store_effects effects = {
	    .now = now, .client = *client, .passes = 5, .worthy = true};

	ck_assert_int_eq(store_remember(store, &effects), STORE_OK);
}

/* Two neighbours and a pool with all that can be known of them. */
static void
fill(void)
{
	static const struct store_client *const clients[] = {
	    &stranger, &neighbour, &pooled_here, &elsewhere};

	for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
		mark_pair(clients[i], &pair, CLOCK_REAL, MARK_FIRST, now);
		mark_pair(clients[i], &pair, CLOCK_OBSERVED, MARK_FIRST, now);
		mark_pair(
		    clients[i], &other_pair, CLOCK_REAL, MARK_PASSED, now);
		give_passes(clients[i]);
		earn(clients[i], 8, 16, now);
	}
	(void)look_up(&stranger); /* comes after what was told */
}

static void
check_is_known(const struct store_client *client, double network)
{
	const struct store_answer *answer = look_up_pair(client, &other_pair);

	ck_assert_int_eq(answer->pairs[0][CLOCK_REAL].last_passed, now);
	ck_assert_int_eq(answer->passes, 5);
	ck_assert_double_eq_tol(answer->host.bad, 16, 0.1);
	ck_assert_double_eq_tol(answer->network.bad, network, 0.1);
	answer = look_up(client);
	ck_assert_int_eq(answer->pairs[0][CLOCK_REAL].first_seen, now);
	ck_assert_int_eq(answer->pairs[0][CLOCK_OBSERVED].first_seen, now);
}

static void
check_is_unknown(const struct store_client *client, double network)
{
	const struct store_answer *answer = look_up_pair(client, &other_pair);

	ck_assert_int_eq(answer->pairs[0][CLOCK_REAL].last_passed, 0);
	ck_assert_int_eq(answer->passes, 0);
	ck_assert_int_eq(answer->last_used, 0);
	ck_assert_double_eq_tol(answer->host.bad, 0, 0.1);
	ck_assert_double_eq_tol(answer->host.good, 0, 0.1);
	ck_assert_double_eq_tol(answer->network.bad, network, 0.1);
	answer = look_up(client);
	ck_assert_int_eq(answer->pairs[0][CLOCK_REAL].first_seen, 0);
	ck_assert_int_eq(answer->pairs[0][CLOCK_OBSERVED].first_seen, 0);
}

START_TEST(an_address_is_forgotten_and_its_neighbour_is_not)
{
	const struct store_forget what = {
	    .tag = stranger.network, .address = "192.0.2.7", .host = 7};

	open_store();
	fill();
	check_is_known(&stranger, 32);
	ck_assert_uint_gt(forget(&what), 0);
	check_is_unknown(&stranger, 16);
	check_is_known(&neighbour, 16);
	ck_assert_uint_eq(forget(&what), 0);
	close_store();
}
END_TEST

START_TEST(a_network_is_forgotten_whole)
{
	const struct store_forget what = {.tag = stranger.network};

	open_store();
	fill();
	ck_assert_uint_gt(forget(&what), 0);
	check_is_unknown(&stranger, 0);
	check_is_unknown(&neighbour, 0);
	check_is_known(&elsewhere, 16);
	ck_assert_uint_eq(forget(&what), 0);
	close_store();
}
END_TEST

START_TEST(a_pool_is_forgotten_and_its_addresses_apart)
{
	open_store();
	fill();
	ck_assert_uint_gt(
	    forget(&(struct store_forget){.tag = "example.net"}), 0);
	check_is_known(&unnamed_here, 16);
	ck_assert_int_eq(look_up(&pooled_there)->passes, 0);
	ck_assert_uint_gt(
	    forget(&(struct store_forget){
		.tag = "203.0.113.0/24", .address = "203.0.113.1", .host = 1}),
	    0);
	check_is_unknown(&pooled_here, 0);
	close_store();
}
END_TEST

START_TEST(a_pair_is_forgotten_and_nothing_else)
{
	open_store();
	fill();
	ck_assert_uint_eq(forget(&(struct store_forget){.tag = stranger.network,
			      .address = "192.0.2.7",
			      .host = 7,
			      .pair = &pair}),
	    2);
	ck_assert_int_eq(clock_of(&stranger, CLOCK_REAL).first_seen, 0);
	ck_assert_int_eq(clock_of(&neighbour, CLOCK_REAL).first_seen, now);
	ck_assert_int_eq(look_up_pair(&stranger, &other_pair)
			     ->pairs[0][CLOCK_REAL]
			     .last_passed,
	    now);
	ck_assert_uint_eq(forget(&(struct store_forget){
			      .tag = stranger.network, .pair = &pair}),
	    2);
	ck_assert_int_eq(clock_of(&neighbour, CLOCK_REAL).first_seen, 0);
	ck_assert_int_eq(look_up(&neighbour)->passes, 5);
	close_store();
}
END_TEST

START_TEST(what_was_counted_is_forgotten)
{
	const struct store_take what = {.id = 7, .period = HOUR, .units = 3};
	const struct store_take reading = {.id = 7, .period = HOUR};
	const struct store_take of_family = {
	    .id = 8, .holder = "2001:db8::/48", .period = HOUR, .units = 3};

	open_store();
	mark(&stranger, MARK_FIRST, now);
	(void)take(&stranger, &what);
	ck_assert_int_eq(take(&stranger, &what).slots[WINDOW_SLOT_NOW], 6);
	ck_assert_uint_gt(forget(&(struct store_forget){.tag = stranger.network,
			      .address = "192.0.2.7",
			      .host = 7,
			      .periods = hour,
			      .period_count = 1}),
	    0);
	ck_assert_int_eq(take(&stranger, &reading).slots[WINDOW_SLOT_NOW], 0);
	ck_assert_int_eq(take(&stranger, &of_family).slots[WINDOW_SLOT_NOW], 3);
	ck_assert_uint_gt(
	    forget(&(struct store_forget){
		.tag = "2001:db8::/48", .periods = hour, .period_count = 1}),
	    0);
	ck_assert_int_eq(take(&stranger, &of_family).slots[WINDOW_SLOT_NOW], 3);
	close_store();
}
END_TEST

/* ---- What matches of lists */

#define FRIENDS "Qx3k8Jpf"
#define FOES	"8JpfQx3k"

struct known {
	const char *name;
	int64_t day; /* of that one, 0: it is not known */
	size_t count;
	int64_t since;
};

static void
note_known(void *arg, const struct store_match *match)
{
	struct known *known = arg;

	known->count++;
	if (strcmp(match->name, known->name) == 0)
		known->day = match->day;
}

static struct known
known_of(const char *list, const char *name)
{
	struct known known = {.name = name};

	ck_assert_int_eq(
	    store_read_matches(store, list, note_known, &known, &known.since),
	    STORE_OK);
	return known;
}

static void
put(const char *list, const char *name, int64_t day)
{
	struct store_match match = {.day = day};

	strcpy(match.name, name);
	ck_assert_int_eq(
	    store_put_matches(store, list, &match, 1, now), STORE_OK);
}

START_TEST(the_last_day_of_a_match_is_known)
{
	int64_t today = now / DAY;

	open_store();
	today = now / DAY;
	ck_assert_int_eq(known_of(FRIENDS, "AAAAAAAA").since, 0);
	put(FRIENDS, "AAAAAAAA", today - 3);
	put(FRIENDS, "AAAAAAAA", today - 1);
	put(FRIENDS, "AAAAAAAA", today - 2);
	put(FRIENDS, "BBBBBBBB", today);
	put(FOES, "AAAAAAAA", today);
	ck_assert_int_eq(known_of(FRIENDS, "AAAAAAAA").day, today - 1);
	ck_assert_int_eq(known_of(FRIENDS, "BBBBBBBB").day, today);
	ck_assert_int_eq(known_of(FOES, "BBBBBBBB").day, 0);
	ck_assert_uint_eq(known_of(FRIENDS, "").count, 2);
	close_store();
}
END_TEST

/* Whoever looks where nothing matches has looked all the same. */
START_TEST(since_when_it_is_counted_is_known)
{
	struct known known;

	open_store();
	ck_assert_int_eq(
	    store_put_matches(store, FRIENDS, NULL, 0, now), STORE_OK);
	known = known_of(FRIENDS, "");
	ck_assert_uint_eq(known.count, 0);
	ck_assert_int_le(llabs(known.since - now), 5);
	put(FRIENDS, "AAAAAAAA", now / DAY);
	ck_assert_int_eq(known_of(FRIENDS, "").since, known.since);
	close_store();
}
END_TEST

START_TEST(what_matched_long_ago_is_forgotten)
{
	open_store();
	put(FRIENDS, "AAAAAAAA", now / DAY - STORE_MATCHES_LIFE - 1);
	now += DAY; /* for the embedded store: it looks once a day */
	put(FRIENDS, "BBBBBBBB", now / DAY - STORE_MATCHES_LIFE + 2);
	ck_assert_int_eq(known_of(FRIENDS, "AAAAAAAA").day, 0);
	ck_assert_int_ne(known_of(FRIENDS, "BBBBBBBB").day, 0);
	close_store();
}
END_TEST

static void
put_many(const char *list, int from, int count, int64_t day)
{
	static struct store_match matches[STORE_PUT_MATCHES];
	int many = 0;

	for (int i = from; i < from + count; i++) {
		snprintf(
		    matches[many].name, sizeof matches[many].name, "n%07d", i);
		matches[many++].day = day;
		if (many < STORE_PUT_MATCHES && i + 1 < from + count)
			continue;
		ck_assert_int_eq(
		    store_put_matches(store, list, matches, (size_t)many, now),
		    STORE_OK);
		many = 0;
	}
}

/* Of what was forgotten nobody may say that it did not match. */
START_TEST(too_many_matches_are_not_counted_for_so_long)
{
	int64_t today;

	open_store();
	today = now / DAY;
	put_many(FRIENDS, 0, 1000, today - 9);
	put_many(FRIENDS, 1000, STORE_MATCHES_MAX - 1000, today - 5);
	ck_assert_int_eq(known_of(FRIENDS, "n0000999").day, today - 9);
	put_many(FRIENDS, STORE_MATCHES_MAX, 1500, today);
	ck_assert_int_eq(known_of(FRIENDS, "n0000999").day, 0);
	ck_assert_int_eq(known_of(FRIENDS, "n0200999").day, today);
	ck_assert_uint_le(known_of(FRIENDS, "").count, STORE_MATCHES_MAX);
	ck_assert_int_ge(known_of(FRIENDS, "").since, (today - 5) * DAY);
	close_store();
}
END_TEST

static Suite *
levers_suite(void)
{
	Suite *suite = suite_create("store_levers");
	TCase *lists = tcase_create("lists");
	TCase *forgetting = tcase_create("forgetting");
	TCase *matching = tcase_create("matching");

	tcase_add_test(lists, an_entry_is_added_renewed_and_removed);
	tcase_add_test(lists, each_change_is_read);
	tcase_add_test(lists, what_has_expired_is_removed);
	tcase_add_test(lists, lists_do_not_mix);
	tcase_add_test(lists, a_long_list_is_told_whole);
	suite_add_tcase(suite, lists);
	tcase_add_test(
	    forgetting, an_address_is_forgotten_and_its_neighbour_is_not);
	tcase_add_test(forgetting, a_network_is_forgotten_whole);
	tcase_add_test(forgetting, a_pool_is_forgotten_and_its_addresses_apart);
	tcase_add_test(forgetting, a_pair_is_forgotten_and_nothing_else);
	tcase_add_test(forgetting, what_was_counted_is_forgotten);
	suite_add_tcase(suite, forgetting);
	tcase_set_timeout(matching, 240);
	tcase_add_test(matching, the_last_day_of_a_match_is_known);
	tcase_add_test(matching, since_when_it_is_counted_is_known);
	tcase_add_test(matching, what_matched_long_ago_is_forgotten);
	tcase_add_test(matching, too_many_matches_are_not_counted_for_so_long);
	suite_add_tcase(suite, matching);
	return suite;
}

int
main(int argc, char **argv)
{
	return run_suite(levers_suite(), argc, argv);
}
