#include "web/cause.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/decimal.h"
#include "base/file.h"

#define FILE_MAX 3072

const char *const cause_names[CAUSES] = {"greylisted", "reputation", "busy",
    "rate-limited", "policy", "block-list", "protocol", "own-fault"};
const char *const language_names[LANGUAGES] = {"en", "de"};

#define RETRIES_EN                                                             \
	"It is the sending server's turn. It tries again by itself, usually "  \
	"within half an hour; you need not send the message again."
#define RETRIES_DE                                                             \
	"Der sendende Server ist am Zug. Er versucht es von selbst wieder, "   \
	"meist innerhalb einer halben Stunde; Sie brauchen die Nachricht "     \
	"nicht noch einmal zu senden."

static const struct cause_text shipped[LANGUAGES][CAUSES] = {
    [ENGLISH] =
	{
	    [CAUSE_GREYLISTED] =
		{"Our mail server does not know this sender yet, so it asked "
		 "the sending server to come back a little later.",
		    RETRIES_EN,
		    "If the message has not arrived after four hours, ask "
		    "whoever runs the sending server whether it tries again "
		    "after a reply that begins with 4, as RFC 5321 (section "
		    "4.5.4.1) asks."},
	    [CAUSE_REPUTATION] =
		{"Mail from the sending server has lately not been good, so "
		 "our mail server lets its messages wait for a while.",
		    RETRIES_EN
		    " Whoever runs that server should find out what else it "
		    "sends.",
		    "If the message has not arrived after a few hours, ask "
		    "whoever runs the sending server to look for misused "
		    "accounts, and to write to our postmaster with the "
		    "reference below."},
	    [CAUSE_BUSY] =
		{"Our mail server was very busy at that moment and asked the "
		 "sending server to come back later.",
		    RETRIES_EN,
		    "This is usually over within minutes. If the message has "
		    "not arrived after a few hours, our postmaster wants to "
		    "know it."},
	    [CAUSE_LIMITED] =
		{"The sending server sent us more, in a short time, than we "
		 "take from it at once.",
		    RETRIES_EN,
		    "If this happens again and again, whoever runs the sending "
		    "server should send more slowly, or write to our "
		    "postmaster with the reference below."},
	    [CAUSE_POLICY] =
		{"A rule of our mail server does not take this message for "
		 "now.",
		    RETRIES_EN,
		    "If the message has not arrived after a day, write to our "
		    "postmaster with the reference below, or reach the "
		    "recipient in another way."},
	    [CAUSE_LISTED] =
		{"The address of the sending server is on a list of those "
		 "whose mail we do not take for now.",
		    "It is the turn of whoever runs the sending server: as "
		    "long as its address is listed, the message will be put "
		    "off again.",
		    "Send the message through another mail server, or ask "
		    "whoever runs the sending one to have the address taken "
		    "off the list."},
	    [CAUSE_PROTOCOL] =
		{"The sending server did not speak to ours as the standard of "
		 "mail asks, so it was sent away for now.",
		    RETRIES_EN " If its fault remains, so will the answer.",
		    "Ask whoever runs the sending server to compare what it "
		    "says with RFC 5321; the reference below tells our "
		    "postmaster what it was."},
	    [CAUSE_OWN] =
		{"Something on our side did not work at that moment. Neither "
		 "you nor your mail server did anything wrong.",
		    RETRIES_EN,
		    "We are told of such faults and mend them. If the message "
		    "has not arrived after a few hours, our postmaster wants "
		    "to know it."},
	},
    [GERMAN] =
	{
	    [CAUSE_GREYLISTED] =
		{"Unser Mailserver kennt diesen Absender noch nicht und hat "
		 "den sendenden Server gebeten, etwas später wiederzukommen.",
		    RETRIES_DE,
		    "Ist die Nachricht nach vier Stunden nicht da, fragen Sie "
		    "den Betreiber des sendenden Servers, ob er es nach einer "
		    "Antwort, die mit 4 beginnt, wieder versucht, wie RFC 5321 "
		    "(Abschnitt 4.5.4.1) es verlangt."},
	    [CAUSE_REPUTATION] =
		{"Was vom sendenden Server kam, war in letzter Zeit nicht gut; "
		 "deshalb lässt unser Mailserver seine Nachrichten eine Weile "
		 "warten.",
		    RETRIES_DE
		    " Sein Betreiber sollte herausfinden, was er sonst noch "
		    "sendet.",
		    "Ist die Nachricht nach einigen Stunden nicht da, bitten "
		    "Sie den Betreiber des sendenden Servers, nach "
		    "missbrauchten Konten zu suchen und unserem Postmaster die "
		    "Kennung unten zu nennen."},
	    [CAUSE_BUSY] =
		{"Unser Mailserver war in diesem Augenblick sehr beschäftigt "
		 "und hat den sendenden Server gebeten, später "
		 "wiederzukommen.",
		    RETRIES_DE,
		    "Das ist meist nach Minuten vorbei. Ist die Nachricht nach "
		    "einigen Stunden nicht da, möchte unser Postmaster es "
		    "wissen."},
	    [CAUSE_LIMITED] =
		{"Der sendende Server hat uns in kurzer Zeit mehr gesandt, als "
		 "wir ihm auf einmal abnehmen.",
		    RETRIES_DE,
		    "Geschieht das immer wieder, sollte sein Betreiber "
		    "langsamer senden oder unserem Postmaster die Kennung "
		    "unten nennen."},
	    [CAUSE_POLICY] =
		{"Eine Regel unseres Mailservers nimmt diese Nachricht im "
		 "Augenblick nicht an.",
		    RETRIES_DE,
		    "Ist die Nachricht nach einem Tag nicht da, schreiben Sie "
		    "unserem Postmaster mit der Kennung unten, oder erreichen "
		    "Sie den Empfänger auf anderem Weg."},
	    [CAUSE_LISTED] =
		{"Die Adresse des sendenden Servers steht auf einer Liste "
		 "derer, von denen wir im Augenblick keine Mail annehmen.",
		    "Der Betreiber des sendenden Servers ist am Zug: Solange "
		    "die Adresse auf der Liste steht, wird die Nachricht immer "
		    "wieder aufgeschoben.",
		    "Senden Sie die Nachricht über einen anderen Mailserver, "
		    "oder bitten Sie den Betreiber des sendenden, die Adresse "
		    "von der Liste nehmen zu lassen."},
	    [CAUSE_PROTOCOL] =
		{"Der sendende Server hat mit unserem nicht so gesprochen, wie "
		 "der Standard für Mail es verlangt, und wurde vorerst "
		 "weggeschickt.",
		    RETRIES_DE " Bleibt der Fehler, bleibt auch die Antwort.",
		    "Bitten Sie den Betreiber des sendenden Servers, ihn mit "
		    "RFC 5321 zu vergleichen; die Kennung unten sagt unserem "
		    "Postmaster, was es war."},
	    [CAUSE_OWN] =
		{"Bei uns hat in diesem Augenblick etwas nicht funktioniert. "
		 "Weder Sie noch Ihr Mailserver haben etwas falsch gemacht.",
		    RETRIES_DE,
		    "Solche Störungen werden uns gemeldet und behoben. Ist die "
		    "Nachricht nach einigen Stunden nicht da, möchte unser "
		    "Postmaster es wissen."},
	},
};

