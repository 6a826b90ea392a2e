/* plot -- bars as SVG, in the colours of the style sheet. */
#ifndef PLOT_H
#define PLOT_H

#include "base/bytes.h"

#define PLOT_LABEL_SIZE 24

struct plot {
	const char *title; /* for who cannot see it */
	size_t count;
	const int64_t *a;
	const int64_t *b; /* stands upon the bars of `a`; or NULL */
	/* What stands below bar `index`; "", as it is at first: nothing. */
	void (*label)(size_t index, int64_t now, char label_r[PLOT_LABEL_SIZE]);
	int64_t now; /* for `label` */
	/* What a bar tells who points at it; its end, with its numbers. */
	const char *a_name, *b_name;
};

void plot_bars(struct bytes_out *out, const struct plot *plot);

#endif
