/* The journal and the counters in a store.  Without arguments the embedded store
 * is held to it, else that of the Redis which they name (lib/keeper.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/random.h"
#include "lib/store_steps.h"
#include "store/counters.h"
#include "store/journal.h"

#define WINDOW INT64_C(90000)

static struct journal *journal;
static struct random dice;
static struct journal_terms terms = {.entries = 1000, .age = 7 * DAY};

static void
open_journal(void)
{
	open_store();
	journal = journal_open();
	ck_assert_ptr_nonnull(journal);
}

static void
close_journal(void)
{
	journal_close(&journal);
	close_store();
}

static void
flush(void)
{
	journal_flush(journal, store, &terms);
}

static const struct store_pair joe_to_bob = {
    .sender = "joe@example.org", .recipient = "bob@example.com"};
static const struct store_pair to_many[] = {
    {.sender = "joe@example.org", .recipient = "anna@example.com"},
    {.sender = "joe@example.org", .recipient = "bob@example.com"}};

static struct journal_note
note_of(enum journal_kind kind, int64_t at, const char *reference)
{
	return (struct journal_note){.kind = kind,
	    .at = at,
	    .reference = reference,
	    .session = "7Q2M9XAB",
	    .host = "mx1.example.com",
	    .rule = "strangers",
	    .response = "greylisted",
	    .text = "451 4.7.1 Greylisted",
	    .wait = kind == JOURNAL_PASS ? 0 : 180,
	    .stage = STAGE_DATA,
	    .client = "192.0.2.7",
	    .network = "192.0.2.0/24",
	    .name = "mail.example.org",
	    .identity = "example.org",
	    .pairs = &joe_to_bob,
	    .pair_count = 1,
	    .recipient_count = 1,
	    .known = JOURNAL_STRANGER,
	    .has_score = true,
	    .score = -12,
	    .load = 0.125};
}

static bool
put(enum journal_kind kind, int64_t at,
    char reference_r[JOURNAL_REFERENCE_SIZE])
{
	struct journal_note note;

	journal_reference_new(random_draw(&dice), at, reference_r);
	note = note_of(kind, at, reference_r);
	return journal_put(journal, &note);
}

static struct journal_entry *
find(const char *reference)
{
	static struct journal_entry entry;
	bool found;

	ck_assert_int_eq(
	    journal_find(store, &terms, reference, now, &entry, &found),
	    STORE_OK);
	return found ? &entry : NULL;
}

/* ---- References */

static const struct {
	const char *when;
	const char *text, *reference; /* NULL: none */
} reference_rows[] = {
    {"as it is", "K3T9D0VE7Q2M9XAB", "K3T9D0VE7Q2M9XAB"},
    {"in small letters", "k3t9d0ve7q2m9xab", "K3T9D0VE7Q2M9XAB"},
    {"in groups", "K3T9-D0VE 7Q2M-9XAB", "K3T9D0VE7Q2M9XAB"},
    {"O, I and L are misread digits", "OIL9d0ve7q2m9xab", "0119D0VE7Q2M9XAB"},
    {"U is none of the alphabet", "U3T9D0VE7Q2M9XAB", NULL},
    {"too short", "K3T9D0VE7Q2M9XA", NULL},
    {"too long", "K3T9D0VE7Q2M9XABC", NULL},
    {"an address", "bob@example.org", NULL},
    {"nothing", "", NULL},
};

START_TEST(references)
{
	char reference[JOURNAL_REFERENCE_SIZE] = "";
	bool is_one =
	    journal_reference_read(reference_rows[_i].text, reference);
	const char *expected = reference_rows[_i].reference;

	ck_assert_msg(is_one == (expected != NULL) &&
		strcmp(reference, expected == NULL ? "" : expected) == 0,
	    "%s: %s", reference_rows[_i].when, reference);
}
END_TEST

START_TEST(references_are_drawn_from_60_bits)
{
	char a[JOURNAL_REFERENCE_SIZE], b[JOURNAL_REFERENCE_SIZE];
	int same = 0;

	/* 12 characters differ in about 1 of 32 places by chance. */
	for (int i = 0; i < 1000; i++) {
		journal_reference_new(random_draw(&dice), now, a);
		journal_reference_new(random_draw(&dice), now, b);
		ck_assert_str_ne(a, b);
		for (int j = 0; j < 12; j++)
			same += a[j] == b[j];
	}
	ck_assert_int_lt(same, 2 * 12000 / 32);
}
END_TEST

