/* explain -- what would this message get now, and why?
 *
 * A session of its own is led through the whole dialogue, with a store that only
 * looks: so facts and verdicts come about as for real mail. */
#define _XOPEN_SOURCE 700 /* strptime() */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/conf.h"
#include "config/conf_value.h"
#include "ctl/commands.h"
#include "ctl/rehearse/peek.h"
#include "ctl/rehearse/saw.h"
#include "session/session_parts.h"

#define LISTS_MS    2000
#define LINE_LENGTH 65536 /* of a configuration */

struct explain {
	struct ctl *ctl;
	const struct ctl_args *args;
	struct shared *shared;
	struct session *session;
	int64_t now; /* by the clock of the store, or as --at says */
	/* what the last judgement came to */
	struct outcome outcome;
	const char *stage;
	bool is_told; /* a verdict was emitted that is for all of the message */
};

/* ---- Rules */

static const char *const answers[] = {[ANSWER_YES] = "yes",
    [ANSWER_ASK] = "unasked",
    [ANSWER_LATER] = "later",
    [ANSWER_UNKNOWN] = "unknown",
    [ANSWER_NO] = "no"};

static void
add_text(json_t *object, const char *key, const char *text)
{
	(void)json_object_set_new(object, key, json_text(text));
}

static void
add_why(json_t *object, const struct message *message, const struct rule *rule,
    const struct recipient *recipient, const struct trace_step *step)
{
	struct saw saw;

	saw_rule(message, rule, recipient, step, &saw);
	if (saw.condition[0] != '\0')
		add_text(object, "condition", saw.condition);
	if (saw.fact[0] != '\0')
		add_text(object, "saw", saw.fact);
	add_text(object, "why", saw.why);
}

static void
emit_rules(struct explain *explain, const struct message *message,
    const struct recipient *recipient, enum stage stage)
{
	struct trace trace;

	(void)decide(
	    message->policy, &message->facts, recipient, stage, &trace);
	for (size_t i = 0; i < trace.step_count; i++) {
		const struct rule *rule = &message->policy->rules[i];
		const struct trace_step *step = &trace.steps[i];
		json_t *object = json_pack("{s:s, s:i, s:s, s:s, s:b, s:s}",
		    "kind", "rule", "number", (int)i + 1, "rule", rule->name,
		    "answer", answers[step->answer], "observe", rule->observe,
		    "stage", stage_names[stage]);

		if (recipient != NULL)
			add_text(object, "recipient", recipient->address);
		add_why(object, message, rule, recipient, step);
		(void)ctl_emit(explain->ctl, object);
	}
}

static void
emit_client(struct explain *explain, const struct message *message)
{
	const struct facts *facts = &message->facts;
	bool is_known = facts->record_certainty == FACT_KNOWN;
	json_t *object = json_pack("{s:s, s:s, s:s, s:i}", "kind", "client",
	    "address", message->address, "network", message->network, "host",
	    (int)message->host);

	if (facts->name[0] != '\0')
		add_text(object, "name", facts->name);
	if (message->pool[0] != '\0')
		add_text(object, "pool", message->pool);
	(void)json_object_set_new(object, "asked", json_boolean(is_known));
	if (is_known) {
		(void)json_object_set_new(
		    object, "known", json_boolean(facts->known));
		(void)json_object_set_new(
		    object, "score", json_real(facts->score));
	}
	(void)json_object_set_new(object, "load", json_real(facts->load));
	(void)json_object_set_new(object, "at", json_integer(facts->now));
	(void)ctl_emit(explain->ctl, object);
}

/* What settles something: told with all rules that were tried. */
static void
see_judgement(void *arg, const struct session *session, size_t recipient,
    enum stage stage, const struct outcome *outcome)
{
	struct explain *explain = arg;
	const struct message *message = &session->message;
	size_t count = message->facts.recipient_count;
	bool is_whole = recipient == MESSAGE_WHOLE;

