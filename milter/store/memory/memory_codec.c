#include "store/memory/memory_codec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "mail/netaddr.h"

#define COUNT_LEAST 16 /* octets that each clock takes, at least */

static void
put_time(struct bytes_out *out, int64_t time)
{
	bytes_put_number(out, (uint64_t)time);
}

/* A double of IEEE 754, as its 64 bits. */
static void
put_real(struct bytes_out *out, double real)
{
	uint64_t bits;

	memcpy(&bits, &real, sizeof bits);
	bytes_put_number(out, bits);
}

static void
put_sums(struct bytes_out *out, const struct memory_sums *sums)
{
	put_real(out, sums->good);
	put_real(out, sums->bad);
	put_time(out, sums->at);
}

static void
put_clock(struct bytes_out *out, const struct memory_clock *clock)
{
	put_time(out, clock->clock);
	bytes_put(out, clock->name.pair, TRIPLET_LENGTH);
	bytes_put(out, clock->name.address, TRIPLET_ADDRESS_LENGTH);
	bytes_put_number(out, clock->name.space);
	bytes_put_number(out, clock->opener.network);
	bytes_put_number(out, clock->opener.host);
	bytes_put_number(out, clock->opener.sender);
	bytes_put_number(out, clock->opener.spared);
}

static void
put_trusts(struct bytes_out *out, const struct memory_record *record)
{
	bytes_put_number(out, record->trust_count);
	for (size_t i = 0; i < record->trust_count; i++) {
		const struct memory_trust *trust = &record->trusts[i];

		bytes_put(out, trust->address, TRIPLET_ADDRESS_LENGTH);
		bytes_put_number(out, (uint64_t)trust->passes);
		put_time(out, trust->last_used);
	}
}

static void
put_crowds(struct bytes_out *out, const struct memory_record *record)
{
	bytes_put_number(out, record->crowd_count);
	for (size_t i = 0; i < record->crowd_count; i++) {
		bytes_put_number(out, record->crowds[i].author);
		put_time(out, record->crowds[i].crowd.since);
		put_time(out, record->crowds[i].crowd.last);
	}
}

void
memory_codec_put(struct bytes_out *out, const struct memory_record *record)
{
	size_t length = strlen(record->name);

	bytes_put_number(out, length);
	bytes_put(out, record->name, length);
	bytes_put_number(out, record->worthy);
	put_time(out, record->expires);
	put_time(out, record->paced_at);
	put_sums(out, &record->sums);
	bytes_put_number(out, record->host_count);
	for (size_t i = 0; i < record->host_count; i++) {
		bytes_put_number(out, record->hosts[i].bucket);
		put_time(out, record->hosts[i].paced_at);
		put_sums(out, &record->hosts[i].sums);
	}
	put_trusts(out, record);
	put_crowds(out, record);
	bytes_put_number(out, record->clock_count);
	for (size_t i = 0; i < record->clock_count; i++)
		put_clock(out, &record->clocks[i]);
}

static int64_t
get_time(struct bytes_in *in)
{
	return (int64_t)bytes_get_number(in);
}

static void
get_text(struct bytes_in *in, char *text_r, size_t length)
{
	const unsigned char *data = bytes_get(in, length);

	if (data != NULL)
		memcpy(text_r, data, length);
}

static double
get_real(struct bytes_in *in)
{
	uint64_t bits = bytes_get_number(in);
	double real;

	memcpy(&real, &bits, sizeof real);
	return real;
}

static struct memory_sums
get_sums(struct bytes_in *in)
{
	struct memory_sums sums;

	sums.good = get_real(in);
	sums.bad = get_real(in);
	sums.at = get_time(in);
	if (!isfinite(sums.good) || !isfinite(sums.bad) || sums.good < 0 ||
	    sums.bad < 0)
		in->failed = true;
	return sums;
}

static void
get_hosts(struct bytes_in *in, struct memory_record *record, int version)
{
	uint64_t count = bytes_get_number(in);

	for (uint64_t i = 0; i < count && !in->failed; i++) {
		uint64_t bucket = bytes_get_number(in);
		struct memory_host *host =
		    memory_record_make_host(record, bucket & 0xff);

		if (host == NULL) {
			in->failed = true;
			return;
		}
		if (version > MEMORY_CODEC_FIRST)
			host->paced_at = get_time(in);
		host->sums = get_sums(in);
	}
}

static void
get_trusts(struct bytes_in *in, struct memory_record *record)
{
	uint64_t count = bytes_get_number(in);

	if (count > MEMORY_TRUSTS_MAX)
		in->failed = true;
	for (uint64_t i = 0; i < count && !in->failed; i++) {
		char address[TRIPLET_ADDRESS_LENGTH] = "";
		struct memory_trust *trust;

		get_text(in, address, sizeof address);
		trust = memory_record_make_trust(record, address);
		if (trust == NULL) {
			in->failed = true;
			return;
		}
		trust->passes = (int64_t)bytes_get_number(in);
		trust->last_used = get_time(in);
	}
}

static void
get_crowds(struct bytes_in *in, struct memory_record *record)
{
	uint64_t count = bytes_get_number(in);

	if (count > CLOCK_CROWDS_MAX)
		in->failed = true;
	if (in->failed || count == 0)
		return;
	record->crowds = calloc((size_t)count, sizeof *record->crowds);
	if (record->crowds == NULL) {
		in->failed = true;
		return;
	}
	record->crowd_room = record->crowd_count = (size_t)count;
	for (uint64_t i = 0; i < count; i++) {
		record->crowds[i].author = bytes_get_number(in);
		record->crowds[i].crowd.since = get_time(in);
		record->crowds[i].crowd.last = get_time(in);
	}
}

