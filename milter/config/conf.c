#include "config/conf.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "config/conf_build.h"
#include "config/conf_value.h"
#include "mail/sightings.h"
#include "redis/redis.h"

/* ---- The life of a policy */

static void
clear_condition(struct condition *condition)
{
	for (size_t i = 0; i < condition->count; i++) {
		switch (condition->type->kind) {
		case VALUE_GLOBS:
			free(condition->globs[i]);
			break;
		case VALUE_HEADERS:
			free(condition->headers[i].name);
			free(condition->headers[i].pattern);
			break;
		default:
			break;
		}
	}
	free(condition->array);
	free(condition->header);
}

static void
clear_rule(struct rule *rule)
{
	for (size_t i = 0; i < rule->condition_count; i++)
		clear_condition(&rule->conditions[i]);
	free(rule->conditions);
	free(rule->name);
}

static void
destroy(struct policy *mine)
{
	for (size_t i = 0; i < mine->rule_count; i++)
		clear_rule(&mine->rules[i]);
	for (size_t i = 0; i < mine->response_count; i++)
		response_free(&mine->responses[i]);
	for (size_t i = 0; i < mine->list_count; i++) {
		free(mine->lists[i].name);
		free(mine->lists[i].where);
	}
	for (size_t i = 0; i < mine->dnsbl_count; i++) {
		free(mine->dnsbls[i].name);
		free(mine->dnsbls[i].lists);
	}
	for (size_t i = 0; i < mine->header_count; i++)
		free(mine->headers[i]);
	for (char **file = mine->files; file != NULL && *file != NULL; file++)
		free(*file);
	free(mine->files);
	policy_release(&mine->trial);
	free(mine->met);
	free(mine->rules);
	free(mine->responses);
	settings_clear(&mine->settings);
	free(mine);
}

static struct policy *
new_policy(void)
{
	struct policy *policy = calloc(1, sizeof *policy);

	if (policy == NULL)
		return NULL;
	if (!settings_init(&policy->settings)) {
		free(policy);
		return NULL;
	}
	atomic_init(&policy->references, 1);
	policy->destroy = destroy;
	return policy;
}

/* ---- The grammar, out of the tables */

static const struct conf_kind kinds[] = {{"redis", false}, {"store", false},
    {"journal", false}, {"dns", false}, {"dnsbl", true}, {"geo", false},
    {"load", false}, {"reputation", false}, {"web", false}, {"response", true},
    {"rule", true}};

static const char *
rule_name(size_t index)
{
	if (index < rule_option_count)
		return rule_option_table[index].name;
	index -= rule_option_count;
	if (index < condition_type_count)
		return condition_types[index].name;
	index -= condition_type_count;
	for (size_t i = 0; i < condition_type_count; i++)
		if (condition_types[i].contrary != NULL && index-- == 0)
			return condition_types[i].contrary;
	return NULL;
}

static const char *
option_name(const char *kind, size_t index)
{
	if (strcmp(kind, "response") == 0)
		return index == 0 ? "reply" : NULL;
	if (strcmp(kind, "rule") == 0)
		return rule_name(index);
	if (strcmp(kind, "dnsbl") == 0)
		return index < dnsbl_option_count
		    ? dnsbl_option_table[index].name
		    : NULL;
	for (size_t i = 0; i < setting_count; i++)
		if (strcmp(setting_table[i].section, kind) == 0 && index-- == 0)
			return setting_table[i].name;
	return NULL;
}

static const struct conf_grammar grammar = {
    kinds, sizeof kinds / sizeof kinds[0], option_name};

/* ---- Settings */

void
conf_refuse(struct conf_build *build, const struct conf_item *item,
    size_t index, const char *why)
{
	if (index < item->count)
		conf_error(build->report, item->lines[index], "%s \"%s\": %s",
		    item->name, item->values[index], why);
	else
		conf_error(
		    build->report, item->line, "%s: %s", item->name, why);
}

/* The first value of a list that is not what it should be. */
static size_t
find_bad(const struct setting *setting, const struct conf_item *item)
{
	char why[SETTING_WHY_SIZE];

	for (size_t i = 0; setting->check != NULL && i < item->count; i++)
		if (!setting->check(item->values[i], why, sizeof why))
			return i;
	return 0;
}

void
conf_read_option(struct conf_build *build, const struct setting *setting,
    const struct conf_item *item, void *target)
{
	char why[SETTING_WHY_SIZE];

	if (!setting_assign(target, setting, (const char *const *)item->values,
		item->count, why))
		conf_refuse(build, item, find_bad(setting, item), why);
}

static void
read_settings(struct conf_build *build, const struct conf_section *section)
{
	for (size_t i = 0; i < section->item_count; i++) {
		const struct conf_item *item = &section->items[i];
		const struct setting *setting = setting_find(
		    setting_table, setting_count, section->kind, item->name);

		if (setting != NULL)
			conf_read_option(
			    build, setting, item, &build->policy->settings);
	}
}

