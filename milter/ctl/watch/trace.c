/* trace -- the steps of a client's sessions, as they come, on any host. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/decimal.h"
#include "base/random.h"
#include "ctl/commands.h"
#include "mail/netaddr.h"
#include "store/tracer.h"

#define POLL_MS	    200
#define RENEW_EVERY 10 /* seconds */

struct watch {
	struct ctl *ctl;
	char name[TRACER_NAME];
	char queue[sizeof TRACER_QUEUE + TRACER_NAME];
	bool is_heard; /* a host has said that it looks */
};

/* Nobody else's. */
static void
draw_name(struct watch *watch)
{
	(void)snprintf(watch->name, sizeof watch->name, "%016" PRIx64,
	    random_draw(&(struct random){0}));
	(void)snprintf(
	    watch->queue, sizeof watch->queue, TRACER_QUEUE "%s", watch->name);
}

/* Cut at the tabs; the last field has the rest. */
static size_t
cut(char *line, char *fields_r[TRACER_FIELDS])
{
	size_t count = 0;

	while (count < TRACER_FIELDS) {
		char *tab =
		    count + 1 < TRACER_FIELDS ? strchr(line, '\t') : NULL;

		fields_r[count++] = line;
		if (tab == NULL)
			break;
		*tab = '\0';
		line = tab + 1;
	}
	return count;
}

static void
emit_step(void *arg, const char *text)
{
	enum { AT, SINCE, HOST, SESSION, CLIENT, STEP, TEXT };
	struct watch *watch = arg;
	char line[TRACER_TEXT], since[32], *fields[TRACER_FIELDS];
	int64_t ms;

	(void)snprintf(line, sizeof line, "%s", text);
	if (cut(line, fields) != TRACER_FIELDS)
		return;
	ms = decimal_scan(fields[SINCE], NULL);
	(void)snprintf(since, sizeof since, "%.3f", (double)ms / 1000);
	watch->is_heard = true;
	(void)ctl_emit(watch->ctl,
	    json_pack("{s:s, s:I, s:s, s:I, s:o, s:o, s:o, s:o, s:o}", "kind",
		"step", "at", (json_int_t)decimal_scan(fields[AT], NULL),
		"since", since, "since_ms", (json_int_t)ms, "host",
		json_text(fields[HOST]), "session", json_text(fields[SESSION]),
		"client", json_text(fields[CLIENT]), "step",
		json_text(fields[STEP]), "text", json_text(fields[TEXT])));
}

static enum store_result
put_note(struct watch *watch, const char *network, int64_t now)
{
	const struct store_note note = {watch->name, network, TRACER_LIFE};

	return store_put_note(watch->ctl->store, TRACER_BOARD, &note, now);
}

static enum store_result
take_steps(struct watch *watch)
{
	enum store_result result;
	size_t count;

	do
		result = store_pop(
		    watch->ctl->store, watch->queue, emit_step, watch, &count);
	while (result == STORE_OK && count == STORE_PUSH_MAX &&
	    !watch->ctl->is_ended);
	return result;
}

/* Until it is to end, or the time is over; 0: none is set. */
static enum store_result
follow(struct watch *watch, const char *network, int64_t span)
{
	int64_t began = (int64_t)time(NULL), renewed = 0, now = began;
	enum store_result result = STORE_OK;

	while (result == STORE_OK && (span == 0 || now - began < span)) {
		if (now - renewed >= RENEW_EVERY) {
			renewed = now;
			result = put_note(watch, network, now);
		}
		if (!ctl_wait(watch->ctl, POLL_MS) || watch->ctl->is_ended)
			break;
		if (result == STORE_OK)
			result = take_steps(watch);
		now = (int64_t)time(NULL);
	}
	(void)put_note(watch, NULL, now);
	return result;
}

static enum ctl_status
run_trace(struct ctl *ctl, const struct ctl_args *args)
{
	const char *client = ctl_value(args, "client");
	struct watch watch = {.ctl = ctl};
	char text[NETWORK_TEXT_SIZE], why[NETWORK_WHY_SIZE];
	struct network network;
	int64_t span = 0;
	enum store_result result;

	if (client == NULL)
		return ctl_fail(ctl, "--client is needed");
	if (!network_parse(client, &network, why))
		return ctl_fail(ctl, "--client %s: %s", client, why);
	if (!ctl_duration(ctl, args, "for", &span))
		return CTL_FAILED;
	network_format(&network, text);
	draw_name(&watch);
	result = follow(&watch, text, span);
	if (result != STORE_OK)
		return ctl_fail_store(ctl, result);
	return watch.is_heard ? CTL_DONE
			      : ctl_nothing(ctl, "no mail server has answered");
}

static const struct ctl_option options[] = {
    {"client", "NETWORK", "whose sessions: an address or a network", false},
    {"for", "DURATION", "end after this time", false}, {NULL}};

static const struct ctl_layout layouts[] = {
    {"step", true,
	{{"host", "HOST", CTL_TEXT}, {"client", "CLIENT", CTL_TEXT},
	    {"session", "SESSION", CTL_TEXT}, {"since", "SINCE", CTL_NUMBER},
	    {"step", "STEP", CTL_TEXT}, {"text", "", CTL_TEXT}, {NULL}}},
    {NULL}};

const struct ctl_command ctl_trace = {.name = "trace",
    .arguments = "--client NETWORK",
    .help = "follow a client's next sessions step by step, on any host",
    .flags = CTL_STORE | CTL_CHANGES | CTL_LIVE,
    .least_words = 0,
    .most_words = 0,
    .options = options,
    .layouts = layouts,
    .run = run_trace};
