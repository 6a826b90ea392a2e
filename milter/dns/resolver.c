#include "dns/resolver.h"

/* ares.h needs it, and does not say so. */
#include <sys/select.h>

#include <ares.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/outage.h"
#include "base/random.h"
#include "base/thread.h"
#include "dns/dns_cache.h"
#include "mail/netaddr.h"
#include "policy/settings.h"

#define OPEN_MOST    1024 /* questions that wait for their answer */
#define CLASS_IN     1
#define DNS_PORT     53
#define SERVERS_SIZE (DNS_SERVERS_MAX * (NETADDR_TEXT_SIZE + 10))
#define TRIES	     2	  /* of each server, the second twice as long */
#define TRY_MS_MIN   20	  /* c-ares goes no lower than its own tick */
#define UDP_SIZE     1232 /* what passes everywhere */
#define DOUBT_AFTER  3	  /* questions in a row without any answer */
#define PROBE_MS     5000 /* from one probe to the next */
#define FAILURE_S    30	  /* how long a failure is kept, */
#define SILENCE_S    2	  /* and that nobody answered */
#define CROWDED_MS   60000

struct waiter {
	struct waiter *next;
	resolver_done *done;
	void *arg;
};

/* Whom to ask, and how long. */
struct asked {
	char servers[SERVERS_SIZE]; /* "" : the system's */
	int64_t timeout_ms;
};

struct resolver {
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t answered;
	struct dns_cache *cache;
	struct dns_entry *queue, **queue_end; /* to be asked */
	size_t open; /* entries that are asking, queued or not */
	unsigned char news[RESOLVER_NEWS_SIZE];
	size_t news_used;
	unsigned long answers;
	unsigned long refused; /* questions, because too many were open */
	struct asked asked;
	unsigned generation; /* of `asked` */
	bool enabled;	     /* somebody is to be asked */
	enum resolver_health health;
	bool woken;
	bool stop;

	/* of whoever opens and closes it */
	bool running;
	pthread_t thread;
	int pipe[2];

	/* of the thread */
	ares_channel channel; /* NULL: none */
	unsigned made;	      /* the generation of the channel, */
	struct asked using;   /* and whom it asks */
	unsigned unanswered;  /* in a row */
	int64_t probe_at_us;
	bool probing;
	struct outage outage;
	struct outage crowd;
	unsigned long refused_told;
	int64_t crowded_ms;
	unsigned char room[DNS_DATA_MAX];
};

/* One question of c-ares. */
struct question {
	struct resolver *resolver;
	struct dns_entry *entry; /* NULL: a probe */
};

static int64_t
now_s(void)
{
	return clock_steady_us() / 1000000;
}

/* ---- Open and close */

struct resolver *
resolver_open(void)
{
	struct resolver *resolver = calloc(1, sizeof *resolver);
	if (resolver == NULL)
		return NULL;
	resolver->cache = dns_cache_open(random_draw(&(struct random){0}));
	if (resolver->cache == NULL) {
		free(resolver);
		return NULL;
	}
	resolver->queue_end = &resolver->queue;
	resolver->pipe[0] = resolver->pipe[1] = -1;
	(void)pthread_mutex_init(&resolver->mutex, NULL);
	(void)thread_condition(&resolver->answered);
	return resolver;
}

static void
wake(struct resolver *resolver)
{
	if (resolver->woken || resolver->pipe[1] < 0)
		return;
	resolver->woken = true;
	(void)!write(resolver->pipe[1], "", 1);
}

void
resolver_close(struct resolver **resolver)
{
	struct resolver *mine = *resolver;

	if (mine == NULL)
		return;
	if (mine->running) {
		pthread_mutex_lock(&mine->mutex);
		mine->stop = true;
		wake(mine);
		pthread_mutex_unlock(&mine->mutex);
		(void)pthread_join(mine->thread, NULL);
	}
	for (int i = 0; i < 2; i++)
		if (mine->pipe[i] >= 0)
			(void)close(mine->pipe[i]);
	dns_cache_close(&mine->cache);
	(void)pthread_cond_destroy(&mine->answered);
	(void)pthread_mutex_destroy(&mine->mutex);
	free(mine);
	*resolver = NULL;
}

