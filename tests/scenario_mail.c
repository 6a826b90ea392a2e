#include "scenario_mail.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define OK "ok"

/* --- what the milter answers --- */

static char answer_text[MAIL_ANSWER_SIZE];

static void
append(const char *text)
{
	size_t length = strlen(answer_text);

	(void)snprintf(
	    answer_text + length, sizeof answer_text - length, "%s", text);
}

static const char *
say(struct client *client, enum stage stage, enum action action,
    const struct reply *reply)
{
	const struct policy *policy = session_policy(client->session);

	if (action == ACTION_ACCEPT)
		client->accepted = true;
	if (action != ACTION_DEFER)
		return OK;
	ck_assert_msg(
	    stage == STAGE_EOM || (policy->stage_mask >> stage & 1U) != 0,
	    "an answer at stage %d, where none was announced", (int)stage);
	answer_text[0] = '\0';
	for (size_t i = 0; i < reply->line_count; i++) {
		append(i == 0 ? reply->code : " / ");
		append(i == 0 ? " " : "");
		append(i == 0 ? reply->xcode : "");
		append(i == 0 && reply->xcode[0] != '\0' ? " " : "");
		append(reply->lines[i]);
	}
	return answer_text;
}

/* --- one session --- */

static const struct sockaddr *
address_of(const char *text)
{
	static struct sockaddr_in in;
	static struct sockaddr_in6 in6;

	in.sin_family = AF_INET;
	in6.sin6_family = AF_INET6;
	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return (struct sockaddr *)&in;
	ck_assert_msg(inet_pton(AF_INET6, text, &in6.sin6_addr) == 1,
	    "%s is no address", text);
	return (struct sockaddr *)&in6;
}

const char *
client_connect(
    struct client *client, struct world *world, const struct mail *mail)
{
	struct session_origin origin = {.address = address_of(mail->client),
	    .hostname = mail->name,
	    .resolve = mail->dns != NULL ? mail->dns
		: mail->name != NULL	 ? "OK"
					 : "FAIL",
	    .daemon_name = "smtpd",
	    .daemon_port = mail->port,
	    .server = "mx.example.org",
	    .server_address = "192.0.2.25"};

	memset(client, 0, sizeof *client);
	client->world = world;
	client->mail = mail;
	client->session = session_open(world->shared, world->now);
	ck_assert(client->session != NULL);
	session_connect(client->session, &origin, world->now);
	session_helo(client->session, mail->helo);
	return OK;
}

const char *
client_mail(struct client *client, const char *sender)
{
	char size[64] = "SIZE=";
	const char *arguments[] = {size, NULL};
	struct session_envelope envelope = {.sender = sender,
	    .auth_type = client->mail->user == NULL ? NULL : "PLAIN",
	    .auth_user = client->mail->user,
	    .tls_version = client->mail->tls ? "TLSv1.3" : NULL};
	struct reply reply;

	if (client->mail->size != NULL) {
		strncat(size, client->mail->size, 32);
		envelope.arguments = arguments;
	}
	client->accepted = false;
	return say(client, STAGE_MAIL,
	    session_mail(
		client->session, &envelope, client->world->now, &reply),
	    &reply);
}

const char *
client_rcpt(struct client *client, const char *recipient)
{
	struct reply reply;

	if (client->accepted || !session_policy(client->session)->wants_rcpt)
		return OK;
	return say(client, STAGE_RCPT,
	    session_rcpt(
		client->session, recipient, client->world->now, &reply),
	    &reply);
}

const char *
client_data(struct client *client)
{
	struct reply reply;

	if (client->accepted)
		return OK;
	return say(client, STAGE_DATA,
	    session_data(client->session, client->world->now, &reply), &reply);
}

void
client_header(struct client *client, const char *header)
{
	size_t length = strcspn(header, ":");
	char name[64];

	if (client->accepted || !session_policy(client->session)->wants_headers)
		return;
	ck_assert_msg(length < sizeof name && header[length] == ':',
	    "%s is no header", header);
	memcpy(name, header, length);
	name[length] = '\0';
	session_header(client->session, name, header + length + 1);
}

const char *
client_end(struct client *client)
{
	struct reply reply;

	if (client->accepted)
		return OK;
	if (session_policy(client->session)->wants_body)
		session_body(client->session, (size_t)client->mail->body);
	return say(client, STAGE_EOM,
	    session_eom(client->session, client->world->now, &reply), &reply);
}

void
client_reset(struct client *client)
{
	client->accepted = false;
	session_abort(client->session);
}

void
client_refused_recipient(struct client *client)
{
	if (!client->accepted && session_policy(client->session)->wants_refused)
		session_refused_recipient(client->session);
}

void
client_unknown_command(struct client *client)
{
	if (session_policy(client->session)->wants_unknown)
		session_unknown_command(client->session);
}

void
client_quit(struct client *client)
{
	session_close(&client->session, client->world->now);
}

/* --- a whole mail --- */

/* At least one recipient got through; else what the last one was told. */
static const char *
send_recipients(struct client *client, const struct mail *mail)
{
	const char *answer = OK;
	bool one = false;

	for (int i = 0; i < mail->refused_recipients; i++)
		client_refused_recipient(client);
	for (size_t i = 0; i < mail->recipient_count; i++) {
		answer = client_rcpt(client, mail->recipients[i]);
		if (strcmp(answer, OK) == 0)
			one = true;
	}
	return one ? OK : answer;
}

