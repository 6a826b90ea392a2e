/* geo -- in which country and autonomous system an address is, by databases in
 * files (MaxMind's format) that others provide.
 *
 * The files are read in the background by a thread of their own, and again when
 * they change; until then nothing is known.  They have to be replaced by
 * rename(2), as geoipupdate does: whoever writes over one that is in use ends the
 * process. */
#ifndef GEO_H
#define GEO_H

#include <stdbool.h>
#include <stdint.h>

#include "mail/netaddr.h"

/* A country is in ISO 3166-1 alpha-2, a system as "AS4294967295"; with its NUL. */
#define GEO_TEXT_SIZE 13

struct geo;

/* NULL: out of memory. */
struct geo *geo_open(void);
void geo_close(struct geo **geo);

enum geo_kind { GEO_COUNTRY, GEO_ASN };
#define GEO_KINDS 2

/* Once a second, in the background: see to it that these files are read; "" is
 * none.  Waits for no file. */
void geo_tick(struct geo *geo, const char *const files[GEO_KINDS]);

/* "" if the database does not have the address.  False: there is no database. */
bool geo_find(struct geo *geo, enum geo_kind kind, const struct netaddr *client,
    char text_r[GEO_TEXT_SIZE]);

#endif
