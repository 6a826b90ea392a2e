#include "mail/list_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/decimal.h"
#include "base/file.h"
#include "mail/date.h"

enum { LINE_SIZE = 1024 };

/* One line of the file, without its end. */
struct line {
	char text[LINE_SIZE];
	unsigned number;
	size_t bytes; /* of the file, so far */
	bool too_long;
	bool has_nul;
};

static struct list_file_identity
identity_of(const struct stat *st)
{
	struct list_file_identity identity = {
	    .device = st->st_dev,
	    .inode = st->st_ino,
	    .size = st->st_size,
	    .modified_sec = st->st_mtim.tv_sec,
	    .modified_nsec = st->st_mtim.tv_nsec,
	};

	return identity;
}

bool
list_file_identify(const char *path, struct list_file_identity *identity_r)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return false;
	*identity_r = identity_of(&st);
	return true;
}

bool
list_file_is_same(
    const struct list_file_identity *a, const struct list_file_identity *b)
{
	return a->device == b->device && a->inode == b->inode &&
	    a->size == b->size && a->modified_sec == b->modified_sec &&
	    a->modified_nsec == b->modified_nsec;
}

/* Read the next line; false at the end of the file.  Octet by octet, because
 * fgets hides NUL octets and getline would let a file without line ends take
 * all memory. */
