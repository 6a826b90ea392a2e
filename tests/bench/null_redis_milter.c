/* null_redis_milter -- the null milter with one Redis round trip a message.
 *
 * Written as one would first write it: blocking hiredis calls on a pool of
 * connections under a mutex.  The command itself is as cheap as they come. */
#include "null_filter.h"

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#define POOL_SIZE 8

/* libmilter hands callbacks no argument of ours at DATA unless each session
 * allocates one, which would be a cost of its own: hence one global pool. */
static struct {
	pthread_mutex_t mutex;
	pthread_cond_t returned;
	redisContext *idle[POOL_SIZE];
	int idle_count;
} pool = {
    .mutex = PTHREAD_MUTEX_INITIALIZER,
    .returned = PTHREAD_COND_INITIALIZER,
};

static redisContext *
pool_take(void)
{
	redisContext *link;

	pthread_mutex_lock(&pool.mutex);
	while (pool.idle_count == 0)
		pthread_cond_wait(&pool.returned, &pool.mutex);
	link = pool.idle[--pool.idle_count];
	pthread_mutex_unlock(&pool.mutex);
	return link;
}

static void
pool_return(redisContext *link)
{
	pthread_mutex_lock(&pool.mutex);
	pool.idle[pool.idle_count++] = link;
	pthread_cond_signal(&pool.returned);
	pthread_mutex_unlock(&pool.mutex);
}

static bool
pool_open(const char *path)
{
	while (pool.idle_count < POOL_SIZE) {
		redisContext *link = redisConnectUnix(path);

		if (link == NULL || link->err) {
			fprintf(stderr, "null_redis_milter: %s: %s\n", path,
			    link == NULL ? "no memory" : link->errstr);
			return false;
		}
		pool.idle[pool.idle_count++] = link;
	}
	return true;
}

static sfsistat
at_data(SMFICTX *context)
{
	redisContext *link = pool_take();
	redisReply *reply = redisCommand(link, "INCR bench:messages");

	(void)context;
	pool_return(link);
	if (reply == NULL)
		return SMFIS_TEMPFAIL; /* shows as deferred in the report */
	freeReplyObject(reply);
	return SMFIS_CONTINUE;
}

int
main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr,
		    "usage: null_redis_milter unix:/path /path/of/redis\n");
		return 2;
	}
	if (!pool_open(argv[2]))
		return 1;
	return null_filter_run("null_redis_milter", argv[1], 0, at_data);
}
