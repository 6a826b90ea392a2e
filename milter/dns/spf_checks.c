#include "dns/spf_checks.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"

#define CHECKS_MAX 256 /* that go on in the thread */
#define LONGEST_US INT64_C(20000000)

struct spf_checks {
	struct resolver *resolver;
	atomic_uint going_on;
};

struct check {
	struct spf_checks *checks;
	struct spf spf;
	int64_t due_us;
	bool asking; /* within resolver_ask() */
	bool answered;
	unsigned char room[DNS_DATA_MAX];
};

struct spf_checks *
spf_checks_open(struct resolver *resolver)
{
	struct spf_checks *checks = calloc(1, sizeof *checks);

	if (checks != NULL)
		checks->resolver = resolver;
	return checks;
}

void
spf_checks_close(struct spf_checks **checks)
{
	free(*checks);
	*checks = NULL;
}

static void
prefetch(void *arg, const char *name, enum dns_type type)
{
	resolver_prefetch(arg, name, type);
}

static void
take(struct check *check, const struct dns_answer *answer)
{
	spf_take(&check->spf, answer);
	spf_foresee(&check->spf, prefetch, check->checks->resolver);
}

/* Go as far as the answers reach that are there, and have the next one asked
 * for.  False: it is not there yet. */
static bool
go_through(struct check *check)
{
	struct resolver *resolver = check->checks->resolver;
	struct spf *spf = &check->spf;

	while (!spf->done) {
		struct dns_answer answer;
		bool all;

		resolver_prefetch(resolver, spf->name, spf->type);
		all = resolver_peek(resolver, spf->name, spf->type, check->room,
		    sizeof check->room, &answer);
		if (answer.status == DNS_FAILED && !all)
			return false;
		take(check, &answer);
	}
	return true;
}

/* NULL: out of memory. */
static struct check *
begin(struct spf_checks *checks, const struct spf_question *question)
{
	struct check *check = malloc(sizeof *check);

	if (check == NULL)
		return NULL;
	check->checks = checks;
	check->asking = check->answered = false;
	spf_begin(&check->spf, question);
	return check;
}

/* `all`: what is needed is there.  Frees the check. */
static bool
end(struct check *check, bool all, enum spf_result *result_r)
{
	if (all)
		*result_r = check == NULL ? SPF_TEMPERROR : check->spf.result;
	free(check);
	return all;
}

bool
spf_checks_read(struct spf_checks *checks, const struct spf_question *question,
    enum spf_result *result_r)
{
	struct check *check = begin(checks, question);

	return end(check, check == NULL || go_through(check), result_r);
}

/* ---- In the resolver's thread */

static void go_on(void *arg);

static void
take_answer(void *arg, const struct dns_answer *answer)
{
	struct check *check = arg;

	take(check, answer);
	if (check->asking)
		check->answered = true;
	else
		go_on(check);
}

/* An answer that is there at once is taken within the loop, so that no chain of
 * them grows the stack. */
static void
go_on(void *arg)
{
	struct check *check = arg;
	struct spf *spf = &check->spf;

	while (!spf->done && clock_steady_us() < check->due_us) {
		check->answered = false;
		check->asking = true;
		resolver_ask(check->checks->resolver, spf->name, spf->type,
		    take_answer, check);
		check->asking = false;
		if (!check->answered)
			return;
	}
	atomic_fetch_sub(&check->checks->going_on, 1);
	free(check);
}

static bool
hand_over(struct check *check)
{
	struct spf_checks *checks = check->checks;

	check->due_us = clock_steady_us() + LONGEST_US;
	if (atomic_fetch_add(&checks->going_on, 1) < CHECKS_MAX &&
	    resolver_run(checks->resolver, go_on, check))
		return true;
	atomic_fetch_sub(&checks->going_on, 1);
	return false;
}

bool
spf_checks_ask(struct spf_checks *checks, const struct spf_question *question,
    enum spf_result *result_r)
{
	struct check *check = begin(checks, question);
	bool all = check == NULL || go_through(check);

	return (!all && hand_over(check)) ? false : end(check, all, result_r);
}
