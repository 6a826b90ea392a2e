/* Fuzz what other hosts publish and what the kernel writes: whatever the bytes,
 * a figure that is accepted is a sane load. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "load/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fuzz_report(const char *text, size_t len)
{
	char formatted[LOAD_REPORT_SIZE];
	struct load_report report, back;

	if (!load_report_parse(text, len, &report))
		return;
	load_report_format(&report, formatted);
	if (!load_is_sane(report.load) || report.at < 0 ||
	    !load_report_parse(formatted, strlen(formatted), &back) ||
	    back.at != report.at || fabs(back.load - report.load) > 0.001)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	struct load_pressure pressure = {0};
	int64_t number = 0;
	double share;

	fuzz_report(text, size);
	if (load_pressure_parse_runnable(text, size, &number) && number < 0)
		abort();
	if (!load_pressure_parse(text, size, &number))
		return 0;
	(void)load_pressure_step(&pressure, 0, 0);
	share = load_pressure_step(&pressure, number, 1000000);
	if (!(share >= 0 && share <= 1))
		abort();
	return 0;
}
