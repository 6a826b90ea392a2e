/* html -- writing pages: whatever is filled in is escaped. */
#ifndef HTML_H
#define HTML_H

#include "base/bytes.h"

/* As it stands. */
void html_raw(struct bytes_out *out, const char *text);

/* As text, or as the value of an attribute in double quotes.  Control characters
 * become blanks, what is no ASCII stays as it is. */
void html_text(struct bytes_out *out, const char *text);

/* A pattern of markup as printf reads it, with %s escaped; besides it knows %d,
 * %ld, %lld, %zu, %.Nf (N one digit) and %%. */
void html(struct bytes_out *out, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
