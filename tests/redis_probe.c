/* redis_probe -- a driver for tests: threads that ask and tell a Redis until
 * standard input ends, and one line of JSON about how it went; one more for each
 * line that is read.
 *
 *	redis_probe [-m single|sentinel|cluster] [-M master] [-u user]
 *	    [-p password] [-U sentinel-user] [-P sentinel-password]
 *	    [-d database] [-t] [-C ca] [-c cert] [-k key] [-N tls-name]
 *	    [-j threads] [-w call-ms] [-i pause-ms] [-T] [-r] [-o] server ...
 *
 * Each ask is two requests, in a cluster for two slots: counters which only
 * one thread increments, and words to be echoed, so that an answer which was
 * meant for another question is found out ("mixed").  -T adds a tell to each,
 * -r only reads, -o makes it one request. */
#include "redis/error.h"
#include "redis/redis.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	THREADS = 256,
	KEYS = 8,
	REPORTS = 256,
	PARTS = 2,
	SLICE_US = 200000,
	FIRST_MS = 100,
	SLEEPER_MS = 10
};

struct report {
	int64_t ms;
	enum redis_news news;
	char where[300];
	char why[200];
};

struct tally {
	int64_t asks;
	int64_t ok;
	int64_t mixed;
	int64_t told;
	int64_t refused;    /* failed within a millisecond */
	int64_t late;	    /* failed, but not because the server is away */
	int64_t unreadable; /* answered, with an error about the key */
	int64_t worst_us;
	int64_t worst_sleep_us; /* by which a pause was too long */
	int64_t worst_refused_us;
	int64_t first_ok_ms;
	int64_t last_ok_ms;
	int64_t last_failed_ms;
	int64_t gap_ms; /* longest time without success */
};

struct probe {
	struct redis_config config;
	struct redis *redis;
	int64_t start_us;
	atomic_bool is_over;
	long threads;
	long pause_ms;
	bool tells;
	bool only_reads;
	size_t parts; /* requests in an ask */

	pthread_mutex_t mutex;
	struct tally tally;
	struct report reports[REPORTS];
	size_t report_count;
};

struct worker {
	struct probe *probe;
	long number;
	pthread_t thread;
};

static int64_t
now_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void
note_report(void *arg, enum redis_news news, const char *where, const char *why)
{
	struct probe *probe = arg;

	(void)pthread_mutex_lock(&probe->mutex);
	if (probe->report_count < REPORTS) {
		struct report *report = &probe->reports[probe->report_count++];

		report->ms = (now_us() - probe->start_us) / 1000;
		report->news = news;
		(void)snprintf(
		    report->where, sizeof report->where, "%s", where);
		(void)snprintf(report->why, sizeof report->why, "%s", why);
	}
	(void)pthread_mutex_unlock(&probe->mutex);
}

/* ---- One ask */

static void
name_part(const struct worker *worker, int64_t turn, size_t part, char *key_r,
    size_t size)
{
	(void)snprintf(key_r, size, "probe:{%ld-%ld-%d-%zu}", (long)getpid(),
	    worker->number, (int)(turn % KEYS), part);
}

static void
compose(const struct worker *worker, const char *key, const char *word,
    struct redis_request *request)
{
	struct resp_commands *commands = &request->commands;

	request->key = key;
	resp_reset(commands);
	if (!worker->probe->only_reads) {
		resp_add(commands, "MULTI");
		resp_add(commands, "HINCRBY", key, "n", "1");
		resp_add(commands, "EXPIRE", key, "600", "NX");
		resp_add(commands, "EXEC");
	}
	resp_add(commands, "HMGET", key, "n", "none");
	resp_add(commands, "ECHO", word);
}

/* Only this thread increments, once with each ask, so both answers of a
 * pipeline agree, and the counter never passes the number of asks. */
static bool
is_mixed(const struct worker *worker, const struct redis_request *request,
    const char *word, int64_t asks)
{
	size_t last = request->commands.count - 1;
	const char *echo = resp_string(request->replies[last], NULL);
	int64_t count = 0;
	int64_t same = 0;

	if (echo == NULL || strcmp(echo, word) != 0)
		return true;
	if (worker->probe->only_reads)
		return false;
	return !resp_integer(resp_element(request->replies[3], 0), &count) ||
	    !resp_integer(resp_element(request->replies[4], 0), &same) ||
	    same != count || count > asks;
}

static bool
is_readable(const struct redis_request *request)
{
	for (size_t i = 0; i < request->commands.count; i++)
		if (redis_reply_error(request->replies[i]) != NULL)
			return false;
	return true;
}