/* ---- What the page says of all of them alike */

/* NOLINTBEGIN(bugprone-suspicious-missing-comma) */
const char *const cause_page_words[LANGUAGES][WORDS] = {
    [ENGLISH] =
	{
	    [WORD_TITLE] = "About your message",
	    [WORD_SAFE] =
		"Nothing is lost. The sending server keeps the message and "
		"tries again; should it ever give up, it tells you.",
	    [WORD_ARRIVED] = "The message has arrived at our mail server.",
	    [WORD_WHY] = "Why did it have to wait?",
	    [WORD_SAFE_PASSED] = "Nothing was lost, and nothing is left to do.",
	    [WORD_TURN] = "Whose turn is it?",
	    [WORD_WHEN] = "When will it pass?",
	    [WORD_WHEN_PASSED] = "When did it pass?",
	    [WORD_HELP] = "And if it does not?",
	    [WORD_STORY] = "This message so far",
	    [WORD_POSTMASTER] = "For your postmaster",
	    [WORD_REFERENCE] = "Reference",
	    [WORD_RULE] = "Rule",
	    [WORD_REPLY] = "Reply",
	    [WORD_CLIENT] = "Sending server",
	    [WORD_SERVER] = "Our server",
	    [WORD_CONTACT] = "Another way to reach us",
	    [WORD_PUT_OFF] = "put off",
	    [WORD_ACCEPTED] = "accepted",
	    [WORD_NEXT] = "may come back",
	    [WORD_UNKNOWN] = "There is nothing to say about this reference",
	    [WORD_UNKNOWN_TEXT] =
		"It is not one of ours, or what it stood for is long over. A "
		"reference has 16 letters and digits; it stands in the reply "
		"that the sending server got, and is kept for some days.",
	    [WORD_TOO_OFTEN] =
		"You have asked very often. Please come back in a minute.",
	    [WORD_AWAY] = "This cannot be looked up right now. Please come "
			  "back in a few minutes.",
	    [WORD_PASSED] = "Our mail server accepted it on ",
	    [WORD_AFTER] = ", after it had waited %s.",
	    [WORD_IN] = "In %s: from ",
	    [WORD_LET_IN] = " on, the next attempt is let in.",
	    [WORD_JUDGED] = " on, the next attempt is looked at anew.",
	    [WORD_MAY] = "With the next attempt of the sending server: the "
			 "time that it had to wait is over.",
	    [WORD_MAY_JUDGED] = "The next attempt of the sending server is "
				"looked at anew.",
	    [WORD_SOME_TIME] = "After some time.",
	    [WORD_GAVE_UP] = "The sending server has not come back for longer "
			     "than is usual. Please ask whoever runs it.",
	    [WORD_NOT_KEPT] = "That was some time ago, and what became of it "
			      "is not kept so long.",
	    [WORD_RELEASE] = "Let it in on the next attempt",
	    [WORD_RELEASE_TEXT] =
		"Did you send this message yourself, or do you expect it? Then "
		"it need not wait:",
	    [WORD_RELEASED] = "Done: the next attempt of the sending server "
			      "need not wait any longer.",
	    [WORD_NOT_RELEASED] =
		"This button was used before, or there is nothing to wait for "
		"any more. Nothing was changed.",
	    [WORD_OTHER] = "Deutsch",
	    [WORD_STATE] = "Waiting",
	    "May come now",
	    "Accepted",
	    "Not seen again",
	    "Long ago",
	},
    [GERMAN] =
	{
	    [WORD_TITLE] = "Zu Ihrer Nachricht",
	    [WORD_SAFE] =
		"Nichts ist verloren. Der sendende Server behält die Nachricht "
		"und versucht es wieder; sollte er je aufgeben, sagt er es "
		"Ihnen.",
	    [WORD_ARRIVED] = "Die Nachricht ist bei unserem Mailserver "
			     "angekommen.",
	    [WORD_WHY] = "Warum musste sie warten?",
	    [WORD_SAFE_PASSED] =
		"Nichts ging verloren, und es ist nichts mehr zu tun.",
	    [WORD_TURN] = "Wer ist am Zug?",
	    [WORD_WHEN] = "Wann kommt sie durch?",
	    [WORD_WHEN_PASSED] = "Wann kam sie durch?",
	    [WORD_HELP] = "Und wenn nicht?",
	    [WORD_STORY] = "Diese Nachricht bisher",
	    [WORD_POSTMASTER] = "Für Ihren Postmaster",
	    [WORD_REFERENCE] = "Kennung",
	    [WORD_RULE] = "Regel",
	    [WORD_REPLY] = "Antwort",
	    [WORD_CLIENT] = "Sendender Server",
	    [WORD_SERVER] = "Unser Server",
	    [WORD_CONTACT] = "Ein anderer Weg zu uns",
	    [WORD_PUT_OFF] = "aufgeschoben",
	    [WORD_ACCEPTED] = "angenommen",
	    [WORD_NEXT] = "darf wiederkommen",
	    [WORD_UNKNOWN] = "Zu dieser Kennung gibt es nichts zu sagen",
	    [WORD_UNKNOWN_TEXT] =
		"Sie ist keine von unseren, oder es ist lange vorbei, wofür "
		"sie stand. Eine Kennung hat 16 Buchstaben und Ziffern; sie "
		"steht in der Antwort, die der sendende Server bekam, und wird "
		"einige Tage aufgehoben.",
	    [WORD_TOO_OFTEN] = "Sie haben sehr oft gefragt. Bitte kommen Sie "
			       "in einer Minute wieder.",
	    [WORD_AWAY] = "Das lässt sich gerade nicht nachsehen. Bitte kommen "
			  "Sie in einigen Minuten wieder.",
	    [WORD_PASSED] = "Unser Mailserver hat sie angenommen am ",
	    [WORD_AFTER] = ", nach %s.",
	    [WORD_IN] = "In %s: Ab ",
	    [WORD_LET_IN] = " kommt der nächste Versuch durch.",
	    [WORD_JUDGED] = " wird der nächste Versuch neu beurteilt.",
	    [WORD_MAY] = "Mit dem nächsten Versuch des sendenden Servers: Die "
			 "Zeit, die er warten musste, ist um.",
	    [WORD_MAY_JUDGED] = "Der nächste Versuch des sendenden Servers "
				"wird neu beurteilt.",
	    [WORD_SOME_TIME] = "Nach einiger Zeit.",
	    [WORD_GAVE_UP] = "Der sendende Server ist länger als üblich nicht "
			     "wiedergekommen. Bitte fragen Sie seinen "
			     "Betreiber.",
	    [WORD_NOT_KEPT] = "Das ist einige Zeit her, und so lange wird "
			      "nicht aufgehoben, was daraus wurde.",
	    [WORD_RELEASE] = "Beim nächsten Versuch durchlassen",
	    [WORD_RELEASE_TEXT] =
		"Haben Sie diese Nachricht selbst gesandt, oder erwarten Sie "
		"sie? Dann braucht sie nicht zu warten:",
	    [WORD_RELEASED] = "Erledigt: Der nächste Versuch des sendenden "
			      "Servers braucht nicht mehr zu warten.",
	    [WORD_NOT_RELEASED] =
		"Dieser Knopf wurde schon benutzt, oder es ist nichts mehr "
		"abzuwarten. Es wurde nichts geändert.",
	    [WORD_OTHER] = "English",
	    [WORD_STATE] = "Wartet",
	    "Darf jetzt kommen",
	    "Angenommen",
	    "Nicht wiedergekommen",
	    "Lange her",
	},
};
/* NOLINTEND(bugprone-suspicious-missing-comma) */

