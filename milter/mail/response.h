/* response -- the text of a deferral: checked when loaded, filled when sent.
 *
 * A template is the reply as an SMTP client sees it, "451 4.7.1 text", with
 * placeholders %{name}.  Whatever a client sent is cleaned and cut as it is
 * filled in, so that no input can break a reply line (RFC 5321 4.2, 4.5.3.1.5;
 * RFC 3463 for the enhanced code). */
#ifndef RESPONSE_H
#define RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

#define REPLY_LINES_MAX	  8
#define RESPONSE_WHY_SIZE 260
/* Text of one line after code and enhanced code.  RFC 5321 allows 512 octets a
 * line in all; doubling every % for libmilter must stay below its 980. */
#define REPLY_TEXT_MAX 450
/* What a template leaves free for each of its placeholders at the least. */
#define REPLY_ROOM_MIN 40

/* What a placeholder can stand for. */
enum placeholder {
	FILL_CLIENT_ADDR,
	FILL_CLIENT_NAME,
	FILL_HELO,
	FILL_SENDER,
	FILL_RECIPIENT,
	FILL_SERVER,
	FILL_RULE,
	FILL_REFERENCE,
	FILL_LINK,
	FILL_WAIT,
	FILL_SCORE,
	FILL_COUNT
};

/* One text for each placeholder; NULL counts as "". */
struct response_values {
	const char *text[FILL_COUNT];
};

/* A checked template. */
struct response {
	char *name;
	char code[4];
	char xcode[12]; /* "" if there is none */
	size_t line_count;
	struct {
		char *whole;	  /* as in the configuration, codes included */
		const char *text; /* in it, behind the codes */
	} lines[REPLY_LINES_MAX];
};

/* A filled reply: code "451", xcode "4.7.1" or "" and 1..REPLY_LINES_MAX
 * lines of printable ASCII, none longer than REPLY_TEXT_MAX.  A `%` stands
 * once.  Without an xcode no line starts with a digit: see response_fill(). */
struct reply {
	char code[4];
	char xcode[12];
	size_t line_count;
	char lines[REPLY_LINES_MAX][REPLY_TEXT_MAX + 1];
};

/* Check `count` template lines (each whole, with the same codes) and make a
 * response of them.  False: `why_r` says in plain words what is wrong with
 * line number `*line_r` (0-based): not 4yz, an enhanced code not of class 4,
 * an unknown placeholder, a control or non-ASCII character, too long, too many
 * lines, codes that differ; or memory ran out. */
bool response_make(const char *name, const char *const *lines, size_t count,
    struct response **response_r, char why_r[RESPONSE_WHY_SIZE],
    size_t *line_r);

/* Clears the pointer; NULL in it is fine. */
void response_free(struct response **response);

/* NULL when the enhanced code suits the basic code (RFC 5248), else a warning
 * in plain words, e.g. 452 with a subject that has nothing to do with space. */
const char *response_doubt(const struct response *response);

/* Whether the template names this placeholder. */
bool response_uses(const struct response *response, enum placeholder which);

/* Fill the template.  Never fails: the literal text of the template always
 * stays whole, the values share what room is left and are cut to it.
 *
 * A text without an enhanced code that starts with a digit gets "4.0.0", as
 * Sendmail would show it anyhow: Postfix takes the digit for a code of another
 * class and then fails the rest of the session. */
void response_fill(const struct response *response,
    const struct response_values *values, struct reply *reply_r);

/* The same for a single text without codes, such as the link setting, which
 * may be empty and may not name %{link} itself. */
bool response_check_text(const char *text, char why_r[RESPONSE_WHY_SIZE]);
/* `size` is that of out_r; REPLY_TEXT_MAX + 1 always suffices. */
void response_fill_text(const char *text, const struct response_values *values,
    char *out_r, size_t size);

/* Write seconds as a postmaster would say them: "40 seconds", "5 minutes",
 * "2 hours"; rounded up, so that whoever waits that long passes. */
void response_say_wait(long long seconds, char *out_r, size_t size);

/* Write a filled reply as the client sees it, codes and all, its lines parted by
 * '\n', cut to `size` - 1 octets. */
void reply_say(const struct reply *reply, char *text_r, size_t size);

/* A filled reply becomes what libmilter can send unharmed.
 *
 * Two traps lie between a text and the client.  libmilter's reply is a format
 * to Sendmail: a single % makes it answer 550 where 451 was meant.  And a reply
 * without enhanced code whose text begins with a digit is taken for a malformed
 * enhanced code by Postfix, which then answers 4.3.5 for the rest of the
 * session.  Pure. */
#define REPLY_WIRE_TEXT_MAX (2 * REPLY_TEXT_MAX)
struct reply_wire {
	char code[4];
	char xcode[12]; /* "": none is needed */
	size_t line_count;
	char lines[REPLY_LINES_MAX][REPLY_WIRE_TEXT_MAX + 1];
};
void reply_wire_make(const struct reply *reply, struct reply_wire *wire_r);

#endif