static void
add_to_tally(struct probe *probe, int64_t began_us, enum redis_answer answer)
{
	struct tally *tally = &probe->tally;
	int64_t now = now_us();
	int64_t took_us = now - began_us;
	int64_t at_ms = (now - probe->start_us) / 1000;

	(void)pthread_mutex_lock(&probe->mutex);
	tally->asks++;
	if (took_us > tally->worst_us)
		tally->worst_us = took_us;
	if (answer == REDIS_ANSWERED) {
		if (tally->ok++ == 0)
			tally->first_ok_ms = at_ms;
		else if (at_ms - tally->last_ok_ms > tally->gap_ms)
			tally->gap_ms = at_ms - tally->last_ok_ms;
		tally->last_ok_ms = at_ms;
	} else {
		tally->last_failed_ms = at_ms;
		tally->late += answer == REDIS_LATE;
		if (took_us < 1000)
			tally->refused++;
	}
	(void)pthread_mutex_unlock(&probe->mutex);
}

static void
tell(struct worker *worker, const char *key, const char *word)
{
	struct redis_request request = {.key = key};

	resp_add(&request.commands, "MULTI");
	resp_add(&request.commands, "HSETNX", key, word, "1");
	resp_add(&request.commands, "HINCRBY", key, "told", "1");
	resp_add(&request.commands, "EXPIRE", key, "600", "NX");
	resp_add(&request.commands, "EXEC");
	if (redis_tell(worker->probe->redis, &request, 1)) {
		(void)pthread_mutex_lock(&worker->probe->mutex);
		worker->probe->tally.told++;
		(void)pthread_mutex_unlock(&worker->probe->mutex);
	}
	redis_request_free(&request);
}

/* Whether it was answered. */
static bool
ask(struct worker *worker, int64_t turn)
{
	size_t parts = worker->probe->parts;
	struct redis_request requests[PARTS] = {0};
	char keys[PARTS][64];
	char word[64];
	int64_t began = now_us();
	enum redis_answer answer;
	bool is_wrong = false, can_read = true;

	(void)snprintf(word, sizeof word, "%ld/%" PRId64, worker->number, turn);
	for (size_t i = 0; i < parts; i++) {
		name_part(worker, turn, i, keys[i], sizeof keys[i]);
		compose(worker, keys[i], word, &requests[i]);
	}
	answer = redis_ask(worker->probe->redis, requests, parts, 0);
	add_to_tally(worker->probe, began, answer);
	for (size_t i = 0; i < parts && answer == REDIS_ANSWERED; i++)
		if (!is_readable(&requests[i]))
			can_read = false;
		else
			is_wrong |= is_mixed(
			    worker, &requests[i], word, turn / KEYS + 1);
	(void)pthread_mutex_lock(&worker->probe->mutex);
	worker->probe->tally.mixed += is_wrong;
	worker->probe->tally.unreadable += !can_read;
	(void)pthread_mutex_unlock(&worker->probe->mutex);
	if (worker->probe->tells)
		tell(worker, keys[0], word);
	for (size_t i = 0; i < parts; i++)
		redis_request_free(&requests[i]);
	return answer == REDIS_ANSWERED;
}

/* How late a thread wakes up is the measure for how late an answer may be. */
static void
pause_for(struct probe *probe, int64_t pause_ms)
{
	int64_t due_us = now_us() + pause_ms * 1000;
	int64_t left_us;

	while ((left_us = due_us - now_us()) > 0) {
		const struct timespec pause = {
		    .tv_nsec = 1000 * (left_us < SLICE_US ? left_us : SLICE_US),
		};

		if (atomic_load(&probe->is_over))
			return;
		(void)nanosleep(&pause, NULL);
	}
	(void)pthread_mutex_lock(&probe->mutex);
	if (-left_us > probe->tally.worst_sleep_us)
		probe->tally.worst_sleep_us = -left_us;
	(void)pthread_mutex_unlock(&probe->mutex);
}

/* While all the others may be waiting for answers. */
static void *
only_sleep(void *arg)
{
	struct probe *probe = arg;

	while (!atomic_load(&probe->is_over))
		pause_for(probe, SLEEPER_MS);
	return NULL;
}

static void *
work(void *arg)
{
	struct worker *worker = arg;
	bool is_up = false;

	for (int64_t turn = 0; !atomic_load(&worker->probe->is_over); turn++) {
		is_up |= ask(worker, turn);
		/* Before the first answer no pause is long: not all links may
		 * be up. */
		pause_for(worker->probe,
		    is_up || worker->probe->pause_ms < FIRST_MS
			? worker->probe->pause_ms
			: FIRST_MS);
	}
	return NULL;
}

/* ---- The whole */

static void
print_reports(const struct probe *probe)
{
	(void)printf("\"reports\": [");
	for (size_t i = 0; i < probe->report_count; i++) {
		const struct report *report = &probe->reports[i];

		(void)printf("%s{\"ms\": %" PRId64
			     ", \"up\": %s, \"gone\": %s, "
			     "\"where\": \"%s\", \"why\": \"",
		    i > 0 ? ", " : "", report->ms,
		    report->news == REDIS_NEWS_UP ? "true" : "false",
		    report->news == REDIS_NEWS_GONE ? "true" : "false",
		    report->where);
		for (const char *at = report->why; *at != '\0'; at++)
			(void)printf(
			    *at == '"' || *at == '\\' ? "\\%c" : "%c", *at);
		(void)printf("\"}");
	}
	(void)printf("]");
}

