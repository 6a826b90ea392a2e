#include "dns/client_names.h"

#include <check.h>
#include <string.h>

#include "lib/check_main.h"

#define NOON INT64_C(1780000000)

static struct netaddr
address(const char *text)
{
	struct netaddr addr;

	ck_assert(netaddr_parse(text, &addr));
	return addr;
}

static const struct {
	const char *when;
	const char *organisation; /* noted last, of 192.0.2.7 */
	const char *asked;
	int64_t after;
	const char *recalled;
} rows[] = {
    {"who was an organisation's still is", "mail.example", "192.0.2.7", 60,
	"mail.example"},
    {"for two days", "mail.example", "192.0.2.7", CLIENT_NAMES_KEPT,
	"mail.example"},
    {"and no longer", "mail.example", "192.0.2.7", CLIENT_NAMES_KEPT + 1, NULL},
    {"nobody else is", "mail.example", "192.0.2.8", 60, NULL},
    {"another name replaces it", "other.example", "192.0.2.7", 60,
	"other.example"},
    {"and so does none", NULL, "192.0.2.7", 60, NULL},
};

START_TEST(recalls)
{
	struct client_names *names = client_names_create(42);
	struct netaddr noted = address("192.0.2.7");
	struct netaddr asked = address(rows[_i].asked);
	char organisation[HOSTNAME_SIZE] = "";
	bool found;

	client_names_note(names, &noted, "first.example", NOON - 60);
	client_names_note(names, &noted, rows[_i].organisation, NOON);
	found = client_names_recall(
	    names, &asked, NOON + rows[_i].after, organisation);
	ck_assert_msg(found == (rows[_i].recalled != NULL) &&
		(!found || strcmp(organisation, rows[_i].recalled) == 0),
	    "%s: %s", rows[_i].when, organisation);
	client_names_free(&names);
	ck_assert_ptr_null(names);
}
END_TEST

CHECK_MAIN("client_names", all)
{
	tcase_add_loop_test(all, recalls, 0, COUNT(rows));
}
