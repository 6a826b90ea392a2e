/* Fuzz what domains publish for SPF: whatever the DNS says, a check comes to its
 * end within the questions that it may ask, and asks for names only. */
#include "dns/spf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define QUESTIONS_MAX (1 + 10 * 11 + 11)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input, which answers all questions from its front. */
struct input {
	const uint8_t *at;
	size_t left;
};

static void
require(bool good)
{
	if (!good)
		abort();
}

static unsigned
take(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->at++;
}

/* Up to a newline; the rest when there is none. */
static size_t
take_line(struct input *input, const uint8_t **line_r)
{
	const uint8_t *end =
	    input->left == 0 ? NULL : memchr(input->at, '\n', input->left);
	size_t length = end == NULL ? input->left : (size_t)(end - input->at);

	*line_r = input->at;
	input->at += length;
	input->left -= length;
	(void)take(input);
	return length;
}

static void
take_text(struct input *input, char *text_r, size_t size)
{
	const uint8_t *line;
	size_t length = take_line(input, &line);

	if (length >= size)
		length = size - 1;
	if (length > 0)
		memcpy(text_r, line, length);
	text_r[length] = '\0';
}

static void
put(struct dns_answer *answer, unsigned char *room, const void *data,
    size_t length)
{
	unsigned char *out = room + answer->length;

	if (DNS_DATA_MAX - answer->length < length + 4)
		return;
	out[0] = (unsigned char)(length >> 8);
	out[1] = (unsigned char)length;
	out[2] = out[3] = 0;
	if (length > 0)
		memcpy(out + 4, data, length);
	answer->length += length + 4;
	answer->count++;
	answer->status = DNS_FOUND;
}

static void
put_one(struct input *input, enum dns_type type, struct dns_answer *answer,
    unsigned char *room)
{
	unsigned char address[16] = {192, 0, 2};
	char name[DNS_NAME_SIZE];
	const uint8_t *line;
	size_t length;

	switch (type) {
	case DNS_A:
	case DNS_AAAA:
		address[3] = (unsigned char)take(input);
		put(answer, room, address, type == DNS_A ? 4 : 16);
		break;
	case DNS_TXT:
		length = take_line(input, &line);
		put(answer, room, line, length > 4096 ? 4096 : length);
		break;
	default:
		take_text(input, name, sizeof name);
		put(answer, room, name, strlen(name) + 1);
	}
}

/* The first octet says how many records, or what else. */
static struct dns_answer
answer_of(struct input *input, enum dns_type type)
{
	static unsigned char room[DNS_DATA_MAX];
	struct dns_answer answer = {.status = DNS_NOTHING, .data = room};
	unsigned count = input->left == 0 ? 0 : take(input) % 16;

	if (count == 15)
		answer.status = DNS_FAILED;
	else if (type == DNS_TXT && count == 14)
		put(&answer, room, "v=spf1 include:a.example mx ptr -all", 36);
	for (; count > 0 && count < 14; count--)
		put_one(input, type, &answer, room);
	return answer;
}

static void
foresee(void *arg, const char *name, enum dns_type type)
{
	char settled[DNS_NAME_SIZE];
	unsigned *count = arg;

	require(++*count <= SPF_TERMS_MAX && type != 0);
	require(spf_name_settle(name, settled) && strcmp(name, settled) == 0);
}

/* The first octet of the client, then sender, HELO and the answers. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct spf spf;
	struct input input = {data, size};
	char sender[600], helo[300], settled[DNS_NAME_SIZE];
	struct spf_question question = {.sender = sender, .helo = helo};
	unsigned questions = 0, foreseen;

	(void)netaddr_parse(take(&input) % 2 == 0 ? "192.0.2.1" : "c000:201::",
	    &question.client);
	take_text(&input, sender, sizeof sender);
	take_text(&input, helo, sizeof helo);
	for (spf_begin(&spf, &question); !spf.done; questions++) {
		struct dns_answer answer;

		require(questions < QUESTIONS_MAX);
		require(spf_name_settle(spf.name, settled) &&
		    strcmp(spf.name, settled) == 0);
		answer = answer_of(&input, spf.type);
		foreseen = 0;
		spf_take(&spf, &answer, foresee, &foreseen);
	}
	require(spf.result <= SPF_PERMERROR);
	return 0;
}