	explain->outcome = *outcome;
	explain->stage = stage_names[stage];
	if (outcome->verdict != VERDICT_DEFER &&
	    (!is_whole ||
		(outcome->verdict == VERDICT_WAIT && stage != STAGE_EOM) ||
		(outcome->trial_waits && stage == STAGE_MAIL)))
		return;
	emit_client(explain, message);
	if (count == 0)
		emit_rules(explain, message, NULL, stage);
	for (size_t i = 0; i < count; i++)
		if (is_whole || i == recipient)
			emit_rules(
			    explain, message, &message->recipients[i], stage);
}

/* ---- The verdict */

static void
add_reply(json_t *object, const struct reply *reply)
{
	char text[REPLY_LINES_MAX * (REPLY_TEXT_MAX + 24)];

	reply_say(reply, text, sizeof text);
	add_text(object, "reply", text);
}

static void
emit_verdict(struct explain *explain, bool defers, const char *recipient,
    const struct reply *reply)
{
	const struct outcome *outcome = &explain->outcome;
	const struct rule *rule = outcome->rule;
	json_t *object = json_pack("{s:s, s:s, s:s, s:s}", "kind", "verdict",
	    "verdict", defers ? "defer" : "accept", "rule",
	    rule == NULL ? "" : rule->name, "stage", explain->stage);

	if (recipient != NULL)
		add_text(object, "recipient", recipient);
	if (!defers &&
	    (outcome->triplet_passed[CLOCK_REAL] ||
		outcome->client_passed[CLOCK_REAL]))
		(void)json_object_set_new(object, "waited", json_true());
	if (outcome->capped)
		(void)json_object_set_new(object, "capped", json_true());
	if (outcome->observed != NULL)
		add_text(object, "observed", outcome->observed->name);
	if (defers) {
		(void)json_object_set_new(
		    object, "wait", json_integer(outcome->wait));
		if (outcome->wait > 0)
			(void)json_object_set_new(object, "until",
			    json_integer(explain->now + outcome->wait));
		add_reply(object, reply);
	}
	(void)ctl_emit(explain->ctl, object);
	explain->is_told |= recipient == NULL;
}

/* ---- The dialogue */

static bool
take_step(
    struct explain *explain, enum action action, const struct reply *reply)
{
	if (action == ACTION_CONTINUE)
		return true;
	emit_verdict(explain, action == ACTION_DEFER, NULL, reply);
	return false;
}

/* What DNS is asked takes a while; here somebody waits for it. */
static void
await_evidence(struct explain *explain)
{
	struct evidence *evidence = &explain->session->message.evidence;
	int64_t ms = explain->session->message.policy->settings.dns.timeout_ms;
	int64_t due_us = clock_steady_us() + ms * 1000;

	evidence_take(evidence, STAGE_DATA);
	while (evidence_await(evidence, due_us))
		evidence_take(evidence, STAGE_DATA);
}

static void
say_headers(struct explain *explain)
{
	const char *header;

	for (size_t i = 0;
	     (header = ctl_value_at(explain->args, "header", i)) != NULL; i++) {
		const char *colon = strchr(header, ':');
		char name[128];

		if (colon == NULL || (size_t)(colon - header) >= sizeof name)
			continue;
		memcpy(name, header, (size_t)(colon - header));
		name[colon - header] = '\0';
		session_header(explain->session, name, colon + 1);
	}
}

/* Those who are put off one by one; how many are left. */
static size_t
say_recipients(struct explain *explain)
{
	struct reply reply;
	const char *to;
	size_t left = 0;

	for (size_t i = 0; (to = ctl_value_at(explain->args, "to", i)) != NULL;
	     i++) {
		if (session_rcpt(explain->session, to, explain->now, &reply) ==
		    ACTION_DEFER)
			emit_verdict(explain, true, to, &reply);
		else
			left++;
	}
	return left;
}

