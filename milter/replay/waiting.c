#include "replay/waiting.h"

#include <stdlib.h>

struct entry {
	struct waiting waiting; /* first: one is cast to the other */
	struct entry *chain;	/* in the same bucket */
	struct entry *older, *younger;
};

struct waiting_room {
	struct entry **buckets;
	size_t bucket_count; /* a power of 2 */
	size_t count;
	size_t most;
	struct entry *oldest, *youngest;
	waiting_left *left;
	void *arg;
};

struct waiting_room *
waiting_open(size_t most, waiting_left *left, void *arg)
{
	struct waiting_room *room = calloc(1, sizeof *room);

	if (room == NULL)
		return NULL;
	room->most = most;
	room->left = left;
	room->arg = arg;
	room->bucket_count = 1;
	while (room->bucket_count < most)
		room->bucket_count *= 2;
	room->buckets = calloc(room->bucket_count, sizeof(struct entry *));
	if (room->buckets == NULL) {
		free(room);
		return NULL;
	}
	return room;
}

void
waiting_close(struct waiting_room **room)
{
	struct waiting_room *mine = *room;

	if (mine == NULL)
		return;
	while (mine->oldest != NULL)
		waiting_remove(mine, &mine->oldest->waiting);
	free(mine->buckets);
	free(mine);
	*room = NULL;
}

static struct entry **
bucket_of(const struct waiting_room *room, uint64_t key)
{
	return &room->buckets[key & (room->bucket_count - 1)];
}

struct waiting *
waiting_find(struct waiting_room *room, uint64_t key)
{
	struct entry *entry = *bucket_of(room, key);

	while (entry != NULL && entry->waiting.key != key)
		entry = entry->chain;
	return entry == NULL ? NULL : &entry->waiting;
}

static void
lose_oldest(struct waiting_room *room, bool crowded)
{
	struct entry *oldest = room->oldest;

	room->left(room->arg, &oldest->waiting, crowded);
	waiting_remove(room, &oldest->waiting);
}

struct waiting *
waiting_add(struct waiting_room *room, uint64_t key, int64_t since,
    struct figures_rule *rule)
{
	struct entry **bucket = bucket_of(room, key);
	struct entry *entry = calloc(1, sizeof *entry);

	if (entry == NULL)
		return NULL;
	if (room->count == room->most)
		lose_oldest(room, true);
	entry->waiting.key = key;
	entry->waiting.since = since;
	entry->waiting.rule = rule;
	entry->chain = *bucket;
	*bucket = entry;
	entry->older = room->youngest;
	if (room->youngest == NULL)
		room->oldest = entry;
	else
		room->youngest->younger = entry;
	room->youngest = entry;
	room->count++;
	return &entry->waiting;
}

static void
unchain(struct waiting_room *room, const struct entry *entry)
{
	struct entry **place = bucket_of(room, entry->waiting.key);

	while (*place != entry)
		place = &(*place)->chain;
	*place = entry->chain;
}

void
waiting_remove(struct waiting_room *room, struct waiting *waiting)
{
	struct entry *entry = (struct entry *)waiting;

	unchain(room, entry);
	if (entry->older == NULL)
		room->oldest = entry->younger;
	else
		entry->older->younger = entry->younger;
	if (entry->younger == NULL)
		room->youngest = entry->older;
	else
		entry->younger->older = entry->older;
	room->count--;
	free(entry);
}

void
waiting_expire(struct waiting_room *room, int64_t before)
{
	/* Removal moves `oldest` on.  NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	while (room->oldest != NULL && room->oldest->waiting.since < before)
		lose_oldest(room, false);
}
