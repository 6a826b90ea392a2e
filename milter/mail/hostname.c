#include "mail/hostname.h"

#include <libpsl.h>
#include <string.h>

#include "base/ascii.h"

enum { NAME_MAX_LENGTH = 253, LABEL_MAX_LENGTH = 63 };

bool
hostname_clean(const char *in, char *out_r, size_t size)
{
	size_t length = in == NULL ? 0 : strlen(in);

	out_r[0] = '\0';
	if (length > 0 && in[length - 1] == '.')
		length--;
	if (length == 0 || length >= size)
		return false;
	for (size_t i = 0; i < length; i++)
		out_r[i] = ascii_lower(in[i]);
	out_r[length] = '\0';
	return true;
}

static bool
is_valid_label(const char *label, size_t length)
{
	if (length == 0 || length > LABEL_MAX_LENGTH)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!ascii_is_alnum(label[i]) && label[i] != '-' &&
		    label[i] != '_')
			return false;
	}
	return label[0] != '-' && label[length - 1] != '-';
}

bool
hostname_is_valid(const char *name)
{
	const char *label = name;
	size_t length;

	if (name == NULL || strlen(name) > NAME_MAX_LENGTH)
		return false;
	for (;;) {
		length = strcspn(label, ".");
		if (!is_valid_label(label, length))
			return false;
		if (label[length] == '\0')
			return strspn(label, "0123456789") < length;
		label += length + 1;
	}
}

bool
hostname_organisation(
    const char *name, const struct psl_ctx_st *psl, char org_r[HOSTNAME_SIZE])
{
	char clean[HOSTNAME_SIZE];
	const char *org;

	org_r[0] = '\0';
	if (psl == NULL || !hostname_clean(name, clean, sizeof(clean)) ||
	    !hostname_is_valid(clean))
		return false;
	org = psl_registrable_domain(psl, clean);
	if (org == NULL)
		return false;
	memcpy(org_r, org, strlen(org) + 1);
	return true;
}

/* netaddr_parse forgives an IPv6 literal without its tag, RFC 5321 does not. */
static bool
is_literal(const char *helo)
{
	struct netaddr addr;

	return helo[0] == '[' && netaddr_parse(helo, &addr) &&
	    (strchr(helo, ':') == NULL || ascii_has_prefix(helo, "[IPv6:"));
}

bool
hostname_is_malformed_helo(const char *helo)
{
	char clean[HOSTNAME_SIZE];

	if (helo == NULL)
		return true;
	if (is_literal(helo))
		return false;
	return !hostname_clean(helo, clean, sizeof(clean)) ||
	    !hostname_is_valid(clean);
}

static bool
is_same(const char *a, const char *b)
{
	char one[HOSTNAME_SIZE], other[HOSTNAME_SIZE];

	return hostname_clean(a, one, sizeof one) &&
	    hostname_clean(b, other, sizeof other) && strcmp(one, other) == 0;
}

bool
hostname_helo_is_ours(
    const char *helo, const char *our_name, const struct netaddr *our_addr)
{
	struct netaddr addr;

	if (our_addr != NULL && netaddr_parse(helo, &addr))
		return netaddr_equal(&addr, our_addr);
	return is_same(helo, our_name);
}

bool
hostname_helo_fits(
    const char *helo, const char *name, const struct psl_ctx_st *psl)
{
	char its[HOSTNAME_SIZE], theirs[HOSTNAME_SIZE];

	return is_same(helo, name) ||
	    (hostname_organisation(helo, psl, theirs) &&
		hostname_organisation(name, psl, its) &&
		strcmp(theirs, its) == 0);
}
