#include "redis_follow.h"
#include "redis_thread.h"

#include <stdlib.h>

static bool
ask(struct redis_link *link, struct redis_call *call)
{
	if (redis_link_wait_up(link, call->due_ms) &&
	    redis_link_submit(link, call)) {
		redis_link_push(link);
		redis_link_await(call);
	}
	return call->is_answered;
}

/* `*asked` is the server that gave the redirection, and then the next one. */
static bool
hop(struct redis_cluster *cluster, struct redis_call *call,
    const struct redis_redirect *redirect, struct redis_address *asked)
{
	struct resp_commands again = {0};
	struct redis_call next = {.commands = &again, .due_ms = call->due_ms};
	struct redis_link *link =
	    redis_cluster_take_redirect(cluster, redirect, asked);

	if (link == NULL)
		return false;
	redis_link_address(link, asked);
	redis_redirect_collect(call, redirect, &again);
	next.replies = calloc(again.count, sizeof(struct resp_reply *));
	if (next.replies != NULL && ask(link, &next))
		redis_redirect_merge(call, redirect, next.replies);
	free(next.replies);
	resp_free(&again);
	redis_cluster_give(cluster, link);
	return next.is_answered;
}

bool
redis_follow(struct redis_cluster *cluster, struct redis_call *call)
{
	struct redis_redirect redirect;
	struct redis_address asked;

	redis_link_address(call->link, &asked);
	for (int hops = 0; hops < REDIS_HOPS; hops++) {
		if (!redis_redirect_find(call, &redirect))
			return true;
		if (call->due_ms - redis_thread_now() < REDIS_PATIENCE_MS ||
		    !hop(cluster, call, &redirect, &asked))
			return false;
	}
	return false;
}