/* ---- Which */

/* Responses that are shipped, and what the daemon says by itself. */
static const struct {
	const char *response;
	enum cause cause;
} by_response[] = {
    {"internal-resource", CAUSE_OWN},
    {"try-again", CAUSE_POLICY},
    {"greylisted", CAUSE_GREYLISTED},
    {"policy", CAUSE_POLICY},
    {"local-problem", CAUSE_OWN},
    {"blocklisted", CAUSE_LISTED},
    {"ip-reputation", CAUSE_REPUTATION},
    {"server-busy", CAUSE_BUSY},
    {"rejected-message", CAUSE_POLICY},
    {"one-domain", CAUSE_POLICY},
    {"timeout", CAUSE_PROTOCOL},
    {"protocol", CAUSE_PROTOCOL},
    {"rate-limited", CAUSE_LIMITED},
    {"out-of-order", CAUSE_OWN},
    {"too-many-recipients", CAUSE_LIMITED},
};

enum cause
cause_of(const struct policy *policy, const char *response, const char *rule)
{
	for (size_t i = 0; i < sizeof by_response / sizeof by_response[0]; i++)
		if (strcmp(by_response[i].response, response) == 0)
			return by_response[i].cause;
	for (size_t i = 0; i < policy->rule_count; i++)
		if (policy->rules[i].verdict == RULE_GREYLIST &&
		    strcmp(policy->rules[i].name, rule) == 0)
			return policy->rules[i].by == BY_CLIENT
			    ? CAUSE_REPUTATION
			    : CAUSE_GREYLISTED;
	return CAUSE_POLICY;
}

