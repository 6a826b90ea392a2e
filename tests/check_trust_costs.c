/* What trust costs: plays those who want it cheaply, or want to take it from
 * others, against the shipped policy in virtual time, and prints the table that
 * milter-defer.conf(5) has under "What trust costs".
 *
 * A victim is an honest sender; whoever wants something is a cheat.  What a cheat
 * must pay is counted in messages that the mail server accepted from him, tries,
 * time and networks. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/check_main.h"
#include "scenario_mail.h"
#include "scenario_world.h"

#define MINUTE INT64_C(60)
#define HOUR   INT64_C(3600)
#define DAY    (24 * HOUR)

#define DELAY	  (3 * MINUTE) /* of the shipped policy */
#define DELAY_CAP (4 * HOUR)

#define CHEAT  "198.51.100.66" /* in the network of the victim */
#define VICTIM "198.51.100.7 named mail.small.example "
#define ABROAD "203.0.113.66"

#define WORDS_MAX 64
#define TEXT_MAX  1024

struct cost {
	int delivered; /* messages that the mail server accepted */
	int tries;
	int64_t began;
};

static struct world world;

/* A mail as in tests/scenarios/README, behind "from". */
struct letter {
	char text[TEXT_MAX];
	char *words[WORDS_MAX];
	struct mail mail;
};

static struct mail *
write_letter(struct letter *letter, const char *format, va_list values)
{
	const char *why;
	size_t count = 0;

	strcpy(letter->text, "from ");
	(void)vsnprintf(
	    letter->text + 5, sizeof letter->text - 5, format, values);
	for (char *rest = letter->text, *word;
	     (word = strtok_r(rest, " ", &rest)) != NULL && count < WORDS_MAX;)
		letter->words[count++] = word;
	ck_assert_msg(
	    mail_read(&letter->mail, letter->words, count, &why), "%s", why);
	return &letter->mail;
}

/* True: the mail server accepted it. */
static bool __attribute__((format(printf, 2, 3)))
sends(struct cost *cost, const char *format, ...)
{
	struct letter letter;
	va_list values;
	bool accepted;

	va_start(values, format);
	accepted =
	    strcmp(mail_send(&world, write_letter(&letter, format, values)),
		"accepted") == 0;
	va_end(values);
	cost->tries++;
	cost->delivered += accepted;
	return accepted;
}

/* Gives up when it is asked for the message. */
static void __attribute__((format(printf, 2, 3)))
hangs_up(struct cost *cost, const char *format, ...)
{
	struct client client;
	struct letter letter;
	struct mail *mail;
	va_list values;

	va_start(values, format);
	mail = write_letter(&letter, format, values);
	va_end(values);
	client_connect(&client, &world, mail);
	client_mail(&client, mail->sender);
	for (size_t i = 0; i < mail->recipient_count; i++)
		client_rcpt(&client, mail->recipients[i]);
	client_data(&client);
	client_quit(&client);
	cost->tries++;
}

static struct cost
begin(void)
{
	world_open(&world, "$SHIPPED");
	world.ticks_max = 3; /* nothing here hangs on the background */
	return (struct cost){.began = world.now};
}

static void
print_cost(const char *what, const struct cost *cost)
{
	int64_t took = world.now - cost->began;

	fprintf(stdout, "%-58s %9d %6d %6.1f h\n", what, cost->delivered,
	    cost->tries, (double)took / (double)HOUR);
	fflush(stdout);
}

/* Of the line of the last message. */
static bool
log_says(const char *text)
{
	return strstr(world_log(&world, false), text) != NULL;
}

/* --- known --- */

/* A recipient that has not been written to before. */
static bool
is_known(struct cost *cost, const char *from)
{
	static int number;

	world_mark_log(&world);
	return sends(cost, "%s to <probe%d@example.org>", from, number++) &&
	    log_says("known=yes");
}

/* New pairs, each retried once: the cheapest way. */
static bool
retries(struct cost *cost, const char *from, int pairs)
{
	bool all = true;

	for (int i = 0; i < pairs; i++)
		(void)sends(cost, "%s to <user%d@example.org>", from, i);
	world_pass(&world, DELAY);
	for (int i = 0; i < pairs; i++)
		all &= sends(cost, "%s to <user%d@example.org>", from, i);
	return all;
}

