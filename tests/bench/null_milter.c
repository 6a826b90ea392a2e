/* null_milter -- the least that a libmilter filter can do: CONTINUE. */
#include "null_filter.h"

#include <stdio.h>

static sfsistat
at_data(SMFICTX *context)
{
	(void)context;
	return SMFIS_CONTINUE;
}

int
main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: null_milter unix:/path\n");
		return 2;
	}
	return null_filter_run("null_milter", argv[1], at_data);
}
