/* milter_load -- measure a milter under the load of an MTA.
 *
 * Prints one line of JSON.  Exit status 2 for a wrong command line, 1 if
 * nothing could be measured. */
#include "load_run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#define CONCURRENCY_MAX 1000
#define RECIPIENTS_MOST 1000

static const char usage[] =
    "usage: milter_load -s SOCKET [options]\n"
    "  -s SOCKET   of the milter: unix:/path or inet:PORT@ADDRESS (IPv4)\n"
    "  -c CLIENTS  exempt, known, learn, strangers, retries or again\n"
    "              (strangers)\n"
    "  -n NUMBER   of sessions at once (10)\n"
    "  -r NUMBER   of recipients in a message (1)\n"
    "  -u STEP     after which the client leaves: mail, rcpt, data, eom (eom)\n"
    "  -t SECONDS  to measure (1)\n"
    "  -w SECONDS  to warm up before (0.2)\n"
    "  -N NUMBER   of sessions, instead of -t and -w\n"
    "  -S SEED     of the random choices (1)\n"
    "  -f NUMBER   of the first message (0); go on with \"next\" of the last\n"
    "              run, and no stranger comes twice\n"
    "  -p PID      whose CPU time to report; up to eight times\n"
    "  -e          write each step by itself, also those without an answer\n";

static bool
parse_unix(const char *path, struct mta_plan *plan)
{
	struct sockaddr_un *address = (struct sockaddr_un *)&plan->address;

	if (strlen(path) >= sizeof address->sun_path)
		return false;
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path, sizeof address->sun_path, "%s", path);
	plan->address_size = sizeof *address;
	return true;
}

static bool
parse_inet(const char *text, struct mta_plan *plan)
{
	struct sockaddr_in *address = (struct sockaddr_in *)&plan->address;
	char *rest;
	unsigned long port = strtoul(text, &rest, 10);

	if (*rest != '@' || port == 0 || port > UINT16_MAX ||
	    inet_pton(AF_INET, rest + 1, &address->sin_addr) != 1)
		return false;
	address->sin_family = AF_INET;
	address->sin_port = htons((uint16_t)port);
	plan->address_size = sizeof *address;
	return true;
}

static bool
parse_socket(const char *text, struct mta_plan *plan)
{
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(text + 5, plan);
	if (strncmp(text, "inet:", 5) == 0)
		return parse_inet(text + 5, plan);
	return false;
}

static bool
parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *value_r)
{
	char *rest;

	errno = 0;
	*value_r = strtoull(text, &rest, 10);
	return errno == 0 && rest != text && *rest == '\0' && *value_r >= min &&
	    *value_r <= max;
}

static bool
parse_unsigned(const char *text, unsigned max, unsigned *value_r)
{
	uint64_t value;

	if (!parse_number(text, 1, max, &value))
		return false;
	*value_r = (unsigned)value;
	return true;
}

static bool
parse_seconds(const char *text, double *value_r)
{
	char *rest;

	*value_r = strtod(text, &rest);
	return rest != text && *rest == '\0' && *value_r >= 0 &&
	    *value_r <= 3600;
}

static bool
parse_pid(const char *text, struct load_terms *terms)
{
	uint64_t pid;

	if (terms->pid_count == PIDS_MAX ||
	    !parse_number(text, 1, INT32_MAX, &pid))
		return false;
	terms->pids[terms->pid_count++] = (pid_t)pid;
	return true;
}

static bool
parse_option(int option, const char *text, struct load_terms *terms)
{
	switch (option) {
	case 's':
		return parse_socket(text, &terms->plan);
	case 'c':
		return traffic_kind_by_name(text, &terms->traffic.kind);
	case 'n':
		return parse_unsigned(
		    text, CONCURRENCY_MAX, &terms->concurrency);
	case 'r':
		return parse_unsigned(
		    text, RECIPIENTS_MOST, &terms->plan.recipients);
	case 'u':
		return mta_step_by_name(text, &terms->plan.until);
	case 't':
		return parse_seconds(text, &terms->seconds);
	case 'w':
		return parse_seconds(text, &terms->warmup);
	case 'N':
		return parse_number(text, 1, UINT64_MAX, &terms->sessions);
	case 'S':
		return parse_number(text, 0, UINT64_MAX, &terms->traffic.seed);
	case 'f':
		return parse_number(text, 0, UINT64_MAX, &terms->traffic.next);
	case 'p':
		return parse_pid(text, terms);
	case 'e':
		terms->plan.eager = true;
		return true;
	default:
		return false;
	}
}

static bool
parse_command_line(int argc, char **argv, struct load_terms *terms)
{
	int option;

	while ((option = getopt(argc, argv, "s:c:n:r:u:t:w:N:S:f:p:e")) != -1)
		if (!parse_option(option, optarg, terms))
			return false;
	return optind == argc && terms->plan.address_size != 0;
}

static void
report(const struct load_terms *terms, const struct load_result *result)
{
	uint64_t sessions = load_result_sessions(result);
	double each = sessions > 0 ? (double)sessions : 1;
	const struct samples *times = &result->decisions;
	size_t i;

	printf("{\"sessions\": %" PRIu64 ", \"seconds\": %.4f, \"rate\": %.1f",
	    sessions, result->seconds,
	    result->seconds > 0 ? (double)sessions / result->seconds : 0);
	printf(", \"p50_us\": %u, \"p99_us\": %u, \"p999_us\": %u"
	       ", \"max_us\": %u",
	    samples_quantile(times, 0.5), samples_quantile(times, 0.99),
	    samples_quantile(times, 0.999), samples_quantile(times, 1));
	printf(", \"accepted\": %" PRIu64 ", \"continued\": %" PRIu64
	       ", \"deferred\": %" PRIu64 ", \"refused\": %" PRIu64
	       ", \"broken\": %" PRIu64 ", \"stalled\": %" PRIu64,
	    result->outcomes[MTA_ACCEPTED], result->outcomes[MTA_CONTINUED],
	    result->outcomes[MTA_DEFERRED], result->outcomes[MTA_REFUSED],
	    result->outcomes[MTA_BROKEN], result->stalled);
	printf(
	    ", \"own_cpu_us\": %.2f, \"cpu_us\": [", result->own_cpu_us / each);
	for (i = 0; i < terms->pid_count; i++)
		printf("%s%.2f", i > 0 ? ", " : "", result->cpu_us[i] / each);
	printf("], \"protocol\": \"0x%" PRIx32 "\", \"started\": %" PRIu64
	       ", \"next\": %" PRIu64 "}\n",
	    result->protocol, result->started, result->next);
}

int
main(int argc, char **argv)
{
	struct load_terms terms = {
	    .plan = {.until = MTA_EOM, .recipients = 1},
	    .traffic = {.kind = TRAFFIC_STRANGERS, .seed = 1},
	    .concurrency = 10,
	    .warmup = 0.2,
	    .seconds = 1,
	};
	struct load_result result;

	if (!parse_command_line(argc, argv, &terms)) {
		fputs(usage, stderr);
		return 2;
	}
	if (!load_run(&terms, &result)) {
		perror("milter_load");
		return 1;
	}
	report(&terms, &result);
	load_result_free(&result);
	return load_result_sessions(&result) > 0 ? 0 : 1;
}
