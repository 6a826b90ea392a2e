/* replay_results -- what a replay has found: its figures by name, tests of them
 * (--fail-if), and all of it as objects. */
#ifndef REPLAY_RESULTS_H
#define REPLAY_RESULTS_H

#include "ctl/ctl.h"
#include "maillog/maillog_lines.h"
#include "replay/findings.h"
#include "replay/replay.h"

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
