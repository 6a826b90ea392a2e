/* reputation, report -- what a client's score is, and what changes it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/conf_value.h"
#include "ctl/change/entries.h"
#include "ctl/commands.h"
#include "policy/reputation.h"
#include "store/reports.h"

#define SCORE_MAX  99.0	    /* the last point is reached by nobody */
#define POINTS_MAX 100000.0 /* that one command adds */
#define STEPS	   60	    /* of bisection */

struct sums {
	struct reputation_sums host;
	struct reputation_sums network;
	int64_t passes;
	int64_t now;
};

/* With more points than there are. */
static struct standing
judge(const struct policy *policy, const struct sums *sums, double good,
    double bad)
{
	const struct reputation_sums host = {
	    sums->host.good + good, sums->host.bad + bad};
	const struct reputation_sums network = {
	    sums->network.good + good, sums->network.bad + bad};
	struct standing standing;

	standing_of(
	    &policy->settings, &host, &network, sums->passes, &standing);
	return standing;
}

/* What the store says of an address, without changing anything. */
static enum store_result
look(struct ctl *ctl, const struct netaddr *address, struct sums *sums_r)
{
	const struct settings *settings = &ctl->policy->settings;
	char network[STORE_NETWORK_SIZE], text[NETADDR_TEXT_SIZE];
	struct store_query query = {.now = (int64_t)time(NULL),
	    .peeks = true,
	    .client = {
		.network = network, .host = netaddr_host_bucket(address)}};
	struct store_answer *answer = calloc(1, sizeof *answer);
	enum store_result result;

	if (answer == NULL)
		return STORE_DOWN;
	store_name_network(settings, address, network);
	netaddr_format(address, text);
	if (settings->identity != IDENTITY_NETWORK)
		query.client.address = text;
	query.now = entries_now(ctl);
	result = store_look_up(ctl->store, &query, answer);
	*sums_r = (struct sums){.host = answer->host,
	    .network = answer->network,
	    .passes = answer->passes,
	    .now = answer->now};
	free(answer);
	return result;
}

static enum ctl_status
show(struct ctl *ctl, const struct netaddr *address)
{
	char text[NETADDR_TEXT_SIZE], network[STORE_NETWORK_SIZE];
	struct sums sums;
	enum store_result result = look(ctl, address, &sums);
	struct standing standing;

	if (result != STORE_OK)
		return ctl_fail_store(ctl, result);
	standing = judge(ctl->policy, &sums, 0, 0);
	netaddr_format(address, text);
	store_name_network(&ctl->policy->settings, address, network);
	(void)ctl_emit(ctl,
	    json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:f, s:b}", "kind",
		"reputation", "address", text, "network", network, "score",
		standing.score, "good", sums.host.good, "bad", sums.host.bad,
		"network_good", sums.network.good, "network_bad",
		sums.network.bad, "poor", standing.is_poor));
	return CTL_DONE;
}

/* The points that make the score what it is to be; bad ones are below 0. */
static double
points_for(const struct policy *policy, const struct sums *sums, double score)
{
	double sign = judge(policy, sums, 0, 0).score < score ? 1 : -1;
	double low = 0, high = POINTS_MAX;

	for (int i = 0; i < STEPS; i++) {
		double middle = (low + high) / 2;
		double got = sign > 0 ? judge(policy, sums, middle, 0).score
				      : judge(policy, sums, 0, middle).score;

		if (sign * got < sign * score)
			low = middle;
		else
			high = middle;
	}
	return sign * high;
}

static enum ctl_status
give(struct ctl *ctl, const struct netaddr *address, double points)
{
	const struct report report = {.client = *address,
	    .points = {points > 0 ? points : 0, points < 0 ? -points : 0}};
	struct sums sums; /* the store may not know its key yet */
	enum store_result result = look(ctl, address, &sums);

	if (result == STORE_OK)
		result =
		    report_give(ctl->policy, ctl->store, &report, sums.now);
	if (result != STORE_OK)
		return ctl_fail_store(ctl, result);
	return show(ctl, address);
}

static bool
read_number(struct ctl *ctl, const char *text, double most, double *number_r)
{
	if (text[0] == '+' && text[1] != '-')
		text++;
	if (conf_value_real(text, number_r) && fabs(*number_r) <= most)
		return true;
	(void)ctl_fail(
	    ctl, "%.60s: a number from -%g to %g is wanted", text, most, most);
	return false;
}

