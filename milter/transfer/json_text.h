/* json_text -- a string of JSON of whatever octets somebody sent. */
#ifndef JSON_TEXT_H
#define JSON_TEXT_H

#include <jansson.h>

/* Where it is no UTF-8, octets that are no ASCII become question marks.  NULL: out of
 * memory. */
json_t *json_text(const char *text);

#endif
