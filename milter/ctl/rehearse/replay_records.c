#include "ctl/rehearse/replay_records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "store/record.h"
#include "transfer/record_json.h"

/* NULL, or why this is no file for this store. */
static const char *
check_head(const json_t *head, struct store *store)
{
	const char *kind = json_string_value(json_object_get(head, "kind"));
	const char *key = json_string_value(json_object_get(head, "key"));
	struct triplet_namer namer;
	char ours[TRIPLET_SIZE] = "";
	bool named;

	if (kind == NULL || strcmp(kind, "milter-defer records") != 0)
		return "this was not written by export";
	if (json_integer_value(json_object_get(head, "version")) >
	    RECORD_JSON_VERSION)
		return "this is of a later version";
	named = store_namer(store, &namer) == STORE_OK &&
	    triplet_fingerprint(&namer, ours);
	secret_wipe(&namer, sizeof namer);
	if (!named)
		return "out of memory";
	return key != NULL && strcmp(key, ours) == 0
	    ? NULL
	    : "this was made with another secret_file than the "
	      "configuration names";
}

static const char *
take_line(const char *line, int64_t number, struct store *store, int64_t now)
{
	json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
	const char *kind = json_string_value(json_object_get(object, "kind"));
	const char *why = NULL;
	struct store_record record;

	if (kind == NULL) {
		why = "this is no object with a \"kind\"";
	} else if (number == 1) {
		why = check_head(object, store);
	} else if (strcmp(kind, "record") == 0) {
		why = record_from_json(object, &record);
		if (why == NULL &&
		    store_restore(store, &record, 1, now) != STORE_OK)
			why = "out of memory";
		record_clear(&record);
	}
	json_decref(object);
	return why;
}

bool
replay_take_records(
    struct ctl *ctl, const char *path, struct store *store, int64_t now)
{
	FILE *file = fopen(path, "r");
	const char *why = file == NULL ? strerror(errno) : NULL;
	int64_t number = 0;
	char *line = NULL;
	size_t size = 0;

	while (why == NULL && getline(&line, &size, file) > 0)
		why = take_line(line, ++number, store, now);
	if (why != NULL)
		(void)ctl_fail(
		    ctl, "%s: line %lld: %s", path, (long long)number, why);
	free(line);
	if (file != NULL)
		(void)fclose(file);
	return why == NULL;
}
