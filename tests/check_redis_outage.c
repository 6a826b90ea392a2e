#include "redis/outage.h"

#include <stdlib.h>

#include "lib/check_main.h"

#define REFUSED "Connection refused"
#define CLOSED	"closed by the server"
#define LOADING "LOADING Redis is loading the dataset in memory"
#define NOAUTH	"NOAUTH Authentication required."

enum { NONE = REDIS_NEWS_NONE, DOWN = REDIS_NEWS_DOWN, UP = REDIS_NEWS_UP };

/* Rows of one story follow each other; a row at 0 begins a new one. */
static const struct {
	const char *when;
	int64_t ms;
	const char *why; /* NULL: it is well */
	int news;
} rows[] = {
    {"all is well from the start", 0, NULL, NONE},

    {"a fault is told at once", 0, REFUSED, DOWN},
    {"it is not told again", 50, REFUSED, NONE},
    {"nor after a long time", 90000, REFUSED, NONE},
    {"its end is told", 90001, NULL, UP},
    {"and not told again", 90002, NULL, NONE},
    {"the next fault is told at once", 90003, REFUSED, DOWN},

    {"lost", 0, CLOSED, DOWN},
    {"other words of the system tell nothing new", 40000, REFUSED, NONE},
    {"Redis's own word does", 40001, LOADING, DOWN},
    {"but another one not before half a minute", 70000, NOAUTH, NONE},
    {"then it is told", 70001, NOAUTH, DOWN},
    {"one end for all of it", 70002, NULL, UP},

    {"flapping, first fault", 0, CLOSED, DOWN},
    {"first end", 1, NULL, UP},
    {"second fault", 2, CLOSED, DOWN},
    {"second end", 3, NULL, UP},
    {"third fault", 4, CLOSED, DOWN},
    {"third end", 5, NULL, UP},
    {"fourth fault", 6, CLOSED, DOWN},
    {"fourth end", 7, NULL, UP},
    {"fifth fault", 8, CLOSED, DOWN},
    {"fifth end", 9, NULL, UP},
    {"the sixth finds the allowance used up", 10, CLOSED, NONE},
    {"what was not told does not end", 11, NULL, NONE},
    {"a seventh stays", 12, CLOSED, NONE},
    {"until there is an allowance", 29999, CLOSED, NONE},
    {"then it is told after all", 30000, CLOSED, DOWN},
    {"and ends", 30001, NULL, UP},
    {"a fault after that waits again", 30002, CLOSED, NONE},
    {"but in quiet times the allowance grows again", 200000, CLOSED, DOWN},
    {"which ends", 200001, NULL, UP},
    {"and may come again", 200002, CLOSED, DOWN},
};

START_TEST(stories)
{
	struct redis_outage outage = {0};

	for (int i = 0; i < COUNT(rows); i++) {
		enum redis_news news;

		if (rows[i].ms == 0)
			outage = (struct redis_outage){0};
		news = redis_outage_note(&outage, rows[i].why, rows[i].ms);
		ck_assert_msg((int)news == rows[i].news, "%s", rows[i].when);
	}
}
END_TEST

CHECK_MAIN("redis_outage", all)
{
	tcase_add_test(all, stories);
}
