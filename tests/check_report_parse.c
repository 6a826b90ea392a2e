#include "store/reports.h"

#include <stdio.h>
#include <string.h>

#include "lib/check_main.h"
#include "lib/shipped.h"

/* The shipped weights: spam 10, ham 2, trap 20. */
static const struct {
	const char *when;
	const char *text;
	const char *client;
	double good, bad;
} good_rows[] = {
    {"an event of an address", "192.0.2.7 report_spam", "192.0.2.7", 0, 10},
    {"a good one", "192.0.2.7 ham", "192.0.2.7", 2, 0},
    {"IPv6", "2001:DB8::25 report_trap", "2001:db8::25", 0, 20},
    {"IPv4 within IPv6 is IPv4", "::ffff:192.0.2.7 spam", "192.0.2.7", 0, 10},
    {"an address as an MTA writes it", "[192.0.2.7] spam", "192.0.2.7", 0, 10},
    {"points", "192.0.2.7 12.5", "192.0.2.7", 12.5, 0},
    {"bad ones have a minus", "192.0.2.7 -12.5", "192.0.2.7", 0, 12.5},
    {"as many as there may be", "192.0.2.7 -1000", "192.0.2.7", 0, 1000},
    {"no points change nothing", "192.0.2.7 0", "192.0.2.7", 0, 0},
    {"several times", "192.0.2.7 spam 3", "192.0.2.7", 0, 30},
    {"as often as may be", "192.0.2.7 ham 100", "192.0.2.7", 200, 0},
    {"points several times", "192.0.2.7 -2 4", "192.0.2.7", 0, 8},
    {"blanks and a line end do not matter", " \t192.0.2.7 \t spam  \r\n",
	"192.0.2.7", 0, 10},
};

START_TEST(reports_that_count)
{
	char client[NETADDR_TEXT_SIZE];
	struct report report;

	ck_assert_msg(
	    report_parse(good_rows[_i].text, &shipped_weights, &report),
	    "%s: refused", good_rows[_i].when);
	netaddr_format(&report.client, client);
	ck_assert_str_eq(client, good_rows[_i].client);
	ck_assert_msg(report.points.good == good_rows[_i].good &&
		report.points.bad == good_rows[_i].bad,
	    "%s: got %g and %g", good_rows[_i].when, report.points.good,
	    report.points.bad);
}
END_TEST

START_TEST(every_event_counts_on_its_side)
{
	const struct reputation_event_info *info = &reputation_events[_i];
	double points = shipped_weights.points[_i];
	struct report report;
	char text[64];

	snprintf(text, sizeof text, "192.0.2.7 %s", info->name);
	ck_assert(report_parse(text, &shipped_weights, &report));
	ck_assert_double_eq(report.points.good, info->good ? points : 0);
	ck_assert_double_eq(report.points.bad, info->good ? 0 : points);
}
END_TEST

static const struct {
	const char *when;
	const char *text;
} bad_rows[] = {
    {"nothing at all", ""},
    {"only blanks", " \t\r\n"},
    {"no event", "192.0.2.7"},
    {"no address", "report_spam"},
    {"an address that is none", "192.0.2.256 spam"},
    {"a network", "192.0.2.0/24 spam"},
    {"an organisation without a name", "@ spam"},
    {"one whose name is none", "@exa_mple..org spam"},
    {"a name", "mx.example.org spam"},
    {"an unknown event", "192.0.2.7 murder"},
    {"an event cut short", "192.0.2.7 spa"},
    {"an event with more behind", "192.0.2.7 spammer"},
    {"an event in capitals", "192.0.2.7 SPAM"},
    {"too many points", "192.0.2.7 1000.1"},
    {"too many bad ones", "192.0.2.7 -1000.1"},
    {"points without end", "192.0.2.7 inf"},
    {"points that are no number", "192.0.2.7 nan"},
    {"points with something behind", "192.0.2.7 5x"},
    {"zero times", "192.0.2.7 spam 0"},
    {"a negative number of times", "192.0.2.7 spam -1"},
    {"a signed one", "192.0.2.7 spam +1"},
    {"too often", "192.0.2.7 spam 101"},
    {"beyond any number", "192.0.2.7 spam 99999999999999999999"},
    {"half a time", "192.0.2.7 spam 1.5"},
    {"a fourth word", "192.0.2.7 spam 1 1"},
};

START_TEST(reports_that_are_malformed)
{
	struct report report;

	ck_assert_msg(
	    !report_parse(bad_rows[_i].text, &shipped_weights, &report),
	    "%s was taken", bad_rows[_i].when);
}
END_TEST

START_TEST(an_event_without_weight_is_well_formed)
{
	struct reputation_weights none = {{0}};
	struct report report;

	ck_assert(report_parse("192.0.2.7 spam", &none, &report));
	ck_assert(report.points.good == 0 && report.points.bad == 0);
}
END_TEST

START_TEST(an_organisation_is_named_by_its_domain)
{
	struct report report;

	ck_assert(report_parse("@Example.ORG -2.5", &shipped_weights, &report));
	ck_assert_str_eq(report.organisation, "@example.org");
	ck_assert_double_eq_tol(report.points.bad, 2.5, 0.001);
	ck_assert(report_parse("192.0.2.7 spam", &shipped_weights, &report));
	ck_assert_str_eq(report.organisation, "");
}
END_TEST

START_TEST(long_lines_are_malformed)
{
	struct report report;
	char line[REPORT_SIZE + 1];

	memset(line, ' ', sizeof line);
	memcpy(line, "192.0.2.7 spam", 14);
	line[REPORT_SIZE - 1] = '\0';
	ck_assert(report_parse(line, &shipped_weights, &report));
	line[REPORT_SIZE - 1] = ' ';
	line[REPORT_SIZE] = '\0';
	ck_assert(!report_parse(line, &shipped_weights, &report));
}
END_TEST

CHECK_MAIN("report_parse", tcase)
{
	tcase_add_loop_test(tcase, reports_that_count, 0, COUNT(good_rows));
	tcase_add_loop_test(
	    tcase, every_event_counts_on_its_side, 0, REPUTATION_EVENT_COUNT);
	tcase_add_loop_test(
	    tcase, reports_that_are_malformed, 0, COUNT(bad_rows));
	tcase_add_test(tcase, an_event_without_weight_is_well_formed);
	tcase_add_test(tcase, long_lines_are_malformed);
	tcase_add_test(tcase, an_organisation_is_named_by_its_domain);
}
