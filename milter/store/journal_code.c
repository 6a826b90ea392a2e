/* References, and entries as text. */
#include "store/journal_parts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/hash.h"

#define RANDOM_LENGTH 12 /* characters of 5 bits */
#define TIME_LENGTH   4
#define TIME_BITS     20
#define TIME_SPAN     (INT64_C(1) << TIME_BITS) /* seconds */
#define SECONDS_MAX   INT64_C(0xffffffffff)

const char *const journal_kinds[JOURNAL_KINDS] = {
    [JOURNAL_DEFER] = "defer",
    [JOURNAL_OBSERVE] = "observe",
    [JOURNAL_PASS] = "pass",
};

/* ---- References */

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static void
write_bits(uint64_t bits, size_t length, char *text_r)
{
	while (length-- > 0) {
		text_r[length] = alphabet[bits & 31];
		bits >>= 5;
	}
}

/* Of characters that are all of the alphabet. */
static uint64_t
read_bits(const char *text, size_t length)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < length; i++)
		bits = bits << 5 |
		    (uint64_t)(strchr(alphabet, text[i]) - alphabet);
	return bits;
}

void
journal_reference_new(
    uint64_t random, int64_t now, char reference_r[JOURNAL_REFERENCE_SIZE])
{
	write_bits(random, RANDOM_LENGTH, reference_r);
	write_bits((uint64_t)now, TIME_LENGTH, reference_r + RANDOM_LENGTH);
	reference_r[RANDOM_LENGTH + TIME_LENGTH] = '\0';
}

static char
likely_character(char character)
{
	int upper = toupper((unsigned char)character);

	return (char)(upper == 'O'	       ? '0'
		: upper == 'I' || upper == 'L' ? '1'
					       : upper);
}

bool
journal_reference_read(
    const char *text, char reference_r[JOURNAL_REFERENCE_SIZE])
{
	char reference[JOURNAL_REFERENCE_SIZE] = "";
	size_t length = 0;

	for (; *text != '\0'; text++) {
		char character = likely_character(*text);

		if (character == ' ' || character == '-')
			continue;
		if (strchr(alphabet, character) == NULL ||
		    length == sizeof reference - 1)
			return false;
		reference[length++] = character;
	}
	if (length != sizeof reference - 1)
		return false;
	memcpy(reference_r, reference, sizeof reference);
	return true;
}

/* The second nearest to `near` that a reference may have been made in. */
static int64_t
second_of(const char *reference, int64_t near)
{
	int64_t told =
	    (int64_t)read_bits(reference + RANDOM_LENGTH, TIME_LENGTH);
	int64_t ahead = (told - near) & (TIME_SPAN - 1);

	return near + (ahead < TIME_SPAN / 2 ? ahead : ahead - TIME_SPAN);
}

uint64_t
journal_place(const char *reference, int64_t near)
{
	int64_t second = second_of(reference, near);

	if (second < 0 || second > SECONDS_MAX)
		second = 0;
	return (uint64_t)second << JOURNAL_PLACE_BITS |
	    read_bits(reference, JOURNAL_PLACE_BITS / 5);
}

/* ---- Entries as text: a version, then fields "<letter>=<value>" that are parted
 * by tabs.  What is empty or 0 is left out; letters that are not known are
 * skipped. */

#define VERSION "1"

#define TEXT(letter, member)                                                   \
	{                                                                      \
		letter, offsetof(struct journal_entry, member),                \
		    sizeof((struct journal_entry *)NULL)->member               \
	}

static const struct {
	char letter;
	size_t offset, size;
} texts[] = {
    TEXT('r', reference),
    TEXT('s', session),
    TEXT('h', host),
    TEXT('u', rule),
    TEXT('p', response),
    TEXT('t', text),
    TEXT('c', client),
    TEXT('n', network),
    TEXT('d', name),
    TEXT('i', identity),
    TEXT('f', sender),
};
#define TEXTS (sizeof texts / sizeof texts[0])

