#include "tables.h"

#include <string.h>

#define TITLE 44 /* columns of a row's name */

static double
percent(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : 100.0 * (double)part / (double)whole;
}

/* --- one row for each figure --- */

struct figure {
	const char *name;  /* for programs */
	const char *title; /* for people */
	double (*value)(struct tally *tally);
	int decimals;
};

static double
first_waiting(struct tally *tally)
{
	const struct tally_list *delays = &tally->first_delays;
	uint64_t waiting = 0;

	for (size_t i = 0; i < delays->count; i++)
		waiting += delays->values[i] > 0;
	return percent(waiting, delays->count);
}

static double
first_median(struct tally *tally)
{
	return tally_quantile(&tally->first_delays, 0.5) / 60;
}

static double
first_p95(struct tally *tally)
{
	return tally_quantile(&tally->first_delays, 0.95) / 60;
}

static double
first_max(struct tally *tally)
{
	return tally_quantile(&tally->first_delays, 1) / 60;
}

/* Of those that do. */
static double
first_wait(struct tally *tally)
{
	return tally_quantile(
		   &tally->first_delays, 1 - first_waiting(tally) / 200) /
	    60;
}

static double
other_p95(struct tally *tally)
{
	return tally_quantile(&tally->other_delays, 0.95) / 60;
}

static double
other_max(struct tally *tally)
{
	return tally_quantile(&tally->other_delays, 1) / 60;
}

/* The attack, which is spam as well, has figures of its own. */
static void
add_kinds(const struct tally *tally, bool good, struct tally_kind *sum_r)
{
	memset(sum_r, 0, sizeof *sum_r);
	for (size_t i = 0; i < traffic_kind_count; i++) {
		if (traffic_kinds[i].good != good ||
		    traffic_kinds[i].rhythm == ATTACK)
			continue;
		sum_r->mails += tally->kinds[i].mails;
		sum_r->delivered += tally->kinds[i].delivered;
		sum_r->lost += tally->kinds[i].lost;
		sum_r->unretried += tally->kinds[i].unretried;
		sum_r->attempts += tally->kinds[i].attempts;
		sum_r->admitted += tally->kinds[i].admitted;
	}
}

static double
good_lost(struct tally *tally)
{
	struct tally_kind sum;

	add_kinds(tally, true, &sum);
	return (double)(sum.lost - sum.unretried);
}

static double
good_unretried(struct tally *tally)
{
	struct tally_kind sum;

	add_kinds(tally, true, &sum);
	return (double)sum.unretried;
}

static double
first_mean(struct tally *tally)
{
	double sum = 0;

	for (size_t i = 0; i < tally->first_delays.count; i++)
		sum += tally->first_delays.values[i];
	return tally->first_delays.count == 0
	    ? 0
	    : sum / (double)tally->first_delays.count / 60;
}

static double
spam_mails(struct tally *tally)
{
	struct tally_kind sum;

	add_kinds(tally, false, &sum);
	return percent(sum.delivered, sum.mails);
}

static double
spam_attempts(struct tally *tally)
{
	struct tally_kind sum;

	add_kinds(tally, false, &sum);
	return percent(sum.admitted, sum.attempts);
}

static double
calm_at_once(struct tally *tally)
{
	const struct tally_span *calm = &tally->calm;

	return percent(calm->regulars.at_once + calm->strangers.at_once,
	    calm->regulars.mails + calm->strangers.mails);
}

static double
calm_known(struct tally *tally)
{
	return (double)tally->calm.known.mails;
}

static double
calm_known_delayed(struct tally *tally)
{
	return (double)(tally->calm.known.mails - tally->calm.known.at_once);
}

static double
attack_regulars(struct tally *tally)
{
	return (double)tally->attack.regulars.mails;
}

static double
attack_regulars_at_once(struct tally *tally)
{
	const struct tally_share *share = &tally->attack.regulars;

	return percent(share->at_once, share->mails);
}

static double
attack_regulars_hour(struct tally *tally)
{
	const struct tally_share *share = &tally->attack.regulars;

	return percent(share->within_hour, share->mails);
}

static double
attack_strangers(struct tally *tally)
{
	return (double)tally->attack.strangers.mails;
}

static double
attack_strangers_hour(struct tally *tally)
{
	const struct tally_share *share = &tally->attack.strangers;

	return percent(share->within_hour, share->mails);
}

static double
attack_load(struct tally *tally)
{
	return tally->attack_steps == 0
	    ? 0
	    : tally->attack_load / (double)tally->attack_steps;
}

static double
top_load(struct tally *tally)
{
	return tally->top_load;
}

