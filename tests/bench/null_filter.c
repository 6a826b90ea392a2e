#include "null_filter.h"

#include <stdio.h>
#include <sys/socket.h>

static unsigned long wanted_steps;

static sfsistat
on_negotiate(SMFICTX *context, unsigned long actions, unsigned long steps,
    unsigned long unused2, unsigned long unused3, unsigned long *actions_r,
    unsigned long *steps_r, unsigned long *unused2_r, unsigned long *unused3_r)
{
	(void)context, (void)actions, (void)unused2, (void)unused3;
	*actions_r = 0;
	*steps_r = wanted_steps & steps;
	*unused2_r = *unused3_r = 0;
	return SMFIS_CONTINUE;
}

static sfsistat
on_connect(SMFICTX *context, char *host, _SOCK_ADDR *address)
{
	(void)context, (void)host, (void)address;
	return SMFIS_CONTINUE;
}

static sfsistat
on_word(SMFICTX *context, char *word)
{
	(void)context, (void)word;
	return SMFIS_CONTINUE;
}

static sfsistat
on_unknown(SMFICTX *context, const char *command)
{
	(void)context, (void)command;
	return SMFIS_CONTINUE;
}

static sfsistat
on_address(SMFICTX *context, char **arguments)
{
	(void)context, (void)arguments;
	return SMFIS_CONTINUE;
}

static sfsistat
on_header(SMFICTX *context, char *name, char *value)
{
	(void)context, (void)name, (void)value;
	return SMFIS_CONTINUE;
}

static sfsistat
on_body(SMFICTX *context, unsigned char *bytes, size_t size)
{
	(void)context, (void)bytes, (void)size;
	return SMFIS_CONTINUE;
}

static sfsistat
on_event(SMFICTX *context)
{
	(void)context;
	return SMFIS_CONTINUE;
}

int
null_filter_run(const char *name, char *connection, unsigned long steps,
    sfsistat (*at_data)(SMFICTX *context))
{
	struct smfiDesc description = {
	    .xxfi_name = (char *)name, /* libmilter only reads it */
	    .xxfi_version = SMFI_VERSION,
	    .xxfi_connect = on_connect,
	    .xxfi_helo = on_word,
	    .xxfi_envfrom = on_address,
	    .xxfi_envrcpt = on_address,
	    .xxfi_header = on_header,
	    .xxfi_eoh = on_event,
	    .xxfi_body = on_body,
	    .xxfi_eom = on_event,
	    .xxfi_abort = on_event,
	    .xxfi_close = on_event,
	    .xxfi_unknown = on_unknown,
	    .xxfi_data = at_data,
	    .xxfi_negotiate = steps != 0 ? on_negotiate : NULL,
	};

	wanted_steps = steps;
	if (smfi_setconn(connection) == MI_FAILURE ||
	    smfi_register(description) == MI_FAILURE) {
		fprintf(stderr, "%s: cannot serve %s\n", name, connection);
		return 1;
	}
	return smfi_main() == MI_SUCCESS ? 0 : 1;
}
