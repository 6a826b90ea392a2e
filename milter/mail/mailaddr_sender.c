/* The part of a sender's address that is the same on every try.
 *
 * Every step below edits a string where it stands and never makes it longer. */
#include <string.h>

#include "base/ascii.h"
#include "mail/mailaddr.h"

enum {
	PERSON_DIGITS = 15, /* the longest telephone number (E.164) */
	SERIAL_DIGITS = 6,
	SERIAL_DIGITS_WITHIN = 4, /* within a word of a program's address */
	SERIAL_HEX = 8,
	SERIAL_MIXED = 12,
	SENDGRID_HEX = 4,
	BATV_LENGTH = 10,
	UUID_LENGTH = 36
};

/* Words by which a program's address is known. */
static const char *const program_words[] = {
    "bnc", "errors", "news", "owner", "return", "returns"};
static const char *const program_starts[] = {
    "bounce", "newsletter", "notif", "sentto", "verp"};

/* Domains, and what is below them, whose local parts are one random text. */
static const char *const random_domains[] = {"amazonses.com",
    "bounce.linkedin.com", "bounce.twitter.com", "bounces.google.com"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void
remove_front(char *text, size_t length)
{
	memmove(text, text + length, strlen(text + length) + 1);
}

/* Remove `text` up to its first `mark`, which must be there. */
static void
remove_field(char *text, char mark)
{
	remove_front(text, (size_t)(strchr(text, mark) + 1 - text));
}

static size_t
count_marks(const char *text, char mark)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += *text == mark;
	return count;
}

/* BATV: prvs=KDDDSSSSSS=user, where SSSSSS is hexadecimal; lengths vary. */
static bool
is_prvs_tag(const char *text, char end)
{
	size_t length = 0;

	while (ascii_is_hex(text[length]))
		length++;
	return length >= 8 && length <= 16 && text[length] == end;
}

/* The same without its name, as some gateways leave it: KDDDSSSSSS=user. */
static bool
is_bare_batv(const char *local)
{
	return strspn(local, "0123456789") >= 4 && is_prvs_tag(local, '=') &&
	    local[BATV_LENGTH] == '=';
}

/* prvs=user/KDDDSSSSSS and prvs=user=KDDDSSSSSS are Exim's and older drafts'. */
static bool
drop_batv_behind(char *local)
{
	char *slash = strrchr(local, '/');
	char *tag = slash == NULL ? strrchr(local, '=') : slash;

	if (!is_prvs_tag(tag + 1, '\0') || tag <= local + 5)
		return false;
	*tag = '\0';
	remove_front(local, 5);
	return true;
}

static void
drop_batv(char *local)
{
	bool prvs = ascii_has_prefix(local, "prvs=");
	bool sparkpost = ascii_has_prefix(local, "msprvs1=") &&
	    strchr(local + 8, '=') != NULL;
	bool barracuda = ascii_has_prefix(local, "btv1==") &&
	    strstr(local + 6, "==") != NULL;

	if (sparkpost || (prvs && is_prvs_tag(local + 5, '='))) {
		remove_field(local, '=');
		remove_field(local, '=');
	} else if (barracuda) {
		remove_front(
		    local, (size_t)(strstr(local + 6, "==") + 2 - local));
	} else if (is_bare_batv(local)) {
		remove_field(local, '=');
	} else if (prvs) {
		(void)drop_batv_behind(local);
	}
}

/* ---- SRS
 *
 * SRS0=hash=time=domain=user and SRS1=hash=forwarder==hash=time=domain=user.  The
 * mark behind SRS0 is the forwarder's choice of '=', '+' and '-'; some use it for
 * all fields, and a hash may have a '+' in it as well. */

/* Whether the third field of `text` is followed by another and has a dot. */
static bool
has_domain_third(const char *text, char mark)
{
	const char *end = text;

	for (int i = 0; i < 3; i++) {
		text = end + (i > 0);
		end = strchr(text, mark);
		if (end == NULL)
			return false;
	}
	return memchr(text, '.', (size_t)(end - text)) != NULL;
}

/* What stands between hash, time, domain and user: the mark that makes the third
 * of them a domain, else '=', which is usual; '\0' if neither is enough. */
static char
find_mark(const char *text, char first)
{
	if (!has_domain_third(text, '=') && has_domain_third(text, first))
		return first;
	return count_marks(text, '=') >= 3 ? '=' : '\0';
}

/* Lower-case the domain that `text` starts with, put '=' for the mark behind
 * it, and return what follows. */
static char *
settle_domain(char *text, char mark)
{
	for (; *text != mark; text++)
		*text = ascii_lower(*text);
	*text = '=';
	return text + 1;
}

/* `text` is "hash=time=domain=user"; leave "domain=user" and return the user. */
static char *
drop_hash_and_time(char *text, char mark)
{
	remove_field(text, mark);
	remove_field(text, mark);
	return settle_domain(text, mark);
}

