#include "policy/condition.h"

#include <stdlib.h>
#include <string.h>

#include "lib/check_main.h"
#include "lib/shipped.h"
#include "mail/sightings.h"

#define NOON   INT64_C(1767268800) /* 2026-01-01 12:00 UTC, an hour's edge */
#define HOUR   INT64_C(3600)
#define SUNDAY 0

/* Values of conditions, as the configuration reader leaves them. */
#define NONE                                                                   \
	{                                                                      \
		.count = 0                                                     \
	}
#define NUMBER(n)                                                              \
	{                                                                      \
		.number = (n)                                                  \
	}
#define REAL(r)                                                                \
	{                                                                      \
		.real = (r)                                                    \
	}
#define ARRAY(member, type, ...)                                               \
	{                                                                      \
		.member = (type[]){__VA_ARGS__},                               \
		.count = sizeof((type[]){__VA_ARGS__}) / sizeof(type)          \
	}
#define GLOBS(...)    ARRAY(globs, char *, __VA_ARGS__)
#define NETWORKS(...) ARRAY(networks, struct network, __VA_ARGS__)
#define HEADERS(...)  ARRAY(headers, struct header_pattern, __VA_ARGS__)
#define HOURS(...)    ARRAY(hours, struct hours, __VA_ARGS__)
#define HEADER_ABOVE(name, r)                                                  \
	{                                                                      \
		.header = (name), .real = (r)                                  \
	}
#define LIMIT(n)                                                               \
	{                                                                      \
		.above = (n), .period = HOUR                                   \
	}
#define RETRIED(n)                                                             \
	{                                                                      \
		.number = (n), .period = GREYLIST_WINDOW,                      \
		.keep = GREYLIST_KEEP                                          \
	}
#define SCALED(n)                                                              \
	{                                                                      \
		.above = (n), .period = HOUR, .scaled = true                   \
	}

/* Facts. */
#define IPV4(a, b, c, d)                                                       \
	{                                                                      \
		{a, b, c, d}, 4                                                \
	}
#define IPV6(last)                                                             \
	{                                                                      \
		{0x20, 1, 0xd, 0xb8, [15] = (last)}, 16                        \
	}
#define NAMED(text)                                                            \
	{                                                                      \
		.name_certainty = FACT_KNOWN, .name = (text)                   \
	}
#define NAME_UNKNOWN                                                           \
	{                                                                      \
		.name_certainty = FACT_UNKNOWN, .name = ""                     \
	}
#define GREETED(text)                                                          \
	{                                                                      \
		.helo_certainty = FACT_KNOWN, .helo = (text)                   \
	}
#define SENT_BY(text)                                                          \
	{                                                                      \
		.sender = (text)                                               \
	}
#define NULL_SENDER                                                            \
	{                                                                      \
		.sender = "", .null_sender = true                              \
	}
#define SCORED(s)                                                              \
	{                                                                      \
		.record_certainty = FACT_KNOWN, .score = (s)                   \
	}
#define RECORD(c)                                                              \
	{                                                                      \
		.record_certainty = (c)                                        \
	}
#define MINUTE(day, hour, min)                                                 \
	{                                                                      \
		.weekday = (day), .minute = (hour)*60 + (min)                  \
	}
#define WITH_HEADERS(done, ...)                                                \
	{                                                                      \
		.complete = (done), .headers = (struct header[]){__VA_ARGS__}, \
		.header_count = sizeof((struct header[]){__VA_ARGS__}) /       \
		    sizeof(struct header)                                      \
	}
#define COUNTED(certain, unit, now_, before)                                   \
	{                                                                      \
		.now = NOON, .limits = (struct limit_count[])                  \
		{                                                              \
			{                                                      \
				(certain), {(unit), {0, (now_), (before)}},    \
				{                                              \
					0                                      \
				}                                              \
			}                                                      \
		}                                                              \
	}

/* Filled by main: list 0 is there, list 1 could never be read. */
static const struct list *lists[2];
static struct list *own_list;
#define LOADED	 NUMBER(0)
#define UNLOADED NUMBER(1)

static const struct recipient bob = {
    .address = "Bob@example.org", .domain = "example.org"};
static const struct recipient unasked = {
    .address = "bob@example.org", .clock_certainty = FACT_ASK};
static const struct recipient unheard = {
    .address = "bob@example.org", .clock_certainty = FACT_UNKNOWN};
static const struct recipient first_time = {
    .address = "bob@example.org", .clock_certainty = FACT_KNOWN};
static const struct recipient pending = {.address = "bob@example.org",
    .clock_certainty = FACT_KNOWN,
    .clock = {[CLOCK_REAL] = {NOON - 300, 0}}};
static const struct recipient passed = {.address = "bob@example.org",
    .clock_certainty = FACT_KNOWN,
    .clock = {[CLOCK_REAL] = {0, NOON - 1}}};

static const bool crossed[] = {true};
static const bool not_crossed[] = {false};

struct row {
	const char *when;
	const char *name;
	struct condition asks;
	struct facts facts;
	const struct recipient *recipient;
	enum answer answer;
};

#define PRIVATE                                                                \
	{                                                                      \
		IPV4(10, 0, 0, 0), 8                                           \
	}
#define DOCUMENTATION                                                          \
	{                                                                      \
		IPV6(0), 64                                                    \
	}
#define TO_MIDNIGHT(day)                                                       \
	{                                                                      \
		1 << (day), 22 * 60, 24 * 60                                   \
	}
#define PAST_MIDNIGHT(day)                                                     \
	{                                                                      \
		1 << (day), 22 * 60, 6 * 60                                    \
	}
#define OFFICE_HOURS(d)                                                        \
	{                                                                      \
		1 << (d), 8 * 60, 18 * 60                                      \
	}
#define FLAG(pattern)                                                          \
	{                                                                      \
		"X-Spam-Flag", (pattern)                                       \
	}

#define DNSBL(n)                                                               \
	{                                                                      \
		.bound = (n)                                                   \
	}
#define SUM(...)                                                               \
	{                                                                      \
		.dnsbls = (struct dnsbl_sum[])                                 \
		{                                                              \
			{                                                      \
				__VA_ARGS__                                    \
			}                                                      \
		}                                                              \
	}
/* The sum lies between two numbers, and so does the count of zones. */
#define BAD(least, most, zones, most_zones, needed, pending)                   \
	SUM((least), (most), 0, (zones), 0, (most_zones), (needed), (pending))
