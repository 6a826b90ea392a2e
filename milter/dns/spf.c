#include "dns/spf.h"

#include <string.h>

#include "base/ascii.h"

typedef void take_function(struct spf *spf, const struct dns_answer *answer);

static void judge_term(struct spf *spf);

static struct spf_frame *
top(struct spf *spf)
{
	return &spf->frames[spf->depth - 1];
}

/* ---- Results */

static void
finish(struct spf *spf, enum spf_result result)
{
	spf->done = true;
	spf->result = result;
	spf->name[0] = '\0';
}

/* A record has its result; the one that includes it may go on (RFC 7208 5.2). */
static void
end_record(struct spf *spf, enum spf_result result)
{
	while (spf->depth > 1) {
		enum spf_result passes = top(spf)->passes;

		spf->depth--;
		if (result != SPF_PASS)
			return;
		result = passes;
	}
	finish(spf, result);
}

static void
conclude(struct spf *spf, bool matches)
{
	if (matches)
		end_record(spf, spf->term.result);
}

/* ---- Questions */

/* `name` may be the one that was asked for last. */
static void
ask(struct spf *spf, const char *name, enum dns_type type, take_function *taker)
{
	if (name != spf->name)
		strcpy(spf->name, name);
	spf->type = type;
	spf->taker = taker;
}

static enum dns_type
address_type(const struct spf *spf)
{
	return spf->client.length == 4 ? DNS_A : DNS_AAAA;
}

/* Whether the first question of a term was answered.  False: the check is over. */
static bool
is_answered(struct spf *spf, const struct dns_answer *answer)
{
	if (answer->status == DNS_FAILED)
		finish(spf, SPF_TEMPERROR);
	else if (answer->status == DNS_NOTHING && ++spf->voids > SPF_VOIDS_MAX)
		finish(spf, SPF_PERMERROR);
	return !spf->done;
}

static bool
has_client(
    const struct spf *spf, const struct dns_answer *answer, unsigned bits)
{
	struct dns_answer left = *answer;
	struct dns_record record;

	while (answer->status == DNS_FOUND && dns_answer_next(&left, &record)) {
		struct netaddr address = {
		    .length = (unsigned char)record.length};
		struct network network;

		if (record.length != spf->client.length)
			continue;
		memcpy(address.octets, record.data, record.length);
		network = network_of(&address, bits);
		if (network_contains(&network, &spf->client))
			return true;
	}
	return false;
}

/* Take up to SPF_HOSTS_MAX names off an answer; the number that it has. */
static size_t
take_names(const struct dns_answer *answer,
    char names_r[SPF_HOSTS_MAX][DNS_NAME_SIZE], size_t *count_r)
{
	struct dns_answer left = *answer;
	struct dns_record record;
	size_t seen = 0;

	*count_r = 0;
	for (; answer->status == DNS_FOUND && dns_answer_next(&left, &record);
	     seen++)
		if (*count_r < SPF_HOSTS_MAX && record.length > 0 &&
		    record.length <= DNS_NAME_SIZE &&
		    record.data[record.length - 1] == '\0' &&
		    spf_name_settle(
			(const char *)record.data, names_r[*count_r]))
			(*count_r)++;
	return seen;
}

/* ---- Names of the client (RFC 7208 5.5) */

/* The one that fits the domain best, for the macro "p" (RFC 7208 7.3). */
static bool
is_within(const char *name, const char *domain)
{
	size_t length = strlen(name), wanted = strlen(domain);

	return length >= wanted &&
	    strcmp(name + length - wanted, domain) == 0 &&
	    (length == wanted || name[length - wanted - 1] == '.');
}

static const char *
best_client_name(const struct spf *spf, const char *domain)
{
	const char *best = NULL;

	for (size_t i = 0; i < spf->valid_count; i++) {
		const char *name = spf->client_names[i];

		if (strcmp(name, domain) == 0)
			return name;
		if (best == NULL ||
		    (is_within(name, domain) && !is_within(best, domain)))
			best = name;
	}
	return best == NULL ? "unknown" : best;
}

static void
take_client_address(struct spf *spf, const struct dns_answer *answer);

static void
ask_client_address(struct spf *spf)
{
	if (spf->named < spf->name_count) {
		ask(spf, spf->client_names[spf->named], address_type(spf),
		    take_client_address);
		return;
	}
	spf->names_known = true;
	judge_term(spf);
}