/* Shorten "hash=forwarder==hash=time=domain=user" to
 * "forwarder=domain=user".  The sign doubled here was chosen by the first
 * forwarder. */
static char *
drop_srs1(char *text, char mark)
{
	char *rest;
	char first = '=';

	if (count_marks(text, '=') >= 2)
		mark = '=';
	remove_field(text, mark);
	rest = settle_domain(text, mark);
	if (*rest == '=' || *rest == '+' || *rest == '-') {
		first = *rest;
		remove_front(rest, 1);
	}
	first = find_mark(rest, first);
	return first == '\0' ? rest : drop_hash_and_time(rest, first);
}

/* Take what changes out of a forwarder's rewriting and return where the
 * original sender's own local part starts. */
static char *
drop_srs(char *local)
{
	char *microsoft = strstr(local, "+SRS=");
	bool first = ascii_has_prefix(local, "SRS0");
	bool next = ascii_has_prefix(local, "SRS1");
	char mark;

	if (microsoft != NULL && count_marks(microsoft + 5, '=') >= 3)
		return drop_hash_and_time(microsoft + 5, '=');
	if ((!first && !next) || local[4] == '\0' ||
	    strchr("=+-", local[4]) == NULL)
		return local;
	mark = first ? find_mark(local + 5, local[4]) : local[4];
	if (mark == '\0' ||
	    (next && count_marks(local + 5, mark) < 2 &&
		count_marks(local + 5, '=') < 2))
		return local;
	memcpy(local, first ? "SRS0=" : "SRS1=", 5);
	return first ? drop_hash_and_time(local + 5, mark)
		     : drop_srs1(local + 5, mark);
}

/* ---- Programs that write to many
 *
 * What tells one of their customers or lists from the other stays. */

static bool
is_digits(const char *text, const char *end)
{
	return end != NULL && text < end &&
	    text + strspn(text, "0123456789") == end;
}

