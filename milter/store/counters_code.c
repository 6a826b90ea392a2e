/* Pictures as text, and what can be told from them. */
#include "store/counters.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/decimal.h"
#include "base/seconds.h"

#define VERSION	   "1"
#define MINUTE	   INT64_C(60)
#define NUMBER_MAX INT64_C(1000000000000000) /* many can be added up */
#define HOUR	   INT64_C(3600)

const char *const count_names[COUNTS] = {
    [COUNT_ACCEPTED] = "accepted",
    [COUNT_DEFERRED] = "deferred",
    [COUNT_OBSERVED] = "observed",
    [COUNT_PASSED] = "passed",
    [COUNT_SESSIONS] = "sessions",
    [COUNT_TRIPS] = "trips",
    [COUNT_LATE] = "late",
    [COUNT_AWAY] = "away",
    [COUNT_DROPPED] = "dropped",
};

const int64_t counters_wait_us[COUNTERS_WAITS - 1] = {
    100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 500000};
const int64_t counters_delay_s[COUNTERS_DELAYS - 1] = {60, 180, 300, 600, 900,
    1800, 3600, 2 * HOUR, 4 * HOUR, 8 * HOUR, 24 * HOUR};

/* ---- Rates */

static void
shift(int64_t *rates, size_t size, int64_t steps)
{
	size_t by = steps < 0	     ? 0
	    : (uint64_t)steps > size ? size
				     : (size_t)steps;

	memmove(rates + by, rates, (size - by) * sizeof *rates);
	memset(rates, 0, by * sizeof *rates);
}

void
counters_move_on(struct counters_view *view, int64_t now)
{
	int64_t minutes =
	    seconds_slot(now, MINUTE) - seconds_slot(view->at, MINUTE);
	int64_t hours = seconds_slot(now, HOUR) - seconds_slot(view->at, HOUR);

	for (int i = 0; i <= COUNT_PASSED; i++) {
		shift(view->minutes[i], COUNTERS_MINUTES, minutes);
		shift(view->hours[i], COUNTERS_HOURS, hours);
	}
	view->at = now;
}

/* ---- Sums and shares */

static struct counters_rule *
rule_of(struct counters_view *view, const char *name)
{
	struct counters_rule *rule;

	for (size_t i = 0; i < view->rule_count; i++)
		if (strcmp(view->rules[i].name, name) == 0)
			return &view->rules[i];
	if (view->rule_count == COUNTERS_RULES)
		return NULL;
	rule = &view->rules[view->rule_count++];
	memset(rule, 0, sizeof *rule);
	memcpy(rule->name, name, strlen(name) + 1);
	return rule;
}

static void
add_rule(struct counters_view *sum, const struct counters_rule *more)
{
	struct counters_rule *rule = rule_of(sum, more->name);

	if (rule == NULL)
		return;
	rule->accepted += more->accepted;
	rule->deferred += more->deferred;
	rule->observed += more->observed;
	rule->passed += more->passed;
	if (rule->matched < more->matched)
		rule->matched = more->matched;
}

static void
add_all(int64_t *sums, const int64_t *more, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sums[i] += more[i];
}

void
counters_add(struct counters_view *sum, const struct counters_view *more)
{
	if (sum->since == 0 || more->since < sum->since)
		sum->since = more->since;
	if (sum->watched == 0 ||
	    (more->watched != 0 && more->watched < sum->watched))
		sum->watched = more->watched;
	if (more->at > sum->at)
		counters_move_on(sum, more->at);
	add_all(sum->counts, more->counts, COUNTS);
	for (size_t i = 0; i < more->rule_count; i++)
		add_rule(sum, &more->rules[i]);
	add_all(sum->waits, more->waits, COUNTERS_WAITS);
	add_all(sum->delays, more->delays, COUNTERS_DELAYS);
	sum->wait_us += more->wait_us;
	sum->delay_s += more->delay_s;
	for (int i = 0; i <= COUNT_PASSED; i++) {
		add_all(sum->minutes[i], more->minutes[i], COUNTERS_MINUTES);
		add_all(sum->hours[i], more->hours[i], COUNTERS_HOURS);
	}
}

int64_t
counters_share(
    const int64_t *buckets, const int64_t *bounds, size_t count, double share)
{
	int64_t all = 0, below = 0;

	for (size_t i = 0; i < count; i++)
		all += buckets[i];
	for (size_t i = 0; i + 1 < count && all > 0; i++) {
		below += buckets[i];
		if ((double)below >= share * (double)all)
			return bounds[i];
	}
	return -1;
}

/* ---- Text: lines that begin with a word, and go on with numbers */

struct writer {
	char *text;
	size_t length;
};