static bool
read_line(FILE *file, struct line *line)
{
	size_t length = 0;
	int c = getc_unlocked(file);

	if (c == EOF || ++line->bytes > LIST_FILE_BYTES_MAX)
		return false;
	line->number++;
	line->too_long = line->has_nul = false;
	for (; c != EOF && c != '\n'; c = getc_unlocked(file)) {
		if (++line->bytes > LIST_FILE_BYTES_MAX)
			return false;
		line->has_nul = line->has_nul || c == '\0';
		if (length + 1 < sizeof(line->text))
			line->text[length++] = (char)c;
		else
			line->too_long = true;
	}
	line->text[length] = '\0';
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Cut comment and blanks away; returns where the entry starts in `text`. */
static char *
find_entry(char *text)
{
	char *end;

	while (is_blank(*text))
		text++;
	for (end = text; *end != '\0'; end++) {
		if (*end == '#' && (end == text || is_blank(end[-1])))
			break;
	}
	while (end > text && is_blank(end[-1]))
		end--;
	*end = '\0';
	return text;
}

/* Cut the first word off; what follows it, or NULL. */
static char *
cut_word(char *text)
{
	char *end = text + strcspn(text, " \t");

	if (*end == '\0')
		return NULL;
	*end++ = '\0';
	return end + strspn(end, " \t");
}

static bool
read_number(const char *text, int64_t *number_r)
{
	static const char units[] = "kMG";
	size_t length = strlen(text);
	const char *unit = length == 0 ? NULL : strchr(units, text[length - 1]);
	int shift = unit == NULL ? 0 : 10 * (int)(unit - units + 1);
	int64_t number;

	if (!decimal_read_all(
		text, length - (unit != NULL), INT64_MAX >> shift, &number))
		return false;
	*number_r = number << shift;
	return true;
}

/* Take the end off what follows an entry; what is wrong with it, or NULL. */
static const char *
read_end(char *rest, int64_t *end_r)
{
	char *moment = cut_word(rest);

	if (strcmp(rest, "until") != 0)
		return "more than one word";
	if (moment == NULL || !date_parse(moment, end_r))
		return "until what?  Write it as 2026-12-31T23:59Z or "
		       "2026-12-31";
	return NULL;
}

/* An entry as it is written, and what follows it. */
struct written {
	char *text; /* in the line; "": there is none */
	int64_t number;
	int64_t until;
};

/* Take a line apart; what is wrong with it, or NULL. */
static const char *
read_entry(struct line *line, unsigned kinds, struct written *entry_r)
{
	char *rest, *number;

	*entry_r = (struct written){find_entry(line->text), 0, LIST_FOR_EVER};
	if (line->has_nul)
		return "a NUL octet: this is not a text file";
	if (*entry_r->text == '\0')
		return NULL;
	if (line->too_long)
		return "too long";
	rest = cut_word(entry_r->text);
	if (kinds == LIST_NUMBERS) {
		number = rest;
		rest = number == NULL ? NULL : cut_word(number);
		if (number == NULL || !read_number(number, &entry_r->number))
			return "a key and a whole number are needed, as in "
			       "\"bob 100\"";
	}
	return rest == NULL ? NULL : read_end(rest, &entry_r->until);
}

/* Add the entry of one line; returns what is wrong with it, or NULL. */
static const char *
add_line(struct list *list, unsigned kinds, struct line *line)
{
	struct written entry;
	const char *why = read_entry(line, kinds, &entry);

	if (why != NULL || *entry.text == '\0')
		return why;
	if (kinds == LIST_NUMBERS)
		(void)list_add_number(
		    list, entry.text, entry.number, entry.until, &why);
	else
		(void)list_add(list, entry.text, entry.until, &why);
	return why;
}

static enum list_file_answer
read_list(FILE *file, const char *path, const struct list_file_terms *terms,
    struct list *list)
{
	struct line line = {.number = 0};
	const char *why;

	while (read_line(file, &line)) {
		why = add_line(list, terms->kinds, &line);
		if (why != NULL && terms->complain != NULL)
			terms->complain(terms->context, path, line.number, why);
	}
	if (line.bytes > LIST_FILE_BYTES_MAX)
		errno = EFBIG;
	if (ferror(file) || line.bytes > LIST_FILE_BYTES_MAX)
		return LIST_FILE_UNREADABLE;
	return list_seal(list) ? LIST_FILE_LOADED : LIST_FILE_NO_MEMORY;
}

static FILE *
open_regular(const char *path, struct list_file_identity *identity_r)
{
	struct stat st;
	int fd = file_open(path, &st);
	FILE *file = NULL;
	int error;

	if (fd >= 0 && st.st_size > (off_t)LIST_FILE_BYTES_MAX)
		errno = EFBIG;
	else if (fd >= 0)
		file = fdopen(fd, "r");
	error = errno;
	if (file != NULL) {
		*identity_r = identity_of(&st);
		return file;
	}
	if (fd >= 0)
		close(fd);
	errno = error;
	return NULL;
}

enum list_file_answer
list_file_load(const char *path, const struct list_file_terms *terms,
    struct list **list_r, struct list_file_identity *identity_r)
{
	struct list_file_identity identity;
	enum list_file_answer answer;
	FILE *file = open_regular(path, &identity);
	struct list *list;
	int error;

	if (file == NULL)
		return errno == ENOENT ? LIST_FILE_MISSING
				       : LIST_FILE_UNREADABLE;
	list = list_new(terms->kinds);
	answer = LIST_FILE_NO_MEMORY;
	if (list != NULL)
		answer = read_list(file, path, terms, list);
	error = errno;
	fclose(file);
	if (answer == LIST_FILE_LOADED) {
		*list_r = list;
		*identity_r = identity;
	} else {
		list_free(&list);
	}
	errno = error;
	return answer;
}

/* ---- One by one */

/* The entry of one line in its one form; false: it is none. */
static bool
take_entry(unsigned kinds, struct line *line, struct list_file_entry *entry_r)
{
	char why[NETWORK_WHY_SIZE];
	struct written entry;
	struct list_entry read;

	if (read_entry(line, kinds, &entry) != NULL || *entry.text == '\0')
		return false;
	entry_r->line = line->number;
	entry_r->until = entry.until;
	if (kinds == LIST_NUMBERS) {
		ascii_lower_all(entry.text);
		snprintf(entry_r->text, sizeof(entry_r->text), "%s",
		    entry.text + (entry.text[0] == '@'));
		return true;
	}
	if (!list_entry_read(entry.text, &read, why) ||
	    (kinds & (unsigned)read.kind) == 0)
		return false;
	strcpy(entry_r->text, read.text);
	return true;
}

enum list_file_answer
list_file_each(const char *path, unsigned kinds,
    bool (*each)(void *arg, const struct list_file_entry *entry), void *arg)
{
	struct list_file_identity identity;
	struct list_file_entry entry;
	struct line line = {.number = 0};
	FILE *file = open_regular(path, &identity);
	bool goes_on = true, is_broken;

	if (file == NULL)
		return errno == ENOENT ? LIST_FILE_MISSING
				       : LIST_FILE_UNREADABLE;
	while (goes_on && read_line(file, &line))
		if (take_entry(kinds, &line, &entry))
			goes_on = each(arg, &entry);
	is_broken = ferror(file) != 0;
	fclose(file);
	return is_broken ? LIST_FILE_UNREADABLE : LIST_FILE_LOADED;
}