#define GOOD(least, most, zones, most_zones, needed, pending)                  \
	SUM((least), (most), (zones), 0, (most_zones), 0, (needed), (pending))

static const struct row client_rows[] = {
    {"a network holds its clients", "client", NETWORKS(DOCUMENTATION, PRIVATE),
	{.client = IPV4(10, 9, 8, 7)}, NULL, ANSWER_YES},
    {"and no others", "client", NETWORKS(PRIVATE),
	{.client = IPV4(11, 0, 0, 0)}, NULL, ANSWER_NO},
    {"IPv6 too", "client", NETWORKS(PRIVATE, DOCUMENTATION),
	{.client = IPV6(1)}, NULL, ANSWER_YES},
    {"a listed client is found", "client_list", LOADED,
	{.lists = lists, .client = IPV4(192, 0, 2, 7)}, NULL, ANSWER_YES},
    {"another is not", "client_list", LOADED,
	{.lists = lists, .client = IPV4(192, 0, 3, 7)}, NULL, ANSWER_NO},
    {"a list that could not be read answers nothing", "client_list", UNLOADED,
	{.lists = lists, .client = IPV4(192, 0, 2, 7)}, NULL, ANSWER_UNKNOWN},
    {"a shared list may hold the client", "listed", LOADED,
	{.lists = lists, .client = IPV4(192, 0, 2, 7)}, NULL, ANSWER_YES},
    {"or the sender", "listed", LOADED,
	{.lists = lists,
	    .client = IPV4(10, 0, 0, 1),
	    .sender = "spam@bad.example"},
	NULL, ANSWER_YES},
    {"or a domain above the client's name", "listed", LOADED,
	{.lists = lists,
	    .client = IPV4(10, 0, 0, 1),
	    .sender = "a@b.example",
	    .name_certainty = FACT_KNOWN,
	    .name = "mx.bad.example"},
	NULL, ANSWER_YES},
    {"or none of them", "listed", LOADED,
	{.lists = lists,
	    .client = IPV4(10, 0, 0, 1),
	    .sender = "a@b.example",
	    .name_certainty = FACT_KNOWN,
	    .name = "mx.b.example"},
	NULL, ANSWER_NO},
    {"a client without name has none that is listed", "listed", LOADED,
	{.lists = lists,
	    .client = IPV4(10, 0, 0, 1),
	    .null_sender = true,
	    .sender = "",
	    .name_certainty = FACT_KNOWN,
	    .name = ""},
	NULL, ANSWER_NO},
    {"a failing DNS leaves it open", "listed", LOADED,
	{.lists = lists,
	    .client = IPV4(10, 0, 0, 1),
	    .sender = "a@b.example",
	    .name_certainty = FACT_UNKNOWN,
	    .name = ""},
	NULL, ANSWER_UNKNOWN},
    {"a shared list that is not there answers nothing", "listed", UNLOADED,
	{.lists = lists, .client = IPV4(192, 0, 2, 7)}, NULL, ANSWER_UNKNOWN},
    {"a name below a listed domain", "client_name_list", LOADED,
	{.lists = lists,
	    .name_certainty = FACT_KNOWN,
	    .name = "mx.bad.example"},
	NULL, ANSWER_YES},
    {"another name", "client_name_list", LOADED,
	{.lists = lists, .name_certainty = FACT_KNOWN, .name = "mx.b.example"},
	NULL, ANSWER_NO},
    {"no name is on no list", "client_name_list", LOADED,
	{.lists = lists, .name_certainty = FACT_KNOWN, .name = ""}, NULL,
	ANSWER_NO},
    {"a name that is not known may be", "client_name_list", LOADED,
	{.lists = lists, .name_certainty = FACT_UNKNOWN, .name = ""}, NULL,
	ANSWER_UNKNOWN},
    {"a client that is listed by its address", "client_listed", LOADED,
	{.lists = lists, .client = IPV4(192, 0, 2, 7)}, NULL, ANSWER_YES},
    {"or by its name", "client_listed", LOADED,
	{.lists = lists,
	    .client = IPV4(10, 0, 0, 1),
	    .name_certainty = FACT_KNOWN,
	    .name = "mx.bad.example"},
	NULL, ANSWER_YES},
    {"is nothing that a sender can forge", "client_listed", LOADED,
	{.lists = lists,
	    .client = IPV4(10, 0, 0, 1),
	    .sender = "spam@bad.example",
	    .name_certainty = FACT_KNOWN,
	    .name = "mx.b.example"},
	NULL, ANSWER_NO},
    /* the contrary */
    {"a client elsewhere", "not_client", NETWORKS(PRIVATE),
	{.client = IPV4(11, 0, 0, 0)}, NULL, ANSWER_YES},
    {"a client within", "not_client", NETWORKS(PRIVATE),
	{.client = IPV4(10, 0, 0, 0)}, NULL, ANSWER_NO},
    {"a name that does not match", "not_client_name", GLOBS("*.a.org"),
	NAMED("mx.b.org"), NULL, ANSWER_YES},
    {"no name at all", "not_client_name", GLOBS("*.a.org"), NAMED(""), NULL,
	ANSWER_YES},
    {"what is unknown is not the contrary either", "not_client_name",
	GLOBS("*.a.org"), NAME_UNKNOWN, NULL, ANSWER_UNKNOWN},
    {"nor is a list that is not there", "not_client_list", UNLOADED,
	{.lists = lists, .client = IPV4(10, 0, 0, 1)}, NULL, ANSWER_UNKNOWN},
    {"not to have logged in", "not_authenticated", NONE,
	{.authenticated = false}, NULL, ANSWER_YES},
    {"to have", "not_authenticated", NONE, {.authenticated = true}, NULL,
	ANSWER_NO},
    {"not to be one of some users", "not_user", GLOBS("bob"),
	{.authenticated = true, .user = "eve"}, NULL, ANSWER_YES},
    {"the null sender is not any sender", "not_sender", GLOBS("*"), NULL_SENDER,
	NULL, ANSWER_YES},
    {"a verified name matches", "client_name", GLOBS("*.a.org", "mx?.b.org"),
	NAMED("mx1.b.org"), NULL, ANSWER_YES},
    {"or not", "client_name", GLOBS("*.a.org"), NAMED("a.org"), NULL,
	ANSWER_NO},
    {"no name matches nothing, not even *", "client_name", GLOBS("*"),
	NAMED(""), NULL, ANSWER_NO},
    {"a failed look-up of the name is never a no", "client_name", GLOBS("*"),
	NAME_UNKNOWN, NULL, ANSWER_UNKNOWN},
    {"without a name", "no_client_name", NONE, NAMED(""), NULL, ANSWER_YES},
    {"with a name", "no_client_name", NONE, NAMED("mx.a.org"), NULL, ANSWER_NO},
    {"the DNS failed, so nobody knows", "no_client_name", NONE, NAME_UNKNOWN,
	NULL, ANSWER_UNKNOWN},
    {"a generic name", "generic_name", NONE,
	{.name_certainty = FACT_KNOWN, .name_class = HOSTNAME_LINE}, NULL,
	ANSWER_YES},
    {"a rented machine's default name is generic too", "generic_name", NONE,
	{.name_certainty = FACT_KNOWN, .name_class = HOSTNAME_RENTED}, NULL,
	ANSWER_YES},
    {"a chosen name", "generic_name", NONE,
	{.name_certainty = FACT_KNOWN, .name_class = HOSTNAME_OWN}, NULL,
	ANSWER_NO},
    {"an unknown name is not generic either", "generic_name", NONE,
	NAME_UNKNOWN, NULL, ANSWER_UNKNOWN},
    {"a mail server's name", "mail_server_name", NONE,
	{.name_certainty = FACT_KNOWN, .name_class = HOSTNAME_OWN}, NULL,
	ANSWER_YES},
    {"a customer's line is no mail server", "mail_server_name", NONE,
	{.name_certainty = FACT_KNOWN, .name_class = HOSTNAME_LINE}, NULL,
	ANSWER_NO},
    {"nor is who has no name", "mail_server_name", NONE,
	{.name_certainty = FACT_KNOWN, .name_class = HOSTNAME_NONE}, NULL,
	ANSWER_NO},
    {"an unknown name may be one", "mail_server_name", NONE, NAME_UNKNOWN, NULL,
	ANSWER_UNKNOWN},
    {"HELO fits the name", "helo_fits", NONE,
	{.helo_certainty = FACT_KNOWN,
	    .name_certainty = FACT_KNOWN,
	    .helo_fits = true},
	NULL, ANSWER_YES},
    {"HELO does not fit it", "helo_fits", NONE,
	{.helo_certainty = FACT_KNOWN, .name_certainty = FACT_KNOWN}, NULL,
	ANSWER_NO},
    {"what is not known fits nothing, nor does it not", "helo_fits", NONE,
	{.helo_certainty = FACT_KNOWN, .name_certainty = FACT_UNKNOWN}, NULL,
	ANSWER_UNKNOWN},
    {"no HELO fits nothing", "helo_fits", NONE,
	{.helo_certainty = FACT_UNKNOWN, .name_certainty = FACT_KNOWN}, NULL,
	ANSWER_UNKNOWN},
    {"the country is one of these", "country", GLOBS("de", "fr"),
	{.country_certainty = FACT_KNOWN, .country = "DE"}, NULL, ANSWER_YES},
    {"it is another", "country", GLOBS("FR"),
	{.country_certainty = FACT_KNOWN, .country = "DE"}, NULL, ANSWER_NO},
    {"nobody's address is in no country", "country", GLOBS("*"),
	{.country_certainty = FACT_KNOWN, .country = ""}, NULL, ANSWER_NO},
    {"without a database nobody knows", "country", GLOBS("*"),
	{.country_certainty = FACT_UNKNOWN, .country = ""}, NULL,
	ANSWER_UNKNOWN},
    {"the network is this one's", "asn", GLOBS("AS64500"),
	{.asn_certainty = FACT_KNOWN, .asn = "AS64500"}, NULL, ANSWER_YES},
    {"the number will do", "asn", GLOBS("64500"),
	{.asn_certainty = FACT_KNOWN, .asn = "AS64500"}, NULL, ANSWER_YES},
    {"it is another's", "asn", GLOBS("AS6450"),
	{.asn_certainty = FACT_KNOWN, .asn = "AS64500"}, NULL, ANSWER_NO},
    {"it is nobody's", "asn", GLOBS("*"),
	{.asn_certainty = FACT_KNOWN, .asn = ""}, NULL, ANSWER_NO},
    {"without its database nobody knows", "asn", GLOBS("*"),
	{.asn_certainty = FACT_UNKNOWN, .asn = ""}, NULL, ANSWER_UNKNOWN},
    {"what its organisation earned is more", "organisation_above", REAL(10),
	{.organisation_certainty = FACT_KNOWN, .organisation_score = 11}, NULL,
	ANSWER_YES},
    {"it is no more", "organisation_above", REAL(10),
	{.organisation_certainty = FACT_KNOWN, .organisation_score = 10}, NULL,
	ANSWER_NO},
    {"nobody knows of any", "organisation_above", REAL(10),
	{.organisation_certainty = FACT_UNKNOWN}, NULL, ANSWER_UNKNOWN},
    {"it can be asked for", "organisation_above", REAL(10),
	{.organisation_certainty = FACT_ASK}, NULL, ANSWER_ASK},
    {"the DNS may tell whose it is", "organisation_below", REAL(10),
	{.organisation_certainty = FACT_LATER}, NULL, ANSWER_LATER},
    {"what it earned is less", "organisation_below", REAL(10),
	{.organisation_certainty = FACT_KNOWN, .organisation_score = -1}, NULL,
	ANSWER_YES},
    {"it is no less", "organisation_below", REAL(10),
	{.organisation_certainty = FACT_KNOWN, .organisation_score = 10}, NULL,
	ANSWER_NO},
    {"nobody knows of any to be bad", "organisation_below", REAL(10),
	{.organisation_certainty = FACT_UNKNOWN}, NULL, ANSWER_UNKNOWN},
    {"HELO matches in any case", "helo", GLOBS("ylmf-pc", "*.LAN"),
	GREETED("YLMF-PC"), NULL, ANSWER_YES},
    {"or not at all", "helo", GLOBS("ylmf-pc"), GREETED("mx.a.org"), NULL,
	ANSWER_NO},
    {"a session without HELO has said nothing", "helo", GLOBS("*"),
	{.helo_certainty = FACT_UNKNOWN, .helo = ""}, NULL, ANSWER_UNKNOWN},
    {"a malformed HELO", "helo_malformed", NONE,
	{.helo_certainty = FACT_KNOWN, .helo_malformed = true}, NULL,
	ANSWER_YES},
    {"a well-formed HELO", "helo_malformed", NONE, GREETED("a.org"), NULL,
	ANSWER_NO},
    {"no HELO is not a malformed one", "helo_malformed", NONE,
	{.helo_certainty = FACT_UNKNOWN}, NULL, ANSWER_UNKNOWN},
    {"our own name as HELO", "helo_ours", NONE,
	{.helo_certainty = FACT_KNOWN, .helo_ours = true}, NULL, ANSWER_YES},
    {"another name as HELO", "helo_ours", NONE, GREETED("a.org"), NULL,
	ANSWER_NO},
    {"no HELO is not ours", "helo_ours", NONE, {.helo_certainty = FACT_UNKNOWN},
	NULL, ANSWER_UNKNOWN},
    {"who has logged in", "authenticated", NONE, {.authenticated = true}, NULL,
	ANSWER_YES},
    {"who has not", "authenticated", NONE, {.authenticated = false}, NULL,
	ANSWER_NO},
    {"a login name matches", "user", GLOBS("news*"),
	{.authenticated = true, .user = "newsletter"}, NULL, ANSWER_YES},
    {"another does not", "user", GLOBS("news*"),
	{.authenticated = true, .user = "anne"}, NULL, ANSWER_NO},
    {"without a login there is no name", "user", GLOBS("*"),
	{.authenticated = false, .user = ""}, NULL, ANSWER_NO},
    {"TLS is used", "tls", NONE, {.tls = true}, NULL, ANSWER_YES},
    {"TLS is not used", "tls", NONE, {.tls = false}, NULL, ANSWER_NO},
    {"the name of the daemon matches", "daemon_name", GLOBS("MTA*"),
	{.daemon_name = "MTA-v6"}, NULL, ANSWER_YES},
    {"it does not", "daemon_name", GLOBS("MSA"), {.daemon_name = ""}, NULL,
	ANSWER_NO},
    {"the port is this one", "daemon_port", NUMBER(587), {.daemon_port = 587},
	NULL, ANSWER_YES},
    {"it is another", "daemon_port", NUMBER(587), {.daemon_port = 25}, NULL,
	ANSWER_NO},
    {"the MTA did not tell the port", "daemon_port", NUMBER(25),
	{.daemon_port = 0}, NULL, ANSWER_UNKNOWN},
};

