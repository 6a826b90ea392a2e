/* strain -- how busy does the mail make a server, and what can it not take?
 *
 * A server has work to do for each attempt, most of it for the contents of a
 * message, and other things to do that follow the time of day.  Its load is
 * what is asked of it, as a share of what it can do; what is above 1.0 it has
 * to turn away, whoever comes.  Times are seconds. */
#ifndef STRAIN_H
#define STRAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "farm.h"

#define STRAIN_STEP INT64_C(5) /* seconds from one strain_step() to the next */

/* All zero at first. */
struct strain {
	double asked;	/* units of work since the last step */
	double rate;	/* units asked for in a second, smoothed */
	double room;	/* units that can be done now */
	double typical; /* units of an attempt, lately */
};

/* The other things that a server does, as a share of it: 0..1. */
double strain_of_day(int64_t now);

/* Let STRAIN_STEP seconds pass up to `now`; gives the load. */
double strain_step(struct strain *strain, int64_t now);

/* One attempt comes.  False: there is no room, and it is turned away. */
bool strain_admits(struct strain *strain);

/* It got as far as this. */
void strain_worked(struct strain *strain, enum farm_step step);

#endif
