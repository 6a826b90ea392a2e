/* replay_results -- what a replay has found: its figures by name, tests of them
 * (--fail-if), clients of note, and all of it as objects. */
#ifndef REPLAY_RESULTS_H
#define REPLAY_RESULTS_H

#include "ctl/ctl.h"
#include "maillog/maillog_lines.h"
#include "replay/replay.h"

/* ---- Clients to be listed, each once for each rule that put it off */

/* A client as it is remembered, and the first time that it was found. */
struct finding {
	char *who; /* its organisation, or its network */
	char *client, *name, *sender, *recipient;
	const struct rule *rule;
	int64_t first; /* Unix seconds */
	int64_t count; /* messages */
};

#define FINDINGS_MAX 10000

/* All zero is an empty one. */
struct findings {
	struct finding *found; /* NULL: none yet */
	size_t count;
	int64_t unlisted; /* messages of clients for which there was no room */
};

/* The recipient of this number was put off.  False: out of memory. */
bool
findings_note(struct findings *findings, const struct maillog_attempt *attempt,
    const struct rehearsed *played, size_t recipient);

void findings_free(struct findings *findings);

/* ---- The run */

#define REPLAY_TESTS_MAX 16

struct replay_name;

/* "known.delayed > 0" */
struct replay_test {
	const char *text;
	const struct replay_name *name;
	enum replay_comparison {
		LESS,
		LESS_EQUAL,
		EQUAL,
		NOT_EQUAL,
		MORE_EQUAL,
		MORE
	} comparison;
	double number;
};

struct replay_run {
	struct ctl *ctl;
	const struct ctl_args *args;
	struct replay *replay;
	struct replay *against; /* NULL: there is none */
	struct maillog_lines *lines;
	struct maillog *log;
	struct findings known;	   /* known clients that waited */
	struct findings newly;	   /* who waits, and did not before */
	struct findings no_longer; /* the other way round */
	size_t listed;		   /* clients, at most */
	int64_t newly_delayed;	   /* messages */
	int64_t no_longer_delayed;
	int64_t first, last; /* times of attempts; 0: there was none */
	int64_t told_us;
	bool has_failed;	 /* and that was told */
	struct figures_rule sum; /* all rules together */
	struct replay_test tests[REPLAY_TESTS_MAX];
	size_t test_count;
};

/* Read the tests that the command line names.  False: one is wrong, and that was
 * told. */
bool replay_read_tests(struct replay_run *run);

/* Tell all, once the log has ended.  Whether the check fails: a test says so, or the
 * log had no mail. */
bool replay_tell(struct replay_run *run);

extern const struct ctl_layout replay_layouts[];

#endif
