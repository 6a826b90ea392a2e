#include "strain.h"

#include <math.h>

#define DAY	  INT64_C(86400)
#define CAPACITY  1.0  /* whole messages a second */
#define SMOOTHING 15.0 /* seconds; so few messages make a noisy load */
#define BURST	  30.0 /* seconds' worth that can wait in a queue */
#define NIGHT	  0.10
#define NOON	  0.35
#define PI	  3.14159265358979323846

/* Connection, TLS and the names; then the envelope; the contents are nearly
 * all, because somebody looks for viruses and spam in them. */
static const double work[FARM_STEPS] = {0.05, 0.06, 0.08, 1.00};

double
strain_of_day(int64_t now)
{
	double part = (double)(now % DAY) / (double)DAY;

	return NIGHT + (NOON - NIGHT) * (0.5 - 0.5 * cos(2 * PI * part));
}

double
strain_step(struct strain *strain, int64_t now)
{
	double other = strain_of_day(now);
	double spare = CAPACITY * (1 - other);
	double weight = 1 - exp(-(double)STRAIN_STEP / SMOOTHING);

	strain->rate +=
	    (strain->asked / (double)STRAIN_STEP - strain->rate) * weight;
	strain->asked = 0;
	strain->room =
	    fmin(strain->room + spare * (double)STRAIN_STEP, spare * BURST);
	return other + strain->rate / CAPACITY;
}

/* Nobody knows what it would have cost, so it counts as any other. */
bool
strain_admits(struct strain *strain)
{
	if (strain->room >= work[FARM_END])
		return true;
	strain->asked += strain->typical;
	return false;
}

void
strain_worked(struct strain *strain, enum farm_step step)
{
	strain->asked += work[step];
	strain->room -= work[step];
	strain->typical += (work[step] - strain->typical) / 100;
}