/* ---- From any thread */

static void
queue_question(struct resolver *resolver, struct dns_entry *entry)
{
	entry->asking = true;
	entry->queued = NULL;
	*resolver->queue_end = entry;
	resolver->queue_end = &entry->queued;
	resolver->open++;
	wake(resolver);
}

/* See to it that it is asked for, if it need be; NULL: it cannot be. */
static struct dns_entry *
ask_for(struct resolver *resolver, const char *name, enum dns_type type,
    int64_t now)
{
	bool can = resolver->enabled && !resolver->stop &&
	    resolver->health != RESOLVER_DEAD;
	struct dns_entry *entry =
	    dns_cache_find(resolver->cache, name, type, can);

	if (entry == NULL || entry->asking || dns_entry_is_fresh(entry, now) ||
	    !can)
		return entry;
	if (resolver->open < OPEN_MOST)
		queue_question(resolver, entry);
	else
		resolver->refused++;
	return entry;
}

static bool
add_waiter(struct dns_entry *entry, resolver_done *done, void *arg)
{
	struct waiter *waiter = malloc(sizeof *waiter);

	if (waiter == NULL)
		return false;
	*waiter = (struct waiter){entry->waiting, done, arg};
	entry->waiting = waiter;
	return true;
}

/* True: that is all there will be.  `entry` may be NULL. */
static bool
read_entry(const struct dns_entry *entry, int64_t now, unsigned char *room,
    size_t size, struct dns_answer *answer_r)
{
	*answer_r = (struct dns_answer){.status = DNS_FAILED};
	if (entry != NULL)
		*answer_r = dns_entry_answer(entry, now);
	if (answer_r->length > size)
		*answer_r = (struct dns_answer){.status = DNS_FAILED};
	if (answer_r->length > 0)
		memcpy(room, answer_r->data, answer_r->length);
	answer_r->data = room;
	return entry == NULL || !entry->asking;
}

bool
resolver_ask(struct resolver *resolver,
    const struct resolver_question *question, struct dns_answer *answer_r)
{
	struct dns_entry *entry;
	int64_t now = now_s();
	bool is_all;

	pthread_mutex_lock(&resolver->mutex);
	entry = ask_for(resolver, question->name, question->type, now);
	is_all =
	    read_entry(entry, now, question->room, question->size, answer_r);
	if (!is_all && question->done != NULL)
		is_all = !add_waiter(entry, question->done, question->arg);
	pthread_mutex_unlock(&resolver->mutex);
	return is_all;
}

void
resolver_prefetch(
    struct resolver *resolver, const char *name, enum dns_type type)
{
	int64_t now = now_s();

	pthread_mutex_lock(&resolver->mutex);
	(void)ask_for(resolver, name, type, now);
	pthread_mutex_unlock(&resolver->mutex);
}

bool
resolver_peek(struct resolver *resolver, const char *name, enum dns_type type,
    unsigned char *room, size_t size, struct dns_answer *answer_r)
{
	int64_t now = now_s();
	bool is_all;

	pthread_mutex_lock(&resolver->mutex);
	is_all = read_entry(dns_cache_find(resolver->cache, name, type, false),
	    now, room, size, answer_r);
	pthread_mutex_unlock(&resolver->mutex);
	return is_all;
}

size_t
resolver_take_news(
    struct resolver *resolver, unsigned char bytes_r[RESOLVER_NEWS_SIZE])
{
	size_t used;

	pthread_mutex_lock(&resolver->mutex);
	used = resolver->news_used;
	memcpy(bytes_r, resolver->news, used);
	resolver->news_used = 0;
	pthread_mutex_unlock(&resolver->mutex);
	return used;
}

void
resolver_learn(
    struct resolver *resolver, const unsigned char *bytes, size_t length)
{
	struct dns_news news;

