/* resp -- Redis's protocol: commands become bytes, bytes become replies.
 * The only module that knows hiredis (0.14 and 1.x). */
#ifndef RESP_H
#define RESP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Commands: a growing buffer of encoded commands, sent as one pipeline.
 *
 * All zero is an empty buffer.  Errors stick: once a command could not be
 * added (no memory, wrong number of words), `failed` stays set and whoever
 * sends the buffer refuses it, so that nobody checks after each word. */
struct resp_commands {
	char *bytes;
	size_t length;
	size_t size;	  /* of the memory behind `bytes` */
	size_t count;	  /* commands begun */
	size_t words_due; /* words that the last of them still lacks */
	bool failed;
};

/* Add one whole command of C strings:
 *	resp_add(&commands, "EXPIRE", key, "60", "NX"); */
#define resp_add(commands, ...)                                                \
	resp_add_all(commands, (const char *const[]){__VA_ARGS__, NULL})
void resp_add_all(struct resp_commands *commands, const char *const words[]);

/* Or word by word: announce how many (the name counts), then add each. */
void resp_begin(struct resp_commands *commands, size_t words);
void resp_add_bytes(
    struct resp_commands *commands, const void *bytes, size_t length);
void resp_add_string(struct resp_commands *commands, const char *string);
void resp_add_integer(struct resp_commands *commands, int64_t integer);

/* Append the commands of `more`, which stays as it was. */
void resp_add_commands(
    struct resp_commands *commands, const struct resp_commands *more);

/* Append the command of `more` with this index; that there is none is an error. */
void resp_add_command(struct resp_commands *commands,
    const struct resp_commands *more, size_t index);

/* A word of the command with this index (0 is its name), without end marker, or
 * NULL if there is none. */
const char *resp_command_word(const struct resp_commands *commands,
    size_t index, size_t word, size_t *length_r);

/* Make room for so many bytes, so that adding them cannot fail.  False: no
 * memory, nothing changed. */
bool resp_reserve(struct resp_commands *commands, size_t more);

/* True when the buffer may be sent: complete commands, at least one. */
bool resp_is_complete(const struct resp_commands *commands);

/* Forget the commands and keep the memory, or give back the memory too.
 * Both clear `failed`. */
void resp_reset(struct resp_commands *commands);
void resp_free(struct resp_commands *commands);

/* ---- Replies.  Every question may be put to any reply, NULL too: a reply of
 * another kind answers "no" and never a made-up value. */
struct resp_reply;

enum resp_type {
	RESP_NIL, /* also for NULL, and for the null array */
	RESP_STATUS,
	RESP_STRING,
	RESP_INTEGER,
	RESP_ARRAY,
	RESP_ERROR,
};

enum resp_type resp_type(const struct resp_reply *reply);

/* An integer reply, or a string which is a whole decimal number (hash fields
 * come as strings).  False for all others and if it does not fit: `*value_r`
 * is then untouched. */
bool resp_integer(const struct resp_reply *reply, int64_t *value_r);

/* The bytes of a string or status reply, which end with a '\0' that is not
 * counted (and may contain others), or NULL.  They live as long as the reply.
 * `length_r` may be NULL. */
const char *resp_string(const struct resp_reply *reply, size_t *length_r);

/* The text of an error reply ("OOM command not allowed ..."), or NULL. */
const char *resp_error(const struct resp_reply *reply);

/* Elements of an array: 0 and NULL where there are none.  An element belongs
 * to its array. */
size_t resp_count(const struct resp_reply *reply);
const struct resp_reply *
resp_element(const struct resp_reply *reply, size_t index);

void resp_reply_free(struct resp_reply **reply);

/* ---- Parser: bytes of one connection in, replies out, in order. */
struct resp_parser;

enum resp_parsed {
	RESP_REPLY, /* one more reply */
	RESP_MORE,  /* not yet: feed more bytes */
	RESP_BAD,   /* nonsense; the connection is of no more use */
};

/* Bytes that one reply may have, and elements that one of its arrays may have.
 * One that has more is thrown away as it comes, and answered by the error
 * "TOOLONG ..." in its place; memory stays bounded.  Types of RESP3, deep
 * nesting, and strings of more than 64 MB are nonsense: we never ask for such. */
enum { RESP_REPLY_BYTES = 1 << 20, RESP_ARRAY_ELEMENTS = 1 << 16 };

struct resp_parser *resp_parser_open(void); /* NULL: no memory */
void resp_parser_close(struct resp_parser **parser);

/* Lend it more bytes, once resp_next has said RESP_MORE to those before: until it
 * says so again they must stay.  What is wrong with them, resp_next will tell. */
void resp_feed(struct resp_parser *parser, const void *bytes, size_t length);

/* `*reply_r` is set for RESP_REPLY, and then it is the caller's. */
enum resp_parsed
resp_next(struct resp_parser *parser, struct resp_reply **reply_r);

/* What was wrong, after RESP_BAD. */
const char *resp_wrong(const struct resp_parser *parser);

#endif
