#include "maillog/maillog_lines.h"

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

#include "maillog/maillog_clock.h"

#define INPUT_SIZE  65536
#define OUTPUT_SIZE 65536
#define GZIP_BITS   (15 + 16) /* of zlib: a gzip header, the largest window */
#define HOUR	    INT64_C(3600)
#define DAY	    (24 * HOUR)

enum packing { PACKED_NOT, PACKED_GZIP, PACKED_ZSTD };

struct file {
	int descriptor;
	int64_t written; /* when it was last; of standard input, now */
	int64_t size;	 /* octets; 0: not known, as of a pipe */
	int64_t done;	 /* of them, so far */
	enum packing packing;
	z_stream gzip;
	ZSTD_DStream *zstd;
	bool midway;	   /* in a packed piece: an end here is too early */
	bool pending;	   /* the output was full: there may be more */
	const char *fault; /* why not all could be read; NULL: it could */
	char input[INPUT_SIZE];
	size_t input_at, input_length;
	char output[OUTPUT_SIZE];
	size_t output_at, output_length;
	char line[MAILLOG_LINE_MAX];
};

/* ---- Octets as they lie there */

/* Read more behind those that are there.  False: there are no more. */
static bool
read_more(struct file *file)
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
fill(struct file *file)
{
	if (file->input_at < file->input_length)
		return true;
	file->input_at = file->input_length = 0;
	return read_more(file);
}

/* ---- Octets unpacked */

static bool
unpack_plain(struct file *file)
{
	size_t length = file->input_length - file->input_at;

	memcpy(file->output, file->input + file->input_at, length);
	file->input_at = file->input_length;
	file->output_length = length;
	return true;
}

