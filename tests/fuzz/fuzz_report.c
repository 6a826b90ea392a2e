/* Whatever other programs report, what is taken has points of one kind only,
 * and a bounded number of them. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/shipped.h"
#include "store/reports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 1);
	struct report report;

	memcpy(text, data, size);
	if (report_parse(text, &shipped_weights, &report)) {
		if (!(report.points.good >= 0 && report.points.good <= 1e5) ||
		    !(report.points.bad >= 0 && report.points.bad <= 1e5) ||
		    (report.points.good > 0 && report.points.bad > 0))
			abort();
	}
	free(text);
	return 0;
}
