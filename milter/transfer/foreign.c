#include "transfer/foreign.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/decimal.h"
#include "base/hash.h"
#include "transfer/json_text.h"

#define PAIRS_AT_ONCE 50 /* of one line */
#define UNWRITTEN     2	 /* seconds by which a log may be ahead */

struct foreign {
	FILE *out;
	int64_t whitelisted_after; /* deliveries of a client */
	int64_t lines;
	/* pairs of one client that have gathered */
	json_t *pairs;
	char client[128];
	int64_t deliveries;
	int64_t last;
	bool is_good; /* false once something was told to be wrong */
	/* what was noted: hashes, 0 in an empty place */
	uint64_t *noted;
	size_t noted_count;
	size_t noted_size; /* 0 or a power of two */
};

static void
complain(struct foreign *foreign, const char *path, const char *why)
{
	(void)fprintf(stderr, "milter-deferctl: %s: %s\n", path, why);
	foreign->is_good = false;
}

/* ---- Lines */

static void
put(struct foreign *foreign, json_t *object)
{
	if (object == NULL)
		return;
	if (json_dumpf(object, foreign->out, JSON_COMPACT) == 0 &&
	    fputc('\n', foreign->out) != EOF)
		foreign->lines++;
	json_decref(object);
}

static void
put_number(json_t *object, const char *key, int64_t number)
{
	if (number > 0)
		(void)json_object_set_new(
		    object, key, json_integer((json_int_t)number));
}

static void
flush_pairs(struct foreign *foreign)
{
	json_t *object;

	if (foreign->pairs == NULL)
		return;
	object = json_pack("{s:s, s:o, s:o}", "kind", "client", "client",
	    json_text(foreign->client), "pairs", foreign->pairs);
	if (object == NULL)
		return;
	put_number(object, "passes", foreign->deliveries);
	put_number(object, "used", foreign->last);
	put(foreign, object);
	foreign->pairs = NULL;
	foreign->deliveries = foreign->last = 0;
}

void
foreign_client(struct foreign *foreign, const char *client, int64_t deliveries,
    int64_t last, bool known)
{
	json_t *object = json_object();

	known |= deliveries >= foreign->whitelisted_after;
	flush_pairs(foreign);
	(void)json_object_set_new(object, "kind", json_string("client"));
	(void)json_object_set_new(object, "client", json_text(client));
	(void)json_object_set_new(object, "known", json_boolean(known));
	put_number(object, "passes", deliveries);
	put_number(object, "used", last);
	put(foreign, object);
}

void
foreign_pair(struct foreign *foreign, const struct foreign_pair *pair)
{
	json_t *object;

	if (foreign->pairs != NULL &&
	    (strcmp(foreign->client, pair->client) != 0 ||
		json_array_size(foreign->pairs) == PAIRS_AT_ONCE))
		flush_pairs(foreign);
	if (foreign->pairs == NULL)
		foreign->pairs = json_array();
	(void)snprintf(
	    foreign->client, sizeof foreign->client, "%s", pair->client);
	object = json_object();
	(void)json_object_set_new(object, "sender", json_text(pair->sender));
	(void)json_object_set_new(
	    object, "recipient", json_text(pair->recipient));
	put_number(object, "first", pair->first);
	put_number(object, "passed", pair->passed);
	(void)json_array_append_new(foreign->pairs, object);
	if (pair->counts && pair->passed > 0)
		foreign->deliveries++;
	if (pair->counts && foreign->last < pair->passed)
		foreign->last = pair->passed;
}

void
foreign_listed(struct foreign *foreign, const char *text)
{
	flush_pairs(foreign);
	put(foreign,
	    json_pack("{s:s, s:s, s:o}", "kind", "listed", "what", "client",
		"text", json_text(text)));
}

void
foreign_left(struct foreign *foreign, const char *what, const char *text,
    const char *why)
{
	flush_pairs(foreign);
	put(foreign,
	    json_pack("{s:s, s:s, s:o, s:s}", "kind", "left", "what", what,
		"text", json_text(text), "why", why));
}

