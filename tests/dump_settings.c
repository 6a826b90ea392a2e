/* dump_settings -- print what may stand in a configuration file, a line each,
 * for the test that holds the documents against the code:
 *
 *	setting SECTION NAME TYPE DEFAULT MIN MAX CHOICES
 *	option SECTION NAME ...    likewise, of a rule or dnsbl
 *	condition NAME TYPE STAGE
 *	response NAME TEXT
 *
 * with tabs between; a list has ";" between its values. */
#include <stdio.h>
#include <stdlib.h>

#include "config/conf.h"
#include "config/conf_build.h"
#include "config/conf_value.h"
#include "policy/condition.h"

static const char *const setting_types[] = {
    [SETTING_STRING] = "string",
    [SETTING_STRINGS] = "list",
    [SETTING_BOOL] = "boolean",
    [SETTING_NUMBER] = "number",
    [SETTING_REAL] = "real",
    [SETTING_DURATION] = "duration",
    [SETTING_MILLISECONDS] = "milliseconds",
    [SETTING_SIZE] = "size",
    [SETTING_OCTAL] = "octal",
    [SETTING_CHOICE] = "choice",
};

static const char *const value_kinds[] = {
    [VALUE_NETWORKS] = "networks",
    [VALUE_GLOBS] = "patterns",
    [VALUE_TRUE] = "true",
    [VALUE_NUMBER] = "number",
    [VALUE_PORT] = "number",
    [VALUE_REAL] = "score",
    [VALUE_DURATION] = "duration",
    [VALUE_SIZE] = "size",
    [VALUE_SHARE] = "percentage",
    [VALUE_HEADERS] = "headers",
    [VALUE_HEADER_NUMBER] = "header",
    [VALUE_HOURS] = "hours",
    [VALUE_LOAD] = "load",
    [VALUE_FILE] = "file",
    [VALUE_SHARED] = "name",
    [VALUE_DNSBL] = "sum",
    [VALUE_SPF] = "results",
    [VALUE_LIMIT] = "number or file",
    [VALUE_OCTETS] = "size or file",
};

static void
print_list(const char *text)
{
	for (; text != NULL && *text != '\0'; text++)
		printf("%s", (char[2]){*text == '\n' ? ';' : *text, '\0'});
}

/* A bound in the words of the file. */
static void
print_bound(const struct setting *setting, double bound)
{
	char text[CONF_VALUE_SIZE] = "";

	switch (setting->type) {
	case SETTING_DURATION:
		conf_value_say_duration((int64_t)bound, text);
		break;
	case SETTING_MILLISECONDS:
		conf_value_say_milliseconds((int64_t)bound, text);
		break;
	case SETTING_SIZE:
		conf_value_say_size((int64_t)bound, text);
		break;
	case SETTING_OCTAL:
		conf_value_say_octal((int64_t)bound, text);
		break;
	case SETTING_NUMBER:
		conf_value_say_number((int64_t)bound, text);
		break;
	case SETTING_REAL:
		snprintf(text, sizeof text, "%g", bound);
		break;
	default:
		break;
	}
	printf("\t%s", text);
}

static void
print_setting(const char *what, const struct setting *setting)
{
	printf("%s\t%s\t%s\t%s\t", what, setting->section, setting->name,
	    setting_types[setting->type]);
	print_list(setting->fallback);
	print_bound(setting, setting->min);
	print_bound(setting, setting->max);
	printf("\t%s\n", setting->choices == NULL ? "" : setting->choices);
}

int
main(void)
{
	for (size_t i = 0; i < setting_count; i++)
		print_setting("setting", &setting_table[i]);
	for (size_t i = 0; i < setting_count; i++)
		if (setting_table[i].restart != NULL)
			printf("restart\t%s\t%s\t%s\n",
			    setting_table[i].section, setting_table[i].name,
			    setting_table[i].restart);
	for (size_t i = 0; i < rule_option_count; i++)
		print_setting("option", &rule_option_table[i]);
	for (size_t i = 0; i < dnsbl_option_count; i++)
		print_setting("option", &dnsbl_option_table[i]);
	for (size_t i = 0; i < condition_type_count; i++)
		printf("condition\t%s\t%s\t%s\n", condition_types[i].name,
		    value_kinds[condition_types[i].kind],
		    stage_names[condition_types[i].ready]);
	for (size_t i = 0; i < shipped_text_count; i++)
		printf("response\t%s\t%s\n", shipped_texts[i].name,
		    shipped_texts[i].reply);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