/* The vectors of its authors: keys and texts are 0, 1, 2 ... */
START_TEST(hashes_are_those_of_the_book)
{
	static const struct {
		size_t length;
		uint64_t hash;
	} vectors[] = {{0, UINT64_C(0x726fdb47dd0e0e31)},
	    {1, UINT64_C(0x74f839c593dc67fd)},
	    {7, UINT64_C(0xab0200f58b01d137)},
	    {8, UINT64_C(0x93f5f5799a932462)},
	    {15, UINT64_C(0xa129ca6149be45e5)},
	    {63, UINT64_C(0x958a324ceb064572)}};
	unsigned char octets[64];

	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] = (unsigned char)i;
	for (int i = 0; i < COUNT(vectors); i++)
		ck_assert_msg(siphash(octets, octets, vectors[i].length) ==
			vectors[i].hash,
		    "of %zu octets", vectors[i].length);
}
END_TEST

/* ---- Entries */

START_TEST(what_was_put_is_found_by_its_reference)
{
	char reference[JOURNAL_REFERENCE_SIZE], hash[STORE_NAME_SIZE];
	const struct journal_entry *entry;

	open_journal();
	put(JOURNAL_DEFER, now, reference);
	ck_assert_ptr_null(find(reference));
	flush();
	entry = find(reference);
	ck_assert_ptr_nonnull(entry);
	ck_assert_str_eq(entry->reference, reference);
	ck_assert_str_eq(entry->session, "7Q2M9XAB");
	ck_assert_str_eq(entry->host, "mx1.example.com");
	ck_assert_str_eq(entry->rule, "strangers");
	ck_assert_str_eq(entry->response, "greylisted");
	ck_assert_str_eq(entry->text, "451 4.7.1 Greylisted");
	ck_assert_str_eq(entry->client, "192.0.2.7");
	ck_assert_str_eq(entry->network, "192.0.2.0/24");
	ck_assert_str_eq(entry->name, "mail.example.org");
	ck_assert_int_eq(entry->kind, JOURNAL_DEFER);
	ck_assert_int_eq(entry->at, now);
	ck_assert_int_eq(entry->wait, 180);
	ck_assert_int_eq(entry->stage, STAGE_DATA);
	ck_assert_int_eq(entry->recipient_count, 1);
	ck_assert_int_eq(entry->score, -12);
	ck_assert_int_eq(entry->known, JOURNAL_STRANGER);
	ck_assert_double_eq(entry->load, 0.125);
	ck_assert_int_eq(
	    journal_hash_sender(store, "<joe@EXAMPLE.org>", hash), STORE_OK);
	ck_assert_str_eq(entry->sender, hash);
	ck_assert_int_eq(
	    journal_hash_recipient(store, "Bob@example.com", hash), STORE_OK);
	ck_assert_uint_eq(entry->recipient_hashes, 1);
	ck_assert_str_eq(entry->recipients[0], hash);
	close_journal();
}
END_TEST

START_TEST(a_reference_is_found_as_long_as_its_entry_is_kept)
{
	char reference[JOURNAL_REFERENCE_SIZE];
	struct journal_terms before = terms;

	terms.age = 36 * DAY;
	open_journal();
	put(JOURNAL_DEFER, now - 35 * DAY, reference);
	flush();
	ck_assert_ptr_nonnull(find(reference));
	terms.age = 7 * DAY;
	close_journal();
	terms = before;
}
END_TEST

static bool
count_entry(void *arg, const struct journal_entry *entry)
{
	(void)entry;
	++*(int *)arg;
	return true;
}

static int
count(struct journal_query query)
{
	int found = 0;
	bool more = true;

	while (more)
		ck_assert_int_eq(
		    journal_read(store, &query, count_entry, &found, &more),
		    STORE_OK);
	return found;
}

