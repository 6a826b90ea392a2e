#include "triplet.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "secret.h"

#define DIGEST	   32
#define SECRET_MIN 32

/* No mail address starts so: sets holders apart from pairs. */
#define HOLDER_MARK "\001holder"

static bool
keyed_digest(const unsigned char key[DIGEST], const char *text,
    unsigned char digest_r[DIGEST])
{
	unsigned length;

	return HMAC(EVP_sha256(), key, DIGEST, (const unsigned char *)text,
		   strlen(text), digest_r, &length) != NULL;
}

/* 6 octets make 8 characters. */
static void
write_name(const unsigned char digest[DIGEST], char name_r[TRIPLET_SIZE])
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "abcdefghijklmnopqrstuvwxyz"
				       "0123456789-_";
	uint64_t bits = 0;

	for (int i = 0; i < 6; i++)
		bits = bits << 8 | digest[i];
	for (int i = TRIPLET_LENGTH - 1; i >= 0; i--) {
		name_r[i] = alphabet[bits & 63];
		bits >>= 6;
	}
	name_r[TRIPLET_LENGTH] = '\0';
}

/* The digest of the first text is the key for the second, so that no text can
 * move the border between the two. */
bool
triplet_name(const unsigned char key[TRIPLET_KEY],
    const struct store_pair *pair, char name_r[TRIPLET_SIZE])
{
	unsigned char inner[DIGEST], digest[DIGEST];

	if (!keyed_digest(key, pair->sender, inner) ||
	    !keyed_digest(inner, pair->recipient, digest))
		return false;
	write_name(digest, name_r);
	return true;
}

bool
triplet_holder(const unsigned char key[TRIPLET_KEY], const char *holder,
    char name_r[TRIPLET_SIZE])
{
	const struct store_pair pair = {HOLDER_MARK, holder};

	return triplet_name(key, &pair, name_r);
}

bool
triplet_key_new(unsigned char key_r[TRIPLET_KEY])
{
	return RAND_bytes(key_r, TRIPLET_KEY) == 1;
}

bool
triplet_key_from(const char *secret, unsigned char key_r[TRIPLET_KEY])
{
	size_t length = strlen(secret);
	unsigned digest;

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