START_TEST(known_is_earned_by_messages_that_were_delivered)
{
	struct cost cost = begin();

	ck_assert(retries(&cost, ABROAD, 2));
	ck_assert(!is_known(&cost, ABROAD));
	ck_assert(sends(&cost, ABROAD " to <probe0@example.org>") ||
	    (world_pass(&world, DELAY), true));
	ck_assert(sends(&cost, ABROAD " to <probe0@example.org>"));
	ck_assert(is_known(&cost, ABROAD));
	cost.delivered--; /* the proof */
	print_cost("known", &cost);
	ck_assert_int_ge(cost.delivered, 3);
	world_close(&world);
}
END_TEST

START_TEST(known_is_not_to_be_had_by_hanging_up)
{
	struct cost cost = begin();

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 30; i++)
			hangs_up(&cost, ABROAD " to <user%d@example.org>", i);
		world_pass(&world, 2 * HOUR);
	}
	print_cost("known, never delivering: not to be had", &cost);
	ck_assert(!is_known(&cost, ABROAD));
	world_close(&world);
}
END_TEST

/* A flood waits for no greylist any more once its first attempts have been pushed
 * out for as long as anybody is put off; it has retried nothing, is not known by it,
 * and defeats no limit: the shipped policy lets 200 messages an hour through. */
START_TEST(known_is_not_to_be_had_by_a_flood)
{
	struct cost cost = begin();
	int number = 0, before;

	while (world.now - cost.began < DELAY_CAP + 2 * HOUR) {
		for (int i = 0; i < 10; i++, number++)
			(void)sends(&cost,
			    ABROAD " sender <x%d@cheat.example> "
				   "to <flood%d@example.org>",
			    number / 5, number);
		world_pass(&world, MINUTE);
	}
	print_cost("known, never coming back: not to be had", &cost);
	ck_assert_int_le(cost.delivered, 2 * 200 + 20);
	before = cost.delivered;
	world_pass(&world, DAY);
	ck_assert(!is_known(&cost, ABROAD));
	ck_assert_int_le(cost.delivered, before + 1);
	world_close(&world);
}
END_TEST

/* --- good standing --- */

static bool
stands_well(struct cost *cost, const char *from)
{
	world_mark_log(&world);
	return sends(cost, "%s to <user0@example.org>", from) &&
	    log_says("rule=\"good standing\"");
}

/* A hundred new pairs at once, each delivered. */
START_TEST(good_standing_in_a_hurry)
{
	struct cost cost = begin();
	bool done;

	(void)retries(&cost, ABROAD, 100);
	done = stands_well(&cost, ABROAD);
	cost.delivered--; /* the proof */
	print_cost(done ? "good standing, in a hurry"
			: "good standing, in a hurry: not to be had",
	    &cost);
	ck_assert_int_ge(cost.delivered, 100);
	world_close(&world);
}
END_TEST

START_TEST(good_standing_comes_with_time)
{
	struct cost cost = begin();

	(void)retries(&cost, ABROAD, 1);
	while (!stands_well(&cost, ABROAD)) {
		world_pass(&world, HOUR);
		ck_assert_int_lt(cost.tries, 10000);
	}
	cost.delivered--;
	print_cost("good standing, by a message an hour", &cost);
	ck_assert_int_ge(cost.delivered, 10);
	world_close(&world);
}
END_TEST

START_TEST(good_standing_is_not_to_be_had_by_hanging_up)
{
	struct cost cost = begin();

	for (int round = 0; round < 48; round++) {
		for (int i = 0; i < 30; i++)
			hangs_up(&cost, ABROAD " to <user%d@example.org>", i);
		world_pass(&world, 30 * MINUTE);
	}
	print_cost("good standing, never delivering: not to be had", &cost);
	ck_assert(!stands_well(&cost, ABROAD));
	world_close(&world);
}
END_TEST

/* --- a neighbour's trust --- */

static const struct {
	const char *when, *one, *other;
} rented_rows[] = {
    {"by their addresses",
	"203.0.113.7 named static.7.113.0.203.clients.hoster.example",
	"198.51.100.66 named static.66.100.51.198.clients.hoster.example"},
    {"by a number", "203.0.113.7 named vps-5f3a2b1c.vps.hoster.example",
	"198.51.100.66 named vps-9e8d7c6b.vps.hoster.example"},
    {"as compute clouds do",
	"203.0.113.7 named ec2-203-0-113-7.compute-1.hoster.example",
	"198.51.100.66 named ec2-198-51-100-66.compute-1.hoster.example"},
    {"by no name", "203.0.113.7", "198.51.100.66"},
};

