#include <errno.h>

#include "base/file.h"
#include "config/conf.h"
#include "mail/list_file.h"

static void
report_line(void *context, const char *path, unsigned line, const char *why)
{
	(void)path; /* the report has it */
	conf_error(context, (int)line, "%s", why);
}

bool
conf_check_lists(const struct policy *policy, conf_say *say, void *arg)
{
	struct conf_report report = {.say = say, .arg = arg};
	struct list_file_identity identity;

	for (size_t i = 0; i < policy->list_count; i++) {
		struct list *list = NULL;

		report.path = policy->lists[i].name;
		if (policy->lists[i].shared)
			continue;
		if (list_file_load(report.path, report_line, &report, &list,
			&identity) != LIST_FILE_LOADED)
			conf_error(&report, 0, "%s", file_why(errno));
		list_free(&list);
	}
	return report.errors == 0;
}
