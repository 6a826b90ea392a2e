#include "redis_crew.h"
#include "redis_thread.h"

#include <check.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CALLS = 9, WAIT_MS = 2000 };

/* A server of which the test has the other end, and a crew without a watch. */
static char directory[] = "/tmp/check_redis_crew.XXXXXX";
static int server;
static struct redis_wake wake;
static struct redis_crew crew;

static void
open_crew(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct redis_stream_terms terms = {.cancel_fd = -1};
	struct redis_address where;
	struct redis_stream *stream;
	char why[160];
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(address.sun_path, sizeof address.sun_path, "%s/s", directory);
	ck_assert_int_eq(
	    bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(listener, 1), 0);
	ck_assert(redis_address_parse(address.sun_path, &where));
	terms.due_ms = redis_thread_now() + WAIT_MS;
	stream = redis_stream_open(&where, &terms, why, sizeof why);
	ck_assert_msg(stream != NULL, "%s", why);
	server = accept(listener, NULL, NULL);
	close(listener);
	unlink(address.sun_path);
	rmdir(directory);
	ck_assert(redis_wake_open(&wake));
	redis_crew_init(&crew, &wake);
	redis_crew_start(&crew, redis_flow_open(stream), true);
}

static void
close_crew(void)
{
	redis_crew_stop(&crew);
	redis_crew_clear(&crew);
	redis_wake_close(&wake);
	close(server);
}

/* One command, with its only reply. */
struct question {
	struct resp_commands commands;
	struct resp_reply *replies[1];
	struct redis_call call;
	atomic_bool is_done;
};

static void
note_done(struct redis_call *call)
{
	atomic_store(&((struct question *)call->arg)->is_done, true);
}

/* Hand over ECHO and this word; `done` NULL: it is awaited. */
static void
put(struct question *question, const char *word,
    void (*done)(struct redis_call *))
{
	resp_add(&question->commands, "ECHO", word);
	question->call = (struct redis_call){
	    .commands = &question->commands,
	    .replies = question->replies,
	    .due_ms = redis_thread_now() + WAIT_MS,
	    .done = done,
	    .arg = question,
	};
	ck_assert(redis_crew_submit(&crew, &question->call));
}

static void
forget(struct question *question)
{
	resp_reply_free(&question->replies[0]);
	resp_free(&question->commands);
}

static void *
await(void *arg)
{
	redis_crew_await(&crew, arg);
	return NULL;
}

static void
pause_ms(long ms)
{
	nanosleep(&(struct timespec){0, ms * 1000000}, NULL);
}

/* Until somebody waits for answers. */
static void
wait_for_leader(void)
{
	bool is_led = false;

	while (!is_led) {
		pause_ms(5);
		(void)pthread_mutex_lock(&crew.mutex);
		is_led = crew.leader == REDIS_LED_BY_CALLER;
		(void)pthread_mutex_unlock(&crew.mutex);
	}
	pause_ms(5);
}

/* Whether the server gets this word within a while. */
static bool
gets(const char *word, int within_ms)
{
	static char got[4096];
	static size_t length;
	struct pollfd wait = {.fd = server, .events = POLLIN};

	while (strstr(got, word) == NULL && poll(&wait, 1, within_ms) > 0)
		length += (size_t)recv(
		    server, got + length, sizeof got - 1 - length, 0);
	return strstr(got, word) != NULL;
}

/* So many calls, numbered from 1, were answered. */
static void
answer(int count)
{
	char text[64];

	for (int i = 1; i <= count; i++) {
		int length = snprintf(text, sizeof text,
		    "+yes\r\n$%d\r\n%d\r\n", i < 10 ? 1 : 2, i);

		ck_assert_int_eq(send(server, text, (size_t)length, 0), length);
	}
}

START_TEST(what_was_held_back_is_sent_when_the_leader_goes)
{
	struct question many[CALLS] = {0}, late = {0};
	pthread_t leader;

	open_crew();
	put(&many[0], "first", NULL);
	for (int i = 1; i < CALLS; i++)
		put(&many[i], i + 1 == CALLS ? "last" : "other", note_done);
	redis_crew_push(&crew);
	ck_assert(gets("last", WAIT_MS));
	pthread_create(&leader, NULL, await, &many[0].call);
	wait_for_leader();
	put(&late, "held", note_done);
	redis_crew_push(&crew);
	answer(CALLS);
	pthread_join(leader, NULL);
	ck_assert(many[0].call.is_answered);
	/* Nobody waits for it here, and no watch looks after it. */
	ck_assert(gets("held", WAIT_MS));
	close_crew();
	ck_assert(atomic_load(&late.is_done) && !late.call.is_answered);
	for (int i = 0; i < CALLS; i++)
		forget(&many[i]);
	forget(&late);
}
END_TEST

START_TEST(what_rides_is_sent_while_somebody_leads)
{
	struct question slow = {0}, rider = {0};
	pthread_t leader;

	open_crew();
	crew.is_ticking = true; /* as while others call */
	put(&slow, "slow", NULL);
	redis_crew_push(&crew);
	pthread_create(&leader, NULL, await, &slow.call);
	wait_for_leader();
	put(&rider, "rider", note_done);
	redis_crew_let_ride(&crew);
	ck_assert(gets("rider", WAIT_MS / 4));
	answer(2);
	pthread_join(leader, NULL);
	ck_assert(slow.call.is_answered);
	close_crew();
	forget(&slow);
	forget(&rider);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("redis_crew");
	TCase *tcase = tcase_create("redis_crew");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tcase);
	tcase_add_test(tcase, what_was_held_back_is_sent_when_the_leader_goes);
	tcase_add_test(tcase, what_rides_is_sent_while_somebody_leads);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
