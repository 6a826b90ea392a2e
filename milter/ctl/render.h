/* render -- the objects of a command as people read them: tables and lines, with
 * colour on a terminal.
 *
 * What others wrote never moves the cursor: control characters become blanks. */
#ifndef RENDER_H
#define RENDER_H

#include "ctl/ctl.h"

struct render;

/* Of the command with these words.  `is_json`: each object as a line of JSON
 * instead.  How far it is stands on standard error, if that is a terminal or
 * --progress was said.  NULL: out of memory. */
struct render *
render_open(const struct ctl_args *args, bool is_json, FILE *out);

/* Show an object.  False: nobody reads. */
bool render_object(struct render *render, const json_t *object);

/* Show what was held back to align it. */
bool render_close(struct render **render);

#endif
