/* run -- one policy against the traffic of some days. */
#ifndef RUN_H
#define RUN_H

#include "tally.h"

struct run_terms {
	uint64_t seed;
	int days;
	int servers;
	double scale;	/* of the number of senders */
	int attack_day; /* from 0; -1: none */
	struct traffic_quality quality;
};

/* False: something failed, and standard error says what. */
bool run_policy(
    const char *config, const struct run_terms *terms, struct tally *tally_r);

#endif
