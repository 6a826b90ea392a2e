#include "web/users.h"

#include <crypt.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/secret.h"
#include "web/token.h"

#define LINE_SIZE 512
#define LINES_MAX 1000
#define HASH_SIZE 256

/* What a password is compared with where there is no user, so that both take as
 * long: yescrypt, of nobody's password. */
#define NOBODY                                                                 \
	"$y$j9T$F5Jx5fExrKuPp53xLKQ..1$"                                       \
	"X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7"

struct line {
	struct user user;
	char hash[HASH_SIZE];
};

/* NULL, or what is wrong with the line; an empty one has no name. */
static const char *
read_line(const char *text, struct line *line_r)
{
	size_t name = strcspn(text, ":\r\n");
	size_t hash;
	const char *role;

	memset(line_r, 0, sizeof *line_r);
	if (text[0] == '#' || text[strspn(text, " \t\r\n")] == '\0')
		return NULL;
	if (text[name] != ':' || name == 0 || name >= USER_NAME_SIZE)
		return "NAME:HASH:ROLE is wanted";
	for (size_t i = 0; i < name; i++)
		if (!ascii_is_alnum(text[i]) && strchr("-_.@", text[i]) == NULL)
			return "a name has letters, digits and -_.@ alone";
	hash = strcspn(text + name + 1, ":\r\n");
	role = text + name + 1 + hash;
	if (*role != ':' || hash == 0 || hash >= HASH_SIZE)
		return "NAME:HASH:ROLE is wanted";
	role++;
	if (strncmp(role, "read", 4) == 0 && strcspn(role, "\r\n") == 4)
		line_r->user.role = ROLE_READ;
	else if (strncmp(role, "change", 6) == 0 && strcspn(role, "\r\n") == 6)
		line_r->user.role = ROLE_CHANGE;
	else
		return "the role is read or change";
	memcpy(line_r->user.name, text, name);
	memcpy(line_r->hash, text + name + 1, hash);
	line_r->user.stamp = hash_64(HASH_64, line_r->hash, hash);
	return NULL;
}

static FILE *
open_users(const char *path)
{
	struct stat status;
	int fd = file_open(path, &status);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (file == NULL && fd >= 0)
		(void)close(fd);
	return file;
}

/* A line that is wrong is nobody's. */
static bool
find(const char *path, const char *name, struct line *line_r)
{
	FILE *file = open_users(path);
	char text[LINE_SIZE];
	bool found = false;

	for (int i = 0; file != NULL && !found && i < LINES_MAX &&
	     fgets(text, sizeof text, file) != NULL;
	     i++)
		found = read_line(text, line_r) == NULL &&
		    line_r->user.name[0] != '\0' &&
		    strcmp(line_r->user.name, name) == 0;
	if (file != NULL)
		(void)fclose(file);
	secret_wipe(text, sizeof text);
	return found;
}

static bool
password_suits(const char *password, const char *hash)
{
	struct crypt_data *data = calloc(1, sizeof *data);
	const char *made = data == NULL ? NULL : crypt_r(password, hash, data);
	bool suits = made != NULL && made[0] != '*' && token_equal(made, hash);

	if (data != NULL)
		secret_wipe(data, sizeof *data);
	free(data);
	return suits;
}

bool
users_check(const char *path, const char *name, const char *password,
    struct user *user_r)
{
	struct line line;
	bool found = find(path, name, &line);
	bool suits = password_suits(password, found ? line.hash : NOBODY);

	if (found && suits)
		*user_r = line.user;
	secret_wipe(&line, sizeof line);
	return found && suits;
}

bool
users_find(const char *path, const char *name, struct user *user_r)
{
	struct line line;
	bool found = path[0] != '\0' && find(path, name, &line);

	if (found)
		*user_r = line.user;
	secret_wipe(&line, sizeof line);
	return found;
}

bool
users_test(const char *path, char *why_r, size_t size)
{
	FILE *file = open_users(path);
	char text[LINE_SIZE];
	const char *wrong = NULL;
	struct line line;
	int number = 0;

	if (file == NULL) {
		(void)snprintf(why_r, size, "%s: %s", path, file_why(errno));
		return false;
	}
	while (wrong == NULL && number < LINES_MAX &&
	    fgets(text, sizeof text, file) != NULL) {
		number++;
		wrong = read_line(text, &line);
	}
	(void)fclose(file);
	secret_wipe(text, sizeof text);
	secret_wipe(&line, sizeof line);
	if (wrong == NULL)
		return true;
	(void)snprintf(why_r, size, "%s: line %d: %s", path, number, wrong);
	return false;
}
