/* replay_records -- what the servers know today, for a replay to begin with. */
#ifndef REPLAY_RECORDS_H
#define REPLAY_RECORDS_H

#include "ctl/ctl.h"

/* Put the records of a file that export wrote into the store, as if all of it had
 * been so at `now`.  False: and that was told. */
bool replay_take_records(
    struct ctl *ctl, const char *path, struct store *store, int64_t now);

#endif
