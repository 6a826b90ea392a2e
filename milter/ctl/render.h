/* render -- the objects of a command as people read them: tables and lines, with
 * colour on a terminal.
 *
 * What others wrote never moves the cursor: control characters become blanks. */
#ifndef RENDER_H
#define RENDER_H

#include "ctl/ctl.h"

struct render;

/* `is_json`: each object as a line of JSON instead.  NULL: out of memory. */
struct render *
render_open(const struct ctl_command *command, bool is_json, FILE *out);

/* Show an object.  False: nobody reads. */
bool render_object(struct render *render, const json_t *object);

/* Show what was held back to align it. */
bool render_close(struct render **render);

#endif
