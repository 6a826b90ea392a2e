/* ascii -- the character classes of mail, which know no locale.  Pure. */
#ifndef ASCII_H
#define ASCII_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline bool
ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static inline bool
ascii_is_letter(char c)
{
	return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}

static inline bool
ascii_is_alnum(char c)
{
	return ascii_is_digit(c) || ascii_is_letter(c);
}

static inline bool
ascii_is_hex(char c)
{
	return ascii_is_digit(c) ||
	    (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

/* What moves a cursor; octets of other characters than ASCII's are none. */
static inline bool
ascii_is_control(char c)
{
	return (c >= '\0' && c < ' ') || c == '\177';
}

/* Whether `text` starts with `prefix`, whatever the case of either. */
static inline bool
ascii_has_prefix(const char *text, const char *prefix)
{
	while (*prefix != '\0' && ascii_lower(*text) == ascii_lower(*prefix)) {
		text++;
		prefix++;
	}
	return *prefix == '\0';
}

/* Lower-case the string `text` where it stands. */
static inline void
ascii_lower_all(char *text)
{
	for (; *text != '\0'; text++)
		*text = ascii_lower(*text);
}

/* Whether every character is printable and none of those in `without`. */
static inline bool
ascii_is_printable(const char *text, const char *without)
{
	while (*text >= ' ' && *text <= '~' && strchr(without, *text) == NULL)
		text++;
	return *text == '\0';
}

/* Copy a text, cut to `size` - 1 characters, with ? for what is not printable: it
 * is shown, but moves no cursor.  Both may be the same. */
static inline void
ascii_clean(const char *text, char *clean_r, size_t size)
{
	size_t i;

	for (i = 0; i + 1 < size && text[i] != '\0'; i++)
		clean_r[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
	clean_r[i] = '\0';
}

#endif
