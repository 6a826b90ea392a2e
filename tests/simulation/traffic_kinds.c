/* The world, as two tables.
 *
 * RFC 5321 4.5.4.1 asks honest senders to retry after 30 minutes and for 4 to 5
 * days.  What they really do:
 *   mail server  the defaults of Postfix 3 (minimal_backoff_time 300 s, and a
 *                queue looked through every 300 s), sendmail -q30m, Exim with a
 *                queue runner every 30 minutes, qmail (400 n^2), Exchange
 *   provider     what ten webmail providers did when they were asked to wait for
 *                six hours: Pagani, De Astis, Graziano, Lanzi, Balzarotti,
 *                "Measuring the Role of Greylisting and Nolisting in Fighting
 *                Spam", DSN 2016
 *   soon, late   "between 200 and 285 seconds, then 3 hours later": the reason
 *                why Mail-in-a-Box set the delay of its greylisting to 180 s
 *                (its pull request 413, 2015)
 *   late         "long retry", "6 hours", "12 hours" in the list of exempted
 *                clients that comes with postgrey (2004 to 2024)
 * Of senders with odd habits there are as many as that list has of their kind:
 * 28 that never retry, 29 pools, 16 that come back late, 7 with a new envelope
 * sender each time, 5 that only verify addresses.
 *
 * Bots are guesses, made so that no choice of a delay comes for nothing: most
 * never retry, some do it at once, some within ten minutes, some after ten. */
#include "traffic.h"

#define MIN  INT64_C(60)
#define HOUR INT64_C(3600)
#define DAY  TRAFFIC_DAY

/* clang-format off */
const struct schedule traffic_schedules[] = {
/*   name             waits (s), the last again and again         spread  factor longest  tries  for */
    {"mail server",   {450, 600},                                 0.33,   2,     4000,    200,   5 * DAY},
    {"mail server",   {15 * MIN, 30 * MIN},                       0.95,   1,     HOUR,    300,   5 * DAY},
    {"mail server",   {30 * MIN, 30 * MIN},                       0.5,    1.2,   6 * HOUR, 200,  4 * DAY},
    {"mail server",   {400, 1200, 2000, 2800, 3600},              0.02,   1.2,   8 * HOUR, 200,  7 * DAY},
    {"mail server",   {310, 310, 310, 310, 15 * MIN},             0.02,   1,     15 * MIN, 300,  2 * DAY},

    {"provider",      {362, 1380, 1654, 2528, 3799, 4061},        0.05,   1.2,   3 * HOUR, 100,  2 * DAY},
    {"provider",      {127, 212, 439, 858, 1676, 3262},           0.05,   2,     4 * HOUR, 100,  2 * DAY},
    {"provider",      {61, 62, 61, 122, 181, 241},                0.05,   1,     HOUR,    400,   DAY},
    {"provider",      {305, 6, 6, 62, 123, 243, 484, 1924},       0.02,   1.5,   2 * HOUR, 12,   DAY},
    {"provider",      {78, 1077, 1798, 1830, 2011, 2458},         0.05,   1,     HOUR,    100,   2 * DAY},
    {"provider",      {65, 113, 235, 482, 933, 930},              0.05,   1,     HOUR,    300,   DAY},
    {"provider",      {302, 455, 682, 1024, 1535, 2303},          0.02,   1.5,   4 * HOUR, 100,  2 * DAY},
    {"provider",      {301, 452, 677, 1016, 1523, 2285},          0.02,   1.5,   4 * HOUR, 100,  2 * DAY},
    {"provider",      {332, 360, 600, 600},                       0.05,   1,     HOUR,      5,   HOUR},
    {"provider",      {381, 600, 1200, 2400, 4200},               0.02,   1,     2 * HOUR, 100,  2 * DAY},

    {"campaign",      {15 * MIN},                                 0.15,   2,     4 * HOUR, 12,   2 * DAY},
    {"soon, late",    {242, 3 * HOUR},                            0.17,   1,     3 * HOUR, 40,   4 * DAY},
    {"late",          {7 * HOUR + 30 * MIN},                      0.2,    1,     9 * HOUR, 12,   4 * DAY},

    {"never",         {1},                                        0,      1,     1,         1,   0},
    {"at once",       {40},                                       0.15,   1,     HOUR,      2,   HOUR},
    {"within ten",    {330},                                      0.82,   1,     HOUR,      2,   HOUR},
    {"after ten",     {10 * MIN},                                 0.15,   1,     HOUR,      2,   DAY},
    {"thorough",      {8 * MIN},                                  0.15,   2,     2 * HOUR, 10,   DAY},
};

#define GOOD true
#define BAD  false
#define MOVES true  /* a retry comes from another host, in another network */
#define STAYS false