static void
print_tally(const struct tally *tally)
{
	const struct {
		const char *name;
		int64_t value;
	} figures[] = {
	    {"asks", tally->asks},
	    {"ok", tally->ok},
	    {"failed", tally->asks - tally->ok},
	    {"refused", tally->refused},
	    {"late", tally->late},
	    {"unreadable", tally->unreadable},
	    {"mixed", tally->mixed},
	    {"told", tally->told},
	    {"worst_us", tally->worst_us},
	    {"worst_sleep_us", tally->worst_sleep_us},
	    {"first_ok_ms", tally->first_ok_ms},
	    {"last_ok_ms", tally->last_ok_ms},
	    {"last_failed_ms", tally->last_failed_ms},
	    {"gap_ms", tally->gap_ms},
	};

	for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
		(void)printf(
		    "\"%s\": %" PRId64 ", ", figures[i].name, figures[i].value);
}

/* How it goes so far. */
static void
print(struct probe *probe)
{
	(void)pthread_mutex_lock(&probe->mutex);
	(void)printf("{");
	print_tally(&probe->tally);
	print_reports(probe);
	(void)printf("}\n");
	(void)fflush(stdout);
	(void)pthread_mutex_unlock(&probe->mutex);
}

static enum redis_mode
read_mode(const char *text)
{
	if (strcmp(text, "cluster") == 0)
		return REDIS_CLUSTER;
	return strcmp(text, "sentinel") == 0 ? REDIS_SENTINEL : REDIS_SINGLE;
}

static void
read_option(struct probe *probe, int option)
{
	struct redis_config *config = &probe->config;

	switch (option) {
	case 'm':
		config->mode = read_mode(optarg);
		break;
	case 'M':
		config->master_name = optarg;
		break;
	case 'u':
		config->user = optarg;
		break;
	case 'p':
		config->password = optarg;
		break;
	case 'U':
		config->sentinel_user = optarg;
		break;
	case 'P':
		config->sentinel_password = optarg;
		break;
	case 'd':
		config->database = atoi(optarg);
		break;
	case 't':
		config->tls = true;
		break;
	case 'C':
		config->tls_ca_file = optarg;
		break;
	case 'c':
		config->tls_cert_file = optarg;
		break;
	case 'k':
		config->tls_key_file = optarg;
		break;
	case 'N':
		config->tls_name = optarg;
		break;
	case 'j':
		probe->threads = atol(optarg);
		break;
	case 'w':
		config->call_ms = atol(optarg);
		break;
	case 'i':
		probe->pause_ms = atol(optarg);
		break;
	case 'T':
		probe->tells = true;
		break;
	case 'r':
		probe->only_reads = true;
		break;
	case 'o':
		probe->parts = 1;
		break;
	default:
		break;
	}
}

static void
run(struct probe *probe)
{
	static struct worker workers[THREADS];
	pthread_t sleeper;
	int octet;

	(void)pthread_create(&sleeper, NULL, only_sleep, probe);
	for (long i = 0; i < probe->threads; i++) {
		workers[i].probe = probe;
		workers[i].number = i;
		(void)pthread_create(
		    &workers[i].thread, NULL, work, &workers[i]);
	}
	while ((octet = getchar()) != EOF)
		if (octet == '\n')
			print(probe);
	atomic_store(&probe->is_over, true);
	for (long i = 0; i < probe->threads; i++)
		(void)pthread_join(workers[i].thread, NULL);
	(void)pthread_join(sleeper, NULL);
}

int
main(int argc, char **argv)
{
	static struct probe probe = {
	    .threads = 4,
	    .pause_ms = 5,
	    .parts = PARTS,
	    .mutex = PTHREAD_MUTEX_INITIALIZER,
	};
	char error[200];
	int option;

	(void)signal(SIGPIPE, SIG_IGN); /* as redis.h wants it */
	while ((option = getopt(
		    argc, argv, "m:M:u:p:U:P:d:tC:c:k:N:j:w:i:Tro")) != -1)
		read_option(&probe, option);
	probe.config.servers = (const char *const *)&argv[optind];
	probe.config.server_count = (size_t)(argc - optind);
	probe.config.report = note_report;
	probe.config.report_arg = &probe;
	if (probe.threads > THREADS)
		probe.threads = THREADS;
	probe.start_us = now_us();
	probe.redis = redis_open(&probe.config, error, sizeof error);
	if (probe.redis == NULL) {
		(void)fprintf(stderr, "redis_probe: %s\n", error);
		return 1;
	}
	run(&probe);
	redis_close(&probe.redis);
	print(&probe);
	return 0;
}
