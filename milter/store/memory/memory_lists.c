#include "store/memory/store_memory_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/hash.h"

#define NAME_SIZE 256

struct named {
	struct named *next;
	uint64_t version;
	uint64_t read; /* 1 more than that; only for the background thread */
	char name[];
};

struct entry {
	struct entry *next;  /* in its place */
	struct named *named; /* the list */
	int64_t until;
	char *note;
	char text[];
};

static size_t
octets_of(const struct entry *entry)
{
	return sizeof *entry + strlen(entry->text) + strlen(entry->note) + 2;
}

/* Take the entry out of its place. */
static void
discard(struct memory_lists *lists, struct entry **at)
{
	struct entry *entry = *at;

	*at = entry->next;
	lists->count--;
	lists->octets -= octets_of(entry);
	entry->named->version = ++lists->version;
	free(entry->note);
	free(entry);
}

void
memory_lists_clear(struct memory_lists *lists)
{
	struct named *named;

	for (size_t i = 0; i < MEMORY_LISTS_PLACES; i++)
		while (lists->places[i] != NULL)
			discard(lists, &lists->places[i]);
	for (; lists->named != NULL; lists->named = named) {
		named = lists->named->next;
		free(lists->named);
	}
	lists->named_count = 0;
}

static struct named *
find_named(const struct memory_lists *lists, const char *name)
{
	struct named *named = lists->named;

	while (named != NULL && strcmp(named->name, name) != 0)
		named = named->next;
	return named;
}

/* NULL: there is no room for one more. */
static struct named *
make_named(struct memory_lists *lists, const char *name)
{
	struct named *named = find_named(lists, name);
	size_t size = strlen(name) + 1;

	if (named != NULL)
		return named;
	if (lists->named_count == MEMORY_LISTS_MAX || size > NAME_SIZE)
		return NULL;
	named = calloc(1, sizeof *named + size);
	if (named == NULL)
		return NULL;
	memcpy(named->name, name, size);
	named->next = lists->named;
	lists->named = named;
	lists->named_count++;
	return named;
}

/* Where that entry is, or where it would be. */
static struct entry **
place_of(
    struct memory_lists *lists, const struct named *named, const char *text)
{
	uint64_t sum = hash_64(HASH_64, named->name, strlen(named->name) + 1);
	struct entry **at;

	sum = hash_64(sum, text, strlen(text));
	at = &lists->places[(sum ^ sum >> 32) % MEMORY_LISTS_PLACES];
	while (*at != NULL &&
	    ((*at)->named != named || strcmp((*at)->text, text) != 0))
		at = &(*at)->next;
	return at;
}

static struct entry *
entry_new(const struct store_entry *entry)
{
	size_t size = strlen(entry->text) + 1;
	struct entry *made = calloc(1, sizeof *made + size);

	if (made == NULL)
		return NULL;
	memcpy(made->text, entry->text, size);
	made->until = entry->until;
	made->note = strdup(entry->note);
	if (made->note != NULL)
		return made;
	free(made);
	return NULL;
}

static bool
has_room(const struct memory_lists *lists)
{
	return lists->count < MEMORY_LISTS_ENTRIES &&
	    lists->octets < MEMORY_LISTS_OCTETS;
}

static enum store_change
add(struct memory_lists *lists, const char *name,
    const struct store_entry *entry)
{
	struct named *named = make_named(lists, name);
	struct entry **at, *made;
	bool was_there;

	if (named == NULL || strlen(entry->text) >= LIST_ENTRY_SIZE ||
	    strlen(entry->note) >= STORE_NOTE_SIZE)
		return STORE_FULL;
	at = place_of(lists, named, entry->text);
	was_there = *at != NULL;
	made = was_there || has_room(lists) ? entry_new(entry) : NULL;
	if (made == NULL)
		return STORE_FULL;
	if (was_there)
		discard(lists, at);
	made->named = named;
	made->next = *at;
	*at = made;
	lists->count++;
	lists->octets += octets_of(made);
	named->version = ++lists->version;
	return was_there ? STORE_RENEWED : STORE_ADDED;
}

static enum store_change
remove_entry(struct memory_lists *lists, const char *name, const char *text)
{
	struct named *named = find_named(lists, name);
	struct entry **at;

	if (named == NULL)
		return STORE_ABSENT;
	at = place_of(lists, named, text);
	if (*at == NULL)
		return STORE_ABSENT;
	discard(lists, at);
	return STORE_REMOVED;
}

static void
each_of(const struct memory_lists *lists, const char *name,
    store_entry_each *each, void *arg)
{
	const struct named *named = find_named(lists, name);

	for (size_t i = 0; named != NULL && i < MEMORY_LISTS_PLACES; i++)
		for (const struct entry *entry = lists->places[i];
		     entry != NULL; entry = entry->next)
			if (entry->named == named &&
			    !each(arg,
				&(struct store_entry){
				    entry->text, entry->until, entry->note}))
				return;
}

void
memory_lists_expire(struct memory_lists *lists, int64_t now)
{
	for (size_t i = 0; i < MEMORY_LISTS_PLACES && lists->count > 0; i++) {
		struct entry **at = &lists->places[i];

		while (*at != NULL) {
			if ((*at)->until <= now)
				discard(lists, at);
			else
				at = &(*at)->next;
		}
	}
}

/* ---- In a file */

static void
put_text(struct bytes_out *out, const char *text)
{
	bytes_put_number(out, strlen(text));
	bytes_put(out, text, strlen(text));
}

