#include "store/memory/memory_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/ascii.h"
#include "base/file.h"
#include "base/hash.h"
#include "store/memory/memory_codec.h"
#include "store/memory/store_memory_parts.h"

#define KIND	   "milter-defer records "
#define KIND_SIZE  (sizeof KIND - 1)
#define MAGIC	   KIND "4\n"
#define MAGIC_3	   KIND "3\n"
#define MAGIC_2	   KIND "2\n"
#define MAGIC_OLD  KIND "1\n"
#define MAGIC_SIZE (sizeof MAGIC - 1)
#define SUM_SIZE   sizeof(uint64_t)
#define ASIDE	   ".new"
#define WHY_SIZE   160
#define VERSIONS   1000000 /* more are not told apart */

#define PLACES_AT_ONCE 256 /* looked at under one lock */
#define REPORT_SIZE    (PATH_MAX + WHY_SIZE)
#define REFUSED_MAX    9 /* files that are kept aside */

/* What stands before each record, before the lists, before what matched of these,
 * and at the end. */
enum { NO_MORE, RECORD, LISTS, MATCHES };

/* A file that is being written. */
struct writer {
	struct bytes_out out;
	uint64_t sum;
	int fd;
	int error; /* errno of the first failure, or 0 */
	char path[PATH_MAX];
	char aside[PATH_MAX];
};

/* What the file shows of the key: its own one whole, another only as the name
 * that it gives to a fixed text. */
static bool
key_mark(const struct memory_key *key, const char *magic,
    unsigned char mark_r[TRIPLET_KEY])
{
	char name[TRIPLET_SIZE];

	if (key->own) {
		memcpy(mark_r, key->namer.key, TRIPLET_KEY);
		return true;
	}
	memset(mark_r, 0, TRIPLET_KEY);
	if (!triplet_holder(&key->namer, magic, name))
		return false;
	memcpy(mark_r, name, TRIPLET_LENGTH);
	return true;
}

