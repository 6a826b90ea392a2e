#include "scenario_world.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/conf.h"
#include "store/memory/store_memory.h"

#define BEGINNING INT64_C(1767268800) /* 2026-01-01 12:00 UTC */
#define TICKS_MAX 120
#define TEXT_SIZE 16384

/* This host's own load would have a say otherwise.  The figure is read by a thread
 * of its own, which may be a tick late: that is hours while many days pass. */
#define OWN_LOAD                                                               \
	" load_average = 0  pressure_cpu = 0  pressure_io = 0"                 \
	"  pressure_memory = 0  figure_file = \"$DIR/load\"  figure_age = 1d "

static void
path_of(const struct world *world, const char *name, char path_r[256])
{
	(void)snprintf(path_r, 256, "%s/%s", world->directory, name);
}

/* Writes `text` with each $DIR replaced. */
static void
write_policy(const struct world *world, FILE *file, const char *text)
{
	const char *dollar;

	while ((dollar = strstr(text, "$DIR")) != NULL) {
		fprintf(file, "%.*s%s", (int)(dollar - text), text,
		    world->directory);
		text = dollar + 4;
	}
	fputs(text, file);
}

/* The text of the sample configuration. */
static const char *
shipped_policy(void)
{
	static char text[2 * TEXT_SIZE];
	const char *source = getenv("srcdir");
	char path[4096];
	size_t length;
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/conf/milter-defer.conf",
	    source == NULL ? "." : source);
	file = fopen(path, "r");
	ck_assert_msg(file != NULL, "%s cannot be read", path);
	length = fread(text, 1, sizeof text, file);
	ck_assert_msg(length < sizeof text, "%s is too long", path);
	text[length] = '\0';
	fclose(file);
	return text;
}

static void
complain(void *arg, bool error, const char *text)
{
	(void)arg;
	/* Those rules are brief here. */
	if (strstr(text, "without end, until it is lost") == NULL)
		fprintf(stderr, "%s: %s\n", error ? "error" : "warning", text);
}

static struct policy *
load_policy(struct world *world, const char *text)
{
	struct policy *policy;
	const char *load;
	char path[256];
	FILE *file;

	if (strstr(text, "$SHIPPED") != NULL)
		text = shipped_policy();
	load = strstr(text, "load {");

	path_of(world, "policy.conf", path);
	file = fopen(path, "w");
	ck_assert_msg(file != NULL, "%s cannot be written", path);
	if (load == NULL) {
		write_policy(world, file, "load {" OWN_LOAD "}\n");
		write_policy(world, file, text);
	} else {
		fprintf(file, "%.*s", (int)(load - text), text);
		write_policy(world, file, "load {" OWN_LOAD);
		write_policy(world, file, load + strlen("load {"));
	}
	fclose(file);
	policy = conf_load(path, complain, NULL);
	ck_assert_msg(policy != NULL, "the policy is refused:\n%s",
	    world_log(world, true));
	return policy;
}

static struct store *
open_store(const struct settings *settings, int64_t now)
{
	static const unsigned char key[TRIPLET_KEY] =
	    "a key for scenarios only";
	struct store_memory_config config = {
	    .terms = store_terms_of(settings, ""), .key = key};

	return store_memory_open(&config, now);
}

static void
open_log(struct world *world)
{
	char path[256];

	path_of(world, "log", path);
	world->log = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	ck_assert_msg(world->log >= 0, "%s cannot be written", path);
	world->stderr_before = dup(STDERR_FILENO);
	ck_assert(dup2(world->log, STDERR_FILENO) >= 0);
}

void
world_open(struct world *world, const char *text)
{
	struct policy *policy;

	memset(world, 0, sizeof *world);
	world->now = BEGINNING;
	world->ticks_max = TICKS_MAX;
	world->published = -1;
	strcpy(world->directory, "/tmp/milter-defer-scenario.XXXXXX");
	ck_assert(mkdtemp(world->directory) != NULL);
	open_log(world);
	policy = load_policy(world, text);
	world->keeper = keeper_open(open_store(&policy->settings, world->now));
	world->shared = shared_open(policy, keeper_store(world->keeper));
	ck_assert(world->shared != NULL);
	world_set_load(world, 0);
}

void
world_close(struct world *world)
{
	static const char *const files[] = {
	    "policy.conf", "load", "log", "reports", "reports.taken", "list"};
	char path[256];

	shared_close(&world->shared);
	(void)dup2(world->stderr_before, STDERR_FILENO);
	close(world->stderr_before);
	close(world->log);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		path_of(world, files[i], path);
		(void)unlink(path);
	}
	ck_assert_msg(rmdir(world->directory) == 0,
	    "%s: something is left over", world->directory);
}

static void
take_file_reports(struct world *world)
{
	struct policy *policy = shared_policy(world->shared);

	reports_take(&world->shared->file_reports, policy, world->shared->store,
	    world->now);
	policy_release(&policy);
}

void
world_reload(struct world *world, const char *text)
{
	shared_publish(world->shared, load_policy(world, text));
	shared_tick(world->shared, world->now);
	take_file_reports(world);
}

/* The program that publishes the figure does so all the time, each time whole.  An
 * unchanged one only grows younger: a file that replaces another costs the disk. */
static void
publish_figure(struct world *world)
{
	struct timespec times[2] = {{.tv_sec = (time_t)world->now}};
	char path[256], published[256];
	FILE *file;

	times[1] = times[0];
	path_of(world, "load", published);
	if (world->load == world->published) {
		ck_assert(utimensat(AT_FDCWD, published, times, 0) == 0);
		return;
	}
	path_of(world, "load.new", path);
	file = fopen(path, "w");
	ck_assert_msg(file != NULL, "%s cannot be written", path);
	fprintf(file, "%.2f\n", world->load);
	fflush(file);
	ck_assert(futimens(fileno(file), times) == 0);
	fclose(file);
	ck_assert(rename(path, published) == 0);
	world->published = world->load;
}

static void
tick(struct world *world)
{
	publish_figure(world);
	shared_tick(world->shared, world->now);
	take_file_reports(world);
}

void
world_pass(struct world *world, int64_t seconds)
{
	int64_t end = world->now + seconds;
	int64_t step = 1 + (seconds - 1) / world->ticks_max;

	while (world->now < end) {
		world->now += end - world->now < step ? end - world->now : step;
		tick(world);
	}
}

void
world_set_load(struct world *world, double load)
{
	world->load = load;
	tick(world);
}

void
world_set_file(
    struct world *world, const char *name, char *const *lines, size_t count)
{
	char path[256];
	FILE *file;

	path_of(world, name, path);
	if (count == 0) {
		ck_assert(unlink(path) == 0);
		return;
	}
	file = fopen(path, "w");
	ck_assert_msg(file != NULL, "%s cannot be written", path);
	for (size_t i = 0; i < count; i++)
		fprintf(file, "%s\n", lines[i]);
	fclose(file);
}

const char *
world_log(struct world *world, bool whole)
{
	static char text[TEXT_SIZE];
	ssize_t length = pread(
	    world->log, text, sizeof text - 1, whole ? 0 : world->log_mark);

	text[length > 0 ? length : 0] = '\0';
	return text;
}

void
world_mark_log(struct world *world)
{
	world->log_mark = lseek(world->log, 0, SEEK_END);
}
