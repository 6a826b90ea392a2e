/* tables -- tallies in print. */
#ifndef TABLES_H
#define TABLES_H

#include <stdio.h>

#include "tally.h"

/* One column for each tally, headed by its name (a path). */
void tables_print(
    const char *const *names, struct tally *tallies, size_t count, FILE *out);

/* The figures that tests go by, as name=value. */
void tables_print_figures(struct tally *tallies, size_t count, FILE *out);

#endif
