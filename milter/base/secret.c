#include "base/secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/file.h"

/* NULL, or what is wrong with the line.  `secret_r` loses its line end. */
static const char *
read_line(FILE *file, char secret_r[SECRET_SIZE])
{
	size_t length;

	if (fgets(secret_r, SECRET_SIZE, file) == NULL)
		return ferror(file) ? strerror(errno) : "is empty";
	length = strlen(secret_r);
	if (length == SECRET_SIZE - 1)
		return "has a line that is too long";
	while (length > 0 && strchr("\r\n", secret_r[length - 1]) != NULL)
		secret_r[--length] = '\0';
	if (length == 0)
		return "has an empty first line";
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)secret_r[i] < ' ')
			return "has control characters in its first line";
	return NULL;
}

bool
secret_read(const char *path, char secret_r[SECRET_SIZE], char *error_r,
    size_t error_size)
{
	struct stat status;
	int fd = file_open(path, &status);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	const char *wrong;

	if (file == NULL) {
		snprintf(error_r, error_size, "%s: %s", path, file_why(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	setvbuf(file, NULL, _IONBF, 0); /* leave no copy behind */
	wrong = read_line(file, secret_r);
	fclose(file);
	if (wrong == NULL)
		return true;
	secret_wipe(secret_r, SECRET_SIZE);
	snprintf(error_r, error_size, "%s: %s", path, wrong);
	return false;
}

void
secret_wipe(void *secret, size_t size)
{
	OPENSSL_cleanse(secret, size);
}
