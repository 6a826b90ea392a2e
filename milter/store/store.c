#include "store/store.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "policy/facts.h"

#define FAMILY_BITS 48

struct store_terms
store_terms_of(const struct settings *settings, const char *host)
{
	return (struct store_terms){
	    .host = host,
	    .half_life = settings->reputation.half_life,
	    .pending_life = settings->retry_window,
	    .worthy_life = settings->keep,
	    .abandoned_after = settings->retry_window,
	    .abandoned_points =
		settings->reputation.weights.points[REPUTATION_ABANDONED],
	    .network_cap = (size_t)settings->store.network_cap,
	    .memory_max = (size_t)settings->store.memory_max,
	};
}

void
store_name_network(const struct settings *settings,
    const struct netaddr *client, char network_r[STORE_NETWORK_SIZE])
{
	int64_t bits = client->length == 4 ? settings->network_ipv4
					   : settings->network_ipv6;
	struct network network;

	if (settings->identity == IDENTITY_ADDRESS)
		bits = 8 * client->length;
	network = network_of(client, (unsigned)bits);
	network_format(&network, network_r);
}

void
store_name_family(const struct settings *settings, const struct netaddr *client,
    const char *pool, size_t size, char *family_r)
{
	char text[NETWORK_TEXT_SIZE];
	struct network network;

	family_r[0] = '\0';
	if (client->length == 4 || settings->network_ipv6 <= FAMILY_BITS)
		return;
	if (pool[0] == '\0') {
		network = network_of(client, FAMILY_BITS);
		network_format(&network, text);
		pool = text;
	}
	if (strlen(pool) < size)
		strcpy(family_r, pool);
}

bool
store_has_marks(const struct store_effects *effects)
{
	for (int space = 0; space < CLOCK_SPACES; space++) {
		if (effects->client_mark[space] != MARK_NONE)
			return true;
		for (size_t i = 0; i < effects->pair_count; i++)
			if (effects->marks[i][space] != MARK_NONE)
				return true;
	}
	return false;
}

/* ---- What hosts tell of their load */

#define TIME_MAX INT64_C(999999999999999)

bool
load_is_sane(double load)
{
	return load >= 0 && load <= LOAD_MAX; /* NaN is neither */
}

bool
load_report_parse(const char *text, size_t len, struct load_report *report_r)
{
	const char *colon = len > 0 ? memchr(text, ':', len) : NULL;
	struct load_report report;
	size_t time_len;

	if (colon == NULL)
		return false;
	time_len = (size_t)(colon - text);
	if (!decimal_read_all(text, time_len, TIME_MAX, &report.at) ||
	    !decimal_read_real(colon + 1, len - time_len - 1, &report.load) ||
	    !load_is_sane(report.load))
		return false;
	*report_r = report;
	return true;
}

/* printf would write the point of the locale. */
void
load_report_format(
    const struct load_report *report, char text_r[LOAD_REPORT_SIZE])
{
	long thousandths =
	    load_is_sane(report->load) ? lround(report->load * 1000) : 0;
	int64_t at = report->at < 0 ? 0 : report->at;

	if (at > TIME_MAX)
		at = TIME_MAX;
	snprintf(text_r, LOAD_REPORT_SIZE, "%" PRId64 ":%ld.%03ld", at,
	    thousandths / 1000, thousandths % 1000);
}
