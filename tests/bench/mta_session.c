#include "mta_session.h"

#include <errno.h>
#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CLIENT_PORT  4711
#define NO_STAGE     (-1)
#define NUMBERS_SIZE 12 /* version, actions, protocol */
#define FLUSH_ABOVE  (PACKET_MAX / 2)
#define NS_PER_S     INT64_C(1000000000)

static const char *const headers[][2] = {
    {"Received", "from client.example by mx.local.test"},
    {"From", "A Sender <sender@example.org>"},
    {"To", "A Recipient <recipient@local.test>"},
    {"Subject", "What the milter should make of this"},
    {"Date", "Tue, 24 Nov 2026 12:00:00 +0000"},
    {"Message-ID", "<20261124120000.4711@example.org>"},
};
#define HEADERS (sizeof headers / sizeof *headers)

static const char body_line[] =
    "The quick brown fox jumps over the lazy dog, again and again.\r\n";
#define BODY_LINES 16

static void
fill_connect(struct mta_session *session)
{
	packet_string(&session->out, session->mail.name);
	packet_bytes(&session->out, "4", 1);
	packet_u16(&session->out, CLIENT_PORT);
	packet_string(&session->out, session->mail.address);
}

static void
fill_helo(struct mta_session *session)
{
	bool verified = session->mail.name[0] != '[';

	packet_string(
	    &session->out, verified ? session->mail.name : "client.example");
}

static void
fill_mail(struct mta_session *session)
{
	packet_string(&session->out, session->sender);
}

static void
fill_rcpt(struct mta_session *session)
{
	packet_string(&session->out, session->recipient);
}

static void
fill_header(struct mta_session *session)
{
	packet_string(&session->out, headers[session->repeat][0]);
	packet_string(&session->out, headers[session->repeat][1]);
}

static void
fill_body(struct mta_session *session)
{
	int i;

	for (i = 0; i < BODY_LINES; i++)
		packet_bytes(&session->out, body_line, sizeof body_line - 1);
}

static void
fill_nothing(struct mta_session *session)
{
	(void)session;
}

/* How each step looks, and by which flags a milter does without it (`skip`) or
 * without answering it (`quiet`).  Postfix tells the macros of headers and body
 * as those of the end of headers. */
static const struct step {
	const char *name; /* where a run may end */
	char command;
	int stage;
	uint32_t skip;
	uint32_t quiet;
	void (*fill)(struct mta_session *session);
} steps[MTA_STEP_COUNT] = {
    [MTA_NEGOTIATE] = {NULL, SMFIC_OPTNEG, NO_STAGE, 0, 0, fill_nothing},
    [MTA_CONNECT] = {NULL, SMFIC_CONNECT, SMFIM_CONNECT, SMFIP_NOCONNECT,
	SMFIP_NR_CONN, fill_connect},
    [MTA_HELO] = {NULL, SMFIC_HELO, SMFIM_HELO, SMFIP_NOHELO, SMFIP_NR_HELO,
	fill_helo},
    [MTA_MAIL] = {"mail", SMFIC_MAIL, SMFIM_ENVFROM, SMFIP_NOMAIL,
	SMFIP_NR_MAIL, fill_mail},
    [MTA_RCPT] = {"rcpt", SMFIC_RCPT, SMFIM_ENVRCPT, SMFIP_NORCPT,
	SMFIP_NR_RCPT, fill_rcpt},
    [MTA_DATA] = {"data", SMFIC_DATA, SMFIM_DATA, SMFIP_NODATA, SMFIP_NR_DATA,
	fill_nothing},
    [MTA_HEADER] = {NULL, SMFIC_HEADER, SMFIM_EOH, SMFIP_NOHDRS, SMFIP_NR_HDR,
	fill_header},
    [MTA_EOH] = {NULL, SMFIC_EOH, SMFIM_EOH, SMFIP_NOEOH, SMFIP_NR_EOH,
	fill_nothing},
    [MTA_BODY] = {NULL, SMFIC_BODY, SMFIM_EOH, SMFIP_NOBODY, SMFIP_NR_BODY,
	fill_body},
    [MTA_EOM] = {"eom", SMFIC_BODYEOB, SMFIM_EOM, 0, 0, fill_nothing},
};

