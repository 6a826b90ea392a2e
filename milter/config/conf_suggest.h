/* conf_suggest -- the name that somebody meant who wrote another.  Pure. */
#ifndef CONF_SUGGEST_H
#define CONF_SUGGEST_H

#include "config/conf_file.h"

/* The option of this kind of section, or the section, that is most like `name`;
 * NULL if none is. */
const char *conf_suggest(
    const struct conf_grammar *grammar, const char *kind, const char *name);

#endif