static const struct row message_rows[] = {
    {"the sender matches", "sender", GLOBS("*@a.org", "x@*"),
	SENT_BY("x@b.org"), NULL, ANSWER_YES},
    {"the sender does not", "sender", GLOBS("*@a.org"), SENT_BY("x@b.org"),
	NULL, ANSWER_NO},
    {"the null sender matches nothing, not even *", "sender", GLOBS("*"),
	NULL_SENDER, NULL, ANSWER_NO},
    {"the sender is listed by its domain", "sender_list", LOADED,
	{.lists = lists, .sender = "x@BAD.example"}, NULL, ANSWER_YES},
    {"the sender is not listed", "sender_list", LOADED,
	{.lists = lists, .sender = "x@good.example"}, NULL, ANSWER_NO},
    {"the null sender is on no list", "sender_list", LOADED,
	{.lists = lists, .sender = "", .null_sender = true}, NULL, ANSWER_NO},
    {"without the list nobody knows", "sender_list", UNLOADED,
	{.lists = lists, .sender = "x@bad.example"}, NULL, ANSWER_UNKNOWN},
    {"a sender on a shared list", "sender_listed", LOADED,
	{.lists = lists, .sender = "x@bad.example"}, NULL, ANSWER_YES},
    {"or not", "sender_listed", LOADED,
	{.lists = lists, .sender = "x@good.example"}, NULL, ANSWER_NO},
    {"a recipient on a shared list", "recipient_listed", LOADED,
	{.lists = lists}, &bob, ANSWER_YES},
    {"another recipient", "recipient_listed", LOADED, {.lists = lists},
	&(struct recipient){.address = "ann@example.org"}, ANSWER_NO},
    {"a recipient who is on no list", "not_recipient_list", LOADED,
	{.lists = lists}, &(struct recipient){.address = "ann@example.org"},
	ANSWER_YES},
    {"before RCPT the contrary waits as well", "not_recipient_list", LOADED,
	{.lists = lists}, NULL, ANSWER_LATER},
    {"a null sender", "null_sender", NONE, NULL_SENDER, NULL, ANSWER_YES},
    {"any other sender", "null_sender", NONE, SENT_BY("x"), NULL, ANSWER_NO},
    {"a recipient matches in any case", "recipient", GLOBS("bob@*"), {.now = 0},
	&bob, ANSWER_YES},
    {"bob2 is not bob", "recipient", GLOBS("bob2@*"), {.now = 0}, &bob,
	ANSWER_NO},
    {"before RCPT one has to wait", "recipient", GLOBS("*"), {.now = 0}, NULL,
	ANSWER_LATER},
    {"a recipient is listed", "recipient_list", LOADED, {.lists = lists}, &bob,
	ANSWER_YES},
    {"a recipient is not listed", "recipient_list", LOADED, {.lists = lists},
	&(struct recipient){.address = "ann@example.org"}, ANSWER_NO},
    {"an unread list says nothing of it", "recipient_list", UNLOADED,
	{.lists = lists}, &bob, ANSWER_UNKNOWN},
    {"before RCPT the list waits", "recipient_list", LOADED, {.lists = lists},
	NULL, ANSWER_LATER},
    {"as many recipients as allowed", "recipients_in_message_above", NUMBER(10),
	{.recipients_seen = 10}, &bob, ANSWER_NO},
    {"one recipient more", "recipients_in_message_above", NUMBER(10),
	{.recipients_seen = 11}, &bob, ANSWER_YES},
    {"not a recipient yet", "recipients_in_message_above", NUMBER(0),
	{.recipients_seen = 0}, NULL, ANSWER_LATER},
    {"one domain is one domain", "domains_in_message_above", NUMBER(1),
	{.recipient_domains = 1}, &bob, ANSWER_NO},
    {"two are above one", "domains_in_message_above", NUMBER(1),
	{.recipient_domains = 2}, &bob, ANSWER_YES},
    {"no domain yet", "domains_in_message_above", NUMBER(1),
	{.recipient_domains = 0}, NULL, ANSWER_LATER},

    {"the last second that is allowed", "connected_longer", NUMBER(600),
	{.connected_for = 600}, NULL, ANSWER_NO},
    {"one second longer", "connected_longer", NUMBER(600),
	{.connected_for = 601}, NULL, ANSWER_YES},
    {"as many unknown commands as allowed", "unknown_commands_above", NUMBER(3),
	{.unknown_commands = 3}, NULL, ANSWER_NO},
    {"one unknown command more", "unknown_commands_above", NUMBER(3),
	{.unknown_commands = 4}, NULL, ANSWER_YES},
    {"as many refused recipients as allowed", "refused_recipients_above",
	NUMBER(5), {.refused_recipients = 5}, NULL, ANSWER_NO},
    {"one refused recipient more", "refused_recipients_above", NUMBER(5),
	{.refused_recipients = 6}, NULL, ANSWER_YES},

    {"a header field matches", "header", HEADERS(FLAG("NO"), FLAG("YES*")),
	WITH_HEADERS(true, {"Subject", "YES"}, {"x-spam-flag", "Yes, 12"}),
	NULL, ANSWER_YES},
    {"a field of another name does not", "header", HEADERS(FLAG("YES*")),
	WITH_HEADERS(true, {"X-Spam-Flags", "YES"}), NULL, ANSWER_NO},
    {"a missing field matches nothing, not even *", "header",
	HEADERS(FLAG("*")), {.complete = true}, NULL, ANSWER_NO},
    {"header fields are known at the end only", "header", HEADERS(FLAG("YES")),
	WITH_HEADERS(false, {"X-Spam-Flag", "YES"}), NULL, ANSWER_LATER},
    {"a number in a field is above", "header_above", HEADER_ABOVE("X-Score", 5),
	WITH_HEADERS(true, {"X-Score", "none"}, {"x-score", "5.1 of 10"}), NULL,
	ANSWER_YES},
    {"a number that is equal is not above", "header_above",
	HEADER_ABOVE("X-Score", 5), WITH_HEADERS(true, {"X-Score", "5.0"}),
	NULL, ANSWER_NO},
    {"a negative number can be above", "header_above",
	HEADER_ABOVE("X-Score", -2), WITH_HEADERS(true, {"X-Score", "-1.9"}),
	NULL, ANSWER_YES},
    {"what is no number is not above", "header_above",
	HEADER_ABOVE("X-Score", -1), WITH_HEADERS(true, {"X-Score", "nan"}),
	NULL, ANSWER_NO},
    {"the number waits for the end", "header_above", HEADER_ABOVE("X-Score", 5),
	WITH_HEADERS(false, {"X-Score", "9"}), NULL, ANSWER_LATER},
    {"a declared size may be too large at once", "size_above", NUMBER(1000),
	{.declared_size = 1001}, NULL, ANSWER_YES},
    {"a small one proves nothing before the end", "size_above", NUMBER(1000),
	{.declared_size = 1000, .size = 1000}, NULL, ANSWER_LATER},
    {"what came may be too large whatever was declared", "size_above",
	NUMBER(1000), {.declared_size = 1, .size = 1001}, NULL, ANSWER_YES},
    {"at the end the size is known", "size_above", NUMBER(1000),
	{.size = 1000, .complete = true}, NULL, ANSWER_NO},
};

