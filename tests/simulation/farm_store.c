#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "farm_parts.h"
#include "store/memory/store_memory.h"

/* A fixed key: the same seed gives the same names, hence the same run. */
static const unsigned char key[TRIPLET_KEY] = "a simulation has no secrets";

struct store *
farm_store_open(const struct settings *settings, int64_t now)
{
	const struct store_memory_config config = {
	    .terms = store_terms_of(settings, ""),
	    .key = key,
	};

	return store_memory_open(&config, now);
}

static struct farm *
farm_of(struct store *store)
{
	return ((struct branch *)store)->farm;
}

static void
note(struct farm *farm, const struct store_query *query,
    const struct store_answer *answer)
{
	struct farm_result *result = farm->result;

	if (result == NULL)
		return;
	result->asked = true;
	result->known =
	    farm->known_after > 0 && answer->passes >= farm->known_after;
	result->score =
	    reputation_score(&answer->host, &answer->network, farm->prior);
	for (size_t i = 0; i < query->pair_count; i++)
		for (int space = 0; space < CLOCK_SPACES; space++)
			if (answer->pairs[i][space].first_seen != 0 ||
			    answer->pairs[i][space].last_passed != 0)
				result->seen_before = true;
}

static enum store_result
look_up(struct store *store, const struct store_query *query,
    struct store_answer *answer_r)
{
	struct farm *farm = farm_of(store);
	enum store_result result = store_look_up(farm->store, query, answer_r);

	if (result == STORE_OK)
		note(farm, query, answer_r);
	return result;
}

static enum store_result
remember(struct store *store, const struct store_effects *effects)
{
	return store_remember(farm_of(store)->store, effects);
}

static enum store_result
exchange_load(struct store *store, const struct load_report *own,
    struct load_report *reports_r, size_t size, int64_t *now_r, size_t *count_r)
{
	struct farm *farm = farm_of(store);
	size_t count = farm->server_count < size ? farm->server_count : size;

	farm->reports[((struct branch *)store)->number] = *own;
	memcpy(reports_r, farm->reports, count * sizeof *reports_r);
	*now_r = own->at;
	*count_r = count;
	return STORE_OK;
}

static enum store_result
read_list(struct store *store, const char *name, struct list **list_r)
{
	return store_read_list(farm_of(store)->store, name, list_r);
}

static enum store_result
take_reports(struct store *store, int64_t now,
    void (*each)(void *arg, const char *text), void *arg)
{
	return store_take_reports(farm_of(store)->store, now, each, arg);
}

static bool
is_up(const struct store *store)
{
	(void)store;
	return true;
}

/* One of the servers will do. */
static void
tidy(struct store *store, int64_t now)
{
	if (((struct branch *)store)->number == 0)
		store_tidy(farm_of(store)->store, now);
}

static void
close_branch(struct store *store)
{
	free(store);
}

static const struct store_farm_ops farm_ops = {
    .exchange_load = exchange_load, .take_reports = take_reports};
static const struct store_list_ops list_ops = {.read = read_list};

static const struct store_ops operations = {
    .look_up = look_up,
    .remember = remember,
    .farm = &farm_ops,
    .lists = &list_ops,
    .is_up = is_up,
    .tidy = tidy,
    .close = close_branch,
};

struct store *
farm_store_branch(struct farm *farm, size_t number)
{
	struct branch *branch = calloc(1, sizeof *branch);

	if (branch == NULL)
		return NULL;
	branch->store.ops = &operations;
	branch->farm = farm;
	branch->number = number;
	return &branch->store;
}
