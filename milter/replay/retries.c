#include "replay/retries.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"

struct retries {
	struct retry **heap; /* the one that is due first is the first */
	size_t count;
	size_t most;
};

struct retries *
retries_open(size_t most)
{
	struct retries *retries = calloc(1, sizeof *retries);

	if (retries != NULL)
		retries->most = most;
	return retries;
}

void
retries_close(struct retries **retries)
{
	struct retries *mine = *retries;

	if (mine == NULL)
		return;
	for (size_t i = 0; i < mine->count; i++)
		free(mine->heap[i]);
	free(mine->heap);
	free(mine);
	*retries = NULL;
}

/* ---- One */

static size_t
room_of(const char *text)
{
	return text == NULL ? 0 : strlen(text) + 1;
}

static const char *
put(char **at, const char *text)
{
	const char *copy = text == NULL ? NULL : *at;
	size_t room = room_of(text);

	if (room > 0)
		memcpy(*at, text, room);
	*at += room;
	return copy;
}

struct retry *
retry_new(const struct maillog_attempt *attempt, const bool *again, int64_t gap)
{
	size_t room = room_of(attempt->client) + room_of(attempt->name) +
	    room_of(attempt->helo) + room_of(attempt->user) +
	    room_of(attempt->sender);
	size_t count = 0;
	struct retry *retry;
	char *at;

	for (size_t i = 0; i < attempt->recipient_count; i++)
		if (again[i]) {
			room += room_of(attempt->recipients[i]);
			count++;
		}
	retry = calloc(1, sizeof *retry + count * sizeof(char *) + room);
	if (retry == NULL)
		return NULL;
	at = (char *)&retry->recipients[count];
	retry->gap = gap;
	retry->tls = attempt->tls;
	retry->size = attempt->size;
	retry->client = put(&at, attempt->client);
	retry->name = put(&at, attempt->name);
	retry->helo = put(&at, attempt->helo);
	retry->user = put(&at, attempt->user);
	retry->sender = put(&at, attempt->sender);
	for (size_t i = 0; i < attempt->recipient_count; i++)
		if (again[i])
			retry->recipients[retry->recipient_count++] =
			    put(&at, attempt->recipients[i]);
	return retry;
}

void
retry_describe(const struct retry *retry, struct maillog_attempt *attempt_r)
{
	*attempt_r = (struct maillog_attempt){.at = retry->at,
	    .client = retry->client,
	    .name = retry->name,
	    .helo = retry->helo,
	    .user = retry->user,
	    .tls = retry->tls,
	    .sender = retry->sender,
	    .size = retry->size,
	    .recipient_count = retry->recipient_count};
	memcpy(attempt_r->recipients, retry->recipients,
	    retry->recipient_count * sizeof *retry->recipients);
}

/* ---- All of them */

static void
swap(struct retries *retries, size_t a, size_t b)
{
	struct retry *other = retries->heap[a];

	retries->heap[a] = retries->heap[b];
	retries->heap[b] = other;
}

static bool
is_before(const struct retries *retries, size_t a, size_t b)
{
	return retries->heap[a]->at < retries->heap[b]->at;
}

bool
retries_add(struct retries *retries, struct retry *retry, int64_t at)
{
	size_t place = retries->count;

	if (place == retries->most ||
	    !array_grow(&retries->heap, place, sizeof *retries->heap)) {
		free(retry);
		return false;
	}
	retry->at = at;
	retries->heap[retries->count++] = retry;
	while (place > 0 && is_before(retries, place, (place - 1) / 2)) {
		swap(retries, place, (place - 1) / 2);
		place = (place - 1) / 2;
	}
	return true;
}

struct retry *
retries_take(struct retries *retries, int64_t now)
{
	struct retry *first;
	size_t place = 0;

	if (retries->count == 0 || retries->heap[0]->at > now)
		return NULL;
	first = retries->heap[0];
	retries->heap[0] = retries->heap[--retries->count];
	for (;;) {
		size_t next = 2 * place + 1;

		if (next + 1 < retries->count &&
		    is_before(retries, next + 1, next))
			next++;
		if (next >= retries->count || !is_before(retries, next, place))
			break;
		swap(retries, place, next);
		place = next;
	}
	return first;
}