#define RESULTS(...)                                                           \
	{                                                                      \
		.results = (enum spf_result[]){__VA_ARGS__},                   \
		.count =                                                       \
		    sizeof((enum spf_result[]){__VA_ARGS__}) / sizeof(int)     \
	}
#define SPF(certainty, result)                                                 \
	{                                                                      \
		.spf_certainty = (certainty), .spf = (result)                  \
	}

static const struct row spf_rows[] = {
    {"one that is asked for", "spf", RESULTS(SPF_PASS),
	SPF(FACT_KNOWN, SPF_PASS), NULL, ANSWER_YES},
    {"the last of several", "spf", RESULTS(SPF_FAIL, SPF_SOFTFAIL),
	SPF(FACT_KNOWN, SPF_SOFTFAIL), NULL, ANSWER_YES},
    {"another", "spf", RESULTS(SPF_PASS, SPF_NONE),
	SPF(FACT_KNOWN, SPF_NEUTRAL), NULL, ANSWER_NO},
    {"it has not come yet", "spf", RESULTS(SPF_NONE), SPF(FACT_LATER, SPF_NONE),
	NULL, ANSWER_LATER},
    {"it did not come", "spf", RESULTS(SPF_NONE), SPF(FACT_UNKNOWN, SPF_NONE),
	NULL, ANSWER_UNKNOWN},
};