void
foreign_odd(
    struct foreign *foreign, int64_t count, const char *unit, const char *why)
{
	char text[64];

	if (count == 0)
		return;
	(void)snprintf(text, sizeof text, "%lld %s", (long long)count, unit);
	foreign_left(foreign, "unreadable", text, why);
}

/* ---- Notes */

static uint64_t
number_of(const char *text)
{
	uint64_t number = hash_64(HASH_64, text, strlen(text));

	return number == 0 ? 1 : number;
}

static void
place(uint64_t *table, size_t size, uint64_t number)
{
	size_t at = (size_t)number & (size - 1);

	while (table[at] != 0 && table[at] != number)
		at = (at + 1) & (size - 1);
	table[at] = number;
}

void
foreign_note(struct foreign *foreign, const char *text)
{
	size_t size = foreign->noted_size == 0 ? 1024 : foreign->noted_size * 2;
	uint64_t *table;

	if (foreign_is_noted(foreign, text))
		return;
	if (2 * foreign->noted_count >= foreign->noted_size) {
		table = calloc(size, sizeof *table);
		if (table == NULL)
			return;
		for (size_t i = 0; i < foreign->noted_size; i++)
			if (foreign->noted[i] != 0)
				place(table, size, foreign->noted[i]);
		free(foreign->noted);
		foreign->noted = table;
		foreign->noted_size = size;
	}
	place(foreign->noted, foreign->noted_size, number_of(text));
	foreign->noted_count++;
}

bool
foreign_is_noted(const struct foreign *foreign, const char *text)
{
	uint64_t number = number_of(text);
	size_t at;

	if (foreign->noted_size == 0)
		return false;
	for (at = (size_t)number & (foreign->noted_size - 1);
	     foreign->noted[at] != 0; at = (at + 1) & (foreign->noted_size - 1))
		if (foreign->noted[at] == number)
			return true;
	return false;
}

/* ---- Files */

static bool
copy_file(FILE *in, FILE *out)
{
	char buffer[65536];
	size_t length;

	while ((length = fread(buffer, 1, sizeof buffer, in)) > 0)
		if (fwrite(buffer, 1, length, out) != length)
			return true; /* who reads has ended, and tells why */
	return !ferror(in);
}

static void
read_path(struct foreign *foreign, foreign_read *read, const char *path)
{
	bool is_input = strcmp(path, "-") == 0;
	FILE *file = is_input ? stdin : fopen(path, "r");
	const char *wrong = NULL;

	if (file == NULL) {
		complain(foreign, path, strerror(errno));
		return;
	}
	if (read != NULL)
		wrong = read(foreign, file, is_input ? "standard input" : path);
	else if (!copy_file(file, foreign->out))
		wrong = strerror(errno);
	if (wrong != NULL)
		complain(foreign, path, wrong);
	if (!is_input)
		(void)fclose(file);
}

/* A program that runs has the lock, and has not written everything yet. */
static bool
is_in_use(const char *directory)
{
	char path[4096];
	FILE *lock;
	bool is_held;

	(void)snprintf(path, sizeof path, "%s/postgrey.lock", directory);
	lock = fopen(path, "r");
	if (lock == NULL)
		return false;
	is_held = flock(fileno(lock), LOCK_SH | LOCK_NB) != 0;
	(void)fclose(lock);
	return is_held;
}

/* When a file of the directory that begins and ends so was last written; 0: there is
 * none. */
static int64_t
last_written(const char *directory, const char *begin, const char *end)
{
	DIR *entries = opendir(directory);
	const struct dirent *entry;
	struct stat status;
	int64_t last = 0;

	while (entries != NULL && (entry = readdir(entries)) != NULL) {
		size_t length = strlen(entry->d_name);

		if (strncmp(entry->d_name, begin, strlen(begin)) == 0 &&
		    length >= strlen(end) &&
		    strcmp(entry->d_name + length - strlen(end), end) == 0 &&
		    fstatat(dirfd(entries), entry->d_name, &status, 0) == 0 &&
		    status.st_mtime > last)
			last = (int64_t)status.st_mtime;
	}
	if (entries != NULL)
		(void)closedir(entries);
	return last;
}