/* What of an entry is a number, and between what. */
enum number {
	KIND,
	AT,
	WAIT,
	WAITED,
	STAGE,
	NULL_SENDER,
	COUNT,
	HAS_SCORE,
	SCORE,
	KNOWN,
	LOAD,
	BEFORE,
	NUMBERS
};
static const struct {
	char letter;
	int64_t least, most;
} numbers[NUMBERS] = {
    [KIND] = {'K', 0, JOURNAL_KINDS - 1},
    [AT] = {'A', 0, SECONDS_MAX},
    [WAIT] = {'W', 0, SECONDS_MAX},
    [WAITED] = {'D', 0, SECONDS_MAX},
    [STAGE] = {'G', 0, STAGE_COUNT - 1},
    [NULL_SENDER] = {'0', 0, 1},
    [COUNT] = {'C', 0, SECONDS_MAX},
    [HAS_SCORE] = {'H', 0, 1},
    [SCORE] = {'S', -100, 100},
    [KNOWN] = {'Y', 0, JOURNAL_IS_KNOWN},
    [LOAD] = {'L', 0, (int64_t)LOAD_MAX * 1000},
    [BEFORE] = {'B', 0, JOURNAL_PLACE_MAX},
};

/* In thousandths. */
static int64_t
load_of(const struct journal_entry *entry)
{
	if (!(entry->load > 0))
		return 0;
	return entry->load < LOAD_MAX ? (int64_t)(entry->load * 1000 + 0.5)
				      : (int64_t)LOAD_MAX * 1000;
}

static void
numbers_of(const struct journal_entry *entry, int64_t numbers_r[NUMBERS])
{
	numbers_r[KIND] = entry->kind;
	numbers_r[AT] = entry->at;
	numbers_r[WAIT] = entry->wait;
	numbers_r[WAITED] = entry->waited;
	numbers_r[STAGE] = entry->stage;
	numbers_r[NULL_SENDER] = entry->null_sender;
	numbers_r[COUNT] = entry->recipient_count;
	numbers_r[HAS_SCORE] = entry->has_score;
	numbers_r[SCORE] = entry->score;
	numbers_r[KNOWN] = entry->known;
	numbers_r[LOAD] = load_of(entry);
	numbers_r[BEFORE] = (int64_t)entry->before;
	for (int i = 0; i < NUMBERS; i++) {
		if (numbers_r[i] < numbers[i].least)
			numbers_r[i] = numbers[i].least;
		if (numbers_r[i] > numbers[i].most)
			numbers_r[i] = numbers[i].most;
	}
}

static void
set_numbers(struct journal_entry *entry, const int64_t values[NUMBERS])
{
	entry->kind = (enum journal_kind)values[KIND];
	entry->at = values[AT];
	entry->wait = values[WAIT];
	entry->waited = values[WAITED];
	entry->stage = (enum stage)values[STAGE];
	entry->null_sender = values[NULL_SENDER] != 0;
	entry->recipient_count = values[COUNT];
	entry->has_score = values[HAS_SCORE] != 0;
	entry->score = (int)values[SCORE];
	entry->known = (enum journal_known)values[KNOWN];
	entry->load = (double)values[LOAD] / 1000;
	entry->before = (uint64_t)values[BEFORE];
}

_Static_assert(4 * JOURNAL_NAME_SIZE + JOURNAL_TEXT_SIZE + JOURNAL_WORD_SIZE +
	    2 * JOURNAL_RECIPIENTS * STORE_NAME_SIZE + 700 <
	JOURNAL_ITEM_MAX,
    "the longest entry has no room");

static char *
add_field(char *end, char letter, const char *value, size_t length)
{
	*end++ = '\t';
	*end++ = letter;
	*end++ = '=';
	memcpy(end, value, length);
	return end + length;
}

size_t
journal_encode(const struct journal_entry *entry, char text_r[JOURNAL_ITEM_MAX])
{
	char *end = text_r;
	char digits[DECIMAL_SIZE] = "";
	int64_t values[NUMBERS];

	*end++ = VERSION[0];
	for (size_t i = 0; i < TEXTS; i++) {
		const char *value = (const char *)entry + texts[i].offset;

		if (value[0] != '\0')
			end = add_field(
			    end, texts[i].letter, value, strlen(value));
	}
	numbers_of(entry, values);
	for (int i = 0; i < NUMBERS; i++)
		if (values[i] != 0)
			end = add_field(end, numbers[i].letter, digits,
			    decimal_write(values[i], digits));
	for (size_t i = 0; i < entry->recipient_hashes; i++) {
		end = add_field(end, 'o', entry->recipients[i],
		    strlen(entry->recipients[i]));
		if (entry->pairs[i][0] != '\0')
			end = add_field(
			    end, 'q', entry->pairs[i], strlen(entry->pairs[i]));
	}
	*end = '\0';
	return (size_t)(end - text_r);
}