START_TEST(a_rented_machine_gives_nothing_to_another)
{
	struct cost cost = begin();
	struct cost mine = cost;

	ck_assert(retries(&cost, rented_rows[_i].one, 30));
	ck_assert(is_known(&cost, rented_rows[_i].one));
	ck_assert_msg(!is_known(&mine, rented_rows[_i].other),
	    "rented machines named %s", rented_rows[_i].when);
	if (_i == 0)
		print_cost("a neighbour's trust: not to be had", &mine);
	world_close(&world);
}
END_TEST

START_TEST(nor_does_one_in_its_own_network)
{
	struct cost cost = begin(), mine = cost;

	ck_assert(retries(&cost, "198.51.100.7", 30));
	ck_assert(!is_known(&mine, CHEAT));
	print_cost("  in its own network: not to be had", &mine);
	world_close(&world);
}
END_TEST

/* --- destroying a sender --- */

enum size { BARELY_KNOWN, SMALL, LARGE };

/* A week of honest mail: three messages at its beginning; some a day from one
 * address; or some an hour from each of six networks. */
static void
live_honestly(struct cost *cost, enum size size)
{
	if (size == BARELY_KNOWN)
		(void)retries(cost, VICTIM, 3);
	for (int64_t hour = 0; hour < 7 * 24; hour++) {
		for (int network = 0; size == LARGE && network < 6; network++)
			for (int i = 0; i < 5; i++)
				(void)sends(cost,
				    "198.51.%d.7 named mail%d.large.example "
				    "sender <news@large.example> "
				    "to <user%d@example.org>",
				    100 + network, network, i);
		world_pass(&world, HOUR);
		for (int tries = 0; size == SMALL && hour % 8 == 0; tries++) {
			if (sends(cost, VICTIM "to <user%d@example.org>",
				(int)(hour / 8 % 5)))
				break;
			ck_assert_int_lt(tries, 3);
			world_pass(&world, 10 * MINUTE);
		}
	}
}

/* All that earns bad points and can be done for nothing. */
static void
misbehave(struct cost *cost, const char *from)
{
	static int number;

	(void)sends(cost,
	    "%s greeting bad_host! unknown 6 refused 20 "
	    "sender <x%d@cheat.example> to <y@example.org>",
	    from, number++);
}

/* Misbehave, ten times a minute, until the message that the victim sends in each
 * has to wait; false: that does not happen in so many tries. */
static bool
destroys(struct cost *cost, const char *victim, const char *cheat, int tries)
{
	struct cost ignored = {0};

	cost->began = world.now;
	while (cost->tries < tries) {
		misbehave(cost, cheat);
		if (cost->tries % 10 != 0)
			continue;
		if (!sends(&ignored, "%s to <user0@example.org>", victim))
			return true;
		world_pass(&world, MINUTE);
	}
	return false;
}

static const struct {
	const char *what;
	enum size size;
	const char *victim, *cheat;
} destroy_rows[] = {
    {"making a barely known sender wait, from its network", BARELY_KNOWN,
	VICTIM, CHEAT},
    {"making a small sender wait, from its network", SMALL, VICTIM, CHEAT},
    {"making a barely known sender wait, from elsewhere", BARELY_KNOWN, VICTIM,
	ABROAD},
    {"making a large sender wait, from one of its networks", LARGE,
	"198.51.100.7 named mail0.large.example sender <news@large.example>",
	CHEAT},
    {"  the same, for its other networks", LARGE,
	"198.51.101.7 named mail1.large.example sender <news@large.example>",
	CHEAT},
    {"making a large sender wait, from elsewhere", LARGE,
	"198.51.100.7 named mail0.large.example sender <news@large.example>",
	ABROAD},
};

START_TEST(destroying_a_sender)
{
	struct cost honest = begin(), cost = {0};
	bool done;

	live_honestly(&honest, destroy_rows[_i].size);
	done = destroys(
	    &cost, destroy_rows[_i].victim, destroy_rows[_i].cheat, 2000);
	print_cost(destroy_rows[_i].what, &cost);
	ck_assert_msg(!done, "%s", destroy_rows[_i].what);
	world_close(&world);
}
END_TEST