static bool
list_kind(void *arg, const struct journal_entry *entry)
{
	strcat(arg, entry->kind == JOURNAL_PASS ? "p" : "d");
	return true;
}

static void
put_other(int64_t at)
{
	char reference[JOURNAL_REFERENCE_SIZE];
	struct journal_note note;

	journal_reference_new(random_draw(&dice), at, reference);
	note = note_of(JOURNAL_DEFER, at, reference);
	note.identity = "other.example";
	journal_put(journal, &note);
}

/* Of attempts of one message, on whatever server, and others between them; the two
 * first ones are handed over at once. */
START_TEST(a_story_goes_back_however_much_came_between)
{
	char first[JOURNAL_REFERENCE_SIZE], last[JOURNAL_REFERENCE_SIZE];
	char story[16] = "";
	struct journal_terms before = terms;

	terms.entries = 10000;
	open_journal();
	put(JOURNAL_DEFER, now - 4000, first);
	put(JOURNAL_DEFER, now - 3990, last);
	flush();
	for (int i = 0; i < 3000; i++) {
		if (i == 1500) {
			put(JOURNAL_DEFER, now - 1800, last);
			put(JOURNAL_OBSERVE, now - 1800, last);
		}
		put_other(now - 3500 + i);
		if (i % 200 == 199)
			flush();
	}
	put(JOURNAL_PASS, now - 5, last);
	flush();
	ck_assert_int_eq(
	    journal_story(store, &terms, find(first), list_kind, story),
	    STORE_OK);
	ck_assert_str_eq(story, "pddd");
	close_journal();
	terms = before;
}
END_TEST

START_TEST(no_more_are_kept_than_is_said)
{
	char reference[JOURNAL_REFERENCE_SIZE];

	open_journal();
	for (int i = 0; i < 2500; i++) {
		put(JOURNAL_DEFER, now - 2500 + i, reference);
		if (i % 200 == 0)
			flush();
	}
	flush();
	ck_assert_int_eq(count((struct journal_query){0}), 1000);
	ck_assert_ptr_nonnull(find(reference));
	ck_assert_int_eq(
	    count((struct journal_query){.since = now - 700}), 700);
	close_journal();
}
END_TEST

START_TEST(nor_for_longer)
{
	char reference[JOURNAL_REFERENCE_SIZE];

	open_journal();
	put(JOURNAL_DEFER, now - 8 * DAY, reference);
	put(JOURNAL_DEFER, now - 6 * DAY, reference);
	flush();
	put(JOURNAL_DEFER, now, reference);
	flush();
	ck_assert_int_eq(count((struct journal_query){0}), 2);
	close_journal();
}
END_TEST

START_TEST(entries_are_found_by_what_is_known_of_them)
{
	char reference[JOURNAL_REFERENCE_SIZE], why[NETWORK_WHY_SIZE];
	struct network network;
	struct journal_query query = {.client = &network};

	open_journal();
	put(JOURNAL_DEFER, now, reference);
	put(JOURNAL_PASS, now, reference);
	flush();
	ck_assert(network_parse("192.0.2.7", &network, why));
	ck_assert_int_eq(count(query), 2);
	query.kinds = 1U << JOURNAL_PASS;
	ck_assert_int_eq(count(query), 1);
	query.kinds = 0;
	ck_assert_int_eq(
	    journal_hash_sender(store, "joe@example.org", query.sender),
	    STORE_OK);
	ck_assert_int_eq(count(query), 2);
	ck_assert_int_eq(
	    journal_hash_recipient(store, "bob@example.com", query.recipient),
	    STORE_OK);
	ck_assert_int_eq(count(query), 2);
	ck_assert_int_eq(
	    journal_hash_recipient(store, "eve@example.com", query.recipient),
	    STORE_OK);
	ck_assert_int_eq(count(query), 0);
	query.recipient[0] = '\0';
	ck_assert(network_parse("192.0.3.0/24", &network, why));
	ck_assert_int_eq(count(query), 0);
	close_journal();
}
END_TEST

