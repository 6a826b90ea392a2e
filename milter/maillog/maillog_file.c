#include "maillog/maillog_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define INPUT_SIZE  65536
#define OUTPUT_SIZE 65536
#define GZIP_BITS   (15 + 16) /* of zlib: a gzip header, the largest window */

enum packing { PACKED_NOT, PACKED_GZIP, PACKED_ZSTD };

struct maillog_file {
	int descriptor;
	int64_t written;
	int64_t size;
	int64_t done;
	enum packing packing;
	z_stream gzip;
	ZSTD_DStream *zstd;
	bool midway;  /* in a packed piece: an end here is too early */
	bool pending; /* the output was full: there may be more */
	const char *fault;
	char input[INPUT_SIZE];
	size_t input_at, input_length;
	char output[OUTPUT_SIZE];
	size_t output_at, output_length;
	char line[MAILLOG_LINE_MAX];
};

/* ---- Octets as they lie there */

/* Read more behind those that are there.  False: there are no more. */
static bool
read_more(struct maillog_file *file)
{
	ssize_t got;

	do
		got = read(file->descriptor, file->input + file->input_length,
		    sizeof file->input - file->input_length);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		file->fault = strerror(errno);
	if (got <= 0)
		return false;
	file->input_length += (size_t)got;
	file->done += got;
	return true;
}

/* False: there are no more. */
static bool
fill(struct maillog_file *file)
{
	if (file->input_at < file->input_length)
		return true;
	file->input_at = file->input_length = 0;
	return read_more(file);
}

/* ---- Octets unpacked */

static bool
unpack_plain(struct maillog_file *file)
{
	size_t length = file->input_length - file->input_at;

	memcpy(file->output, file->input + file->input_at, length);
	file->input_at = file->input_length;
	file->output_length = length;
	return true;
}

/* Of a file that was appended to, one piece follows the other. */
static bool
unpack_gzip(struct maillog_file *file)
{
	z_stream *stream = &file->gzip;
	int result;

	stream->next_in = (Bytef *)file->input + file->input_at;
	stream->avail_in = (uInt)(file->input_length - file->input_at);
	stream->next_out = (Bytef *)file->output;
	stream->avail_out = OUTPUT_SIZE;
	result = inflate(stream, Z_NO_FLUSH);
	file->input_at = file->input_length - stream->avail_in;
	file->output_length = OUTPUT_SIZE - stream->avail_out;
	file->midway = result != Z_STREAM_END;
	if (result == Z_STREAM_END)
		return inflateReset(stream) == Z_OK;
	return result == Z_OK || result == Z_BUF_ERROR;
}

static bool
unpack_zstd(struct maillog_file *file)
{
	ZSTD_inBuffer in = {file->input, file->input_length, file->input_at};
	ZSTD_outBuffer out = {file->output, OUTPUT_SIZE, 0};
	size_t result = ZSTD_decompressStream(file->zstd, &out, &in);

	file->input_at = in.pos;
	file->output_length = out.pos;
	file->midway = result != 0;
	return ZSTD_isError(result) == 0;
}

/* False: there is no more. */
static bool
unpack(struct maillog_file *file)
{
	static bool (*const ways[])(struct maillog_file *) = {
	    unpack_plain, unpack_gzip, unpack_zstd};

	file->output_at = file->output_length = 0;
	while (file->fault == NULL && file->output_length == 0) {
		if (!file->pending && !fill(file)) {
			if (file->midway && file->fault == NULL)
				file->fault = "it ends in the middle";
			return false;
		}
		if (!ways[file->packing](file))
			file->fault = "what it is packed with is damaged";
		file->pending = file->packing != PACKED_NOT &&
		    file->output_length == OUTPUT_SIZE;
	}
	return file->output_length > 0;
}

/* What nobody can read as text, nor we unpack. */
static const char *
foreign_packing(const struct maillog_file *file)
{
	static const struct {
		const char *magic;
		size_t length;
		const char *fault;
	} packings[] = {
	    {"\xfd"
	     "7zXZ",
		5, "it is packed with xz: give us what xzcat makes of it"},
	    {"BZh", 3,
		"it is packed with bzip2: give us what bzcat makes of it"},
	    {"\x04\x22\x4d\x18", 4,
		"it is packed with lz4: give us what lz4cat makes of it"},
	    {"LPKSHHRH", 8,
		"it is systemd's journal: give us what journalctl makes of "
		"it"}};

	for (size_t i = 0; i < sizeof packings / sizeof packings[0]; i++)
		if (file->input_length >= packings[i].length &&
		    memcmp(file->input, packings[i].magic,
			packings[i].length) == 0)
			return packings[i].fault;
	return NULL;
}

