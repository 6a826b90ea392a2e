/* commands -- the row of each command, which stands in the file of its name. */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "ctl/ctl.h"

extern const struct ctl_command ctl_block;
extern const struct ctl_command ctl_check;
extern const struct ctl_command ctl_completion;
extern const struct ctl_command ctl_explain;
extern const struct ctl_command ctl_export;
extern const struct ctl_command ctl_forget;
extern const struct ctl_command ctl_help;
extern const struct ctl_command ctl_import;
extern const struct ctl_command ctl_levers;
extern const struct ctl_command ctl_list_add;
extern const struct ctl_command ctl_list_export;
extern const struct ctl_command ctl_list_import;
extern const struct ctl_command ctl_list_remove;
extern const struct ctl_command ctl_list_show;
extern const struct ctl_command ctl_load_set;
extern const struct ctl_command ctl_observe;
extern const struct ctl_command ctl_pass;
extern const struct ctl_command ctl_replay;
extern const struct ctl_command ctl_report;
extern const struct ctl_command ctl_reputation;
extern const struct ctl_command ctl_reputation_add;
extern const struct ctl_command ctl_reputation_set;
extern const struct ctl_command ctl_secret;
extern const struct ctl_command ctl_show;
extern const struct ctl_command ctl_status_;
extern const struct ctl_command ctl_top;
extern const struct ctl_command ctl_trace;
extern const struct ctl_command ctl_why;

#endif
