#include "dns/geo.h"

#include <errno.h>
#include <maxminddb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/outage.h"
#include "base/thread.h"
#include "mail/list_file.h"

#define LOOK_EVERY_MS INT64_C(2000)
#define WHY_SIZE      160

/* What is read aside. */
struct reading {
	char *path;
	struct list_file_identity identity; /* of what was read last */
	bool is_new;			    /* `base` is to be taken over */
	MMDB_s base;
	char why
	    [WHY_SIZE]; /* it could not be read; "": it was, or is the same */
};

struct database {
	const char *what;
	struct aside *aside; /* NULL: none is wanted */
	bool is_started;
	int64_t looked_ms;
	struct outage outage;
	pthread_rwlock_t lock; /* for what follows */
	atomic_bool is_open;   /* changed with the lock held */
	MMDB_s base;
};

struct geo {
	struct database databases[GEO_KINDS];
};

/* ---- Open and close */

struct geo *
geo_open(void)
{
	static const char *const what[GEO_KINDS] = {"country_file", "asn_file"};
	struct geo *geo = calloc(1, sizeof *geo);

	for (size_t i = 0; geo != NULL && i < GEO_KINDS; i++) {
		geo->databases[i].what = what[i];
		if (pthread_rwlock_init(&geo->databases[i].lock, NULL) == 0)
			continue;
		while (i > 0)
			pthread_rwlock_destroy(&geo->databases[--i].lock);
		free(geo);
		return NULL;
	}
	return geo;
}

static void
forget(struct database *database)
{
	aside_close(&database->aside);
	database->is_started = false;
	pthread_rwlock_wrlock(&database->lock);
	if (database->is_open)
		MMDB_close(&database->base);
	database->is_open = false;
	pthread_rwlock_unlock(&database->lock);
}

void
geo_close(struct geo **geo)
{
	if (*geo == NULL)
		return;
	for (size_t i = 0; i < GEO_KINDS; i++) {
		forget(&(*geo)->databases[i]);
		pthread_rwlock_destroy(&(*geo)->databases[i].lock);
	}
	free(*geo);
	*geo = NULL;
}

/* ---- Reading */

static void
drop(void *data)
{
	struct reading *reading = data;

	if (reading->is_new)
		MMDB_close(&reading->base);
	free(reading->path);
}

/* Done aside: it may hang with the file system. */
static void
read_base(void *data)
{
	struct reading *reading = data;
	struct list_file_identity identity;
	int status;

	reading->why[0] = '\0';
	if (!list_file_identify(reading->path, &identity)) {
		(void)snprintf(
		    reading->why, sizeof reading->why, "%s", strerror(errno));
		return;
	}
	if (list_file_is_same(&identity, &reading->identity))
		return;
	status = MMDB_open(reading->path, MMDB_MODE_MMAP, &reading->base);
	reading->is_new = status == MMDB_SUCCESS;
	if (reading->is_new)
		reading->identity = identity;
	else
		(void)snprintf(reading->why, sizeof reading->why, "%s",
		    status == MMDB_IO_ERROR ? strerror(errno)
					    : MMDB_strerror(status));
}

static void
take_over(struct database *database, struct reading *reading)
{
	MMDB_s old = database->base;
	bool was_open = database->is_open;

	log_info("%s: %s is read, a database of type %.64s", database->what,
	    reading->path, reading->base.metadata.database_type);
	pthread_rwlock_wrlock(&database->lock);
	database->base = reading->base;
	database->is_open = true;
	pthread_rwlock_unlock(&database->lock);
	reading->is_new = false;
	if (was_open)
		MMDB_close(&old);
}

static void
take(struct database *database, struct reading *reading)
{
	const char *why = reading->why[0] == '\0' ? NULL : reading->why;

	if (reading->is_new)
		take_over(database, reading);
	switch (outage_note(&database->outage, why, clock_steady_us() / 1000)) {
	case OUTAGE_BEGAN:
		log_warning("%s: %s cannot be read: %s%s", database->what,
		    reading->path, why,
		    database->is_open ? "; what was read before serves on"
				      : "");
		break;
	case OUTAGE_ENDED:
		log_info(
		    "%s: %s can be read again", database->what, reading->path);
		break;
	case OUTAGE_SAME:
		break;
	}
}

