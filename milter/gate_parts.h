/* gate_parts -- the inside of a gate, for gate.c and inquiry.c alone. */
#ifndef GATE_PARTS_H
#define GATE_PARTS_H

#include <libpsl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "busy.h"
#include "gate.h"
#include "lists.h"
#include "standing.h"

struct gate {
	pthread_mutex_t mutex; /* guards `policy` */
	struct policy *policy;
	struct store *store;
	struct busy *busy;
	struct lists *lists;
	struct standing *standing;
	struct reports *reports;
	psl_ctx_t *psl; /* NULL: no public suffix list, hence no pools */
	atomic_llong sessions;
};

#endif