/* Whether all of `text` is a domain that has a dot. */
static bool
is_dotted_domain(const char *text)
{
	size_t length = strspn(text,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789-.");
	const char *dot = strchr(text, '.');

	return text[length] == '\0' && dot != NULL && dot != text &&
	    dot[1] != '\0';
}

/* Whether the recipient stands at the end: user=example.org. */
static bool
has_recipient(const char *text)
{
	const char *mark = strrchr(text, '=');

	return mark != NULL && is_dotted_domain(mark + 1);
}

/* SendGrid: bounces+account-xxxx-user=example.org, with 4 hex digits; the
 * account is the customer. */
static bool
is_sendgrid(const char *tag)
{
	const char *dash = strchr(tag, '-');
	size_t hex = 0;

	if (!is_digits(tag, dash))
		return false;
	while (ascii_is_hex(dash[1 + hex]))
		hex++;
	return hex == SENDGRID_HEX && dash[1 + hex] == '-';
}

/* Drop a tag behind '+'; one at the very start leaves nothing to keep, so it
 * is none.  Returns whether it names a recipient. */
static bool
drop_tag(char *local)
{
	char *plus = local[0] == '\0' ? NULL : strchr(local + 1, '+');
	bool recipient = plus != NULL && has_recipient(plus);

	if (plus != NULL)
		*plus = '\0';
	return recipient;
}

/* Sympa has the list behind the recipient:
 * bounce+user==a==example.org==list. */
static bool
drop_sympa_recipient(char *local)
{
	char *plus = strchr(local, '+');
	char *at = plus == NULL ? NULL : strstr(plus, "==a==");
	char *list = at == NULL ? NULL : strstr(at + strlen("==a=="), "==");

	if (list == NULL)
		return false;
	remove_front(plus, (size_t)(list - plus));
	return true;
}

/* Cut what only one of these services changes; true if it was one of them, and
 * nothing is left to be done. */
static bool
drop_service(char *local)
{
	char *mark;

	if (ascii_has_prefix(local, "bounces+") && is_sendgrid(local + 8)) {
		*strchr(local, '-') = '\0';
		return true;
	}
	/* Mailchimp: bounce-mc.us1_list.campaign-user=example.org */
	if (ascii_has_prefix(local, "bounce-mc.us")) {
		mark = strchr(local, '_');
		mark = mark == NULL ? NULL : strchr(mark, '.');
		if (mark != NULL)
			*mark = '\0';
		return mark != NULL;
	}
	/* Yahoo Groups, eGroups: sentto-list-message-time-user=example.org */
	if (ascii_has_prefix(local, "sentto-")) {
		mark = strchr(local + 7, '-');
		if (is_digits(local + 7, mark)) {
			*mark = '\0';
			return true;
		}
	}
	/* Constant Contact: text==_customer_text== */
	mark = strstr(local, "==_");
	if (mark != NULL && is_digits(mark + 3, strchr(mark + 3, '_'))) {
		*strchr(mark + 3, '_') = '\0';
		remove_front(local, (size_t)(mark + 3 - local));
		return true;
	}
	return false;
}

/* Where the fourth of the numbers behind "_HTML-" or "_TEXT-" starts. */
static char *
find_exacttarget_customer(char *local)
{
	char *at = strstr(local, "_HTML-");

	if (!ascii_has_prefix(local, "bounce-"))
		return NULL;
	if (at == NULL)
		at = strstr(local, "_TEXT-");
	for (int i = 0; i < 3 && at != NULL; i++)
		at = strchr(at + 1, '-');
	return at == NULL ? NULL : at + 1;
}

/* ExactTarget: bounce-batch_HTML-subscriber-job-customer-n. */
static bool
drop_exacttarget(char *local)
{
	char *customer = find_exacttarget_customer(local);

	if (customer == NULL || !is_digits(customer, strchr(customer, '-')))
		return false;
	*strchr(customer, '-') = '\0';
	remove_front(local + strlen("bounce-"),
	    (size_t)(customer - local) - strlen("bounce-"));
	return true;
}

/* Silverpop writes numbers with letters: v-mailing_recipient_job_job_a. */
static bool
drop_silverpop(char *local)
{
	if (!ascii_has_prefix(local, "v-") ||
	    local[2 + strspn(local + 2, "abcdefghijklmnopqrstuvwxyz_")] !=
		'\0' ||
	    count_marks(local, '_') != 4)
		return false;
	local[1] = '\0';
	return true;
}

/* LISTSERV: owner-list*user**example.org */
static void
drop_listserv_recipient(char *local)
{
	char *star = strchr(local, '*');

	if (star != NULL && star > local && strstr(star + 1, "**") != NULL)
		*star = '\0';
}

/* ezmlm: list-return-123-user=example.org */
static void
drop_behind_return(char *local)
{
	static const char word[] = "-return-";

	for (char *at = local; *at != '\0'; at++) {
		if (at > local && ascii_has_prefix(at, word)) {
			at[strlen(word) - 1] = '\0';
			return;
		}
	}
}

static bool
is_program_word(const char *word)
{
	for (size_t i = 0; i < COUNT(program_starts); i++) {
		if (ascii_has_prefix(word, program_starts[i]))
			return true;
	}
	for (size_t i = 0; i < COUNT(program_words); i++) {
		if (ascii_has_prefix(word, program_words[i]) &&
		    !ascii_is_letter(word[strlen(program_words[i])]))
			return true;
	}
	return false;
}

/* Whether a word of `text` up to `end` is a program's. */
static bool
has_program_word(const char *text, const char *end)
{
	bool inside = false;

	for (; text < end; text++) {
		if (!inside && is_program_word(text))
			return true;
		inside = ascii_is_letter(*text);
	}
	return false;
}

/* Where to cut so that all of a recipient goes whose own name has a '-' too:
 * behind a counter (news-12-jean-luc=) or a word at the end of a list's address
 * (list-bounces-jean-luc=), at the first of two '=' (list=jean-luc=), else at
 * the last '-' or '_' before `mark`.  `local` if nothing would stay. */
static char *
find_recipient(char *local, char *mark)
{
	char *cut = NULL;
	char *last = local;

	for (char *word = local; word < mark;) {
		char *end = word + strcspn(word, "-_=");

		if (end >= mark)
			break;
		if (is_digits(word, end) ||
		    (word > local && is_program_word(word)))
			cut = end;
		last = end;
		word = end + 1;
		if (*end == '=')
			return cut == NULL ? end : cut;
	}
	return cut == NULL ? last : cut;
}

/* VERP: bounce-123-user=example.org.  Without a number or a word of a program,
 * first-last=company.example@gateway.example is a person.  Returns whether
 * there was such a recipient. */
static bool
drop_verp_recipient(char *local, const char *domain)
{
	char *mark = strrchr(local, '=');
	char *cut;

	if (!has_recipient(local))
		return false;
	while (mark > local && mark[-1] == '=')
		mark--;
	cut = find_recipient(local, mark);
	if (cut == local ||
	    (!has_program_word(local, cut) &&
		!has_program_word(domain, domain + strlen(domain)) &&
		strcspn(local, "0123456789") >= (size_t)(cut - local)))
		return false;
	*cut = '\0';
	return true;
}

/* ---- Serial numbers */

/* 8-4-4-4-12 hex digits and no more: nothing alphanumeric may follow. */
static bool
is_uuid(const char *at)
{
	for (size_t i = 0; i < UUID_LENGTH; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? at[i] != '-' : !ascii_is_hex(at[i]))
			return false;
	}
	return !ascii_is_alnum(at[UUID_LENGTH]);
}

