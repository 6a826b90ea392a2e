/* packet -- bytes of the milter protocol, put together and taken apart.
 *
 * A frame is a length (4 bytes, network order), a command letter and its data;
 * the length counts the letter.  One packet holds the frames of one write. */
#ifndef PACKET_H
#define PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_MAX 4096

struct packet {
	unsigned char data[PACKET_MAX];
	size_t length;
	size_t frame;  /* where the frame under construction starts */
	bool overflow; /* something did not fit: do not send */
};

void packet_clear(struct packet *packet);

/* Start a frame, add to it, and close it by filling in its length. */
void packet_begin(struct packet *packet, char command);
void packet_bytes(struct packet *packet, const void *bytes, size_t size);
void packet_string(struct packet *packet, const char *text); /* and its NUL */
void packet_u16(struct packet *packet, uint16_t value);
void packet_u32(struct packet *packet, uint32_t value);
void packet_end(struct packet *packet);

/* What has arrived of the other side's frames. */
struct inbox {
	unsigned char data[PACKET_MAX];
	size_t length;
};

struct frame {
	char command;
	const unsigned char *data; /* points into the inbox */
	size_t size;
};

enum frame_state { FRAME_WHOLE, FRAME_PARTIAL, FRAME_BROKEN };

/* Look at the first frame.  BROKEN: no command, or too long for the inbox. */
enum frame_state inbox_peek(const struct inbox *inbox, struct frame *frame_r);

/* Drop the first frame, which must have been WHOLE. */
void inbox_drop(struct inbox *inbox, const struct frame *frame);

/* Read four bytes in network order. */
uint32_t packet_read_u32(const unsigned char *bytes);

#endif