/* "0.8", "1" or "1." (RFC 9110 12.4.2); 0 for what is none. */
static double
quality_read(const char *text)
{
	size_t length = strspn(text, "0123456789.");
	double quality = 0;

	if (length > 1 && text[length - 1] == '.')
		length--;
	(void)decimal_read_real(text, length, &quality);
	return quality;
}

/* The quality that an element, "de-AT;q=0.8", has behind its tag. */
static double
quality_of(const char *element, size_t length)
{
	const char *q = memchr(element, ';', length);

	while (q != NULL && (size_t)(q - element) + 2 < length) {
		q += 1 + strspn(q + 1, " \t");
		if (ascii_lower(q[0]) == 'q' && q[1] == '=')
			return quality_read(q + 2);
		q = memchr(q, ';', length - (size_t)(q - element));
	}
	return 1;
}

static bool
is_of(const char *element, enum language language)
{
	return ascii_has_prefix(element, language_names[language]) &&
	    !ascii_is_alnum(element[2]);
}

enum language
language_choose(const char *accepted)
{
	enum language best = ENGLISH;
	double quality = 0;

	while (accepted != NULL && *accepted != '\0') {
		size_t length = strcspn(accepted, ",");
		double its = quality_of(accepted, length);
		enum language i = ENGLISH;

		while (i < LANGUAGES && !is_of(accepted, i))
			i++;
		if (i < LANGUAGES && its > quality) {
			best = i;
			quality = its;
		}
		accepted += length;
		accepted += strspn(accepted, ", \t");
	}
	return best;
}

