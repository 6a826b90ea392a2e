#include "redis/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "redis/error.h"

void
redis_tls_reason(char *reason_r, size_t size)
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

SSL_CTX *
redis_tls_open(const char *ca_file, const char *cert_file, const char *key_file,
    char *error_r, size_t size)
{
	SSL_CTX *context;
	const char *bad = "TLS";

	if ((cert_file == NULL) != (key_file == NULL)) {
		(void)snprintf(error_r, size,
		    "a certificate needs its key, and a key its certificate");
		return NULL;
	}
	ERR_clear_error();
	context = open_context();
	if (context != NULL)
		bad = load_files(context, ca_file, cert_file, key_file);
	if (bad != NULL) {
		char why[REDIS_WORDS_SIZE];

		redis_tls_reason(why, sizeof why);
		(void)snprintf(error_r, size, "%s: %s", bad, why);
		redis_tls_close(&context);
	}
	return context;
}

void
redis_tls_close(SSL_CTX **context)
{
	SSL_CTX_free(*context);
	*context = NULL;
}
