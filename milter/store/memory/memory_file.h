/* memory_file -- the embedded store's records and lists in a file, from one run of the
 * program to the next.
 *
 * The file is written aside, flushed to the disk and renamed, so that there is
 * always one whole file.  It has a version, a check of the key that its names
 * were made with, and a checksum; all numbers are little-endian.  Rate windows
 * are not saved.
 *
 * The rule of versions: the first line is "milter-defer records N".  Whatever a
 * program that reads up to N would not read right makes it N + 1, also what is only
 * added.  Every program reads all versions before its own
 * (memory_codec_get()), of each of which tests/states keeps a file, and writes its
 * own; a later one is refused, and nothing is written over it. */
#ifndef MEMORY_FILE_H
#define MEMORY_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/memory/memory_lists.h"
#include "store/memory/memory_record.h"

/* What names are made with: a key from the configuration, of which the file
 * shows nothing, or else its own, which the file keeps. */
struct memory_key {
	struct triplet_namer namer;
	bool own;
};

struct memory_matches;

enum memory_read { MEMORY_READ_OK, MEMORY_READ_NONE, MEMORY_READ_REFUSED };

struct memory_records {
	struct memory_record **array;
	size_t count;
	struct memory_lists *lists; /* set before: empty ones, to be filled */
	struct memory_matches *matches; /* likewise */
};

/* Read `path`: OK: its records, in the order of their expiry, and the array are
 * the caller's.  NONE: there is no such file.  REFUSED: `error_r` tells why; it
 * is torn, of another kind, or made with another key.  If `key->own`, the key
 * is a new one and is replaced by that of the file. */
enum memory_read memory_file_read(const char *path, struct memory_key *key,
    struct memory_records *records_r, char *error_r, size_t error_size);

#endif
