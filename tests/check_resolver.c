/* The resolver against a name server of our own, with several threads that ask at
 * once; `make check-thread` runs it under TSan. */
#include "dns/resolver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "lib/check_main.h"

#define ASKERS	   4
#define NAMES	   200
#define PATIENCE_S 30
#define OPEN_MOST  1024

/* ---- A server: names that begin with "yes" are listed, with "mute" silent; the
 * others are not there. */

static int server = -1;
static char where[32];
static char *servers[] = {where, NULL};
static atomic_uint questions;

static void
answer_one(unsigned char *packet, size_t length, const struct sockaddr *peer,
    socklen_t peer_length)
{
	static const unsigned char record[] = {
	    0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 2};
	bool yes = memcmp(packet + 13, "yes", 3) == 0;
	size_t end = 12;

	atomic_fetch_add(&questions, 1);
	if (memcmp(packet + 13, "mute", 4) == 0)
		return;
	while (end < length && packet[end] != 0)
		end += packet[end] + 1U;
	end += 5;
	packet[2] = 0x81;
	packet[3] = yes ? 0x80 : 0x83;
	memset(packet + 6, 0, 6); /* no additional record either */
	packet[7] = yes;
	if (yes)
		memcpy(packet + end, record, sizeof record);
	(void)sendto(server, packet, end + (yes ? sizeof record : 0), 0, peer,
	    peer_length);
}

static void *
serve(void *arg)
{
	unsigned char packet[1024];
	struct sockaddr_in peer;

	for (;;) {
		socklen_t peer_length = sizeof peer;
		ssize_t length = recvfrom(server, packet, 512, 0,
		    (struct sockaddr *)&peer, &peer_length);

		if (length <= 12)
			return arg;
		answer_one(packet, (size_t)length, (struct sockaddr *)&peer,
		    peer_length);
	}
}

static pthread_t server_thread;
static struct resolver *resolver;

static void
use(size_t answers_max)
{
	struct resolver_terms terms = {servers, 5000, answers_max, 1048576};

	ck_assert(resolver_use(resolver, &terms));
}