/* Three of each, and a page ends between two of them. */
START_TEST(entries_that_share_a_place_are_all_seen)
{
	char reference[JOURNAL_REFERENCE_SIZE], digits[13];

	open_journal();
	for (int i = 0; i < 600; i++) {
		struct journal_note note;

		journal_reference_new(0, now, reference);
		(void)snprintf(
		    digits, sizeof digits, "%04d%08d", i / 3 % 1000, i % 1000);
		memcpy(reference, digits, 12);
		note = note_of(JOURNAL_DEFER, now, reference);
		ck_assert(journal_put(journal, &note));
	}
	for (int i = 0; i < 4; i++)
		flush();
	ck_assert_int_ne(JOURNAL_PAGE % 3, 0);
	ck_assert_int_eq(count((struct journal_query){0}), 600);
	close_journal();
}
END_TEST

/* ---- What became of it */

static const struct {
	const char *when;
	struct {
		enum journal_kind kind;
		int64_t ago; /* 0: nothing more */
	} then[3];
	enum journal_state state;
	int64_t ago; /* of the last */
} after_rows[] = {
    {"it has just been told to wait", {{JOURNAL_DEFER, 60}}, JOURNAL_WAITS, 60},
    {"it may come back", {{JOURNAL_DEFER, 600}}, JOURNAL_MAY, 600},
    {"it came back too early", {{JOURNAL_DEFER, 200}, {JOURNAL_DEFER, 60}},
	JOURNAL_WAITS, 60},
    {"it passed", {{JOURNAL_DEFER, 600}, {JOURNAL_PASS, 60}}, JOURNAL_PASSED,
	60},
    {"what is on trial changes nothing",
	{{JOURNAL_DEFER, 600}, {JOURNAL_PASS, 60}, {JOURNAL_OBSERVE, 30}},
	JOURNAL_PASSED, 60},
    {"it never came back", {{JOURNAL_DEFER, WINDOW + 60}}, JOURNAL_GAVE_UP,
	WINDOW + 60},
};

START_TEST(what_became_of_it)
{
	char first[JOURNAL_REFERENCE_SIZE] = "",
	     reference[JOURNAL_REFERENCE_SIZE];
	const struct journal_entry *entry;
	struct journal_after after;

	open_journal();
	for (int i = 0; i < 3 && after_rows[_i].then[i].ago != 0; i++) {
		put(after_rows[_i].then[i].kind,
		    now - after_rows[_i].then[i].ago, reference);
		if (i == 0)
			memcpy(first, reference, sizeof first);
		flush();
	}
	entry = find(first);
	ck_assert_ptr_nonnull(entry);
	ck_assert_int_eq(
	    journal_after(store, &terms, entry, WINDOW, now, &after), STORE_OK);
	ck_assert_msg(after.state == after_rows[_i].state &&
		after.at == now - after_rows[_i].ago,
	    "%s: %d", after_rows[_i].when, (int)after.state);
	close_journal();
}
END_TEST

START_TEST(a_message_to_many_is_asked_for_by_each)
{
	char reference[JOURNAL_REFERENCE_SIZE], passed[JOURNAL_REFERENCE_SIZE];
	struct journal_note note;
	const struct journal_entry *entry;
	struct journal_after after;

	open_journal();
	journal_reference_new(random_draw(&dice), now - 300, reference);
	note = note_of(JOURNAL_DEFER, now - 300, reference);
	note.pairs = to_many;
	note.pair_count = 2;
	note.recipient_count = 2;
	journal_put(journal, &note);
	put(JOURNAL_PASS, now - 10, passed); /* to the second alone */
	flush();
	entry = find(reference);
	ck_assert_uint_eq(entry->recipient_hashes, 2);
	ck_assert_int_eq(
	    journal_after(store, &terms, entry, WINDOW, now, &after), STORE_OK);
	ck_assert_int_eq(after.state, JOURNAL_PASSED);
	close_journal();
}
END_TEST

/* ---- Hostile */