static void write_text(struct writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
write_text(struct writer *writer, const char *format, ...)
{
	size_t left = COUNTERS_TEXT_MAX - writer->length;
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(writer->text + writer->length, left, format, args);
	va_end(args);
	if (length > 0)
		writer->length +=
		    (size_t)length < left ? (size_t)length : left - 1;
}

/* Zeros at the end are left out. */
static void
write_numbers(struct writer *writer, const char *word, const int64_t *numbers,
    size_t count)
{
	while (count > 0 && numbers[count - 1] == 0)
		count--;
	write_text(writer, "%s", word);
	for (size_t i = 0; i < count; i++)
		write_text(writer, " %" PRId64, numbers[i]);
	write_text(writer, "\n");
}

/* What is an array of numbers. */
static const struct {
	const char *word;
	size_t offset, count;
} arrays[] = {
#define ARRAY(word, member)                                                    \
	{                                                                      \
		word, offsetof(struct counters_view, member),                  \
		    sizeof((struct counters_view *)NULL)->member /             \
		    sizeof(int64_t)                                            \
	}
    ARRAY("since", since),
    ARRAY("at", at),
    ARRAY("watched", watched),
    ARRAY("counts", counts),
    ARRAY("waits", waits),
    ARRAY("wait", wait_us),
    ARRAY("delays", delays),
    ARRAY("delay", delay_s),
    ARRAY("minutes-0", minutes[0]),
    ARRAY("minutes-1", minutes[1]),
    ARRAY("minutes-2", minutes[2]),
    ARRAY("minutes-3", minutes[3]),
    ARRAY("hours-0", hours[0]),
    ARRAY("hours-1", hours[1]),
    ARRAY("hours-2", hours[2]),
    ARRAY("hours-3", hours[3]),
};
#define ARRAYS (sizeof arrays / sizeof arrays[0])
_Static_assert(COUNT_PASSED == 3, "all rates have to stand in the table");

size_t
counters_encode(
    const struct counters_view *view, char text_r[COUNTERS_TEXT_MAX])
{
	struct writer writer = {text_r, 0};

	write_text(&writer, "version " VERSION "\n");
	for (size_t i = 0; i < ARRAYS; i++)
		write_numbers(&writer, arrays[i].word,
		    (const int64_t *)(const void *)((const char *)view +
			arrays[i].offset),
		    arrays[i].count);
	for (size_t i = 0; i < view->rule_count; i++) {
		const struct counters_rule *rule = &view->rules[i];

		write_text(&writer,
		    "rule %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
		    " %" PRId64 " %s\n",
		    rule->accepted, rule->deferred, rule->observed,
		    rule->passed, rule->matched, rule->name);
	}
	return writer.length;
}

/* False: there is none. */
static bool
read_number(const char **text, int64_t *number_r)
{
	const char *digits = *text + 1;
	size_t length = **text == ' '
	    ? decimal_read(
		  digits, strspn(digits, "0123456789"), NUMBER_MAX, number_r)
	    : 0;

	*text += length > 0 ? 1 + length : 0;
	return length > 0;
}

static bool
read_rule(const char *text, struct counters_view *view)
{
	struct counters_rule read = {.name = ""}, *rule;
	char name[COUNTERS_NAME];

	if (!read_number(&text, &read.accepted) ||
	    !read_number(&text, &read.deferred) ||
	    !read_number(&text, &read.observed) ||
	    !read_number(&text, &read.passed) ||
	    !read_number(&text, &read.matched) || *text++ != ' ')
		return false;
	ascii_clean(text, name, sizeof name);
	rule = rule_of(view, name);
	if (rule == NULL)
		return false;
	memcpy(read.name, name, sizeof name);
	*rule = read;
	return true;
}

/* Lines that begin with another word are of a later version. */
static bool
read_line(const char *line, struct counters_view *view)
{
	size_t word = strcspn(line, " ");

	if (word == 4 && strncmp(line, "rule", 4) == 0)
		return read_rule(line + word, view);
	for (size_t i = 0; i < ARRAYS; i++) {
		int64_t *numbers =
		    (int64_t *)(void *)((char *)view + arrays[i].offset);
		const char *text = line + word;
		size_t count = 0;

		if (strlen(arrays[i].word) != word ||
		    strncmp(arrays[i].word, line, word) != 0)
			continue;
		while (count < arrays[i].count &&
		    read_number(&text, &numbers[count]))
			count++;
		return *text == '\0';
	}
	return true;
}

bool
counters_decode(
    const char *text, size_t length, int64_t now, struct counters_view *view_r)
{
	static const char begins[] = "version " VERSION "\n";
	char line[COUNTERS_HOURS * 21 + COUNTERS_MINUTES * 21];
	const char *end = text + length;

	memset(view_r, 0, sizeof *view_r);
	if (length < sizeof begins - 1 ||
	    memcmp(text, begins, sizeof begins - 1) != 0)
		return false;
	for (text += sizeof begins - 1; text < end;) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t size = stop == NULL ? 0 : (size_t)(stop - text);

		if (stop == NULL || size >= sizeof line)
			return false;
		memcpy(line, text, size);
		line[size] = '\0';
		if (!read_line(line, view_r))
			return false;
		text = stop + 1;
	}
	if (now > view_r->at)
		counters_move_on(view_r, now);
	return true;
}

/* ---- The farm */

struct reading {
	int64_t now;
	void (*each)(
	    void *arg, const char *host, const struct counters_view *view);
	void *arg;
	struct counters_view *view;
};

static void
take_host(void *arg, const char *host, const char *text, size_t length)
{
	struct reading *reading = arg;

	if (counters_decode(text, length, 0, reading->view) &&
	    seconds_apart(reading->now, reading->view->at) <= STORE_HOST_LIFE) {
		if (reading->now > reading->view->at)
			counters_move_on(reading->view, reading->now);
		reading->each(reading->arg, host, reading->view);
	}
}

enum store_result
counters_read(struct store *store, int64_t now,
    void (*each)(void *arg, const char *host, const struct counters_view *view),
    void *arg)
{
	struct reading reading = {now, each, arg, NULL};
	enum store_result result;

	reading.view = malloc(sizeof *reading.view);
	if (reading.view == NULL)
		return STORE_DOWN;
	result = store_read_hosts(store, now, take_host, &reading);
	free(reading.view);
	return result;
}