	pthread_mutex_lock(&resolver->mutex);
	while (resolver->enabled && dns_news_next(&bytes, &length, &news)) {
		struct dns_entry *entry =
		    dns_cache_find(resolver->cache, news.name, news.type, true);

		if (entry != NULL && !entry->asking)
			dns_cache_keep(
			    resolver->cache, entry, &news.answer, now_s());
	}
	pthread_mutex_unlock(&resolver->mutex);
}

bool
resolver_wait(struct resolver *resolver, unsigned long *seen, int64_t due_us)
{
	struct timespec due = {.tv_sec = (time_t)(due_us / 1000000),
	    .tv_nsec = (long)(due_us % 1000000) * 1000};
	bool came;
	int error = 0;

	pthread_mutex_lock(&resolver->mutex);
	while (resolver->answers == *seen && error != ETIMEDOUT)
		error = pthread_cond_timedwait(
		    &resolver->answered, &resolver->mutex, &due);
	came = resolver->answers != *seen;
	*seen = resolver->answers;
	pthread_mutex_unlock(&resolver->mutex);
	return came;
}

enum resolver_health
resolver_health(struct resolver *resolver)
{
	enum resolver_health health;

	pthread_mutex_lock(&resolver->mutex);
	health = resolver->health;
	pthread_mutex_unlock(&resolver->mutex);
	return health;
}

/* ---- Whether anybody answers */

static const char *
servers_of(const struct resolver *resolver)
{
	return resolver->using.servers[0] == '\0' ? "the system's servers"
						  : resolver->using.servers;
}

static void
tell(struct resolver *resolver, const char *why)
{
	enum outage_news news =
	    outage_note(&resolver->outage, why, clock_steady_us() / 1000);

	if (news == OUTAGE_BEGAN)
		log_warning("DNS: %s: %s; what lists and domains say is "
			    "unknown, and mail goes on without it",
		    servers_of(resolver), why);
	else if (news == OUTAGE_ENDED)
		log_info("DNS: %s: answers again", servers_of(resolver));
}

enum told { TELLS_NOTHING, ANSWERED, UNANSWERED };

static enum told
told_by(int status)
{
	switch (status) {
	case ARES_ECANCELLED:
	case ARES_EDESTRUCTION:
	case ARES_EBADNAME:
	case ARES_ENOMEM:
		return TELLS_NOTHING;
	case ARES_SUCCESS:
	case ARES_ENODATA:
	case ARES_ENOTFOUND:
	case ARES_ESERVFAIL:
	case ARES_EREFUSED:
	case ARES_EFORMERR:
	case ARES_ENOTIMP:
		return ANSWERED;
	default:
		return UNANSWERED;
	}
}

/* Questions for one zone whose servers are slow may well stay without an answer:
 * they raise a doubt, and a probe settles it. */
static void
note_health(struct resolver *resolver, int status, bool is_probe)
{
	enum told told = told_by(status);
	enum resolver_health health = RESOLVER_LIVES;

	if (told == TELLS_NOTHING)
		return;
	resolver->unanswered =
	    told == UNANSWERED ? resolver->unanswered + 1 : 0;
	if (told == UNANSWERED)
		health = is_probe ? RESOLVER_DEAD : RESOLVER_IN_DOUBT;
	pthread_mutex_lock(&resolver->mutex);
	if (health != RESOLVER_IN_DOUBT || resolver->health != RESOLVER_DEAD)
		resolver->health = health;
	pthread_mutex_unlock(&resolver->mutex);
	if (health != RESOLVER_IN_DOUBT)
		tell(resolver,
		    health == RESOLVER_LIVES	  ? NULL
			: status == ARES_ETIMEOUT ? "no answer in time"
						  : ares_strerror(status));
}

/* Questions that were not put are told by the same rule. */
static void
note_crowd(struct resolver *resolver)
{
	int64_t now_ms = clock_steady_us() / 1000;
	unsigned long refused;

	pthread_mutex_lock(&resolver->mutex);
	refused = resolver->refused;
	pthread_mutex_unlock(&resolver->mutex);
	if (refused != resolver->refused_told)
		resolver->crowded_ms = now_ms;
	else if (!resolver->crowd.told ||
	    now_ms - resolver->crowded_ms < CROWDED_MS)
		return;
	if (outage_note(&resolver->crowd,
		refused == resolver->refused_told ? NULL : "crowded",
		now_ms) == OUTAGE_BEGAN)
		log_warning("DNS: %d questions are open; %lu so far were not "
			    "asked",
		    OPEN_MOST, refused);
	resolver->refused_told = refused;
}

