#include "transfer/json_text.h"

#include <stdlib.h>
#include <string.h>

json_t *
json_text(const char *text)
{
	json_t *string = json_string(text);
	char *copy;

	if (string != NULL)
		return string;
	copy = strdup(text);
	for (char *at = copy; at != NULL && *at != '\0'; at++)
		if ((*at & 0x80) != 0)
			*at = '?';
	string = copy == NULL ? NULL : json_string(copy);
	free(copy);
	return string;
}
