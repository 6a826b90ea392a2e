#include "dns/dns_answer.h"

#include <string.h>

#include "base/ascii.h"

#define HEADER_SIZE 12
#define TYPE_NS	    2
#define TYPE_CNAME  5
#define TYPE_SOA    6
#define CLASS_IN    1
#define ALIASES_MAX 12			 /* that are followed */
#define JUMPS_MAX   32			 /* of a compressed name */
#define TTL_MAX	    UINT32_C(0x7fffffff) /* more is 0 (RFC 2181 8) */

#define NEWS_HEAD     13   /* octets before the name */
#define NEWS_DATA_MAX 2048 /* what is longer is rare, and each asks for it */

enum { RCODE_NONE = 0, RCODE_NO_NAME = 3 };

/* A message, read from the front; once it did not suffice `bad` stays set. */
struct reading {
	const unsigned char *message;
	size_t length;
	size_t at;
	bool bad;
};

struct resource {
	char owner[DNS_NAME_SIZE];
	unsigned type, class;
	uint32_t ttl;
	size_t data, data_length; /* where in the message */
};

/* ---- Numbers and names */

static unsigned
take_short(struct reading *reading)
{
	const unsigned char *at = reading->message + reading->at;

	if (reading->bad || reading->length - reading->at < 2) {
		reading->bad = true;
		return 0;
	}
	reading->at += 2;
	return (unsigned)at[0] << 8 | at[1];
}

static uint32_t
take_long(struct reading *reading)
{
	uint32_t high = take_short(reading);

	return high << 16 | take_short(reading);
}

/* Append a label and a dot.  A dot or NUL within a label would make it look like
 * what it is not. */
static bool
add_label(const unsigned char *label, size_t length, char name_r[DNS_NAME_SIZE],
    size_t *used)
{
	if (*used + length + 2 > DNS_NAME_SIZE)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (label[i] == '.' || label[i] < ' ' || label[i] > '~')
			return false;
		name_r[(*used)++] = ascii_lower((char)label[i]);
	}
	name_r[(*used)++] = '.';
	return true;
}

/* Move to where a pointer (RFC 1035 4.1.4) points, if there is one. */
static bool
follow(struct reading *reading, size_t *end)
{
	unsigned pointer;

	for (int jumps = 0; !reading->bad && reading->at < reading->length &&
	     (reading->message[reading->at] & 0xc0) == 0xc0;
	     jumps++) {
		pointer = take_short(reading) & 0x3fff;
		if (*end == 0)
			*end = reading->at;
		if (jumps == JUMPS_MAX)
			return false;
		reading->at = pointer;
	}
	return !reading->bad && reading->at < reading->length;
}

/* A name as text in lower case, without the dot at the end; "" is the root. */
static void
take_name(struct reading *reading, char name_r[DNS_NAME_SIZE])
{
	size_t used = 0, end = 0;
	size_t labels = 0;

	name_r[0] = '\0';
	for (; labels <= DNS_NAME_SIZE / 2; labels++) {
		size_t length;

		if (reading->bad || !follow(reading, &end))
			break;
		length = reading->message[reading->at++];
		if (length == 0) {
			name_r[used == 0 ? 0 : used - 1] = '\0';
			if (end != 0)
				reading->at = end;
			return;
		}
		if (length > 63 || reading->length - reading->at < length ||
		    !add_label(
			reading->message + reading->at, length, name_r, &used))
			break;
		reading->at += length;
	}
	reading->bad = true;
}

static bool
take_resource(struct reading *reading, struct resource *resource_r)
{
	take_name(reading, resource_r->owner);
	resource_r->type = take_short(reading);
	resource_r->class = take_short(reading);
	resource_r->ttl = take_long(reading);
	if (resource_r->ttl > TTL_MAX)
		resource_r->ttl = 0;
	resource_r->data_length = take_short(reading);
	resource_r->data = reading->at;
	if (reading->bad ||
	    reading->length - reading->at < resource_r->data_length) {
		reading->bad = true;
		return false;
	}
	reading->at += resource_r->data_length;
	return true;
}

/* ---- Records */

/* Where the records of an answer go: two octets of length, two of preference,
 * and the data of each. */
struct writing {
	unsigned type; /* that is wanted */
	unsigned char *room;
	size_t used;
	size_t count;
	uint32_t ttl; /* the shortest of what led to them */
	bool full;
	bool left_out; /* records of the type that nobody could use */
};

static void
put_record(struct writing *writing, const void *data, size_t length,
    unsigned preference)
{
	unsigned char *out = writing->room + writing->used;

	if (DNS_DATA_MAX - writing->used < length + 4) {
		writing->full = true;
		return;
	}
	out[0] = (unsigned char)(length >> 8);
	out[1] = (unsigned char)length;
	out[2] = (unsigned char)(preference >> 8);
	out[3] = (unsigned char)preference;
	memcpy(out + 4, data, length);
	writing->used += length + 4;
	writing->count++;
}