/* ---- Questions */

/* Give an answer to all who wait for it. */
static void
answer_waiters(struct waiter *waiter, const struct dns_answer *answer)
{
	while (waiter != NULL) {
		struct waiter *next = waiter->next;

		waiter->done(waiter->arg, answer);
		free(waiter);
		waiter = next;
	}
}

/* What was not asked to its end is asked again the next time. */
static void
settle(struct resolver *resolver, struct dns_entry *entry,
    const struct dns_answer *answer, bool keep)
{
	struct waiter *waiters;

	pthread_mutex_lock(&resolver->mutex);
	if (keep)
		dns_cache_keep(resolver->cache, entry, answer, now_s());
	if (keep && answer->status != DNS_FAILED)
		(void)dns_news_put(resolver->news, sizeof resolver->news,
		    &resolver->news_used, entry->name,
		    (enum dns_type)entry->type, answer);
	waiters = entry->waiting;
	entry->waiting = NULL;
	entry->asking = false;
	resolver->open--;
	resolver->answers++;
	pthread_cond_broadcast(&resolver->answered);
	pthread_mutex_unlock(&resolver->mutex);
	answer_waiters(waiters, answer);
}

/* Kept for so many seconds; 0: it may be asked anew at once. */
static void
fail(struct resolver *resolver, struct dns_entry *entry, uint32_t seconds)
{
	struct dns_answer nothing = {.status = DNS_FAILED, .ttl = seconds};

	settle(resolver, entry, &nothing, seconds > 0);
}

static void
take_answer(
    void *arg, int status, int timeouts, unsigned char *message, int length)
{
	struct question question = *(struct question *)arg;
	struct resolver *resolver = question.resolver;
	struct dns_entry *entry = question.entry;
	struct dns_answer answer;

	(void)timeouts;
	free(arg);
	note_health(resolver, status, entry == NULL);
	if (entry == NULL) {
		resolver->probing = false;
		return;
	}
	if (message == NULL || length <= 0 ||
	    (status != ARES_SUCCESS && status != ARES_ENODATA &&
		status != ARES_ENOTFOUND)) {
		fail(resolver, entry,
		    status == ARES_EDESTRUCTION		? 0
			: told_by(status) == UNANSWERED ? SILENCE_S
							: FAILURE_S);
		return;
	}
	dns_answer_read(message, (size_t)length, entry->name,
	    (enum dns_type)entry->type, resolver->room, &answer);
	if (answer.status == DNS_FAILED)
		answer.ttl = FAILURE_S;
	settle(resolver, entry, &answer, true);
}

/* False: out of memory. */
static bool
put_question(struct resolver *resolver, struct dns_entry *entry,
    const char *name, enum dns_type type)
{
	struct question *question = malloc(sizeof *question);

	if (question == NULL)
		return false;
	*question = (struct question){resolver, entry};
	ares_query(resolver->channel, name, CLASS_IN, (int)type, take_answer,
	    question);
	return true;
}

static struct dns_entry *
next_question(struct resolver *resolver)
{
	struct dns_entry *entry;

	pthread_mutex_lock(&resolver->mutex);
	entry = resolver->queue;
	if (entry != NULL) {
		resolver->queue = entry->queued;
		if (resolver->queue == NULL)
			resolver->queue_end = &resolver->queue;
	}
	pthread_mutex_unlock(&resolver->mutex);
	return entry;
}

static void
put_questions(struct resolver *resolver)
{
	struct dns_entry *entry;

	while ((entry = next_question(resolver)) != NULL)
		if (resolver->channel == NULL ||
		    !put_question(resolver, entry, entry->name,
			(enum dns_type)entry->type))
			fail(resolver, entry, 0);
}

