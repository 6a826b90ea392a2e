#include "transfer/berkeley.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"

/* Berkeley DB's db_page.h: the head of a file, of a page, and of an item. */
#define MAGIC	      0x053162u
#define MAGIC_AT      12
#define PAGE_SIZE_AT  20
#define ENCRYPTED_AT  24
#define TYPE_AT	      25 /* of any page */
#define FLAGS_AT      26
#define FLAG_CHECKSUM 1
#define NEXT_AT	      16
#define ENTRIES_AT    20
#define OFFSET_AT     22
#define INDEX_AT      26
#define CHECKSUM_SIZE 6 /* before the index, where pages have one */
#define PAGE_MIN      512
#define PAGE_MAX      65536
#define TYPE_LEAF     5
#define TYPE_OVERFLOW 7
#define ITEM_HEAD     3
#define ITEM_INLINE   1
#define ITEM_OVERFLOW 3
#define ITEM_DELETED  0x80
#define OVERFLOW_SIZE 12

struct reading {
	FILE *file;
	bool swapped; /* written on a machine of the other order */
	size_t page_size;
	size_t index_at;
	unsigned char *page;
	unsigned char *overflow;
	char key[BERKELEY_ITEM_MAX + 1];
	char value[BERKELEY_ITEM_MAX + 1];
	berkeley_each *each;
	void *arg;
};

/* ---- Numbers */