/* A name that has not this address, or whose look-up fails, is passed over. */
static void
take_client_address(struct spf *spf, const struct dns_answer *answer)
{
	if (has_client(spf, answer, 8U * spf->client.length)) {
		if (spf->valid_count != spf->named)
			memcpy(spf->client_names[spf->valid_count],
			    spf->client_names[spf->named], DNS_NAME_SIZE);
		spf->valid_count++;
	}
	spf->named++;
	ask_client_address(spf);
}

static void
take_client_names(struct spf *spf, const struct dns_answer *answer)
{
	if (answer->status != DNS_FAILED && !is_answered(spf, answer))
		return;
	(void)take_names(answer, spf->client_names, &spf->name_count);
	ask_client_address(spf);
}

static void
ask_client_names(struct spf *spf)
{
	static const char reverse[] = "%{ir}.%{v}.arpa";
	struct spf_values values = {.client = spf->client};

	(void)spf_macro_expand(
	    (struct spf_text){reverse, strlen(reverse)}, &values, spf->name);
	ask(spf, spf->name, DNS_PTR, take_client_names);
}

/* ---- Records */

static bool
is_record(const struct dns_record *record, struct spf_text *terms_r)
{
	static const char version[] = "v=spf1";
	const size_t length = sizeof version - 1;
	const char *text = (const char *)record->data;

	if (record->length < length || !ascii_has_prefix(text, version) ||
	    (record->length > length && text[length] != ' '))
		return false;
	*terms_r = (struct spf_text){text + length, record->length - length};
	return true;
}

/* The only record of SPF among those of TXT (RFC 7208 4.5); their number. */
static size_t
select_record(const struct dns_answer *answer, struct spf_text *terms_r)
{
	struct dns_answer left = *answer;
	struct dns_record record;
	size_t count = 0;

	while (answer->status == DNS_FOUND && dns_answer_next(&left, &record))
		count += is_record(&record, terms_r);
	return count;
}

/* Whether all terms are good.  `*redirect_r` gets the one that redirects; its kind
 * is SPF_END when there is none. */
static bool
check_terms(struct spf_text terms, struct spf_term *redirect_r)
{
	struct spf_term term;
	bool explained = false;

	*redirect_r = (struct spf_term){.kind = SPF_END};
	do {
		if (!spf_record_next(&terms, &term))
			return false;
		if (term.kind == SPF_REDIRECT) {
			if (redirect_r->kind == SPF_REDIRECT)
				return false;
			*redirect_r = term;
		} else if (term.kind == SPF_EXP) {
			if (explained)
				return false;
			explained = true;
		}
	} while (term.kind != SPF_END);
	return true;
}

/* Keep a record: false when there is no room, or its terms are no good. */
static bool
keep_record(struct spf *spf, struct spf_text terms)
{
	struct spf_frame *frame = top(spf);

	if (terms.length > SPF_TEXT_SIZE - frame->text)
		return false;
	memcpy(spf->text + frame->text, terms.at, terms.length);
	frame->length = terms.length;
	frame->left = (struct spf_text){spf->text + frame->text, terms.length};
	return check_terms(frame->left, &frame->redirect);
}

/* What is included or redirected to has to have one (RFC 7208 5.2, 6.1). */
static void
take_record(struct spf *spf, const struct dns_answer *answer)
{
	struct spf_text terms = {.length = 0};
	size_t count = select_record(answer, &terms);

	if (answer->status == DNS_FAILED)
		finish(spf, SPF_TEMPERROR);
	else if (count == 0 && spf->terms == 0)
		finish(spf, SPF_NONE);
	else if (count != 1 || !keep_record(spf, terms))
		finish(spf, SPF_PERMERROR);
}

/* Go on with the record of spf->name. */
static void
begin_record(struct spf *spf, size_t text, enum spf_result passes)
{
	struct spf_frame *frame = top(spf);

	*frame = (struct spf_frame){.text = text, .passes = passes};
	strcpy(frame->domain, spf->name);
	ask(spf, spf->name, DNS_TXT, take_record);
}

/* ---- Mechanisms */

static void
take_address(struct spf *spf, const struct dns_answer *answer)
{
	if (is_answered(spf, answer))
		conclude(spf,
		    has_client(spf, answer,
			spf->client.length == 4 ? spf->term.bits4
						: spf->term.bits6));
}