/* ---- The postmaster's own words */

/* The octets of the character of UTF-8 that begins here (RFC 3629); 0: none does. */
static size_t
character(const char *text)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	const unsigned char *at = (const unsigned char *)text;
	size_t more = at[0] < 0x80 ? 0
	    : at[0] < 0xe0	   ? 1
	    : at[0] < 0xf0	   ? 2
				   : 3;
	uint32_t code = more == 0 ? at[0] : at[0] & (0x3fU >> more);

	if ((at[0] >= 0x80 && at[0] < 0xc0) || at[0] >= 0xf8)
		return 0;
	for (size_t i = 1; i <= more; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3fU);
	}
	return code < least[more] || code > 0x10ffff ||
		(code >= 0xd800 && code < 0xe000)
	    ? 0
	    : more + 1;
}

/* A NAME that could lead out of the directory is none. */
static bool
read_file(const char *directory, const char *name, enum language language,
    char text_r[FILE_MAX])
{
	char path[PATH_MAX];
	struct stat status;
	ssize_t length;
	int fd;

	if (name[0] == '\0' || name[0] == '.' || strchr(name, '/') != NULL ||
	    snprintf(path, sizeof path, "%s/%s.%s", directory, name,
		language_names[language]) >= (int)sizeof path)
		return false;
	fd = file_open(path, &status);
	if (fd < 0)
		return false;
	length = read(fd, text_r, FILE_MAX - 1);
	(void)close(fd);
	if (length <= 0)
		return false;
	text_r[length] = '\0';
	return true;
}

