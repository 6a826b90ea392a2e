/* Fuzz reply templates and what clients put into them: whatever the bytes, a
 * template that is accepted fills to a well-formed reply that defers. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool good)
{
	if (!good)
		abort();
}

static void
check_reply(const struct reply *reply)
{
	require(reply->code[0] == '4' && strlen(reply->code) == 3);
	require(reply->xcode[0] == '\0' || reply->xcode[0] == '4');
	for (size_t i = 0; i < reply->line_count; i++) {
		const char *line = reply->lines[i];

		require(strlen(line) <= REPLY_TEXT_MAX);
		for (; *line != '\0'; line++)
			require(*line >= 0x20 && *line <= 0x7e);
	}
}

/* The first line of the data is the template, the rest is every value. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	char *value;
	struct response_values values;
	struct response *response;
	struct reply reply;
	char why[RESPONSE_WHY_SIZE];
	size_t at;

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	value = strchr(text, '\n');
	if (value != NULL)
		*value++ = '\0';
	for (int i = 0; i < FILL_COUNT; i++)
		values.text[i] = value;
	if (response_make(
		"fuzz", (const char *const *)&text, 1, &response, why, &at)) {
		response_fill(response, &values, &reply);
		check_reply(&reply);
		(void)response_doubt(response);
		response_free(&response);
	}
	free(text);
	return 0;
}
