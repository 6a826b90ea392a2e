#include "ctl/render.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/ascii.h"

#define COLUMNS_MAX  16
#define ROWS_HELD    200 /* of a table, to align it */
#define CELL_SIZE    256
#define HEADER_EVERY 20 /* lines, where no terminal shows the last one */
#define FRAME_CELL   25 /* characters of a text in a picture */
#define SPARK_MAX    60
#define BAR_MAX	     36

struct row {
	char *cells[COLUMNS_MAX];
};

struct render {
	const struct ctl_command *command;
	FILE *out;
	bool is_json;
	bool has_colour;
	bool is_terminal;
	bool tells_progress;
	/* rows of one table that are held back */
	const struct ctl_layout *layout;
	struct row rows[ROWS_HELD];
	size_t row_count;
	int widths[COLUMNS_MAX];
	size_t line;   /* of the table, since its header */
	bool is_first; /* nothing was shown yet */
};

struct render *
render_open(const struct ctl_args *args, bool is_json, FILE *out)
{
	struct render *render = calloc(1, sizeof *render);
	const char *none = getenv("NO_COLOR");

	if (render == NULL)
		return NULL;
	render->command = args->command;
	render->tells_progress =
	    isatty(STDERR_FILENO) == 1 || ctl_value(args, "progress") != NULL;
	render->is_json = is_json;
	render->out = out;
	render->is_terminal = isatty(fileno(out)) == 1;
	render->has_colour =
	    render->is_terminal && (none == NULL || none[0] == '\0');
	render->is_first = true;
	return render;
}

/* ---- Values */

static void
say_time(int64_t at, char *text_r, size_t size)
{
	time_t when = (time_t)at;
	struct tm local;

	if (localtime_r(&when, &local) == NULL ||
	    strftime(text_r, size, "%Y-%m-%d %H:%M:%S", &local) == 0)
		(void)snprintf(text_r, size, "%lld", (long long)at);
}

