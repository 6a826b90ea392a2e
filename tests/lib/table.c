#include "table.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
split(char *line, const char *fields[TABLE_FIELDS])
{
	size_t length;

	line[strcspn(line, "\n")] = '\0';
	for (size_t i = 0; i < TABLE_FIELDS; i++) {
		fields[i] = line;
		length = strcspn(line, "\t");
		line += length;
		if (*line == '\t')
			*line++ = '\0';
	}
}

void
table_read(const char *path,
    void (*take)(const char *fields[TABLE_FIELDS], void *context),
    void *context)
{
	const char *source = getenv("srcdir");
	const char *fields[TABLE_FIELDS];
	char name[4096];
	char line[4096];
	FILE *file;

	(void)snprintf(name, sizeof name, "%s/tests/%s",
	    source == NULL ? "." : source, path);
	file = fopen(name, "r");
	ck_assert_msg(file != NULL, "%s cannot be read", name);
	while (fgets(line, sizeof line, file) != NULL) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		split(line, fields);
		take(fields, context);
	}
	(void)fclose(file);
}