bool
mta_step_by_name(const char *name, enum mta_step *step_r)
{
	size_t i;

	for (i = 0; i < MTA_STEP_COUNT; i++) {
		if (steps[i].name != NULL && strcmp(name, steps[i].name) == 0) {
			*step_r = (enum mta_step)i;
			return true;
		}
	}
	return false;
}

static int64_t
monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static enum mta_state
end(struct mta_session *session, enum mta_outcome outcome, int64_t took_ns)
{
	session->outcome = outcome;
	session->decision_ns = took_ns;
	return MTA_ENDED;
}

static bool
flush(struct mta_session *session)
{
	struct packet *out = &session->out;
	size_t length = out->length;
	bool complete = !out->overflow;

	packet_clear(out);
	return complete &&
	    send(session->fd, out->data, length, MSG_NOSIGNAL) ==
	    (ssize_t)length;
}

static unsigned
repeats(const struct mta_session *session)
{
	switch (session->step) {
	case MTA_RCPT:
		return session->plan->recipients;
	case MTA_HEADER:
		return HEADERS;
	default:
		return 1;
	}
}

/* Put the present step into the packet.  Macros are told even of a step that
 * the milter does without. */
static void
compose(struct mta_session *session)
{
	const struct step *step = &steps[session->step];
	const struct macro_source source = {
	    .mail = &session->mail,
	    .sender = session->step >= MTA_MAIL ? session->sender : "",
	    .recipient = session->step == MTA_RCPT ? session->recipient : "",
	    .queued =
		session->step > MTA_RCPT || session->repeat > session->refused,
	};

	if (session->step == MTA_RCPT)
		snprintf(session->recipient, sizeof session->recipient,
		    "<user%u.%llu@local.test>", session->repeat,
		    (unsigned long long)session->mail.serial % 100000);
	if (step->stage != NO_STAGE)
		macro_write(&session->out, &session->macros, step->stage,
		    step->command, &source);
	if (session->protocol & step->skip)
		return;
	packet_begin(&session->out, step->command);
	step->fill(session);
	packet_end(&session->out);
}

/* Move on to the next step; false after the last one. */
static bool
move_on(struct mta_session *session)
{
	if (++session->repeat < repeats(session))
		return true;
	session->repeat = 0;
	return session->step++ < session->plan->until;
}

/* Tell all steps after the present one, up to one that must be answered.  The
 * answer that came last took `took_ns`: if there are no more steps, it was the
 * one that decided. */
static enum mta_state
advance(struct mta_session *session, int64_t took_ns)
{
	const struct packet *out = &session->out;

	while (move_on(session)) {
		const struct step *step = &steps[session->step];
		bool waits =
		    (session->protocol & (step->skip | step->quiet)) == 0;

		compose(session);
		if (waits)
			session->asked_ns = monotonic_ns();
		if (waits || out->overflow || out->length > FLUSH_ABOVE ||
		    (session->plan->eager && out->length > 0)) {
			if (!flush(session))
				return end(session, MTA_BROKEN, -1);
		}
		if (waits)
			return MTA_WAITING;
	}
	return end(session, MTA_CONTINUED, took_ns);
}

enum mta_state
mta_session_open(struct mta_session *session, const struct mta_plan *plan,
    const struct mail *mail)
{
	session->plan = plan;
	session->mail = *mail;
	session->protocol = 0;
	session->step = MTA_NEGOTIATE;
	session->repeat = 0;
	session->refused = 0;
	session->in.length = 0;
	snprintf(session->sender, sizeof session->sender,
	    "<sender%llu@example%llu.org>", (unsigned long long)mail->serial,
	    (unsigned long long)mail->serial % 1000);

	session->fd = socket(plan->address.ss_family, SOCK_STREAM, 0);
	if (session->fd == -1 ||
	    connect(session->fd, (const struct sockaddr *)&plan->address,
		plan->address_size) == -1)
		return end(session, MTA_BROKEN, -1);
	packet_clear(&session->out);
	packet_begin(&session->out, SMFIC_OPTNEG);
	packet_u32(&session->out, SMFI_PROT_VERSION);
	packet_u32(&session->out, SMFI_CURR_ACTS);
	packet_u32(&session->out, SMFI_CURR_PROT);
	packet_end(&session->out);
	session->asked_ns = monotonic_ns();
	return flush(session) ? MTA_WAITING : end(session, MTA_BROKEN, -1);
}