static bool
read_address(struct ctl *ctl, const char *text, struct netaddr *address_r)
{
	if (netaddr_parse(text, address_r))
		return true;
	(void)ctl_fail(ctl, "%.100s: not an IP address", text);
	return false;
}

static enum ctl_status
run_show(struct ctl *ctl, const struct ctl_args *args)
{
	struct netaddr address;

	return read_address(ctl, args->words[0], &address) ? show(ctl, &address)
							   : CTL_FAILED;
}

static enum ctl_status
run_add(struct ctl *ctl, const struct ctl_args *args)
{
	struct netaddr address;
	double points;

	return read_address(ctl, args->words[0], &address) &&
		read_number(ctl, args->words[1], POINTS_MAX, &points)
	    ? give(ctl, &address, points)
	    : CTL_FAILED;
}

static enum ctl_status
run_set(struct ctl *ctl, const struct ctl_args *args)
{
	struct netaddr address;
	struct sums sums;
	enum store_result result;
	double score;

	if (!read_address(ctl, args->words[0], &address) ||
	    !read_number(ctl, args->words[1], SCORE_MAX, &score))
		return CTL_FAILED;
	result = look(ctl, &address, &sums);
	if (result != STORE_OK)
		return ctl_fail_store(ctl, result);
	return give(ctl, &address, points_for(ctl->policy, &sums, score));
}

static const struct ctl_layout layouts[] = {
    {"reputation", false,
	{{"address", "address", CTL_TEXT}, {"network", "network", CTL_TEXT},
	    {"score", "score", CTL_NUMBER}, {"good", "good points", CTL_NUMBER},
	    {"bad", "bad points", CTL_NUMBER},
	    {"network_good", "good, network", CTL_NUMBER},
	    {"network_bad", "bad, network", CTL_NUMBER},
	    {"poor", "poor", CTL_TEXT}, {NULL}}},
    {NULL}};

const struct ctl_command ctl_reputation = {.name = "reputation",
    .arguments = "ADDRESS",
    .help = "show the score of a client, and what it is made of",
    .flags = CTL_STORE,
    .least_words = 1,
    .most_words = 1,
    .layouts = layouts,
    .run = run_show};

const struct ctl_command ctl_reputation_add = {.name = "reputation add",
    .arguments = "ADDRESS POINTS",
    .help = "add good points, or bad ones with a minus",
    .flags = CTL_STORE | CTL_CHANGES,
    .least_words = 2,
    .most_words = 2,
    .layouts = layouts,
    .run = run_add};

const struct ctl_command ctl_reputation_set = {.name = "reputation set",
    .arguments = "ADDRESS SCORE",
    .help = "add the points that make the score what it is to be",
    .flags = CTL_STORE | CTL_CHANGES,
    .least_words = 2,
    .most_words = 2,
    .layouts = layouts,
    .run = run_set};

/* ---- report */

static enum ctl_status
run_report(struct ctl *ctl, const struct ctl_args *args)
{
	static const struct {
		const char *word;
		enum reputation_event event;
	} events[] = {{"ham", REPUTATION_REPORT_HAM},
	    {"spam", REPUTATION_REPORT_SPAM}, {"trap", REPUTATION_REPORT_TRAP}};
	const struct reputation_weights *weights =
	    &ctl->policy->settings.reputation.weights;
	struct reputation_sums points = {0, 0};
	struct netaddr address;

	if (!read_address(ctl, args->words[1], &address))
		return CTL_FAILED;
	for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
		if (strcmp(events[i].word, args->words[0]) != 0)
			continue;
		reputation_add(&points, weights, events[i].event);
		if (points.good <= 0 && points.bad <= 0)
			return ctl_nothing(ctl,
			    "report_%s is worth nothing in %s", events[i].word,
			    ctl->file);
		return give(ctl, &address, points.good - points.bad);
	}
	return ctl_fail(
	    ctl, "%.60s: a report is ham, spam or trap", args->words[0]);
}

const struct ctl_command ctl_report = {.name = "report",
    .arguments = "ham|spam|trap ADDRESS",
    .help = "tell that an address sent ham, spam, or mail to a trap",
    .flags = CTL_STORE | CTL_CHANGES,
    .least_words = 2,
    .most_words = 2,
    .layouts = layouts,
    .run = run_report};