START_TEST(hostile_texts_stay_texts)
{
	char reference[JOURNAL_REFERENCE_SIZE];
	struct store_pair pairs[100];
	static const char hostile[] =
	    "\033[2J\tK=2\nrule\177\200\tr=K3T9D0VE7Q2M9XAB";
	static char huge[100000];
	struct journal_note note;
	const struct journal_entry *entry;

	open_journal();
	memset(huge, 'x', sizeof huge - 1);
	memcpy(huge, hostile, sizeof hostile - 1);
	for (size_t i = 0; i < 100; i++)
		pairs[i] = (struct store_pair){huge, huge + 50000, NULL};
	journal_reference_new(random_draw(&dice), now, reference);
	note = note_of(JOURNAL_DEFER, now, reference);
	note.session = note.host = note.rule = note.response = note.text =
	    note.client = note.network = note.name = note.identity = huge;
	note.pairs = pairs;
	note.pair_count = 100;
	note.recipient_count = INT64_MAX;
	note.wait = INT64_MIN;
	note.score = 4711;
	note.load = 1e300;
	journal_put(journal, &note);
	flush();
	entry = find(reference);
	ck_assert_ptr_nonnull(entry);
	ck_assert_int_eq(entry->kind, JOURNAL_DEFER);
	ck_assert_uint_eq(entry->recipient_hashes, JOURNAL_RECIPIENTS);
	ck_assert_ptr_null(strchr(entry->rule, '\033'));
	ck_assert_ptr_null(strchr(entry->rule, '\t'));
	ck_assert_uint_lt(strlen(entry->rule), sizeof entry->rule);
	close_journal();
}
END_TEST

START_TEST(what_is_no_entry_is_refused)
{
	static const char *const texts[] = {"", "1", "2\tr=K3T9D0VE7Q2M9XAB",
	    "1\tK=0", "1\tr=short", "1\tr=K3T9D0VE7Q2M9XAB\tK=9",
	    "1\tr=K3T9D0VE7Q2M9XAB\tK", "1\tr=K3T9D0VE7Q2M9XAB\tA=-1",
	    "1\tr=K3T9D0VE7Q2M9XAB\tA=99999999999999999999"};
	struct journal_entry entry;

	for (int i = 0; i < COUNT(texts); i++)
		ck_assert_msg(
		    !journal_decode(texts[i], strlen(texts[i]), &entry), "%s",
		    texts[i]);
	ck_assert(journal_decode("1\tr=K3T9D0VE7Q2M9XAB\tz=9", 24, &entry));
}
END_TEST

START_TEST(a_full_queue_drops_and_tells)
{
	char reference[JOURNAL_REFERENCE_SIZE];
	int dropped = 0;

	open_journal();
	for (int i = 0; i < 10000; i++)
		dropped += !put(JOURNAL_DEFER, now, reference);
	ck_assert_int_gt(dropped, 0);
	ck_assert_int_lt(dropped, 9000);
	flush();
	flush();
	ck_assert_int_eq(count((struct journal_query){0}), 1000);
	close_journal();
}
END_TEST

START_TEST(without_a_journal_nothing_is_kept)
{
	char reference[JOURNAL_REFERENCE_SIZE];

	open_journal();
	put(JOURNAL_DEFER, now, reference);
	terms.entries = 0;
	flush();
	terms.entries = 1000;
	flush();
	ck_assert_int_eq(count((struct journal_query){0}), 0);
	close_journal();
}
END_TEST

/* ---- Counters */

static char rule_names[2][20] = {"strangers", "rule two"};

static void
use_rules(struct counters *counters, struct rule rules[2])
{
	struct policy policy = {.rules = rules, .rule_count = 2};

	memset(rules, 0, 2 * sizeof *rules);
	rules[0].name = rule_names[0];
	rules[1].name = rule_names[1];
	counters_use(counters, &policy);
	counters_use(counters, &policy);
}

static struct counters_view farm;
static int hosts;

static void
sum_up(void *arg, const char *host, const struct counters_view *view)
{
	(void)arg;
	(void)host;
	hosts++;
	counters_add(&farm, view);
}

