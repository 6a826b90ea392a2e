/* ctl -- what a command of milter-deferctl is given, and what it may do.
 *
 * A command is a function.  It runs in the tool itself or, where only the daemon
 * has what it needs, in a thread of the daemon, for whoever connected to the
 * control socket; it need not know which.  Therefore it
 *   - emits JSON objects, one after another, and prints nothing: each has a
 *     "kind", and names that stay as they are, since programs read them;
 *   - reads no terminal, no environment, and no file that a word of its command
 *     line names: what it is fed comes line by line, from ctl_line(); only one
 *     without CTL_STORE and CTL_DAEMON may, which no daemon runs;
 *   - may tell how far it is by objects of kind "progress" with a "text", which a
 *     terminal shows, or standard error with --progress;
 *   - keeps no state, uses no getopt(), and may run several times at once;
 *   - waits by ctl_wait() alone, and returns soon once that, ctl_emit() or
 *     ctl_line() is false;
 *   - is bounded: pages of what is stored, never all of it in memory;
 *   - changes something only if its row says CTL_CHANGES.
 * How to add one stands in CONTRIBUTING. */
#ifndef CTL_H
#define CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "policy/policy.h"
#include "session/shared.h"
#include "store/store.h"
#include "transfer/json_text.h"

/* Exit status of the tool. */
enum ctl_status {
	CTL_DONE,
	CTL_NOTHING, /* nothing was found, or the answer is no */
	CTL_FAILED   /* wrong usage, or it could not be told */
};

enum ctl_flags {
	CTL_STORE = 1,	 /* asks the store: runs in the tool with Redis, in the
			 * daemon with the embedded store */
	CTL_DAEMON = 2,	 /* asks for what only a running daemon knows */
	CTL_CHANGES = 4, /* who ran it is told in the log */
	CTL_LIVE = 8,	 /* goes on until it is stopped */
	CTL_BARE = 16,	 /* needs no configuration: `policy` is NULL */
	CTL_DATA = 32,	 /* what it emits is data: JSON, whoever reads */
	/* Objects between two of kind "frame" are a picture, shown in the place
	 * of the one before; one of kind "tick" is for who reads lines. */
	CTL_FRAMES = 64
};

/* Said as --name ARGUMENT or --name=ARGUMENT, anywhere in the line. */
struct ctl_option {
	const char *name;     /* without the dashes */
	const char *argument; /* what it takes, in capitals; NULL: nothing */
	const char *help;     /* one line */
	bool many;	      /* may be given several times */
};

struct ctl;
struct ctl_args;

/* How the objects of one kind are shown to people. */
enum ctl_format {
	CTL_TEXT,
	CTL_NUMBER, /* to the right */
	CTL_TIME,   /* Unix seconds, as local date and time */
	CTL_AGO,    /* Unix seconds, as "5m ago" */
	CTL_UNTIL,  /* Unix seconds, as "in 5m" */
	CTL_SPAN,   /* seconds, as "5m" */
	CTL_FLAG,   /* yes, or nothing */
	CTL_SPARK,  /* an array of numbers, as a small plot */
	CTL_BAR,    /* 0 to 1, as a bar so long */
	CTL_MARK    /* a word that is good or bad, coloured by that */
};
struct ctl_column {
	const char *key;
	const char *title;
	enum ctl_format format;
};
struct ctl_layout {
	const char *kind;
	/* As rows of a table with these columns; false: one line for each of
	 * them that the object has. */
	bool is_table;
	struct ctl_column columns[16]; /* up to one without a key */
};

struct ctl_command {
	const char *name;      /* of one word or two: "list add" */
	const char *arguments; /* as in "REFERENCE | --from S"; "": none */
	const char *help;      /* one line */
	unsigned flags;	       /* of enum ctl_flags */
	size_t least_words;    /* besides options */
	size_t most_words;
	const struct ctl_option *options; /* up to one without a name; or NULL
					   */
	const struct ctl_layout *layouts; /* up to one without a kind; or NULL:
					   * objects of other kinds are shown
					   * name by name */
	enum ctl_status (*run)(struct ctl *ctl, const struct ctl_args *args);
	/* What ctl_line() gives to the command comes from here; it runs in the
	 * tool, beside the command, and may read files.  False: it has told
	 * why on standard error, and the command fails.  NULL: no input. */
	bool (*feed)(const struct ctl_args *args, FILE *out);
};

#define CTL_WORDS_MAX 256