static enum mta_state
take_negotiation(struct mta_session *session, const struct frame *frame)
{
	if (frame->command != SMFIC_OPTNEG || frame->size < NUMBERS_SIZE ||
	    !macro_lists_init(&session->macros, frame->data + NUMBERS_SIZE,
		frame->size - NUMBERS_SIZE))
		return end(session, MTA_BROKEN, -1);
	session->protocol = packet_read_u32(frame->data + 8);
	return advance(session, -1);
}

/* A refused recipient leaves the others; anything else settles the message. */
static enum mta_state
take_refusal(
    struct mta_session *session, enum mta_outcome outcome, int64_t took_ns)
{
	if (session->step == MTA_RCPT &&
	    ++session->refused < session->plan->recipients)
		return advance(session, took_ns);
	return end(session, outcome, took_ns);
}

static enum mta_state
take_answer(
    struct mta_session *session, const struct frame *frame, int64_t now_ns)
{
	int64_t took_ns = now_ns - session->asked_ns;

	switch (frame->command) {
	case SMFIR_CONTINUE:
	case SMFIR_SKIP:
		return advance(session, took_ns);
	case SMFIR_ACCEPT:
		return end(session, MTA_ACCEPTED, took_ns);
	case SMFIR_TEMPFAIL:
		return take_refusal(session, MTA_DEFERRED, took_ns);
	case SMFIR_REPLYCODE:
		return take_refusal(session,
		    frame->size > 0 && frame->data[0] == '4' ? MTA_DEFERRED
							     : MTA_REFUSED,
		    took_ns);
	case SMFIR_REJECT:
		return take_refusal(session, MTA_REFUSED, took_ns);
	case SMFIR_DISCARD:
		return end(session, MTA_REFUSED, took_ns);
	case SMFIR_PROGRESS:
		return MTA_WAITING;
	default: /* at the end of a message: what to change in it */
		return session->step == MTA_EOM ? MTA_WAITING
						: end(session, MTA_BROKEN, -1);
	}
}

static enum mta_state
take_frames(struct mta_session *session, int64_t now_ns)
{
	for (;;) {
		enum mta_state state;
		struct frame frame;

		switch (inbox_peek(&session->in, &frame)) {
		case FRAME_PARTIAL:
			return MTA_WAITING;
		case FRAME_BROKEN:
			return end(session, MTA_BROKEN, -1);
		case FRAME_WHOLE:
			break;
		}
		state = session->step == MTA_NEGOTIATE
		    ? take_negotiation(session, &frame)
		    : take_answer(session, &frame, now_ns);
		inbox_drop(&session->in, &frame);
		if (state == MTA_ENDED)
			return state;
	}
}

enum mta_state
mta_session_read(struct mta_session *session, int64_t now_ns)
{
	struct inbox *in = &session->in;
	ssize_t got = recv(session->fd, in->data + in->length,
	    sizeof in->data - in->length, MSG_DONTWAIT);

	if (got == -1 && (errno == EAGAIN || errno == EINTR))
		return MTA_WAITING;
	if (got <= 0)
		return end(session, MTA_BROKEN, -1);
	in->length += (size_t)got;
	return take_frames(session, now_ns);
}

void
mta_session_close(struct mta_session *session)
{
	if (session->fd == -1)
		return;
	if (session->outcome != MTA_BROKEN) {
		packet_begin(&session->out, SMFIC_QUIT);
		packet_end(&session->out);
		flush(session);
	}
	close(session->fd);
	session->fd = -1;
}