static bool
set_packing(struct maillog_file *file)
{
	static const char gzip[] = "\x1f\x8b", zstd[] = "\x28\xb5\x2f\xfd";

	/* A pipe may give fewer at a time. */
	while (file->input_length < sizeof zstd - 1 && read_more(file))
		continue;
	if (file->fault != NULL)
		return false;
	if (file->input_length >= 2 && memcmp(file->input, gzip, 2) == 0) {
		file->packing = PACKED_GZIP;
		return inflateInit2(&file->gzip, GZIP_BITS) == Z_OK;
	}
	if (file->input_length >= 4 && memcmp(file->input, zstd, 4) == 0) {
		file->packing = PACKED_ZSTD;
		file->zstd = ZSTD_createDStream();
		return file->zstd != NULL;
	}
	file->fault = foreign_packing(file);
	return file->fault == NULL;
}

/* ---- The file */

/* A FIFO is welcome: `replay <(zcat ...)`; a directory is not. */
static bool
open_descriptor(struct maillog_file *file, const char *path)
{
	struct stat status;
	bool is_input = strcmp(path, "-") == 0;

	file->descriptor =
	    is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (file->descriptor < 0 || fstat(file->descriptor, &status) != 0)
		return false;
	if (S_ISDIR(status.st_mode)) {
		errno = EISDIR;
		return false;
	}
	file->written = S_ISREG(status.st_mode) ? (int64_t)status.st_mtime
						: (int64_t)time(NULL);
	file->size = S_ISREG(status.st_mode) ? (int64_t)status.st_size : 0;
	return true;
}

struct maillog_file *
maillog_file_open(const char *path, char why_r[MAILLOG_WHY_SIZE])
{
	struct maillog_file *file = calloc(1, sizeof *file);
	const char *why = NULL;

	if (file == NULL)
		why = "out of memory";
	else if (!open_descriptor(file, path))
		why = strerror(errno);
	else if (!set_packing(file))
		why = file->fault != NULL ? file->fault : "out of memory";
	if (why == NULL)
		return file;
	(void)snprintf(why_r, MAILLOG_WHY_SIZE, "%s: %s", path, why);
	maillog_file_close(&file);
	return NULL;
}

void
maillog_file_close(struct maillog_file **file)
{
	struct maillog_file *mine = *file;

	if (mine == NULL)
		return;
	if (mine->descriptor > STDIN_FILENO)
		close(mine->descriptor);
	if (mine->packing == PACKED_GZIP)
		inflateEnd(&mine->gzip);
	ZSTD_freeDStream(mine->zstd);
	free(mine);
	*file = NULL;
}

/* What there is of a line is appended to file->line as far as there is room.
 * Whether its end was found. */
static bool
gather(struct maillog_file *file, size_t *length)
{
	const char *from = file->output + file->output_at;
	size_t left = file->output_length - file->output_at;
	const char *end = memchr(from, '\n', left);
	size_t piece = end == NULL ? left : (size_t)(end - from);
	size_t room = MAILLOG_LINE_MAX - *length;

	file->output_at += piece + (end != NULL);
	if (piece > room)
		piece = room;
	memcpy(file->line + *length, from, piece);
	*length += piece;
	return end != NULL;
}

bool
maillog_file_line(
    struct maillog_file *file, const char **text_r, size_t *length_r)
{
	bool any = false, ended = false;

	*text_r = file->line;
	*length_r = 0;
	while (
	    !ended && (file->output_at < file->output_length || unpack(file))) {
		any = true;
		ended = gather(file, length_r);
	}
	return any;
}

const char *
maillog_file_fault(const struct maillog_file *file)
{
	return file->fault;
}

int64_t
maillog_file_written(const struct maillog_file *file)
{
	return file->written;
}

int64_t
maillog_file_done(const struct maillog_file *file)
{
	return file->done;
}

int64_t
maillog_file_size(const struct maillog_file *file)
{
	return file->size;
}
