#include "base/ascii.h"
#include "redis/error.h"

#include <stdlib.h>
#include <string.h>

#include "lib/check_main.h"

static const struct {
	const char *when;
	const char *text;
	enum redis_error error;
} rows[] = {
    {"no error", NULL, REDIS_ERROR_NONE},
    {"it reads its data", "LOADING Redis is loading the dataset in memory",
	REDIS_ERROR_UNFIT},
    {"it is a replica", "READONLY You can't write against a read only replica.",
	REDIS_ERROR_UNFIT},
    {"it is a replica without master",
	"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is "
	"set "
	"to 'no'.",
	REDIS_ERROR_UNFIT},
    {"it wants a password", "NOAUTH Authentication required.",
	REDIS_ERROR_UNFIT},
    {"it runs a script", "BUSY Redis is busy running a script.",
	REDIS_ERROR_UNFIT},
    {"which is another thing than a busy key",
	"BUSYKEY Target key name already exists.", REDIS_ERROR_RECORD},
    {"it protects itself", "DENIED Redis is running in protected mode",
	REDIS_ERROR_UNFIT},
    {"it is full of clients", "ERR max number of clients reached",
	REDIS_ERROR_UNFIT},
    {"it is full of clients and nodes",
	"ERR max number of clients + cluster connections reached",
	REDIS_ERROR_UNFIT},
    {"it is full of data", "OOM command not allowed", REDIS_ERROR_UNABLE},
    {"it cannot save", "MISCONF Redis is configured to save RDB snapshots",
	REDIS_ERROR_UNABLE},
    {"it lacks replicas", "NOREPLICAS Not enough good replicas to write.",
	REDIS_ERROR_UNABLE},
    {"we may not do this", "NOPERM this user has no permissions",
	REDIS_ERROR_REFUSED},
    {"it is older than the command", "ERR unknown command 'HSETNX'",
	REDIS_ERROR_REFUSED},
    {"its cluster is down", "CLUSTERDOWN Hash slot not served",
	REDIS_ERROR_REFUSED},
    {"the key is of another type", "WRONGTYPE Operation against a key",
	REDIS_ERROR_RECORD},
    {"the field is no counter", "ERR hash value is not an integer",
	REDIS_ERROR_RECORD},
    {"the counter is full", "ERR increment or decrement would overflow",
	REDIS_ERROR_HARMLESS},
    {"the slot has moved", "MOVED 3999 127.0.0.1:6381", REDIS_ERROR_REDIRECT},
    {"the slot is moving", "ASK 3999 127.0.0.1:6381", REDIS_ERROR_REDIRECT},
    {"it says nothing", "", REDIS_ERROR_RECORD},
};

START_TEST(meanings)
{
	ck_assert_msg(redis_error_judge(rows[_i].text) == rows[_i].error, "%s",
	    rows[_i].when);
}
END_TEST

static const struct {
	const char *when;
	const char *text;
	size_t size;
	const char *words;
} clean_rows[] = {
    {"good words stay", "ERR no", 8, "ERR no"},
    {"long words are cut", "ERR no", 4, "ERR"},
    {"controls become visible", "a\r\nb\x1b[2J\x7f", 20, "a??b?[2J?"},
    {"so does what is not ASCII", "\xc3\xa9", 20, "??"},
    {"there may be none", "", 20, ""},
};

START_TEST(words)
{
	char cleaned[20];

	ascii_clean(clean_rows[_i].text, cleaned, clean_rows[_i].size);
	ck_assert_msg(strcmp(cleaned, clean_rows[_i].words) == 0, "%s",
	    clean_rows[_i].when);
}
END_TEST

CHECK_MAIN("redis_error", all)
{
	tcase_add_loop_test(all, meanings, 0, COUNT(rows));
	tcase_add_loop_test(all, words, 0, COUNT(clean_rows));
}
