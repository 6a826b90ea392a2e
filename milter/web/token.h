/* token -- what a visitor is given to bring back: a text, and a signature that
 * nobody else can make. */
#ifndef TOKEN_H
#define TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#define TOKEN_KEY  32 /* octets */
#define TOKEN_SIZE 33 /* 192 bits in base64url, and NUL */

/* Sign a text for one purpose: what was signed for another never suits.  False:
 * out of memory. */
bool token_sign(const unsigned char key[TOKEN_KEY], const char *purpose,
    const char *text, char token_r[TOKEN_SIZE]);

/* Whether it is that signature; takes as long either way. */
bool token_suits(const unsigned char key[TOKEN_KEY], const char *purpose,
    const char *text, const char *token);

/* Whether two secrets are the same, in a time that does not tell how much of them
 * is. */
bool token_equal(const char *a, const char *b);

#endif