/* Of a file that was appended to, one piece follows the other. */
static bool
unpack_gzip(struct file *file)
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
unpack_zstd(struct file *file)
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
unpack(struct file *file)
{
	static bool (*const ways[])(struct file *) = {
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
foreign_packing(const struct file *file)
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
set_packing(struct file *file)
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

/* ---- One file */

/* A FIFO is welcome: `replay <(zcat ...)`; a directory is not. */
static bool
open_descriptor(struct file *file, const char *path)
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

static void
close_file(struct file **file)
{
	struct file *mine = *file;

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

/* "-" is standard input.  NULL: `why_r` says why. */
static struct file *
open_file(const char *path, char why_r[MAILLOG_WHY_SIZE])
{
	struct file *file = calloc(1, sizeof *file);
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
	close_file(&file);
	return NULL;
}

/* What there is of a line is appended to file->line as far as there is room.
 * Whether its end was found. */
static bool
gather(struct file *file, size_t *length)
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

/* The next line, without its end and not terminated; good until the next call.
 * False: that was all, or the rest cannot be read, as file->fault says. */
static bool
read_line(struct file *file, const char **text_r, size_t *length_r)
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

/* ---- Its lines, and their times */

struct source {
	const char *path;
	struct file *file; /* NULL: not open now */
	struct maillog_clock clock;
	int64_t size;
	int64_t first;		  /* the time of its first line */
	struct maillog_line line; /* the one to be given next */
	int64_t at;
};

static bool
source_open(struct source *source, int year, char why_r[MAILLOG_WHY_SIZE])
{
	source->file = open_file(source->path, why_r);
	if (source->file == NULL)
		return false;
	source->size = source->file->size;
	source->clock = (struct maillog_clock){
	    .youngest = source->file->written, .year = year};
	return true;
}

/* The next line with a time.  `counts` may be NULL.  False: there is none. */
static bool
source_step(struct source *source, struct maillog_counts *counts)
{
	struct maillog_counts nobody;
	const char *text;
	size_t length;

	if (counts == NULL)
		counts = &nobody;
	while (read_line(source->file, &text, &length)) {
		maillog_line_read(text, length, &source->line);
		counts->lines++;
		if (source->line.kind == MAILLOG_GARBAGE)
			counts->garbage++;
		if (!source->line.has_stamp)
			continue;
		source->at =
		    maillog_clock_read(&source->clock, &source->line.stamp);
		return true;
	}
	return false;
}

/* ---- All of them */

struct maillog_lines {
	struct source *sources; /* by the time of their first line */
	size_t count;
	size_t begun; /* those before were, or are open */
	struct source *given;
	struct maillog_terms terms;
	int64_t now;  /* of the last line; 0: none yet */
	int64_t leap; /* to which one line leapt; 0: none did */
	int64_t done; /* octets of files that were read */
	struct maillog_counts counts;
};

static int
by_first(const void *a, const void *b)
{
	const struct source *left = a, *right = b;

	return (left->first > right->first) - (left->first < right->first);
}

/* What can be opened once more is closed until its time comes. */
static bool
look_into(struct maillog_lines *lines, struct source *source,
    char why_r[MAILLOG_WHY_SIZE])
{
	if (!source_open(source, lines->terms.year, why_r))
		return false;
	if (source->size == 0) { /* a pipe: its lines are counted now */
		if (!source_step(source, &lines->counts))
			close_file(&source->file);
		source->first = source->at;
		return true;
	}
	source->first = source_step(source, NULL) ? source->at : 0;
	close_file(&source->file);
	return true;
}

struct maillog_lines *
maillog_lines_open(
    const struct maillog_terms *terms, char why_r[MAILLOG_WHY_SIZE])
{
	size_t count = terms->count;
	struct maillog_lines *lines = calloc(1, sizeof *lines);
	bool good = lines != NULL;

	(void)snprintf(why_r, MAILLOG_WHY_SIZE, "out of memory");
	if (lines != NULL)
		lines->sources = calloc(count, sizeof *lines->sources);
	good = good && lines->sources != NULL;
	if (good) {
		lines->count = count;
		lines->terms = *terms;
	}
	for (size_t i = 0; good && i < count; i++) {
		lines->sources[i].path = terms->paths[i];
		good = look_into(lines, &lines->sources[i], why_r);
	}
	if (!good) {
		maillog_lines_close(&lines);
		return NULL;
	}
	qsort(lines->sources, count, sizeof *lines->sources, by_first);
	return lines;
}

void
maillog_lines_close(struct maillog_lines **lines)
{
	struct maillog_lines *mine = *lines;

	if (mine == NULL)
		return;
	for (size_t i = 0; i < mine->count; i++)
		close_file(&mine->sources[i].file);
	free(mine->sources);
	free(mine);
	*lines = NULL;
}

static void
complain(struct maillog_lines *lines, const char *text)
{
	lines->counts.damaged++;
	if (lines->terms.say != NULL)
		lines->terms.say(lines->terms.arg, text);
}

static void
finish(struct maillog_lines *lines, struct source *source)
{
	const char *fault = source->file->fault;
	char text[2 * MAILLOG_WHY_SIZE];

	if (fault != NULL) {
		(void)snprintf(
		    text, sizeof text, "%s: %s", source->path, fault);
		complain(lines, text);
	}
	lines->done += source->file->done;
	close_file(&source->file);
}

static void
step(struct maillog_lines *lines, struct source *source)
{
	if (!source_step(source, &lines->counts))
		finish(lines, source);
}

static void
begin_next(struct maillog_lines *lines)
{
	struct source *source = &lines->sources[lines->begun++];
	char why[MAILLOG_WHY_SIZE];

	if (source->file != NULL || source->size == 0)
		return; /* a pipe, or nothing was in it */
	if (source_open(source, lines->terms.year, why))
		step(lines, source);
	else
		complain(lines, why);
}

static struct source *
find_oldest(const struct maillog_lines *lines)
{
	struct source *oldest = NULL;

	for (size_t i = 0; i < lines->begun; i++) {
		struct source *source = &lines->sources[i];

		if (source->file != NULL &&
		    (oldest == NULL || source->at < oldest->at))
			oldest = source;
	}
	return oldest;
}

/* Time goes on only, and leaps by more than a day only if two lines say so. */
static int64_t
order(struct maillog_lines *lines, int64_t at)
{
	bool leaps = lines->now != 0 && at > lines->now + DAY;

	if (leaps && (lines->leap == 0 || at < lines->leap - HOUR)) {
		lines->leap = at;
		lines->counts.misplaced++;
		return lines->now;
	}
	lines->leap = 0;
	if (at > lines->now)
		lines->now = at;
	return lines->now;
}

bool
maillog_lines_next(struct maillog_lines *lines,
    const struct maillog_line **line_r, int64_t *at_r)
{
	struct source *oldest;

	if (lines->given != NULL)
		step(lines, lines->given);
	oldest = find_oldest(lines);
	while (lines->begun < lines->count &&
	    (oldest == NULL ||
		lines->sources[lines->begun].first <= oldest->at)) {
		begin_next(lines);
		oldest = find_oldest(lines);
	}
	lines->given = oldest;
	if (oldest == NULL)
		return false;
	*line_r = &oldest->line;
	*at_r = order(lines, oldest->at);
	return true;
}

const struct maillog_counts *
maillog_lines_counts(const struct maillog_lines *lines)
{
	return &lines->counts;
}

double
maillog_lines_share(const struct maillog_lines *lines)
{
	int64_t done = lines->done, size = 0;

	for (size_t i = 0; i < lines->count; i++) {
		const struct source *source = &lines->sources[i];

		if (source->size == 0)
			return -1;
		size += source->size;
		if (source->file != NULL)
			done += source->file->done;
	}
	return size == 0 ? -1 : (double)done / (double)size;
}
