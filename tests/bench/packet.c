#include "packet.h"

#include <string.h>

#define LENGTH_SIZE 4
#define HEAD_SIZE   (LENGTH_SIZE + 1)

void
packet_clear(struct packet *packet)
{
	packet->length = 0;
	packet->frame = 0;
	packet->overflow = false;
}

void
packet_bytes(struct packet *packet, const void *bytes, size_t size)
{
	if (size > sizeof packet->data - packet->length) {
		packet->overflow = true;
		return;
	}
	memcpy(packet->data + packet->length, bytes, size);
	packet->length += size;
}

void
packet_begin(struct packet *packet, char command)
{
	packet->frame = packet->length;
	packet_u32(packet, 0);
	packet_bytes(packet, &command, 1);
}

void
packet_string(struct packet *packet, const char *text)
{
	packet_bytes(packet, text, strlen(text) + 1);
}

void
packet_u16(struct packet *packet, uint16_t value)
{
	const unsigned char bytes[] = {
	    (unsigned char)(value >> 8), (unsigned char)(value & 0xff)};

	packet_bytes(packet, bytes, sizeof bytes);
}

static void
write_u32(unsigned char *bytes, uint32_t value)
{
	bytes[0] = (unsigned char)(value >> 24);
	bytes[1] = (unsigned char)(value >> 16 & 0xff);
	bytes[2] = (unsigned char)(value >> 8 & 0xff);
	bytes[3] = (unsigned char)(value & 0xff);
}

void
packet_u32(struct packet *packet, uint32_t value)
{
	unsigned char bytes[LENGTH_SIZE];

	write_u32(bytes, value);
	packet_bytes(packet, bytes, sizeof bytes);
}

void
packet_end(struct packet *packet)
{
	if (packet->overflow)
		return;
	write_u32(packet->data + packet->frame,
	    (uint32_t)(packet->length - packet->frame - LENGTH_SIZE));
}

uint32_t
packet_read_u32(const unsigned char *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
	    (uint32_t)bytes[2] << 8 | bytes[3];
}

enum frame_state
inbox_peek(const struct inbox *inbox, struct frame *frame_r)
{
	uint32_t length;

	if (inbox->length < LENGTH_SIZE)
		return FRAME_PARTIAL;
	length = packet_read_u32(inbox->data);
	if (length == 0 || length > sizeof inbox->data - LENGTH_SIZE)
		return FRAME_BROKEN;
	if (inbox->length < LENGTH_SIZE + length)
		return FRAME_PARTIAL;
	frame_r->command = (char)inbox->data[LENGTH_SIZE];
	frame_r->data = inbox->data + HEAD_SIZE;
	frame_r->size = length - 1;
	return FRAME_WHOLE;
}

void
inbox_drop(struct inbox *inbox, const struct frame *frame)
{
	size_t used = HEAD_SIZE + frame->size;

	inbox->length -= used;
	memmove(inbox->data, inbox->data + used, inbox->length);
}
