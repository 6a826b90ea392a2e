/* The shared lists of the embedded store, for many threads. */
#include "store/memory/store_memory_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

/* A list as it was when it was last read. */
struct listed_name {
	struct listed_name *next;
	uint64_t version;
	bool is_read;
	char name[];
};

void
memory_free_read(struct memory *memory)
{
	struct listed_name *next;

	for (; memory->read != NULL; memory->read = next) {
		next = memory->read->next;
		free(memory->read);
	}
}

static struct listed_name *
find_read(struct memory *memory, const char *name)
{
	size_t size = strlen(name) + 1;
	struct listed_name *listed = memory->read;

	while (listed != NULL && strcmp(listed->name, name) != 0)
		listed = listed->next;
	if (listed != NULL)
		return listed;
	listed = calloc(1, sizeof *listed + size);
	if (listed == NULL)
		return NULL;
	memcpy(listed->name, name, size);
	listed->next = memory->read;
	memory->read = listed;
	return listed;
}

static void
add_to_list(void *arg, const struct store_entry *entry)
{
	struct list **list = arg;
	const char *why;

	(void)list_add_until(*list, entry->text, entry->until, &why);
}

/* A list that nobody has filled is told as an empty one, once. */
enum store_result
memory_read_list(struct store *store, const char *name, struct list **list_r)
{
	struct memory *memory = (struct memory *)store;
	struct listed_name *listed = find_read(memory, name);
	bool is_due;

	*list_r = list_new();
	if (listed == NULL || *list_r == NULL) {
		list_free(list_r);
		return STORE_DOWN;
	}
	pthread_mutex_lock(&memory->mutex);
	is_due = !listed->is_read ||
	    listed->version != memory_lists_version(memory->lists, name);
	listed->version = memory_lists_version(memory->lists, name);
	if (is_due)
		memory_lists_each(memory->lists, name, add_to_list, list_r);
	pthread_mutex_unlock(&memory->mutex);
	if (!is_due || !list_seal(*list_r))
		list_free(list_r);
	listed->is_read = !is_due || *list_r != NULL;
	return listed->is_read ? STORE_OK : STORE_DOWN;
}

enum store_result
memory_list_add(struct store *store, const char *name,
    const struct store_entry *entry, enum store_change *change_r)
{
	struct memory *memory = (struct memory *)store;

	pthread_mutex_lock(&memory->mutex);
	*change_r = memory_lists_add(memory->lists, name, entry);
	pthread_mutex_unlock(&memory->mutex);
	return STORE_OK;
}

enum store_result
memory_list_remove(struct store *store, const char *name, const char *text,
    enum store_change *change_r)
{
	struct memory *memory = (struct memory *)store;

	pthread_mutex_lock(&memory->mutex);
	*change_r = memory_lists_remove(memory->lists, name, text);
	pthread_mutex_unlock(&memory->mutex);
	return STORE_OK;
}

/* Copies, as whoever gets them may be slow. */
struct copies {
	struct store_entry *array;
	size_t count;
	bool failed;
};

static void
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
		return;
	}
	memcpy(words, entry->text, text_size);
	memcpy(words + text_size, entry->note, note_size);
	made = &copies->array[copies->count++];
	made->text = words;
	made->until = entry->until;
	made->note = words + text_size;
}

enum store_result
memory_list_each(
    struct store *store, const char *name, store_entry_each *each, void *arg)
{
	struct memory *memory = (struct memory *)store;
	struct copies copies = {0};

	pthread_mutex_lock(&memory->mutex);
	memory_lists_each(memory->lists, name, copy, &copies);
	pthread_mutex_unlock(&memory->mutex);
	for (size_t i = 0; i < copies.count; i++) {
		if (!copies.failed)
			each(arg, &copies.array[i]);
		free((char *)copies.array[i].text);
	}
	free(copies.array);
	return copies.failed ? STORE_DOWN : STORE_OK;
}
