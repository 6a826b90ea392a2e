/* null_milter -- the least that a libmilter filter can do: CONTINUE, and with
 * SMFIP_ flags only where they leave something to answer. */
#include "null_filter.h"

#include <stdio.h>
#include <stdlib.h>

static sfsistat
at_data(SMFICTX *context)
{
	(void)context;
	return SMFIS_CONTINUE;
}

int
main(int argc, char **argv)
{
	unsigned long steps = 0;

	if (argc != 2 && argc != 3) {
		fprintf(
		    stderr, "usage: null_milter unix:/path [SMFIP_FLAGS]\n");
		return 2;
	}
	if (argc == 3)
		steps = strtoul(argv[2], NULL, 0);
	return null_filter_run("null_milter", argv[1], steps, at_data);
}
