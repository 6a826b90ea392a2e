/* shared_parts -- the inside of what sessions share, for shared.c and message.c alone. */
#ifndef SHARED_PARTS_H
#define SHARED_PARTS_H

#include <libpsl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "dns/dns_lists.h"
#include "load/load_watch.h"
#include "session/client_names.h"
#include "session/known_cache.h"
#include "session/shared.h"
#include "store/lists.h"

struct shared {
	pthread_mutex_t mutex; /* guards `policy` */
	struct policy *policy;
	struct store *store;
	struct load_watch *load_watch;
	struct lists *lists;
	struct resolver *resolver;
	struct dns_lists *dns_lists;
	struct known_cache *known_cache;
	struct client_names *client_names;
	struct reports *reports;
	struct reports *file_reports; /* for the thread that reads the file */
	psl_ctx_t *psl; /* NULL: no public suffix list, hence no pools */
	atomic_llong sessions;
};

#endif
