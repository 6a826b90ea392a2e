/* triplet -- names for what is remembered of a sender, a recipient or a user,
 * in which nobody can read them.
 *
 * A name is 48 bits of HMAC-SHA-256 as 8 characters of base64url (RFC 4648 5).
 * Whoever has the key can only test guesses; without it not even that.  Two
 * pairs of the same client share a name by chance once in 2^48. */
#ifndef TRIPLET_H
#define TRIPLET_H

#include <stdbool.h>
#include <stddef.h>

#include "store/store.h"

#define TRIPLET_KEY    32 /* octets */
#define TRIPLET_LENGTH 8  /* characters of a name */
#define TRIPLET_SIZE   (TRIPLET_LENGTH + 1)

/* SHA-256, made ready: to have it found anew for every name takes several times
 * as long as to use it.  Any number of threads may use one at once. */
struct triplet_hash;

/* NULL: out of memory. */
struct triplet_hash *triplet_hash_new(void);
void triplet_hash_free(struct triplet_hash **hash);

/* What names are made with. */
struct triplet_namer {
	const struct triplet_hash *hash; /* borrowed, also by copies of this */
	unsigned char key[TRIPLET_KEY];
	unsigned char holders[TRIPLET_KEY]; /* made of it: the key of holders */
};

/* Name with this key from now on; `hash` is set.  False: out of memory. */
bool triplet_namer_set(
    struct triplet_namer *namer, const unsigned char key[TRIPLET_KEY]);

/* Name pairs of one client, or give the names that they keep since the last time.
 * The addresses are used as they come: whoever calls normalises them.  False only if
 * memory ran out. */
bool triplet_names(const struct triplet_namer *namer,
    const struct store_pair *pairs, size_t count, char names_r[][TRIPLET_SIZE]);
bool triplet_name(const struct triplet_namer *namer,
    const struct store_pair *pair, char name_r[TRIPLET_SIZE]);

/* Name the holder of a limit, of any text; never the name of a pair. */
bool triplet_holder(const struct triplet_namer *namer, const char *holder,
    char name_r[TRIPLET_SIZE]);

/* Name the sender or recipient of one of a take's pairs, whichever it counts
 * different ones of. */
bool triplet_member(const struct triplet_namer *namer,
    const struct store_take *take, size_t pair, char name_r[TRIPLET_SIZE]);

/* What stands for a text of some kind (a letter) in the journal; never the name of
 * a pair or a holder.  48 bits of SipHash, as there are many. */
void triplet_mark(const struct triplet_namer *namer, char kind,
    const char *text, char name_r[TRIPLET_SIZE]);

/* What an address is called within its network's record: by chance two of them
 * share a name once in 2^24.  False: out of memory. */
#define TRIPLET_ADDRESS_LENGTH 4
#define TRIPLET_ADDRESS_SIZE   (TRIPLET_ADDRESS_LENGTH + 1)
bool triplet_address(const struct triplet_namer *namer,
    const struct store_client *client, char name_r[TRIPLET_ADDRESS_SIZE]);

/* A number for an envelope sender, 0..TRIPLET_SENDERS - 1, from which nobody can
 * tell the sender.  0 too if memory ran out. */
#define TRIPLET_SENDERS 128
unsigned triplet_sender(const struct triplet_namer *namer, const char *sender);

/* What shows whether two programs make the same names: the name of a fixed text.
 * False: out of memory. */
bool triplet_fingerprint(
    const struct triplet_namer *namer, char name_r[TRIPLET_SIZE]);

/* A new random key.  False: the system has no random numbers. */
bool triplet_key_new(unsigned char key_r[TRIPLET_KEY]);

/* A key as a secret text of which triplet_key_from() makes it again. */
#define TRIPLET_KEY_TEXT (4 + 2 * TRIPLET_KEY + 1)
void triplet_key_write(
    const unsigned char key[TRIPLET_KEY], char text_r[TRIPLET_KEY_TEXT]);

/* Make a key of a secret text, which must have at least 32 characters (as
 * `openssl rand -hex 32` writes).  False: it is shorter. */
bool triplet_key_from(const char *secret, unsigned char key_r[TRIPLET_KEY]);

/* The same with the first line of a file.  False: `error_r` tells the file and
 * what is wrong with it. */
bool triplet_key_read(const char *path, unsigned char key_r[TRIPLET_KEY],
    char *error_r, size_t error_size);

#endif