START_TEST(what_was_counted_is_published)
{
	struct counters *counters;
	struct load_report load = {now, 0.5}, loads[4];
	struct rule rules[2];
	size_t count;
	int64_t then;

	open_store();
	counters = counters_open(now - 100);
	use_rules(counters, rules);
	for (int i = 0; i < 5; i++)
		counters_verdict(counters, COUNT_DEFERRED, &rules[1], 0, now);
	counters_verdict(counters, COUNT_ACCEPTED, NULL, 0, now);
	counters_verdict(counters, COUNT_PASSED, &rules[0], 250, now);
	counters_wait(counters, 300);
	counters_count(counters, COUNT_TRIPS);
	ck_assert_int_eq(
	    store_exchange_load(store, &load, loads, 4, &then, &count),
	    STORE_OK);
	for (int i = 0; i < 7; i++)
		counters_count(counters, COUNT_DROPPED);
	counters_tick(counters, store, 0, now);
	memset(&farm, 0, sizeof farm);
	hosts = 0;
	ck_assert_int_eq(
	    counters_read(store, now + 60, sum_up, NULL), STORE_OK);
	ck_assert_int_eq(hosts, 1);
	ck_assert_int_eq(farm.since, now - 100);
	ck_assert_int_eq(farm.counts[COUNT_DEFERRED], 5);
	ck_assert_int_eq(farm.counts[COUNT_ACCEPTED], 1);
	ck_assert_int_eq(farm.counts[COUNT_PASSED], 1);
	ck_assert_int_eq(farm.counts[COUNT_TRIPS], 1);
	ck_assert_int_eq(farm.counts[COUNT_DROPPED], 7);
	ck_assert_uint_eq(farm.rule_count, 3);
	ck_assert_str_eq(farm.rules[0].name, "");
	ck_assert_int_eq(farm.rules[0].accepted, 1);
	ck_assert_str_eq(farm.rules[1].name, "strangers");
	ck_assert_int_eq(farm.rules[1].passed, 1);
	ck_assert_str_eq(farm.rules[2].name, "rule two");
	ck_assert_int_eq(farm.rules[2].deferred, 5);
	ck_assert_int_eq(farm.rules[2].matched, now);
	ck_assert_int_eq(farm.delays[2], 1);
	ck_assert_int_eq(farm.waits[2], 1);
	ck_assert_int_eq(
	    counters_share(farm.waits, counters_wait_us, COUNTERS_WAITS, 0.5),
	    500);
	ck_assert_int_eq(farm.minutes[COUNT_DEFERRED][0], 0);
	ck_assert_int_eq(farm.minutes[COUNT_DEFERRED][1], 5);
	counters_close(&counters);
	close_store();
}
END_TEST

START_TEST(a_restart_knows_what_matched_before)
{
	struct counters *counters;
	struct load_report load = {0, 0.5}, loads[4];
	struct rule rules[2];
	size_t count;
	int64_t then;

	open_store();
	load.at = now;
	counters = counters_open(now - 100000);
	use_rules(counters, rules);
	counters_verdict(counters, COUNT_DEFERRED, &rules[1], 0, now - 90000);
	ck_assert_int_eq(
	    store_exchange_load(store, &load, loads, 4, &then, &count),
	    STORE_OK);
	counters_tick(counters, store, 0, now - 50000);
	counters_close(&counters);

	memset(&farm, 0, sizeof farm);
	ck_assert_int_eq(counters_read(store, now, sum_up, NULL), STORE_OK);
	ck_assert_uint_eq(farm.rule_count, 0); /* it is silent */

	counters = counters_open(now - 10);
	use_rules(counters, rules);
	counters_tick(counters, store, 0, now);
	ck_assert_int_eq(counters_read(store, now, sum_up, NULL), STORE_OK);
	ck_assert_int_eq(farm.since, now - 10);
	ck_assert_int_eq(farm.watched, now - 100000);
	ck_assert_int_eq(farm.rules[1].matched, 0);
	ck_assert_int_eq(farm.rules[2].matched, now - 90000);
	ck_assert_int_eq(farm.rules[2].deferred, 0);
	counters_close(&counters);
	close_store();
}
END_TEST

START_TEST(rates_move_on)
{
	struct counters_view view = {.at = 7200 * 60};

	view.minutes[0][0] = 3;
	view.hours[0][0] = 3;
	counters_move_on(&view, 7200 * 60 + 59);
	ck_assert_int_eq(view.minutes[0][0], 3);
	counters_move_on(&view, 7200 * 60 + 60);
	ck_assert_int_eq(view.minutes[0][0], 0);
	ck_assert_int_eq(view.minutes[0][1], 3);
	ck_assert_int_eq(view.hours[0][0], 3);
	counters_move_on(&view, 7200 * 60 + 3600);
	ck_assert_int_eq(view.minutes[0][59], 0);
	ck_assert_int_eq(view.hours[0][1], 3);
	counters_move_on(&view, INT64_MAX);
	ck_assert_int_eq(view.hours[0][47], 0);
	counters_move_on(&view, 0); /* a clock that goes back */
}
END_TEST