/* False: it is another one than before, or out of memory. */
static bool
aims_at(struct database *database, const char *path)
{
	struct reading *reading;

	if (database->aside == NULL)
		database->aside =
		    aside_open("geo", sizeof(struct reading), read_base, drop);
	if (database->aside == NULL)
		return false;
	reading = aside_data(database->aside);
	if (reading == NULL)
		return true;
	if (reading->path == NULL)
		reading->path = strdup(path);
	return reading->path != NULL && strcmp(reading->path, path) == 0;
}

static void
tick(struct database *database, const char *path)
{
	int64_t now_ms = clock_steady_us() / 1000;
	struct reading *reading;

	if (path[0] == '\0' || !aims_at(database, path)) {
		if (database->aside != NULL)
			forget(database);
		return;
	}
	reading = aside_data(database->aside);
	if (reading == NULL)
		return;
	if (database->is_started) {
		database->is_started = false;
		take(database, reading);
	}
	if (database->looked_ms != 0 &&
	    now_ms - database->looked_ms < LOOK_EVERY_MS && database->is_open)
		return;
	database->looked_ms = now_ms;
	database->is_started = aside_start(database->aside);
}

void
geo_tick(struct geo *geo, const char *const files[GEO_KINDS])
{
	for (size_t i = 0; i < GEO_KINDS; i++)
		tick(&geo->databases[i], files[i]);
}

/* ---- Looking up */

/* With the lock held.  False: the database does not have it. */
static bool
find(const MMDB_s *base, const struct netaddr *client, const char *const path[],
    MMDB_entry_data_s *data_r)
{
	struct sockaddr_storage address;
	MMDB_lookup_result_s found;
	int fault;

	(void)netaddr_to_sockaddr(client, &address);
	found = MMDB_lookup_sockaddr(
	    base, (const struct sockaddr *)&address, &fault);
	return fault == MMDB_SUCCESS && found.found_entry &&
	    MMDB_aget_value(&found.entry, data_r, path) == MMDB_SUCCESS &&
	    data_r->has_data;
}

static void
take_country(const MMDB_entry_data_s *data, char text_r[GEO_TEXT_SIZE])
{
	if (data->type == MMDB_DATA_TYPE_UTF8_STRING && data->data_size == 2)
		(void)snprintf(
		    text_r, GEO_TEXT_SIZE, "%.2s", data->utf8_string);
}

static void
take_asn(const MMDB_entry_data_s *data, char text_r[GEO_TEXT_SIZE])
{
	if (data->type == MMDB_DATA_TYPE_UINT32)
		(void)snprintf(text_r, GEO_TEXT_SIZE, "AS%lu",
		    (unsigned long)data->uint32);
}

static const struct {
	const char *path[3]; /* up to a NULL */
	void (*take)(const MMDB_entry_data_s *data, char text_r[GEO_TEXT_SIZE]);
} entries[GEO_KINDS] = {
    [GEO_COUNTRY] = {{"country", "iso_code", NULL}, take_country},
    [GEO_ASN] = {{"autonomous_system_number", NULL}, take_asn},
};

bool
geo_find(struct geo *geo, enum geo_kind kind, const struct netaddr *client,
    char text_r[GEO_TEXT_SIZE])
{
	struct database *database = &geo->databases[kind];
	MMDB_entry_data_s data;
	bool is_open;

	text_r[0] = '\0';
	if (!atomic_load_explicit(&database->is_open, memory_order_relaxed))
		return false;
	pthread_rwlock_rdlock(&database->lock);
	is_open = database->is_open;
	if (is_open && find(&database->base, client, entries[kind].path, &data))
		entries[kind].take(&data, text_r);
	pthread_rwlock_unlock(&database->lock);
	return is_open;
}