/* ---- Settings that belong together */

static int
line_of(const struct conf_tree *tree, const char *kind, const char *name)
{
	for (size_t i = 0; i < tree->count; i++) {
		const struct conf_item *item;

		if (strcmp(tree->sections[i].kind, kind) != 0)
			continue;
		item = conf_find(&tree->sections[i], name);
		if (item != NULL)
			return item->line;
	}
	return 0;
}

static void
check_redis(struct conf_build *build, const struct conf_tree *tree)
{
	const struct settings *settings = &build->policy->settings;
	int servers_line = line_of(tree, "redis", "servers");
	int mode_line = line_of(tree, "redis", "mode");
	size_t servers = 0;

	while (settings->redis.servers[servers] != NULL)
		servers++;
	if (servers > REDIS_SERVERS)
		conf_error(build->report, servers_line,
		    "servers: at most %d can be named", REDIS_SERVERS);
	if (settings->redis.mode == LAYOUT_SINGLE && servers > 1)
		conf_error(build->report, servers_line,
		    "servers: mode = single has one server; for more, set "
		    "mode to sentinel or cluster");
	if (settings->redis.mode != LAYOUT_SINGLE && servers == 0)
		conf_error(
		    build->report, mode_line, "mode: servers are missing");
	if (settings->redis.mode == LAYOUT_CLUSTER &&
	    settings->redis.database != 0)
		conf_error(build->report, line_of(tree, "redis", "database"),
		    "database: a cluster has no other than 0");
	if (settings->redis.sentinel_user[0] != '\0' &&
	    settings->redis.sentinel_password_file[0] == '\0')
		conf_error(build->report,
		    line_of(tree, "redis", "sentinel_user"),
		    "sentinel_user: sentinel_password_file is missing");
	if (settings->redis.user[0] != '\0' &&
	    settings->redis.password_file[0] == '\0')
		conf_error(build->report, line_of(tree, "redis", "user"),
		    "user: password_file is missing");
}

static void
check_tls(struct conf_build *build, const struct conf_tree *tree)
{
	const struct settings *settings = &build->policy->settings;
	const struct {
		const char *name;
		const char *value;
	} used[] = {
	    {"tls_ca_file", settings->redis.tls_ca_file},
	    {"tls_cert_file", settings->redis.tls_cert_file},
	    {"tls_key_file", settings->redis.tls_key_file},
	    {"tls_name", settings->redis.tls_name},
	};
	bool cert = settings->redis.tls_cert_file[0] != '\0';
	bool key = settings->redis.tls_key_file[0] != '\0';

	if (cert != key)
		conf_error(build->report,
		    line_of(
			tree, "redis", cert ? "tls_cert_file" : "tls_key_file"),
		    "tls_cert_file and tls_key_file go together");
	for (size_t i = 0; i < sizeof used / sizeof used[0]; i++)
		if (used[i].value[0] != '\0' && !settings->redis.tls)
			conf_error(build->report,
			    line_of(tree, "redis", used[i].name),
			    "%s is of no use without tls = true", used[i].name);
}

static void
check_dns(struct conf_build *build, const struct conf_tree *tree)
{
	const struct settings *settings = &build->policy->settings;
	char *const *servers = settings->dns.servers;
	int line = line_of(tree, "dns", "servers");
	char deadline[CONF_VALUE_SIZE];
	size_t count = 0, systems = 0;

	for (; servers[count] != NULL; count++)
		systems += strcmp(servers[count], "system") == 0;
	if (count > DNS_SERVERS_MAX)
		conf_error(build->report, line,
		    "servers: at most %d can be named", DNS_SERVERS_MAX);
	if (systems > 0 && count > 1)
		conf_error(build->report, line,
		    "servers: system stands for all servers, so it is the "
		    "only one");
	conf_value_say_milliseconds(settings->redis.deadline_ms, deadline);
	if (settings->dns.patience_ms > settings->redis.deadline_ms)
		conf_error(build->report, line_of(tree, "dns", "patience"),
		    "patience: it has to be at most the deadline in section "
		    "redis, which is %s",
		    deadline);
}

/* A first attempt is forgotten when the retry window ends. */
static void
check_window(struct conf_build *build, const struct conf_tree *tree,
    const char *name, int64_t seconds, const char *or_else)
{
	int64_t window = build->policy->settings.retry_window;
	char text[CONF_VALUE_SIZE], window_text[CONF_VALUE_SIZE];

	if (seconds < window)
		return;
	conf_value_say_duration(seconds, text);
	conf_value_say_duration(window, window_text);
	conf_error(build->report,
	    line_of(
		tree, "", line_of(tree, "", name) > 0 ? name : "retry_window"),
	    "%s (%s) has to be shorter than retry_window (%s), or %s", name,
	    text, window_text, or_else);
}

