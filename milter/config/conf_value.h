/* conf_value -- the text of one configuration value, read strictly.  Pure.
 *
 * Each reader is false, and leaves its result alone, for any text that is not
 * wholly a value of its kind: blanks around it, signs and overflow included.
 * The writers give a text that the reader of the same kind takes. */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/condition.h"

#define CONF_VALUE_SIZE	    32 /* of any text that a writer gives */
#define CONF_VALUE_NAME_MAX 80

/* What to tell somebody whose value was refused. */
#define CONF_VALUE_WANTS_BOOL	"it has to be true or false"
#define CONF_VALUE_WANTS_NUMBER "a whole number is needed, such as 100"
#define CONF_VALUE_WANTS_REAL	"a number is needed, such as 0.85"
#define CONF_VALUE_WANTS_DURATION                                              \
	"a duration is needed, such as 30s, 5m, 2h, 36d or 1h30m"
#define CONF_VALUE_WANTS_MILLISECONDS                                          \
	"a short duration with its unit is needed, such as 200ms or 1s"
#define CONF_VALUE_WANTS_SIZE	 "a size is needed, such as 10k or 64M"
#define CONF_VALUE_WANTS_PERCENT "a percentage is needed, such as 10%"
#define CONF_VALUE_WANTS_OCTAL	 "an octal number is needed, such as 0660"
#define CONF_VALUE_WANTS_HOURS                                                 \
	"hours are needed, such as \"Mon-Fri 08:00-18:00\" or \"22:00-06:00\""
#define CONF_VALUE_WANTS_HEADER                                                \
	"a header is needed, such as \"X-Spam-Flag: YES*\""

/* What to tell somebody whose value was refused: what is wanted, one of the above,
 * and before it what seems to be wrong with the unit in `text`. */
#define CONF_VALUE_WHY_SIZE 200
void conf_value_why(
    const char *text, const char *wants, char why_r[CONF_VALUE_WHY_SIZE]);

/* true yes on, false no off; in either case. */
bool conf_value_bool(const char *text, bool *value_r);

/* "100": whole, 0 or more. */
bool conf_value_number(const char *text, int64_t *value_r);
void conf_value_say_number(int64_t value, char text_r[CONF_VALUE_SIZE]);

/* "-30", "0.85": a decimal number, the same in every locale. */
bool conf_value_real(const char *text, double *value_r);

/* "90", "30s", "5m", "2h", "36d", "1w", "1h30m": seconds.  Units come once
 * each, the largest first. */
bool conf_value_duration(const char *text, int64_t *seconds_r);
void conf_value_say_duration(int64_t seconds, char text_r[CONF_VALUE_SIZE]);

/* "200ms", "1s": milliseconds.  A number alone is refused, as it could mean
 * either. */
bool conf_value_milliseconds(const char *text, int64_t *milliseconds_r);
void
conf_value_say_milliseconds(int64_t milliseconds, char text_r[CONF_VALUE_SIZE]);

/* "512", "10k", "64M", "2G": octets, in powers of 1024, in either case. */
bool conf_value_size(const char *text, int64_t *bytes_r);
void conf_value_say_size(int64_t octets, char text_r[CONF_VALUE_SIZE]);

/* "10%", "0.5%": 0..10000 hundredths of a percent, two decimals at most. */
bool conf_value_percent(const char *text, int64_t *hundredths_r);

/* "0660" or "660": at most 07777. */
bool conf_value_octal(const char *text, int64_t *value_r);
void conf_value_say_octal(int64_t value, char text_r[CONF_VALUE_SIZE]);

/* "Mon-Fri 08:00-18:00", "Sat,Sun 00:00-24:00", "22:00-06:00": without days it
 * is every day.  A span of days may run past Sunday, one of hours past
 * midnight; it then belongs to the day on which it begins.  An empty span is
 * refused. */
bool conf_value_hours(const char *text, struct hours *hours_r);

/* The name of a rule or a response: 1 to CONF_VALUE_NAME_MAX octets of printable
 * ASCII, none of them in `without`. */
bool conf_value_name(const char *text, const char *without);

/* "Name: text": where the name ends and where the text begins.  The name is a
 * header field name (RFC 5322 3.6.8), neither is empty. */
bool
conf_value_header(const char *text, size_t *name_length_r, const char **text_r);

#endif