static uint32_t
number_32(const unsigned char *at, bool swapped)
{
	return swapped ? (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 |
		(uint32_t)at[2] << 8 | at[3]
		       : (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 |
		(uint32_t)at[1] << 8 | at[0];
}

static size_t
number_16(const struct reading *reading, const unsigned char *at)
{
	return reading->swapped ? (size_t)at[0] << 8 | at[1]
				: (size_t)at[1] << 8 | at[0];
}

enum berkeley_kind
berkeley_kind(const unsigned char *head, size_t length)
{
	if (length >= 8 && memcmp(head, "VERSION=", 8) == 0)
		return BERKELEY_DUMP;
	if (length < BERKELEY_HEAD)
		return BERKELEY_NONE;
	return number_32(head + MAGIC_AT, false) == MAGIC ||
		number_32(head + MAGIC_AT, true) == MAGIC
	    ? BERKELEY_BTREE
	    : BERKELEY_NONE;
}

/* ---- Items */

static bool
read_page(const struct reading *reading, uint32_t number, unsigned char *page)
{
	return fseeko(reading->file, (off_t)number * (off_t)reading->page_size,
		   SEEK_SET) == 0 &&
	    fread(page, 1, reading->page_size, reading->file) ==
	    reading->page_size;
}

/* An item on pages of its own.  False: it is too long, or damaged. */
static bool
read_overflow(struct reading *reading, const unsigned char *item, char *text_r,
    size_t *length_r)
{
	uint32_t number = number_32(item + 4, reading->swapped);
	size_t total = number_32(item + 8, reading->swapped), length = 0;
	const unsigned char *page = reading->overflow;

	if (total > BERKELEY_ITEM_MAX)
		return false;
	while (length < total) {
		size_t part;

		if (number == 0 ||
		    !read_page(reading, number, reading->overflow) ||
		    page[TYPE_AT] != TYPE_OVERFLOW)
			return false;
		part = number_16(reading, page + OFFSET_AT);
		if (part == 0 || part > total - length ||
		    part > reading->page_size - reading->index_at)
			return false;
		memcpy(text_r + length, page + reading->index_at, part);
		length += part;
		number = number_32(page + NEXT_AT, reading->swapped);
	}
	*length_r = length;
	return true;
}

/* Item number `i` of the page.  False: it is deleted, too long, or damaged. */
static bool
read_item(struct reading *reading, size_t i, char *text_r, size_t *length_r)
{
	size_t offset =
	    number_16(reading, reading->page + reading->index_at + 2 * i);
	const unsigned char *item = reading->page + offset;
	size_t length;

	if (offset < reading->index_at ||
	    offset + ITEM_HEAD > reading->page_size)
		return false;
	length = number_16(reading, item);
	if (item[2] == ITEM_OVERFLOW &&
	    offset + OVERFLOW_SIZE <= reading->page_size) {
		if (!read_overflow(reading, item, text_r, &length))
			return false;
	} else if (item[2] == ITEM_INLINE && length <= BERKELEY_ITEM_MAX &&
	    offset + ITEM_HEAD + length <= reading->page_size) {
		memcpy(text_r, item + ITEM_HEAD, length);
	} else {
		return false;
	}
	text_r[length] = '\0';
	*length_r = length;
	return true;
}

/* Keys and values take turns. */
static void
read_leaf(struct reading *reading)
{
	size_t entries = number_16(reading, reading->page + ENTRIES_AT);
	struct berkeley_pair pair = {reading->key, reading->value, 0, 0};

	if (reading->index_at + 2 * entries > reading->page_size)
		return;
	for (size_t i = 0; i + 1 < entries; i += 2)
		if (read_item(reading, i, reading->key, &pair.key_length) &&
		    read_item(
			reading, i + 1, reading->value, &pair.value_length))
			reading->each(reading->arg, &pair);
}

/* NULL, or what is wrong. */
static const char *
read_head(struct reading *reading)
{
	unsigned char head[BERKELEY_HEAD];

	if (fseeko(reading->file, 0, SEEK_SET) != 0 ||
	    fread(head, 1, sizeof head, reading->file) != sizeof head ||
	    berkeley_kind(head, sizeof head) != BERKELEY_BTREE)
		return "is no B-tree of Berkeley DB";
	reading->swapped = number_32(head + MAGIC_AT, false) != MAGIC;
	reading->page_size = number_32(head + PAGE_SIZE_AT, reading->swapped);
	reading->index_at = INDEX_AT +
	    ((head[FLAGS_AT] & FLAG_CHECKSUM) != 0 ? CHECKSUM_SIZE : 0);
	if (head[ENCRYPTED_AT] != 0)
		return "is encrypted";
	if (reading->page_size < PAGE_MIN || reading->page_size > PAGE_MAX ||
	    (reading->page_size & (reading->page_size - 1)) != 0)
		return "is damaged: its pages have no size";
	return NULL;
}

static const char *
read_btree(FILE *file, berkeley_each *each, void *arg)
{
	struct reading *reading = calloc(1, sizeof *reading);
	const char *wrong = "could not be read: out of memory";

	if (reading == NULL)
		return wrong;
	reading->file = file;
	reading->each = each;
	reading->arg = arg;
	wrong = read_head(reading);
	if (wrong == NULL) {
		reading->page = malloc(reading->page_size);
		reading->overflow = malloc(reading->page_size);
		if (reading->page == NULL || reading->overflow == NULL)
			wrong = "could not be read: out of memory";
	}
	for (uint32_t number = 1;
	     wrong == NULL && read_page(reading, number, reading->page);
	     number++)
		if (reading->page[TYPE_AT] == TYPE_LEAF)
			read_leaf(reading);
	if (wrong == NULL && ferror(file))
		wrong = "could not be read to its end";
	free(reading->page);
	free(reading->overflow);
	free(reading);
	return wrong;
}

/* ---- The text of db_dump */

static int
digit_of(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	return ascii_is_hex(c) ? ascii_lower(c) - 'a' + 10 : -1;
}

/* A line behind its blank: hex digits, or with `plain` characters of which some
 * are \xx.  False: it is neither, or too long. */
static bool
read_text(const char *line, bool plain, char *text_r, size_t *length_r)
{
	size_t length = 0;

	while (*line != '\0' && *line != '\n') {
		bool is_hex = !plain || (line[0] == '\\' && line[1] != '\\');
		const char *digits = line + (plain ? 1 : 0);

		if (length == BERKELEY_ITEM_MAX)
			return false;
		if (is_hex) {
			if (digit_of(digits[0]) < 0 || digit_of(digits[1]) < 0)
				return false;
			text_r[length++] = (char)(digit_of(digits[0]) * 16 +
			    digit_of(digits[1]));
			line = digits + 2;
		} else {
			line += line[0] == '\\';
			text_r[length++] = *line++;
		}
	}
	text_r[length] = '\0';
	*length_r = length;
	return true;
}

struct dump {
	char key[BERKELEY_ITEM_MAX + 1];
	char value[BERKELEY_ITEM_MAX + 1];
	bool is_plain;
	bool has_data;
	bool has_key;
	bool key_good;
	bool has_end;
	size_t key_length;
};

static void
take_line(struct dump *dump, const char *line, berkeley_each *each, void *arg)
{
	struct berkeley_pair pair = {dump->key, dump->value, 0, 0};

	if (strncmp(line, "format=print", 12) == 0)
		dump->is_plain = true;
	else if (strncmp(line, "HEADER=END", 10) == 0)
		dump->has_data = true;
	else if (strncmp(line, "DATA=END", 8) == 0)
		dump->has_end = true;
	if (!dump->has_data || line[0] != ' ')
		return;
	if (!dump->has_key) {
		dump->key_good = read_text(
		    line + 1, dump->is_plain, dump->key, &dump->key_length);
	} else if (dump->key_good &&
	    read_text(
		line + 1, dump->is_plain, dump->value, &pair.value_length)) {
		pair.key_length = dump->key_length;
		each(arg, &pair);
	}
	dump->has_key = !dump->has_key;
}

static const char *
read_dump(FILE *file, berkeley_each *each, void *arg)
{
	struct dump *dump = calloc(1, sizeof *dump);
	const char *wrong = NULL;
	char *line = NULL;
	size_t size = 0;

	if (dump == NULL)
		return "could not be read: out of memory";
	/* a line of our own text has no NUL, and one from elsewhere ends there */
	while (!dump->has_end && getline(&line, &size, file) > 0)
		take_line(dump, line, each, arg);
	if (!dump->has_end)
		wrong = "is cut off";
	free(line);
	free(dump);
	return wrong;
}

const char *
berkeley_read(
    FILE *file, enum berkeley_kind kind, berkeley_each *each, void *arg)
{
	return kind == BERKELEY_DUMP ? read_dump(file, each, arg)
				     : read_btree(file, each, arg);
}