const struct kind traffic_kinds[] = {
/*   name               whose rhythm        senders per day burst from         names         networks hosts retries  contacts rcpts unknown spam malf. schedule */
    {"provider",        GOOD, OFFICE_HOURS,  10,   270,     0, FROM_PEOPLE, NAMED_AS_ONE,       6,   16,   MOVES,    400,   2,   0.015, 0.02,  0,    "provider"},
    {"company",         GOOD, OFFICE_HOURS,  60,    20,     0, FROM_PEOPLE, NAMED_AS_ONE,       1,    2,   MOVES,     60,   3,   0.007, 0.005, 0,    "mail server"},
    {"small office",    GOOD, OFFICE_HOURS, 400,     1,     0, FROM_PEOPLE, NAMED_AS_ONE,       1,    1,   STAYS,      8,   2,   0.01,  0.005, 0,    "mail server"},
    {"private server",  GOOD, ALL_DAY,      300,     0.2,   0, FROM_PEOPLE, NAMED_AS_ONE,       1,    1,   STAYS,      3,   1,   0.01,  0,     0,    "mail server"},
    {"without a name",  GOOD, OFFICE_HOURS,  40,     1.5,   0, FROM_PEOPLE, NOT_NAMED,          1,    1,   STAYS,      6,   1,   0.01,  0,     0,    "mail server"},
    {"newsletter",      GOOD, OFFICE_HOURS,  20,     1,    60, FROM_VERP,   NAMED_AS_ONE,       1,    4,   MOVES,    200,   1,   0.02,  0.02,  0,    "campaign"},
    {"newcomer",        GOOD, OFFICE_HOURS,  10,    15,     0, FROM_PEOPLE, NAMED_APART,    50000,    1,   STAYS,   2000,   1,   0.02,  0,     0,    "mail server"},
    {"pool",            GOOD, OFFICE_HOURS,  25,    10,     0, FROM_PEOPLE, NAMED_AS_ONE,      12,    8,   MOVES,    100,   1,   0.01,  0.005, 0,    "mail server"},
    {"pool, no names",  GOOD, OFFICE_HOURS,   4,    10,     0, FROM_PEOPLE, NOT_NAMED,          4,    4,   MOVES,    100,   1,   0.01,  0.005, 0,    "mail server"},
    {"soon, then late", GOOD, OFFICE_HOURS,  40,     1.5,   0, FROM_PEOPLE, NAMED_AS_ONE,       1,    1,   STAYS,     20,   1,   0.01,  0,     0,    "soon, late"},
    {"late",            GOOD, OFFICE_HOURS,  16,     1.5,   0, FROM_PEOPLE, NAMED_AS_ONE,       1,    1,   STAYS,     20,   1,   0.01,  0,     0,    "late"},
    {"no retry",        GOOD, OFFICE_HOURS,  28,     1.5,   0, FROM_PEOPLE, NAMED_AS_ONE,       1,    1,   STAYS,     20,   1,   0.01,  0,     0,    "never"},
    {"unique senders",  GOOD, ALL_DAY,        7,    20,     0, FROM_UNIQUE, NAMED_AS_ONE,       1,    2,   MOVES,     40,   1,   0.01,  0.005, 0,    "mail server"},
    {"callouts",        GOOD, ALL_DAY,        5,    20,     0, FROM_NOBODY, NAMED_AS_ONE,       1,    2,   STAYS,    200,   1,   0.3,   0,     0,    "never"},

    {"bots",            BAD,  ALL_DAY,        4,  1500,     0, FROM_PEOPLE, NAMED_AS_LINE,  20000,   40,   STAYS,   2000,   3,   0.4,   0.6,   0.25, "never"},
    {"bots, hasty",     BAD,  ALL_DAY,        2,   700,     0, FROM_PEOPLE, NOT_NAMED,      10000,   40,   STAYS,   2000,   3,   0.4,   0.6,   0.25, "at once"},
    {"bots, soon",      BAD,  ALL_DAY,        1,   500,     0, FROM_PEOPLE, NAMED_AS_LINE,   5000,   40,   STAYS,   2000,   3,   0.3,   0.6,   0.25, "within ten"},
    {"bots, patient",   BAD,  ALL_DAY,        1,   500,     0, FROM_PEOPLE, NAMED_AS_LINE,   5000,   40,   STAYS,   2000,   3,   0.3,   0.6,   0.25, "after ten"},
    {"snowshoe",        BAD,  ALL_DAY,       40,    60,     0, FROM_PEOPLE, NAMED_APART,        3,   30,   STAYS,   2000,   1,   0.08,  0.35,  0,    "thorough"},
    {"dictionary",      BAD,  ALL_DAY,       12,   120,     0, FROM_PEOPLE, NOT_NAMED,          1,    1,   STAYS,   2000,   8,   0.95,  0.6,   0,    "never"},

    /* of attackers there are so many for each server */
    {"attack, bots",    BAD,  ATTACK,         1, 43200,     0, FROM_PEOPLE, NAMED_AS_LINE,  10000,   40,   STAYS,   2000,   2,   0.3,   0.6,   0,    "never"},
    {"attack, thorough", BAD, ATTACK,         1, 86400,     0, FROM_PEOPLE, NAMED_APART,     2000,   30,   STAYS,   2000,   1,   0.1,   0.4,   0,    "thorough"},
};
/* clang-format on */

const size_t traffic_schedule_count =
    sizeof traffic_schedules / sizeof traffic_schedules[0];
const size_t traffic_kind_count =
    sizeof traffic_kinds / sizeof traffic_kinds[0];
