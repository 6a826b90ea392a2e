#include "mail/mailaddr.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "base/hash.h"

/* A stretch of the raw argument. */
struct span {
	const char *at;
	size_t length;
};

/* Takes one part of an address, keeps what fits and digests everything. */
struct sink {
	char *out; /* room for MAILADDR_PART_MAX and a NUL */
	size_t total;
	uint64_t digest;
};

enum { DIGEST_LENGTH = 17 }; /* '#' and 16 hex digits */

static struct sink
sink_open(char *out)
{
	struct sink sink = {.out = out, .digest = HASH_64};

	return sink;
}

static void
sink_put(struct sink *sink, char c)
{
	if (sink->total < MAILADDR_PART_MAX)
		sink->out[sink->total] = c;
	sink->total++;
	sink->digest = hash_64(sink->digest, &c, 1);
}

/* End the part; returns its length. */
static size_t
sink_close(struct sink *sink)
{
	if (sink->total > MAILADDR_PART_MAX) {
		snprintf(sink->out + MAILADDR_PART_MAX - DIGEST_LENGTH,
		    DIGEST_LENGTH + 1, "#%016" PRIx64, sink->digest);
		return MAILADDR_PART_MAX;
	}
	sink->out[sink->total] = '\0';
	return sink->total;
}

static struct span
span_from(struct span span, size_t start)
{
	struct span rest = {span.at + start, span.length - start};

	return rest;
}

/* What stands between the angle brackets, behind a source route. */
static struct span
bare_path(const char *raw)
{
	struct span path = {raw, strlen(raw)};
	const char *colon;

	if (path.length > 0 && path.at[0] == '<')
		path = span_from(path, 1);
	if (path.length > 0 && path.at[path.length - 1] == '>')
		path.length--;
	if (path.length > 0 && path.at[0] == '@') {
		colon = memchr(path.at, ':', path.length);
		if (colon != NULL)
			path = span_from(path, (size_t)(colon - path.at) + 1);
	}
	return path;
}

/* The length of the quoted string that `text` starts with, or 0. */
static size_t
quoted_length(struct span text)
{
	if (text.length == 0 || text.at[0] != '"')
		return 0;
	for (size_t i = 1; i < text.length; i++) {
		if (text.at[i] == '"')
			return i + 1;
		if (text.at[i] == '\\')
			i++;
	}
	return 0;
}

/* Where the '@' before the domain stands; text.length if nowhere.  A domain
 * cannot contain one, so it is the last outside the quotes. */
static size_t
find_at_sign(struct span text)
{
	size_t start = quoted_length(text);

	for (size_t i = text.length; i > start; i--) {
		if (text.at[i - 1] == '@')
			return i - 1;
	}
	return text.length;
}

/* Take the next octet of what stands between quotes, its backslash removed. */
static bool
next_unescaped(struct span *inner, char *c_r)
{
	if (inner->length == 0)
		return false;
	if (inner->at[0] == '\\' && inner->length > 1)
		*inner = span_from(*inner, 1);
	*c_r = inner->at[0];
	*inner = span_from(*inner, 1);
	return true;
}

/* atext of RFC 5322 3.2.3, and of RFC 6531 3.3: anything beyond ASCII. */
static bool
is_atext(char c)
{
	return ascii_is_alnum(c) || (unsigned char)c >= 0x80 ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* Whether what stands between quotes is a dot-string (RFC 5321 4.1.2) anyway. */
static bool
is_dot_string(struct span inner)
{
	char before = '.';
	char c;

	while (next_unescaped(&inner, &c)) {
		if (c == '.' ? before == '.' : !is_atext(c))
			return false;
		before = c;
	}
	return before != '.';
}

/* There is one canonical spelling for each quoted string: no quotes if they are
 * not needed, else a backslash before '"' and '\' and nowhere else. */
static void
put_quoted(struct sink *sink, struct span inner)
{
	bool plain = is_dot_string(inner);
	char c;

	if (!plain)
		sink_put(sink, '"');
	while (next_unescaped(&inner, &c)) {
		if (!plain && (c == '"' || c == '\\'))
			sink_put(sink, '\\');
		sink_put(sink, c);
	}
	if (!plain)
		sink_put(sink, '"');
}

static size_t
put_local(char *out, struct span local)
{
	struct sink sink = sink_open(out);

	if (local.length > 0 && quoted_length(local) == local.length) {
		local = span_from(local, 1);
		local.length--;
		put_quoted(&sink, local);
	} else {
		for (size_t i = 0; i < local.length; i++)
			sink_put(&sink, local.at[i]);
	}
	return sink_close(&sink);
}

static size_t
put_domain(char *out, struct span domain)
{
	struct sink sink = sink_open(out);

	for (size_t i = 0; i < domain.length; i++)
		sink_put(&sink, ascii_lower(domain.at[i]));
	return sink_close(&sink);
}

void
mailaddr_parse(const char *raw, struct mailaddr *addr_r)
{
	struct span local = bare_path(raw == NULL ? "" : raw);
	struct span domain = {NULL, 0};
	size_t at_sign = find_at_sign(local);

	if (at_sign < local.length) {
		domain = span_from(local, at_sign + 1);
		local.length = at_sign;
	}
	while (domain.length > 0 && domain.at[domain.length - 1] == '.')
		domain.length--;

	memset(addr_r, 0, sizeof(*addr_r));
	addr_r->local_length = put_local(addr_r->text, local);
	addr_r->domain_at = addr_r->local_length;
	if (domain.length > 0) {
		addr_r->text[addr_r->domain_at++] = '@';
		put_domain(addr_r->text + addr_r->domain_at, domain);
	}
}

const char *
mailaddr_domain(const struct mailaddr *addr)
{
	return addr->text + addr->domain_at;
}

void
mailaddr_normalise_recipient(
    const struct mailaddr *addr, struct mailaddr *normal_r)
{
	*normal_r = *addr;
	ascii_lower_all(normal_r->text);
}
