#include "daemon/filter.h"

#include <libmilter/mfapi.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"
#include "mail/response.h"
#include "session/session.h"
#include "session/shared.h"

#define DRAIN_STEP_MS 5

/* libmilter hands its callbacks no argument of ours, so this is global.  What is
 * not atomic is set before the first callback. */
static struct {
	struct shared *shared;
	void (*ended)(void);
	atomic_int running; /* callbacks that may use it */
	atomic_bool closed;
} filter;

/* The private data of a libmilter session. */
struct link {
	struct session *session;
	unsigned long steps; /* SMFIP_*, as negotiated */
	struct reply reply;  /* to the step in hand: too large for a stack */
};

static int64_t
seconds_now(void)
{
	return (int64_t)time(NULL);
}

/* Every callback stands between these two.  NULL: this session has nobody to
 * tell; memory ran out, or the mail server began it without negotiation. */
static struct link *
enter(SMFICTX *ctx)
{
	atomic_fetch_add(&filter.running, 1);
	if (atomic_load(&filter.closed)) {
		atomic_fetch_sub(&filter.running, 1);
		for (;;)
			(void)pause();
	}
	return smfi_getpriv(ctx);
}

static sfsistat
leave(sfsistat status)
{
	atomic_fetch_sub(&filter.running, 1);
	return status;
}

/* Leave a step at which we may have promised to say nothing. */
static sfsistat
leave_step(const struct link *link, unsigned long silent, sfsistat status)
{
	bool promised = link != NULL && (link->steps & silent) != 0;

	return leave(promised ? SMFIS_NOREPLY : status);
}

static struct link *
link_open(SMFICTX *ctx)
{
	struct link *link = malloc(sizeof *link);

	if (link == NULL)
		return NULL;
	link->steps = 0;
	link->session = session_open(filter.shared, seconds_now());
	if (link->session == NULL || smfi_setpriv(ctx, link) != MI_SUCCESS) {
		session_close(&link->session, seconds_now());
		free(link);
		return NULL;
	}
	return link;
}

static void
link_close(SMFICTX *ctx, struct link *link)
{
	if (link == NULL)
		return;
	(void)smfi_setpriv(ctx, NULL);
	session_close(&link->session, seconds_now());
	free(link);
}

/* ---- Negotiation: which steps the mail server shows, at which it waits for us,
 * and with which macros */

/* Nothing but the end of a message, which cannot be declined. */
#define NO_STEPS                                                               \
	(SMFIP_NOCONNECT | SMFIP_NOHELO | SMFIP_NOMAIL | SMFIP_NORCPT |        \
	    SMFIP_NODATA | SMFIP_NOHDRS | SMFIP_NOEOH | SMFIP_NOBODY |         \
	    SMFIP_NOUNKNOWN)

static bool
answers_at(const struct policy *policy, enum stage stage)
{
	return (policy->stage_mask & (1U << stage)) != 0;
}

/* The end of the headers is of no use to us, but who sees headers has to see it:
 * libmilter loses the end of a message that has none of both.  It also loses it
 * if a body chunk that comes with it is met with silence, so chunks are answered
 * although there is never anything to say. */
static unsigned long
steps_for(const struct policy *policy)
{
	unsigned long steps = SMFIP_NR_CONN | SMFIP_NR_HELO | SMFIP_NR_HDR |
	    SMFIP_NR_EOH | SMFIP_NR_UNKN;

	if (!policy->wants_rcpt)
		steps |= SMFIP_NORCPT;
	if (!policy->wants_headers)
		steps |= SMFIP_NOHDRS | SMFIP_NOEOH;
	if (!policy->wants_body)
		steps |= SMFIP_NOBODY;
	if (!policy->wants_unknown)
		steps |= SMFIP_NOUNKNOWN;
	if (policy->wants_refused)
		steps |= SMFIP_RCPT_REJ;
	if (!answers_at(policy, STAGE_MAIL))
		steps |= SMFIP_NR_MAIL;
	if (!answers_at(policy, STAGE_RCPT))
		steps |= SMFIP_NR_RCPT;
	if (!answers_at(policy, STAGE_DATA))
		steps |= SMFIP_NR_DATA;
	return steps;
}