/* One that was killed leaves in its log what belongs in its files. */
static bool
is_unwritten(const char *directory)
{
	int64_t files = last_written(directory, "postgrey", ".db");

	return files != 0 &&
	    last_written(directory, "log.", "") > files + UNWRITTEN;
}

static bool
is_directory(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* ---- Programs */

static const struct program {
	const char *name;
	foreign_read *read;
	const char *fallback; /* where its files are, where none is named */
	const char *files[3]; /* in a directory, in this order */
} programs[] = {
    {"postgrey", foreign_postgrey, "/var/lib/postgrey",
	{"postgrey_clients.db", "postgrey.db", NULL}},
    {"sqlgrey", foreign_sqlgrey, "/var/lib/sqlgrey", {"sqlgrey.db", NULL}},
    {"milter-greylist", foreign_milter_greylist, "/var/lib/milter-greylist",
	{"db/greylist.db", "greylist.db", NULL}},
};

static void
read_directory(struct foreign *foreign, const struct program *program,
    const char *directory)
{
	bool found = false;

	if (is_in_use(directory)) {
		complain(foreign, directory,
		    "postgrey runs, and has not written all that it knows: "
		    "stop it first");
		return;
	}
	if (is_unwritten(directory)) {
		complain(foreign, directory,
		    "postgrey was killed, and has not written all that it "
		    "knew: start it and stop it again");
		return;
	}
	for (size_t i = 0; program->files[i] != NULL; i++) {
		char path[4096];

		(void)snprintf(
		    path, sizeof path, "%s/%s", directory, program->files[i]);
		if (access(path, F_OK) != 0)
			continue;
		found = true;
		read_path(foreign, program->read, path);
	}
	if (!found)
		complain(foreign, directory, "there is no file of it");
}

static void
read_all(struct foreign *foreign, const struct program *program,
    const struct foreign_source *source)
{
	put(foreign,
	    json_pack("{s:s, s:i, s:s}", "kind", "milter-defer clients",
		"version", 1, "from", program->name));
	if (source->count == 0)
		read_directory(foreign, program, program->fallback);
	for (size_t i = 0; i < source->count; i++) {
		const char *path = source->paths[i];

		if (is_directory(path))
			read_directory(foreign, program, path);
		else
			read_path(foreign, program->read, path);
	}
	flush_pairs(foreign);
	if (foreign->is_good)
		put(foreign, json_pack("{s:s}", "kind", "total"));
}

static const struct program *
find_program(const char *name)
{
	for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++)
		if (strcmp(programs[i].name, name) == 0)
			return &programs[i];
	(void)fprintf(stderr,
	    "milter-deferctl: --from %s: it has to be postgrey, sqlgrey or "
	    "milter-greylist\n",
	    name);
	return NULL;
}

bool
foreign_feed(const struct foreign_source *source, FILE *out)
{
	const char *after = source->whitelisted_after;
	const struct program *program;
	struct foreign foreign = {
	    .out = out, .whitelisted_after = 1, .is_good = true};

	if (after != NULL &&
	    !decimal_read_all(
		after, strlen(after), 1000000, &foreign.whitelisted_after)) {
		complain(&foreign, "--auto-whitelist", "a number is needed");
		return false;
	}
	if (source->program != NULL) {
		program = find_program(source->program);
		if (program != NULL)
			read_all(&foreign, program, source);
		free(foreign.noted);
		return program != NULL && foreign.is_good;
	}
	if (source->count == 0)
		read_path(&foreign, NULL, "-");
	for (size_t i = 0; i < source->count; i++)
		read_path(&foreign, NULL, source->paths[i]);
	return foreign.is_good;
}
