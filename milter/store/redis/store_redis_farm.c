/* What the hosts of a farm tell each other: load, reports, what they share. */
#include "store/redis/store_redis_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/seconds.h"
#include "redis/error.h"

#define LOAD_LIFE	"3600"
#define LOAD_FORGOTTEN	INT64_C(3600)
#define REPORTS_AT_ONCE "100"
#define REPORT_ROUNDS	10
#define REPORTS_WAIT_MS 1000 /* what was taken and not heard of is lost */

/* ---- Load */

static void
add_publication(struct resp_commands *commands, const char *key,
    const struct redis_store *store, const struct load_report *own)
{
	const struct load_report report = {
	    redis_clock_now(&store->clock), own->load};
	char text[LOAD_REPORT_SIZE];

	load_report_format(&report, text);
	trip_begin_whole(commands);
	resp_add(commands, "HSET", key, store->host, text);
	resp_add(commands, "EXPIRE", key, LOAD_LIFE);
	trip_end_whole(commands);
}

/* The report of one host; what is none comes as one with NaN. */
static struct load_report
read_report(const struct resp_reply *reply, int64_t now)
{
	struct load_report report = {now, (double)NAN};
	size_t length = 0;
	const char *text = resp_string(reply, &length);

	if (text != NULL)
		(void)load_report_parse(text, length, &report);
	return report;
}

/* Hosts that were silent for long are removed, so that they do not gather. */
static void
forget_hosts(
    struct redis_store *store, const char *key, const struct resp_reply *hosts)
{
	struct redis_request request = {.key = key};
	int64_t now = redis_clock_now(&store->clock);

	for (size_t i = 0; i + 1 < resp_count(hosts); i += 2) {
		const char *host = resp_string(resp_element(hosts, i), NULL);
		struct load_report report =
		    read_report(resp_element(hosts, i + 1), now);

		if (host != NULL &&
		    seconds_apart(now, report.at) > LOAD_FORGOTTEN)
			resp_add(&request.commands, "HDEL", key, host);
	}
	if (request.commands.count > 0)
		(void)redis_tell(store->redis, &request, 1);
	redis_request_free(&request);
}

static size_t
read_reports(const struct resp_reply *hosts, int64_t now,
    struct load_report *reports_r, size_t size)
{
	size_t count = resp_count(hosts) / 2;

	if (count > size)
		count = size;
	for (size_t i = 0; i < count; i++)
		reports_r[i] = read_report(resp_element(hosts, 2 * i + 1), now);
	return count;
}

/* Without the reports of others their load is unknown, and the time is not. */
static enum store_result
read_exchange(struct redis_store *store, const struct redis_request *request,
    struct load_report *reports_r, size_t size, size_t *count_r)
{
	size_t last = request->commands.count - 1;
	const struct resp_reply *hosts = request->replies[last - 1];

	for (size_t i = 0; i < last; i++)
		if (redis_reply_error(request->replies[i]) != NULL) {
			store_redis_heal(store, request);
			return STORE_UNREADABLE;
		}
	*count_r = read_reports(
	    hosts, redis_clock_now(&store->clock), reports_r, size);
	if (!store->reads_only)
		forget_hosts(store, request->key, hosts);
	return STORE_OK;
}

static enum store_result
exchange_load(struct store *store, const struct load_report *own,
    struct load_report *reports_r, size_t size, int64_t *now_r, size_t *count_r)
{
	struct redis_store *self = (struct redis_store *)store;
	char key[KEYS_KEY_SIZE];
	struct redis_request request = {.key = key};
	enum store_result result = store_redis_prepare(self, NULL, 0);
	int64_t asked;

	*count_r = 0;
	if (result != STORE_OK)
		return result;
	keys_shared(&self->keys, "load", key);
	if (own != NULL)
		add_publication(&request.commands, key, self, own);
	resp_add(&request.commands, "HGETALL", key);
	resp_add(&request.commands, "TIME");
	asked = clock_steady_us();
	result = store_redis_result(redis_ask(self->redis, &request, 1, 0));
	if (result == STORE_OK) {
		store_redis_learn_time(
		    self, request.replies[request.commands.count - 1], asked);
		*now_r = redis_clock_now(&self->clock);
		result =
		    read_exchange(self, &request, reports_r, size, count_r);
	}
	redis_request_free(&request);
	return result;
}

static enum store_result
give_hosts(struct store *store, store_host_each *each, void *arg)
{
	struct redis_store *self = (struct redis_store *)store;
	char key[KEYS_KEY_SIZE];
	struct redis_request request = {.key = key};
	enum store_result result = store_redis_prepare(self, NULL, 0);
	enum redis_answer answer;

	if (result != STORE_OK)
		return result;
	keys_shared(&self->keys, "load", key);
	resp_add(&request.commands, "HGETALL", key);
	answer = redis_ask(self->redis, &request, 1, 0);
	for (size_t i = 0;
	     answer == REDIS_ANSWERED && i + 1 < resp_count(request.replies[0]);
	     i += 2) {
		const char *host =
		    resp_string(resp_element(request.replies[0], i), NULL);
		const struct load_report report =
		    read_report(resp_element(request.replies[0], i + 1),
			redis_clock_now(&self->clock));

		if (host != NULL)
			each(arg, host, &report);
	}
	redis_request_free(&request);
	return store_redis_result(answer);
}