static void
take_existence(struct spf *spf, const struct dns_answer *answer)
{
	if (is_answered(spf, answer))
		conclude(spf, answer->status == DNS_FOUND);
}

static void take_host(struct spf *spf, const struct dns_answer *answer);

static void
ask_host(struct spf *spf)
{
	if (spf->host < spf->host_count)
		ask(spf, spf->hosts[spf->host++], address_type(spf), take_host);
}

static void
take_host(struct spf *spf, const struct dns_answer *answer)
{
	unsigned bits =
	    spf->client.length == 4 ? spf->term.bits4 : spf->term.bits6;

	if (answer->status == DNS_FAILED)
		finish(spf, SPF_TEMPERROR);
	else if (has_client(spf, answer, bits))
		conclude(spf, true);
	else
		ask_host(spf);
}

static void
take_hosts(struct spf *spf, const struct dns_answer *answer)
{
	if (!is_answered(spf, answer))
		return;
	spf->host = 0;
	if (take_names(answer, spf->hosts, &spf->host_count) > SPF_HOSTS_MAX)
		finish(spf, SPF_PERMERROR);
	else
		ask_host(spf);
}

static bool
has_name_within(const struct spf *spf, const char *domain)
{
	for (size_t i = 0; i < spf->valid_count; i++)
		if (is_within(spf->client_names[i], domain))
			return true;
	return false;
}

static void
include(struct spf *spf)
{
	const struct spf_frame *includer = top(spf);
	size_t text = includer->text + includer->length;

	spf->depth++;
	begin_record(spf, text, spf->term.result);
}

/* The domain of a term.  False: there is no such name. */
static bool
expand_domain(const struct spf *spf, const struct spf_frame *frame,
    const struct spf_term *term, char name_r[DNS_NAME_SIZE])
{
	struct spf_values values = {spf->client, spf->local, spf->sender_domain,
	    frame->domain, spf->helo, best_client_name(spf, frame->domain)};

	if (term->domain.length > 0)
		return spf_macro_expand(term->domain, &values, name_r);
	strcpy(name_r, frame->domain);
	return true;
}

static void
judge_domain(struct spf *spf)
{
	switch (spf->term.kind) {
	case SPF_INCLUDE:
		include(spf);
		break;
	case SPF_REDIRECT:
		begin_record(spf, top(spf)->text, top(spf)->passes);
		break;
	case SPF_A:
		ask(spf, spf->name, address_type(spf), take_address);
		break;
	case SPF_EXISTS:
		ask(spf, spf->name, DNS_A, take_existence);
		break;
	case SPF_MX:
		ask(spf, spf->name, DNS_MX, take_hosts);
		break;
	default:
		conclude(spf, has_name_within(spf, spf->name));
	}
}

/* ---- Terms */

static bool
needs_client_names(const struct spf *spf, const struct spf_term *term)
{
	return !spf->names_known &&
	    (term->kind == SPF_PTR ||
		spf_macro_wants_client_name(term->domain));
}

/* One that counts (RFC 7208 4.6.4).  Comes here again once the client's names
 * are known. */
static void
judge_term(struct spf *spf)
{
	bool goes_on =
	    spf->term.kind == SPF_INCLUDE || spf->term.kind == SPF_REDIRECT;

	if (needs_client_names(spf, &spf->term))
		ask_client_names(spf);
	else if (expand_domain(spf, top(spf), &spf->term, spf->name))
		judge_domain(spf);
	else if (goes_on)
		finish(spf, SPF_PERMERROR);
}

static void
next_term(struct spf *spf)
{
	struct spf_frame *frame = top(spf);

	/* The record was checked when it came. */
	(void)spf_record_next(&frame->left, &spf->term);
	if (spf->term.kind == SPF_END)
		spf->term = frame->redirect;
	else if (spf->term.kind == SPF_REDIRECT)
		return;
	switch (spf->term.kind) {
	case SPF_END:
		end_record(spf, SPF_NEUTRAL);
		break;
	case SPF_ALL:
		conclude(spf, true);
		break;
	case SPF_IP4:
	case SPF_IP6:
		conclude(
		    spf, network_contains(&spf->term.network, &spf->client));
		break;
	case SPF_EXP:
	case SPF_MODIFIER:
		break;
	default:
		if (++spf->terms > SPF_TERMS_MAX)
			finish(spf, SPF_PERMERROR);
		else
			judge_term(spf);
	}
}

