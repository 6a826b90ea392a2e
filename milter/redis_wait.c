#include "redis_wait.h"

void
redis_wait_open(struct redis_wait *wait_r)
{
	(void)pthread_mutex_init(&wait_r->mutex, NULL);
	(void)pthread_cond_init(&wait_r->all_done, NULL);
	wait_r->left = 0;
}

void
redis_wait_close(struct redis_wait *wait)
{
	(void)pthread_mutex_destroy(&wait->mutex);
	(void)pthread_cond_destroy(&wait->all_done);
}

static void
one_less(struct redis_wait *wait)
{
	(void)pthread_mutex_lock(&wait->mutex);
	if (--wait->left == 0)
		(void)pthread_cond_signal(&wait->all_done);
	(void)pthread_mutex_unlock(&wait->mutex);
}

static void
note_done(struct redis_call *call)
{
	one_less(call->arg);
}

bool
redis_wait_submit(
    struct redis_wait *wait, struct redis_link *link, struct redis_call *call)
{
	call->done = note_done;
	call->arg = wait;
	(void)pthread_mutex_lock(&wait->mutex);
	wait->left++; /* before the answer can come */
	(void)pthread_mutex_unlock(&wait->mutex);
	if (redis_link_submit(link, call))
		return true;
	one_less(wait);
	return false;
}

void
redis_wait_all(struct redis_wait *wait)
{
	(void)pthread_mutex_lock(&wait->mutex);
	while (wait->left > 0)
		(void)pthread_cond_wait(&wait->all_done, &wait->mutex);
	(void)pthread_mutex_unlock(&wait->mutex);
}
