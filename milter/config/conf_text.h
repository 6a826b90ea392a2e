/* conf_text -- a configuration file as libConfuse should see it.
 *
 * libConfuse drops characters that it does not know (the `*` of an unquoted
 * postmaster@*), fills in environment variables, takes the end of the file for
 * the end of a section, and miscounts lines after comments.  So comments are
 * blanked out here, and what it would misread is refused. */
#ifndef CONF_TEXT_H
#define CONF_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "config/conf_report.h"

#define CONF_TEXT_MAX ((size_t)1 << 20) /* octets of a file */

/* Prepare `length` octets in place; false if something was reported. */
bool conf_text_prepare(char *text, size_t length, struct conf_report *report);

/* Read and prepare the file of the report.  NULL if something was reported;
 * else the caller frees it. */
char *conf_text_read(struct conf_report *report);

#endif
