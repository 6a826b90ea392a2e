#include "ctl/rehearse/peek.h"

static enum store_result
peek_look_up(struct store *store, const struct store_query *query,
    struct store_answer *answer_r)
{
	struct store_take takes[STORE_TAKES_MAX];
	struct store_query own = *query;
	enum store_result result;

	if (query->take_count > STORE_TAKES_MAX)
		return STORE_UNREADABLE;
	own.peeks = true;
	own.takes = takes;
	for (size_t i = 0; i < query->take_count; i++) {
		takes[i] = query->takes[i];
		takes[i].units = 0;
	}
	result = store_look_up(((struct peek *)store)->inner, &own, answer_r);
	/* As if they had been taken. */
	for (size_t i = 0; i < query->take_count; i++) {
		answer_r->counts[i].units = query->takes[i].units;
		answer_r->counts[i].slots[WINDOW_SLOT_NOW] +=
		    query->takes[i].units;
	}
	return result;
}

static enum store_result
peek_remember(struct store *store, const struct store_effects *effects)
{
	(void)store;
	(void)effects;
	return STORE_OK;
}

static enum store_result
peek_exchange_load(struct store *store, const struct load_report *own,
    struct load_report *reports_r, size_t size, int64_t *now_r, size_t *count_r)
{
	(void)own;
	return store_exchange_load(((struct peek *)store)->inner, NULL,
	    reports_r, size, now_r, count_r);
}

static bool
add_entry(void *arg, const struct store_entry *entry)
{
	const char *why;

	(void)list_add(arg, entry->text, entry->until, &why);
	return true;
}

/* Whole, whoever has read it before. */
static enum store_result
peek_read_list(struct store *store, const char *name, struct list **list_r)
{
	enum store_result result = STORE_DOWN;

	*list_r = list_new(LIST_ALL);
	if (*list_r != NULL)
		result = store_list_each(
		    ((struct peek *)store)->inner, name, add_entry, *list_r);
	if (result != STORE_OK || !list_seal(*list_r))
		list_free(list_r);
	return result;
}

static bool
peek_is_up(const struct store *store)
{
	return store_is_up(((const struct peek *)store)->inner);
}

static void
peek_close(struct store *store)
{
	(void)store;
}

static const struct store_farm_ops peek_farm = {
    .exchange_load = peek_exchange_load};
static const struct store_list_ops peek_lists = {.read = peek_read_list};

const struct store_ops peek_ops = {.look_up = peek_look_up,
    .remember = peek_remember,
    .farm = &peek_farm,
    .lists = &peek_lists,
    .is_up = peek_is_up,
    .close = peek_close};