void
journal_encode_before(uint64_t before, char *end)
{
	char digits[DECIMAL_SIZE] = "";

	_Static_assert(
	    DECIMAL_SIZE + 4 <= JOURNAL_BEFORE_MAX, "it has no room");
	end = add_field(end, numbers[BEFORE].letter, digits,
	    decimal_write((int64_t)before, digits));
	*end = '\0';
}

static bool
read_number(
    char letter, const char *value, size_t length, int64_t values[NUMBERS])
{
	bool minus = length > 0 && value[0] == '-';
	int64_t number;

	for (int i = 0; i < NUMBERS; i++) {
		if (numbers[i].letter != letter)
			continue;
		if (!decimal_read_all(value + minus, length - minus,
			minus ? -numbers[i].least : numbers[i].most, &number))
			return false;
		values[i] = minus ? -number : number;
	}
	return true;
}

/* What somebody else may have put there does not reach a terminal. */
static void
read_text(char *text_r, size_t size, const char *value, size_t length)
{
	if (length >= size)
		length = size - 1;
	for (size_t i = 0; i < length; i++)
		text_r[i] = journal_clean(value[i]);
	text_r[length] = '\0';
}

static bool
read_field(struct journal_entry *entry, int64_t values[NUMBERS],
    const char *field, size_t length)
{
	char letter = field[0];

	if (length < 2 || field[1] != '=')
		return false;
	field += 2;
	length -= 2;
	for (size_t i = 0; i < TEXTS; i++)
		if (texts[i].letter == letter)
			read_text((char *)entry + texts[i].offset,
			    texts[i].size, field, length);
	if (letter == 'o' && entry->recipient_hashes < JOURNAL_RECIPIENTS)
		read_text(entry->recipients[entry->recipient_hashes++],
		    STORE_NAME_SIZE, field, length);
	if (letter == 'q' && entry->recipient_hashes > 0) /* of the last one */
		read_text(entry->pairs[entry->recipient_hashes - 1],
		    STORE_NAME_SIZE, field, length);
	return read_number(letter, field, length, values);
}

bool
journal_decode(const char *text, size_t length, struct journal_entry *entry_r)
{
	int64_t values[NUMBERS] = {0};
	const char *end = text + length;
	char reference[JOURNAL_REFERENCE_SIZE];

	memset(entry_r, 0, sizeof *entry_r);
	if (length < 2 || text[0] != VERSION[0] || text[1] != '\t')
		return false;
	for (text += 2; text < end;) {
		const char *tab = memchr(text, '\t', (size_t)(end - text));
		const char *stop = tab == NULL ? end : tab;

		if (!read_field(entry_r, values, text, (size_t)(stop - text)))
			return false;
		text = tab == NULL ? end : tab + 1;
	}
	set_numbers(entry_r, values);
	if (!journal_reference_read(entry_r->reference, reference))
		return false;
	memcpy(entry_r->reference, reference, sizeof reference);
	entry_r->place = journal_place(reference, entry_r->at);
	return true;
}

static uint64_t
hash_word(uint64_t hash, const char *word)
{
	return hash_64(hash, word, strlen(word) + 1);
}

uint64_t
journal_thread(const struct journal_entry *entry, size_t recipient)
{
	uint64_t hash = hash_word(HASH_64, entry->identity);

	hash = hash_word(hash, entry->sender);
	return hash_word(hash, entry->recipients[recipient]);
}

uint64_t
journal_thread_places(const struct journal_terms *terms)
{
	uint64_t places = 1024;

	while (places < 2 * (uint64_t)terms->entries)
		places *= 2;
	return places;
}