/* The two largest units, as in "3d 4h". */
static void
say_span(int64_t seconds, char *text_r, size_t size)
{
	static const struct {
		int64_t seconds;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	size_t i = 0;
	int64_t rest;

	if (seconds < 0)
		seconds = 0;
	while (i < 3 && seconds < units[i].seconds)
		i++;
	rest = i == 3 ? 0 : seconds % units[i].seconds / units[i + 1].seconds;
	if (rest > 0)
		(void)snprintf(text_r, size, "%lld%c %lld%c",
		    (long long)(seconds / units[i].seconds), units[i].unit,
		    (long long)rest, units[i + 1].unit);
	else
		(void)snprintf(text_r, size, "%lld%c",
		    (long long)(seconds / units[i].seconds), units[i].unit);
}

/* The last numbers of an array, from nothing to the largest. */
static void
say_spark(const json_t *numbers, char *text_r, size_t size)
{
	static const char *const blocks[] = {
	    " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	size_t count = json_array_size(numbers);
	size_t first = count > SPARK_MAX ? count - SPARK_MAX : 0;
	double most = 0;

	text_r[0] = '\0';
	for (size_t i = first; i < count; i++)
		most =
		    fmax(most, json_number_value(json_array_get(numbers, i)));
	for (size_t i = first; i < count; i++) {
		double number = json_number_value(json_array_get(numbers, i));
		size_t height = most > 0 ? (size_t)ceil(8 * number / most) : 0;

		strncat(text_r, blocks[height > 8 ? 8 : height],
		    size - strlen(text_r) - 1);
	}
}

/* In eighths of a character. */
static void
say_bar(double share, char *text_r, size_t size)
{
	static const char *const parts[] = {
	    "", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
	long eighths = lround(fmin(fmax(share, 0), 1) * 8 * BAR_MAX);

	if (share > 0 && eighths == 0)
		eighths = 1;
	text_r[0] = '\0';
	for (long i = 0; i < eighths / 8; i++)
		strncat(text_r, "█", size - strlen(text_r) - 1);
	strncat(text_r, parts[eighths % 8], size - strlen(text_r) - 1);
}

/* Other values than those of a format. */
static void
say_plain(const json_t *value, char *text_r, size_t size)
{
	size_t length = 0;
	const json_t *item;
	size_t i;

	text_r[0] = '\0';
	switch (json_typeof(value)) {
	case JSON_STRING:
		(void)snprintf(text_r, size, "%s", json_string_value(value));
		break;
	case JSON_INTEGER:
		(void)snprintf(
		    text_r, size, "%lld", (long long)json_integer_value(value));
		break;
	case JSON_REAL:
		(void)snprintf(text_r, size, "%.2f", json_real_value(value));
		break;
	case JSON_TRUE:
		(void)snprintf(text_r, size, "yes");
		break;
	case JSON_FALSE:
		(void)snprintf(text_r, size, "no");
		break;
	case JSON_ARRAY:
		json_array_foreach(value, i, item)
		{
			char part[CELL_SIZE];

			say_plain(item, part, sizeof part);
			if (length + strlen(part) + 3 < size)
				length += (size_t)sprintf(text_r + length,
				    "%s%s", i == 0 ? "" : ", ", part);
		}
		break;
	case JSON_OBJECT:
	case JSON_NULL:
		break;
	}
}

static void
say_number(enum ctl_format format, int64_t number, char *text_r, size_t size)
{
	int64_t now = (int64_t)time(NULL);
	char span[CELL_SIZE / 2];

	switch (format) {
	case CTL_TIME:
		say_time(number, text_r, size);
		break;
	case CTL_AGO:
		say_span(now - number, span, sizeof span);
		(void)snprintf(text_r, size, "%s ago", span);
		break;
	case CTL_UNTIL:
		say_span(number - now, span, sizeof span);
		(void)snprintf(
		    text_r, size, "%s%s", number > now ? "in " : "", span);
		if (number <= now)
			(void)snprintf(text_r, size, "over");
		break;
	default:
		say_span(number, text_r, size);
	}
}

static bool
is_of_time(enum ctl_format format)
{
	return format == CTL_TIME || format == CTL_AGO || format == CTL_UNTIL ||
	    format == CTL_SPAN;
}

static void
say_value(
    const json_t *value, enum ctl_format format, char *text_r, size_t size)
{
	if (format == CTL_FLAG && !json_is_true(value))
		text_r[0] = '\0';
	else if (format == CTL_SPARK && json_is_array(value))
		say_spark(value, text_r, size);
	else if (format == CTL_BAR)
		say_bar(json_number_value(value), text_r, size);
	else if (is_of_time(format) && json_is_number(value))
		say_number(
		    format, (int64_t)json_number_value(value), text_r, size);
	else
		say_plain(value, text_r, size);
	for (char *at = text_r; *at != '\0'; at++)
		if (ascii_is_control(*at))
			*at = ' ';
}

/* Characters, of which some are more than one octet. */
static int
width_of(const char *text)
{
	int width = 0;

	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xC0) != 0x80;
	return width;
}

/* ---- Colour */

static const char *
colour_of(const struct render *render, const char *word)
{
	static const struct {
		const char *word;
		const char *colour;
	} colours[] = {{"accept", "\033[32m"}, {"accepted", "\033[32m"},
	    {"ok", "\033[32m"}, {"up", "\033[32m"}, {"passed", "\033[32m"},
	    {"yes", "\033[32m"}, {"defer", "\033[33m"}, {"warning", "\033[33m"},
	    {"late", "\033[33m"}, {"waiting", "\033[33m"},
	    {"observe", "\033[36m"}, {"silent", "\033[31m"},
	    {"away", "\033[31m"}, {"down", "\033[31m"}, {"bad", "\033[31m"},
	    {"error", "\033[31m"}};

	for (size_t i = 0;
	     render->has_colour && i < sizeof colours / sizeof colours[0]; i++)
		if (strcmp(colours[i].word, word) == 0)
			return colours[i].colour;
	return NULL;
}

static void
put_cell(const struct render *render, const char *text, int pad_left,
    int pad_right, const char *colour)
{
	(void)fprintf(render->out, "%*s%s%s%s%*s", pad_left, "",
	    colour == NULL ? "" : colour, text, colour == NULL ? "" : "\033[0m",
	    pad_right, "");
}

/* ---- Tables */

static size_t
columns_of(const struct ctl_layout *layout)
{
	size_t count = 0;

	while (count < COLUMNS_MAX && layout->columns[count].key != NULL)
		count++;
	return count;
}

static void
put_row(const struct render *render, char *const *cells, bool is_header)
{
	const struct ctl_layout *layout = render->layout;
	size_t count = columns_of(layout);

	for (size_t i = 0; i < count; i++) {
		enum ctl_format format = layout->columns[i].format;
		const char *cell = cells[i] == NULL ? "" : cells[i];
		int rest = render->widths[i] - width_of(cell);
		bool to_right = format == CTL_NUMBER || format == CTL_SPAN;
		const char *colour = is_header
		    ? (render->has_colour ? "\033[1m" : NULL)
		    : format == CTL_MARK ? colour_of(render, cell)
					 : NULL;

		if (rest < 0)
			rest = 0;
		put_cell(render, cell, to_right ? rest : 0,
		    to_right || i + 1 == count ? 0 : rest, colour);
		if (i + 1 < count)
			(void)fputs("  ", render->out);
	}
	(void)fputc('\n', render->out);
}

static void
put_header(struct render *render)
{
	char *titles[COLUMNS_MAX] = {NULL};
	size_t count = columns_of(render->layout);

	for (size_t i = 0; i < count; i++)
		titles[i] = (char *)render->layout->columns[i].title;
	put_row(render, titles, true);
	render->line = 0;
}

static void
flush_rows(struct render *render)
{
	bool is_new = render->line == 0;

	for (size_t i = 0; i < render->row_count; i++) {
		if (is_new ||
		    ((render->command->flags & CTL_LIVE) != 0 &&
			!render->is_terminal && render->line == HEADER_EVERY))
			put_header(render);
		is_new = false;
		put_row(render, render->rows[i].cells, false);
		render->line++;
		for (size_t j = 0; j < COLUMNS_MAX; j++) {
			free(render->rows[i].cells[j]);
			render->rows[i].cells[j] = NULL;
		}
	}
	render->row_count = 0;
}

static void
begin_table(struct render *render, const struct ctl_layout *layout)
{
	render->layout = layout;
	render->line = 0;
	for (size_t i = 0; i < columns_of(layout); i++)
		render->widths[i] = width_of(layout->columns[i].title);
	if (!render->is_first)
		(void)fputc('\n', render->out);
}

/* Whether a row is shown at once, before it is known how wide the next one is. */
static bool
is_immediate(const struct render *render)
{
	unsigned flags = render->command->flags;

	return (flags & CTL_LIVE) != 0 &&
	    ((flags & CTL_FRAMES) == 0 || !render->is_terminal);
}

/* So that a picture stays within 80 columns. */
static void
cut_cell(const struct render *render, enum ctl_format format, char *cell)
{
	int width = 0;

	if ((render->command->flags & CTL_FRAMES) == 0 || format != CTL_TEXT)
		return;
	for (; *cell != '\0'; cell++) {
		width += ((unsigned char)*cell & 0xC0) != 0x80;
		if (width > FRAME_CELL)
			*cell-- = '\0';
	}
}

static void
add_row(struct render *render, const json_t *object)
{
	struct row *row = &render->rows[render->row_count++];

	for (size_t i = 0; i < columns_of(render->layout); i++) {
		const struct ctl_column *column = &render->layout->columns[i];
		const json_t *value = json_object_get(object, column->key);
		char cell[CELL_SIZE] = "";

		if (value != NULL)
			say_value(value, column->format, cell, sizeof cell);
		cut_cell(render, column->format, cell);
		row->cells[i] = strdup(cell);
		if (width_of(cell) > render->widths[i])
			render->widths[i] = width_of(cell);
	}
	if (render->row_count == ROWS_HELD || is_immediate(render))
		flush_rows(render);
}

static void
end_table(struct render *render)
{
	flush_rows(render);
	render->layout = NULL;
}

/* ---- Lines */

static void
put_line(struct render *render, const char *title, const char *text,
    enum ctl_format format)
{
	(void)fprintf(render->out, "%-18s ", title);
	put_cell(render, text, 0, 0,
	    format == CTL_MARK ? colour_of(render, text) : NULL);
	(void)fputc('\n', render->out);
}

static void
put_lines(struct render *render, const struct ctl_layout *layout,
    const json_t *object)
{
	char text[8 * CELL_SIZE];
	const char *key;
	json_t *value;

	if (!render->is_first)
		(void)fputc('\n', render->out);
	if (layout != NULL) {
		for (size_t i = 0; i < columns_of(layout); i++) {
			value = json_object_get(object, layout->columns[i].key);
			if (value == NULL)
				continue;
			say_value(value, layout->columns[i].format, text,
			    sizeof text);
			if (text[0] == '\0')
				continue;
			put_line(render, layout->columns[i].title, text,
			    layout->columns[i].format);
		}
		return;
	}
	json_object_foreach((json_t *)object, key, value)
	{
		say_value(value, CTL_TEXT, text, sizeof text);
		if (strcmp(key, "kind") != 0)
			put_line(render, key, text, CTL_TEXT);
	}
}

/* A sentence, or a text of several lines that we made. */
static void
put_text(struct render *render, const char *kind, const char *text)
{
	bool is_ours = strcmp(kind, "text") == 0;
	bool is_news =
	    strcmp(kind, "error") == 0 || strcmp(kind, "warning") == 0;
	FILE *out = is_news ? stderr : render->out;

	if (is_news)
		(void)fprintf(out, "milter-deferctl: %s",
		    strcmp(kind, "warning") == 0 ? "warning: " : "");
	for (; *text != '\0'; text++)
		(void)fputc(
		    is_ours || !ascii_is_control(*text) ? *text : ' ', out);
	if (!is_ours)
		(void)fputc('\n', out);
}

/* ---- Objects */

/* What is said to people, whatever the command shows. */
static bool
is_said(const char *kind)
{
	return strcmp(kind, "error") == 0 || strcmp(kind, "warning") == 0 ||
	    strcmp(kind, "note") == 0;
}

/* What was shown so far is shown anew, in its place. */
static void
begin_frame(struct render *render, bool begins)
{
	if (!render->is_terminal)
		return;
	if (begins)
		(void)fputs("\033[H\033[J", render->out);
	render->is_first = true;
}

/* Of a picture or of its one line. */
static bool
is_for_others(const struct render *render, const char *kind)
{
	return (render->command->flags & CTL_FRAMES) != 0 &&
	    (strcmp(kind, "tick") == 0) == render->is_terminal &&
	    strcmp(kind, "frame") != 0 && !is_said(kind);
}

static void
show(struct render *render, const json_t *object)
{
	const char *kind = json_string_value(json_object_get(object, "kind"));
	const char *text = json_string_value(json_object_get(object, "text"));
	const struct ctl_layout *layout;

	kind = kind == NULL ? "" : kind;
	if (is_for_others(render, kind))
		return;
	layout = ctl_layout(render->command, kind);
	if (layout != NULL && layout->is_table && layout == render->layout) {
		add_row(render, object);
		return;
	}
	if (strcmp(kind, "frame") == 0 && !render->is_terminal)
		return;
	end_table(render);
	if (strcmp(kind, "frame") == 0) {
		begin_frame(
		    render, json_is_true(json_object_get(object, "begins")));
		return;
	}
	if (layout != NULL && layout->is_table) {
		begin_table(render, layout);
		add_row(render, object);
	} else if (layout == NULL && text != NULL) {
		put_text(render, kind, text);
	} else {
		put_lines(render, layout, object);
	}
	render->is_first = false;
}

static bool
flush(const struct render *render)
{
	return fflush(render->out) == 0 && ferror(render->out) == 0;
}

static void
tell_progress(const struct render *render, const json_t *object)
{
	bool is_terminal = isatty(STDERR_FILENO) == 1;
	const char *text = json_string_value(json_object_get(object, "text"));
	long long records =
	    json_integer_value(json_object_get(object, "records"));
	char number[CELL_SIZE];

	(void)snprintf(number, sizeof number, "%lld records", records);
	if (render->tells_progress)
		(void)fprintf(stderr, is_terminal ? "\r%s \r" : "%s\n",
		    text == NULL ? number : text);
}

bool
render_object(struct render *render, const json_t *object)
{
	const char *kind = json_string_value(json_object_get(object, "kind"));
	bool is_data = (render->command->flags & CTL_DATA) != 0;

	if (kind != NULL && strcmp(kind, "progress") == 0) {
		tell_progress(render, object);
		return true;
	}
	if (!render->is_json && (!is_data || (kind != NULL && is_said(kind))))
		show(render, object);
	else if (json_dumpf(object, render->out, JSON_COMPACT) == 0)
		(void)fputc('\n', render->out);
	if (render->is_json || (render->command->flags & CTL_LIVE) != 0)
		return flush(render);
	return ferror(render->out) == 0;
}

bool
render_close(struct render **render)
{
	bool is_shown;

	end_table(*render);
	is_shown = flush(*render);
	free(*render);
	*render = NULL;
	return is_shown;
}