/* ---- Reports */

/* Those that are too long to be read are gone, too, and count as one. */
static enum store_result
take_some(struct redis_store *store, void (*each)(void *arg, const char *text),
    void *arg, size_t *count_r)
{
	char key[KEYS_KEY_SIZE];
	struct redis_request request = {.key = key};
	const struct resp_reply *reply;
	enum redis_answer answer;

	keys_shared(&store->keys, "reports", key);
	resp_add(&request.commands, "LPOP", key, REPORTS_AT_ONCE);
	answer = redis_ask(store->redis, &request, 1,
	    redis_due(store->redis, REPORTS_WAIT_MS));
	reply = answer == REDIS_ANSWERED ? request.replies[0] : NULL;
	*count_r = resp_count(reply);
	for (size_t i = 0; i < *count_r; i++) {
		const char *text = resp_string(resp_element(reply, i), NULL);

		if (text != NULL)
			each(arg, text);
	}
	if (resp_error(reply) != NULL &&
	    strncmp(resp_error(reply), "TOOLONG ", 8) == 0) {
		each(arg, "");
		*count_r = 1;
	} else if (resp_error(reply) != NULL) {
		store_redis_heal(store, &request);
	}
	redis_request_free(&request);
	return answer == REDIS_ANSWERED ? STORE_OK : STORE_DOWN;
}

static enum store_result
take_reports(struct store *store, int64_t now,
    void (*each)(void *arg, const char *text), void *arg)
{
	struct redis_store *self = (struct redis_store *)store;
	enum store_result result;
	size_t count = 1;

	(void)now;
	/* What could not be remembered yet is not to be taken out. */
	result = store_redis_prepare(self, NULL, 0);
	for (int i = 0; i < REPORT_ROUNDS && count > 0 && result == STORE_OK &&
	     !atomic_load(&self->is_stopping);
	     i++)
		result = take_some(self, each, arg, &count);
	return result;
}

/* ---- What hosts let each other know, in a stream */

#define SHARE_LIFE "3600"
#define SHARE_MOST "4096" /* entries, about */
#define AT_ONCE	   "32"
#define FIRST_MS   60000 /* so old may be what a start reads */

static void
add_own(struct resp_commands *commands, const struct redis_store *store,
    const char *key, const struct store_shared *own)
{
	trip_begin_whole(commands);
	resp_begin(commands, 10);
	resp_add_string(commands, "XADD");
	resp_add_string(commands, key);
	resp_add_string(commands, "MAXLEN");
	resp_add_string(commands, "~");
	resp_add_string(commands, SHARE_MOST);
	resp_add_string(commands, "*");
	resp_add_string(commands, "h");
	resp_add_string(commands, store->host);
	resp_add_string(commands, "a");
	resp_add_bytes(commands, own->bytes, own->length);
	resp_add(commands, "EXPIRE", key, SHARE_LIFE);
	trip_end_whole(commands);
}

/* An entry is its place and its fields: h, the host, a, what it says. */
static void
read_shared(struct redis_store *store, const struct resp_reply *entry,
    void (*each)(void *arg, const struct store_shared *theirs), void *arg)
{
	const struct resp_reply *fields = resp_element(entry, 1);
	const char *place = resp_string(resp_element(entry, 0), NULL);
	const char *host = resp_string(resp_element(fields, 1), NULL);
	struct store_shared theirs;

	theirs.bytes = resp_string(resp_element(fields, 3), &theirs.length);
	if (place == NULL || strlen(place) >= sizeof store->shared_up_to)
		return;
	(void)snprintf(
	    store->shared_up_to, sizeof store->shared_up_to, "%s", place);
	if (host != NULL && strcmp(host, store->host) != 0 &&
	    theirs.bytes != NULL)
		each(arg, &theirs);
}

static enum store_result
share(struct store *store, const struct store_shared *own,
    void (*each)(void *arg, const struct store_shared *theirs), void *arg)
{
	struct redis_store *self = (struct redis_store *)store;
	char key[KEYS_KEY_SIZE];
	struct redis_request request = {.key = key};
	const struct resp_reply *entries;
	enum store_result result;

	if (!redis_clock_is_known(&self->clock))
		return STORE_DOWN;
	keys_shared(&self->keys, "dns", key);
	if (self->shared_up_to[0] == '\0')
		(void)snprintf(self->shared_up_to, sizeof self->shared_up_to,
		    "%lld-0",
		    (long long)redis_clock_now(&self->clock) * 1000 - FIRST_MS);
	if (own->length > 0)
		add_own(&request.commands, self, key, own);
	resp_add(&request.commands, "XREAD", "COUNT", AT_ONCE, "STREAMS", key,
	    self->shared_up_to);
	result = store_redis_ask(self, &request, 1);
	if (result == STORE_OK) {
		/* one stream: its name, and its entries */
		entries = resp_element(
		    resp_element(
			request.replies[request.commands.count - 1], 0),
		    1);
		for (size_t i = 0; i < resp_count(entries); i++)
			read_shared(self, resp_element(entries, i), each, arg);
	}
	redis_request_free(&request);
	return result;
}

const struct store_farm_ops store_redis_farm_ops = {
    .exchange_load = exchange_load,
    .hosts = give_hosts,
    .share = share,
    .take_reports = take_reports,
};