static const struct row dnsbl_rows[] = {
    {"two lists make a sum", "dnsbl_above", DNSBL(2), BAD(3, 3, 2, 2, 2, false),
	NULL, ANSWER_YES},
    {"which has to be above", "dnsbl_above", DNSBL(3),
	BAD(3, 3, 2, 2, 2, false), NULL, ANSWER_NO},
    {"one list alone decides nothing", "dnsbl_above", DNSBL(2),
	BAD(3, 3, 1, 1, 2, false), NULL, ANSWER_NO},
    {"unless that is said", "dnsbl_above", DNSBL(2), BAD(3, 3, 1, 1, 1, false),
	NULL, ANSWER_YES},
    {"who is not listed is above -1", "dnsbl_above", DNSBL(-1),
	BAD(0, 0, 0, 0, 2, false), NULL, ANSWER_YES},
    {"a list that has not told may change it", "dnsbl_above", DNSBL(2),
	BAD(1, 3, 2, 2, 2, true), NULL, ANSWER_LATER},
    {"one that cannot tell leaves it unknown", "dnsbl_above", DNSBL(2),
	BAD(1, 3, 2, 2, 2, false), NULL, ANSWER_UNKNOWN},
    {"one that cannot change it does not matter", "dnsbl_above", DNSBL(2),
	BAD(3, 7, 2, 3, 2, true), NULL, ANSWER_YES},
    {"nor does one that is not enough", "dnsbl_above", DNSBL(7),
	BAD(3, 7, 2, 3, 2, false), NULL, ANSWER_NO},
    {"one list and one that cannot tell might be two", "dnsbl_above", DNSBL(2),
	BAD(3, 4, 1, 2, 2, false), NULL, ANSWER_UNKNOWN},
    {"two good lists", "dnsbl_below", DNSBL(-1), GOOD(-4, -4, 2, 2, 2, false),
	NULL, ANSWER_YES},
    {"one good list alone decides nothing", "dnsbl_below", DNSBL(-1),
	GOOD(-4, -4, 1, 1, 2, false), NULL, ANSWER_NO},
    {"unless that is said", "dnsbl_below", DNSBL(-1),
	GOOD(-4, -4, 1, 1, 1, false), NULL, ANSWER_YES},
    {"it has to be below", "dnsbl_below", DNSBL(-4),
	GOOD(-4, -4, 2, 2, 2, false), NULL, ANSWER_NO},
    {"who is not listed is below 1", "dnsbl_below", DNSBL(1),
	GOOD(0, 0, 0, 0, 2, false), NULL, ANSWER_YES},
    {"a bad list that has not told may change it", "dnsbl_below", DNSBL(-1),
	GOOD(-4, 1, 2, 2, 2, true), NULL, ANSWER_LATER},
    {"one that cannot tell leaves it unknown", "dnsbl_below", DNSBL(-1),
	GOOD(-4, 1, 2, 2, 2, false), NULL, ANSWER_UNKNOWN},
};