START_TEST(a_picture_of_many_rules_fits)
{
	static struct counters_view view, read;
	static char text[COUNTERS_TEXT_MAX];
	size_t length;

	memset(&view, 0, sizeof view);
	view.rule_count = COUNTERS_RULES;
	for (size_t i = 0; i < COUNTERS_RULES; i++)
		(void)snprintf(
		    view.rules[i].name, COUNTERS_NAME, "%04zu%059d", i, 0);
	for (size_t i = 0; i < COUNTERS_RULES; i++)
		view.rules[i].accepted = view.rules[i].deferred =
		    view.rules[i].observed = view.rules[i].passed =
			view.rules[i].matched = INT64_C(1000000000000000);
	for (int i = 0; i <= COUNT_PASSED; i++)
		for (int j = 0; j < COUNTERS_MINUTES; j++)
			view.minutes[i][j] = INT64_C(1000000000000000);
	view.at = now;
	length = counters_encode(&view, text);
	ck_assert_uint_lt(length, sizeof text - 1);
	ck_assert(counters_decode(text, length, now, &read));
	ck_assert_uint_eq(read.rule_count, COUNTERS_RULES);
	ck_assert_mem_eq(&read.minutes, &view.minutes, sizeof view.minutes);
	ck_assert_str_eq(read.rules[COUNTERS_RULES - 1].name,
	    view.rules[COUNTERS_RULES - 1].name);
}
END_TEST

START_TEST(what_is_no_picture_is_refused)
{
	static struct counters_view view;
	static const char *const texts[] = {"", "version 1", "version 2\n",
	    "version 1\ncounts 1 x\n", "version 1\nrule 1 2\n",
	    "version 1\ncounts 1 2", "version 1\ncounts -1\n",
	    "version 1\ncounts 9999999999999999\n"};

	for (int i = 0; i < COUNT(texts); i++)
		ck_assert_msg(
		    !counters_decode(texts[i], strlen(texts[i]), now, &view),
		    "%s", texts[i]);
	ck_assert(counters_decode("version 1\nlater 1\n", 18, now, &view));
}
END_TEST

/* ---- Boards and queues */

static char heard[4096];

static void
hear_note(void *arg, const char *name, const char *text)
{
	(void)arg;
	(void)snprintf(heard + strlen(heard), sizeof heard - strlen(heard),
	    "%s=%s;", name, text);
}

static const char *
notes(int64_t at)
{
	heard[0] = '\0';
	ck_assert_int_eq(
	    store_read_notes(store, "board", at, hear_note, NULL), STORE_OK);
	return heard;
}

static void
put_note(const char *name, const char *text, int64_t life)
{
	const struct store_note note = {name, text, life};

	ck_assert_int_eq(store_put_note(store, "board", &note, now), STORE_OK);
}

START_TEST(notes_are_seen_until_they_expire_or_are_taken_away)
{
	open_store();
	ck_assert_str_eq(notes(now), "");
	put_note("a", "one  two", 3600);
	put_note("late", "text", -1);
	ck_assert_str_eq(notes(now), "a=one  two;");
	put_note("a", "three", 3600);
	ck_assert_str_eq(notes(now), "a=three;");
	put_note("a", NULL, 0);
	ck_assert_str_eq(notes(now), "");
	for (int i = 0; i < STORE_NOTES_MAX; i++) {
		char name[16];

		(void)snprintf(name, sizeof name, "%d", i);
		put_note(name, "x", 3600);
	}
	ck_assert_uint_gt(strlen(notes(now)), 0);
	close_store();
}
END_TEST

static void
hear_text(void *arg, const char *text)
{
	(void)arg;
	(void)snprintf(
	    heard + strlen(heard), sizeof heard - strlen(heard), "%s;", text);
}

