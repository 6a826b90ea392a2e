#include "store/redis/store_redis_parts.h"

#include <math.h>

#include "base/seconds.h"

#define LOAD_LIFE	"3600"
#define LOAD_FORGOTTEN	INT64_C(3600)
#define REPORTS_AT_ONCE "100"
#define REPORT_ROUNDS	10
#define REPORTS_WAIT_MS 2000 /* what was taken and not heard of is lost */

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

enum store_result
store_redis_exchange_load(struct store *store, const struct load_report *own,
    struct load_report *reports_r, size_t size, int64_t *now_r, size_t *count_r)
{
	struct redis_store *self = (struct redis_store *)store;
	enum store_result result = STORE_DOWN;
	struct triplet_namer namer;
	char key[KEYS_KEY_SIZE];
	struct redis_request request = {.key = key};
	size_t hosts;
	int64_t asked;

	if (!store_redis_prepare(self, &namer))
		return STORE_DOWN;
	keys_shared(&self->keys, "load", key);
	add_publication(&request.commands, key, self, own);
	hosts = request.commands.count;
	resp_add(&request.commands, "HGETALL", key);
	resp_add(&request.commands, "TIME");
	asked = redis_clock_steady();
	if (redis_ask(self->redis, &request, 1, 0) == REDIS_ANSWERED &&
	    redis_clock_learn(
		&self->clock, request.replies[hosts + 1], asked, now_r)) {
		*count_r = read_reports(
		    request.replies[hosts], *now_r, reports_r, size);
		forget_hosts(self, key, request.replies[hosts]);
		result = STORE_OK;
	}
	redis_request_free(&request);
	return result;
}

/* ---- Reports */

static bool
take_some(struct redis_store *store, void (*each)(void *arg, const char *text),
    void *arg, size_t *count_r)
{
	char key[KEYS_KEY_SIZE];
	struct redis_request request = {.key = key};
	bool asked;

	keys_shared(&store->keys, "reports", key);
	resp_add(&request.commands, "LPOP", key, REPORTS_AT_ONCE);
	asked = redis_ask(store->redis, &request, 1,
		    redis_due(store->redis, REPORTS_WAIT_MS)) == REDIS_ANSWERED;
	*count_r = asked ? resp_count(request.replies[0]) : 0;
	for (size_t i = 0; i < *count_r; i++) {
		const char *text =
		    resp_string(resp_element(request.replies[0], i), NULL);

		if (text != NULL)
			each(arg, text);
	}
	redis_request_free(&request);
	return asked;
}

enum store_result
store_redis_take_reports(struct store *store, int64_t now,
    void (*each)(void *arg, const char *text), void *arg)
{
	struct redis_store *self = (struct redis_store *)store;
	struct triplet_namer namer;
	size_t count = 1;

	(void)now;
	/* What could not be remembered yet is not to be taken out. */
	if (!store_redis_prepare(self, &namer))
		return STORE_DOWN;
	for (int i = 0; i < REPORT_ROUNDS && count > 0; i++)
		if (!take_some(self, each, arg, &count))
			return STORE_DOWN;
	return STORE_OK;
}