static void
check_settings(struct conf_build *build, const struct conf_tree *tree)
{
	const struct settings *settings = &build->policy->settings;

	check_redis(build, tree);
	check_tls(build, tree);
	check_dns(build, tree);
	check_window(build, tree, "delay", settings->delay, "nobody passes");
	check_window(build, tree, "delay_cap", settings->delay_cap, "be 0");
}

/* The headers that tell spam from ham are read if that is worth anything. */
static void
add_headers(struct conf_build *build, const struct conf_tree *tree,
    char *const *headers, const char *name)
{
	const char *pattern;
	size_t length;

	for (; *headers != NULL; headers++)
		if (conf_value_header(*headers, &length, &pattern) &&
		    !conf_add_header(build, line_of(tree, "reputation", name),
			*headers, length))
			return;
}

static void
read_marks(struct conf_build *build, const struct conf_tree *tree)
{
	const struct settings *settings = &build->policy->settings;

	if (settings->reputation.weights.points[REPUTATION_SPAM] > 0)
		add_headers(build, tree, settings->reputation.spam_headers,
		    "spam_headers");
	if (settings->reputation.weights.points[REPUTATION_HAM] > 0)
		add_headers(build, tree, settings->reputation.ham_headers,
		    "ham_headers");
}

/* ---- The whole file */

static void
read_tree(struct conf_build *build, const struct conf_tree *tree, bool observes)
{
	for (size_t i = 0; i < tree->count; i++)
		read_settings(build, &tree->sections[i]);
	if (observes)
		build->policy->settings.observe = true;
	check_settings(build, tree);
	read_marks(build, tree);
	conf_read_dnsbls(build, tree);
	conf_read_rules(build, tree);
	if (build->out_of_memory)
		conf_error(build->report, 0, "out of memory");
	if (build->report->errors > 0)
		return;
	conf_plan(build->policy);
	build->policy->met = sightings_new(build->policy->value_count);
	if (build->policy->met == NULL)
		conf_error(build->report, 0, "out of memory");
	conf_check(build, tree);
}

static struct policy *
make_policy(
    const struct conf_tree *tree, bool observes, struct conf_report *report)
{
	struct conf_build build = {.report = report, .policy = new_policy()};

	if (build.policy == NULL)
		conf_error(report, 0, "out of memory");
	else
		read_tree(&build, tree, observes);
	if (report->errors > 0)
		policy_release(&build.policy);
	return build.policy;
}

/* The files that made it, `report->path` the first; some are missing if memory
 * runs out. */
static void
note_files(const struct conf_report *report, struct policy *policy)
{
	size_t count = 0;

	policy->files = calloc(report->origin_count + 1, sizeof(char *));
	for (size_t i = 0; policy->files != NULL && i < report->origin_count;
	     i++) {
		const struct conf_origin *origin = &report->origins[i];

		if (origin->line == 1)
			policy->files[count] = strdup(origin->path);
		count += policy->files[count] != NULL;
	}
}

/* From lines of the whole text to those of the files. */
static void
place_rules(const struct conf_report *report, struct policy *policy)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		struct rule *rule = &policy->rules[i];
		const char *path = conf_origin(report, &rule->line);
		char **file = policy->files;

		while (
		    file != NULL && *file != NULL && strcmp(*file, path) != 0)
			file++;
		rule->file = file == NULL ? NULL : *file;
	}
}

static void
free_origins(struct conf_report *report)
{
	for (size_t i = 0; i < report->origin_count; i++)
		free(report->origins[i].path);
	free(report->origins);
}

/* What was wrong was said. */
static void
say_nothing(void *arg, bool error, const char *text)
{
	(void)arg;
	(void)error;
	(void)text;
}

static void
note_origins(const struct conf_report *report, struct policy *policy)
{
	note_files(report, policy);
	place_rules(report, policy);
}

struct policy *
conf_load(const char *path, conf_say *say, void *arg)
{
	/* For the parser's state. */
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	struct conf_report report = {.path = path, .say = say, .arg = arg};
	struct conf_report silent;
	char *text = conf_text_read(&report);
	struct policy *policy = NULL;
	struct conf_tree tree = {0};
	bool is_parsed;

	silent = report;
	silent.say = say_nothing;
	pthread_mutex_lock(&one_at_a_time);
	is_parsed =
	    text != NULL && conf_file_parse(text, &grammar, &report, &tree);
	pthread_mutex_unlock(&one_at_a_time);
	if (is_parsed)
		policy = make_policy(&tree, false, &report);
	if (policy != NULL) {
		note_origins(&report, policy);
		policy->trial = make_policy(&tree, true, &silent);
	}
	if (policy != NULL && policy->trial != NULL)
		note_origins(&report, policy->trial);
	conf_tree_free(&tree);
	free_origins(&report);
	free(text);
	return policy;
}
