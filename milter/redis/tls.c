#include "redis/tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 160 };

struct redis_tls {
	SSL_CTX *context;
};

struct redis_tls_session {
	SSL *ssl;
	short wants;
	char why[WORDS];
};

/* The error that OpenSSL noted in this thread: the system's if there is one, which
 * stands below "system lib" and the like, or else the last.  None is left. */
static void
take_reason(char *reason_r, size_t size)
{
	const char *text;
	unsigned long error, last = 0;

	while ((error = ERR_get_error()) != 0) {
		last = error;
		if (ERR_GET_LIB(error) == ERR_LIB_SYS &&
		    strerror_r(ERR_GET_REASON(error), reason_r, size) == 0) {
			ERR_clear_error();
			return;
		}
	}
	text = ERR_reason_error_string(last);
	(void)snprintf(
	    reason_r, size, "%s", text != NULL ? text : "unknown TLS error");
}

/* OpenSSL would ask for a passphrase on the terminal. */
static int
no_passphrase(char *buffer, int size, int is_writing, void *arg)
{
	(void)buffer;
	(void)size;
	(void)is_writing;
	(void)arg;
	return 0;
}

static bool
load_authorities(SSL_CTX *context, const char *ca_file)
{
	if (ca_file == NULL)
		return SSL_CTX_set_default_verify_paths(context) == 1;
	return SSL_CTX_load_verify_locations(context, ca_file, NULL) == 1;
}

/* The name of the file that could not be used, or NULL. */
static const char *
load_files(SSL_CTX *context, const char *ca_file, const char *cert_file,
    const char *key_file)
{
	if (!load_authorities(context, ca_file))
		return ca_file != NULL ? ca_file : "the system's authorities";
	if (cert_file == NULL)
		return NULL;
	if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1)
		return cert_file;
	if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) !=
	    1)
		return key_file;
	return NULL;
}

static SSL_CTX *
open_context(void)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());

	if (context == NULL)
		return NULL;
	if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
		SSL_CTX_free(context);
		return NULL;
	}
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_default_passwd_cb(context, no_passphrase);
	(void)SSL_CTX_set_mode(context,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return context;
}

struct redis_tls *
redis_tls_open(const char *ca_file, const char *cert_file, const char *key_file,
    char *error_r, size_t size)
{
	struct redis_tls *tls = calloc(1, sizeof *tls);
	const char *bad = "TLS";

	if ((cert_file == NULL) != (key_file == NULL)) {
		(void)snprintf(error_r, size,
		    "a certificate needs its key, and a key its certificate");
		free(tls);
		return NULL;
	}
	ERR_clear_error();
	if (tls != NULL && (tls->context = open_context()) != NULL)
		bad = load_files(tls->context, ca_file, cert_file, key_file);
	if (bad != NULL) {
		char why[WORDS];

		take_reason(why, sizeof why);
		(void)snprintf(error_r, size, "%s: %s", bad, why);
		redis_tls_close(&tls);
	}
	return tls;
}

void
redis_tls_close(struct redis_tls **tls)
{
	if (*tls == NULL)
		return;
	SSL_CTX_free((*tls)->context);
	free(*tls);
	*tls = NULL;
}

/* An IP address stands in a certificate in another place than a name, and is
 * never sent as the server's name (RFC 6066, section 3). */
static bool
expect_name(SSL *ssl, const char *name)
{
	X509_VERIFY_PARAM *wanted = SSL_get0_param(ssl);

	if (X509_VERIFY_PARAM_set1_ip_asc(wanted, name) == 1)
		return true;
	X509_VERIFY_PARAM_set_hostflags(
	    wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(wanted, name, 0) == 1 &&
	    SSL_set_tlsext_host_name(ssl, name) == 1;
}

struct redis_tls_session *
redis_tls_begin(const struct redis_tls *tls, int fd, const char *name)
{
	struct redis_tls_session *session = calloc(1, sizeof *session);

	if (session == NULL)
		return NULL;
	session->ssl = SSL_new(tls->context);
	if (session->ssl == NULL || SSL_set_fd(session->ssl, fd) != 1 ||
	    !expect_name(session->ssl, name)) {
		redis_tls_end(&session);
		return NULL;
	}
	SSL_set_connect_state(session->ssl);
	return session;
}

void
redis_tls_end(struct redis_tls_session **session)
{
	if (*session == NULL)
		return;
	SSL_free((*session)->ssl);
	free(*session);
	*session = NULL;
	ERR_clear_error();
}

static void
explain(struct redis_tls_session *session, int error, int system_error)
{
	long verified = SSL_get_verify_result(session->ssl);
	const char *text = session->why;

	if (verified != X509_V_OK)
		text = X509_verify_cert_error_string(verified);
	else if (ERR_peek_last_error() != 0)
		take_reason(session->why, sizeof session->why);
	else if (error == SSL_ERROR_ZERO_RETURN || system_error == 0 ||
	    strerror_r(system_error, session->why, sizeof session->why) != 0)
		text = "closed by the server";
	if (text != session->why)
		(void)snprintf(session->why, sizeof session->why, "%s", text);
}

/* What a call of OpenSSL that moved nothing means: 0 or -1. */
static int
settle(struct redis_tls_session *session, int result)
{
	int system_error = errno;
	int error = SSL_get_error(session->ssl, result);

	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
		session->wants =
		    error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
		return 0;
	}
	explain(session, error, system_error);
	return -1;
}

static int
at_most_int(size_t size)
{
	return size > INT_MAX ? INT_MAX : (int)size;
}

/* Old errors of this thread may not be taken for new ones. */
static void
forget_errors(void)
{
	ERR_clear_error();
	errno = 0;
}

int
redis_tls_handshake(struct redis_tls_session *session)
{
	int result;

	forget_errors();
	result = SSL_do_handshake(session->ssl);
	return result == 1 ? 1 : settle(session, result);
}

ssize_t
redis_tls_read(struct redis_tls_session *session, void *bytes_r, size_t size)
{
	int result;

	forget_errors();
	result = SSL_read(session->ssl, bytes_r, at_most_int(size));
	return result > 0 ? result : settle(session, result);
}

ssize_t
redis_tls_write(
    struct redis_tls_session *session, const void *bytes, size_t length)
{
	int result;

	forget_errors();
	result = SSL_write(session->ssl, bytes, at_most_int(length));
	return result > 0 ? result : settle(session, result);
}

short
redis_tls_wants(const struct redis_tls_session *session)
{
	return session->wants;
}

bool
redis_tls_holds_bytes(const struct redis_tls_session *session)
{
	return SSL_pending(session->ssl) > 0;
}

const char *
redis_tls_why(const struct redis_tls_session *session)
{
	return session->why;
}