/* A command line, read by its row.  The strings are borrowed. */
struct ctl_args {
	const struct ctl_command *command;
	const char *words[CTL_WORDS_MAX];
	size_t word_count;
	struct ctl_given {
		const struct ctl_option *option;
		const char *value; /* "" of one that takes nothing */
	} given[CTL_WORDS_MAX];
	size_t given_count;
};

/* Where the objects go and the input comes from. */
struct ctl_io {
	/* Either of these; false: nobody listens.  A line is an object and its
	 * newline. */
	bool (*emit)(void *arg, const json_t *object);
	bool (*write)(void *arg, const char *line, size_t length);
	/* Octets of the input; 0: its end.  NULL: there is none. */
	ssize_t (*read)(void *arg, char *buffer, size_t size);
	bool (*wait)(void *arg, int64_t ms); /* false: it is to end */
	void *arg;
};

/* What a command has.  All of it is borrowed. */
struct ctl {
	const char *file; /* the configuration */
	struct policy
	    *policy;	     /* what it says; in the daemon, what is in force */
	struct store *store; /* NULL without CTL_STORE */
	struct shared *shared; /* of the daemon that we are; NULL in the tool */
	const char *user;      /* who asks */
	uid_t uid;
	bool may_change; /* run commands with CTL_CHANGES */
	struct ctl_io io;
	bool is_ended; /* nobody listens any more, or it is to end */
	char input[4096];
	size_t input_at, input_end;
};

/* ---- The table */

extern const struct ctl_command *const ctl_commands[];
extern const size_t ctl_command_count;

/* The command that these words begin with, that of the longest name, and how many
 * are its name; NULL: there is none. */
const struct ctl_command *
ctl_find(size_t count, const char *const *words, size_t *used_r);

#define CTL_WHY_SIZE 512

/* Read the words after the name.  False: `why_r` tells what is wrong. */
bool ctl_parse(const struct ctl_command *command, size_t count,
    const char *const *words, struct ctl_args *args_r,
    char why_r[CTL_WHY_SIZE]);

/* Run it, and see to the line in the log. */
enum ctl_status ctl_run(struct ctl *ctl, const struct ctl_args *args);

/* ---- For commands */

/* The value of an option, the first if there are several; NULL: it is not there. */
const char *ctl_value(const struct ctl_args *args, const char *name);

/* Its value number `index`; NULL: there are not as many. */
const char *
ctl_value_at(const struct ctl_args *args, const char *name, size_t index);

/* A duration such as 2h, or a number, 0 or more; `*value_r` stays as it is where
 * the option is not given.  False: it is none, and that was told. */
bool ctl_duration(struct ctl *ctl, const struct ctl_args *args,
    const char *name, int64_t *seconds_r);
bool ctl_number(struct ctl *ctl, const struct ctl_args *args, const char *name,
    int64_t *value_r);

/* Give an object away; it becomes ours, and may be NULL, for want of memory.
 * False: nobody listens any more. */
bool ctl_emit(struct ctl *ctl, json_t *object);

/* Emit a sentence of kind "error", "warning" or "note".  ctl_fail() is for what
 * makes the command fail, ctl_nothing() for "no". */
enum ctl_status ctl_fail(struct ctl *ctl, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum ctl_status ctl_nothing(struct ctl *ctl, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void ctl_warn(struct ctl *ctl, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What went wrong with the store, in a sentence; CTL_FAILED. */
enum ctl_status ctl_fail_store(struct ctl *ctl, enum store_result result);

/* Wait.  False: it is to end. */
bool ctl_wait(struct ctl *ctl, int64_t ms);

/* Whether to ask a store again that did not answer, after a while; `*tries` is 0 at
 * first. */
bool ctl_try_again(struct ctl *ctl, enum store_result result, int *tries);

/* What is done while nobody waits rests for as long as it has worked.  False: it is to
 * end. */
bool ctl_rest(struct ctl *ctl, int64_t began_us);

/* The next page of a walk (store_walk()), asked for again where the store does not
 * answer, with a rest behind it. */
enum store_result ctl_walk(struct ctl *ctl, struct store_walk *walk,
    store_record_each *each, void *arg);

/* The next line of the input, without its end; a longer one is cut.  False: there
 * is none. */
bool ctl_line(struct ctl *ctl, char *line_r, size_t size);

/* How objects of this kind are shown; NULL: the command does not say. */
const struct ctl_layout *
ctl_layout(const struct ctl_command *command, const char *kind);

/* ---- For the daemon */

/* Run the command of one request, a JSON object in one line:
 * {"argv": ["show", "192.0.2.7"]}.  The last line that is written is
 * {"kind": "end", "status": 0}. */
void ctl_serve(struct ctl *ctl, const char *request);

#endif
