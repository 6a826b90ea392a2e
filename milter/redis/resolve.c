#include "redis/resolve.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/thread.h"

struct redis_resolving {
	struct redis_address address;
	int wake_fd;		/* our own copy */
	atomic_int owners;	/* the asker, and the thread while it runs */
	atomic_bool is_done;	/* then the rest is the asker's */
	int error;		/* of getaddrinfo */
	struct addrinfo *found; /* NULL: none, or taken */
};

static void
let_go(struct redis_resolving *resolving)
{
	if (atomic_fetch_sub(&resolving->owners, 1) != 1)
		return;
	if (resolving->found != NULL)
		freeaddrinfo(resolving->found);
	(void)close(resolving->wake_fd);
	free(resolving);
}

static void
look_up(struct redis_resolving *resolving, int flags)
{
	const struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM,
	    .ai_flags = flags,
	};

	resolving->error = getaddrinfo(resolving->address.host,
	    resolving->address.port, &hints, &resolving->found);
	if (resolving->error != 0)
		resolving->found = NULL;
}

static void *
run(void *arg)
{
	struct redis_resolving *resolving = arg;

	look_up(resolving, 0);
	atomic_store(&resolving->is_done, true);
	(void)!write(resolving->wake_fd, "", 1);
	let_go(resolving);
	return NULL;
}

static bool
start_thread(struct redis_resolving *resolving)
{
	atomic_store(&resolving->owners, 2);
	if (thread_start(NULL, "resolve", run, resolving))
		return true;
	atomic_store(&resolving->owners, 1);
	return false;
}

struct redis_resolving *
redis_resolve(const struct redis_address *address, int wake_fd)
{
	struct redis_resolving *resolving = calloc(1, sizeof *resolving);

	if (resolving == NULL)
		return NULL;
	resolving->address = *address;
	resolving->wake_fd = fcntl(wake_fd, F_DUPFD_CLOEXEC, 0);
	atomic_init(&resolving->owners, 1);
	/* An IP address needs no thread. */
	look_up(resolving, AI_NUMERICHOST | AI_NUMERICSERV);
	if (resolving->error == 0)
		atomic_store(&resolving->is_done, true);
	else if (resolving->wake_fd < 0 || !start_thread(resolving))
		redis_resolve_forget(&resolving);
	return resolving;
}

bool
redis_resolve_is_done(const struct redis_resolving *resolving)
{
	return atomic_load(&resolving->is_done);
}

const char *
redis_resolve_take(
    struct redis_resolving **resolving, struct addrinfo **found_r)
{
	int error = (*resolving)->error;

	*found_r = (*resolving)->found;
	(*resolving)->found = NULL;
	redis_resolve_forget(resolving);
	return error != 0 ? gai_strerror(error) : NULL;
}

void
redis_resolve_forget(struct redis_resolving **resolving)
{
	if (*resolving != NULL)
		let_go(*resolving);
	*resolving = NULL;
}
