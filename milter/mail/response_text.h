/* response_text -- a text with placeholders %{name}, for response.c alone. */
#ifndef RESPONSE_TEXT_H
#define RESPONSE_TEXT_H

#include "mail/response.h"

/* Only printable ASCII; false: `why_r` says what else there is. */
bool response_text_is_plain(const char *text, char why_r[RESPONSE_WHY_SIZE]);

/* Plain, with known placeholders, and short enough. */
bool response_text_check(const char *text, char why_r[RESPONSE_WHY_SIZE]);

bool response_text_uses(const char *text, enum placeholder which);

#endif
