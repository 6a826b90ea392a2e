#include "redis/stream.h"

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/check_main.h"
#include "redis/call.h"
#include "redis/tls.h"

/* A socket that listens and that nobody serves. */
static int
open_listener(struct redis_address *address_r)
{
	struct sockaddr_in at = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, size), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &size), 0);
	*address_r = (struct redis_address){.host = "127.0.0.1"};
	(void)snprintf(address_r->port, sizeof address_r->port, "%d",
	    (int)ntohs(at.sin_port));
	return fd;
}

/* They come and go with the files that they are read from. */
START_TEST(a_connection_under_way_uses_the_certificates_of_now)
{
	char why[REDIS_WORDS_SIZE];
	struct ssl_ctx_st *first =
	    redis_tls_open(NULL, NULL, NULL, why, sizeof why);
	struct redis_stream_terms terms = {.tls = first, .wake_fd = 0};
	struct redis_stream stream = {.fd = -1};
	struct redis_address address;
	int fd = open_listener(&address);

	ck_assert_ptr_nonnull(first);
	redis_stream_open(&stream, &address, &terms, redis_now() + 60000);
	ck_assert_int_eq(stream.state, REDIS_STREAM_CONNECTING);
	terms.tls = redis_tls_open(NULL, NULL, NULL, why, sizeof why);
	redis_tls_close(&first);
	while (stream.state == REDIS_STREAM_CONNECTING)
		redis_stream_work(&stream);
	ck_assert_msg(
	    stream.state == REDIS_STREAM_SHAKING_HANDS, "%s", stream.why);
	ck_assert_ptr_eq(SSL_get_SSL_CTX(stream.ssl), terms.tls);
	redis_stream_close(&stream);
	redis_tls_close(&terms.tls);
	(void)close(fd);
}
END_TEST

CHECK_MAIN("redis_stream", all)
{
	tcase_add_test(
	    all, a_connection_under_way_uses_the_certificates_of_now);
}
