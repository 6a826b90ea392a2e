/* entries -- what commands do with entries of shared lists: read, check, change and
 * show them. */
#ifndef ENTRIES_H
#define ENTRIES_H

#include "ctl/ctl.h"
#include "store/levers.h"

/* One entry as it is to be, or as it is. */
struct entry {
	const char *list;
	const char *text; /* as somebody wrote it, or as it is kept */
	int64_t until;	  /* or LIST_FOR_EVER */
	struct entry_note note;
};

/* What time it is for the store; may wait for it. */
int64_t entries_now(struct ctl *ctl);

/* What `--for` says: until when, or `otherwise`, seconds from now, where it says
 * nothing; 0: for ever.  False: it is wrong, and that was told. */
bool entries_until(struct ctl *ctl, const struct ctl_args *args,
    int64_t otherwise, int64_t *until_r);

/* Whether a list can have this name; if not, that was told. */
bool entries_name(struct ctl *ctl, const char *list);

/* The note of who asks, now; `text` may be NULL. */
struct entry_note entries_note(const struct ctl *ctl, const char *text);

/* Add words of the command line, from number `first` on, to a list, for as long as
 * `--for` says, or remove them, and emit what became of each.  A wrong one is told,
 * and then nothing is done; so is what has no effect, or another than one might
 * think, as the policy uses the list. */
enum ctl_status entries_add_words(struct ctl *ctl, const char *list,
    const struct ctl_args *args, size_t first);
enum ctl_status entries_remove_words(struct ctl *ctl, const char *list,
    const struct ctl_args *args, size_t first);

/* Add one, whose text is that of a list_entry.  STORE_FULL: it is told. */
enum ctl_status entries_put(
    struct ctl *ctl, const struct entry *entry, enum store_change *change_r);

/* The options of what adds entries. */
#define ENTRIES_FOR                                                            \
	{                                                                      \
		"for", "DURATION", "not for ever, but for so long", false      \
	}
#define ENTRIES_NOTE                                                           \
	{                                                                      \
		"note", "TEXT", "why, for whoever looks later", false          \
	}

/* Add to an object until when an entry holds, and its note, as far as it has them. */
void
entries_describe(json_t *object, int64_t until, const struct entry_note *note);

/* Emit an object of kind "entry"; `change` NULL: it is only shown. */
void
entries_emit(struct ctl *ctl, const struct entry *entry, const char *change);
extern const struct ctl_layout entries_layouts[];

/* Emit what is set by hand, as objects of kind "lever", and count it. */
enum store_result entries_emit_levers(struct ctl *ctl, size_t *count_r);
#define ENTRIES_LEVER_LAYOUT                                                   \
	{                                                                      \
		"lever", true,                                                 \
		{                                                              \
			{"lever", "SET BY HAND", CTL_TEXT},                    \
			    {"value", "TO", CTL_TEXT},                         \
			    {"until", "ENDS", CTL_UNTIL},                      \
			    {"by", "BY", CTL_TEXT},                            \
			{                                                      \
				NULL                                           \
			}                                                      \
		}                                                              \
	}

#endif
