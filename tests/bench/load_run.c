#include "load_run.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S	INT64_C(1000000000)
#define EVENTS		64
#define POLL_MS		20
#define BROKEN_IN_A_ROW 1000 /* then the milter is taken for dead */
#define STALLED_NS	(2 * NS_PER_S)
#define SESSIONS_NS	(20 * NS_PER_S) /* limit of a run by sessions */

struct run {
	const struct load_terms *terms;
	struct load_result *result;
	struct traffic traffic;
	struct mta_session *sessions;
	int epoll;
	uint64_t started;
	unsigned open;
	unsigned broken_in_a_row;
	bool counting;
	int64_t count_from;
	int64_t end_at;
};

static int64_t
clock_ns(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) == -1)
		return 0;
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* The CPU clock of a process has nanoseconds and includes threads that have
 * ended; libmilter's pool of workers ends and creates them all the time. */
static double
process_cpu_us(pid_t pid)
{
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0)
		return 0;
	return (double)clock_ns(clock) / 1e3;
}

/* Add the CPU clocks to the result with this sign: minus at the start. */
static void
add_cpu(struct run *run, double sign)
{
	size_t i;

	for (i = 0; i < run->terms->pid_count; i++)
		run->result->cpu_us[i] +=
		    sign * process_cpu_us(run->terms->pids[i]);
	run->result->own_cpu_us +=
	    sign * (double)clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e3;
}

static bool
may_start(const struct run *run)
{
	return run->broken_in_a_row < BROKEN_IN_A_ROW &&
	    (run->terms->sessions == 0 || run->started < run->terms->sessions);
}

static void
finish(struct run *run, struct mta_session *session)
{
	if (session->outcome == MTA_BROKEN) {
		run->broken_in_a_row++;
	} else {
		run->broken_in_a_row = 0;
		run->result->protocol = session->protocol;
	}
	/* What breaks is told even if it broke before counting began. */
	if (run->counting || session->outcome == MTA_BROKEN)
		run->result->outcomes[session->outcome]++;
	if (run->counting && session->decision_ns >= 0)
		samples_add(&run->result->decisions, session->decision_ns);
	mta_session_close(session);
}

/* Fill a free place with a session that has something to wait for. */
static void
start(struct run *run, struct mta_session *session)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};
	struct mail mail;

	while (may_start(run)) {
		traffic_next(&run->traffic, &mail);
		run->started++;
		if (mta_session_open(session, &run->terms->plan, &mail) ==
			MTA_WAITING &&
		    epoll_ctl(run->epoll, EPOLL_CTL_ADD, session->fd, &event) ==
			0) {
			run->open++;
			return;
		}
		session->outcome = MTA_BROKEN;
		finish(run, session);
	}
}

static void
serve(struct run *run, int64_t now_ns)
{
	struct epoll_event events[EVENTS];
	int i, count = epoll_wait(run->epoll, events, EVENTS, POLL_MS);

	/* Answers were there when epoll_wait returned: our own work on those
	 * before it shall not count as the time of a later one. */
	if (count > 0)
		now_ns = clock_ns(CLOCK_MONOTONIC);
	for (i = 0; i < count; i++) {
		struct mta_session *session = events[i].data.ptr;

		if (mta_session_read(session, now_ns) == MTA_WAITING)
			continue;
		run->open--;
		finish(run, session);
		start(run, session);
	}
}

static void
start_counting(struct run *run, int64_t now_ns)
{
	run->counting = true;
	run->count_from = now_ns;
	if (run->terms->sessions == 0)
		run->end_at =
		    now_ns + (int64_t)(run->terms->seconds * (double)NS_PER_S);
	else
		run->end_at = now_ns + SESSIONS_NS;
	add_cpu(run, -1);
}

static void
loop(struct run *run)
{
	int64_t now = clock_ns(CLOCK_MONOTONIC);
	int64_t warm_at =
	    now + (int64_t)(run->terms->warmup * (double)NS_PER_S);
	unsigned i;

	if (run->terms->sessions != 0)
		start_counting(run, now);
	for (i = 0; i < run->terms->concurrency; i++)
		start(run, &run->sessions[i]);
	while (run->open > 0 && (!run->counting || now < run->end_at)) {
		serve(run, now);
		now = clock_ns(CLOCK_MONOTONIC);
		if (!run->counting && now >= warm_at)
			start_counting(run, now);
	}
	if (!run->counting)
		start_counting(run, now);
	add_cpu(run, 1);
	run->result->seconds = (double)(now - run->count_from) / NS_PER_S;
}

static void
close_all(struct run *run)
{
	int64_t now = clock_ns(CLOCK_MONOTONIC);
	unsigned i;

	for (i = 0; i < run->terms->concurrency; i++) {
		struct mta_session *session = &run->sessions[i];

		if (session->fd != -1 && now - session->asked_ns > STALLED_NS)
			run->result->stalled++;
		mta_session_close(session);
	}
	close(run->epoll);
	free(run->sessions);
}

bool
load_run(const struct load_terms *terms, struct load_result *result_r)
{
	struct run run = {
	    .terms = terms, .result = result_r, .traffic = terms->traffic};
	unsigned i;

	*result_r = (struct load_result){0};
	run.sessions = calloc(terms->concurrency, sizeof *run.sessions);
	if (run.sessions == NULL)
		return false;
	for (i = 0; i < terms->concurrency; i++)
		run.sessions[i].fd = -1;
	run.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (run.epoll == -1) {
		free(run.sessions);
		return false;
	}
	loop(&run);
	close_all(&run);
	samples_sort(&result_r->decisions);
	result_r->started = run.started;
	result_r->next = run.traffic.next;
	return true;
}

uint64_t
load_result_sessions(const struct load_result *result)
{
	uint64_t sum = 0;
	int i;

	for (i = 0; i < MTA_OUTCOMES; i++)
		sum += result->outcomes[i];
	return sum;
}

void
load_result_free(struct load_result *result)
{
	samples_free(&result->decisions);
}
