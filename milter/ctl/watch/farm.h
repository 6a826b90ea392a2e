/* farm -- what all mail servers that share a store have counted, together. */
#ifndef FARM_H
#define FARM_H

#include "ctl/ctl.h"
#include "store/counters.h"

#define FARM_HOSTS  64
#define FARM_SILENT INT64_C(10) /* seconds without a sign of life */

struct farm_host {
	char name[256];
	int64_t seen;	 /* its last sign of life, Unix seconds; 0: none */
	double load;	 /* NaN: it tells none */
	bool has_counts; /* what follows was told */
	int64_t since;
	int64_t counts[COUNTS];
	int64_t slow_us; /* 99 of 100 questions to the store took less; -1:
			  * nobody knows */
};

/* Large: not for the stack. */
struct farm {
	int64_t now; /* of the store's clock */
	struct farm_host hosts[FARM_HOSTS];
	size_t host_count;
	struct counters_view sum;
};

/* Read it; `farm_r` is filled anew. */
enum store_result farm_look(struct ctl *ctl, struct farm *farm_r);

/* What was counted in the last minutes, the oldest first; the last is the one that is
 * under way. */
json_t *farm_minutes(const struct farm *farm, enum count which, size_t minutes);

#endif
