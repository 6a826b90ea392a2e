/* pass, block -- let somebody through, or keep him waiting, on all mail servers. */
#include "ctl/change/entries.h"
#include "ctl/commands.h"

#define PASSLIST  "passlist"
#define BLOCKLIST "blocklist"

static enum ctl_status
run(struct ctl *ctl, const char *list, const struct ctl_args *args)
{
	if (ctl_value(args, "remove") == NULL)
		return entries_add_words(ctl, list, args, 0);
	if (ctl_value(args, "for") != NULL || ctl_value(args, "note") != NULL)
		return ctl_fail(ctl, "what is removed has no time and no note");
	return entries_remove_words(ctl, list, args, 0);
}

static enum ctl_status
run_pass(struct ctl *ctl, const struct ctl_args *args)
{
	return run(ctl, PASSLIST, args);
}

static enum ctl_status
run_block(struct ctl *ctl, const struct ctl_args *args)
{
	return run(ctl, BLOCKLIST, args);
}

static const struct ctl_option options[] = {
    ENTRIES_FOR, ENTRIES_NOTE, {"remove", NULL, "take it back", false}, {NULL}};

const struct ctl_command ctl_pass = {.name = "pass",
    .arguments = "[--for D] ADDRESS|NETWORK|NAME|SENDER... | --remove ...",
    .help = "never delay somebody, for a while or for ever",
    .flags = CTL_STORE | CTL_CHANGES,
    .least_words = 1,
    .most_words = CTL_WORDS_MAX,
    .options = options,
    .layouts = entries_layouts,
    .run = run_pass};

const struct ctl_command ctl_block = {.name = "block",
    .arguments = "[--for D] ADDRESS|NETWORK|NAME|SENDER... | --remove ...",
    .help = "defer all mail of somebody, for a while or for ever",
    .flags = CTL_STORE | CTL_CHANGES,
    .least_words = 1,
    .most_words = CTL_WORDS_MAX,
    .options = options,
    .layouts = entries_layouts,
    .run = run_block};