/* What lies before and between paragraphs, and the mark with which some editors
 * begin a file. */
static const char *
skip_blanks(const char *text)
{
	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	return text + strspn(text, "\r\n \t");
}

/* Whether a line with nothing in it follows. */
static bool
ends_here(const char *text)
{
	return text[0] == '\0' ||
	    (text[0] == '\n' && text[1 + strspn(text + 1, "\r \t")] == '\n');
}

/* One paragraph, as far as there is room for whole characters; where it ends.  An
 * empty one changes nothing. */
static const char *
take_paragraph(const char *text, char words_r[CAUSE_WORDS_SIZE])
{
	size_t used = 0;

	text = skip_blanks(text);
	while (!ends_here(text)) {
		size_t length = character(text);
		size_t octets = length == 0 ? 1 : length;

		if (*text != '\r' && used + octets < CAUSE_WORDS_SIZE) {
			memcpy(
			    words_r + used, length == 0 ? "?" : text, octets);
			used += octets;
			words_r[used] = '\0';
		}
		text += octets;
	}
	while (used > 0 && strchr(" \t\n", words_r[used - 1]) != NULL)
		words_r[--used] = '\0';
	return text;
}

/* Say what of a file is not shown as it stands there. */
static void
look_into(const char *directory, const char *name, conf_say *say, void *arg)
{
	char text[FILE_MAX], why[PATH_MAX + 80];
	const char *wrong = NULL, *at = text;
	const char *dot = strrchr(name, '.');
	size_t length = dot == NULL ? 0 : (size_t)(dot - name);
	char stem[NAME_MAX + 1];
	enum language language = ENGLISH;

	while (dot != NULL && language < LANGUAGES &&
	    strcmp(dot + 1, language_names[language]) != 0)
		language++;
	if (dot == NULL || length == 0 || language == LANGUAGES)
		return;
	(void)snprintf(stem, sizeof stem, "%.*s", (int)length, name);
	if (!read_file(directory, stem, language, text))
		wrong = "it cannot be read, or is empty";
	else if (strlen(text) == sizeof text - 1)
		wrong = "it is too long, and is cut";
	while (wrong == NULL && *at != '\0') {
		length = character(at);
		wrong = length == 0 ? "it is not in UTF-8" : NULL;
		at += length;
	}
	if (wrong == NULL)
		return;
	(void)snprintf(why, sizeof why, "%s/%s: %s", directory, name, wrong);
	say(arg, false, why);
}

bool
cause_look(const char *directory, conf_say *say, void *arg)
{
	DIR *entries = opendir(directory);
	const struct dirent *entry;
	char why[PATH_MAX + 80];

	if (entries == NULL) {
		(void)snprintf(
		    why, sizeof why, "%s: %s", directory, file_why(errno));
		say(arg, true, why);
		return false;
	}
	while ((entry = readdir(entries)) != NULL)
		look_into(directory, entry->d_name, say, arg);
	(void)closedir(entries);
	return true;
}

void
cause_words(enum cause cause, const char *response, enum language language,
    const char *directory, struct cause_text *text_r)
{
	char own[FILE_MAX];
	const char *at = own;

	*text_r = shipped[language][cause];
	text_r->passes = cause == CAUSE_GREYLISTED || cause == CAUSE_REPUTATION;
	if (directory[0] == '\0' ||
	    (!read_file(directory, response, language, own) &&
		!read_file(directory, cause_names[cause], language, own)))
		return;
	at = take_paragraph(at, text_r->happened);
	at = take_paragraph(at, text_r->turn);
	(void)take_paragraph(at, text_r->help);
}