static void
lead(struct explain *explain, int64_t size)
{
	const char *user = ctl_value(explain->args, "auth");
	const struct session_envelope envelope = {
	    .sender = ctl_value(explain->args, "from"),
	    .auth_type = user == NULL ? NULL : "PLAIN",
	    .auth_user = user,
	    .tls_version =
		ctl_value(explain->args, "tls") == NULL ? NULL : "TLSv1.3"};
	struct session *session = explain->session;
	struct reply reply;

	if (!take_step(explain,
		session_mail(session, &envelope, explain->now, &reply),
		&reply) ||
	    say_recipients(explain) == 0)
		return;
	await_evidence(explain);
	if (!take_step(
		explain, session_data(session, explain->now, &reply), &reply))
		return;
	say_headers(explain);
	session_body(session, (size_t)size);
	if (take_step(
		explain, session_eom(session, explain->now, &reply), &reply))
		emit_verdict(explain, false, NULL, NULL);
}

static void
connect_session(struct explain *explain, const struct netaddr *client)
{
	const char *name = ctl_value(explain->args, "name");
	const char *helo = ctl_value(explain->args, "helo");
	struct sockaddr_storage address;
	struct session_origin origin = {.hostname = name,
	    .address = (const struct sockaddr *)&address,
	    .resolve = ctl_value(explain->args, "name-unknown") != NULL ? "TEMP"
		: name == NULL						? "FAIL"
									: "OK",
	    .daemon_port = ctl_value(explain->args, "port")};
	char host[256] = "";

	(void)netaddr_to_sockaddr(client, &address);
	(void)gethostname(host, sizeof host - 1);
	origin.server = host;
	session_connect(explain->session, &origin, explain->now);
	if (helo != NULL)
		session_helo(explain->session, helo);
}

/* ---- The world around it */

/* The load as it is for real mail: the daemon's own where we are that, else what
 * the farm says, or as the command line does. */
static bool
suppose_load(struct explain *explain, struct load_watch *own)
{
	struct shared *shared = explain->shared;
	const struct shared *running = explain->ctl->shared;
	const char *text = ctl_value(explain->args, "load");
	double load;

	if (text == NULL && running != NULL) {
		shared->load_watch = running->load_watch;
		return true;
	}
	if (text == NULL) {
		load_watch_step(
		    own, shared->policy, shared->store, 0, explain->now);
		return true;
	}
	if (!conf_value_real(text, &load) || load < 0 || load > LOAD_MAX) {
		(void)ctl_fail(explain->ctl,
		    "--load %s: a load is needed, such as 0.85", text);
		return false;
	}
	load_watch_suppose(own, load);
	return true;
}

static void
forget_nothing(void *arg, const char *what)
{
	(void)arg;
	(void)what;
}

/* What is set by hand holds for real mail, hence here. */
static void
pull_levers(struct explain *explain, struct load_watch *own)
{
	struct levers levers = {.observes = false};

	if (!levers_read(explain->ctl->store, (int64_t)time(NULL), &levers,
		forget_nothing, NULL))
		return;
	atomic_store(&explain->shared->observes, levers.observes);
	if (levers.has_load)
		load_watch_force(own, levers.load);
}

static enum ctl_status
explain_with(struct explain *explain, const struct netaddr *client)
{
	struct load_watch *own = explain->shared->load_watch;
	int64_t size = 1000, connected = 0;
	enum ctl_status status = CTL_FAILED;

	lists_refresh(explain->shared->lists, explain->shared->policy,
	    explain->shared->store, LISTS_MS);
	dns_tick(explain->shared->dns, explain->shared->policy);
	pull_levers(explain, own);
	if (ctl_number(explain->ctl, explain->args, "size", &size) &&
	    ctl_duration(
		explain->ctl, explain->args, "connected", &connected) &&
	    suppose_load(explain, own)) {
		explain->session =
		    session_open(explain->shared, explain->now - connected);
		if (explain->session != NULL) {
			connect_session(explain, client);
			lead(explain, size);
			session_close(&explain->session, explain->now);
			status = CTL_DONE;
		}
	}
	explain->shared->load_watch = own;
	return status;
}

/* ---- Another configuration */

/* Messages name the file that was meant. */
static void
say_finding(void *arg, bool error, const char *text)
{
	struct explain *explain = arg;
	const char *rest = strchr(text, ':');

	if (error)
		(void)ctl_fail(explain->ctl, "%s%s",
		    ctl_value(explain->args, "config"),
		    rest == NULL ? "" : rest);
}

