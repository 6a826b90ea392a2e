/* load_report -- the load of one host, as hosts publish it: "<Unix seconds>:<load>".
 *
 * A load is a share of what a host can bear: 0 is idle, 1.0 is full.  Pure. */
#ifndef LOAD_REPORT_H
#define LOAD_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOAD_REPORT_SIZE 48 /* bytes that hold any formatted report */

struct load_report {
	int64_t at;  /* when it was published */
	double load; /* 0..LOAD_MAX, else it is nonsense */
};

/* False for NaN, negative, infinite and absurdly large numbers. */
bool load_is_sane(double load);

/* Read a published report, strictly.  False, and *report_r unchanged, if it is
 * malformed or its load is nonsense. */
bool
load_report_parse(const char *text, size_t len, struct load_report *report_r);

/* Write a report that load_report_parse() reads, with three decimals.  Nonsense
 * is written as load 0, times before 1970 as 0. */
void load_report_format(
    const struct load_report *report, char text_r[LOAD_REPORT_SIZE]);

#endif
