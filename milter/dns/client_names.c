#include "dns/client_names.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/seconds.h"

#define PLACES	  8192
#define NAME_SIZE 80 /* longer ones are not remembered */

struct place {
	struct netaddr client;
	int64_t seen;
	char organisation[NAME_SIZE]; /* "": free */
};

struct client_names {
	pthread_mutex_t mutex;
	uint64_t seed;
	struct place places[PLACES];
};

struct client_names *
client_names_create(uint64_t seed)
{
	struct client_names *names = calloc(1, sizeof *names);

	if (names == NULL)
		return NULL;
	names->seed = seed;
	pthread_mutex_init(&names->mutex, NULL);
	return names;
}

void
client_names_free(struct client_names **names)
{
	if (*names == NULL)
		return;
	pthread_mutex_destroy(&(*names)->mutex);
	free(*names);
	*names = NULL;
}

static struct place *
place_of(struct client_names *names, const struct netaddr *client)
{
	uint64_t sum =
	    hash_64(HASH_64 ^ names->seed, client->octets, client->length);

	return &names->places[(sum ^ sum >> 32) % PLACES];
}

void
client_names_note(struct client_names *names, const struct netaddr *client,
    const char *organisation, int64_t now)
{
	struct place *place = place_of(names, client);
	bool is_none =
	    organisation == NULL || strlen(organisation) >= NAME_SIZE;

	pthread_mutex_lock(&names->mutex);
	if (!is_none) {
		place->client = *client;
		place->seen = now;
		strcpy(place->organisation, organisation);
	} else if (netaddr_equal(&place->client, client)) {
		place->organisation[0] = '\0';
	}
	pthread_mutex_unlock(&names->mutex);
}

bool
client_names_recall(struct client_names *names, const struct netaddr *client,
    int64_t now, char organisation_r[HOSTNAME_SIZE])
{
	struct place *place = place_of(names, client);
	bool found;

	pthread_mutex_lock(&names->mutex);
	found = place->organisation[0] != '\0' &&
	    netaddr_equal(&place->client, client) &&
	    seconds_apart(now, place->seen) <= CLIENT_NAMES_KEPT;
	if (found)
		strcpy(organisation_r, place->organisation);
	pthread_mutex_unlock(&names->mutex);
	return found;
}