/* Its text comes from whoever asks, with the rights of whoever asks; the parser
 * wants a file. */
static struct policy *
read_policy(struct explain *explain)
{
	char *line = malloc(LINE_LENGTH);
	FILE *copy = tmpfile();
	struct policy *policy = NULL;
	char path[64];

	while (line != NULL && copy != NULL &&
	    ctl_line(explain->ctl, line, LINE_LENGTH))
		(void)fprintf(copy, "%s\n", line);
	if (line != NULL && copy != NULL && ftell(copy) > 0 &&
	    fflush(copy) == 0) {
		(void)snprintf(path, sizeof path, "/dev/fd/%d", fileno(copy));
		policy = conf_load(path, say_finding, explain);
	} else {
		(void)ctl_fail(
		    explain->ctl, "--config: there is nothing in it");
	}
	if (copy != NULL)
		(void)fclose(copy);
	free(line);
	return policy;
}

static bool
feed(const struct ctl_args *args, FILE *out)
{
	const char *path = ctl_value(args, "config");
	char part[4096];
	size_t length;
	FILE *in;

	if (path == NULL)
		return true;
	in = fopen(path, "r");
	if (in == NULL) {
		perror(path);
		return false;
	}
	while ((length = fread(part, 1, sizeof part, in)) > 0)
		(void)fwrite(part, 1, length, out);
	(void)fclose(in);
	return true;
}

/* ---- The moment */

/* In local time; without a day it is today. */
static bool
read_date(const char *text, int64_t now, int64_t *at_r)
{
	static const char *const formats[] = {"%Y-%m-%d %H:%M:%S",
	    "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%H:%M:%S",
	    "%H:%M"};
	time_t base = (time_t)now;
	const char *end = NULL;
	struct tm when;

	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
		if (localtime_r(&base, &when) == NULL)
			return false;
		when.tm_sec = 0;
		end = strptime(text, formats[i], &when);
		if (end != NULL && *end == '\0')
			break;
		end = NULL;
	}
	when.tm_isdst = -1;
	*at_r = (int64_t)mktime(&when);
	return end != NULL && *at_r != -1;
}

/* A moment as people write it: 2026-11-28 15:00, 2026-11-28T15:00:30, 15:00 (of
 * today), +2h, -1d or @1795488284.  `*at_r` is now before, Unix seconds.  False:
 * it is none, and that was told. */
static bool
read_moment(struct ctl *ctl, const char *text, int64_t *at_r)
{
	int64_t now = *at_r, number;

	if (text[0] == '@' && conf_value_number(text + 1, at_r))
		return true;
	if ((text[0] == '+' || text[0] == '-') &&
	    conf_value_duration(text + 1, &number)) {
		*at_r = now + (text[0] == '+' ? number : -number);
		return true;
	}
	if (read_date(text, now, at_r))
		return true;
	(void)ctl_fail(ctl,
	    "%s: a time is needed, such as \"2026-11-28 15:00\", 15:00 or +2h",
	    text);
	return false;
}

/* ---- The command */

/* False: an option makes no sense, and that was told. */
static bool
check_options(struct ctl *ctl, const struct ctl_args *args)
{
	const char *header;
	int64_t port = 1;

	if (!ctl_number(ctl, args, "port", &port))
		return false;
	if (port < 1 || port > 65535) {
		(void)ctl_fail(ctl, "--port: from 1 to 65535");
		return false;
	}
	for (size_t i = 0; (header = ctl_value_at(args, "header", i)) != NULL;
	     i++)
		if (strchr(header, ':') == NULL || header[0] == ':') {
			(void)ctl_fail(ctl,
			    "--header %s: a name, a colon and a value are "
			    "needed",
			    header);
			return false;
		}
	return true;
}

