#include "scenario_text.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ABBREVIATIONS_MAX 64

/* "greylisted = 451 4.7.1 Greylisted" */
struct abbreviation {
	char *name;
	char *text;
};

/* The file that is being read. */
struct reader {
	const char *path;
	unsigned line;
	struct scenario_book *book;
	struct scenario *scenario; /* the steps are of this one */
	bool has_policy;
	bool in_policy;
	struct abbreviation abbreviations[ABBREVIATIONS_MAX];
	size_t abbreviation_count;
};

static _Noreturn void
fail(const struct reader *reader, const char *why)
{
	fprintf(stderr, "%s:%u: %s\n", reader->path, reader->line, why);
	exit(EXIT_FAILURE);
}

static void *
grown(void *array, size_t count, size_t size)
{
	void *bigger = realloc(array, (count + 1) * size);

	if (bigger == NULL)
		abort();
	memset((char *)bigger + count * size, 0, size);
	return bigger;
}

static char *
trimmed(char *text)
{
	size_t length;

	text += strspn(text, " \t");
	length = strlen(text);
	while (length > 0 && strchr(" \t\r\n", text[length - 1]) != NULL)
		text[--length] = '\0';
	return text;
}

static void
begin_policy(struct reader *reader, const char *name)
{
	struct scenario_policy *policy = grown(NULL, 0, sizeof *policy);

	policy->name = strdup(name);
	policy->text = strdup("");
	policy->older = reader->book->policies;
	reader->book->policies = policy;
	reader->has_policy = true;
	reader->in_policy = true;
}

static void
add_policy_line(struct reader *reader, const char *line)
{
	struct scenario_policy *policy = reader->book->policies;
	size_t length = strlen(policy->text);

	policy->text = realloc(policy->text, length + strlen(line) + 1);
	if (policy->text == NULL)
		abort();
	strcpy(policy->text + length, line);
}

static void
begin_scenario(struct reader *reader, char *title)
{
	struct scenario_book *book = reader->book;
	const char *slash = strrchr(reader->path, '/');

	if (!reader->has_policy)
		fail(reader, "a scenario before any policy");
	book->scenarios =
	    grown(book->scenarios, book->count, sizeof *book->scenarios);
	reader->scenario = &book->scenarios[book->count++];
	reader->scenario->file =
	    strdup(slash == NULL ? reader->path : slash + 1);
	reader->scenario->title = strdup(title);
	reader->scenario->policies = book->policies;
	reader->in_policy = false;
}

static void
add_abbreviation(struct reader *reader, char *name, char *text)
{
	struct abbreviation *one =
	    &reader->abbreviations[reader->abbreviation_count];

	if (reader->abbreviation_count++ == ABBREVIATIONS_MAX)
		fail(reader, "too many abbreviations");
	one->name = strdup(trimmed(name));
	one->text = strdup(trimmed(text));
	reader->in_policy = false;
}

/* "greylisted at DATA": only what stands before the step is abbreviated. */
static char *
spelled_out(const struct reader *reader, char *text)
{
	char *at = strstr(text, " at ");
	size_t length = at == NULL ? strlen(text) : (size_t)(at - text);

	for (size_t i = 0; i < reader->abbreviation_count; i++) {
		const struct abbreviation *one = &reader->abbreviations[i];
		size_t size = strlen(one->text) + strlen(text + length) + 1;
		char *whole;

		if (strlen(one->name) != length ||
		    memcmp(one->name, text, length) != 0)
			continue;
		whole = grown(NULL, 0, size);
		(void)snprintf(whole, size, "%s%s", one->text, text + length);
		return whole;
	}
	return strdup(text);
}

static void
add_step(struct reader *reader, char *text)
{
	struct scenario *scenario = reader->scenario;
	struct scenario_step *step;
	char *arrow = strstr(text, "->");

	if (scenario == NULL)
		fail(reader, "a step without a scenario");
	if (strlen(text) >= SCENARIO_STEP_MAX)
		fail(reader, "a step that is too long");
	scenario->steps = grown(
	    scenario->steps, scenario->step_count, sizeof *scenario->steps);
	step = &scenario->steps[scenario->step_count++];
	step->line = reader->line;
	if (arrow != NULL) {
		*arrow = '\0';
		step->expected = spelled_out(reader, trimmed(arrow + 2));
	}
	step->text = strdup(trimmed(text));
}

/* A line at the margin: a policy, an abbreviation or a title. */
static void
take_heading(struct reader *reader, char *line)
{
	char *text = trimmed(line);
	char *equals = strstr(text, " = ");
	size_t length = strlen(text);

	if (strncmp(text, "policy", 6) == 0 && strchr(" ", text[6]) != NULL) {
		begin_policy(reader, trimmed(text + 6));
	} else if (text[length - 1] == ':') {
		text[length - 1] = '\0';
		begin_scenario(reader, text);
	} else if (equals != NULL) {
		*equals = '\0';
		add_abbreviation(reader, text, equals + 3);
	} else {
		fail(reader, "neither policy, nor abbreviation, nor title");
	}
}

static void
take_line(struct reader *reader, char *line)
{
	bool indented = line[0] == '\t' || line[0] == ' ';
	size_t blanks = strspn(line, " \t\r\n");

	if (reader->in_policy && (indented || line[blanks] == '\0'))
		add_policy_line(reader, line);
	else if (line[blanks] == '\0' || line[blanks] == '#')
		return;
	else if (indented)
		add_step(reader, line);
	else
		take_heading(reader, line);
}

static void
read_file(const char *path, struct scenario_book *book)
{
	struct reader reader = {.path = path, .book = book};
	FILE *file = fopen(path, "r");
	char *line = NULL;
	size_t size = 0;

	if (file == NULL)
		fail(&reader, "cannot be read");
	while (getline(&line, &size, file) != -1) {
		reader.line++;
		take_line(&reader, line);
	}
	for (size_t i = 0; i < reader.abbreviation_count; i++) {
		free(reader.abbreviations[i].name);
		free(reader.abbreviations[i].text);
	}
	free(line);
	fclose(file);
}

static int
is_scenario_file(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot != NULL && strcmp(dot, ".txt") == 0;
}

void
scenario_read(const char *path, struct scenario_book *book)
{
	struct dirent **entries;
	int count = scandir(path, &entries, is_scenario_file, alphasort);

	if (count < 0)
		read_file(path, book);
	for (int i = 0; i < count; i++) {
		char name[4096];

		(void)snprintf(
		    name, sizeof name, "%s/%s", path, entries[i]->d_name);
		read_file(name, book);
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
}

const char *
scenario_policy(const struct scenario *scenario, const char *name)
{
	const struct scenario_policy *policy = scenario->policies;

	while (policy != NULL && strcmp(policy->name, name) != 0)
		policy = policy->older;
	return policy == NULL ? NULL : policy->text;
}

static void
free_scenario(struct scenario *scenario)
{
	for (size_t i = 0; i < scenario->step_count; i++) {
		free(scenario->steps[i].text);
		free(scenario->steps[i].expected);
	}
	free(scenario->steps);
	free(scenario->file);
	free(scenario->title);
}

void
scenario_free(struct scenario_book *book)
{
	for (size_t i = 0; i < book->count; i++)
		free_scenario(&book->scenarios[i]);
	free(book->scenarios);
	while (book->policies != NULL) {
		struct scenario_policy *policy = book->policies;

		book->policies = policy->older;
		free(policy->name);
		free(policy->text);
		free(policy);
	}
}
