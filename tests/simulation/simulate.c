/* simulate -- what would these policies do to the mail of a week?
 *
 * See usage() and, for the world it plays in, traffic_kinds.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "run.h"
#include "tables.h"

#define CONFIGS_MAX 8

static void
usage(FILE *out)
{
	fputs(
	    "usage: simulate [-a DAY] [-d DAYS] [-l T,B,W] [-n SERVERS] [-s "
	    "SEED] "
	    "[-x SCALE] [-t] CONFIG...\n"
	    "Plays the mail of some days through each configuration, in "
	    "virtual time, and\n"
	    "prints what became of it, one column for each.\n"
	    "  -a DAY      day of the attack, from 1; 0 for none (default 6)\n"
	    "  -d DAYS     how many days (default 7)\n"
	    "  -l T,B,W    of 100 wanted senders, lists trust T and block W; "
	    "of "
	    "spam's sources\n"
	    "              they block B and trust W (default 60,85,0.5)\n"
	    "  -n SERVERS  that share one store (default 2)\n"
	    "  -s SEED     of the random numbers (default 1)\n"
	    "  -x SCALE    more or fewer senders (default 1)\n"
	    "  -t          figures for programs: name=value, one a line, of "
	    "each in turn\n",
	    out);
}

struct options {
	struct run_terms terms;
	bool terse;
};

/* -1: it is no whole number, or a large one. */
static int
whole_number(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);

	return *text == '\0' || *end != '\0' || number < 0 || number > 1000
	    ? -1
	    : (int)number;
}

static bool
read_quality(const char *text, struct traffic_quality *quality)
{
	double *const shares[] = {
	    &quality->trusted, &quality->blocked, &quality->wrong};
	char *end;

	for (size_t i = 0; i < 3; i++) {
		*shares[i] = strtod(text, &end) / 100;
		if (end == text || *end != (i < 2 ? ',' : '\0') ||
		    !(*shares[i] >= 0 && *shares[i] <= 1))
			return false;
		text = end + 1;
	}
	return true;
}

/* False: the options are wrong. */
static bool
read_options(int argc, char **argv, struct options *options_r)
{
	struct run_terms *terms = &options_r->terms;
	int option;

	*options_r = (struct options){{.seed = 1,
					  .days = 7,
					  .servers = 2,
					  .scale = 1,
					  .attack_day = 5,
					  .quality = {.trusted = 0.6,
					      .blocked = 0.85,
					      .wrong = 0.005,
					      .spf = 0.85,
					      .in_time = 0.95}},
	    false};
	while ((option = getopt(argc, argv, "a:d:l:n:s:x:t")) != -1)
		switch (option) {
		case 'a':
			terms->attack_day = whole_number(optarg) - 1;
			break;
		case 'd':
			terms->days = whole_number(optarg);
			break;
		case 'l':
			if (!read_quality(optarg, &terms->quality))
				return false;
			break;
		case 'n':
			terms->servers = whole_number(optarg);
			break;
		case 's':
			terms->seed = strtoull(optarg, NULL, 10);
			break;
		case 'x':
			terms->scale = strtod(optarg, NULL);
			break;
		case 't':
			options_r->terse = true;
			break;
		default:
			return false;
		}
	return optind < argc && argc - optind <= CONFIGS_MAX &&
	    terms->attack_day >= -1 && terms->days > 0 && terms->servers > 0 &&
	    terms->scale > 0 && terms->scale <= 100;
}

int
main(int argc, char **argv)
{
	struct tally tallies[CONFIGS_MAX];
	struct options options;
	size_t count = 0;
	bool done = true;

	if (!read_options(argc, argv, &options)) {
		usage(stderr);
		return 2;
	}
	/* Nobody wants a line for each decision. */
	(void)log_open(LOG_TO_NOBODY, "user");
	for (; done && count < (size_t)(argc - optind); count++)
		done = run_policy(argv[(size_t)optind + count], &options.terms,
		    &tallies[count]);
	if (done && options.terse)
		tables_print_figures(tallies, count, stdout);
	else if (done)
		tables_print(
		    (const char *const *)&argv[optind], tallies, count, stdout);
	while (count > 0)
		tally_clear(&tallies[--count]);
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
