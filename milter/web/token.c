#include "web/token.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define TEXT_MAX   1024
#define SIGNATURE  24 /* octets of the digest */
#define DIGEST_MAX EVP_MAX_MD_SIZE

bool
token_sign(const unsigned char key[TOKEN_KEY], const char *purpose,
    const char *text, char token_r[TOKEN_SIZE])
{
	unsigned char digest[DIGEST_MAX];
	char signed_text[TEXT_MAX];
	unsigned size = 0;
	int length =
	    snprintf(signed_text, sizeof signed_text, "%s\n%s", purpose, text);

	if (length < 0 || (size_t)length >= sizeof signed_text ||
	    HMAC(EVP_sha256(), key, TOKEN_KEY,
		(const unsigned char *)signed_text, (size_t)length, digest,
		&size) == NULL)
		return false;
	(void)EVP_EncodeBlock((unsigned char *)token_r, digest, SIGNATURE);
	for (char *c = token_r; *c != '\0'; c++)
		*c = (char)(*c == '+' ? '-' : *c == '/' ? '_' : *c);
	return true;
}

bool
token_equal(const char *a, const char *b)
{
	size_t length = strlen(a);

	return strlen(b) == length && CRYPTO_memcmp(a, b, length) == 0;
}

bool
token_suits(const unsigned char key[TOKEN_KEY], const char *purpose,
    const char *text, const char *token)
{
	char right[TOKEN_SIZE];

	return token_sign(key, purpose, text, right) &&
	    token_equal(right, token);
}