/* So that no mail server has to be configured for them. */
static void
ask_for_macros(SMFICTX *ctx)
{
	static const struct {
		int stage;
		const char *macros;
	} wanted[] = {
	    {SMFIM_CONNECT,
		"j {client_resolve} {daemon_name} {daemon_port}"
		" {daemon_addr} {if_addr}"},
	    {SMFIM_ENVFROM, "i {auth_type} {auth_authen} {tls_version}"},
	    {SMFIM_ENVRCPT, "i {rcpt_mailer} {rcpt_host} {rcpt_addr}"},
	    {SMFIM_DATA, "i"},
	    {SMFIM_EOM, "i"},
	};

	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
		if (smfi_setsymlist(ctx, wanted[i].stage,
			(char *)wanted[i].macros) != MI_SUCCESS)
			log_error("libmilter takes no list of macros");
	}
}

static bool
names_header(const struct link *link)
{
	return session_policy(link->session)->settings.passed_header[0] != '\0';
}

/* `actions` and `offered` are what the mail server can do; the two numbers that
 * follow them are not used yet by the protocol. */
static sfsistat /* NOLINTNEXTLINE(readability-function-size) */
on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long offered,
    unsigned long unused2, unsigned long unused3, unsigned long *actions_r,
    unsigned long *steps_r, unsigned long *unused2_r, unsigned long *unused3_r)
{
	struct link *link = enter(ctx);

	(void)unused2;
	(void)unused3;
	link_close(ctx, link);
	link = link_open(ctx);
	*unused2_r = 0;
	*unused3_r = 0;
	*actions_r = actions & SMFIF_SETSYMLIST;
	if (link == NULL) {
		log_error("out of memory: a session goes unfiltered");
		*steps_r = offered & NO_STEPS;
		return leave(SMFIS_CONTINUE);
	}
	if (names_header(link))
		*actions_r |= actions & SMFIF_ADDHDRS;
	link->steps = offered & steps_for(session_policy(link->session));
	*steps_r = link->steps;
	if ((*actions_r & SMFIF_SETSYMLIST) != 0)
		ask_for_macros(ctx);
	return leave(SMFIS_CONTINUE);
}

/* ---- Answers */

static const char *
macro(SMFICTX *ctx, const char *name)
{
	return smfi_getsymval(ctx, (char *)name);
}

static int
set_reply(SMFICTX *ctx, struct reply_wire *wire)
{
	char *xcode = wire->xcode[0] != '\0' ? wire->xcode : NULL;
	char *line[REPLY_LINES_MAX] = {NULL};

	_Static_assert(REPLY_LINES_MAX == 8, "smfi_setmlreply is given 8");
	if (wire->line_count == 1)
		return smfi_setreply(ctx, wire->code, xcode, wire->lines[0]);
	for (size_t i = 0; i < wire->line_count; i++)
		line[i] = wire->lines[i];
	return smfi_setmlreply(ctx, wire->code, xcode, line[0], line[1],
	    line[2], line[3], line[4], line[5], line[6], line[7], NULL);
}

/* The only place that sets a reply, immediately before it is sent: libmilter
 * keeps one that was not used for a later failure of the session. */
static sfsistat
fail(SMFICTX *ctx, const struct reply *reply)
{
	struct reply_wire wire;

	reply_wire_make(reply, &wire);
	if (set_reply(ctx, &wire) != MI_SUCCESS) {
		log_error("libmilter refuses the reply %s %s \"%s\"",
		    reply->code, reply->xcode, reply->lines[0]);
		(void)smfi_setreply(ctx, "451", "4.3.0",
		    "Temporary local problem - please try later.");
	}
	return SMFIS_TEMPFAIL;
}

/* What the session decided, at a step with this SMFIP_NR_* bit. */
static sfsistat
leave_decided(SMFICTX *ctx, const struct link *link, unsigned long silent,
    enum action action)
{
	if ((link->steps & silent) != 0)
		return leave(SMFIS_NOREPLY);
	switch (action) {
	case ACTION_ACCEPT:
		return leave(SMFIS_ACCEPT);
	case ACTION_DEFER:
		return leave(fail(ctx, &link->reply));
	case ACTION_CONTINUE:
		break;
	}
	return leave(SMFIS_CONTINUE);
}

static void
tell_queue_id(SMFICTX *ctx, const struct link *link)
{
	const char *id = macro(ctx, "i");

	if (id != NULL && id[0] != '\0')
		session_queue_id(link->session, id);
}

/* ---- Steps of the session */

