/* form -- the fields of a form, application/x-www-form-urlencoded.  Pure. */
#ifndef FORM_H
#define FORM_H

#include <stddef.h>

/* The first field of this name, decoded and cut to `size` - 1 octets; "" if there
 * is none.  Control characters become blanks. */
void form_field(const char *form, const char *name, char *value_r, size_t size);

#endif
