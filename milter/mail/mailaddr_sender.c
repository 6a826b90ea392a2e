/* The part of a sender's address that is the same on every try.
 *
 * Every step below edits a string where it stands and never makes it longer. */
#include <string.h>

#include "base/ascii.h"
#include "mail/mailaddr.h"

enum {
	PERSON_DIGITS = 15, /* the longest telephone number (E.164) */
	SERIAL_DIGITS = 4,
	SERIAL_HEX = 8,
	SERIAL_MIXED = 12,
	UUID_LENGTH = 36
};

static void
remove_front(char *text, size_t length)
{
	memmove(text, text + length, strlen(text + length) + 1);
}

/* Remove `text` up to its first '=', which must be there. */
static void
remove_field(char *text)
{
	remove_front(text, strcspn(text, "=") + 1);
}

static size_t
count_equal_signs(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++)
		count += *text == '=';
	return count;
}

/* BATV: prvs=KDDDSSSSSS=user, where SSSSSS is hexadecimal; lengths vary. */
static bool
is_prvs_tag(const char *text)
{
	size_t length = 0;

	while (ascii_is_hex(text[length]))
		length++;
	return length >= 8 && length <= 16 && text[length] == '=';
}

static void
drop_batv(char *local)
{
	bool standard =
	    ascii_has_prefix(local, "prvs=") && is_prvs_tag(local + 5);
	bool sparkpost = ascii_has_prefix(local, "msprvs1=") &&
	    strchr(local + 8, '=') != NULL;
	bool barracuda = ascii_has_prefix(local, "btv1==") &&
	    strstr(local + 6, "==") != NULL;

	if (standard || sparkpost) {
		remove_field(local);
		remove_field(local);
	} else if (barracuda) {
		remove_front(
		    local, (size_t)(strstr(local + 6, "==") + 2 - local));
	}
}

/* `text` is "hash=time=domain=user"; leave "domain=user" and return the user. */
static char *
drop_hash_and_time(char *text)
{
	remove_field(text);
	remove_field(text);
	for (; *text != '='; text++)
		*text = ascii_lower(*text);
	return text + 1;
}

/* Shorten "SRS1=hash=forwarder==hash=time=domain=user" to
 * "SRS1=forwarder=domain=user".  The sign doubled here was chosen by the first
 * forwarder and may also be '+' or '-'. */
static char *
drop_srs1(char *local)
{
	char *rest = local + 5;

	remove_field(rest);
	for (; *rest != '='; rest++)
		*rest = ascii_lower(*rest);
	rest++;
	if (*rest == '=' || *rest == '+' || *rest == '-')
		remove_front(rest, 1);
	if (count_equal_signs(rest) < 3)
		return rest;
	return drop_hash_and_time(rest);
}

/* Take what changes out of a forwarder's rewriting and return where the
 * original sender's own local part starts. */
static char *
drop_srs(char *local)
{
	char *microsoft = strstr(local, "+SRS=");
	bool first = ascii_has_prefix(local, "SRS0");
	bool next = ascii_has_prefix(local, "SRS1");

	if (microsoft != NULL && count_equal_signs(microsoft + 5) >= 3)
		return drop_hash_and_time(microsoft + 5);
	if ((!first && !next) || local[4] == '\0' ||
	    strchr("=+-", local[4]) == NULL)
		return local;
	if (first && count_equal_signs(local + 5) >= 3) {
		memcpy(local, "SRS0=", 5);
		return drop_hash_and_time(local + 5);
	}
	if (next && count_equal_signs(local + 5) >= 2) {
		memcpy(local, "SRS1=", 5);
		return drop_srs1(local);
	}
	return local;
}

/* A tag at the very start leaves nothing to keep, so it is none. */
static void
drop_tag(char *local)
{
	char *plus = local[0] == '\0' ? NULL : strchr(local + 1, '+');

	if (plus != NULL)
		*plus = '\0';
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

/* VERP: bounce-123-user=example.org.  Where the user's name has a '-' itself,
 * its first words stay; they are the same on each try.  Returns whether there
 * was such a recipient. */
static bool
drop_verp_recipient(char *local)
{
	char *at = strrchr(local, '=');

	if (at == NULL || !is_dotted_domain(at + 1))
		return false;
	while (at > local && *at != '-' && *at != '_')
		at--;
	if (at == local)
		return false;
	*at = '\0';
	return true;
}

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
		if (word.length > 0 &&
		    ascii_is_digit(c[0]) != ascii_is_digit(c[-1]))
			word.changes++;
	}
	return word;
}

static bool
is_serial(const struct word *word)
{
	if (word->digits == word->length)
		return word->length >= SERIAL_DIGITS;
	return (word->hex && word->length >= SERIAL_HEX && word->digits >= 2) ||
	    (word->length >= SERIAL_MIXED && word->changes >= 3);
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

/* Copy a word that is not itself a serial number, with a '#' for each long run
 * of digits in it; returns the end of the copy. */
static char *
copy_word(char *to, const char *from, size_t length)
{
	size_t run;

	for (size_t i = 0; i < length; i += run) {
		run = 0;
		while (i + run < length && ascii_is_digit(from[i + run]))
			run++;
		if (run >= SERIAL_DIGITS) {
			*to++ = '#';
			continue;
		}
		if (run == 0)
			run = 1;
		memmove(to, from + i, run);
		to += run;
	}
	return to;
}

/* Put '#' for serial numbers; `counted` says that words of few digits are
 * serial numbers too. */
static void
mask_serials(char *local, bool counted)
{
	char *to = local;
	const char *from = local;

	while (*from != '\0') {
		struct word word = read_word(from);
		size_t masked =
		    word.length == 0 ? 0 : serial_length(from, &word);

		if (masked == 0 && counted && word.digits == word.length)
			masked = word.length;
		if (masked > 0) {
			*to++ = '#';
			from += masked;
		} else if (word.length > 0) {
			to = copy_word(to, from, word.length);
			from += word.length;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}

static void
normalise_user(char *user)
{
	bool counted;

	drop_batv(user);
	drop_tag(user);
	drop_behind_return(user);
	counted = drop_verp_recipient(user);
	if (!counted && strspn(user, "0123456789") == strlen(user) &&
	    strlen(user) <= PERSON_DIGITS)
		return;
	mask_serials(user, counted || has_serial(user));
}

void
mailaddr_normalise_sender(
    const struct mailaddr *addr, struct mailaddr *normal_r)
{
	const char *at_and_domain = addr->text + addr->local_length;
	char local[MAILADDR_PART_MAX + 1];

	memcpy(local, addr->text, addr->local_length);
	local[addr->local_length] = '\0';
	if (local[0] != '"') {
		drop_batv(local);
		normalise_user(drop_srs(local));
	}
	memset(normal_r, 0, sizeof(*normal_r));
	normal_r->local_length = strlen(local);
	normal_r->domain_at = normal_r->local_length + (*at_and_domain == '@');
	memcpy(normal_r->text, local, normal_r->local_length);
	memcpy(normal_r->text + normal_r->local_length, at_and_domain,
	    strlen(at_and_domain));
}
