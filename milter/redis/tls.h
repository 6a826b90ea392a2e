/* redis_tls -- a connected socket, encrypted, with the server's certificate
 * checked.  The only module that knows OpenSSL.
 *
 * A session belongs to one thread at a time.  OpenSSL writes to closed connections
 * too, so the process must ignore SIGPIPE. */
#ifndef REDIS_TLS_H
#define REDIS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct redis_tls;	  /* whom to trust, who we are; read-only once open */
struct redis_tls_session; /* one connection */

/* PEM files: authorities to trust (NULL: those of the system), and our own
 * certificate with its key (both or none).  NULL with the reason in `error_r`:
 * a file cannot be used. */
struct redis_tls *redis_tls_open(const char *ca_file, const char *cert_file,
    const char *key_file, char *error_r, size_t size);
void redis_tls_close(struct redis_tls **tls);

/* Begin on a connected non-blocking socket, which stays the caller's.  The
 * certificate must be for this name or IP address.  NULL: no memory. */
struct redis_tls_session *
redis_tls_begin(const struct redis_tls *tls, int fd, const char *name);
void redis_tls_end(struct redis_tls_session **session);

/* All three: more than 0 is success (bytes), 0 means wait for what
 * redis_tls_wants says and call again, -1 that it is over: redis_tls_why. */
int redis_tls_handshake(struct redis_tls_session *session);
ssize_t
redis_tls_read(struct redis_tls_session *session, void *bytes_r, size_t size);
ssize_t redis_tls_write(
    struct redis_tls_session *session, const void *bytes, size_t length);

/* POLLIN or POLLOUT: what the last call that returned 0 waits for. */
short redis_tls_wants(const struct redis_tls_session *session);

/* True when bytes were decrypted that poll will not tell of. */
bool redis_tls_holds_bytes(const struct redis_tls_session *session);

const char *redis_tls_why(const struct redis_tls_session *session);

#endif
