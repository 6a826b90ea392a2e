/* Fuzz the configuration file: whatever the octets, it becomes a policy or at
 * least one sentence says why not, and every sentence is printable. */
#define _GNU_SOURCE /* memfd_create */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
note(void *arg, bool error, const char *text)
{
	unsigned *errors = arg;

	*errors += error;
	for (; *text != '\0'; text++)
		if (*text < ' ' || *text > '~')
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *nowhere;
	int fd = memfd_create("conf", 0);
	char path[40];
	unsigned errors = 0;
	struct policy *policy;

	if (nowhere == NULL)
		nowhere = fopen("/dev/null", "w");
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	policy = conf_load(path, note, &errors);
	(void)close(fd);
	if ((policy == NULL) != (errors > 0))
		abort();
	if (policy != NULL)
		conf_describe(policy, nowhere);
	policy_release(&policy);
	return 0;
}