void
memory_lists_put(const struct memory_lists *lists, struct bytes_out *out)
{
	bytes_put_number(out, lists->count);
	for (size_t i = 0; i < MEMORY_LISTS_PLACES; i++)
		for (const struct entry *entry = lists->places[i];
		     entry != NULL; entry = entry->next) {
			put_text(out, entry->named->name);
			put_text(out, entry->text);
			put_text(out, entry->note);
			bytes_put_number(out, (uint64_t)entry->until);
		}
}

/* False: it is too long, or no text. */
static bool
get_text(struct bytes_in *in, char *text_r, size_t size)
{
	uint64_t length = bytes_get_number(in);
	const unsigned char *data =
	    length < size ? bytes_get(in, (size_t)length) : NULL;

	if (data == NULL)
		return false;
	memcpy(text_r, data, (size_t)length);
	text_r[length] = '\0';
	return strlen(text_r) == length;
}

static bool
get_entry(struct memory_lists *lists, struct bytes_in *in)
{
	char name[NAME_SIZE], text[LIST_ENTRY_SIZE], note[STORE_NOTE_SIZE];
	struct store_entry entry = {text, 0, note};

	if (!get_text(in, name, sizeof name) ||
	    !get_text(in, text, sizeof text) ||
	    !get_text(in, note, sizeof note))
		return false;
	entry.until = (int64_t)bytes_get_number(in);
	return !in->failed && add(lists, name, &entry) == STORE_ADDED;
}

bool
memory_lists_get(struct memory_lists *lists, struct bytes_in *in)
{
	uint64_t count = bytes_get_number(in);
	bool is_good = !in->failed && count <= MEMORY_LISTS_ENTRIES;

	for (uint64_t i = 0; i < count && is_good; i++)
		is_good = get_entry(lists, in);
	if (!is_good)
		memory_lists_clear(lists);
	return is_good;
}

/* ---- For many threads */

static bool
add_to_list(void *arg, const struct store_entry *entry)
{
	struct list **list = arg;
	const char *why;

	(void)list_add(*list, entry->text, entry->until, &why);
	return true;
}

/* A list that nobody has filled is told as an empty one, once, as far as there is
 * room to know it by. */
static enum store_result
read_list(struct store *store, const char *name, struct list **list_r)
{
	struct memory *memory = (struct memory *)store;
	struct list *list = list_new(LIST_ALL);
	struct named *named;
	uint64_t version;

	*list_r = NULL;
	if (list == NULL)
		return STORE_DOWN;
	pthread_mutex_lock(&memory->mutex);
	named = make_named(&memory->lists, name);
	version = named == NULL ? 0 : named->version;
	if (named == NULL || named->read != version + 1) {
		each_of(&memory->lists, name, add_to_list, &list);
		*list_r = list;
	}
	pthread_mutex_unlock(&memory->mutex);
	if (*list_r == NULL) {
		list_free(&list);
		return STORE_OK;
	}
	if (!list_seal(list)) {
		list_free(list_r);
		return STORE_DOWN;
	}
	if (named != NULL)
		named->read = version + 1;
	return STORE_OK;
}

static enum store_result
list_add_entry(struct store *store, const char *name,
    const struct store_entry *entry, enum store_change *change_r)
{
	struct memory *memory = (struct memory *)store;

	pthread_mutex_lock(&memory->mutex);
	*change_r = add(&memory->lists, name, entry);
	pthread_mutex_unlock(&memory->mutex);
	return STORE_OK;
}

static enum store_result
list_remove_entry(struct store *store, const char *name, const char *text,
    enum store_change *change_r)
{
	struct memory *memory = (struct memory *)store;

	pthread_mutex_lock(&memory->mutex);
	*change_r = remove_entry(&memory->lists, name, text);
	pthread_mutex_unlock(&memory->mutex);
	return STORE_OK;
}

/* Copies, as whoever gets them may be slow. */
struct copies {
	struct store_entry *array;
	size_t count;
	bool failed;
};

static bool
copy(void *arg, const struct store_entry *entry)
{
	struct copies *copies = arg;
	size_t text_size = strlen(entry->text) + 1;
	size_t note_size = strlen(entry->note) + 1;
	char *words = malloc(text_size + note_size);
	struct store_entry *made;

	if (words == NULL ||
	    !array_grow(&copies->array, copies->count, sizeof *copies->array)) {
		copies->failed = true;
		free(words);
		return false;
	}
	memcpy(words, entry->text, text_size);
	memcpy(words + text_size, entry->note, note_size);
	made = &copies->array[copies->count++];
	made->text = words;
	made->until = entry->until;
	made->note = words + text_size;
	return true;
}

static enum store_result
list_each_entry(
    struct store *store, const char *name, store_entry_each *each, void *arg)
{
	struct memory *memory = (struct memory *)store;
	struct copies copies = {0};
	bool goes_on;

	pthread_mutex_lock(&memory->mutex);
	each_of(&memory->lists, name, copy, &copies);
	pthread_mutex_unlock(&memory->mutex);
	goes_on = !copies.failed;
	for (size_t i = 0; i < copies.count; i++) {
		if (goes_on)
			goes_on = each(arg, &copies.array[i]);
		free((char *)copies.array[i].text);
	}
	free(copies.array);
	return copies.failed ? STORE_DOWN : STORE_OK;
}

const struct store_list_ops memory_list_ops = {
    .read = read_list,
    .add = list_add_entry,
    .remove = list_remove_entry,
    .each = list_each_entry,
};
