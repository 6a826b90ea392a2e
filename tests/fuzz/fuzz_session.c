/* Fuzz a session: any policy, and the mail server's steps in any order.  Whatever
 * comes, answers are 4yz, come where they were announced, and a message that was
 * deferred as a whole stays deferred until the next MAIL. */
#define _GNU_SOURCE /* memfd_create */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../scenario_keeper.h"
#include "base/log.h"
#include "config/conf.h"
#include "session/session.h"
#include "session/shared.h"
#include "store/memory/store_memory.h"

#define SESSIONS  3
#define BEGINNING 1767268800

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at, *end;
};

static unsigned
draw(struct input *input, unsigned below)
{
	return input->at < input->end ? *input->at++ % below : 0;
}

/* ---- A policy */

/* What is written behind a condition of each kind. */
static const char *const values[] = {
    [VALUE_NETWORKS] = "{\"192.0.2.0/24\", \"2001:db8::/32\"}",
    [VALUE_GLOBS] = "{\"*a*\", \"b*\"}",
    [VALUE_TRUE] = "true",
    [VALUE_NUMBER] = "1",
    [VALUE_PORT] = "1",
    [VALUE_REAL] = "5",
    [VALUE_DURATION] = "10s",
    [VALUE_SIZE] = "100",
    [VALUE_SHARE] = "\"50%\"",
    [VALUE_HEADERS] = "{\"X-Spam: Y*\", \"Subject: *a*\"}",
    [VALUE_HEADER_NUMBER] = "\"X-Score: 5\"",
    [VALUE_HOURS] = "\"10:00-14:00\"",
    [VALUE_LOAD] = "0.5",
    [VALUE_FILE] = "\"/nonexistent\"",
    [VALUE_SHARED] = "\"bad\"",
    [VALUE_SPF] = "{\"pass\", \"none\"}",
    [VALUE_LIMIT] = "2 within = 1h",
    [VALUE_OCTETS] = "2k within = 1h"};

static void
write_rule(struct input *input, FILE *file, unsigned number)
{
	static const char *const verdicts[] = {"accept", "defer",
	    "defer uncapped = true", "greylist delay = 1m",
	    "greylist by = client delay = 30s"};
	static const char *const places[] = {
	    "", "at = rcpt", "at = data", "at = eom"};
	static const char *const holders[] = {"", "per = host",
	    "per = sender_domain", "per = user", "per = all", "per = sender",
	    "per = server"};
	unsigned conditions = draw(input, 4);

	fprintf(file, "rule \"%u\" { ", number);
	for (unsigned i = 0; i < conditions; i++) {
		const struct condition_type *type = &condition_types[draw(
		    input, (unsigned)condition_type_count)];

		fprintf(file, "%s = %s ", type->name, values[type->kind]);
		if (type->counts != LIMIT_NONE)
			fprintf(file, "%s ", holders[draw(input, 7)]);
	}
	fprintf(file, "verdict = %s %s %s }\n", verdicts[draw(input, 5)],
	    places[draw(input, 4)],
	    draw(input, 6) == 5 ? "observe = true" : "");
}

static void
say_nothing(void *arg, bool error, const char *text)
{
	(void)arg;
	(void)error;
	(void)text;
}

static struct policy *
draw_policy(struct input *input)
{
	int fd = memfd_create("policy", 0);
	FILE *file = fdopen(dup(fd), "w");
	unsigned rules = 1 + draw(input, 6);
	struct policy *policy;
	char path[40];

	fputs(draw(input, 2) ? "identity = network\n" : "", file);
	fputs(draw(input, 2) ? "delay_cap = 0s\n" : "", file);
	fputs("load { load_average = 0 pressure_cpu = 0 pressure_io = 0 "
	      "pressure_memory = 0 }\n"
	      "reputation { ham_headers = {\"X-Ham: *\"} "
	      "spam_headers = {\"X-Spam: Y*\"} }\n",
	    file);
	for (unsigned i = 0; i < rules; i++)
		write_rule(input, file, i);
	fclose(file);
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	policy = conf_load(path, say_nothing, NULL);
	close(fd);
	return policy;
}

/* ---- The mail server */

struct talk {
	struct session *session;
	bool deferred; /* as a whole, until the next MAIL */
	bool accepted; /* nothing more of this message is told */
};

static const char *const words[] = {"", "<a@b.example>", "<>", "b@local.test",
    "\"a\\", "Subject", "X-Spam", "YES", "X-Score", "7.5", "\x01\xff%n"};
#define WORDS (sizeof words / sizeof words[0])

static void
check(struct talk *talk, enum stage stage, enum action action,
    const struct reply *reply)
{
	const struct policy *policy = session_policy(talk->session);
	bool announced =
	    stage == STAGE_EOM || (policy->stage_mask >> stage & 1U) != 0;

	if (action == ACTION_DEFER &&
	    (!announced || reply->code[0] != '4' || reply->line_count == 0))
		abort();
	if (talk->deferred && stage != STAGE_RCPT && announced &&
	    action != ACTION_DEFER)
		abort();
	if (action == ACTION_DEFER && stage != STAGE_RCPT)
		talk->deferred = true;
	if (action == ACTION_ACCEPT)
		talk->accepted = true;
}

