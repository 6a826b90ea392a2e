#include "scenario_keeper.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define REPORTS_MAX 32
#define LISTS_HELD  8

struct shared_list {
	char *name;
	struct list *fresh; /* not read yet; NULL: no news */
};

struct keeper {
	struct store head; /* first, as in every keeper */
	struct store *inner;
	enum keeper_state state;
	int64_t skew;
	unsigned asked;
	unsigned told;
	char *reports[REPORTS_MAX];
	size_t report_count;
	struct shared_list lists[LISTS_HELD];
	size_t list_count;
};

static enum store_result
look_up(struct store *store, const struct store_query *query,
    struct store_answer *answer_r)
{
	struct keeper *keeper = (struct keeper *)store;
	struct store_query mine = *query;

	keeper->asked++;
	mine.now += keeper->skew;
	if (keeper->state == KEEPER_MUTE)
		return STORE_LATE;
	return keeper->state == KEEPER_UP
	    ? store_look_up(keeper->inner, &mine, answer_r)
	    : STORE_DOWN;
}

static enum store_result
remember(struct store *store, const struct store_effects *effects)
{
	struct keeper *keeper = (struct keeper *)store;

	keeper->told++;
	return keeper->state == KEEPER_UP
	    ? store_remember(keeper->inner, effects)
	    : STORE_DOWN;
}

static enum store_result
exchange_load(struct store *store, const struct load_report *own,
    struct load_report *reports_r, size_t size, int64_t *now_r, size_t *count_r)
{
	struct keeper *keeper = (struct keeper *)store;

	return keeper->state == KEEPER_UP
	    ? store_exchange_load(
		  keeper->inner, own, reports_r, size, now_r, count_r)
	    : STORE_DOWN;
}

static enum store_result
read_list(struct store *store, const char *name, struct list **list_r)
{
	struct keeper *keeper = (struct keeper *)store;

	*list_r = NULL;
	if (keeper->state != KEEPER_UP)
		return STORE_DOWN;
	for (size_t i = 0; i < keeper->list_count; i++)
		if (strcmp(keeper->lists[i].name, name) == 0) {
			*list_r = keeper->lists[i].fresh;
			keeper->lists[i].fresh = NULL;
		}
	return STORE_OK;
}

static enum store_result
take_reports(struct store *store, int64_t now,
    void (*each)(void *arg, const char *text), void *arg)
{
	struct keeper *keeper = (struct keeper *)store;

	(void)now;
	if (keeper->state != KEEPER_UP)
		return STORE_DOWN;
	while (keeper->report_count > 0) {
		char *text = keeper->reports[--keeper->report_count];

		each(arg, text);
		free(text);
	}
	return STORE_OK;
}

static bool
is_up(const struct store *store)
{
	return ((const struct keeper *)store)->state != KEEPER_AWAY;
}

static void
tidy(struct store *store, int64_t now)
{
	store_tidy(((struct keeper *)store)->inner, now);
}

static void
stop(struct store *store)
{
	store_stop(((struct keeper *)store)->inner);
}

static void
close_keeper(struct store *store)
{
	struct keeper *keeper = (struct keeper *)store;

	store_close(&keeper->inner);
	while (keeper->report_count > 0)
		free(keeper->reports[--keeper->report_count]);
	for (size_t i = 0; i < keeper->list_count; i++) {
		list_free(&keeper->lists[i].fresh);
		free(keeper->lists[i].name);
	}
	free(keeper);
}

static int64_t
keeper_now(struct store *store, int64_t now)
{
	return now + ((struct keeper *)store)->skew;
}

static const struct store_farm_ops farm = {
    .exchange_load = exchange_load, .take_reports = take_reports};
static const struct store_list_ops lists = {.read = read_list};

static const struct store_ops ops = {.look_up = look_up,
    .remember = remember,
    .farm = &farm,
    .lists = &lists,
    .is_up = is_up,
    .tidy = tidy,
    .stop = stop,
    .close = close_keeper,
    .now = keeper_now};

struct keeper *
keeper_open(struct store *inner)
{
	struct keeper *keeper = calloc(1, sizeof *keeper);

	/* Also used where Check is not at work. */
	if (keeper == NULL || inner == NULL)
		abort();
	keeper->head.ops = &ops;
	keeper->inner = inner;
	return keeper;
}

struct store *
keeper_store(struct keeper *keeper)
{
	return &keeper->head;
}

void
keeper_set_state(struct keeper *keeper, enum keeper_state state)
{
	keeper->state = state;
}

void
keeper_set_skew(struct keeper *keeper, int64_t seconds)
{
	keeper->skew = seconds;
}

unsigned
keeper_told(struct keeper *keeper)
{
	unsigned told = keeper->told;

	keeper->told = 0;
	return told;
}

unsigned
keeper_asked(struct keeper *keeper)
{
	unsigned asked = keeper->asked;

	keeper->asked = 0;
	return asked;
}

void
keeper_report(struct keeper *keeper, const char *text)
{
	ck_assert_msg(keeper->report_count < REPORTS_MAX, "too many reports");
	keeper->reports[keeper->report_count++] = strdup(text);
}

static struct shared_list *
list_named(struct keeper *keeper, const char *name)
{
	for (size_t i = 0; i < keeper->list_count; i++)
		if (strcmp(keeper->lists[i].name, name) == 0)
			return &keeper->lists[i];
	ck_assert_msg(keeper->list_count < LISTS_HELD, "too many lists");
	keeper->lists[keeper->list_count].name = strdup(name);
	return &keeper->lists[keeper->list_count++];
}

void
keeper_set_list(
    struct keeper *keeper, const char *name, char *const *entries, size_t count)
{
	struct shared_list *shared = list_named(keeper, name);
	const char *why;

	list_free(&shared->fresh);
	shared->fresh = list_new(LIST_ALL);
	for (size_t i = 0; i < count; i++)
		ck_assert_msg(
		    list_add(shared->fresh, entries[i], LIST_FOR_EVER, &why),
		    "%s: %s", entries[i], why);
	ck_assert(list_seal(shared->fresh));
}
