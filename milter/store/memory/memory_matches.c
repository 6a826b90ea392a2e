/* On which day entries of lists matched last. */
#include "store/memory/store_memory_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "store/triplet.h"

#define LISTS_KEPT 2048
#define LEAST	   16 /* places of a table, a power of two */
#define DAY	   INT64_C(86400)

/* The name of an entry as a number. */
struct match {
	uint64_t name; /* 0: a free place */
	uint32_t day;
};

struct memory_matched {
	char name[STORE_NAME_SIZE];
	int64_t since;
	int64_t put_at; /* last */
	struct match *table;
	size_t places; /* at least twice as many as there are matches */
	size_t count;
};

static void
drop_list(struct memory_matches *matches, struct memory_matched *list)
{
	matches->count -= list->count;
	free(list->table);
	*list = matches->lists[--matches->list_count];
}

void
memory_matches_clear(struct memory_matches *matches)
{
	for (size_t i = 0; i < matches->list_count; i++)
		free(matches->lists[i].table);
	free(matches->lists);
	*matches = (struct memory_matches){0};
}

static struct memory_matched *
find_list(const struct memory_matches *matches, const char *name)
{
	for (size_t i = 0; i < matches->list_count; i++)
		if (strcmp(matches->lists[i].name, name) == 0)
			return &matches->lists[i];
	return NULL;
}

/* What nobody asks for any more is forgotten here.  NULL: there is no room. */
static struct memory_matched *
add_list(struct memory_matches *matches, const char *name, int64_t now)
{
	struct memory_matched *list;

	for (size_t i = matches->list_count; i > 0; i--)
		if (now - matches->lists[i - 1].put_at >
		    STORE_MATCHES_LIFE * DAY)
			drop_list(matches, &matches->lists[i - 1]);
	if (matches->list_count == LISTS_KEPT ||
	    strlen(name) >= sizeof list->name ||
	    !array_grow(&matches->lists, matches->list_count, sizeof *list))
		return NULL;
	list = &matches->lists[matches->list_count++];
	memset(list, 0, sizeof *list);
	strcpy(list->name, name);
	list->since = now;
	return list;
}

