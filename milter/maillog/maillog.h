/* maillog -- attempts to deliver mail, as the lines of a log tell of them.
 *
 * What is told of one attempt is scattered over some minutes of the log, among that
 * of many others.  Attempts come out whole, in the order in which they began.
 *
 * An attempt is what a filter would have been asked about: a recipient that was
 * accepted, or put off by a greylist.  Others are counted with the attempt that they
 * belong to.  Memory is bounded: of an attempt that is not complete after some
 * minutes, or when too many are under way, it is given what is known. */
#ifndef MAILLOG_H
#define MAILLOG_H

#include "maillog/maillog_line.h"

#define MAILLOG_RECIPIENTS 128

struct maillog_attempt {
	int64_t at;	    /* Unix seconds */
	const char *client; /* address; netaddr_parse() reads it */
	const char *name;   /* verified; NULL: none */
	const char *helo;   /* NULL: not told */
	const char *user;   /* NULL: not logged in */
	bool tls;
	const char *sender;
	int64_t size; /* octets; 0: not told */
	const char *recipients[MAILLOG_RECIPIENTS];
	enum maillog_fate fates[MAILLOG_RECIPIENTS]; /* of each of them */
	size_t recipient_count;
	size_t refused; /* recipients that the mail server itself refused */
};

struct maillog_sums {
	int64_t attempts;
	int64_t unfinished; /* of which sender or recipients were never told */
	int64_t screened;   /* lines of postscreen */
	int64_t used;	    /* lines that said something about an attempt */
};

struct maillog;

/* NULL: out of memory. */
struct maillog *maillog_open(void);
void maillog_close(struct maillog **log);

/* Take in the next line, at or after the time of the last one.  False: out of
 * memory. */
bool
maillog_feed(struct maillog *log, const struct maillog_line *line, int64_t at);

/* The next attempt that is complete and before which none is under way, or at the end,
 * when no more lines come, the next one of all; good until the next call of any.
 * False: there is none for now. */
bool maillog_take(
    struct maillog *log, bool is_end, struct maillog_attempt *attempt_r);

const struct maillog_sums *maillog_sums(const struct maillog *log);

#endif
