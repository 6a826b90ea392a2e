/* scenario_mail -- clients that connect and send mail, and the mail server
 * that tells the milter of it, as far as the policy asked to be told. */
#ifndef SCENARIO_MAIL_H
#define SCENARIO_MAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "scenario_world.h"
#include "session/session.h"

#define MAIL_RECIPIENTS_MAX 200
#define MAIL_HEADERS_MAX    8
#define MAIL_ANSWER_SIZE    1024

/* Who sends what.  All strings are borrowed. */
struct mail {
	const char *client; /* an address */
	const char *name;   /* verified; NULL: none */
	const char *dns;    /* what the MTA says of the name; NULL: "OK" */
	const char *helo;
	const char *user; /* NULL: not logged in */
	bool tls;
	const char *port;
	const char *sender;
	const char *size; /* as declared, or NULL */
	const char *recipients[MAIL_RECIPIENTS_MAX];
	size_t recipient_count;
	char numbered[MAIL_RECIPIENTS_MAX][32]; /* made up recipients */
	const char *headers[MAIL_HEADERS_MAX];	/* "Name: value" */
	size_t header_count;
	long body;
	int refused_recipients; /* by the mail server itself */
	int unknown_commands;
};

/* Read "from 192.0.2.7 named mx.example.org to a@b.org ..." (README) into
 * `mail`.  False: `*why_r` is the word that was not understood. */
bool mail_read(
    struct mail *mail, char *const *words, size_t count, const char **why_r);

/* One SMTP session at a time. */
struct client {
	struct world *world;
	struct session *session;
	const struct mail *mail;
	bool accepted; /* the milter wants to hear no more of this message */
};

/* The steps of a session.  Each returns what the milter answered, "ok" or a
 * reply as the client sees it, good until the next step. */
const char *client_connect(
    struct client *client, struct world *world, const struct mail *mail);
const char *client_mail(struct client *client, const char *sender);
const char *client_rcpt(struct client *client, const char *recipient);
const char *client_data(struct client *client);
void client_header(struct client *client, const char *header);
const char *client_end(struct client *client);
void client_reset(struct client *client);
void client_refused_recipient(struct client *client);
void client_unknown_command(struct client *client);
void client_quit(struct client *client);

/* A whole session with one mail.  Returns "accepted", or the reply that ended
 * it and at which step: "451 4.7.1 Greylisted at DATA". */
const char *mail_send(struct world *world, const struct mail *mail);

#endif
