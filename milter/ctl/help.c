/* help, completion -- what the table tells of itself. */
#include <string.h>

#include "ctl/commands.h"

/* ---- help */

static json_t *
help_of(const struct ctl_command *command)
{
	json_t *options = json_array();

	for (const struct ctl_option *option = command->options;
	     option != NULL && option->name != NULL; option++)
		(void)json_array_append_new(options,
		    json_pack("{s:s, s:s?, s:s}", "name", option->name,
			"argument", option->argument, "help", option->help));
	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:o}", "kind", "command",
	    "name", command->name, "arguments", command->arguments, "help",
	    command->help, "changes", (command->flags & CTL_CHANGES) != 0,
	    "options", options);
}

static const struct ctl_layout help_layouts[] = {
    {"command", true,
	{{"name", "COMMAND", CTL_TEXT}, {"arguments", "ARGUMENTS", CTL_TEXT},
	    {"help", "WHAT IT DOES", CTL_TEXT}, {NULL}}},
    {NULL}};

static enum ctl_status
run_help(struct ctl *ctl, const struct ctl_args *args)
{
	size_t used;
	const struct ctl_command *command;

	if (args->word_count == 0) {
		for (size_t i = 0; i < ctl_command_count; i++)
			(void)ctl_emit(ctl, help_of(ctl_commands[i]));
		return CTL_DONE;
	}
	command = ctl_find(args->word_count, args->words, &used);
	if (command == NULL)
		return ctl_fail(ctl, "there is no command %s", args->words[0]);
	(void)ctl_emit(ctl, help_of(command));
	return CTL_DONE;
}

const struct ctl_command ctl_help = {.name = "help",
    .arguments = "[COMMAND]",
    .help = "tell what a command does, or list them all",
    .flags = CTL_BARE,
    .most_words = 2,
    .layouts = help_layouts,
    .run = run_help};

/* ---- completion */

/* One word, two, then options; files where nothing else is known. */
static const char head[] = "_milter_deferctl() {\n"
			   "\tlocal word=${COMP_WORDS[COMP_CWORD]} line=\" "
			   "${COMP_WORDS[*]:1:COMP_CWORD-1} \"\n"
			   "\tlocal words=\n"
			   "\tcase $line in\n";
static const char tail[] =
    "\tesac\n"
    "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
    "}\n"
    "complete -o bashdefault -o default -F _milter_deferctl milter-deferctl\n";

static bool
emit_text(struct ctl *ctl, const char *text)
{
	return ctl_emit(
	    ctl, json_pack("{s:s, s:s}", "kind", "text", "text", text));
}

static void
add(char *line, size_t size, const char *first, const char *second)
{
	strncat(line, first, size - strlen(line) - 1);
	strncat(line, second, size - strlen(line) - 1);
}

/* What may follow a first word. */
static void
add_seconds(char *line, size_t size, const char *first, size_t length)
{
	for (size_t i = 0; i < ctl_command_count; i++)
		if (strncmp(ctl_commands[i]->name, first, length) == 0 &&
		    ctl_commands[i]->name[length] == ' ')
			add(line, size, " ",
			    ctl_commands[i]->name + length + 1);
}

static void
complete_command(struct ctl *ctl, const struct ctl_command *command)
{
	char line[2048] = "";

	add(line, sizeof line, "\t*\" ", command->name);
	add(line, sizeof line, " \"*) words=\"--help --json", "");
	for (const struct ctl_option *option = command->options;
	     option != NULL && option->name != NULL; option++)
		add(line, sizeof line, " --", option->name);
	if (strchr(command->name, ' ') == NULL)
		add_seconds(
		    line, sizeof line, command->name, strlen(command->name));
	add(line, sizeof line, "\" ;;\n", "");
	(void)emit_text(ctl, line);
}

/* Where a command has two words: what may follow the first. */
static void
complete_first(struct ctl *ctl, const char *first, size_t length)
{
	char line[2048] = "\t*\" ";

	strncat(line, first, length);
	add(line, sizeof line, " \"*) words=\"", "");
	add_seconds(line, sizeof line, first, length);
	add(line, sizeof line, "\" ;;\n", "");
	(void)emit_text(ctl, line);
}

/* Whether a row before this one has the same first word. */
static bool
is_repeated(size_t index, size_t length)
{
	for (size_t i = 0; i < index; i++)
		if (strncmp(ctl_commands[i]->name, ctl_commands[index]->name,
			length) == 0 &&
		    (ctl_commands[i]->name[length] == ' ' ||
			ctl_commands[i]->name[length] == '\0'))
			return true;
	return false;
}

static enum ctl_status
run_completion(struct ctl *ctl, const struct ctl_args *args)
{
	char names[4096] = "";

	(void)args;
	(void)emit_text(ctl, head);
	/* "list export" before "export", as either ends the line */
	for (size_t i = 0; i < ctl_command_count; i++)
		if (strchr(ctl_commands[i]->name, ' ') != NULL)
			complete_command(ctl, ctl_commands[i]);
	for (size_t i = 0; i < ctl_command_count; i++)
		if (strchr(ctl_commands[i]->name, ' ') == NULL)
			complete_command(ctl, ctl_commands[i]);
	for (size_t i = 0; i < ctl_command_count; i++) {
		const char *name = ctl_commands[i]->name;
		size_t length = strcspn(name, " ");

		if (is_repeated(i, length))
			continue;
		if (name[length] == ' ')
			complete_first(ctl, name, length);
		strncat(names, name, length);
		add(names, sizeof names, " ", "");
	}
	(void)emit_text(ctl, "\t*) words=\"-c --json --help --version ");
	(void)emit_text(ctl, names);
	(void)emit_text(ctl, "\" ;;\n");
	(void)emit_text(ctl, tail);
	return CTL_DONE;
}

const struct ctl_command ctl_completion = {.name = "completion",
    .arguments = "",
    .help = "print the completion for bash",
    .flags = CTL_BARE,
    .run = run_completion};