static const char *
send_content(struct client *client, const struct mail *mail)
{
	for (size_t i = 0; i < mail->header_count; i++)
		client_header(client, mail->headers[i]);
	return client_end(client);
}

static const char *
send_steps(struct client *client, const struct mail *mail, const char **step_r)
{
	const char *answer;

	*step_r = "MAIL";
	answer = client_mail(client, mail->sender);
	if (strcmp(answer, OK) != 0)
		return answer;
	*step_r = "RCPT";
	answer = send_recipients(client, mail);
	if (strcmp(answer, OK) != 0)
		return answer;
	*step_r = "DATA";
	answer = client_data(client);
	if (strcmp(answer, OK) != 0)
		return answer;
	*step_r = "the end";
	return send_content(client, mail);
}

const char *
mail_send(struct world *world, const struct mail *mail)
{
	static char text[MAIL_ANSWER_SIZE + 16];
	struct client client;
	const char *answer, *step;

	(void)client_connect(&client, world, mail);
	for (int i = 0; i < mail->unknown_commands; i++)
		client_unknown_command(&client);
	answer = send_steps(&client, mail, &step);
	client_quit(&client);
	if (strcmp(answer, OK) == 0)
		return "accepted";
	(void)snprintf(text, sizeof text, "%s at %s", answer, step);
	return text;
}

/* --- in words --- */

static void
take_name(struct mail *mail, const char *word)
{
	mail->name = word;
}

static void
take_helo(struct mail *mail, const char *word)
{
	mail->helo = word;
}

static void
take_user(struct mail *mail, const char *word)
{
	mail->user = word;
}

static void
take_sender(struct mail *mail, const char *word)
{
	mail->sender = word;
}

static void
take_port(struct mail *mail, const char *word)
{
	mail->port = word;
}

static void
take_declared(struct mail *mail, const char *word)
{
	mail->size = word;
}

static void
take_body(struct mail *mail, const char *word)
{
	mail->body = atol(word);
}

static void
take_dns(struct mail *mail, const char *word)
{
	mail->dns = strcmp(word, "failing") == 0 ? "TEMP" : "FORGED";
}

static void
take_connection(struct mail *mail, const char *word)
{
	mail->tls = strcmp(word, "TLS") == 0;
}

static void
take_client(struct mail *mail, const char *word)
{
	mail->client = word;
}

static void
take_recipient(struct mail *mail, const char *word)
{
	ck_assert(mail->recipient_count < MAIL_RECIPIENTS_MAX);
	mail->recipients[mail->recipient_count++] = word;
}

/* Recipients that are nobody in particular. */
static void
take_recipients(struct mail *mail, const char *word)
{
	for (int i = 1; i <= atoi(word); i++) {
		char *made = mail->numbered[mail->recipient_count];

		(void)snprintf(made, sizeof mail->numbered[0],
		    "<someone%d@example.org>", i);
		take_recipient(mail, made);
	}
}

static void
take_header(struct mail *mail, const char *word)
{
	ck_assert(mail->header_count < MAIL_HEADERS_MAX);
	mail->headers[mail->header_count++] = word;
}

static void
take_refused(struct mail *mail, const char *word)
{
	mail->refused_recipients = atoi(word);
}

static void
take_unknown(struct mail *mail, const char *word)
{
	mail->unknown_commands = atoi(word);
}

static const struct {
	const char *keyword;
	void (*take)(struct mail *mail, const char *word);
} keywords[] = {
    {"from", take_client},
    {"named", take_name},
    {"dns", take_dns},
    {"greeting", take_helo},
    {"user", take_user},
    {"over", take_connection},
    {"port", take_port},
    {"sender", take_sender},
    {"declared", take_declared},
    {"sized", take_body},
    {"to", take_recipient},
    {"and", take_recipient},
    {"strangers", take_recipients},
    {"with", take_header},
    {"refused", take_refused},
    {"unknown", take_unknown},
};

static bool
take_word(struct mail *mail, const char *keyword, const char *word)
{
	for (size_t i = 0; i < sizeof keywords / sizeof keywords[0]; i++)
		if (strcmp(keywords[i].keyword, keyword) == 0) {
			keywords[i].take(mail, word);
			return true;
		}
	return false;
}

bool
mail_read(
    struct mail *mail, char *const *words, size_t count, const char **why_r)
{
	memset(mail, 0, sizeof *mail);
	mail->helo = "mail.sender.example";
	mail->sender = "<alice@sender.example>";
	mail->port = "25";
	for (size_t i = 0; i + 1 < count; i += 2)
		if (!take_word(mail, words[i], words[i + 1])) {
			*why_r = words[i];
			return false;
		}
	*why_r = "from";
	if (count % 2 != 0 || mail->client == NULL) {
		*why_r = count % 2 != 0 ? words[count - 1] : "from";
		return false;
	}
	if (mail->recipient_count == 0)
		take_recipient(mail, "<bob@example.org>");
	return true;
}
