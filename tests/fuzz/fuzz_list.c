/* Each line is an entry; whatever was taken must be found again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/list.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_found(const struct list *list, const char *entry)
{
	struct netaddr addr;

	if (strchr(entry, '/') != NULL && strchr(entry, '@') == NULL)
		return true; /* a network is not found by its own text */
	if (netaddr_parse(entry, &addr))
		return list_has_client(list, &addr, 0);
	if (entry[0] == '@' || entry[0] == '.')
		entry++;
	return list_has_address(list, entry, 0) ||
	    list_has_domain(list, entry, 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1);
	struct list *one, *all = list_new(LIST_ALL);
	const char *why;
	char *rest;

	memcpy(text, data, size);
	for (char *line = strtok_r(text, "\n", &rest); line != NULL;
	     line = strtok_r(NULL, "\n", &rest)) {
		one = list_new(LIST_ALL);
		list_add(all, line, LIST_FOR_EVER, &why);
		if (list_add(one, line, LIST_FOR_EVER, &why) &&
		    list_seal(one) && !is_found(one, line))
			abort();
		list_free(&one);
	}
	list_seal(all);
	list_has_address(all, text, 0);
	list_free(&all);
	free(text);
	return 0;
}
