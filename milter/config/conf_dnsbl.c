#include <stdlib.h>
#include <string.h>

#include "config/conf_build.h"
#include "config/conf_value.h"
#include "mail/dns_list.h"

struct dnsbl_options {
	char **zones;
	int64_t of; /* enum dnsbl_of */
	bool alone;
	bool test_entry;
};

static bool
check_zone(const char *text, char *why_r, size_t why_size)
{
	struct dns_list list;
	char why[DNS_LIST_WHY_SIZE] = "";
	bool good = dns_list_parse(text, &list, why);

	strncat(strcpy(why_r, ""), why, why_size - 1);
	return good;
}

#define MEMBER(member) .offset = offsetof(struct dnsbl_options, member)

const struct setting dnsbl_option_table[] = {
    /* clang-format off */
    {"dnsbl", "zones", SETTING_STRINGS, MEMBER(zones), "", .check = check_zone},
    {"dnsbl", "of", SETTING_CHOICE, MEMBER(of), "client",
	.choices = "client client_name helo sender_domain"},
    {"dnsbl", "alone", SETTING_BOOL, MEMBER(alone), "false"},
    {"dnsbl", "test_entry", SETTING_BOOL, MEMBER(test_entry), "true"},
    /* clang-format on */
};

const size_t dnsbl_option_count =
    sizeof dnsbl_option_table / sizeof dnsbl_option_table[0];

static void
read_options(struct conf_build *build, const struct conf_section *section,
    struct dnsbl_options *options_r)
{
	memset(options_r, 0, sizeof *options_r);
	if (!settings_default(
		options_r, dnsbl_option_table, dnsbl_option_count))
		build->out_of_memory = true;
	for (size_t i = 0; i < section->item_count; i++) {
		const struct conf_item *item = &section->items[i];

		conf_read_option(build,
		    setting_find(dnsbl_option_table, dnsbl_option_count,
			"dnsbl", item->name),
		    item, options_r);
	}
}

/* It stands in conditions before a colon, and in the log. */
static void
check_name(const struct conf_build *build, const struct conf_section *section)
{
	const struct policy *policy = build->policy;

	if (!conf_value_name(section->title, " \"'\\:,="))
		conf_error(build->report, section->line,
		    "the name of a dnsbl is 1 to %d letters of printable ASCII "
		    "without blanks, quotes, backslashes and : , =",
		    CONF_VALUE_NAME_MAX);
	for (size_t i = 0; i < policy->dnsbl_count; i++)
		if (strcmp(policy->dnsbls[i].name, section->title) == 0)
			conf_twice(build->report, section->line,
			    policy->dnsbls[i].line, "dnsbl", section->title);
}

/* The zones have been checked. */
static bool
take_zones(struct dnsbl *dnsbl, char *const *zones)
{
	char why[DNS_LIST_WHY_SIZE];
	size_t count = 0;

	while (zones[count] != NULL)
		count++;
	dnsbl->lists = calloc(count + 1, sizeof *dnsbl->lists);
	for (size_t i = 0; dnsbl->lists != NULL && i < count; i++)
		dnsbl->list_count += dns_list_parse(
		    zones[i], &dnsbl->lists[dnsbl->list_count], why);
	return dnsbl->lists != NULL;
}

static bool
has_two_zones(const struct dnsbl *dnsbl)
{
	for (size_t i = 1; i < dnsbl->list_count; i++)
		if (strcmp(dnsbl->lists[i].zone, dnsbl->lists[0].zone) != 0)
			return true;
	return false;
}

static void
make_dnsbl(struct conf_build *build, const struct conf_section *section,
    const struct dnsbl_options *options)
{
	struct dnsbl *dnsbl =
	    &build->policy->dnsbls[build->policy->dnsbl_count++];

	dnsbl->line = section->line;
	dnsbl->of = (enum dnsbl_of)options->of;
	dnsbl->alone = options->alone;
	dnsbl->test_entry = options->test_entry;
	dnsbl->name = strdup(section->title);
	if (dnsbl->name == NULL || !take_zones(dnsbl, options->zones))
		build->out_of_memory = true;
	else if (!dnsbl->alone && !has_two_zones(dnsbl))
		conf_warning(build->report, section->line,
		    "dnsbl \"%s\" has one zone, and one alone decides nothing "
		    "unless alone = true",
		    section->title);
}

static void
read_zones(struct conf_build *build, const struct conf_section *section,
    const struct dnsbl_options *options)
{
	unsigned errors = build->report->errors;
	size_t count = 0;

	while (options->zones[count] != NULL)
		count++;
	if (count == 0)
		conf_error(build->report, section->line,
		    "dnsbl \"%s\" has no zones", section->title);
	if (count > DNSBL_ZONES_MAX)
		conf_error(build->report, section->line,
		    "dnsbl \"%s\" has more than %d zones", section->title,
		    DNSBL_ZONES_MAX);
	if (build->policy->dnsbl_count == DNSBLS_MAX)
		conf_error(build->report, section->line,
		    "there are more than %d sections dnsbl", DNSBLS_MAX);
	if (build->report->errors == errors)
		make_dnsbl(build, section, options);
}

static void
read_dnsbl(struct conf_build *build, const struct conf_section *section)
{
	unsigned errors = build->report->errors;
	struct dnsbl_options options;

	check_name(build, section);
	read_options(build, section, &options);
	if (options.zones == NULL)
		return;
	if (build->report->errors == errors)
		read_zones(build, section, &options);
	for (size_t i = 0; options.zones[i] != NULL; i++)
		free(options.zones[i]);
	free(options.zones);
}

void
conf_read_dnsbls(struct conf_build *build, const struct conf_tree *tree)
{
	for (size_t i = 0; i < tree->count; i++)
		if (strcmp(tree->sections[i].kind, "dnsbl") == 0)
			read_dnsbl(build, &tree->sections[i]);
}
