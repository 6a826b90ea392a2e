/* redis_tls -- whom encrypted connections trust, and who we are to them. */
#ifndef REDIS_TLS_H
#define REDIS_TLS_H

#include <stddef.h>

struct ssl_ctx_st; /* OpenSSL's SSL_CTX; it has a count of those that use it */

/* PEM files: authorities to trust (NULL: those of the system), and our own
 * certificate with its key (both or none).  NULL with the reason in `error_r`:
 * a file cannot be used. */
struct ssl_ctx_st *redis_tls_open(const char *ca_file, const char *cert_file,
    const char *key_file, char *error_r, size_t size);
void redis_tls_close(struct ssl_ctx_st **context);

/* The error that OpenSSL noted in this thread: the system's if there is one, which
 * stands below "system lib" and the like, or else the last.  None is left. */
void redis_tls_reason(char *reason_r, size_t size);

#endif
