#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agenda.h"
#include "strain.h"

/* A mail on its way, with what the tally keeps of it. */
struct letter {
	struct mail mail;
	struct tally_mail kept;
};

struct run {
	const struct run_terms *terms;
	struct farm *farm;
	struct traffic traffic;
	struct agenda agenda;
	struct strain *strains;
	double *loads; /* of each server, as last told */
	struct tally *tally;
	int64_t stepped; /* up to here */
	int64_t end;
};

/* --- the servers --- */

/* At its height. */
static bool
is_attacked(const struct run *run, int64_t now)
{
	int64_t into = now - run->traffic.attack;

	return run->traffic.attack != TRAFFIC_NEVER &&
	    into >= TRAFFIC_ATTACK_FROM + TRAFFIC_ATTACK_RAMP &&
	    into < TRAFFIC_ATTACK_TO - TRAFFIC_ATTACK_RAMP;
}

static void
step_server(struct run *run, int server)
{
	double load = strain_step(&run->strains[server], run->stepped);

	run->loads[server] = load;
	farm_tick(run->farm, (size_t)server, load, run->stepped);
	if (is_attacked(run, run->stepped)) {
		run->tally->attack_steps++;
		run->tally->attack_load += load;
	}
	if (load > run->tally->top_load)
		run->tally->top_load = load;
}

static void
step_to(struct run *run, int64_t now)
{
	while (run->stepped + STRAIN_STEP <= now) {
		run->stepped += STRAIN_STEP;
		for (int i = 0; i < run->terms->servers; i++)
			step_server(run, i);
	}
}

/* --- the mail --- */

/* Those that are still to be delivered move up. */
static void
keep_deferred(struct mail *mail, const struct farm_result *result)
{
	size_t kept = 0;

	for (size_t i = 0; i < mail->to_count; i++)
		if (result->deferred[i])
			mail->to[kept++] = mail->to[i];
	mail->to_count = kept;
	if (result->step >= FARM_RCPT)
		mail->unknown = 0;
}

/* One attempt.  False: out of memory. */
static bool
try(struct run *run, struct letter *letter, int64_t now)
{
	struct mail *mail = &letter->mail;
	size_t server =
	    chance_pick(&mail->chance, (unsigned)run->terms->servers);
	struct strain *strain = &run->strains[server];
	struct traffic_texts texts;
	struct farm_visit visit;
	struct farm_result result;
	bool counts = mail->to_count > 0;
	bool admitted;

	traffic_visit(&run->traffic, mail, &texts, &visit);
	admitted = strain_admits(strain);
	if (admitted) {
		if (!farm_receive(run->farm, server, &visit, now, &result))
			return false;
		strain_worked(strain, result.step);
	}
	if (counts &&
	    !tally_attempt(run->tally, mail, &letter->kept,
		admitted ? &result : NULL, now, run->loads[server]))
		return false;
	if (admitted)
		keep_deferred(mail, &result);
	return true;
}

/* The letter belongs to the agenda, or is gone. */
static bool
deliver(struct run *run, struct letter *letter, int64_t now)
{
	int64_t again = TRAFFIC_NEVER;
	bool done = try(run, letter, now);

	if (done && letter->mail.to_count + letter->mail.unknown > 0) {
		again = traffic_retry(&letter->mail, now);
		if (again == TRAFFIC_NEVER && letter->mail.to_count > 0)
			tally_lost(run->tally, &letter->mail);
	}
	if (again != TRAFFIC_NEVER &&
	    agenda_add(&run->agenda, again, letter->mail.sender, letter))
		return true;
	free(letter);
	return done && again == TRAFFIC_NEVER;
}

static bool
write_letter(struct run *run, struct sender *sender, int64_t now)
{
	struct letter *letter = calloc(1, sizeof *letter);

	if (letter == NULL)
		return false;
	traffic_write(sender, now, &letter->mail);
	letter->kept.attack = is_attacked(run, now);
	if (agenda_add(&run->agenda, letter->mail.written, sender, letter))
		return true;
	free(letter);
	return false;
}

static bool
sit_down(struct run *run, struct sender *sender, int64_t now)
{
	int64_t next = traffic_next(&run->traffic, sender, now);
	unsigned count = sender->kind->burst > 0 ? sender->kind->burst : 1;

	if (traffic_writes(&run->traffic, sender, now))
		for (unsigned i = 0; i < count; i++)
			if (!write_letter(run, sender, now))
				return false;
	return next == TRAFFIC_NEVER ||
	    agenda_add(&run->agenda, next, sender, NULL);
}

/* --- the whole --- */

static bool
begin(struct run *run, const char *config)
{
	const struct run_terms *terms = run->terms;

	run->traffic.quality = terms->quality;
	run->traffic.attack = terms->attack_day < 0
	    ? TRAFFIC_NEVER
	    : TRAFFIC_START + terms->attack_day * TRAFFIC_DAY;
	run->strains = calloc((size_t)terms->servers, sizeof *run->strains);
	run->loads = calloc((size_t)terms->servers, sizeof *run->loads);
	if (run->strains == NULL || run->loads == NULL ||
	    !traffic_open(&run->traffic, terms->seed, terms->scale,
		(size_t)terms->servers))
		return false;
	run->farm = farm_open(config, (size_t)terms->servers, TRAFFIC_START);
	if (run->farm == NULL)
		return false;
	for (size_t i = 0; i < run->traffic.sender_count; i++) {
		struct sender *sender = &run->traffic.senders[i];
		int64_t at = traffic_next(&run->traffic, sender, TRAFFIC_START);

		if (at != TRAFFIC_NEVER &&
		    !agenda_add(&run->agenda, at, sender, NULL))
			return false;
	}
	return true;
}

static bool
go_on(struct run *run)
{
	struct event event;

	while (agenda_take(&run->agenda, &event)) {
		bool done;

		if (event.at >= run->end) {
			free(event.letter);
			continue;
		}
		step_to(run, event.at);
		done = event.letter == NULL
		    ? sit_down(run, event.sender, event.at)
		    : deliver(run, event.letter, event.at);
		if (!done)
			return false;
	}
	return true;
}

static void
end(struct run *run)
{
	struct event event;

	while (agenda_take(&run->agenda, &event))
		free(event.letter);
	agenda_clear(&run->agenda);
	farm_close(&run->farm);
	traffic_close(&run->traffic);
	free(run->strains);
	free(run->loads);
}

bool
run_policy(
    const char *config, const struct run_terms *terms, struct tally *tally_r)
{
	struct run run = {.terms = terms,
	    .tally = tally_r,
	    .stepped = TRAFFIC_START,
	    .end = TRAFFIC_START + terms->days * TRAFFIC_DAY};
	bool done;

	memset(tally_r, 0, sizeof *tally_r);
	done = begin(&run, config) && go_on(&run);
	end(&run);
	if (!done)
		fprintf(stderr, "the run of %s ended early\n", config);
	return done;
}