bool
dns_answer_next(struct dns_answer *answer, struct dns_record *record_r)
{
	const unsigned char *in = answer->data;

	if (answer->count == 0 || answer->length < 4)
		return false;
	record_r->length = (size_t)in[0] << 8 | in[1];
	record_r->preference = (unsigned)in[2] << 8 | in[3];
	record_r->data = in + 4;
	if (record_r->length > answer->length - 4)
		return false;
	answer->count--;
	answer->data += record_r->length + 4;
	answer->length -= record_r->length + 4;
	return true;
}

/* Character strings (RFC 1035 3.3) put together.  Texts that are not of SPF are of
 * no use to anybody here, and some domains have more of them than there is room. */
static bool
put_text(struct writing *writing, const unsigned char *data, size_t length)
{
	static const char mark[] = "v=spf1";
	char text[4096];
	size_t used = 0, whole = 0;

	while (length > 0) {
		size_t part = data[0], room = sizeof text - used;

		if (part + 1 > length)
			return false;
		whole += part;
		memcpy(text + used, data + 1, part < room ? part : room);
		used += part < room ? part : room;
		data += part + 1;
		length -= part + 1;
	}
	if (used < sizeof mark - 1 || !ascii_has_prefix(text, mark))
		writing->left_out = true;
	else if (used < whole)
		writing->full = true;
	else
		put_record(writing, text, used, 0);
	return true;
}

static bool
put_name(const struct reading *whole, const struct resource *resource,
    struct writing *writing)
{
	struct reading reading = {whole->message,
	    resource->data + resource->data_length, resource->data, false};
	char name[DNS_NAME_SIZE];
	unsigned preference = 0;

	if (resource->type == DNS_MX)
		preference = take_short(&reading);
	take_name(&reading, name);
	if (reading.bad)
		return false;
	put_record(writing, name, strlen(name) + 1, preference);
	return true;
}

/* A name that is no host name is left out, as nobody could use it. */
static bool
put_resource(const struct reading *whole, const struct resource *resource,
    struct writing *writing)
{
	const unsigned char *data = whole->message + resource->data;
	size_t length = resource->data_length;

	switch (resource->type) {
	case DNS_A:
	case DNS_AAAA:
		if (length != (resource->type == DNS_A ? 4U : 16U))
			return false;
		put_record(writing, data, length, 0);
		return true;
	case DNS_TXT:
		return put_text(writing, data, length);
	default:
		if (!put_name(whole, resource, writing))
			writing->left_out = true;
		return true;
	}
}

/* ---- Sections */

/* Take the records of `name` out of `count` answers; or it becomes the name for
 * which an alias there stands.  False: the message is bad. */
static bool
read_answers(struct reading *reading, unsigned count, char name[DNS_NAME_SIZE],
    struct writing *writing, bool *alias_r)
{
	char wanted[DNS_NAME_SIZE];
	struct resource resource;

	memcpy(wanted, name, DNS_NAME_SIZE);
	*alias_r = false;
	for (; count > 0; count--) {
		if (!take_resource(reading, &resource))
			return false;
		if (resource.class != CLASS_IN ||
		    strcmp(resource.owner, wanted) != 0)
			continue;
		if (resource.type == TYPE_CNAME && !*alias_r) {
			struct reading target = {reading->message,
			    reading->length, resource.data, false};

			take_name(&target, name);
			*alias_r = !target.bad;
		} else if (resource.type != writing->type) {
			continue;
		} else if (!put_resource(reading, &resource, writing)) {
			return false;
		}
		if (resource.ttl < writing->ttl)
			writing->ttl = resource.ttl;
	}
	return true;
}

/* How long a "no" holds: the smaller of the SOA's own time and its last field.
 * `*refers_r`: others are named who would know (RFC 2308 2.2), so it is none. */
static uint32_t
read_negative_ttl(struct reading *reading, unsigned count, bool *refers_r)
{
	struct resource resource;

	*refers_r = false;
	for (; count > 0 && take_resource(reading, &resource); count--) {
		struct reading soa = {reading->message,
		    resource.data + resource.data_length,
		    resource.data + resource.data_length - 4, false};
		uint32_t minimum;

		*refers_r = *refers_r || resource.type == TYPE_NS;
		if (resource.type != TYPE_SOA || resource.data_length < 22)
			continue;
		*refers_r = false;
		minimum = take_long(&soa);
		return minimum < resource.ttl ? minimum : resource.ttl;
	}
	return 0;
}

/* Header and question; false: it is no answer to be read further. */
static bool
read_head(struct reading *reading, unsigned counts_r[2], bool *exists_r)
{
	char question[DNS_NAME_SIZE];
	unsigned flags, questions;

	(void)take_short(reading);
	flags = take_short(reading);
	questions = take_short(reading);
	counts_r[0] = take_short(reading);
	counts_r[1] = take_short(reading);
	(void)take_short(reading);
	*exists_r = (flags & 0xf) == RCODE_NONE;
	/* One that is cut off comes again by TCP, whole. */
	if (reading->bad || (flags & 0x8000) == 0 || (flags & 0x0200) != 0 ||
	    questions != 1 || (!*exists_r && (flags & 0xf) != RCODE_NO_NAME))
		return false;
	take_name(reading, question);
	(void)take_long(reading);
	return !reading->bad;
}

