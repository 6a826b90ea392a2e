/* client -- what the client's thread and those who ask share. */
#ifndef REDIS_CLIENT_H
#define REDIS_CLIENT_H

#include "base/outage.h"
#include "redis/nodes.h"

/* What nobody waits for may wait so long to be sent. */
enum { REDIS_RIDE_MS = 20 };

/* Who we are, and whom we trust; strings and `tls` are its own. */
struct redis_login {
	char *user;
	char *password;
	char *sentinel_user;
	char *sentinel_password;
	char *tls_name;
	struct ssl_ctx_st *tls; /* of redis_tls_open() */
};

/* Whether servers do what they are told; the thread's. */
struct redis_health {
	redis_report report;
	void *report_arg;

	bool is_ill;
	struct outage outage;
	char where[REDIS_WHERE_SIZE];
	char command[24]; /* refused last */
	int64_t refused_ms;
};

struct redis {
	int64_t call_ms;
	char *master_name;
	struct redis_login login; /* the thread's */
	struct redis_nodes_terms terms;
	struct redis_health health;
	struct redis_nodes *nodes;
	pthread_t thread;
	bool is_running;
	int wake[2]; /* a pipe that the thread polls */

	pthread_mutex_t mutex;	  /* for all that follow, and what nodes has */
	struct redis_login *next; /* to be used from now on, or NULL */
	uint64_t calls;		  /* ever handed over */
	bool is_asleep;	 /* the thread is, and nobody has woken it yet */
	bool is_ticking; /* but it wakes by itself within REDIS_RIDE_MS */
	bool is_stopping;
};

#endif
