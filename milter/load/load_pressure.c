#include "load/load_pressure.h"

#include <math.h>
#include <string.h>

#include "base/decimal.h"

#define TOTAL_MAX      INT64_C(999999999999999999)
#define RUNNABLE_MAX   999999999
#define RUNNABLE_FIELD 3 /* of /proc/loadavg, from 0 */

double
load_pressure_assume(struct load_pressure *pressure, double share, int64_t now)
{
	int64_t elapsed = now - pressure->at;

	if (pressure->begun && elapsed > 0) {
		double weight =
		    -expm1(-(double)elapsed / LOAD_PRESSURE_SMOOTH_US);

		share = fmin(fmax(share, 0), 1);
		pressure->share += (share - pressure->share) * weight;
	}
	pressure->begun = true;
	pressure->at = now;
	return pressure->share;
}

double
load_pressure_step(struct load_pressure *pressure, int64_t total, int64_t now)
{
	int64_t elapsed = now - pressure->at;
	int64_t stood = total - pressure->total;
	double share = pressure->share;

	pressure->total = total;
	if (elapsed > 0 && stood >= 0)
		share = (double)stood / (double)elapsed;
	return load_pressure_assume(pressure, share, now);
}

/* Cut the first `sep`, or all, off the front of *text_r. */
static size_t
next_part(const char **text_r, size_t *len_r, char sep, const char **part_r)
{
	const char *end = *len_r > 0 ? memchr(*text_r, sep, *len_r) : NULL;
	size_t part_len = end != NULL ? (size_t)(end - *text_r) : *len_r;
	size_t taken = end != NULL ? part_len + 1 : part_len;

	*part_r = *text_r;
	*text_r += taken;
	*len_r -= taken;
	return part_len;
}

static bool
begins_with(const char *text, size_t len, const char *prefix)
{
	return len >= strlen(prefix) &&
	    memcmp(text, prefix, strlen(prefix)) == 0;
}

/* "some avg10=1.23 avg60=... total=4711" */
static bool
parse_some_line(const char *line, size_t len, int64_t *total_r)
{
	static const char key[] = "total=";
	const size_t key_len = sizeof key - 1;

	while (len > 0) {
		const char *word;
		size_t word_len = next_part(&line, &len, ' ', &word);

		if (begins_with(word, word_len, key))
			return decimal_read_all(word + key_len,
			    word_len - key_len, TOTAL_MAX, total_r);
	}
	return false;
}

bool
load_pressure_parse(const char *text, size_t len, int64_t *total_r)
{
	while (len > 0) {
		const char *line;
		size_t line_len = next_part(&text, &len, '\n', &line);

		if (begins_with(line, line_len, "some "))
			return parse_some_line(line, line_len, total_r);
	}
	return false;
}

bool
load_pressure_parse_runnable(const char *text, size_t len, int64_t *runnable_r)
{
	const char *field = text, *runnable;
	size_t field_len = 0, runnable_len;

	for (int i = 0; i <= RUNNABLE_FIELD; i++)
		field_len = next_part(&text, &len, ' ', &field);
	if (field_len == 0 || memchr(field, '/', field_len) == NULL)
		return false;
	runnable_len = next_part(&field, &field_len, '/', &runnable);
	return decimal_read_all(
	    runnable, runnable_len, RUNNABLE_MAX, runnable_r);
}

double
load_pressure_of_queue(int64_t runnable, int64_t cpus)
{
	int64_t waiting = runnable - cpus;

	if (waiting <= 0 || cpus <= 0)
		return 0;
	return fmin((double)waiting / (double)cpus, 1);
}