START_TEST(a_queue_gives_what_was_pushed_once_and_in_order)
{
	static const char *const texts[] = {"one", "", "two\tthree\033"};
	size_t taken;

	open_store();
	heard[0] = '\0';
	ck_assert_int_eq(
	    store_pop(store, "queue", hear_text, NULL, &taken), STORE_OK);
	ck_assert_uint_eq(taken, 0);
	ck_assert_int_eq(store_push(store, "queue", texts, 3, now), STORE_OK);
	ck_assert_int_eq(store_push(store, "queue", texts, 1, now), STORE_OK);
	ck_assert_int_eq(
	    store_pop(store, "queue", hear_text, NULL, &taken), STORE_OK);
	ck_assert_uint_eq(taken, 4);
	ck_assert_str_eq(heard, "one;;two\tthree\033;one;");
	ck_assert_int_eq(
	    store_pop(store, "queue", hear_text, NULL, &taken), STORE_OK);
	ck_assert_uint_eq(taken, 0);
	close_store();
}
END_TEST

START_TEST(a_queue_keeps_the_last)
{
	const char *texts[STORE_PUSH_MAX];
	size_t taken, all = 0;

	open_store();
	for (int round = 0; round < STORE_QUEUE_MAX / STORE_PUSH_MAX + 5;
	     round++) {
		for (int i = 0; i < STORE_PUSH_MAX; i++)
			texts[i] = round == 5 && i == 0 ? "sixth" : "x";
		ck_assert_int_eq(
		    store_push(store, "queue", texts, STORE_PUSH_MAX, now),
		    STORE_OK);
	}
	heard[0] = '\0';
	do {
		ck_assert_int_eq(
		    store_pop(store, "queue", hear_text, NULL, &taken),
		    STORE_OK);
		all += taken;
	} while (taken > 0);
	ck_assert_uint_eq(all, STORE_QUEUE_MAX);
	ck_assert_ptr_eq(strstr(heard, "sixth;"), heard);
	close_store();
}
END_TEST

static Suite *
journal_suite(void)
{
	Suite *suite = suite_create("journal");
	TCase *cases = tcase_create("journal");

	tcase_set_timeout(cases, 240);
	tcase_add_loop_test(cases, references, 0, COUNT(reference_rows));
	tcase_add_test(cases, references_are_drawn_from_60_bits);
	tcase_add_test(cases, hashes_are_those_of_the_book);
	tcase_add_test(cases, what_was_put_is_found_by_its_reference);
	tcase_add_test(
	    cases, a_reference_is_found_as_long_as_its_entry_is_kept);
	tcase_add_test(cases, a_story_goes_back_however_much_came_between);
	tcase_add_test(cases, no_more_are_kept_than_is_said);
	tcase_add_test(cases, nor_for_longer);
	tcase_add_test(cases, entries_are_found_by_what_is_known_of_them);
	tcase_add_loop_test(cases, what_became_of_it, 0, COUNT(after_rows));
	tcase_add_test(cases, a_message_to_many_is_asked_for_by_each);
	tcase_add_test(cases, hostile_texts_stay_texts);
	tcase_add_test(cases, what_is_no_entry_is_refused);
	tcase_add_test(cases, entries_that_share_a_place_are_all_seen);
	tcase_add_test(cases, a_full_queue_drops_and_tells);
	tcase_add_test(cases, without_a_journal_nothing_is_kept);
	tcase_add_test(cases, what_was_counted_is_published);
	tcase_add_test(cases, a_restart_knows_what_matched_before);
	tcase_add_test(cases, rates_move_on);
	tcase_add_test(cases, a_picture_of_many_rules_fits);
	tcase_add_test(cases, what_is_no_picture_is_refused);
	tcase_add_test(
	    cases, notes_are_seen_until_they_expire_or_are_taken_away);
	tcase_add_test(cases, a_queue_gives_what_was_pushed_once_and_in_order);
	tcase_add_test(cases, a_queue_keeps_the_last);
	suite_add_tcase(suite, cases);
	return suite;
}

int
main(int argc, char **argv)
{
	return run_suite(journal_suite(), argc, argv);
}
