/* null_dns -- a name server for the benchmark: DNS lists that list nobody.
 *
 *	null_dns
 *
 * Takes a free UDP port of 127.0.0.1 and prints it.  Every name is unknown to it
 * (NXDOMAIN, for an hour), but for the entries by which lists are tested
 * (RFC 5782 5), and "count", whose address is how many questions there were before,
 * as a number of 32 bits. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define HEAD 12 /* octets */
#define TTL  3600

/* The answers: of an address, and that there is none for so long (SOA). */
static const unsigned char listed[] = {
    0xc0, 0x0c, 0, 1, 0, 1, 0, 0, TTL >> 8, TTL & 0xff, 0, 4, 127, 0, 0, 2};
static const unsigned char nobody[] = {0xc0, 0x0c, 0, 6, 0, 1, 0, 0, TTL >> 8,
    TTL & 0xff, 0, 22, 0, 0, 0, 0, 0, 1, 0, 0, 14, 16, 0, 0, 14, 16, 0, 0, 14,
    16, 0, 0, TTL >> 8, TTL & 0xff};

/* Where the question ends, or 0: there is none. */
static size_t
end_of_question(const unsigned char *message, size_t length)
{
	size_t at = HEAD;

	while (at < length && message[at] != 0)
		at += 1u + message[at];
	return at + 5 <= length ? at + 5 : 0;
}

/* Whether it is asked for 127.0.0.2, or ::FFFF:7F00:2. */
static int
is_test(const unsigned char *question)
{
	static const char ipv4[] = "\0012\0010\0010\003127";
	static const char ipv6[] = "\0012\0010\0010\0010\0010\0010\001f\0017";

	return memcmp(question, ipv4, sizeof ipv4 - 1) == 0 ||
	    memcmp(question, ipv6, sizeof ipv6 - 1) == 0;
}

/* Makes the answer of a question, whose length it returns; 0: none. */
static size_t
answer(unsigned char *message, size_t length, uint32_t count)
{
	size_t end = length < HEAD ? 0 : end_of_question(message, length);
	int is_count = end != 0 && memcmp(message + HEAD, "\005count", 6) == 0;
	int found = end != 0 && (is_count || is_test(message + HEAD));
	const unsigned char *record = found ? listed : nobody;
	size_t size = found ? sizeof listed : sizeof nobody;

	if (end == 0)
		return 0;
	message[2] = 0x81;
	message[3] = (unsigned char)(0x80 | (found ? 0 : 3));
	memset(message + 4, 0, HEAD - 4);
	message[5] = 1;
	message[found ? 7 : 9] = 1;
	memcpy(message + end, record, size);
	count = htonl(count);
	if (is_count)
		memcpy(
		    message + end + size - sizeof count, &count, sizeof count);
	return end + size;
}

int
main(void)
{
	struct sockaddr_in peer = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof peer;
	unsigned char message[1500];
	uint32_t count = 0;
	int room = 4 << 20, fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&peer, size) != 0 ||
	    getsockname(fd, (struct sockaddr *)&peer, &size) != 0) {
		perror("null_dns");
		return 1;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	printf("%d\n", ntohs(peer.sin_port));
	fflush(stdout);
	for (;; count++) {
		ssize_t got;
		size_t length;

		size = sizeof peer;
		got = recvfrom(fd, message, sizeof message - 100, 0,
		    (struct sockaddr *)&peer, &size);
		if (got <= 0)
			continue;
		length = answer(message, (size_t)got, count);
		if (length > 0)
			(void)sendto(fd, message, length, 0,
			    (struct sockaddr *)&peer, size);
	}
}
