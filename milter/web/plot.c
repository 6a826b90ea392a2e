#include "web/plot.h"

#include <inttypes.h>
#include <stdint.h>

#include "web/html.h"

/* In units of the picture, which is scaled to its place. */
#define WIDTH  640.0
#define HEIGHT 190.0
#define LEFT   16.0
#define RIGHT  44.0
#define TOP    10.0
#define BOTTOM 24.0
#define LINES  4
#define GAP    0.22 /* of a bar's place */
#define CORNER 1.5

static int64_t
value_of(const struct plot *plot, size_t index)
{
	return plot->a[index] + (plot->b == NULL ? 0 : plot->b[index]);
}

/* The height of a step between lines, so that `LINES` of them reach the highest
 * bar: 1, 2 or 5 times a power of ten. */
static int64_t
step_of(const struct plot *plot)
{
	static const int64_t factors[] = {2, 5, 10};
	int64_t most = 1, power = 1;

	for (size_t i = 0; i < plot->count; i++)
		if (value_of(plot, i) > most)
			most = value_of(plot, i);
	if (most > INT64_MAX / 100)
		most = INT64_MAX / 100;
	if (power * LINES >= most)
		return power;
	for (;;) {
		for (int i = 0; i < 3; i++)
			if (power * factors[i] * LINES >= most)
				return power * factors[i];
		power *= 10;
	}
}

/* Its numbers stand to the right, where the newest bars are: a small screen shows
 * that end. */
static void
draw_lines(struct bytes_out *out, int64_t step)
{
	double height = HEIGHT - TOP - BOTTOM;

	for (int i = 0; i <= LINES; i++) {
		double y = TOP + height * (LINES - i) / LINES;

		html(out,
		    "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" "
		    "y2=\"%.1f\"/>",
		    LEFT, WIDTH - RIGHT, y, y);
		html(out,
		    "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"start\">%" PRId64
		    "</text>\n",
		    WIDTH - RIGHT + 6, y + 4, step * i);
	}
}

static void
draw_bar(struct bytes_out *out, const char *class, double x, double width,
    double from, double to)
{
	if (from - to > 0)
		html(out,
		    "<rect class=\"%s\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" "
		    "height=\"%.2f\" rx=\"%.1f\"/>",
		    class, x, to, width, from - to, CORNER);
}

static void
draw(struct bytes_out *out, const struct plot *plot, size_t index, double scale)
{
	double place = (WIDTH - LEFT - RIGHT) / (double)plot->count;
	double x = LEFT + place * ((double)index + GAP / 2);
	double ground = HEIGHT - BOTTOM;
	double top_of_a = ground - (double)plot->a[index] * scale;
	char label[PLOT_LABEL_SIZE] = "";

	plot->label(index, plot->now, label);
	html_raw(out, "<g>");
	if (plot->b != NULL)
		html(out, "<title>%" PRId64 " %s, %" PRId64 " %s</title>",
		    plot->a[index], plot->a_name, plot->b[index], plot->b_name);
	else
		html(out, "<title>%" PRId64 " %s</title>", plot->a[index],
		    plot->a_name);
	draw_bar(out, "a", x, place * (1 - GAP), ground, top_of_a);
	if (plot->b != NULL)
		draw_bar(out, "b", x, place * (1 - GAP), top_of_a,
		    top_of_a - (double)plot->b[index] * scale);
	html_raw(out, "</g>");
	if (label[0] != '\0')
		html(out,
		    "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s"
		    "</text>",
		    LEFT + place * ((double)index + 0.5), HEIGHT - 7, label);
	html_raw(out, "\n");
}

void
plot_bars(struct bytes_out *out, const struct plot *plot)
{
	int64_t step = step_of(plot);
	double scale = (HEIGHT - TOP - BOTTOM) / (double)(step * LINES);

	html(out,
	    "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
	    "aria-label=\"%s\">\n",
	    WIDTH, HEIGHT, plot->title);
	draw_lines(out, step);
	for (size_t i = 0; i < plot->count; i++)
		draw(out, plot, i, scale);
	html_raw(out, "</svg>\n");
}
