#include "mta_macros.h"

#include <libmilter/mfapi.h>
#include <libmilter/mfdef.h>
#include <stdio.h>
#include <string.h>

#define VALUE_MAX   128
#define NUMBER_SIZE 4

static const char *const defaults[MACRO_STAGES] = {
    [SMFIM_CONNECT] = "j {daemon_name} {daemon_addr} v _",
    [SMFIM_HELO] = "",
    [SMFIM_ENVFROM] = "{mail_addr} {mail_host} {mail_mailer}",
    [SMFIM_ENVRCPT] = "i {rcpt_addr} {rcpt_host} {rcpt_mailer}",
    [SMFIM_DATA] = "i",
    [SMFIM_EOM] = "i",
    [SMFIM_EOH] = "i",
};

static const struct {
	const char *name;
	const char *value;
} constants[] = {
    {"j", "mx.local.test"},
    {"{daemon_name}", "mx.local.test"},
    {"{daemon_addr}", "127.0.0.1"},
    {"{daemon_port}", "25"},
    {"v", "Postfix 3.7.11"},
    {"{client_port}", "4711"},
    {"{mail_mailer}", "smtp"},
    {"{rcpt_mailer}", "local"},
};

/* An address without its brackets; NULL where there is none. */
static const char *
bare(const char *address, char *buffer)
{
	size_t length = strlen(address);

	if (length < 2)
		return NULL;
	snprintf(buffer, VALUE_MAX, "%.*s", (int)(length - 2), address + 1);
	return buffer;
}

static const char *
host(const char *address, char *buffer)
{
	const char *at;

	if (bare(address, buffer) == NULL)
		return NULL;
	at = strrchr(buffer, '@');
	return at == NULL ? NULL : at + 1;
}

static const char *
client_value(const char *name, const struct mail *mail, char *buffer)
{
	bool verified = mail->name[0] != '[';

	if (strcmp(name, "{client_addr}") == 0)
		return mail->address;
	if (strcmp(name, "{client_resolve}") == 0)
		return verified ? "OK" : "FAIL";
	if (strcmp(name, "{client_name}") == 0 ||
	    strcmp(name, "{client_ptr}") == 0)
		return verified ? mail->name : "unknown";
	if (strcmp(name, "_") != 0)
		return NULL;
	snprintf(buffer, VALUE_MAX, "%s [%s]",
	    verified ? mail->name : "unknown", mail->address);
	return buffer;
}

/* The value of a macro now, perhaps in `buffer`; NULL if it has none. */
static const char *
value_of(const char *name, const struct macro_source *source, char *buffer)
{
	size_t i;

	for (i = 0; i < sizeof constants / sizeof *constants; i++)
		if (strcmp(name, constants[i].name) == 0)
			return constants[i].value;
	if (strcmp(name, "i") == 0)
		return source->queued ? "4QGbJ91NgYz1xk" : NULL;
	if (strcmp(name, "{mail_addr}") == 0)
		return bare(source->sender, buffer);
	if (strcmp(name, "{mail_host}") == 0)
		return host(source->sender, buffer);
	if (strcmp(name, "{rcpt_addr}") == 0)
		return bare(source->recipient, buffer);
	if (strcmp(name, "{rcpt_host}") == 0)
		return host(source->recipient, buffer);
	return client_value(name, source->mail, buffer);
}

bool
macro_lists_init(
    struct macro_lists *lists_r, const unsigned char *asked, size_t size)
{
	int i;

	for (i = 0; i < MACRO_STAGES; i++)
		snprintf(lists_r->names[i], MACRO_LIST_MAX, "%s", defaults[i]);
	while (size > NUMBER_SIZE) {
		uint32_t stage = packet_read_u32(asked);
		const unsigned char *names = asked + NUMBER_SIZE;
		const unsigned char *end =
		    memchr(names, '\0', size - NUMBER_SIZE);

		if (stage >= MACRO_STAGES || end == NULL ||
		    end - names >= MACRO_LIST_MAX)
			return false;
		memcpy(lists_r->names[stage], names, (size_t)(end - names) + 1);
		size -= (size_t)(end + 1 - asked);
		asked = end + 1;
	}
	return size == 0;
}

void
macro_write(struct packet *packet, const struct macro_lists *lists, int stage,
    char command, const struct macro_source *source)
{
	char names[MACRO_LIST_MAX], buffer[VALUE_MAX];
	char *name, *rest = NULL;
	bool begun = false;

	memcpy(names, lists->names[stage], sizeof names);
	for (name = strtok_r(names, " ", &rest); name != NULL;
	     name = strtok_r(NULL, " ", &rest)) {
		const char *value = value_of(name, source, buffer);

		if (value == NULL)
			continue;
		if (!begun) {
			packet_begin(packet, SMFIC_MACRO);
			packet_bytes(packet, &command, 1);
			begun = true;
		}
		packet_string(packet, name);
		packet_string(packet, value);
	}
	if (begun)
		packet_end(packet);
}