static void
begin(void)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof address;

	server = socket(AF_INET, SOCK_DGRAM, 0);
	ck_assert_int_eq(
	    bind(server, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(
	    getsockname(server, (struct sockaddr *)&address, &length), 0);
	(void)snprintf(
	    where, sizeof where, "127.0.0.1:%u", ntohs(address.sin_port));
	ck_assert_int_eq(pthread_create(&server_thread, NULL, serve, NULL), 0);
	resolver = resolver_open();
	ck_assert_ptr_nonnull(resolver);
	use(10000);
}

static void
end(void)
{
	struct sockaddr_in self;
	socklen_t length = sizeof self;

	resolver_close(&resolver);
	(void)getsockname(server, (struct sockaddr *)&self, &length);
	(void)sendto(server, "", 1, 0, (struct sockaddr *)&self, length);
	(void)pthread_join(server_thread, NULL);
	(void)close(server);
}

static bool
peek(const char *name, struct dns_answer *answer)
{
	static _Thread_local unsigned char room[256];

	return resolver_peek(resolver, name, DNS_A, room, sizeof room, answer);
}

/* ---- Tests */

static enum dns_status
await_status(const char *name)
{
	int64_t due = clock_steady_us() + PATIENCE_S * INT64_C(1000000);
	struct dns_answer answer;
	unsigned long seen = 0;

	do {
		if (peek(name, &answer))
			return answer.status;
	} while (resolver_wait(resolver, &seen, due));
	ck_abort_msg("in vain: %s", name);
	return DNS_FAILED;
}

static void *
ask_names(void *arg)
{
	char name[64];

	for (int i = 0; i < NAMES; i++) {
		(void)snprintf(name, sizeof name, "%s%d.example",
		    i % 2 == 0 ? "yes" : "no", i);
		resolver_prefetch(resolver, name, DNS_A);
		/* Not all of them, as a session does not either. */
		if (i % 3 == 0)
			ck_assert_int_eq(await_status(name),
			    i % 2 == 0 ? DNS_FOUND : DNS_NOTHING);
	}
	return arg;
}

START_TEST(many_threads_ask_and_each_name_is_asked_once)
{
	pthread_t askers[ASKERS];
	char name[64];

	begin();
	for (int i = 0; i < ASKERS; i++)
		(void)pthread_create(&askers[i], NULL, ask_names, NULL);
	for (int i = 0; i < ASKERS; i++)
		(void)pthread_join(askers[i], NULL);
	for (int i = 0; i < NAMES; i++) {
		(void)snprintf(name, sizeof name, "%s%d.example",
		    i % 2 == 0 ? "yes" : "no", i);
		ck_assert_int_eq(
		    await_status(name), i % 2 == 0 ? DNS_FOUND : DNS_NOTHING);
	}
	/* Resent where the machine was slow. */
	ck_assert_uint_ge(atomic_load(&questions), NAMES);
	ck_assert_uint_lt(atomic_load(&questions), 2 * NAMES);
	end();
}
END_TEST

START_TEST(what_was_not_asked_is_not_pending)
{
	struct dns_answer answer;

	begin();
	ck_assert(peek("yes.example", &answer));
	ck_assert_int_eq(answer.status, DNS_FAILED);
	end();
}
END_TEST

START_TEST(nothing_waits_for_the_silent)
{
	struct dns_answer answer;
	unsigned long seen = 0;
	int64_t before;

	begin();
	resolver_prefetch(resolver, "mute.example", DNS_A);
	ck_assert(!peek("mute.example", &answer));
	ck_assert(!resolver_wait(resolver, &seen, clock_steady_us() + 1000));
	before = clock_steady_us();
	end();
	ck_assert_int_lt(clock_steady_us() - before, 4000000);
}
END_TEST

START_TEST(open_questions_are_bounded)
{
	struct dns_answer answer;
	char name[64];
	int pending = 0;

	begin();
	use(100000);
	for (int i = 0; i < 3 * OPEN_MOST; i++) {
		(void)snprintf(name, sizeof name, "mute%d.example", i);
		resolver_prefetch(resolver, name, DNS_A);
		pending += !peek(name, &answer);
	}
	ck_assert_int_eq(pending, OPEN_MOST);
	end();
}
END_TEST

START_TEST(an_answer_that_is_there_is_given_to_who_asks)
{
	static unsigned char room[256];
	const struct resolver_question question = {
	    "yes.example", DNS_A, room, sizeof room, NULL, NULL};
	struct dns_answer answer;

	begin();
	ck_assert(!resolver_ask(resolver, &question, &answer));
	ck_assert_int_eq(answer.status, DNS_FAILED);
	ck_assert_int_eq(await_status("yes.example"), DNS_FOUND);
	ck_assert(resolver_ask(resolver, &question, &answer));
	ck_assert_int_eq(answer.status, DNS_FOUND);
	ck_assert_uint_eq(answer.count, 1);
	end();
}
END_TEST

/* ---- On the resolver's own thread */

static struct walk {
	int found, nothing, failed;
	int left;
	unsigned char room[256];
	atomic_bool done;
} walk;

static void note(void *arg, const struct dns_answer *answer);

static void
walk_to(struct walk *mine, const char *name)
{
	const struct resolver_question question = {
	    name, DNS_A, mine->room, sizeof mine->room, note, mine};
	struct dns_answer answer;

	if (resolver_ask(resolver, &question, &answer))
		note(mine, &answer);
}

static void
note(void *arg, const struct dns_answer *answer)
{
	struct walk *mine = arg;
	struct dns_answer rest = *answer;
	struct dns_record record;
	char name[64];

	mine->found += answer->status == DNS_FOUND &&
	    dns_answer_next(&rest, &record) && record.data[3] == 2;
	mine->nothing += answer->status == DNS_NOTHING;
	mine->failed += answer->status == DNS_FAILED;
	if (mine->left-- == 0) {
		atomic_store(&mine->done, true);
		return;
	}
	(void)snprintf(name, sizeof name, "%s%d.example",
	    mine->left % 2 == 0 ? "yes" : "no", mine->left / 4);
	walk_to(mine, name);
}

START_TEST(an_answer_may_ask_further)
{
	begin();
	memset(&walk, 0, sizeof walk);
	walk.left = 20;
	walk_to(&walk, "yes.example");
	while (!atomic_load(&walk.done))
		clock_sleep(1);
	ck_assert_int_eq(walk.found, 11);
	ck_assert_int_eq(walk.nothing, 10);
	end();
}
END_TEST

START_TEST(what_is_open_at_the_end_fails)
{
	begin();
	memset(&walk, 0, sizeof walk);
	walk_to(&walk, "mute.example");
	while (atomic_load(&questions) == 0)
		clock_sleep(1);
	end();
	ck_assert(atomic_load(&walk.done));
	ck_assert_int_eq(walk.failed, 1);
}
END_TEST

START_TEST(without_servers_there_is_nobody)
{
	struct dns_answer answer;

	resolver = resolver_open();
	ck_assert(resolver_use(resolver, NULL));
	resolver_prefetch(resolver, "yes.example", DNS_A);
	ck_assert(peek("yes.example", &answer));
	ck_assert_int_eq(answer.status, DNS_FAILED);
	memset(&walk, 0, sizeof walk);
	walk_to(&walk, "yes.example");
	ck_assert_int_eq(walk.failed, 1);
	resolver_close(&resolver);
}
END_TEST

CHECK_MAIN("resolver", tcase)
{
	tcase_set_timeout(tcase, 240);
	tcase_add_test(tcase, many_threads_ask_and_each_name_is_asked_once);
	tcase_add_test(tcase, what_was_not_asked_is_not_pending);
	tcase_add_test(tcase, nothing_waits_for_the_silent);
	tcase_add_test(tcase, open_questions_are_bounded);
	tcase_add_test(tcase, an_answer_that_is_there_is_given_to_who_asks);
	tcase_add_test(tcase, an_answer_may_ask_further);
	tcase_add_test(tcase, what_is_open_at_the_end_fails);
	tcase_add_test(tcase, without_servers_there_is_nobody);
}