static void
run(struct spf *spf)
{
	while (!spf->done && spf->taker == NULL)
		next_term(spf);
}

/* ---- What will be asked */

/* Of which type the first question of a term is; false: of none. */
static bool
asks_for(const struct spf *spf, enum spf_kind kind, enum dns_type *type_r)
{
	switch (kind) {
	case SPF_INCLUDE:
	case SPF_REDIRECT:
		*type_r = DNS_TXT;
		return true;
	case SPF_A:
		*type_r = address_type(spf);
		return true;
	case SPF_MX:
		*type_r = DNS_MX;
		return true;
	case SPF_EXISTS:
		*type_r = DNS_A;
		return true;
	default:
		return false;
	}
}

/* What the records that came since the last time will ask for, unless a term before
 * it matches: as many names as terms may still ask. */
static void
foresee(struct spf *spf, spf_foreseen *each, void *arg)
{
	for (size_t i = 0; !spf->done && i < spf->depth; i++) {
		struct spf_frame *frame = &spf->frames[i];
		struct spf_text left = frame->left;
		struct spf_term term;
		unsigned asked = frame->foreseen ? SPF_TERMS_MAX : spf->terms;
		enum dns_type type;
		char name[DNS_NAME_SIZE];

		/* One that is still to come has no terms. */
		frame->foreseen = left.length > 0;
		while (asked < SPF_TERMS_MAX && spf_record_next(&left, &term) &&
		    term.kind != SPF_END && term.kind != SPF_ALL) {
			if (!asks_for(spf, term.kind, &type) ||
			    needs_client_names(spf, &term) ||
			    !expand_domain(spf, frame, &term, name))
				continue;
			each(arg, name, type);
			asked++;
		}
	}
}

/* ---- Entrances */

/* Where the domain of the sender begins; of one without, its end. */
static const char *
sender_domain(const char *sender)
{
	const char *at = strrchr(sender, '@');

	return at == NULL ? sender + strlen(sender) : at + 1;
}

static void
copy_part(const char *from, size_t length, char part_r[SPF_PART_SIZE])
{
	if (length >= SPF_PART_SIZE)
		length = SPF_PART_SIZE - 1;
	memcpy(part_r, from, length);
	part_r[length] = '\0';
}

/* Only a name of several labels is one (RFC 7208 4.3). */
static void
spf_domain(const struct spf_question *question, char domain_r[DNS_NAME_SIZE])
{
	const char *domain = question->sender[0] == '\0'
	    ? question->helo
	    : sender_domain(question->sender);

	if (!spf_name_settle(domain, domain_r) ||
	    strchr(domain_r, '.') == NULL || domain_r[0] == '[')
		domain_r[0] = '\0';
}

/* The null sender, and one without a local part, are the postmaster's
 * (RFC 7208 2.4, 4.3). */
static void
set_sender(struct spf *spf, const struct spf_question *question)
{
	const char *domain = sender_domain(question->sender);
	size_t local = (size_t)(domain - question->sender);

	if (question->sender[0] == '\0')
		domain = question->helo;
	copy_part(domain, strlen(domain), spf->sender_domain);
	if (local > 1)
		copy_part(question->sender, local - 1, spf->local);
	else
		copy_part("postmaster", strlen("postmaster"), spf->local);
	copy_part(question->helo[0] == '\0' ? "unknown" : question->helo,
	    question->helo[0] == '\0' ? strlen("unknown")
				      : strlen(question->helo),
	    spf->helo);
}

void
spf_begin(struct spf *spf, const struct spf_question *question)
{
	/* Neither the texts nor the frames need to be cleared. */
	memset(spf, 0, offsetof(struct spf, frames));
	spf->host_count = spf->name_count = spf->named = spf->valid_count = 0;
	spf->names_known = false;
	spf->client = question->client;
	set_sender(spf, question);
	spf_domain(question, spf->name);
	if (spf->name[0] == '\0') {
		finish(spf, SPF_NONE);
		return;
	}
	spf->depth = 1;
	begin_record(spf, 0, SPF_PASS);
}

void
spf_take(struct spf *spf, const struct dns_answer *answer, spf_foreseen *each,
    void *arg)
{
	take_function *taker = spf->taker;

	spf->taker = NULL;
	taker(spf, answer);
	run(spf);
	foresee(spf, each, arg);
}
