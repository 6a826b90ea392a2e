/* What sqlgrey leaves: a database of SQLite, or the dump of any (sqlite3 .dump,
 * mysqldump, pg_dump), of which three tables are read:
 *
 *	connect     sender_name, sender_domain, src, rcpt, first_seen   waits
 *	from_awl    sender_name, sender_domain, src, first_seen, last_seen
 *	domain_awl  sender_domain, src, first_seen, last_seen
 *
 * The last two are whom it let in: senders, or whole domains, at a client, which is
 * an address or the first three octets of one.  Either makes that client known. */
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/decimal.h"
#include "mail/netaddr.h"
#include "transfer/foreign.h"

#define TIME_MAX   INT64_C(253402300799)
#define VALUES	   16
#define VALUE_SIZE 512

enum table { CONNECT, FROM_AWL, DOMAIN_AWL, TABLES };

static const struct {
	const char *name;
	const char *columns[6];
} tables[TABLES] = {
    [CONNECT] = {"connect",
	{"sender_name", "sender_domain", "src", "rcpt", "first_seen", NULL}},
    [FROM_AWL] = {"from_awl",
	{"sender_name", "sender_domain", "src", "first_seen", "last_seen",
	    NULL}},
    [DOMAIN_AWL] = {"domain_awl",
	{"sender_domain", "src", "first_seen", "last_seen", NULL}},
};

/* One row, and what its values are. */
struct row {
	enum table table;
	const char *columns[VALUES]; /* ours; NULL: another */
	size_t column_count;
	char values[VALUES][VALUE_SIZE];
	size_t count;
};

struct sqlgrey {
	struct foreign *foreign;
	struct row row;
	bool in_copy; /* rows of pg_dump follow, a line each */
	bool in_rows; /* the lines of an INSERT go on */
	int64_t odd;
};

/* ---- Rows */

static const char *
value_of(const struct row *row, const char *column)
{
	for (size_t i = 0; i < row->column_count && i < row->count; i++)
		if (row->columns[i] != NULL &&
		    strcmp(row->columns[i], column) == 0)
			return row->values[i];
	return "";
}

/* 2026-11-28 14:03:07, local time, or seconds; 0: neither. */
static int64_t
time_of(const char *text)
{
	static const size_t places[][2] = {
	    {0, 4}, {5, 2}, {8, 2}, {11, 2}, {14, 2}, {17, 2}};
	int64_t numbers[6], seconds;
	struct tm at = {.tm_isdst = -1};

	if (decimal_read_all(text, strlen(text), TIME_MAX, &seconds))
		return seconds;
	if (strlen(text) < 19)
		return 0;
	for (int i = 0; i < 6; i++)
		if (!decimal_read_all(
			text + places[i][0], places[i][1], 9999, &numbers[i]))
			return 0;
	at.tm_year = (int)numbers[0] - 1900;
	at.tm_mon = (int)numbers[1] - 1;
	at.tm_mday = (int)numbers[2];
	at.tm_hour = (int)numbers[3];
	at.tm_min = (int)numbers[4];
	at.tm_sec = (int)numbers[5];
	seconds = mktime(&at);
	return seconds > 0 ? seconds : 0;
}

/* "192.0.2" is a network of 24 bits. */
static bool
name_client(const char *src, char client_r[NETWORK_TEXT_SIZE])
{
	char text[NETWORK_TEXT_SIZE], why[NETWORK_WHY_SIZE];
	struct network network;
	struct netaddr address;

	if (netaddr_parse(src, &address)) {
		netaddr_format(&address, client_r);
		return true;
	}
	if (strlen(src) > 11)
		return false;
	(void)snprintf(text, sizeof text, "%s.0/24", src);
	if (!network_parse(text, &network, why))
		return false;
	network_format(&network, client_r);
	return true;
}

static void
take_waiting(struct sqlgrey *sqlgrey, const char *client, int64_t first)
{
	const struct row *row = &sqlgrey->row;
	char sender[2 * VALUE_SIZE];
	const struct foreign_pair pair = {.client = client,
	    .sender = sender,
	    .recipient = value_of(row, "rcpt"),
	    .first = first};

	/* the null sender is "-undef-" at "-undef-" */
	(void)snprintf(sender, sizeof sender, "%s@%s",
	    value_of(row, "sender_name"), value_of(row, "sender_domain"));
	if (strcmp(sender, "-undef-@-undef-") == 0)
		sender[0] = '\0';
	foreign_pair(sqlgrey->foreign, &pair);
}