static const struct figure figures[] = {
    {"first_waiting", "first contact: waits (%)", first_waiting, 1},
    {"first_wait", "  of those, median (minutes)", first_wait, 1},
    {"first_median", "first contact: delay, median (minutes)", first_median, 1},
    {"first_mean", "first contact: delay, mean (minutes)", first_mean, 1},
    {"first_p95", "first contact: 95 of 100 within (minutes)", first_p95, 1},
    {"first_max", "first contact: longest (minutes)", first_max, 1},
    {"other_p95", "other good mail: 95 of 100 within (min.)", other_p95, 1},
    {"other_max", "other good mail: longest (minutes)", other_max, 1},
    {"good_lost", "good mail lost, of those who retry", good_lost, 0},
    {"good_unretried", "  of those who never do", good_unretried, 0},
    {"calm_at_once", "other times: good mail, at once (%)", calm_at_once, 1},
    {"calm_known", "other times: good mail of known clients", calm_known, 0},
    {"calm_known_delayed", "other times: delayed of known clients",
	calm_known_delayed, 0},
    {"spam_attempts", "spam: attempts admitted (%)", spam_attempts, 1},
    {"spam_mails", "spam: messages that got in (%)", spam_mails, 1},
    {"attack_regulars", "attack: mail of good regulars", attack_regulars, 0},
    {"attack_regulars_at_once", "  at once (%)", attack_regulars_at_once, 1},
    {"attack_regulars_hour", "  within an hour (%)", attack_regulars_hour, 1},
    {"attack_strangers", "attack: mail of good strangers", attack_strangers, 0},
    {"attack_strangers_hour", "  within an hour (%)", attack_strangers_hour, 1},
    {"attack_load", "attack: load, mean", attack_load, 2},
    {"top_load", "load, highest", top_load, 2},
};

#define FIGURES (sizeof figures / sizeof figures[0])

void
tables_print_figures(struct tally *tallies, size_t count, FILE *out)
{
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < FIGURES; j++)
			fprintf(out, "%s=%.3f\n", figures[j].name,
			    figures[j].value(&tallies[i]));
}

/* --- for people --- */

static void
print_heads(const char *const *names, size_t count, FILE *out)
{
	fprintf(out, "%-*s", TITLE, "");
	for (size_t i = 0; i < count; i++) {
		const char *slash = strrchr(names[i], '/');
		const char *name = slash == NULL ? names[i] : slash + 1;

		fprintf(out, " %16.*s", (int)strcspn(name, "."), name);
	}
	fputc('\n', out);
}

static void
print_figures(struct tally *tallies, size_t count, FILE *out)
{
	for (size_t j = 0; j < FIGURES; j++) {
		fprintf(out, "%-*s", TITLE, figures[j].title);
		for (size_t i = 0; i < count; i++)
			fprintf(out, " %16.*f", figures[j].decimals,
			    figures[j].value(&tallies[i]));
		fputc('\n', out);
	}
}

static void
print_kinds(const struct tally *tallies, size_t count, FILE *out)
{
	fputs("\nMessages that got in (% of those to known recipients) / "
	      "attempts for each message\n",
	    out);
	for (size_t j = 0; j < traffic_kind_count; j++) {
		fprintf(out, "%-*s", TITLE, traffic_kinds[j].name);
		for (size_t i = 0; i < count; i++) {
			const struct tally_kind *kind = &tallies[i].kinds[j];

			fprintf(out, "    %5.1f / %5.2f",
			    percent(kind->delivered, kind->mails),
			    percent(kind->attempts, kind->mails) / 100);
		}
		fputc('\n', out);
	}
}

static void
print_causes(const char *name, const struct tally *tally, FILE *out)
{
	fprintf(out,
	    "\n%s: deferrals by rule (good mail, its hours of waiting, "
	    "other)\n",
	    name);
	for (size_t i = 0; i < tally->cause_count; i++) {
		const struct tally_cause *cause = &tally->causes[i];

		fprintf(out, "%-*s %10llu %10.1f %10llu\n", TITLE, cause->rule,
		    (unsigned long long)cause->good, cause->good_wait / 3600,
		    (unsigned long long)cause->bad);
	}
}

static void
print_admission(const char *name, const struct tally *tally, FILE *out)
{
	static const char *const loads[] = {
	    "load below 0.70", "0.70 .. 0.80", "0.80 .. 0.95", "above"};

	fprintf(out,
	    "\n%s: attempts admitted (%%, of how many), by score and load\n"
	    "%-20s %15s %15s %15s %15s %15s\n",
	    name, "", "below -30", "-30 .. -5", "-5 .. 20", "20 .. 70",
	    "above 70");
	for (size_t i = 0; i < TALLY_LOADS; i++) {
		fprintf(out, "%-20s", loads[i]);
		for (size_t j = 0; j < TALLY_SCORES; j++)
			fprintf(out, "  %5.1f %8llu",
			    percent(
				tally->admitted[i][j], tally->attempts[i][j]),
			    (unsigned long long)tally->attempts[i][j]);
		fputc('\n', out);
	}
}

void
tables_print(
    const char *const *names, struct tally *tallies, size_t count, FILE *out)
{
	print_heads(names, count, out);
	print_figures(tallies, count, out);
	print_kinds(tallies, count, out);
	for (size_t i = 0; i < count; i++)
		print_causes(names[i], &tallies[i], out);
	for (size_t i = 0; i < count; i++)
		print_admission(names[i], &tallies[i], out);
}
