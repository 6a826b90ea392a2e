/* Any lines at all: attempts come out in the order of their times, with what an
 * attempt has to have, and all of them once the log ends. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "maillog/maillog.h"
#include "maillog/maillog_clock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
take_all(struct maillog *log, bool is_end, int64_t *last)
{
	struct maillog_attempt attempt;

	while (maillog_take(log, is_end, &attempt)) {
		if (attempt.at < *last || attempt.client == NULL ||
		    attempt.sender == NULL ||
		    attempt.recipient_count + attempt.refused == 0)
			abort();
		for (size_t i = 0; i < attempt.recipient_count; i++)
			if (attempt.recipients[i][0] == '\0')
				abort();
		*last = attempt.at;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Not terminated, so that whoever reads too far is caught. */
	char *text = malloc(size + 1), *at = text;
	struct maillog *log = maillog_open();
	struct maillog_clock clock = {.youngest = 1800000000};
	struct maillog_line line;
	int64_t now = 0, last = 0;

	memcpy(text, data, size);
	while (size > 0) {
		char *end = memchr(at, '\n', size);
		size_t length = end == NULL ? size : (size_t)(end - at);
		char *copy = malloc(length);

		memcpy(copy, at, length);
		maillog_line_read(copy, length, &line);
		if (line.has_stamp) {
			int64_t then = maillog_clock_read(&clock, &line.stamp);

			now = then > now ? then : now;
			if (!maillog_feed(log, &line, now))
				abort();
			take_all(log, false, &last);
		}
		free(copy);
		length += end != NULL;
		at += length;
		size -= length;
	}
	take_all(log, true, &last);
	maillog_close(&log);
	free(text);
	return 0;
}