static void
take_row(struct sqlgrey *sqlgrey)
{
	const struct row *row = &sqlgrey->row;
	char client[NETWORK_TEXT_SIZE];
	int64_t first = time_of(value_of(row, "first_seen"));
	int64_t last = time_of(value_of(row, "last_seen"));

	if (!name_client(value_of(row, "src"), client) || first == 0)
		sqlgrey->odd++;
	else if (row->table == CONNECT)
		take_waiting(sqlgrey, client, first);
	else
		foreign_client(sqlgrey->foreign, client, 1, last, true);
}

/* ---- SQL */

static const char *
skip_blanks(const char *at)
{
	return at + strspn(at, " \t\r\n");
}

/* A name, in quotes or not.  NULL: there is none. */
static const char *
read_name(const char *at, char name_r[64])
{
	size_t length;
	const char *dot;

	at = skip_blanks(at);
	at += strspn(at, "\"`[");
	length = strspn(at,
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789_.");
	if (length == 0 || length >= 64)
		return NULL;
	memcpy(name_r, at, length);
	name_r[length] = '\0';
	dot = strrchr(name_r, '.'); /* behind the schema */
	if (dot != NULL)
		memmove(name_r, dot + 1, strlen(dot));
	at += length;
	return at + strspn(at, "\"`]");
}

static bool
find_table(struct row *row, const char *name)
{
	for (int i = 0; i < TABLES; i++)
		if (strcasecmp(tables[i].name, name) == 0) {
			row->table = (enum table)i;
			row->column_count = 0;
			while (tables[i].columns[row->column_count] != NULL) {
				row->columns[row->column_count] =
				    tables[i].columns[row->column_count];
				row->column_count++;
			}
			return true;
		}
	return false;
}

static const char *
column_of(enum table table, const char *name)
{
	for (size_t i = 0; tables[table].columns[i] != NULL; i++)
		if (strcasecmp(tables[table].columns[i], name) == 0)
			return tables[table].columns[i];
	return NULL;
}

/* "(a, b)", where there is one. */
static const char *
read_columns(struct row *row, const char *at)
{
	char name[64];

	at = skip_blanks(at);
	if (*at != '(')
		return at;
	row->column_count = 0;
	do {
		at = read_name(at + 1, name);
		if (at == NULL || row->column_count == VALUES)
			return NULL;
		row->columns[row->column_count++] = column_of(row->table, name);
		at = skip_blanks(at);
	} while (*at == ',');
	return *at == ')' ? at + 1 : NULL;
}

static void
add_octet(struct row *row, size_t *length, char octet)
{
	if (*length + 1 < VALUE_SIZE)
		row->values[row->count][(*length)++] = octet;
}

/* 'it''s', 17 or NULL. */
static const char *
read_value(struct row *row, const char *at)
{
	bool is_quoted = *at == '\'';
	size_t length = 0;

	if (row->count == VALUES)
		return NULL;
	if (is_quoted)
		at++;
	while (*at != '\0' &&
	    (is_quoted ? *at != '\'' || at[1] == '\''
		       : strchr(",) \t\r\n", *at) == NULL)) {
		if (is_quoted && (*at == '\'' || *at == '\\') && at[1] != '\0')
			at++;
		add_octet(row, &length, *at++);
	}
	row->values[row->count++][length] = '\0';
	return is_quoted && *at == '\'' ? at + 1 : at;
}

/* "(1, 'b'), (2, 'c');", which may go on in the next line. */
static void
read_rows(struct sqlgrey *sqlgrey, const char *at)
{
	struct row *row = &sqlgrey->row;

	sqlgrey->in_rows = true;
	while (at != NULL && *(at = skip_blanks(at)) == '(') {
		row->count = 0;
		do
			at = read_value(row, skip_blanks(at + 1));
		while (at != NULL && *(at = skip_blanks(at)) == ',');
		if (at == NULL || *at != ')') {
			sqlgrey->odd++;
			sqlgrey->in_rows = false;
			return;
		}
		take_row(sqlgrey);
		at = skip_blanks(at + 1);
		if (*at == ',')
			at++;
		else
			sqlgrey->in_rows = *at == '\0';
	}
}

/* Values with tabs between. */
static void
read_copied(struct sqlgrey *sqlgrey, const char *line)
{
	struct row *row = &sqlgrey->row;

	row->count = 0;
	while (row->count < VALUES) {
		size_t length = strcspn(line, "\t\r\n");

		(void)snprintf(row->values[row->count++], VALUE_SIZE, "%.*s",
		    (int)(length < VALUE_SIZE ? length : VALUE_SIZE - 1), line);
		if (line[length] != '\t')
			break;
		line += length + 1;
	}
	take_row(sqlgrey);
}

static bool
begins(const char *line, const char *word)
{
	return strncasecmp(line, word, strlen(word)) == 0;
}

/* Behind the words that begin rows of a table; NULL: it is another statement. */
static const char *
begin_rows(const char *line)
{
	static const char *const beginnings[] = {"COPY ", "INSERT INTO ",
	    "INSERT IGNORE INTO ", "INSERT OR REPLACE INTO ", "REPLACE INTO "};

	for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
		if (begins(line, beginnings[i]))
			return line + strlen(beginnings[i]);
	return NULL;
}

static void
read_line(struct sqlgrey *sqlgrey, const char *line)
{
	const char *at = begin_rows(line);
	char name[64];
	bool is_copy = begins(line, "COPY ");

	if (sqlgrey->in_copy) {
		sqlgrey->in_copy = strncmp(line, "\\.", 2) != 0;
		if (sqlgrey->in_copy)
			read_copied(sqlgrey, line);
		return;
	}
	if (sqlgrey->in_rows && *skip_blanks(line) == '(') {
		read_rows(sqlgrey, line);
		return;
	}
	sqlgrey->in_rows = false;
	if (at != NULL)
		at = read_name(at, name);
	if (at == NULL || !find_table(&sqlgrey->row, name))
		return;
	at = read_columns(&sqlgrey->row, at);
	if (at == NULL) {
		sqlgrey->odd++;
	} else if (is_copy) {
		sqlgrey->in_copy = true;
	} else {
		at = skip_blanks(at);
		if (begins(at, "VALUES"))
			read_rows(sqlgrey, at + 6);
	}
}

static void
read_dump(struct foreign *foreign, FILE *file)
{
	struct sqlgrey *sqlgrey = calloc(1, sizeof *sqlgrey);
	char *line = NULL;
	size_t size = 0;

	if (sqlgrey == NULL)
		return;
	sqlgrey->foreign = foreign;
	while (getline(&line, &size, file) > 0)
		read_line(sqlgrey, line);
	foreign_odd(
	    foreign, sqlgrey->odd, "rows", "they are none of sqlgrey's");
	free(line);
	free(sqlgrey);
}

/* ---- SQLite */

extern char **environ;

/* Its own program reads its files. */
static const char *
dump_sqlite(struct foreign *foreign, const char *path)
{
	char command[] = "sqlite3", option[] = "-readonly", dump[] = ".dump";
	char *copy = strdup(path);
	char *const words[] = {command, option, copy, dump, NULL};
	posix_spawn_file_actions_t actions;
	int ends[2], status = -1;
	FILE *file;
	pid_t child;

	if (copy == NULL || pipe(ends) != 0) {
		free(copy);
		return "could not be read: out of memory";
	}
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawn_file_actions_adddup2(
	    &actions, ends[1], STDOUT_FILENO);
	(void)posix_spawn_file_actions_addclose(&actions, ends[0]);
	if (posix_spawnp(&child, command, &actions, NULL, words, environ) != 0)
		child = -1;
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(ends[1]);
	file = fdopen(ends[0], "r");
	if (child > 0 && file != NULL)
		read_dump(foreign, file);
	if (file != NULL)
		(void)fclose(file);
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		continue;
	free(copy);
	return status == 0 ? NULL
			   : "is a database of SQLite, and sqlite3 could not "
			     "dump it: give what `sqlite3 FILE .dump` prints";
}

const char *
foreign_sqlgrey(struct foreign *foreign, FILE *file, const char *path)
{
	static const char magic[] = "SQLite format 3";
	char head[sizeof magic] = "";

	if (fseeko(file, 0, SEEK_CUR) == 0) {
		size_t length = fread(head, 1, sizeof magic, file);

		rewind(file);
		if (length == sizeof magic &&
		    memcmp(head, magic, sizeof magic) == 0)
			return dump_sqlite(foreign, path);
	}
	read_dump(foreign, file);
	return NULL;
}
