/* unused -- which entries of the policy's lists did not match for long: of files, of
 * shared lists, and the values that stand in rules. */
#ifndef UNUSED_H
#define UNUSED_H

#include "ctl/ctl.h"

/* Seconds, unless somebody says otherwise. */
#define UNUSED_AFTER (INT64_C(7) * 86400)

struct unused_terms {
	int64_t idle; /* seconds without a match */
	/* Only this one, or those of the rule of this name; NULL: all. */
	const char *list;
	/* Emit each such entry, as an object of kind "unused". */
	bool shows_each;
	/* Of the steady clock: what comes later is not counted; 0: all is. */
	int64_t due_us;
};

struct unused_found {
	size_t lists;
	size_t unused; /* entries of them */
	bool is_brief; /* of some it is not known for so long */
	bool is_cut;   /* some were not counted: it was too late */
};

/* Emit an object of kind "usage" for each list, with what it was counted for. */
enum store_result unused_emit(struct ctl *ctl, const struct unused_terms *terms,
    struct unused_found *found_r);

#define UNUSED_USAGE_LAYOUT                                                    \
	{                                                                      \
		"usage", true,                                                 \
		{                                                              \
			{"list", "LIST", CTL_TEXT},                            \
			    {"unused", "NEVER MATCHED", CTL_NUMBER},           \
			    {"entries", "OF", CTL_NUMBER},                     \
			    {"within", "IN", CTL_SPAN},                        \
			    {"since", "COUNTED SINCE", CTL_AGO},               \
			    {"first", "SUCH AS", CTL_TEXT},                    \
			{                                                      \
				NULL                                           \
			}                                                      \
		}                                                              \
	}

#endif
