/* remote -- have the daemon run a command, over its control socket. */
#ifndef REMOTE_H
#define REMOTE_H

#include "ctl/ctl.h"

/* Connect, and send these words.  -1: `why_r` tells why not. */
int remote_ask(const char *path, size_t count, const char *const *words,
    char why_r[CTL_WHY_SIZE]);

/* Give each object that comes to `emit`, until the command has ended: what it
 * ended with.  An answer that breaks off is told to `emit`, as an error. */
enum ctl_status
remote_listen(int fd, bool (*emit)(void *arg, const json_t *object), void *arg);

#endif