static enum ctl_status
run_explain(struct ctl *ctl, const struct ctl_args *args)
{
	struct explain explain = {.ctl = ctl, .args = args, .stage = ""};
	struct peek peek = {.store = {&peek_ops}, .inner = ctl->store};
	const char *client = ctl_value(args, "client");
	const char *at = ctl_value(args, "at");
	struct policy *policy;
	struct netaddr address;
	enum ctl_status status;

	if (client == NULL || ctl_value(args, "from") == NULL ||
	    ctl_value(args, "to") == NULL)
		return ctl_fail(ctl, "--client, --from and --to are needed");
	if (!netaddr_parse(client, &address))
		return ctl_fail(
		    ctl, "--client %s: an IP address is needed", client);
	if (!check_options(ctl, args))
		return CTL_FAILED;
	/* It may include files that only the daemon may read, and what is wrong
	 * with them is told. */
	if (ctl_value(args, "config") != NULL && !ctl->may_change)
		return ctl_fail(ctl,
		    "only root and the daemon's own user may have it read "
		    "another configuration");
	explain.now = store_now(ctl->store, (int64_t)time(NULL));
	if (at != NULL && !read_moment(ctl, at, &explain.now))
		return CTL_FAILED;
	policy = ctl_value(args, "config") == NULL ? policy_hold(ctl->policy)
						   : read_policy(&explain);
	if (policy == NULL)
		return CTL_FAILED;
	explain.shared = shared_open(policy, &peek.store);
	if (explain.shared == NULL)
		return ctl_fail(ctl, "out of memory");
	explain.shared->rehearse = see_judgement;
	explain.shared->rehearse_arg = &explain;
	status = explain_with(&explain, &address);
	shared_close(&explain.shared);
	return status;
}

static const struct ctl_option options[] = {
    {"client", "ADDRESS", "the client's IP address", false},
    {"name", "NAME", "its verified host name; else it has none", false},
    {"name-unknown", NULL, "its name could not be looked up", false},
    {"helo", "NAME", "what it says at HELO", false},
    {"from", "SENDER", "the envelope sender; <> for none", false},
    {"to", "RECIPIENT", "an envelope recipient", true},
    {"auth", "USER", "it has logged in as this user", false},
    {"tls", NULL, "it uses TLS", false},
    {"port", "NUMBER", "the port at which the mail server was met", false},
    {"header", "NAME: VALUE", "a header of the message", true},
    {"size", "OCTETS", "the size of the message; else 1000", false},
    {"connected", "DURATION", "how long it has been connected", false},
    {"at", "TIME", "not now: 2026-11-28 15:00, 15:00 or +2h", false},
    {"load", "LOAD", "as if the load were this", false},
    {"config", "FILE", "by this configuration, not that in force", false},
    {NULL}};

static const struct ctl_layout layouts[] = {
    {"client", false,
	{{"address", "client", CTL_TEXT}, {"name", "name", CTL_TEXT},
	    {"network", "network", CTL_TEXT}, {"pool", "pool", CTL_TEXT},
	    {"known", "known", CTL_MARK}, {"score", "score", CTL_TEXT},
	    {"load", "load", CTL_TEXT}, {"at", "time", CTL_TIME}, {NULL}}},
    {"rule", true,
	{{"number", "", CTL_NUMBER}, {"rule", "RULE", CTL_TEXT},
	    {"answer", "HOLDS", CTL_TEXT}, {"why", "WHY", CTL_TEXT}, {NULL}}},
    {"verdict", false,
	{{"verdict", "verdict", CTL_MARK}, {"recipient", "recipient", CTL_TEXT},
	    {"rule", "rule", CTL_TEXT}, {"stage", "stage", CTL_TEXT},
	    {"wait", "wait", CTL_SPAN}, {"waited", "has waited", CTL_TEXT},
	    {"capped", "put off long enough", CTL_TEXT},
	    {"observed", "on trial", CTL_TEXT}, {"reply", "reply", CTL_TEXT},
	    {NULL}}},
    {NULL}};

const struct ctl_command ctl_explain = {.name = "explain",
    .arguments = "--client ADDRESS --from SENDER --to RECIPIENT ...",
    .help = "tell what a message would get now, rule by rule, and why",
    .flags = CTL_STORE,
    .options = options,
    .layouts = layouts,
    .run = run_explain,
    .feed = feed};