/* Whether nobody answers, and when that ends. */
static void
probe(struct resolver *resolver)
{
	if (resolver->unanswered < DOUBT_AFTER || resolver->probing ||
	    resolver->channel == NULL ||
	    clock_steady_us() < resolver->probe_at_us)
		return;
	resolver->probe_at_us = clock_steady_us() + PROBE_MS * 1000;
	resolver->probing = true;
	if (!put_question(resolver, NULL, "", DNS_NS))
		resolver->probing = false;
}

/* ---- The thread */

static ares_channel
make_channel(const struct asked *asked, int servers)
{
	ares_channel channel = NULL;
	struct ares_options options = {
	    .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS,
	    .timeout =
		(int)(asked->timeout_ms / (servers * ((1 << TRIES) - 1))),
	    .tries = TRIES,
	    .lookups = (char[]){"b"},
	    .ednspsz = UDP_SIZE};

	if (options.timeout < TRY_MS_MIN)
		options.timeout = TRY_MS_MIN;
	if (ares_init_options(&channel, &options,
		ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
		    ARES_OPT_LOOKUPS | ARES_OPT_EDNSPSZ) != ARES_SUCCESS)
		return NULL;
	if (asked->servers[0] != '\0' &&
	    ares_set_servers_ports_csv(channel, asked->servers) !=
		ARES_SUCCESS) {
		ares_destroy(channel);
		return NULL;
	}
	return channel;
}

static int
count_servers(ares_channel channel)
{
	struct ares_addr_port_node *servers = NULL;
	int count = 0;

	if (ares_get_servers_ports(channel, &servers) != ARES_SUCCESS)
		return 1;
	for (struct ares_addr_port_node *one = servers; one != NULL;
	     one = one->next)
		count++;
	ares_free_data(servers);
	return count == 0 ? 1 : count;
}

/* How long a try may last goes by the number of servers, which only c-ares
 * knows. */
static ares_channel
open_channel(const struct asked *asked)
{
	ares_channel channel = make_channel(asked, 1);
	int servers = channel == NULL ? 1 : count_servers(channel);

	if (servers == 1)
		return channel;
	ares_destroy(channel);
	return make_channel(asked, servers);
}

static void
close_channel(struct resolver *resolver)
{
	if (resolver->channel != NULL)
		ares_destroy(resolver->channel);
	resolver->channel = NULL;
}

/* False: it is time to end. */
static bool
follow_terms(struct resolver *resolver)
{
	bool stop, enabled, changed;

	pthread_mutex_lock(&resolver->mutex);
	stop = resolver->stop;
	enabled = resolver->enabled;
	changed = resolver->generation != resolver->made;
	if (changed && !stop) {
		resolver->made = resolver->generation;
		resolver->using = resolver->asked;
		resolver->health = RESOLVER_IN_DOUBT;
	}
	pthread_mutex_unlock(&resolver->mutex);
	if (stop || !changed)
		return !stop;
	resolver->unanswered = 0;
	close_channel(resolver);
	if (!enabled)
		return true;
	resolver->channel = open_channel(&resolver->using);
	if (resolver->channel == NULL)
		log_error("DNS: %s: cannot be used", servers_of(resolver));
	return true;
}

static int
poll_ms(const struct resolver *resolver)
{
	bool fails = resolver->unanswered > 0 || resolver->crowd.told;
	struct timeval most = {.tv_sec = fails ? 1 : 60}, least;
	const struct timeval *next = &most;

	if (resolver->channel != NULL)
		next = ares_timeout(resolver->channel, &most, &least);
	return (int)(next->tv_sec * 1000 + (next->tv_usec + 999) / 1000);
}

