#include "ctl/ctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "config/conf_value.h"
#include "store/record.h"

#define LINE_MAX_WORDS 1024 /* of a line in the log */
#define TRIES	       20
#define TRY_MS	       300 /* between them */
#define REST_MAX_MS    100

/* ---- Options */

const char *
ctl_value_at(const struct ctl_args *args, const char *name, size_t index)
{
	for (size_t i = 0; i < args->given_count; i++)
		if (strcmp(args->given[i].option->name, name) == 0 &&
		    index-- == 0)
			return args->given[i].value;
	return NULL;
}

const char *
ctl_value(const struct ctl_args *args, const char *name)
{
	return ctl_value_at(args, name, 0);
}

bool
ctl_duration(struct ctl *ctl, const struct ctl_args *args, const char *name,
    int64_t *seconds_r)
{
	const char *text = ctl_value(args, name);

	if (text == NULL || conf_value_duration(text, seconds_r))
		return true;
	(void)ctl_fail(ctl, "--%s %s: " CONF_VALUE_WANTS_DURATION, name, text);
	return false;
}

bool
ctl_number(struct ctl *ctl, const struct ctl_args *args, const char *name,
    int64_t *value_r)
{
	const char *text = ctl_value(args, name);

	if (text == NULL || conf_value_number(text, value_r))
		return true;
	(void)ctl_fail(ctl, "--%s %s: " CONF_VALUE_WANTS_NUMBER, name, text);
	return false;
}

const struct ctl_layout *
ctl_layout(const struct ctl_command *command, const char *kind)
{
	const struct ctl_layout *layout = command->layouts;

	for (; layout != NULL && layout->kind != NULL; layout++)
		if (strcmp(layout->kind, kind) == 0)
			return layout;
	return NULL;
}

/* ---- Output */

/* As one line to whoever is at the other end. */
static bool
write_line(struct ctl *ctl, const json_t *object)
{
	char *line = json_dumps(object, JSON_COMPACT);
	size_t length = line == NULL ? 0 : strlen(line);
	bool is_written;

	if (line == NULL)
		return false;
	line[length] = '\n'; /* it is written by its length */
	is_written = ctl->io.write(ctl->io.arg, line, length + 1);
	free(line);
	return is_written;
}

bool
ctl_emit(struct ctl *ctl, json_t *object)
{
	if (!ctl->is_ended && object != NULL)
		ctl->is_ended = ctl->io.emit != NULL
		    ? !ctl->io.emit(ctl->io.arg, object)
		    : !write_line(ctl, object);
	json_decref(object);
	return !ctl->is_ended;
}

static void
say(struct ctl *ctl, const char *kind, const char *format, va_list args)
{
	json_t *object = json_object();
	char text[1024];

	(void)vsnprintf(text, sizeof text, format, args);
	(void)json_object_set_new(object, "kind", json_string(kind));
	(void)json_object_set_new(object, "text", json_text(text));
	(void)ctl_emit(ctl, object);
}

enum ctl_status
ctl_fail(struct ctl *ctl, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(ctl, "error", format, args);
	va_end(args);
	return CTL_FAILED;
}

enum ctl_status
ctl_nothing(struct ctl *ctl, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(ctl, "note", format, args);
	va_end(args);
	return CTL_NOTHING;
}

void
ctl_warn(struct ctl *ctl, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(ctl, "warning", format, args);
	va_end(args);
}

enum ctl_status
ctl_fail_store(struct ctl *ctl, enum store_result result)
{
	static const char *const words[] = {[STORE_OK] = "is well",
	    [STORE_LATE] = "did not answer in time",
	    [STORE_UNREADABLE] = "keeps something that is no record of ours",
	    [STORE_DOWN] = "is away"};

	return ctl_fail(ctl, "the store %s", words[result]);
}

/* ---- Time and input */

bool
ctl_wait(struct ctl *ctl, int64_t ms)
{
	if (!ctl->is_ended)
		ctl->is_ended = !ctl->io.wait(ctl->io.arg, ms);
	return !ctl->is_ended;
}

bool
ctl_try_again(struct ctl *ctl, enum store_result result, int *tries)
{
	return result != STORE_OK && ++*tries < TRIES && ctl_wait(ctl, TRY_MS);
}

bool
ctl_rest(struct ctl *ctl, int64_t began_us)
{
	int64_t ms = (clock_steady_us() - began_us) / 1000;

	return ms <= 0 || ctl_wait(ctl, ms < REST_MAX_MS ? ms : REST_MAX_MS);
}

enum store_result
ctl_walk(struct ctl *ctl, struct store_walk *walk, store_record_each *each,
    void *arg)
{
	int64_t began_us = clock_steady_us();
	enum store_result result;
	int tries = 0;

	do
		result = store_walk(
		    ctl->store, walk, (int64_t)time(NULL), each, arg);
	while (ctl_try_again(ctl, result, &tries));
	(void)ctl_rest(ctl, began_us);
	return result;
}

