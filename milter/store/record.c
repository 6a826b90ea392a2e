#include "store/record.h"

#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/seconds.h"
#include "mail/hostname.h"
#include "mail/netaddr.h"
#include "store/clock_worth.h"

struct record_host *
record_add_host(struct store_record *record)
{
	size_t at = record->host_count;

	if (at == RECORD_HOSTS_MAX ||
	    !array_grow(&record->hosts, at, sizeof *record->hosts))
		return NULL;
	record->hosts[at] = (struct record_host){0};
	record->host_count++;
	return &record->hosts[at];
}

struct record_trust *
record_add_trust(struct store_record *record)
{
	size_t at = record->trust_count;

	if (at == RECORD_TRUSTS_MAX ||
	    !array_grow(&record->trusts, at, sizeof *record->trusts))
		return NULL;
	record->trusts[at] = (struct record_trust){0};
	record->trust_count++;
	return &record->trusts[at];
}

struct record_clock *
record_add_clock(struct store_record *record)
{
	size_t at = record->clock_count;

	if (at == RECORD_CLOCKS_MAX ||
	    !array_grow(&record->clocks, at, sizeof *record->clocks))
		return NULL;
	record->clocks[at] = (struct record_clock){0};
	record->clock_count++;
	return &record->clocks[at];
}

bool
record_is_network(const char *name)
{
	return strchr(name, '/') != NULL;
}

bool
record_name_is_good(const char *name)
{
	char text[NETWORK_TEXT_SIZE], why[NETWORK_WHY_SIZE];
	struct network network;

	if (!record_is_network(name))
		return hostname_is_valid(name);
	if (!network_parse(name, &network, why))
		return false;
	network_format(&network, text);
	return strcmp(text, name) == 0;
}

void
record_clear(struct store_record *record)
{
	free(record->hosts);
	free(record->trusts);
	free(record->clocks);
	*record = (struct store_record){0};
}

/* ---- Time */

static void
turn_back(int64_t *time, int64_t now)
{
	if (*time > now)
		*time = now;
}

/* Whether it is of use. */
static bool
tidy_clock(
    struct record_clock *clock, const struct store_terms *terms, int64_t now)
{
	/* a client's own is no attempt, and none is abandoned */
	enum clock_space space =
	    clock->pair[0] == '\0' ? CLOCK_OBSERVED : clock->space;
	enum clock_worth worth;

	turn_back(&clock->at.first_seen, now);
	turn_back(&clock->at.last_passed, now);
	worth =
	    clock_worth(greylist_clock_encode(&clock->at), space, terms, now);
	return worth == CLOCK_PENDING || worth == CLOCK_PASSED;
}

static bool
tidy_trust(
    struct record_trust *trust, const struct store_terms *terms, int64_t now)
{
	turn_back(&trust->last_used, now);
	return trust->last_used == 0 ||
	    now - trust->last_used <= terms->worthy_life;
}

void
record_tidy(
    struct store_record *record, const struct store_terms *terms, int64_t now)
{
	int64_t life =
	    record->worthy ? terms->worthy_life : terms->pending_life;
	size_t clocks = 0, trusts = 0;

	for (size_t i = 0; i < record->clock_count; i++)
		if (tidy_clock(&record->clocks[i], terms, now))
			record->clocks[clocks++] = record->clocks[i];
	record->clock_count = clocks;
	for (size_t i = 0; i < record->trust_count; i++)
		if (tidy_trust(&record->trusts[i], terms, now))
			record->trusts[trusts++] = record->trusts[i];
	record->trust_count = trusts;
	turn_back(&record->points.paced_at, now);
	for (size_t i = 0; i < record->host_count; i++)
		turn_back(&record->hosts[i].points.paced_at, now);
	turn_back(&record->expires, seconds_between(now, -life));
}

/* ---- Two of one name */

static void
merge_points(
    struct record_points *mine, const struct record_points *other, bool is_new)
{
	if (other->good > mine->good) {
		mine->good = other->good;
		mine->paced_at = other->paced_at;
	}
	if (is_new)
		mine->bad = other->bad;
}

static bool
merge_hosts(
    struct store_record *mine, const struct store_record *other, bool is_new)
{
	for (size_t i = 0; i < other->host_count; i++) {
		struct record_host *host = NULL;

		for (size_t j = 0; host == NULL && j < mine->host_count; j++)
			if (mine->hosts[j].bucket == other->hosts[i].bucket)
				host = &mine->hosts[j];
		if (host == NULL)
			host = record_add_host(mine);
		if (host == NULL)
			return false;
		host->bucket = other->hosts[i].bucket;
		merge_points(&host->points, &other->hosts[i].points, is_new);
	}
	return true;
}

/* More than there is room for are left out. */
static void
merge_trusts(struct store_record *mine, const struct store_record *other)
{
	for (size_t i = 0; i < other->trust_count; i++) {
		const struct record_trust *theirs = &other->trusts[i];
		struct record_trust *trust = NULL;

		for (size_t j = 0; trust == NULL && j < mine->trust_count; j++)
			if (strcmp(mine->trusts[j].address, theirs->address) ==
			    0)
				trust = &mine->trusts[j];
		if (trust == NULL)
			trust = record_add_trust(mine);
		if (trust == NULL)
			return;
		memcpy(trust->address, theirs->address, sizeof trust->address);
		if (trust->passes < theirs->passes)
			trust->passes = theirs->passes;
		if (trust->last_used < theirs->last_used)
			trust->last_used = theirs->last_used;
	}
}

static struct record_clock *
find_clock(struct store_record *record, const struct record_clock *sought)
{
	for (size_t i = 0; i < record->clock_count; i++) {
		struct record_clock *clock = &record->clocks[i];

		if (clock->space == sought->space &&
		    strcmp(clock->pair, sought->pair) == 0 &&
		    strcmp(clock->address, sought->address) == 0)
			return clock;
	}
	return NULL;
}

static void
merge_clocks(struct store_record *mine, const struct store_record *other,
    const struct store_terms *terms, int64_t now)
{
	for (size_t i = 0; i < other->clock_count; i++) {
		const struct record_clock *theirs = &other->clocks[i];
		struct record_clock *clock = find_clock(mine, theirs);

		if (clock != NULL) {
			clock->at =
			    clock_either(greylist_clock_encode(&clock->at),
				greylist_clock_encode(&theirs->at), terms, now);
		} else if (mine->clock_count < terms->network_cap) {
			clock = record_add_clock(mine);
			if (clock != NULL)
				*clock = *theirs;
		}
	}
}

bool
record_merge(struct store_record *mine, const struct store_record *other,
    const struct store_terms *terms, int64_t now)
{
	bool is_new = mine->expires == 0;

	if (mine->expires < other->expires)
		mine->expires = other->expires;
	mine->worthy = mine->worthy || other->worthy;
	if (other->has_points) {
		mine->has_points = true;
		merge_points(&mine->points, &other->points, is_new);
		if (!merge_hosts(mine, other, is_new))
			return false;
	}
	merge_trusts(mine, other);
	merge_clocks(mine, other, terms, now);
	return true;
}
