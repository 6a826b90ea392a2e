/* memory_board -- notes and queues, as the embedded store keeps them: in memory,
 * and only there. */
#ifndef MEMORY_BOARD_H
#define MEMORY_BOARD_H

#include "store/store.h"

struct memory_board;

/* NULL: out of memory. */
struct memory_board *memory_board_open(void);
void memory_board_close(struct memory_board **board);

/* The operations of struct store_ops. */
enum store_result memory_put_note(struct store *store, const char *board,
    const struct store_note *note, int64_t now);
enum store_result
memory_read_notes(struct store *store, const char *board, int64_t now,
    void (*each)(void *arg, const char *name, const char *text), void *arg);
enum store_result memory_push(struct store *store, const char *queue,
    const char *const *texts, size_t count, int64_t now);
enum store_result memory_pop(struct store *store, const char *queue,
    void (*each)(void *arg, const char *text), void *arg, size_t *count_r);

#endif