/* Its place in a table, or the free one where it may go. */
static struct match *
place_of(struct match *table, size_t places, uint64_t name)
{
	size_t at =
	    (size_t)(name * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (places - 1);

	while (table[at].name != 0 && table[at].name != name)
		at = (at + 1) & (places - 1);
	return &table[at];
}

/* Begin another table of that size, without what is not later than a day.  False:
 * out of memory. */
static bool
rebuild(struct memory_matches *matches, struct memory_matched *list,
    size_t places, int64_t after)
{
	struct match *table = calloc(places, sizeof *table);
	size_t count = 0;

	if (table == NULL)
		return false;
	for (size_t i = 0; i < list->places; i++) {
		const struct match *match = &list->table[i];

		if (match->name == 0 || match->day <= after)
			continue;
		*place_of(table, places, match->name) = *match;
		count++;
	}
	matches->count -= list->count - count;
	free(list->table);
	list->table = table;
	list->places = places;
	list->count = count;
	return true;
}

static int64_t
oldest_day(const struct memory_matched *list)
{
	int64_t oldest = INT64_MAX;

	for (size_t i = 0; i < list->places; i++)
		if (list->table[i].name != 0 && list->table[i].day < oldest)
			oldest = list->table[i].day;
	return oldest;
}

/* False: out of memory. */
static bool
make_room(struct memory_matches *matches)
{
	struct memory_matched *longest = matches->lists;
	int64_t oldest;

	for (size_t i = 1; i < matches->list_count; i++)
		if (matches->lists[i].count > longest->count)
			longest = &matches->lists[i];
	oldest = oldest_day(longest);
	if (longest->since < (oldest + 1) * DAY)
		longest->since = (oldest + 1) * DAY;
	return rebuild(matches, longest, longest->places, oldest);
}

static bool
put_one(struct memory_matches *matches, struct memory_matched *list,
    uint64_t name, int64_t day)
{
	struct match *place;

	if (name == 0 || day <= 0 || day > UINT32_MAX)
		return true;
	if (2 * list->count >= list->places &&
	    !rebuild(
		matches, list, list->places == 0 ? LEAST : 2 * list->places, 0))
		return false;
	if (matches->count >= STORE_MATCHES_MAX && !make_room(matches))
		return false;
	place = place_of(list->table, list->places, name);
	if (place->name == 0) {
		list->count++;
		matches->count++;
	}
	place->name = name;
	if (place->day < day)
		place->day = (uint32_t)day;
	return true;
}

/* Once a day, what is too old to tell anything. */
static bool
forget_old(
    struct memory_matches *matches, struct memory_matched *list, int64_t now)
{
	return now / DAY <= list->put_at / DAY || list->count == 0 ||
	    rebuild(
		matches, list, list->places, now / DAY - STORE_MATCHES_LIFE);
}

/* False: out of memory. */
static bool
put_all(struct memory_matches *matches, const char *name,
    const struct store_match *put, size_t count, int64_t now)
{
	struct memory_matched *list = find_list(matches, name);
	bool is_done;

	if (list == NULL)
		list = add_list(matches, name, now);
	if (list == NULL)
		return true;
	is_done = forget_old(matches, list, now);
	list->put_at = now;
	for (size_t i = 0; i < count && is_done; i++) {
		uint64_t number;

		_Static_assert(sizeof number == TRIPLET_LENGTH, "it must fit");
		memcpy(&number, put[i].name, sizeof number);
		is_done = put_one(matches, list, number, put[i].day);
	}
	return is_done;
}

static enum store_result
put_matches(struct store *store, const char *list,
    const struct store_match *put, size_t count, int64_t now)
{
	struct memory *memory = (struct memory *)store;
	bool is_done;

	pthread_mutex_lock(&memory->aside);
	is_done = put_all(&memory->matches, list, put, count, now);
	pthread_mutex_unlock(&memory->aside);
	return is_done ? STORE_OK : STORE_DOWN;
}

/* None of those who are told waits for anything. */
static enum store_result
read_matches(struct store *store, const char *list, store_match_each *each,
    void *arg, int64_t *since_r)
{
	struct memory *memory = (struct memory *)store;
	struct store_match match = {.name = ""};
	const struct memory_matched *from;

	pthread_mutex_lock(&memory->aside);
	from = find_list(&memory->matches, list);
	*since_r = from == NULL ? 0 : from->since;
	for (size_t i = 0; from != NULL && i < from->places; i++) {
		if (from->table[i].name == 0)
			continue;
		memcpy(match.name, &from->table[i].name, TRIPLET_LENGTH);
		match.day = from->table[i].day;
		each(arg, &match);
	}
	pthread_mutex_unlock(&memory->aside);
	return STORE_OK;
}

const struct store_match_ops memory_match_ops = {
    .put = put_matches, .read = read_matches};

/* ---- In a file */

void
memory_matches_write(
    const struct memory_matches *matches, struct bytes_out *out)
{
	bytes_put_number(out, matches->list_count);
	for (size_t i = 0; i < matches->list_count; i++) {
		const struct memory_matched *list = &matches->lists[i];

		bytes_put(out, list->name, sizeof list->name);
		bytes_put_number(out, (uint64_t)list->since);
		bytes_put_number(out, (uint64_t)list->put_at);
		bytes_put_number(out, list->count);
		for (size_t j = 0; j < list->places; j++) {
			if (list->table[j].name == 0)
				continue;
			bytes_put(out, &list->table[j].name, TRIPLET_LENGTH);
			bytes_put_number(out, list->table[j].day);
		}
	}
}

static bool
read_list(struct memory_matches *matches, struct bytes_in *in)
{
	const void *name = bytes_get(in, STORE_NAME_SIZE), *octets;
	int64_t since = (int64_t)bytes_get_number(in);
	int64_t put_at = (int64_t)bytes_get_number(in);
	uint64_t count = bytes_get_number(in), number = 0;
	struct memory_matched *list;

	if (in->failed || count > STORE_MATCHES_MAX ||
	    memchr(name, '\0', STORE_NAME_SIZE) == NULL ||
	    find_list(matches, name) != NULL)
		return false;
	list = add_list(matches, name, put_at);
	if (list == NULL)
		return false;
	list->since = since;
	list->put_at = put_at;
	for (uint64_t i = 0; i < count; i++) {
		octets = bytes_get(in, TRIPLET_LENGTH);
		if (octets != NULL)
			memcpy(&number, octets, sizeof number);
		if (octets == NULL ||
		    !put_one(
			matches, list, number, (int64_t)bytes_get_number(in)))
			return false;
	}
	return !in->failed;
}

bool
memory_matches_read(struct memory_matches *matches, struct bytes_in *in)
{
	uint64_t count = bytes_get_number(in);
	bool is_good = !in->failed && count <= LISTS_KEPT;

	for (uint64_t i = 0; i < count && is_good; i++)
		is_good = read_list(matches, in);
	if (!is_good)
		memory_matches_clear(matches);
	return is_good;
}