static const struct row state_rows[] = {
    {"hours begin on their minute", "hours", HOURS(OFFICE_HOURS(1)),
	MINUTE(1, 8, 0), NULL, ANSWER_YES},
    {"not one minute before", "hours", HOURS(OFFICE_HOURS(1)), MINUTE(1, 7, 59),
	NULL, ANSWER_NO},
    {"their last minute is in", "hours", HOURS(OFFICE_HOURS(1)),
	MINUTE(1, 17, 59), NULL, ANSWER_YES},
    {"their end is out", "hours", HOURS(OFFICE_HOURS(1)), MINUTE(1, 18, 0),
	NULL, ANSWER_NO},
    {"another day is another day", "hours", HOURS(OFFICE_HOURS(1)),
	MINUTE(2, 12, 0), NULL, ANSWER_NO},
    {"any of several spans will do", "hours",
	HOURS(OFFICE_HOURS(1), OFFICE_HOURS(2)), MINUTE(2, 12, 0), NULL,
	ANSWER_YES},
    {"24:00 has the last minute of the day", "hours", HOURS(TO_MIDNIGHT(6)),
	MINUTE(6, 23, 59), NULL, ANSWER_YES},
    {"and nothing of the next day", "hours", HOURS(TO_MIDNIGHT(6)),
	MINUTE(SUNDAY, 0, 0), NULL, ANSWER_NO},
    {"a night begins on its evening", "hours", HOURS(PAST_MIDNIGHT(6)),
	MINUTE(6, 22, 0), NULL, ANSWER_YES},
    {"and lasts until the next morning", "hours", HOURS(PAST_MIDNIGHT(6)),
	MINUTE(SUNDAY, 5, 59), NULL, ANSWER_YES},
    {"when it ends", "hours", HOURS(PAST_MIDNIGHT(6)), MINUTE(SUNDAY, 6, 0),
	NULL, ANSWER_NO},
    {"the morning of its own day is another night's", "hours",
	HOURS(PAST_MIDNIGHT(6)), MINUTE(6, 5, 59), NULL, ANSWER_NO},
    {"nor is the next evening in", "hours", HOURS(PAST_MIDNIGHT(6)),
	MINUTE(SUNDAY, 22, 0), NULL, ANSWER_NO},

    {"the last client in a share of 10 %", "share", NUMBER(1000),
	{.share = 999}, NULL, ANSWER_YES},
    {"the first one out", "share", NUMBER(1000), {.share = 1000}, NULL,
	ANSWER_NO},
    {"100 % is everybody", "share", NUMBER(10000), {.share = 9999}, NULL,
	ANSWER_YES},
    {"0 % is nobody", "share", NUMBER(0), {.share = 0}, NULL, ANSWER_NO},

    {"trust was earned", "known", NONE,
	{.record_certainty = FACT_KNOWN, .known = true}, NULL, ANSWER_YES},
    {"trust was not earned", "known", NONE, RECORD(FACT_KNOWN), NULL,
	ANSWER_NO},
    {"trust can be asked for", "known", NONE, RECORD(FACT_ASK), NULL,
	ANSWER_ASK},
    {"trust could not be asked for", "known", NONE, RECORD(FACT_UNKNOWN), NULL,
	ANSWER_UNKNOWN},
    {"trust will be known later", "known", NONE, RECORD(FACT_LATER), NULL,
	ANSWER_LATER},
    {"a score below", "reputation_below", REAL(-30), SCORED(-30.1), NULL,
	ANSWER_YES},
    {"an equal score is not below", "reputation_below", REAL(-30), SCORED(-30),
	NULL, ANSWER_NO},
    {"a score to be asked for", "reputation_below", REAL(-30), RECORD(FACT_ASK),
	NULL, ANSWER_ASK},
    {"a score that nobody tells", "reputation_below", REAL(99),
	RECORD(FACT_UNKNOWN), NULL, ANSWER_UNKNOWN},
    {"a score above", "reputation_above", REAL(30), SCORED(30.1), NULL,
	ANSWER_YES},
    {"an equal score is not above", "reputation_above", REAL(30), SCORED(30),
	NULL, ANSWER_NO},
    {"another to be asked for", "reputation_above", REAL(30), RECORD(FACT_ASK),
	NULL, ANSWER_ASK},
    {"another that nobody tells", "reputation_above", REAL(-99),
	RECORD(FACT_UNKNOWN), NULL, ANSWER_UNKNOWN},

    {"a retry exactly on time", "retried", RETRIED(300), {.now = NOON},
	&pending, ANSWER_YES},
    {"a retry one second early", "retried", RETRIED(301), {.now = NOON},
	&pending, ANSWER_NO},
    {"who passed has retried", "retried", RETRIED(300), {.now = NOON}, &passed,
	ANSWER_YES},
    {"a forgotten first attempt counts for nothing", "retried", RETRIED(300),
	{.now = NOON - 300 + GREYLIST_WINDOW + 1}, &pending, ANSWER_NO},
    {"nor does a forgotten pass", "retried", RETRIED(300),
	{.now = NOON + GREYLIST_KEEP}, &passed, ANSWER_NO},
    {"a first attempt is no retry, however short the time", "retried",
	RETRIED(0), {.now = NOON}, &first_time, ANSWER_NO},
    {"a pair to be asked for", "retried", RETRIED(0), {.now = NOON}, &unasked,
	ANSWER_ASK},
    {"a pair that nobody tells of", "retried", RETRIED(0), {.now = NOON},
	&unheard, ANSWER_UNKNOWN},
    {"no pair before RCPT", "retried", RETRIED(0), {.now = NOON}, NULL,
	ANSWER_LATER},

    {"the store is away", "store_down", NONE, {.store_down = true}, NULL,
	ANSWER_YES},
    {"the store is there", "store_down", NONE, {.store_down = false}, NULL,
	ANSWER_NO},
    {"the store was late", "store_late", NONE, {.store_late = true}, NULL,
	ANSWER_YES},
    {"to be away is not to be late", "store_late", NONE, {.store_down = true},
	NULL, ANSWER_NO},
    {"a crossed threshold", "load_above", NUMBER(0), {.load_crossed = crossed},
	NULL, ANSWER_YES},
    {"one that is not crossed", "load_above", NUMBER(0),
	{.load_crossed = not_crossed}, NULL, ANSWER_NO},
    {"not below a crossed threshold", "load_below", NUMBER(0),
	{.load_crossed = crossed}, NULL, ANSWER_NO},
    {"but below another", "load_below", NUMBER(0),
	{.load_crossed = not_crossed}, NULL, ANSWER_YES},

    {"the last unit of a limit is no excess", "messages_above", LIMIT(5),
	COUNTED(FACT_KNOWN, 1, 5, 0), NULL, ANSWER_NO},
    {"one unit more is", "messages_above", LIMIT(5),
	COUNTED(FACT_KNOWN, 1, 6, 0), NULL, ANSWER_YES},
    {"the slot before counts", "connections_above", LIMIT(5),
	COUNTED(FACT_KNOWN, 1, 1, 5), NULL, ANSWER_YES},
    {"several units count each", "recipients_above", LIMIT(5),
	COUNTED(FACT_KNOWN, 3, 6, 0), NULL, ANSWER_YES},
    {"what is only read may be at the limit", "refused_above", LIMIT(5),
	COUNTED(FACT_KNOWN, 0, 5, 0), NULL, ANSWER_NO},
    {"a unit to be taken first", "messages_above", LIMIT(5),
	COUNTED(FACT_ASK, 0, 0, 0), NULL, ANSWER_ASK},
    {"a count that nobody tells", "messages_above", LIMIT(0),
	COUNTED(FACT_UNKNOWN, 1, 9, 9), NULL, ANSWER_UNKNOWN},
    {"a bad score scales a limit down", "messages_above", SCALED(10),
	{.now = NOON,
	    .record_certainty = FACT_KNOWN,
	    .score = -50,
	    .limits = (struct limit_count[]){{FACT_KNOWN, {1, {0, 6}}, {0}}}},
	NULL, ANSWER_YES},
    {"a good score scales it up", "messages_above", SCALED(10),
	{.now = NOON,
	    .record_certainty = FACT_KNOWN,
	    .score = 50,
	    .limits = (struct limit_count[]){{FACT_KNOWN, {1, {0, 15}}, {0}}}},
	NULL, ANSWER_NO},
    {"a larger message than the scaled limit fits alone", "recipients_above",
	SCALED(10),
	{.now = NOON,
	    .record_certainty = FACT_KNOWN,
	    .score = -50,
	    .limits = (struct limit_count[]){{FACT_KNOWN, {10, {0, 10}}, {0}}}},
	NULL, ANSWER_NO},
    {"but not with others", "recipients_above", SCALED(10),
	{.now = NOON,
	    .record_certainty = FACT_KNOWN,
	    .score = -50,
	    .limits = (struct limit_count[]){{FACT_KNOWN, {10, {0, 11}}, {0}}}},
	NULL, ANSWER_YES},
    {"a size is counted at the end of the message", "octets_above", LIMIT(10),
	COUNTED(FACT_ASK, 0, 0, 0), NULL, ANSWER_LATER},
    {"more different senders than allowed", "distinct_senders_above", LIMIT(10),
	COUNTED(FACT_KNOWN, 0, 11, 0), NULL, ANSWER_YES},
    {"as many as allowed", "distinct_senders_above", LIMIT(10),
	COUNTED(FACT_KNOWN, 0, 10, 0), NULL, ANSWER_NO},
    {"without a score it stays as it is", "messages_above", SCALED(10),
	COUNTED(FACT_KNOWN, 1, 11, 0), NULL, ANSWER_YES},
};