static void
connect_to(struct talk *talk, struct input *input, int64_t now)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_addr = {htonl(0xC0000200U + draw(input, 3))}};
	static const char *const resolves[] = {
	    NULL, "OK", "TEMP", "FAIL", "FORGED"};
	struct session_origin origin = {
	    .hostname = draw(input, 2) ? "mx.a.example" : "[192.0.2.1]",
	    .address = draw(input, 4) ? (struct sockaddr *)&address : NULL,
	    .resolve = resolves[draw(input, 5)],
	    .server = draw(input, 2) ? "mx.local.test" : NULL};

	session_connect(talk->session, &origin, now);
}

static void
say_mail(struct talk *talk, struct input *input, int64_t now)
{
	static const char *const sizes[] = {
	    "SIZE=50", "SIZE=5000", "SIZE=", NULL};
	const char *arguments[] = {sizes[draw(input, 4)], NULL};
	struct session_envelope envelope = {.sender = words[draw(input, WORDS)],
	    .arguments = draw(input, 2) ? arguments : NULL,
	    .auth_type = draw(input, 4) ? NULL : "PLAIN",
	    .auth_user = draw(input, 2) ? NULL : "joe"};
	struct reply reply;

	talk->deferred = talk->accepted = false;
	check(talk, STAGE_MAIL,
	    session_mail(talk->session, &envelope, now, &reply), &reply);
}

static void
say_rcpt(struct talk *talk, struct input *input, int64_t now)
{
	unsigned times = draw(input, 8) == 7 ? 200 : 1;
	char recipient[32];
	struct reply reply;

	for (unsigned i = 0; i < times; i++) {
		(void)snprintf(recipient, sizeof recipient, "<%u%s", i,
		    words[draw(input, WORDS)]);
		check(talk, STAGE_RCPT,
		    session_rcpt(talk->session, recipient, now, &reply),
		    &reply);
	}
}

/* Steps that MAIL need not have come before. */
static void
step_freely(struct talk *talk, struct input *input, unsigned step, int64_t now)
{
	struct session *session = talk->session;

	switch (step) {
	case 0:
		connect_to(talk, input, now);
		break;
	case 1:
		session_helo(session, words[draw(input, WORDS)]);
		break;
	case 2:
		session_unknown_command(session);
		break;
	case 3:
		session_refused_recipient(session);
		break;
	case 4:
		session_queue_id(session, words[draw(input, WORDS)]);
		break;
	case 5:
		/* The mail server means it only where it has no more to say of
		 * this message. */
		session_abort(session);
		break;
	case 6:
		session_header(session, words[draw(input, WORDS)],
		    words[draw(input, WORDS)]);
		break;
	default:
		session_body(session, draw(input, 200));
		break;
	}
}

static void
step(struct talk *talk, struct input *input, int64_t now)
{
	unsigned which = draw(input, 14);
	struct reply reply;

	switch (which) {
	case 8:
	case 9:
		say_mail(talk, input, now);
		break;
	case 10:
	case 11:
		say_rcpt(talk, input, now);
		break;
	case 12:
		check(talk, STAGE_DATA,
		    session_data(talk->session, now, &reply), &reply);
		break;
	case 13:
		check(talk, STAGE_EOM, session_eom(talk->session, now, &reply),
		    &reply);
		break;
	default:
		step_freely(talk, input, which, now);
		break;
	}
}

static struct keeper *
open_keeper(void)
{
	static const unsigned char key[TRIPLET_KEY] = "a key for fuzzing only";
	struct store_memory_config config = {.terms = {.half_life = 86400,
						 .pending_life = 90000,
						 .worthy_life = 864000,
						 .abandoned_after = 90000,
						 .abandoned_points = 2,
						 .network_cap = 256,
						 .memory_max = 1U << 20},
	    .key = key};

	return keeper_open(store_memory_open(&config, BEGINNING));
}

static void
play(struct input *input, struct shared *shared, struct keeper *keeper)
{
	static const int steps_of_time[] = {0, 1, 31, 61, 400, 5000};
	struct talk talks[SESSIONS] = {{.session = NULL}};
	int64_t now = BEGINNING;

	while (input->at < input->end) {
		struct talk *talk = &talks[draw(input, SESSIONS)];
		unsigned what = draw(input, 32);

		if (what == 31)
			keeper_set_state(keeper,
			    (enum keeper_state)draw(input, KEEPER_AWAY + 1));
		else if (what > 27)
			now += steps_of_time[draw(input, 6)];
		else if (what == 27)
			session_close(&talk->session, now);
		if (talk->session == NULL) {
			memset(talk, 0, sizeof *talk);
			talk->session = session_open(shared, now);
			if (talk->session == NULL)
				abort();
		}
		step(talk, input, now);
	}
	for (int i = 0; i < SESSIONS; i++)
		session_close(&talks[i].session, now);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = {data, data + size};
	struct policy *policy = draw_policy(&input);
	struct keeper *keeper;
	struct shared *shared;

	(void)log_open(LOG_TO_NOBODY, "user");
	if (policy == NULL)
		return 0;
	keeper = open_keeper();
	shared = shared_open(policy, keeper_store(keeper));
	shared_tick(shared, BEGINNING);
	play(&input, shared, keeper);
	shared_close(&shared);
	return 0;
}
