/* peek -- a store that only looks: what would be taken or remembered is not. */
#ifndef PEEK_H
#define PEEK_H

#include "store/store.h"

struct peek {
	struct store store; /* first, with peek_ops: a store is cast to this */
	struct store *inner;
};

extern const struct store_ops peek_ops;

#endif