static void
process(struct resolver *resolver, const struct pollfd *polled, int count)
{
	bool any = false;

	for (int i = 0; i < count && resolver->channel != NULL; i++) {
		bool reads = (polled[i].revents & ~POLLOUT) != 0;
		bool writes = (polled[i].revents & ~POLLIN) != 0;

		if (!reads && !writes)
			continue;
		any = true;
		ares_process_fd(resolver->channel,
		    reads ? polled[i].fd : ARES_SOCKET_BAD,
		    writes ? polled[i].fd : ARES_SOCKET_BAD);
	}
	if (!any && resolver->channel != NULL)
		ares_process_fd(
		    resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void
await(struct resolver *resolver)
{
	struct pollfd polled[1 + ARES_GETSOCK_MAXNUM];
	ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
	int count = 1;
	unsigned bits = 0;
	char bytes[64];

	polled[0] = (struct pollfd){.fd = resolver->pipe[0], .events = POLLIN};
	if (resolver->channel != NULL)
		bits = (unsigned)ares_getsock(
		    resolver->channel, sockets, ARES_GETSOCK_MAXNUM);
	for (int i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		short events = 0;

		/* The macros for it shift a 1 into the sign. */
		if ((bits >> i & 1) != 0)
			events |= POLLIN;
		if ((bits >> (i + ARES_GETSOCK_MAXNUM) & 1) != 0)
			events |= POLLOUT;
		if (events != 0)
			polled[count++] =
			    (struct pollfd){.fd = sockets[i], .events = events};
	}
	if (poll(polled, (nfds_t)count, poll_ms(resolver)) <= 0)
		count = 1;
	else if (polled[0].revents != 0) {
		pthread_mutex_lock(&resolver->mutex);
		while (read(resolver->pipe[0], bytes, sizeof bytes) > 0)
			continue;
		resolver->woken = false;
		pthread_mutex_unlock(&resolver->mutex);
	}
	process(resolver, polled + 1, count - 1);
}

static void *
run(void *arg)
{
	struct resolver *resolver = arg;

	while (follow_terms(resolver)) {
		put_questions(resolver);
		probe(resolver);
		note_crowd(resolver);
		await(resolver);
	}
	close_channel(resolver);
	put_questions(resolver);
	return NULL;
}

/* ---- Terms */

/* As c-ares wants them.  "system" has no address. */
static void
join(char *const *servers, char text_r[SERVERS_SIZE])
{
	size_t used = 0;

	text_r[0] = '\0';
	for (int i = 0; i < DNS_SERVERS_MAX && servers[i] != NULL; i++) {
		char address[NETADDR_TEXT_SIZE];
		struct netaddr server;
		unsigned port = DNS_PORT;

		if (!netaddr_parse_port(servers[i], &server, &port))
			continue;
		netaddr_format(&server, address);
		used += (size_t)snprintf(text_r + used, SERVERS_SIZE - used,
		    server.length == 4 ? "%s%s:%u" : "%s[%s]:%u",
		    used == 0 ? "" : ",", address, port);
	}
}

static bool
start(struct resolver *resolver)
{
	if (resolver->running)
		return true;
	if (resolver->pipe[0] < 0) {
		if (pipe(resolver->pipe) != 0)
			return false;
		for (int i = 0; i < 2; i++) {
			(void)fcntl(resolver->pipe[i], F_SETFL, O_NONBLOCK);
			(void)fcntl(resolver->pipe[i], F_SETFD, FD_CLOEXEC);
		}
	}
	resolver->running =
	    thread_start(&resolver->thread, "dns", run, resolver);
	return resolver->running;
}

bool
resolver_use(struct resolver *resolver, const struct resolver_terms *terms)
{
	struct asked asked = {.timeout_ms = 0};
	bool enable = terms != NULL && terms->servers[0] != NULL;

	if (!enable && !resolver->running)
		return true;
	if (enable) {
		join(terms->servers, asked.servers);
		asked.timeout_ms = terms->timeout_ms;
	}
	pthread_mutex_lock(&resolver->mutex);
	resolver->enabled = enable;
	/* What the system says may have changed. */
	if (asked.servers[0] == '\0' ||
	    asked.timeout_ms != resolver->asked.timeout_ms ||
	    strcmp(asked.servers, resolver->asked.servers) != 0)
		resolver->generation++;
	resolver->asked = asked;
	if (enable)
		dns_cache_limit(
		    resolver->cache, terms->answers_max, terms->memory_max);
	wake(resolver);
	pthread_mutex_unlock(&resolver->mutex);
	return !enable || start(resolver);
}