void
dns_answer_read(const unsigned char *message, size_t length, const char *name,
    enum dns_type type, unsigned char room[DNS_DATA_MAX],
    struct dns_answer *answer_r)
{
	struct reading reading = {message, length, 0, false};
	struct writing writing = {.type = type, .room = room, .ttl = TTL_MAX};
	char current[DNS_NAME_SIZE] = "";
	unsigned counts[2];
	bool exists, refers = false, alias = true;
	size_t begin;

	*answer_r = (struct dns_answer){.status = DNS_FAILED, .data = room};
	if (strlen(name) >= sizeof current ||
	    !read_head(&reading, counts, &exists))
		return;
	strcpy(current, name);
	begin = reading.at;
	for (int aliases = 0; alias && writing.count == 0; aliases++) {
		reading.at = begin;
		if (aliases == ALIASES_MAX ||
		    !read_answers(
			&reading, counts[0], current, &writing, &alias))
			return;
	}
	/* A name that is not there has no records. */
	if (writing.full || (!exists && writing.count > 0))
		return;
	answer_r->ttl = writing.ttl;
	if (writing.count == 0 && !writing.left_out)
		answer_r->ttl = read_negative_ttl(&reading, counts[1], &refers);
	if (exists && refers)
		return;
	answer_r->status = writing.count > 0 ? DNS_FOUND : DNS_NOTHING;
	answer_r->count = writing.count;
	answer_r->length = writing.used;
}

/* ---- For other servers */

static void
put_number(unsigned char *out, size_t octets, uint32_t number)
{
	for (size_t i = octets; i > 0; i--, number >>= 8)
		out[i - 1] = (unsigned char)number;
}

static uint32_t
get_number(const unsigned char *in, size_t octets)
{
	uint32_t number = 0;

	for (size_t i = 0; i < octets; i++)
		number = number << 8 | in[i];
	return number;
}

bool
dns_news_put(unsigned char *room, size_t size, size_t *used, const char *name,
    enum dns_type type, const struct dns_answer *answer)
{
	size_t named = strlen(name);
	unsigned char *out = room + *used;

	if (answer->length > NEWS_DATA_MAX || answer->count > UINT16_MAX ||
	    named >= DNS_NAME_SIZE || size - *used < NEWS_HEAD ||
	    size - *used - NEWS_HEAD < named + answer->length)
		return false;
	put_number(out, 2, (uint32_t)type);
	put_number(out + 2, 1, (uint32_t)answer->status);
	put_number(out + 3, 2, (uint32_t)answer->count);
	put_number(out + 5, 4, answer->ttl);
	put_number(out + 9, 2, (uint32_t)named);
	put_number(out + 11, 2, (uint32_t)answer->length);
	for (size_t i = 0; i < named; i++) /* without its end */
		out[NEWS_HEAD + i] = (unsigned char)name[i];
	if (answer->length > 0)
		memcpy(out + NEWS_HEAD + named, answer->data, answer->length);
	*used += NEWS_HEAD + named + answer->length;
	return true;
}

static bool
is_sound_record(enum dns_type type, const struct dns_record *record)
{
	switch (type) {
	case DNS_A:
		return record->length == 4;
	case DNS_AAAA:
		return record->length == 16;
	case DNS_TXT:
		return true;
	case DNS_NS:
	case DNS_PTR:
	case DNS_MX:
		return record->length > 0 && record->length <= DNS_NAME_SIZE &&
		    memchr(record->data, '\0', record->length) ==
		    record->data + record->length - 1;
	}
	return false;
}

static bool
is_sound(const struct dns_news *news)
{
	struct dns_answer rest = news->answer;
	struct dns_record record;

	if (rest.status == DNS_NOTHING)
		return rest.count == 0 && rest.length == 0;
	if (rest.status != DNS_FOUND || rest.count == 0)
		return false;
	while (dns_answer_next(&rest, &record))
		if (!is_sound_record(news->type, &record))
			return false;
	return rest.count == 0 && rest.length == 0;
}

bool
dns_news_next(
    const unsigned char **bytes, size_t *length, struct dns_news *news_r)
{
	const unsigned char *in = *bytes;
	size_t named, data;

	if (*length < NEWS_HEAD)
		return false;
	named = get_number(in + 9, 2);
	data = get_number(in + 11, 2);
	if (named >= DNS_NAME_SIZE || *length - NEWS_HEAD < named + data ||
	    memchr(in + NEWS_HEAD, '\0', named) != NULL)
		return false;
	memcpy(news_r->name, in + NEWS_HEAD, named);
	news_r->name[named] = '\0';
	news_r->type = (enum dns_type)get_number(in, 2);
	news_r->answer = (struct dns_answer){.status = (enum dns_status)in[2],
	    .count = get_number(in + 3, 2),
	    .data = in + NEWS_HEAD + named,
	    .length = data,
	    .ttl = get_number(in + 5, 4)};
	*bytes += NEWS_HEAD + named + data;
	*length -= NEWS_HEAD + named + data;
	return is_sound(news_r);
}