/* The next octet of the input; -1: its end. */
static int
next_octet(struct ctl *ctl)
{
	ssize_t got;

	if (ctl->input_at < ctl->input_end)
		return (unsigned char)ctl->input[ctl->input_at++];
	if (ctl->io.read == NULL || ctl->is_ended)
		return -1;
	got = ctl->io.read(ctl->io.arg, ctl->input, sizeof ctl->input);
	ctl->is_ended = got < 0; /* it broke off: nothing is complete */
	if (got <= 0)
		return -1;
	ctl->input_at = 1;
	ctl->input_end = (size_t)got;
	return (unsigned char)ctl->input[0];
}

bool
ctl_line(struct ctl *ctl, char *line_r, size_t size)
{
	size_t length = 0;
	int octet = next_octet(ctl);

	if (octet < 0)
		return false;
	for (; octet >= 0 && octet != '\n'; octet = next_octet(ctl))
		if (length + 1 < size)
			line_r[length++] = (char)octet;
	if (length > 0 && line_r[length - 1] == '\r')
		length--;
	line_r[length] = '\0';
	return true;
}

/* ---- Running */

static void
append(char *line, const char *word)
{
	char clean[256];
	size_t length = strlen(line);

	(void)snprintf(line + length, LINE_MAX_WORDS - length, "%s%s",
	    length == 0 ? "" : " ", log_clean(word, clean, sizeof clean));
}

static void
log_change(
    const struct ctl *ctl, const struct ctl_args *args, enum ctl_status status)
{
	static const char *const results[] = {[CTL_DONE] = "done",
	    [CTL_NOTHING] = "nothing",
	    [CTL_FAILED] = "failed"};
	char line[LINE_MAX_WORDS], user[64];

	(void)snprintf(line, sizeof line, "%s", args->command->name);
	for (size_t i = 0; i < args->word_count; i++)
		append(line, args->words[i]);
	for (size_t i = 0; i < args->given_count; i++) {
		char option[64];

		(void)snprintf(
		    option, sizeof option, "--%s", args->given[i].option->name);
		append(line, option);
		if (args->given[i].option->argument != NULL)
			append(line, args->given[i].value);
	}
	log_info("control user=%s uid=%ld result=%s command=\"%s\"",
	    log_clean(ctl->user, user, sizeof user), (long)ctl->uid,
	    results[status], line);
}

enum ctl_status
ctl_run(struct ctl *ctl, const struct ctl_args *args)
{
	bool changes = (args->command->flags & CTL_CHANGES) != 0;
	enum ctl_status status;

	if (changes && !ctl->may_change)
		return ctl_fail(ctl,
		    "only root and the daemon's own user may change anything");
	status = args->command->run(ctl, args);
	if (changes)
		log_change(ctl, args, status);
	return status;
}

/* ---- Serving */

/* The strings stay the request's. */
static size_t
words_of(const json_t *request, const char *words_r[CTL_WORDS_MAX])
{
	const json_t *argv = json_object_get(request, "argv");
	size_t count = json_array_size(argv);

	if (count > CTL_WORDS_MAX)
		return 0;
	for (size_t i = 0; i < count; i++) {
		words_r[i] = json_string_value(json_array_get(argv, i));
		if (words_r[i] == NULL)
			return 0;
	}
	return count;
}

static enum ctl_status
serve(struct ctl *ctl, const json_t *request)
{
	const char *words[CTL_WORDS_MAX];
	size_t used = 0, count = words_of(request, words);
	const struct ctl_command *command =
	    count == 0 ? NULL : ctl_find(count, words, &used);
	struct ctl_args args;
	char why[CTL_WHY_SIZE];

	if (command == NULL)
		return ctl_fail(ctl, "the daemon knows no such command");
	if ((command->flags & (CTL_STORE | CTL_DAEMON)) == 0)
		return ctl_fail(
		    ctl, "%s is not for the daemon to do", command->name);
	if (!ctl_parse(command, count - used, words + used, &args, why))
		return ctl_fail(ctl, "%s", why);
	return ctl_run(ctl, &args);
}

void
ctl_serve(struct ctl *ctl, const char *request)
{
	json_t *parsed = json_loads(request, 0, NULL);
	enum ctl_status status = parsed != NULL
	    ? serve(ctl, parsed)
	    : ctl_fail(ctl, "this is no request");
	json_t *end = json_object();

	json_decref(parsed);
	(void)json_object_set_new(end, "kind", json_string("end"));
	(void)json_object_set_new(end, "status", json_integer(status));
	(void)ctl_emit(ctl, end);
}