static void
judge(const struct row *row)
{
	struct condition asks = row->asks;
	enum answer answer;

	asks.type = condition_type_find(row->name, &asks.negated);
	ck_assert_msg(asks.type != NULL, "no condition %s", row->name);
	answer = condition_judge(&asks, &row->facts, row->recipient);
	ck_assert_msg(answer == row->answer, "%s: %s: got %d", row->name,
	    row->when, (int)answer);
}

START_TEST(of_the_client)
{
	judge(&client_rows[_i]);
}
END_TEST

START_TEST(of_the_message)
{
	judge(&message_rows[_i]);
}
END_TEST

START_TEST(of_the_state)
{
	judge(&state_rows[_i]);
}
END_TEST

START_TEST(of_dns_lists)
{
	judge(&dnsbl_rows[_i]);
}
END_TEST

START_TEST(of_spf)
{
	judge(&spf_rows[_i]);
}
END_TEST

static bool
has_row(const char *name, enum answer answer)
{
#define SEARCH(rows)                                                           \
	for (int i = 0; i < COUNT(rows); i++)                                  \
		if (strcmp(rows[i].name, name) == 0 &&                         \
		    rows[i].answer == answer)                                  \
			return true;
	SEARCH(client_rows)
	SEARCH(message_rows)
	SEARCH(dnsbl_rows)
	SEARCH(spf_rows)
	SEARCH(state_rows)
	return false;
}

START_TEST(every_condition_is_tested_both_ways)
{
	for (size_t i = 0; i < condition_type_count; i++) {
		const char *name = condition_types[i].name;

		if (condition_types[i].counts != LIMIT_NONE)
			name = "messages_above"; /* one predicate for all */
		ck_assert_msg(
		    has_row(name, ANSWER_YES) && has_row(name, ANSWER_NO),
		    "%s lacks a row", condition_types[i].name);
	}
}
END_TEST