/* NULL: `error_r` tells why. */
static struct writer *
writer_open(const char *path, const struct memory_key *key, char *error_r,
    size_t error_size)
{
	struct writer *writer = calloc(1, sizeof *writer);
	unsigned char mark[TRIPLET_KEY];

	if (writer == NULL || !key_mark(key, MAGIC, mark)) {
		snprintf(error_r, error_size, "%s: out of memory", path);
		free(writer);
		return NULL;
	}
	writer->sum = HASH_64;
	snprintf(writer->path, sizeof writer->path, "%s", path);
	if ((size_t)snprintf(writer->aside, sizeof writer->aside, "%s" ASIDE,
		path) >= sizeof writer->aside) {
		snprintf(
		    error_r, error_size, "the path of the file is too long");
		free(writer);
		return NULL;
	}
	writer->fd = open(writer->aside,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (writer->fd < 0) {
		snprintf(error_r, error_size, "%s: %s", writer->aside,
		    strerror(errno));
		free(writer);
		return NULL;
	}
	bytes_put(&writer->out, MAGIC, MAGIC_SIZE);
	bytes_put_number(&writer->out, key->own);
	bytes_put(&writer->out, mark, sizeof mark);
	return writer;
}

/* Taken down in memory: does not wait for the disk. */
static void
writer_put(struct writer *writer, const struct memory_record *record)
{
	bytes_put_number(&writer->out, RECORD);
	memory_codec_put(&writer->out, record);
}

static void
writer_put_lists(struct writer *writer, const struct memory_lists *lists)
{
	bytes_put_number(&writer->out, LISTS);
	memory_lists_put(lists, &writer->out);
}

static void
write_out(struct writer *writer)
{
	const unsigned char *data = writer->out.data;
	size_t left = writer->out.length;

	while (left > 0 && writer->error == 0) {
		ssize_t written = write(writer->fd, data, left);

		if (written < 0 && errno != EINTR)
			writer->error = errno;
		if (written > 0) {
			data += written;
			left -= (size_t)written;
		}
	}
	writer->out.length = 0;
}

/* Write what was taken down. */
static void
writer_flush(struct writer *writer)
{
	if (writer->out.failed)
		writer->error = ENOMEM;
	if (writer->out.length > 0)
		writer->sum =
		    hash_64(writer->sum, writer->out.data, writer->out.length);
	write_out(writer);
}

/* Without this a crash of the machine might forget the renaming. */
static void
sync_directory(const char *path)
{
	char copy[PATH_MAX];
	int fd;

	snprintf(copy, sizeof copy, "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	fsync(fd);
	close(fd);
}

/* Complete the file and put it in place.  False: something failed since
 * writer_open(), `error_r` tells what, and the old file is still there.  Closes the
 * writer. */
static bool
writer_commit(struct writer **writer, char *error_r, size_t error_size)
{
	struct writer *mine = *writer;
	int error;

	*writer = NULL;
	bytes_put_number(&mine->out, NO_MORE);
	writer_flush(mine);
	bytes_put_number(&mine->out, mine->sum);
	write_out(mine);
	if (mine->error == 0 && fsync(mine->fd) != 0)
		mine->error = errno;
	if (close(mine->fd) != 0 && mine->error == 0)
		mine->error = errno;
	if (mine->error == 0 && rename(mine->aside, mine->path) != 0)
		mine->error = errno;
	error = mine->error;
	if (error == 0) {
		sync_directory(mine->path);
	} else {
		snprintf(error_r, error_size, "%s: %s", mine->aside,
		    strerror(error));
		unlink(mine->aside);
	}
	bytes_free(&mine->out);
	free(mine);
	return error == 0;
}

/* The whole file; NULL with errno 0: it is no file of that kind at all. */
static unsigned char *
read_whole(const char *path, size_t *length_r)
{
	struct stat status;
	int fd = file_open(path, &status);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	unsigned char *data = NULL;

	if (file == NULL) {
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	errno = 0;
	if (status.st_size > 0) {
		*length_r = (size_t)status.st_size;
		data = malloc(*length_r);
	}
	if (data != NULL && fread(data, 1, *length_r, file) != *length_r) {
		free(data);
		data = NULL;
	}
	fclose(file);
	return data;
}

/* The number in the first line; 0: it is no such file. */
static unsigned long
version_of(const unsigned char *data, size_t length)
{
	unsigned long version = 0;

	if (length < KIND_SIZE || memcmp(data, KIND, KIND_SIZE) != 0)
		return 0;
	for (size_t i = KIND_SIZE;
	     i < length && ascii_is_digit((char)data[i]) && version < VERSIONS;
	     i++)
		version = version * 10 + (unsigned long)(data[i] - '0');
	return version;
}

static const char *
check_version(const struct bytes_in *in, int *version_r, char why[WHY_SIZE])
{
	unsigned long version = version_of(in->data, in->left);

	if (version == 0)
		return "is no file of records";
	if (version > MEMORY_CODEC_NOW) {
		(void)snprintf(why, WHY_SIZE,
		    "was written by a later milter-defer (records %lu, this "
		    "one reads up to %d)",
		    version, MEMORY_CODEC_NOW);
		return why;
	}
	*version_r = (int)version;
	return in->left < MAGIC_SIZE + SUM_SIZE ? "is cut off" : NULL;
}

/* The file has a key of its own, as long as none is configured; or that has been
 * put down in a secret_file since. */
static const char *
take_own_key(struct memory_key *key, const unsigned char *found)
{
	if (!key->own && memcmp(key->namer.key, found, TRIPLET_KEY) != 0)
		return "was made without the secret_file";
	return triplet_namer_set(&key->namer, found) ? NULL : "out of memory";
}

static const char *const magics[] = {[MEMORY_CODEC_FIRST] = MAGIC_OLD,
    [MEMORY_CODEC_HOSTS] = MAGIC_2,
    [MEMORY_CODEC_LISTS] = MAGIC_3,
    [MEMORY_CODEC_NOW] = MAGIC};

/* NULL, or why the file is refused.  `in` is left at the first record. */
static const char *
check_head(struct bytes_in *in, struct memory_key *key, int *version_r,
    char why[WHY_SIZE])
{
	const unsigned char *data = in->data;
	unsigned char mark[TRIPLET_KEY];
	const char *wrong = check_version(in, version_r, why);
	struct bytes_in tail;
	bool own;

	if (wrong != NULL)
		return wrong;
	in->left -= SUM_SIZE;
	tail = (struct bytes_in){data + in->left, SUM_SIZE, false};
	if (bytes_get_number(&tail) != hash_64(HASH_64, data, in->left))
		return "has a wrong checksum: it is torn or was changed";
	bytes_get(in, MAGIC_SIZE);
	own = bytes_get_number(in) != 0;
	data = bytes_get(in, TRIPLET_KEY);
	if (data == NULL)
		return "is cut off";
	if (own)
		return take_own_key(key, data);
	if (key->own)
		return "was made with a secret_file, and none is set";
	if (!key_mark(key, magics[*version_r], mark))
		return "could not be checked: out of memory";
	return memcmp(data, mark, TRIPLET_KEY) == 0
	    ? NULL
	    : "was made with another secret";
}

static int
compare_expiry(const void *a, const void *b)
{
	const struct memory_record *const *x = a, *const *y = b;

	return ((*x)->expires > (*y)->expires) -
	    ((*x)->expires < (*y)->expires);
}

static bool
append(struct memory_records *records, struct memory_record *record)
{
	if (!array_grow(
		&records->array, records->count, sizeof *records->array))
		return false;
	records->array[records->count++] = record;
	return true;
}

static void
drop_all(struct memory_records *records)
{
	for (size_t i = 0; i < records->count; i++)
		memory_record_free(&records->array[i]);
	free(records->array);
	records->array = NULL;
	records->count = 0;
}

/* NULL, or why not. */
static const char *
read_records(struct bytes_in *in, int version, const struct memory_key *key,
    struct memory_records *records)
{
	uint64_t kind;

	while ((kind = bytes_get_number(in)) == RECORD) {
		struct memory_record *record =
		    memory_codec_get(in, version, &key->namer);

		if (record == NULL)
			return "holds what is no record";
		if (!append(records, record)) {
			memory_record_free(&record);
			return "could not be read: out of memory";
		}
	}
	if (kind == LISTS && version > MEMORY_CODEC_HOSTS) {
		if (!memory_lists_get(records->lists, in))
			return "holds what is no list";
		kind = bytes_get_number(in);
	}
	if (kind == MATCHES && version > MEMORY_CODEC_LISTS) {
		if (!memory_matches_read(records->matches, in))
			return "holds what is no day of a match";
		kind = bytes_get_number(in);
	}
	if (in->failed || in->left != 0 || kind != NO_MORE)
		return "is cut off";
	if (records->count > 0)
		qsort(records->array, records->count, sizeof *records->array,
		    compare_expiry);
	return NULL;
}

enum memory_read
memory_file_read(const char *path, struct memory_key *key,
    struct memory_records *records_r, char *error_r, size_t error_size)
{
	size_t length = 0;
	unsigned char *data = read_whole(path, &length);
	struct bytes_in in = {data, length, false};
	char why[WHY_SIZE];
	const char *wrong;
	int version = 0;

	records_r->array = NULL;
	records_r->count = 0;
	if (data == NULL && errno == ENOENT)
		return MEMORY_READ_NONE;
	if (data == NULL)
		wrong = errno != 0 ? file_why(errno) : "is empty";
	else
		wrong = check_head(&in, key, &version, why);
	if (wrong == NULL)
		wrong = read_records(&in, version, key, records_r);
	if (wrong != NULL) {
		drop_all(records_r);
		snprintf(error_r, error_size, "%s: %s", path, wrong);
	}
	free(data);
	return wrong == NULL ? MEMORY_READ_OK : MEMORY_READ_REFUSED;
}

/* ---- The file of a store */

/* Few places at a time, so that no session waits long. */
static void
write_records(struct memory *memory, struct writer *writer)
{
	size_t count = memory_book_places(memory->book);
	const struct memory_record *record;

	for (size_t from = 0; from < count; from += PLACES_AT_ONCE) {
		pthread_mutex_lock(&memory->mutex);
		for (size_t i = from; i < count && i < from + PLACES_AT_ONCE;
		     i++)
			for (record = memory_book_at(memory->book, i);
			     record != NULL; record = record->next)
				writer_put(writer, record);
		pthread_mutex_unlock(&memory->mutex);
		writer_flush(writer);
	}
	pthread_mutex_lock(&memory->mutex);
	writer_put_lists(writer, &memory->lists);
	pthread_mutex_unlock(&memory->mutex);
	bytes_put_number(&writer->out, MATCHES);
	pthread_mutex_lock(&memory->aside);
	memory_matches_write(&memory->matches, &writer->out);
	pthread_mutex_unlock(&memory->aside);
}

static void
save(struct memory *memory)
{
	char error[REPORT_SIZE], text[REPORT_SIZE + 64];
	struct writer *writer =
	    writer_open(memory->file, &memory->key, error, sizeof error);
	bool saved = false;

	if (writer != NULL) {
		write_records(memory, writer);
		saved = writer_commit(&writer, error, sizeof error);
	}
	if (!saved && !memory->save_failed) {
		snprintf(text, sizeof text, "cannot save records: %s", error);
		memory_say(memory, true, text);
	}
	if (saved && memory->save_failed)
		memory_say(memory, false, "records are saved again");
	memory->save_failed = !saved;
}

bool
memory_save(struct store *store, int64_t clock, bool last)
{
	struct memory *memory = (struct memory *)store;

	if (memory->saved_at < 0)
		memory->saved_at = clock;
	if (memory->file == NULL || memory->ended ||
	    (!last &&
		(memory->save_every <= 0 ||
		    clock - memory->saved_at < memory->save_every)))
		return true;
	memory->saved_at = clock;
	memory->ended = last;
	save(memory);
	return !memory->save_failed;
}

/* Out of the way, so that the next save does not destroy what may be of use to
 * somebody; nor does the next file that is refused.  What is no file stays where
 * it is. */
static bool
put_aside(const struct memory *memory, char aside_r[PATH_MAX])
{
	struct stat status;
	int len = snprintf(aside_r, PATH_MAX, "%s.refused", memory->file);

	if (lstat(memory->file, &status) != 0 || !S_ISREG(status.st_mode))
		return false;
	for (int i = 2; i <= REFUSED_MAX && lstat(aside_r, &status) == 0; i++)
		len = snprintf(
		    aside_r, PATH_MAX, "%s.refused.%d", memory->file, i);
	return len < PATH_MAX && lstat(aside_r, &status) != 0 &&
	    rename(memory->file, aside_r) == 0;
}

/* What could not be moved is not replaced either. */
static void
leave_file(struct memory *memory)
{
	free(memory->file);
	memory->file = NULL;
}

static void
refuse_file(struct memory *memory, const char *error)
{
	char aside[PATH_MAX], text[3 * PATH_MAX];
	bool moved = put_aside(memory, aside);

	snprintf(text, sizeof text, "%s; starting without records%s%s", error,
	    moved ? ", the file is now "
		  : ", and what is learned is not saved: the file is "
		    "left as it is",
	    moved ? aside : "");
	memory_say(memory, true, text);
	if (!moved)
		leave_file(memory);
}

/* Two that save to one file would destroy what the other has learned.  The lock
 * ends with the process; where it cannot be made, nothing can be saved either, and
 * that is told then. */
static bool
is_ours(struct memory *memory)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char path[PATH_MAX], text[PATH_MAX + 128];

	if (snprintf(path, sizeof path, "%s.lock", memory->file) >=
	    (int)sizeof path)
		return true;
	memory->lock =
	    open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (memory->lock < 0 || fcntl(memory->lock, F_SETLK, &lock) == 0 ||
	    (errno != EACCES && errno != EAGAIN))
		return true;
	(void)fcntl(memory->lock, F_GETLK, &lock);
	snprintf(text, sizeof text,
	    "%s: another process (%ld) keeps its records there; these here "
	    "are not saved",
	    memory->file, (long)lock.l_pid);
	memory_say(memory, true, text);
	return false;
}

void
memory_load(struct memory *memory, int64_t now)
{
	struct memory_records records = {
	    .lists = &memory->lists, .matches = &memory->matches};
	char error[REPORT_SIZE], text[REPORT_SIZE];

	if (memory->file == NULL || !is_ours(memory)) {
		leave_file(memory);
		return;
	}
	switch (memory_file_read(
	    memory->file, &memory->key, &records, error, sizeof error)) {
	case MEMORY_READ_NONE:
		return;
	case MEMORY_READ_REFUSED:
		refuse_file(memory, error);
		return;
	case MEMORY_READ_OK:
		break;
	}
	for (size_t i = 0; i < records.count; i++)
		memory_book_adopt(memory->book, records.array[i], now);
	free(records.array);
	snprintf(text, sizeof text, "read %zu records from %s",
	    memory_book_count(memory->book), memory->file);
	memory_say(memory, false, text);
}
