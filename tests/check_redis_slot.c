#include "redis/map.h"

#include "lib/check_main.h"

/* The values are those of CLUSTER KEYSLOT. */
static const struct {
	const char *when;
	const char *key;
	unsigned slot;
} rows[] = {
    {"the check value of CRC16/XMODEM", "123456789", 0x31c3},
    {"an empty key", "", 0},
    {"a key without a tag counts in full", "foo", 12182},
    {"a tag counts alone", "{foo}", 12182},
    {"wherever it stands", "mdefer:1:{foo}:r:7", 12182},
    {"only the first tag counts", "{foo}{bar}", 12182},
    {"an empty tag is none", "{}", 15257},
    {"and a later tag is then none either", "{}{foo}", 2263},
    {"a brace inside a tag is part of it", "{{foo}", 13308},
    {"a tag that is not closed is none", "{foo", 13308},
    {"a brace that was not opened is nothing", "foo}", 15679},
    {"bytes above 127 count unsigned", "\xff\xfe", 3374},
};

START_TEST(slots)
{
	ck_assert_msg(redis_slot(rows[_i].key) == rows[_i].slot, "%s: %u",
	    rows[_i].when, redis_slot(rows[_i].key));
}
END_TEST

CHECK_MAIN("redis_slot", all)
{
	tcase_add_loop_test(all, slots, 0, COUNT(rows));
}