/* Our own address: Sendmail has it in {if_addr}, and the one that its config
 * names in {daemon_addr}, where Postfix has the true one. */
static const char *
server_address(SMFICTX *ctx)
{
	const char *address = macro(ctx, "{if_addr}");

	return address != NULL ? address : macro(ctx, "{daemon_addr}");
}

static sfsistat
on_connect(SMFICTX *ctx, char *hostname, struct sockaddr *address)
{
	struct link *link = enter(ctx);
	struct session_origin origin = {
	    .hostname = hostname,
	    .address = address,
	    .resolve = macro(ctx, "{client_resolve}"),
	    .daemon_name = macro(ctx, "{daemon_name}"),
	    .daemon_port = macro(ctx, "{daemon_port}"),
	    .server = macro(ctx, "j"),
	    .server_address = server_address(ctx),
	};

	/* After SMFIC_QUIT_NC comes a connection without negotiation. */
	if (link == NULL)
		link = link_open(ctx);
	if (link != NULL)
		session_connect(link->session, &origin, seconds_now());
	return leave_step(link, SMFIP_NR_CONN, SMFIS_CONTINUE);
}

static sfsistat
on_helo(SMFICTX *ctx, char *helo)
{
	struct link *link = enter(ctx);

	if (link != NULL)
		session_helo(link->session, helo);
	return leave_step(link, SMFIP_NR_HELO, SMFIS_CONTINUE);
}

static sfsistat
on_unknown(SMFICTX *ctx, const char *command)
{
	struct link *link = enter(ctx);

	(void)command;
	if (link != NULL)
		session_unknown_command(link->session);
	return leave_step(link, SMFIP_NR_UNKN, SMFIS_CONTINUE);
}

static sfsistat
on_close(SMFICTX *ctx)
{
	link_close(ctx, enter(ctx));
	return leave(SMFIS_CONTINUE);
}

/* ---- Steps of a message */

static sfsistat
on_mail(SMFICTX *ctx, char **arguments)
{
	struct link *link = enter(ctx);
	struct session_envelope envelope = {
	    .sender = arguments[0],
	    .arguments = (const char *const *)arguments + 1,
	    .auth_type = macro(ctx, "{auth_type}"),
	    .auth_user = macro(ctx, "{auth_authen}"),
	    .tls_version = macro(ctx, "{tls_version}"),
	    .queue_id = macro(ctx, "i"),
	};
	enum action action;

	if (link == NULL)
		return leave(SMFIS_CONTINUE);
	action =
	    session_mail(link->session, &envelope, seconds_now(), &link->reply);
	return leave_decided(ctx, link, SMFIP_NR_MAIL, action);
}

/* The mail server shows recipients that it refused itself, if asked to; what we
 * answer then is ignored. */
static bool
is_refused(SMFICTX *ctx)
{
	const char *mailer = macro(ctx, "{rcpt_mailer}");

	return mailer != NULL && strcmp(mailer, "error") == 0;
}

/* {rcpt_host} is then the enhanced code, {rcpt_addr} the text.  That the mail
 * server has a problem for now is no fault of the client; but an attempt to relay
 * is, which Postfix puts off by default (defer_unauth_destination). */
static bool
is_refused_for_good(SMFICTX *ctx)
{
	const char *code = macro(ctx, "{rcpt_host}");
	const char *text = macro(ctx, "{rcpt_addr}");

	return code == NULL || code[0] != '4' ||
	    (strcmp(code, "4.7.1") == 0 && text != NULL &&
		strstr(text, "Relay access denied") != NULL);
}

static sfsistat
on_rcpt(SMFICTX *ctx, char **arguments)
{
	struct link *link = enter(ctx);
	enum action action;

	if (link == NULL)
		return leave(SMFIS_CONTINUE);
	tell_queue_id(ctx, link);
	if (is_refused(ctx)) {
		if (is_refused_for_good(ctx))
			session_refused_recipient(link->session);
		return leave_step(link, SMFIP_NR_RCPT, SMFIS_CONTINUE);
	}
	action = session_rcpt(
	    link->session, arguments[0], seconds_now(), &link->reply);
	return leave_decided(ctx, link, SMFIP_NR_RCPT, action);
}

static sfsistat
on_data(SMFICTX *ctx)
{
	struct link *link = enter(ctx);
	enum action action;

	if (link == NULL)
		return leave(SMFIS_CONTINUE);
	tell_queue_id(ctx, link);
	action = session_data(link->session, seconds_now(), &link->reply);
	return leave_decided(ctx, link, SMFIP_NR_DATA, action);
}

