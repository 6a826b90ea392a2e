#include "store_steps.h"

#include <stdio.h>

const struct store_client stranger = {"192.0.2.0/24", 7, NULL, "192.0.2.7"};
const struct store_client neighbour = {"192.0.2.0/24", 8, NULL, "192.0.2.8"};
const struct store_client elsewhere = {
    "198.51.100.0/24", 7, NULL, "198.51.100.7"};
const struct store_client pooled_here = {
    "203.0.113.0/24", 1, "example.net", "203.0.113.1"};
const struct store_client pooled_there = {
    "2001:db8:1:2::/64", 99, "example.net", "2001:db8:1:2::19"};
const struct store_client unnamed_here = {
    "203.0.113.0/24", 1, NULL, "203.0.113.1"};

const struct store_pair pair = {"a@example.com", "b@example.org", NULL};
const struct store_pair other_pair = {"a@example.com", "c@example.org", NULL};

struct store *store;
int64_t now;

void
open_store_with(const struct store_terms *terms)
{
	store = keeper_open(terms);
	now = keeper_now(store);
}

void
open_store(void)
{
	const struct store_terms terms = keeper_terms();

	open_store_with(&terms);
}

void
close_store(void)
{
	store_close(&store);
	ck_assert_ptr_null(store);
}

/* The answer about a client with one pair. */
const struct store_answer *
look_up_pair(const struct store_client *client, const struct store_pair *asked)
{
	static struct store_answer answer;
	const struct store_query query = {.now = now,
	    .client = *client,
	    .pairs = asked,
	    .pair_count = 1,
	    .spaces = {true, true, true}};
	enum store_result result = STORE_LATE;

	/* the machine may be busy */
	for (int i = 0; i < 5 && result == STORE_LATE; i++)
		result = store_look_up(store, &query, &answer);
	ck_assert_int_eq(result, STORE_OK);
	return &answer;
}

const struct store_answer *
look_up(const struct store_client *client)
{
	return look_up_pair(client, &pair);
}

/* The clock of `pair`. */
struct greylist_clock
clock_of(const struct store_client *client, enum clock_space space)
{
	return look_up(client)->pairs[0][space];
}

void
mark_pair(const struct store_client *client, const struct store_pair *marked,
    enum clock_space space, enum clock_mark mark, int64_t at)
{
	enum clock_mark marks[1][CLOCK_SPACES] = {{MARK_NONE}};
	const struct store_effects effects = {.now = at,
	    .client = *client,
	    .pairs = marked,
	    .marks = (const enum clock_mark(*)[CLOCK_SPACES])marks,
	    .pair_count = 1};

	marks[0][space] = mark;
	ck_assert_int_eq(store_remember(store, &effects), STORE_OK);
}

void
mark(const struct store_client *client, enum clock_mark what, int64_t at)
{
	mark_pair(client, &pair, CLOCK_REAL, what, at);
}

void
earn(const struct store_client *client, double good, double bad, int64_t at)
{
	const struct store_effects effects = {
	    .now = at, .client = *client, .good = good, .bad = bad};

	ck_assert_int_eq(store_remember(store, &effects), STORE_OK);
}

void
accept_mail(const struct store_client *client, double points, int64_t at)
{
	const struct store_effects effects = {
	    .now = at, .client = *client, .accepted = points};

	ck_assert_int_eq(store_remember(store, &effects), STORE_OK);
}

void
mark_flood(const struct store_client *client, const char *sender, int first,
    int count, int64_t at)
{
	struct store_pair pairs[RECIPIENTS_MAX];
	enum clock_mark marks[RECIPIENTS_MAX][CLOCK_SPACES] = {{MARK_NONE}};
	char names[RECIPIENTS_MAX][32];
	const struct store_effects effects = {.now = at,
	    .client = *client,
	    .pairs = pairs,
	    .marks = (const enum clock_mark(*)[CLOCK_SPACES])marks,
	    .pair_count = (size_t)count};

	ck_assert_int_le(count, RECIPIENTS_MAX);
	for (int i = 0; i < count; i++) {
		snprintf(
		    names[i], sizeof names[i], "user%d@example.org", first + i);
		pairs[i] = (struct store_pair){sender, names[i], NULL};
		marks[i][CLOCK_REAL] = MARK_FIRST;
	}
	ck_assert_int_eq(store_remember(store, &effects), STORE_OK);
}

struct window_counts
take(const struct store_client *client, const struct store_take *what)
{
	struct store_answer answer;
	const struct store_query query = {
	    .now = now, .client = *client, .takes = what, .take_count = 1};

	ck_assert_int_eq(store_look_up(store, &query, &answer), STORE_OK);
	return answer.counts[0];
}

static void
name_attempt(int number, char name_r[32])
{
	snprintf(name_r, 32, "user%d@example.org", number);
}

void
mark_number(const struct store_client *client, int number, enum clock_mark what,
    int64_t at)
{
	char name[32];
	const struct store_pair attempt = {"", name, NULL};

	name_attempt(number, name);
	mark_pair(client, &attempt, CLOCK_REAL, what, at);
}

void
mark_attempt(const struct store_client *client, int number, int64_t at)
{
	mark_number(client, number, MARK_FIRST, at);
}

int
remembered(const struct store_client *client, int from, int to)
{
	char name[32];
	const struct store_pair attempt = {"", name, NULL};
	int found = 0;

	for (int i = from; i < to; i++) {
		const struct greylist_clock *clock;

		name_attempt(i, name);
		clock = &look_up_pair(client, &attempt)->pairs[0][CLOCK_REAL];
		found += clock->first_seen != 0 || clock->last_passed != 0;
	}
	return found;
}

int
run_suite(Suite *suite, int argc, char **argv)
{
	return keeper_select(argc, argv) ? check_run(suite) : 1;
}
