/* farm_parts -- the inside of a farm, for farm*.c alone. */
#ifndef FARM_PARTS_H
#define FARM_PARTS_H

#include "farm.h"
#include "policy/policy.h"
#include "session/shared.h"
#include "store/store.h"

/* What one server takes for its store. */
struct branch {
	struct store store;
	struct farm *farm;
	size_t number;
};

struct server {
	struct shared *shared;
};

struct farm {
	struct store *store; /* the one that all share */
	struct server *servers;
	size_t server_count;
	struct load_report *reports; /* one for each server */
	/* of the attempt in hand */
	struct farm_result *result;
	double prior;
	int64_t known_after;
};

/* farm_evidence.c: what DNS says of the attempt in hand. */
void farm_evidence_of(const struct farm_says *says);

/* farm_store.c: what all servers share.  NULL: out of memory. */
struct store *farm_store_open(const struct settings *settings, int64_t now);
struct store *farm_store_branch(struct farm *farm, size_t number);

#endif