static sfsistat
on_header(SMFICTX *ctx, char *name, char *value)
{
	struct link *link = enter(ctx);

	if (link != NULL)
		session_header(link->session, name, value);
	return leave_step(link, SMFIP_NR_HDR, SMFIS_CONTINUE);
}

static sfsistat
on_eoh(SMFICTX *ctx)
{
	return leave_step(enter(ctx), SMFIP_NR_EOH, SMFIS_CONTINUE);
}

static sfsistat
on_body(SMFICTX *ctx, unsigned char *chunk, size_t octets)
{
	struct link *link = enter(ctx);

	(void)chunk;
	if (link != NULL)
		session_body(link->session, octets);
	return leave(SMFIS_CONTINUE);
}

/* Without it the message is as good. */
static void
add_passed_header(SMFICTX *ctx, const struct session *session)
{
	const char *text = session_passed_header(session);

	if (text != NULL &&
	    smfi_addheader(ctx, session_policy(session)->settings.passed_header,
		(char *)text) != MI_SUCCESS)
		log_warning("the mail server takes no header of ours");
}

static sfsistat
on_eom(SMFICTX *ctx)
{
	struct link *link = enter(ctx);
	enum action action;

	if (link == NULL)
		return leave(SMFIS_CONTINUE);
	tell_queue_id(ctx, link);
	action = session_eom(link->session, seconds_now(), &link->reply);
	if (action == ACTION_CONTINUE)
		add_passed_header(ctx, link->session);
	return leave_decided(ctx, link, 0, action);
}

static sfsistat
on_abort(SMFICTX *ctx)
{
	struct link *link = enter(ctx);

	if (link != NULL)
		session_abort(link->session);
	return leave(SMFIS_CONTINUE);
}

/* ---- The life of the filter */

bool
filter_open(const char *socket)
{
	struct smfiDesc callbacks = {
	    .xxfi_name = "milter-defer",
	    .xxfi_version = SMFI_VERSION,
	    .xxfi_flags = SMFIF_SETSYMLIST | SMFIF_ADDHDRS,
	    .xxfi_connect = on_connect,
	    .xxfi_helo = on_helo,
	    .xxfi_envfrom = on_mail,
	    .xxfi_envrcpt = on_rcpt,
	    .xxfi_header = on_header,
	    .xxfi_eoh = on_eoh,
	    .xxfi_body = on_body,
	    .xxfi_eom = on_eom,
	    .xxfi_abort = on_abort,
	    .xxfi_close = on_close,
	    .xxfi_unknown = on_unknown,
	    .xxfi_data = on_data,
	    .xxfi_negotiate = on_negotiate,
	};

	return smfi_register(callbacks) == MI_SUCCESS &&
	    smfi_setconn((char *)socket) == MI_SUCCESS &&
	    smfi_opensocket(false) == MI_SUCCESS;
}

/* libmilter has a thread that waits for HUP, TERM and INT, and ends the process
 * at each of them.  Here they mean other things: so this stands in the place of
 * the C library's sigwait(), which nobody else in this process calls, and that
 * thread waits for ever.  Without it Linux would give a signal to libmilter
 * whenever the main thread has another one to take yet. */
int
sigwait(const sigset_t *restrict set, int *restrict number_r)
{
	(void)set;
	(void)number_r;
	for (;;)
		(void)pause();
}

static void *
serve(void *unused)
{
	(void)unused;
	(void)smfi_main();
	filter.ended();
	return NULL;
}

/* libmilter's threads inherit that signals are not theirs. */
bool
filter_start(struct shared *shared, void (*ended)(void))
{
	filter.shared = shared;
	filter.ended = ended;
	thread_limit_stacks();
	return thread_start(NULL, "libmilter", serve, NULL);
}

bool
filter_drain(int64_t within_ms)
{
	struct timespec step = {.tv_nsec = DRAIN_STEP_MS * 1000000L};

	atomic_store(&filter.closed, true);
	for (int64_t left = within_ms; left > 0; left -= DRAIN_STEP_MS) {
		if (atomic_load(&filter.running) == 0)
			return true;
		(void)nanosleep(&step, NULL);
	}
	return atomic_load(&filter.running) == 0;
}