struct word {
	size_t length;
	size_t digits;
	size_t changes; /* between letters and digits */
	size_t cases;	/* from lower to upper case */
	bool hex;
};

static struct word
read_word(const char *at)
{
	struct word word = {.hex = true};

	for (; ascii_is_alnum(at[word.length]); word.length++) {
		const char *c = at + word.length;

		word.digits += ascii_is_digit(*c);
		word.hex = word.hex && ascii_is_hex(*c);
		if (word.length == 0)
			continue;
		word.changes += ascii_is_digit(c[0]) != ascii_is_digit(c[-1]);
		word.cases += c[0] >= 'A' && c[0] <= 'Z' && c[-1] >= 'a';
	}
	return word;
}

/* anna1984 is a person, and so may bea19850102 be. */
static bool
is_serial(const struct word *word)
{
	if (word->digits == word->length)
		return word->length >= SERIAL_DIGITS;
	if (word->hex && word->length >= SERIAL_HEX && word->digits >= 2 &&
	    word->changes >= 2)
		return true;
	return word->length >= SERIAL_MIXED &&
	    (word->changes >= 3 ||
		(word->digits > 0 && word->changes + word->cases >= 4));
}

/* The length of the serial number that `at`, the start of a word, begins with;
 * 0 if it is none. */
static size_t
serial_length(const char *at, const struct word *word)
{
	if (is_uuid(at))
		return UUID_LENGTH;
	return is_serial(word) ? word->length : 0;
}

static bool
has_serial(const char *local)
{
	while (*local != '\0') {
		struct word word = read_word(local);

		if (word.length > 0 && serial_length(local, &word) > 0)
			return true;
		local += word.length > 0 ? word.length : 1;
	}
	return false;
}

/* Copy a word that is not itself a serial number, with a '#' for what follows
 * its first digit if there are enough of them; returns the end of the copy. */
static char *
copy_word(char *to, const char *from, const struct word *word)
{
	size_t letters = strcspn(from, "0123456789");

	if (word->digits < SERIAL_DIGITS_WITHIN) {
		memmove(to, from, word->length);
		return to + word->length;
	}
	memmove(to, from, letters);
	to[letters] = '#';
	return to + letters + 1;
}

/* Put '#' for serial numbers, also for those that only count. */
static void
mask_serials(char *local)
{
	char *to = local;
	const char *from = local;

	while (*from != '\0') {
		struct word word = read_word(from);
		size_t masked =
		    word.length == 0 ? 0 : serial_length(from, &word);

		if (masked == 0 && word.digits == word.length)
			masked = word.length;
		if (masked > 0) {
			*to++ = '#';
			from += masked;
		} else if (word.length > 0) {
			to = copy_word(to, from, &word);
			from += word.length;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

static void
normalise_user(char *user, const char *domain)
{
	bool counted;

	drop_batv(user);
	if (drop_service(user) || drop_sympa_recipient(user) ||
	    drop_exacttarget(user) || drop_silverpop(user))
		return;
	counted = drop_tag(user);
	drop_behind_return(user);
	drop_listserv_recipient(user);
	counted = drop_verp_recipient(user, domain) || counted ||
	    has_program_word(user, user + strlen(user));
	if (!counted && strspn(user, "0123456789") == strlen(user) &&
	    strlen(user) <= PERSON_DIGITS)
		return;
	if (counted || has_serial(user))
		mask_serials(user);
}

static bool
is_random_domain(const char *domain)
{
	size_t length = strlen(domain);

	for (size_t i = 0; i < COUNT(random_domains); i++) {
		size_t end = strlen(random_domains[i]);

		if (length >= end &&
		    strcmp(domain + length - end, random_domains[i]) == 0 &&
		    (length == end || domain[length - end - 1] == '.'))
			return true;
	}
	return false;
}

void
mailaddr_normalise_sender(
    const struct mailaddr *addr, struct mailaddr *normal_r)
{
	const char *at_and_domain = addr->text + addr->local_length;
	const char *domain = mailaddr_domain(addr);
	char local[MAILADDR_PART_MAX + 1];

	memcpy(local, addr->text, addr->local_length);
	local[addr->local_length] = '\0';
	if (local[0] != '"') {
		drop_batv(local);
		normalise_user(drop_srs(local), domain);
	}
	if (local[0] != '\0' && is_random_domain(domain))
		memcpy(local, "#", 2);
	memset(normal_r, 0, sizeof *normal_r);
	normal_r->local_length = strlen(local);
	normal_r->domain_at = normal_r->local_length + (*at_and_domain == '@');
	memcpy(normal_r->text, local, normal_r->local_length);
	memcpy(normal_r->text + normal_r->local_length, at_and_domain,
	    strlen(at_and_domain));
}
