#include "store/memory/memory_codec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void
put_sums(struct bytes_out *out, const struct memory_sums *sums)
{
	bytes_put_real(out, sums->good);
	bytes_put_real(out, sums->bad);
	bytes_put_number(out, (uint64_t)sums->at);
}

void
memory_codec_put(struct bytes_out *out, const struct memory_record *record)
{
	size_t length = strlen(record->name);

	bytes_put_number(out, length);
	bytes_put(out, record->name, length);
	bytes_put_number(out, record->worthy);
	bytes_put_number(out, (uint64_t)record->expires);
	bytes_put_number(out, (uint64_t)record->last_used);
	bytes_put_number(out, (uint64_t)record->passes);
	for (int i = 0; i < CLOCK_SPACES; i++)
		bytes_put_number(out, (uint64_t)record->client[i]);
	put_sums(out, &record->sums);
	bytes_put_number(out, record->host_count);
	for (size_t i = 0; i < record->host_count; i++) {
		bytes_put_number(out, record->hosts[i].bucket);
		put_sums(out, &record->hosts[i].sums);
	}
	bytes_put_number(out, record->pair_count);
	for (size_t i = 0; i < record->pair_count; i++) {
		bytes_put_number(out, record->pairs[i].space);
		bytes_put_number(out, (uint64_t)record->pairs[i].clock);
		bytes_put(out, record->pairs[i].name, TRIPLET_LENGTH);
	}
}

static struct memory_sums
get_sums(struct bytes_in *in)
{
	struct memory_sums sums;

	sums.good = bytes_get_real(in);
	sums.bad = bytes_get_real(in);
	sums.at = (int64_t)bytes_get_number(in);
	if (!isfinite(sums.good) || !isfinite(sums.bad) || sums.good < 0 ||
	    sums.bad < 0)
		in->failed = true;
	return sums;
}

static void
get_hosts(struct bytes_in *in, struct memory_record *record)
{
	uint64_t count = bytes_get_number(in);

	for (uint64_t i = 0; i < count && !in->failed; i++) {
		uint64_t bucket = bytes_get_number(in);
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
get_pairs(struct bytes_in *in, struct memory_record *record)
{
	uint64_t count = bytes_get_number(in);
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
		    (unsigned char)(bytes_get_number(in) % CLOCK_SPACES);
		pair->clock = (int64_t)bytes_get_number(in);
		name = bytes_get(in, TRIPLET_LENGTH);
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

struct memory_record *
memory_codec_get(struct bytes_in *in)
{
	struct memory_record *record = get_name(in);

	if (record == NULL)
		return NULL;
	record->worthy = bytes_get_number(in) != 0;
	record->expires = (int64_t)bytes_get_number(in);
	record->last_used = (int64_t)bytes_get_number(in);
	record->passes = (int64_t)bytes_get_number(in);
	for (int i = 0; i < CLOCK_SPACES; i++)
		record->client[i] = (int64_t)bytes_get_number(in);
	record->sums = get_sums(in);
	get_hosts(in, record);
	get_pairs(in, record);
	if (in->failed)
		memory_record_free(&record);
	return record;
}
