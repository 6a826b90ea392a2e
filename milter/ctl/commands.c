/* The table of all commands, sorted as they are shown, and how a command line is
 * read by it. */
#include "ctl/commands.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

const struct ctl_command *const ctl_commands[] = {
    &ctl_block,
    &ctl_check,
    &ctl_completion,
    &ctl_explain,
    &ctl_export,
    &ctl_forget,
    &ctl_help,
    &ctl_import,
    &ctl_levers,
    &ctl_list_add,
    &ctl_list_export,
    &ctl_list_import,
    &ctl_list_remove,
    &ctl_list_show,
    &ctl_load_set,
    &ctl_observe,
    &ctl_pass,
    &ctl_replay,
    &ctl_report,
    &ctl_reputation,
    &ctl_reputation_add,
    &ctl_reputation_set,
    &ctl_secret,
    &ctl_show,
    &ctl_status_,
    &ctl_top,
    &ctl_trace,
    &ctl_why,
};

const size_t ctl_command_count = sizeof ctl_commands / sizeof ctl_commands[0];

/* ---- Names */

/* How many of the words are this name; 0: they are another. */
static size_t
match(const char *name, size_t count, const char *const *words)
{
	size_t used = 0;

	for (;;) {
		size_t length = strcspn(name, " ");

		if (used == count || strlen(words[used]) != length ||
		    strncmp(words[used], name, length) != 0)
			return 0;
		used++;
		if (name[length] == '\0')
			return used;
		name += length + 1;
	}
}

const struct ctl_command *
ctl_find(size_t count, const char *const *words, size_t *used_r)
{
	const struct ctl_command *found = NULL;
	size_t used;

	*used_r = 0;
	for (size_t i = 0; i < ctl_command_count; i++) {
		used = match(ctl_commands[i]->name, count, words);
		if (used > *used_r) {
			*used_r = used;
			found = ctl_commands[i];
		}
	}
	return found;
}

/* ---- The words after the name */

static const struct ctl_option *
find_option(const struct ctl_command *command, const char *name, size_t length)
{
	const struct ctl_option *option = command->options;

	for (; option != NULL && option->name != NULL; option++)
		if (strlen(option->name) == length &&
		    strncmp(option->name, name, length) == 0)
			return option;
	return NULL;
}

static bool
is_given(const struct ctl_args *args, const struct ctl_option *option)
{
	for (size_t i = 0; i < args->given_count; i++)
		if (args->given[i].option == option)
			return true;
	return false;
}

/* Take an option, whose value may be the `next` word.  The words used; 0: it is
 * wrong. */
static size_t
take_option(struct ctl_args *args, const char *word, const char *next,
    char why_r[CTL_WHY_SIZE])
{
	size_t length = strcspn(word + 2, "=");
	const char *value = word[2 + length] == '=' ? word + 3 + length : NULL;
	const struct ctl_option *option =
	    find_option(args->command, word + 2, length);
	const char *name = args->command->name;
	const char *wrong = NULL;
	size_t used = 1;

	if (option == NULL)
		wrong = "there is no such option";
	else if (option->argument == NULL && value != NULL)
		wrong = "this option takes no value";
	else if (option->argument != NULL && value == NULL && next == NULL)
		wrong = "this option needs a value";
	else if (!option->many && is_given(args, option))
		wrong = "this option is there twice";
	if (wrong != NULL) {
		(void)snprintf(why_r, CTL_WHY_SIZE,
		    "%s: %.60s: %s (see milter-deferctl %s --help)", name, word,
		    wrong, name);
		return 0;
	}
	if (option->argument == NULL) {
		value = "";
	} else if (value == NULL) {
		value = next;
		used = 2;
	}
	args->given[args->given_count++] = (struct ctl_given){option, value};
	return used;
}

static bool
check_words(const struct ctl_args *args, char why_r[CTL_WHY_SIZE])
{
	const struct ctl_command *command = args->command;

	if (args->word_count >= command->least_words &&
	    args->word_count <= command->most_words)
		return true;
	(void)snprintf(why_r, CTL_WHY_SIZE,
	    "%s: too %s words; usage: milter-deferctl %s%s%s", command->name,
	    args->word_count < command->least_words ? "few" : "many",
	    command->name, command->arguments[0] == '\0' ? "" : " ",
	    command->arguments);
	return false;
}

bool
ctl_parse(const struct ctl_command *command, size_t count,
    const char *const *words, struct ctl_args *args_r, char why_r[CTL_WHY_SIZE])
{
	bool has_options = true;

	args_r->command = command;
	args_r->word_count = args_r->given_count = 0;
	if (count > CTL_WORDS_MAX) {
		(void)snprintf(why_r, CTL_WHY_SIZE, "%s: more than %d words",
		    command->name, CTL_WORDS_MAX);
		return false;
	}
	for (size_t i = 0; i < count;) {
		size_t used = 1;

		if (has_options && strcmp(words[i], "--") == 0)
			has_options = false;
		else if (has_options && strncmp(words[i], "--", 2) == 0)
			used = take_option(args_r, words[i],
			    i + 1 < count ? words[i + 1] : NULL, why_r);
		else
			args_r->words[args_r->word_count++] = words[i];
		if (used == 0)
			return false;
		i += used;
	}
	return check_words(args_r, why_r);
}
