#include "memory_codec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void
put_sums(struct octets_out *out, const struct memory_sums *sums)
{
	octets_put_real(out, sums->good);
	octets_put_real(out, sums->bad);
	octets_put_number(out, (uint64_t)sums->at);
}

void
memory_codec_put(struct octets_out *out, const struct memory_record *record)
{
	size_t length = strlen(record->name);

	octets_put_number(out, length);
	octets_put(out, record->name, length);
	octets_put_number(out, record->worthy);
	octets_put_number(out, (uint64_t)record->expires);
	octets_put_number(out, (uint64_t)record->last_used);
	octets_put_number(out, (uint64_t)record->passes);
	for (int i = 0; i < CLOCK_SPACES; i++)
		octets_put_number(out, (uint64_t)record->client[i]);
	put_sums(out, &record->sums);
	octets_put_number(out, record->host_count);
	for (size_t i = 0; i < record->host_count; i++) {
		octets_put_number(out, record->hosts[i].bucket);
		put_sums(out, &record->hosts[i].sums);
	}
	octets_put_number(out, record->pair_count);
	for (size_t i = 0; i < record->pair_count; i++) {
		octets_put_number(out, record->pairs[i].space);
		octets_put_number(out, (uint64_t)record->pairs[i].clock);
		octets_put(out, record->pairs[i].name, TRIPLET_LENGTH);
	}
}

static struct memory_sums
get_sums(struct octets_in *in)
{
	struct memory_sums sums;

	sums.good = octets_get_real(in);
	sums.bad = octets_get_real(in);
	sums.at = (int64_t)octets_get_number(in);
	if (!isfinite(sums.good) || !isfinite(sums.bad) || sums.good < 0 ||
	    sums.bad < 0)
		in->failed = true;
	return sums;
}

static void
get_hosts(struct octets_in *in, struct memory_record *record)
{
	uint64_t count = octets_get_number(in);

	for (uint64_t i = 0; i < count && !in->failed; i++) {
		uint64_t bucket = octets_get_number(in);
		struct memory_sums *sums =
		    memory_record_make_host(record, bucket & 0xff);

		if (sums == NULL)
			in->failed = true;
		else
			*sums = get_sums(in);
	}
}

/* Each of them takes more than 16 octets, so the count cannot be absurd. */
static void
get_pairs(struct octets_in *in, struct memory_record *record)
{
	uint64_t count = octets_get_number(in);
	const unsigned char *name;

	if (count == 0 || count > in->left / 16)
		goto out;
	record->pairs = calloc((size_t)count, sizeof *record->pairs);
	if (record->pairs == NULL)
		goto out;
	record->pair_room = (size_t)count;
	for (; record->pair_count < count && !in->failed;) {
		struct memory_pair *pair = &record->pairs[record->pair_count];

		pair->space =
		    (unsigned char)(octets_get_number(in) % CLOCK_SPACES);
		pair->clock = (int64_t)octets_get_number(in);
		name = octets_get(in, TRIPLET_LENGTH);
		if (name == NULL)
			return;
		memcpy(pair->name, name, TRIPLET_LENGTH);
		record->pair_count++;
	}
out:
	if (record->pair_count != count)
		in->failed = true;
}

static struct memory_record *
get_name(struct octets_in *in)
{
	uint64_t length = octets_get_number(in);
	char name[STORE_POOL_MAX];
	const unsigned char *data;

	if (length >= sizeof name)
		in->failed = true;
	data = octets_get(in, (size_t)length);
	if (data == NULL)
		return NULL;
	memcpy(name, data, (size_t)length);
	name[length] = '\0';
	return memory_record_new(name);
}

struct memory_record *
memory_codec_get(struct octets_in *in)
{
	struct memory_record *record = get_name(in);

	if (record == NULL)
		return NULL;
	record->worthy = octets_get_number(in) != 0;
	record->expires = (int64_t)octets_get_number(in);
	record->last_used = (int64_t)octets_get_number(in);
	record->passes = (int64_t)octets_get_number(in);
	for (int i = 0; i < CLOCK_SPACES; i++)
		record->client[i] = (int64_t)octets_get_number(in);
	record->sums = get_sums(in);
	get_hosts(in, record);
	get_pairs(in, record);
	if (in->failed)
		memory_record_free(&record);
	return record;
}