/* --- keeping a stranger out --- */

static void
flood(struct cost *cost)
{
	static int number;

	for (int i = 0; i < 20; i++)
		(void)sends(cost,
		    CHEAT " sender <x%d@cheat.example> strangers 128",
		    number++);
}

static void
misbehave_near(struct cost *cost)
{
	misbehave(cost, CHEAT);
}

/* Takes what the limits of the network have to give, once let in. */
static void
exhaust(struct cost *cost)
{
	for (int i = 0; i < 20; i++)
		(void)sends(
		    cost, CHEAT " sender <x@cheat.example> strangers 20");
}

static void
hang_up_near(struct cost *cost)
{
	static int number;

	for (int i = 0; i < 20; i++)
		hangs_up(cost,
		    CHEAT " sender <x%d@cheat.example> strangers 128",
		    number++);
}

static void
flood_subnets(struct cost *cost)
{
	static unsigned subnet;

	for (int i = 0; i < 50; i++)
		(void)sends(cost, "2001:db8:0:%x::66 sender <x@cheat.example>",
		    subnet++ % 65000);
}

#define VICTIM_IPV6 "2001:db8:0:ffff::7 named mail.small.example "

static const struct {
	const char *what;
	void (*attack)(struct cost *cost);
	int64_t before; /* the attack begins so long before the victim */
	const char *victim;
} keep_out_rows[] = {
    {"keeping a stranger out by filling places", flood, 0, VICTIM},
    {"  begun six hours before", flood, 6 * HOUR, VICTIM},
    {"keeping a stranger out by a bad name", misbehave_near, 0, VICTIM},
    {"  begun a day before", misbehave_near, DAY, VICTIM},
    {"keeping a stranger out by using up limits", exhaust, 0, VICTIM},
    {"  begun six hours before", exhaust, 6 * HOUR, VICTIM},
    {"keeping a stranger out by sessions that break off", hang_up_near, 0,
	VICTIM},
    {"keeping a stranger out from its /48", flood_subnets, 6 * HOUR,
	VICTIM_IPV6},
};

/* The victim retries every quarter of an hour; the cheat, in its network, never
 * rests. */
START_TEST(keeping_a_stranger_out)
{
	struct cost cost = begin(), victim = {0};
	int64_t began;

	for (int64_t i = 0; i < keep_out_rows[_i].before; i += 5 * MINUTE) {
		keep_out_rows[_i].attack(&cost);
		world_pass(&world, 5 * MINUTE);
	}
	began = world.now;
	while (!sends(
	    &victim, "%s to <bob@example.org>", keep_out_rows[_i].victim)) {
		ck_assert_msg(world.now - began <= DELAY_CAP + 15 * MINUTE,
		    "%s: more than delay_cap", keep_out_rows[_i].what);
		for (int i = 0; i < 15; i++) {
			keep_out_rows[_i].attack(&cost);
			world_pass(&world, MINUTE);
		}
	}
	cost.began = began;
	print_cost(keep_out_rows[_i].what, &cost);
	world_close(&world);
}
END_TEST

CHECK_MAIN("trust costs", tcase)
{
	tcase_set_timeout(tcase, 240);
	tcase_add_test(tcase, known_is_earned_by_messages_that_were_delivered);
	tcase_add_test(tcase, known_is_not_to_be_had_by_hanging_up);
	tcase_add_test(tcase, known_is_not_to_be_had_by_a_flood);
	tcase_add_test(tcase, good_standing_in_a_hurry);
	tcase_add_test(tcase, good_standing_comes_with_time);
	tcase_add_test(tcase, good_standing_is_not_to_be_had_by_hanging_up);
	tcase_add_loop_test(tcase, a_rented_machine_gives_nothing_to_another, 0,
	    COUNT(rented_rows));
	tcase_add_test(tcase, nor_does_one_in_its_own_network);
	tcase_add_loop_test(tcase, destroying_a_sender, 0, COUNT(destroy_rows));
	tcase_add_loop_test(
	    tcase, keeping_a_stranger_out, 0, COUNT(keep_out_rows));
}
