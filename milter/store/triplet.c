#include "store/triplet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "base/secret.h"

#define DIGEST	   32 /* octets of SHA-256 */
#define BLOCK	   64 /* that it works on at once */
#define SECRET_MIN 32

/* No mail address starts so: sets holders apart from pairs. */
#define HOLDER_MARK "\001holder"

struct triplet_hash {
	EVP_MD_CTX *start; /* before any text; only ever copied */
};

struct triplet_hash *
triplet_hash_new(void)
{
	struct triplet_hash *hash = calloc(1, sizeof *hash);

	if (hash == NULL)
		return NULL;
	hash->start = EVP_MD_CTX_new();
	if (hash->start == NULL ||
	    EVP_DigestInit_ex(hash->start, EVP_sha256(), NULL) != 1)
		triplet_hash_free(&hash);
	return hash;
}

void
triplet_hash_free(struct triplet_hash **hash)
{
	if (*hash == NULL)
		return;
	EVP_MD_CTX_free((*hash)->start);
	free(*hash);
	*hash = NULL;
}

/* Without an algorithm named, that of the context is used again. */
static bool
digest_both(EVP_MD_CTX *sha256, const unsigned char block[BLOCK],
    const void *text, size_t length, unsigned char digest_r[DIGEST])
{
	return EVP_DigestInit_ex(sha256, NULL, NULL) == 1 &&
	    EVP_DigestUpdate(sha256, block, BLOCK) == 1 &&
	    EVP_DigestUpdate(sha256, text, length) == 1 &&
	    EVP_DigestFinal_ex(sha256, digest_r, NULL) == 1;
}

/* HMAC (RFC 2104).  The library's own HMAC() has its algorithms found anew in
 * each call, and what does not is of OpenSSL 3 or withdrawn there. */
static bool
keyed_digest(EVP_MD_CTX *sha256, const unsigned char key[DIGEST],
    const char *text, unsigned char digest_r[DIGEST])
{
	unsigned char inner[BLOCK], outer[BLOCK];

	for (int i = 0; i < BLOCK; i++) {
		unsigned char octet = i < DIGEST ? key[i] : 0;

		inner[i] = octet ^ 0x36;
		outer[i] = octet ^ 0x5c;
	}
	return digest_both(sha256, inner, text, strlen(text), digest_r) &&
	    digest_both(sha256, outer, digest_r, DIGEST, digest_r);
}

/* 48 bits make 8 characters. */
static void
write_bits(uint64_t bits, char name_r[TRIPLET_SIZE])
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz"
				       "0123456789-_";

	for (int i = TRIPLET_LENGTH - 1; i >= 0; i--) {
		name_r[i] = alphabet[bits & 63];
		bits >>= 6;
	}
	name_r[TRIPLET_LENGTH] = '\0';
}

static void
write_name(const unsigned char digest[DIGEST], char name_r[TRIPLET_SIZE])
{
	uint64_t bits = 0;

	for (int i = 0; i < 6; i++)
		bits = bits << 8 | digest[i];
	write_bits(bits, name_r);
}

/* NULL: out of memory. */
static EVP_MD_CTX *
begin_digests(const struct triplet_hash *hash)
{
	EVP_MD_CTX *sha256 = EVP_MD_CTX_new();

	if (sha256 != NULL && EVP_MD_CTX_copy_ex(sha256, hash->start) != 1) {
		EVP_MD_CTX_free(sha256);
		return NULL;
	}
	return sha256;
}

static bool
digest_one(const struct triplet_hash *hash, const unsigned char key[DIGEST],
    const char *text, unsigned char digest_r[DIGEST])
{
	EVP_MD_CTX *sha256 = begin_digests(hash);
	bool done = sha256 != NULL && keyed_digest(sha256, key, text, digest_r);

	EVP_MD_CTX_free(sha256);
	return done;
}

bool
triplet_namer_set(
    struct triplet_namer *namer, const unsigned char key[TRIPLET_KEY])
{
	_Static_assert(TRIPLET_KEY == DIGEST, "a digest is no key");
	memmove(namer->key, key, TRIPLET_KEY);
	return digest_one(namer->hash, key, HOLDER_MARK, namer->holders);
}

/* The key for the recipients of a sender is the digest of that: so no text can move
 * the border between the two, and a sender is digested once for all of them. */
struct naming {
	EVP_MD_CTX *sha256;
	const char *sender;
	unsigned char key[DIGEST];
};

static bool
make_name(const struct triplet_namer *namer, struct naming *naming,
    const struct store_pair *pair, char name_r[TRIPLET_SIZE])
{
	unsigned char digest[DIGEST];

	if (naming->sha256 == NULL)
		naming->sha256 = begin_digests(namer->hash);
	if (naming->sha256 == NULL ||
	    (pair->sender != naming->sender &&
		!keyed_digest(
		    naming->sha256, namer->key, pair->sender, naming->key)) ||
	    !keyed_digest(naming->sha256, naming->key, pair->recipient, digest))
		return false;
	naming->sender = pair->sender;
	write_name(digest, name_r);
	return true;
}