/* Such a condition has a contrary, as milter-defer.conf(5) says. */
static bool
asks_whether(const struct condition_type *type)
{
	switch (type->kind) {
	case VALUE_TRUE:
		return strcmp(type->name, "no_client_name") != 0 &&
		    strcmp(type->name, "store_down") != 0 &&
		    strcmp(type->name, "store_late") != 0;
	case VALUE_NETWORKS:
	case VALUE_GLOBS:
	case VALUE_PORT:
	case VALUE_HEADERS:
	case VALUE_HOURS:
	case VALUE_FILE:
	case VALUE_SHARED:
	case VALUE_SPF:
		return true;
	default:
		return false;
	}
}

START_TEST(names_are_unique)
{
	bool negated;

	for (size_t i = 0; i < condition_type_count; i++) {
		const struct condition_type *type = &condition_types[i];

		ck_assert_msg(type->contrary == NULL
			? !asks_whether(type)
			: strcmp(type->contrary + strlen("not_"), type->name) ==
			    0,
		    "%s: see NOT()", type->name);
	}
	for (size_t i = 0; i < condition_type_count; i++)
		ck_assert_msg(condition_type_find(condition_types[i].name,
				  &negated) == &condition_types[i],
		    "%s stands twice", condition_types[i].name);
	ck_assert(condition_type_find("clients", &negated) == NULL);
	ck_assert(condition_type_find("", &negated) == NULL);
}
END_TEST

static const struct {
	const char *when, *name;
	struct condition asks;
	struct facts facts;
	int64_t wait;
} wait_rows[] = {
    {"a limit that is full says until when", "messages_above", LIMIT(5),
	COUNTED(FACT_KNOWN, 1, 1, 5), HOUR},
    {"one that is not asks for no wait", "messages_above", LIMIT(5),
	COUNTED(FACT_KNOWN, 1, 5, 0), 0},
    {"nor does one that could not be asked", "messages_above", LIMIT(5),
	COUNTED(FACT_UNKNOWN, 1, 9, 9), 0},
    {"nor any other condition", "authenticated", NONE,
	COUNTED(FACT_KNOWN, 1, 9, 9), 0},
};

START_TEST(waits)
{
	struct condition asks = wait_rows[_i].asks;

	asks.type = condition_type_find(wait_rows[_i].name, &asks.negated);
	ck_assert_msg(
	    condition_wait(&asks, &wait_rows[_i].facts) == wait_rows[_i].wait,
	    "%s", wait_rows[_i].when);
}
END_TEST

static void
make_list(void)
{
	static const char *const entries[] = {
	    "192.0.2.0/24", "bad.example", "bob@example.org"};
	struct list *list = list_new(LIST_ALL);
	const char *why;

	for (int i = 0; i < COUNT(entries); i++)
		(void)list_add(list, entries[i], LIST_FOR_EVER, &why);
	(void)list_seal(list);
	lists[0] = own_list = list;
}

static void
free_list(void)
{
	list_free(&own_list);
}

START_TEST(a_contrary_names_nobody)
{
	struct condition condition = {.count = 0};

	condition.type =
	    condition_type_find("not_client_list", &condition.negated);
	ck_assert(condition.negated);
	ck_assert_str_eq(condition_name(&condition), "not_client_list");
	ck_assert_uint_eq(
	    condition_flags(&condition) & (ASKS_CLIENT | ASKS_BY_NAME), 0);
	condition.type =
	    condition_type_find("not_recipient", &condition.negated);
	ck_assert_uint_eq(condition_flags(&condition),
	    condition.type->flags); /* for that recipient alone */
}
END_TEST

/* ---- Which values were met */

static struct facts met_facts;

static const struct {
	const char *when;
	const char *name;
	struct condition condition;
	struct facts facts;
	int met; /* -1: none */
} met_rows[] = {
    {"the first pattern that matches", "sender",
	GLOBS("*@a.example", "b*", "*"), SENT_BY("bob@b.example"), 1},
    {"none of them", "sender", GLOBS("*@a.example"), SENT_BY("bob@b.example"),
	-1},
    {"a contrary, too: it does not hold", "not_sender", GLOBS("x*", "bob@*"),
	SENT_BY("bob@b.example"), 1},
    {"the number of a network without AS", "asn", GLOBS("AS1", "64500"),
	{.asn_certainty = FACT_KNOWN, .asn = "AS64500"}, 1},
    {"hours", "hours", HOURS({1U << SUNDAY, 0, 60}, {1U << SUNDAY, 60, 120}),
	MINUTE(SUNDAY, 1, 30), 1},
    {"what is not known meets nothing", "client_name", GLOBS("*"), NAME_UNKNOWN,
	-1},
};

START_TEST(values_that_were_met_are_noted)
{
	struct condition condition = met_rows[_i].condition;
	struct sightings *met = sightings_new(5);
	struct sighting picked[5];
	size_t count;

	condition.type =
	    condition_type_find(met_rows[_i].name, &condition.negated);
	condition.first = 2;
	met_facts = met_rows[_i].facts;
	met_facts.listed_now = NOON;
	(void)condition_judge(&condition, &met_facts, NULL);
	met_facts.met = met;
	ck_assert_uint_eq(sightings_pick(met, picked, 5), 0);
	(void)condition_judge(&condition, &met_facts, NULL);
	count = sightings_pick(met, picked, 5);
	ck_assert_msg(count == (met_rows[_i].met >= 0) &&
		(count == 0 || picked[0].which == (size_t)met_rows[_i].met + 2),
	    "%s", met_rows[_i].when);
	free(met);
}
END_TEST

CHECK_MAIN("condition", tcase)
{
	tcase_add_unchecked_fixture(tcase, make_list, free_list);
	tcase_add_loop_test(tcase, of_the_client, 0, COUNT(client_rows));
	tcase_add_loop_test(tcase, of_the_message, 0, COUNT(message_rows));
	tcase_add_loop_test(tcase, of_dns_lists, 0, COUNT(dnsbl_rows));
	tcase_add_loop_test(tcase, of_spf, 0, COUNT(spf_rows));
	tcase_add_loop_test(tcase, of_the_state, 0, COUNT(state_rows));
	tcase_add_test(tcase, every_condition_is_tested_both_ways);
	tcase_add_test(tcase, names_are_unique);
	tcase_add_test(tcase, a_contrary_names_nobody);
	tcase_add_loop_test(
	    tcase, values_that_were_met_are_noted, 0, COUNT(met_rows));
	tcase_add_loop_test(tcase, waits, 0, COUNT(wait_rows));
}
