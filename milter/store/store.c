#include "store/store.h"

#include "store/record.h"

enum store_result
store_look_up(struct store *store, const struct store_query *query,
    struct store_answer *answer_r)
{
	return store->ops->look_up(store, query, answer_r);
}

enum store_result
store_remember(struct store *store, const struct store_effects *effects)
{
	return store->ops->remember(store, effects);
}

enum store_result
store_exchange_load(struct store *store, const struct load_report *own,
    struct load_report *reports_r, size_t size, int64_t *now_r, size_t *count_r)
{
	return store->ops->exchange_load(
	    store, own, reports_r, size, now_r, count_r);
}

enum store_result
store_hosts(struct store *store, store_host_each *each, void *arg)
{
	return store->ops->hosts == NULL ? STORE_OK
					 : store->ops->hosts(store, each, arg);
}

enum store_result
store_read_list(struct store *store, const char *name, struct list **list_r)
{
	return store->ops->read_list(store, name, list_r);
}

int64_t
store_now(struct store *store, int64_t now)
{
	return store->ops->now == NULL ? now : store->ops->now(store, now);
}

enum store_result
store_list_add(struct store *store, const char *name,
    const struct store_entry *entry, enum store_change *change_r)
{
	return store->ops->list_add == NULL
	    ? STORE_DOWN
	    : store->ops->list_add(store, name, entry, change_r);
}

enum store_result
store_list_remove(struct store *store, const char *name, const char *text,
    enum store_change *change_r)
{
	return store->ops->list_remove == NULL
	    ? STORE_DOWN
	    : store->ops->list_remove(store, name, text, change_r);
}

enum store_result
store_list_each(
    struct store *store, const char *name, store_entry_each *each, void *arg)
{
	return store->ops->list_each == NULL
	    ? STORE_DOWN
	    : store->ops->list_each(store, name, each, arg);
}

enum store_result
store_forget(
    struct store *store, const struct store_forget *forget, size_t *count_r)
{
	*count_r = 0;
	return store->ops->forget == NULL
	    ? STORE_DOWN
	    : store->ops->forget(store, forget, count_r);
}

enum store_result
store_take_reports(struct store *store, int64_t now,
    void (*each)(void *arg, const char *text), void *arg)
{
	return store->ops->take_reports(store, now, each, arg);
}

enum store_result
store_share(struct store *store, const struct store_shared *own,
    void (*each)(void *arg, const struct store_shared *theirs), void *arg)
{
	return store->ops->share == NULL
	    ? STORE_OK
	    : store->ops->share(store, own, each, arg);
}

enum store_result
store_put_host(
    struct store *store, const char *text, size_t length, int64_t now)
{
	return store->ops->put_host(store, text, length, now);
}

enum store_result
store_read_hosts(struct store *store, int64_t now,
    void (*each)(void *arg, const char *host, const char *text, size_t length),
    void *arg)
{
	return store->ops->read_hosts(store, now, each, arg);
}

enum store_result
store_put_note(struct store *store, const char *board,
    const struct store_note *note, int64_t now)
{
	return store->ops->put_note(store, board, note, now);
}

enum store_result
store_read_notes(struct store *store, const char *board, int64_t now,
    void (*each)(void *arg, const char *name, const char *text), void *arg)
{
	return store->ops->read_notes(store, board, now, each, arg);
}

enum store_result
store_push(struct store *store, const char *queue, const char *const *texts,
    size_t count, int64_t now)
{
	return store->ops->push(store, queue, texts, count, now);
}

enum store_result
store_pop(struct store *store, const char *queue,
    void (*each)(void *arg, const char *text), void *arg, size_t *count_r)
{
	return store->ops->pop(store, queue, each, arg, count_r);
}

bool
store_is_up(const struct store *store)
{
	return store->ops->is_up(store);
}

void
store_tidy(struct store *store, int64_t now)
{
	store->ops->tidy(store, now);
}

void
store_renew(struct store *store)
{
	if (store->ops->renew != NULL)
		store->ops->renew(store);
}

bool
store_save(struct store *store, int64_t clock, bool last)
{
	return store->ops->save == NULL || store->ops->save(store, clock, last);
}

void
store_stop(struct store *store)
{
	store->ops->stop(store);
}

void
store_close(struct store **store)
{
	if (*store == NULL)
		return;
	(*store)->ops->close(*store);
	*store = NULL;
}

bool
store_has_marks(const struct store_effects *effects)
{
	for (int space = 0; space < CLOCK_SPACES; space++) {
		if (effects->client_mark[space] != MARK_NONE)
			return true;
		for (size_t i = 0; i < effects->pair_count; i++)
			if (effects->marks[i][space] != MARK_NONE)
				return true;
	}
	return false;
}

enum store_result
store_walk(struct store *store, struct store_walk *walk, int64_t now,
    store_record_each *each, void *arg)
{
	return store->ops->walk == NULL
	    ? STORE_DOWN
	    : store->ops->walk(store, walk, now, each, arg);
}

enum store_result
store_read_record(struct store *store, const char *name, int64_t now,
    store_record_each *each, void *arg)
{
	return store->ops->read_record == NULL
	    ? STORE_DOWN
	    : store->ops->read_record(store, name, now, each, arg);
}

enum store_result
store_restore(struct store *store, struct store_record *records, size_t count,
    int64_t now)
{
	return store->ops->restore == NULL
	    ? STORE_DOWN
	    : store->ops->restore(store, records, count, now);
}

enum store_result
store_namer(struct store *store, struct triplet_namer *namer_r)
{
	return store->ops->namer == NULL ? STORE_DOWN
					 : store->ops->namer(store, namer_r);
}