bool
triplet_names(const struct triplet_namer *namer, const struct store_pair *pairs,
    size_t count, char names_r[][TRIPLET_SIZE])
{
	struct naming naming = {.sha256 = NULL};
	bool named = true;

	_Static_assert(TRIPLET_SIZE <= STORE_NAME_SIZE, "a pair has no room");
	for (size_t i = 0; i < count && named; i++) {
		char *kept = pairs[i].name;

		if (kept != NULL && kept[0] != '\0') {
			memcpy(names_r[i], kept, TRIPLET_SIZE);
			continue;
		}
		named = make_name(namer, &naming, &pairs[i], names_r[i]);
		if (named && kept != NULL)
			memcpy(kept, names_r[i], TRIPLET_SIZE);
	}
	EVP_MD_CTX_free(naming.sha256);
	return named;
}

bool
triplet_name(const struct triplet_namer *namer, const struct store_pair *pair,
    char name_r[TRIPLET_SIZE])
{
	return triplet_names(namer, pair, 1, (char(*)[TRIPLET_SIZE])name_r);
}

bool
triplet_holder(const struct triplet_namer *namer, const char *holder,
    char name_r[TRIPLET_SIZE])
{
	unsigned char digest[DIGEST];

	if (!digest_one(namer->hash, namer->holders, holder, digest))
		return false;
	write_name(digest, name_r);
	return true;
}

bool
triplet_member(const struct triplet_namer *namer, const struct store_take *take,
    size_t pair, char name_r[TRIPLET_SIZE])
{
	return triplet_holder(namer,
	    take->distinct == STORE_SENDERS ? take->pairs[pair].sender
					    : take->pairs[pair].recipient,
	    name_r);
}

bool
triplet_fingerprint(
    const struct triplet_namer *namer, char name_r[TRIPLET_SIZE])
{
	return triplet_holder(namer, "do we agree?", name_r);
}

/* The kind is part of the key, so that no text can be of another. */
void
triplet_mark(const struct triplet_namer *namer, char kind, const char *text,
    char name_r[TRIPLET_SIZE])
{
	unsigned char key[SIPHASH_KEY];

	_Static_assert(TRIPLET_KEY >= SIPHASH_KEY, "the key is too short");
	memcpy(key, namer->key, sizeof key);
	key[0] ^= (unsigned char)kind;
	write_bits(siphash(key, text, strlen(text)), name_r);
	secret_wipe(key, sizeof key);
}

bool
triplet_address(const struct triplet_namer *namer,
    const struct store_client *client, char name_r[TRIPLET_ADDRESS_SIZE])
{
	const char *text =
	    client->address != NULL ? client->address : client->network;
	char name[TRIPLET_SIZE];

	if (!triplet_holder(namer, text, name))
		return false;
	memcpy(name_r, name, TRIPLET_ADDRESS_LENGTH);
	name_r[TRIPLET_ADDRESS_LENGTH] = '\0';
	return true;
}

unsigned
triplet_sender(const struct triplet_namer *namer, const char *sender)
{
	char name[TRIPLET_SIZE];

	if (!triplet_holder(namer, sender, name))
		return 0;
	return (
	    unsigned)(hash_64(HASH_64, name, TRIPLET_LENGTH) % TRIPLET_SENDERS);
}

bool
triplet_key_new(unsigned char key_r[TRIPLET_KEY])
{
	return RAND_bytes(key_r, TRIPLET_KEY) == 1;
}

#define KEY_MARK "key:"

void
triplet_key_write(
    const unsigned char key[TRIPLET_KEY], char text_r[TRIPLET_KEY_TEXT])
{
	static const char digits[] = "0123456789abcdef";
	char *at = stpcpy(text_r, KEY_MARK);

	for (size_t i = 0; i < TRIPLET_KEY; i++) {
		*at++ = digits[key[i] >> 4];
		*at++ = digits[key[i] & 15];
	}
	*at = '\0';
}

/* False: the text is no written key. */
static bool
key_read(const char *text, unsigned char key_r[TRIPLET_KEY])
{
	if (strlen(text) != TRIPLET_KEY_TEXT - 1 ||
	    strncmp(text, KEY_MARK, strlen(KEY_MARK)) != 0)
		return false;
	text += strlen(KEY_MARK);
	if (strspn(text, "0123456789abcdef") != (size_t)2 * TRIPLET_KEY)
		return false;
	for (size_t i = 0; i < TRIPLET_KEY; i++, text += 2) {
		const char octet[3] = {text[0], text[1], '\0'};

		key_r[i] = (unsigned char)strtoul(octet, NULL, 16);
	}
	return true;
}

bool
triplet_key_from(const char *secret, unsigned char key_r[TRIPLET_KEY])
{
	size_t length = strlen(secret);
	unsigned digest;

	if (key_read(secret, key_r))
		return true;
	return length >= SECRET_MIN &&
	    EVP_Digest(secret, length, key_r, &digest, EVP_sha256(), NULL) == 1;
}

bool
triplet_key_read(const char *path, unsigned char key_r[TRIPLET_KEY],
    char *error_r, size_t error_size)
{
	char secret[SECRET_SIZE];
	bool long_enough;

	if (!secret_read(path, secret, error_r, error_size))
		return false;
	long_enough = triplet_key_from(secret, key_r);
	secret_wipe(secret, sizeof secret);
	if (!long_enough)
		snprintf(error_r, error_size,
		    "%s: needs at least %d characters in its first line", path,
		    SECRET_MIN);
	return long_enough;
}