static void
get_clocks(struct bytes_in *in, struct memory_record *record)
{
	uint64_t count = bytes_get_number(in);

	if (count > in->left / COUNT_LEAST || count > MEMORY_CLOCKS_MAX)
		in->failed = true;
	for (uint64_t i = 0; i < count && !in->failed; i++) {
		struct memory_clock clock = {.clock = get_time(in)};

		get_text(in, clock.name.pair, TRIPLET_LENGTH);
		get_text(in, clock.name.address, TRIPLET_ADDRESS_LENGTH);
		clock.name.space =
		    (unsigned char)(bytes_get_number(in) % CLOCK_SPACES);
		clock.opener.network = bytes_get_number(in);
		clock.opener.host = (unsigned char)bytes_get_number(in);
		clock.opener.sender =
		    (unsigned char)(bytes_get_number(in) % TRIPLET_SENDERS);
		clock.opener.spared = bytes_get_number(in) != 0;
		if (!in->failed && !memory_record_add(record, &clock))
			in->failed = true;
	}
}

static struct memory_record *
get_name(struct bytes_in *in)
{
	uint64_t length = bytes_get_number(in);
	char name[STORE_POOL_MAX];
	const unsigned char *data;

	if (length >= sizeof name)
		in->failed = true;
	data = bytes_get(in, (size_t)length);
	if (data == NULL)
		return NULL;
	memcpy(name, data, (size_t)length);
	name[length] = '\0';
	return memory_record_new(name);
}

/* --- the first version --- */

struct old_record {
	int64_t last_used;
	int64_t passes;
	int64_t client[CLOCK_SPACES];
};

/* Whose all of that was: the pool's, or that of the only host of an IPv4 /24
 * which did anything good.  False: nobody can tell. */
static bool
old_owner(const struct memory_record *record, const struct triplet_namer *namer,
    char address_r[TRIPLET_ADDRESS_SIZE])
{
	char why[NETWORK_WHY_SIZE], text[NETADDR_TEXT_SIZE];
	struct store_client client = {.address = text};
	const struct memory_host *owner = NULL;
	struct network network;
	size_t good = 0;

	memset(address_r, 0, TRIPLET_ADDRESS_SIZE);
	if (strchr(record->name, '/') == NULL)
		return true;
	for (size_t i = 0; i < record->host_count; i++)
		if (record->hosts[i].sums.good > 0) {
			owner = &record->hosts[i];
			good++;
		}
	if (good != 1 || !network_parse(record->name, &network, why) ||
	    network.base.length != 4 || network.bits < 24)
		return false;
	network.base.octets[3] = owner->bucket;
	netaddr_format(&network.base, text);
	return triplet_address(namer, &client, address_r);
}

static void
take_over(struct bytes_in *in, struct memory_record *record,
    const struct memory_clock *clock, bool owned)
{
	if (owned && clock->clock != 0 && !in->failed)
		(void)memory_record_add(record, clock);
}

static void
get_old_clocks(struct bytes_in *in, struct memory_record *record,
    const struct old_record *old, const struct triplet_namer *namer)
{
	uint64_t count = bytes_get_number(in);
	char address[TRIPLET_ADDRESS_SIZE];
	bool owned = old_owner(record, namer, address);
	struct memory_clock clock = {0};
	struct memory_trust *trust;

	if (count > in->left / COUNT_LEAST)
		in->failed = true;
	memcpy(clock.name.address, address, TRIPLET_ADDRESS_LENGTH);
	for (int i = 0; i < CLOCK_SPACES; i++) {
		clock.name.space = (unsigned char)i;
		clock.clock = old->client[i];
		take_over(in, record, &clock, owned);
	}
	for (uint64_t i = 0; i < count && !in->failed; i++) {
		clock.name.space =
		    (unsigned char)(bytes_get_number(in) % CLOCK_SPACES);
		clock.clock = get_time(in);
		clock.opener.spared = true; /* nobody knows who began it */
		get_text(in, clock.name.pair, TRIPLET_LENGTH);
		take_over(in, record, &clock, owned);
	}
	if (!owned || old->passes <= 0)
		return;
	trust = memory_record_make_trust(record, address);
	if (trust != NULL) {
		trust->passes = old->passes;
		trust->last_used = old->last_used;
	}
}

static void
get_old(struct bytes_in *in, struct memory_record *record,
    const struct triplet_namer *namer)
{
	struct old_record old;

	old.last_used = get_time(in);
	old.passes = (int64_t)bytes_get_number(in);
	for (int i = 0; i < CLOCK_SPACES; i++)
		old.client[i] = get_time(in);
	record->sums = get_sums(in);
	get_hosts(in, record, MEMORY_CODEC_FIRST);
	get_old_clocks(in, record, &old, namer);
}

struct memory_record *
memory_codec_get(
    struct bytes_in *in, int version, const struct triplet_namer *namer)
{
	struct memory_record *record = get_name(in);

	if (record == NULL)
		return NULL;
	record->worthy = bytes_get_number(in) != 0;
	record->expires = get_time(in);
	if (version == MEMORY_CODEC_FIRST) {
		get_old(in, record, namer);
	} else {
		record->paced_at = get_time(in);
		record->sums = get_sums(in);
		get_hosts(in, record, version);
		get_trusts(in, record);
		get_crowds(in, record);
		get_clocks(in, record);
	}
	if (in->failed)
		memory_record_free(&record);
	return record;
}
