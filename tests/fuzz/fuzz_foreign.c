/* Whatever other programs leave, or what only looks so, makes lines or is refused;
 * the first octet says whose it is to be. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "transfer/foreign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
feed(const char *from, const char *path)
{
	const struct foreign_source source = {
	    .program = from, .paths = &path, .count = 1};
	static FILE *out;

	if (out == NULL)
		out = fopen("/dev/null", "w");
	(void)foreign_feed(&source, out);
}

/* What each begins with, so that what follows is looked at. */
static const struct kind {
	const char *from;
	const char *name;
	const char *head;
	size_t length;
} kinds[] = {
    {"postgrey", "a",
	"\0\0\0\0\0\0\0\0\0\0\0\0\x62\x31\x05\0\x09\0\0\0\0\2\0\0\0\x09", 512},
    {"postgrey", "a", "VERSION=3\nformat=print\nHEADER=END\n", 0},
    {"postgrey", "a", "VERSION=3\nHEADER=END\n", 0},
    {"postgrey", "clients", "", 0},
    {"postgrey", "recipients", "", 0},
    {"sqlgrey", "a", "INSERT INTO from_awl VALUES(", 0},
    {"sqlgrey", "a", "INSERT INTO connect (src", 0},
    {"sqlgrey", "a", "COPY domain_awl (src, last_seen) FROM stdin;\n", 0},
    {"milter-greylist", "a", "10.0.0.7\t<a@b>\t<c@d>\t17", 0},
    {"milter-greylist", "a.conf", "acl whitelist list \"x\"\n", 0},
    {"milter-greylist", "a.conf", "acl whitelist addr ", 0},
};

static void
write_file(
    const char *path, const struct kind *kind, const uint8_t *data, size_t size)
{
	FILE *file = fopen(path, "w");
	unsigned char head[512] = "";

	if (file == NULL)
		abort();
	if (kind->length > 0) {
		memcpy(head, kind->head, 26);
		(void)fwrite(head, 1, sizeof head, file);
	} else {
		(void)fputs(kind->head, file);
	}
	(void)fwrite(data, 1, size, file);
	for (size_t i = size; kind->length > 0 && i % 512 != 0; i++)
		(void)fputc(0, file);
	(void)fclose(file);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char directory[] = "/tmp/fuzz_foreign.XXXXXX";
	static int made;
	const struct kind *kind;
	char path[64];

	if (size == 0)
		return 0;
	if (!made && mkdtemp(directory) == NULL)
		abort();
	made = 1;
	kind = &kinds[data[0] % (sizeof kinds / sizeof kinds[0])];
	(void)snprintf(path, sizeof path, "%s/%s", directory, kind->name);
	write_file(path, kind, data + 1, size - 1);
	feed(kind->from, path);
	(void)unlink(path);
	return 0;
}
