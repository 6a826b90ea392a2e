/* cause -- why a message is put off, as its sender is told: a few causes, each with
 * words in each language.
 *
 * A postmaster puts his own words into files of a directory: RESPONSE.LANGUAGE or
 * CAUSE.LANGUAGE, such as greylisted.de, UTF-8, up to three paragraphs with an
 * empty line between, in the order of struct cause_text. */
#ifndef CAUSE_H
#define CAUSE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/conf_report.h"
#include "policy/policy.h"

enum cause {
	CAUSE_GREYLISTED,
	CAUSE_REPUTATION,
	CAUSE_BUSY,
	CAUSE_LIMITED,
	CAUSE_POLICY,
	CAUSE_LISTED,
	CAUSE_PROTOCOL,
	CAUSE_OWN, /* something of ours did not work */
	CAUSES
};
extern const char *const cause_names[CAUSES]; /* "greylisted" ... */

enum language { ENGLISH, GERMAN, LANGUAGES };
extern const char *const language_names[LANGUAGES]; /* "en", "de" */

/* What an Accept-Language field (or NULL) prefers of these (RFC 9110 12.5.4). */
enum language language_choose(const char *accepted);

/* The cause of a deferral, by the names of its response and its rule. */
enum cause
cause_of(const struct policy *policy, const char *response, const char *rule);

/* What else the page says. */
enum word {
	WORD_TITLE,
	WORD_SAFE,
	WORD_ARRIVED,
	WORD_SAFE_PASSED,
	WORD_WHY,
	WORD_TURN,
	WORD_WHEN,
	WORD_WHEN_PASSED,
	WORD_HELP,
	WORD_STORY,
	WORD_POSTMASTER,
	WORD_REFERENCE,
	WORD_RULE,
	WORD_REPLY,
	WORD_CLIENT,
	WORD_SERVER,
	WORD_CONTACT,
	WORD_PUT_OFF,
	WORD_ACCEPTED,
	WORD_NEXT,
	WORD_UNKNOWN,
	WORD_UNKNOWN_TEXT,
	WORD_TOO_OFTEN,
	WORD_AWAY,
	WORD_PASSED,
	WORD_AFTER,
	WORD_IN,
	WORD_LET_IN,
	WORD_JUDGED,
	WORD_MAY,
	WORD_MAY_JUDGED,
	WORD_SOME_TIME,
	WORD_GAVE_UP,
	WORD_NOT_KEPT,
	WORD_RELEASE,
	WORD_RELEASE_TEXT,
	WORD_RELEASED,
	WORD_NOT_RELEASED,
	WORD_OTHER,
	WORD_STATE, /* and those of the other states, of enum journal_state */
	WORDS = WORD_STATE + 5
};
extern const char *const cause_page_words[LANGUAGES][WORDS];

#define CAUSE_WORDS_SIZE 1024
struct cause_text {
	char happened[CAUSE_WORDS_SIZE]; /* one sentence */
	char turn[CAUSE_WORDS_SIZE];	 /* whose turn it is */
	char help[CAUSE_WORDS_SIZE];	 /* what to do if it does not pass */
	/* Whether who comes back in time is let in, as far as this cause goes;
	 * else the message is only looked at anew. */
	bool passes;
};

/* The words; `directory` "": those shipped.  A file that cannot be read is as if it
 * were not there. */
void cause_words(enum cause cause, const char *response, enum language language,
    const char *directory, struct cause_text *text_r);

/* Say what of the files in `directory` will not be shown as it stands there.  False:
 * there is no such directory. */
bool cause_look(const char *directory, conf_say *say, void *arg);

#endif
