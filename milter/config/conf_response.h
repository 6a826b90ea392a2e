/* conf_response -- the named replies that are there without being written. */
#ifndef CONF_RESPONSE_H
#define CONF_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>

struct shipped_text {
	const char *name;
	const char *reply;
};

extern const struct shipped_text shipped_texts[];
extern const size_t shipped_text_count;

bool conf_is_shipped(const char *name);

#endif
