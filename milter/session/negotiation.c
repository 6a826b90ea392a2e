#include "session/negotiation.h"

#include "base/log.h"

static bool
answers_at(const struct policy *policy, enum stage stage)
{
	return (policy->stage_mask & (1U << stage)) != 0;
}

/* The end of the headers is of no use to us, but who sees headers has to see it:
 * libmilter loses the end of a message that has none of both.  It also loses it
 * if a body chunk that comes with it is met with silence, so chunks are answered
 * although there is never anything to say. */
unsigned long
negotiation_steps(const struct policy *policy)
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

void
negotiation_macros(SMFICTX *ctx)
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
