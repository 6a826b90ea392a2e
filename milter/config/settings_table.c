#include "config/settings.h"

#include <stdio.h>
#include <string.h>

#include "base/ascii.h"
#include "config/conf_value.h"
#include "config/socket_spec.h"
#include "mail/hostname.h"
#include "mail/netaddr.h"
#include "mail/response.h"
#include "redis/address.h"

/* ---- What some strings have to be */

#define FIELD_MAX 64

static bool
refuse(char *why_r, size_t why_size, const char *why)
{
	(void)snprintf(why_r, why_size, "%s", why);
	return false;
}

static bool
check_socket(const char *text, char *why_r, size_t why_size)
{
	struct socket_spec spec;
	const char *why;

	return socket_spec_parse(text, &spec, &why) ||
	    refuse(why_r, why_size, why);
}

static bool
check_path(const char *text, char *why_r, size_t why_size)
{
	return text[0] == '\0' || text[0] == '/' ||
	    refuse(why_r, why_size, "a path that begins with / is needed");
}

static bool
check_control(const char *text, char *why_r, size_t why_size)
{
	return check_path(text, why_r, why_size) &&
	    (strlen(text) <= SOCKET_PATH_MAX ||
		refuse(why_r, why_size, "this path is too long for a socket"));
}

static bool
check_host(const char *text, char *why_r, size_t why_size)
{
	return text[0] == '\0' || hostname_is_valid(text) ||
	    refuse(why_r, why_size, "a host name is needed");
}

static bool
check_link(const char *text, char *why_r, size_t why_size)
{
	char why[RESPONSE_WHY_SIZE];

	return response_check_text(text, why) || refuse(why_r, why_size, why);
}

static bool
check_redis(const char *text, char *why_r, size_t why_size)
{
	struct redis_address address;

	return redis_address_parse(text, &address) ||
	    refuse(why_r, why_size,
		"an address is needed, such as redis1.example.org:6379, "
		"[2001:db8::1]:6379 or /run/redis/redis.sock");
}

static bool
check_dns(const char *text, char *why_r, size_t why_size)
{
	struct netaddr server;
	unsigned port;

	return strcmp(text, "system") == 0 ||
	    netaddr_parse_port(text, &server, &port) ||
	    refuse(why_r, why_size,
		"an IP address is needed, such as 127.0.0.1, 127.0.0.1:5353 "
		"or [2001:db8::53]:53; or system, for /etc/resolv.conf");
}

/* Braces would move the hash tag by which Redis Cluster places a key. */
static bool
check_prefix(const char *text, char *why_r, size_t why_size)
{
	return (*text != '\0' && ascii_is_printable(text, " {}")) ||
	    refuse(why_r, why_size,
		"printable ASCII without blanks and braces is needed");
}

static bool
check_header(const char *text, char *why_r, size_t why_size)
{
	const char *pattern;
	size_t length;

	return conf_value_header(text, &length, &pattern) ||
	    refuse(why_r, why_size, CONF_VALUE_WANTS_HEADER);
}

static bool
check_listen(const char *text, char *why_r, size_t why_size)
{
	struct netaddr address;
	unsigned port = 0;

	return text[0] == '\0' ||
	    (netaddr_parse_port(text, &address, &port) && port != 0) ||
	    refuse(why_r, why_size,
		"an IP address with a port is needed, such as 127.0.0.1:8080 "
		"or [::1]:8080");
}

static bool
check_address(const char *text, char *why_r, size_t why_size)
{
	struct netaddr address;

	return netaddr_parse(text, &address) ||
	    refuse(why_r, why_size, "an IP address is needed");
}

static bool
check_network(const char *text, char *why_r, size_t why_size)
{
	struct network network;
	char why[NETWORK_WHY_SIZE];

	return network_parse(text, &network, why) ||
	    refuse(why_r, why_size, why);
}

static bool
check_field_name(const char *text, char *why_r, size_t why_size)
{
	return (*text != '\0' && ascii_is_printable(text, " :\"\\")) ||
	    refuse(why_r, why_size, "the name of a header is needed");
}

/* RFC 5322 3.6.8. */
static bool
check_added_field(const char *text, char *why_r, size_t why_size)
{
	return (ascii_is_printable(text, " :") && strlen(text) <= FIELD_MAX) ||
	    refuse(why_r, why_size,
		"the name of a header field is needed, such as X-Greylist");
}

/* ---- The table */

#define MINUTE	  60.0
#define HOUR	  3600.0
#define DAY	  86400.0
#define YEAR	  (366 * DAY)
#define MEGA	  1048576.0
#define COUNT_MAX 1e9
#define POINTS	  0, 1000
#define RESTART	  .restart = ""

#define MEMBER(member)	     .offset = offsetof(struct settings, member)
#define TEXT(member)	     SETTING_STRING, MEMBER(member)
#define TEXTS(member)	     SETTING_STRINGS, MEMBER(member)
#define TRUTH(member)	     SETTING_BOOL, MEMBER(member)
#define NUMBER(member)	     SETTING_NUMBER, MEMBER(member)
#define REAL(member)	     SETTING_REAL, MEMBER(member)
#define SECONDS(member)	     SETTING_DURATION, MEMBER(member)
#define MILLISECONDS(member) SETTING_MILLISECONDS, MEMBER(member)
#define SIZE(member)	     SETTING_SIZE, MEMBER(member)
#define OCTAL(member)	     SETTING_OCTAL, MEMBER(member)
#define CHOICE(member)	     SETTING_CHOICE, MEMBER(member)

#define RUN "/run/milter-defer/milter-defer"
#define FACILITIES                                                             \
	"mail daemon user local0 local1 local2 local3 local4 local5 local6 "   \
	"local7"

/* Sorted as milter-defer.conf(5) and the sample file present them.  The prior is
 * that of reputation.h; a test compares them. */
const struct setting setting_table[] = {
    /* clang-format off */
    {"", "socket", TEXT(socket), "unix:" RUN ".sock", .check = check_socket,
	RESTART},
    {"", "socket_mode", OCTAL(socket_mode), "0660", 0, 0777, RESTART},
    {"", "socket_group", TEXT(socket_group), "", RESTART},
    {"", "user", TEXT(user), "milter-defer", RESTART},
    {"", "pid_file", TEXT(pid_file), RUN ".pid", .check = check_path, RESTART},
    {"", "control", TEXT(control), SETTING_CONTROL, .check = check_control,
	RESTART},
    {"", "log", CHOICE(log), "syslog", .choices = "syslog stderr"},
    {"", "log_facility", TEXT(log_facility), "mail", .choices = FACILITIES},
    {"", "log_accepted", TRUTH(log_accepted), "true"},
    {"", "log_summary", SECONDS(log_summary), "1h", 0, DAY},
    {"", "server_name", TEXT(server_name), "", .check = check_host,
	.restart = "the name in the store"},
    {"", "link", TEXT(link), "", .check = check_link},
    {"", "passed_header", TEXT(passed_header), "", .check = check_added_field},
    {"", "observe", TRUTH(observe), "false"},
    {"", "secret_file", TEXT(secret_file), "", .check = check_path, RESTART},

    {"", "identity", CHOICE(identity), "pool",
	.choices = "pool network address"},
    {"", "network_ipv4", NUMBER(network_ipv4), "24", 8, 32},
    {"", "network_ipv6", NUMBER(network_ipv6), "64", 16, 128},
    {"", "delay", SECONDS(delay), "3m", 0, 7 * DAY},
    {"", "retry_window", SECONDS(retry_window), "25h", MINUTE, 30 * DAY,
	.restart = "the life of records"},
    {"", "keep", SECONDS(keep), "36d", HOUR, YEAR,
	.restart = "the life of records"},
    {"", "known_after", NUMBER(known_after), "3", 0, COUNT_MAX},
    {"", "carry_recipients", TRUTH(carry_recipients), "true"},
    {"", "delay_cap", SECONDS(delay_cap), "4h", 0, 7 * DAY},
    {"", "hide_wait_below", REAL(hide_wait_below), "-30", -100, 100},

    {"redis", "servers", TEXTS(redis.servers), "", .check = check_redis,
	RESTART},
    {"redis", "mode", CHOICE(redis.mode), "single",
	.choices = "single sentinel cluster", RESTART},
    {"redis", "master_name", TEXT(redis.master_name), "mymaster", RESTART},
    {"redis", "user", TEXT(redis.user), "", RESTART},
    {"redis", "password_file", TEXT(redis.password_file), "",
	.check = check_path, RESTART},
    {"redis", "sentinel_user", TEXT(redis.sentinel_user), "", RESTART},
    {"redis", "sentinel_password_file", TEXT(redis.sentinel_password_file), "",
	.check = check_path, RESTART},
    {"redis", "database", NUMBER(redis.database), "0", 0, 16383, RESTART},
    {"redis", "tls", TRUTH(redis.tls), "false", RESTART},
    {"redis", "tls_ca_file", TEXT(redis.tls_ca_file), "", .check = check_path,
	RESTART},
    {"redis", "tls_cert_file", TEXT(redis.tls_cert_file), "",
	.check = check_path, RESTART},
    {"redis", "tls_key_file", TEXT(redis.tls_key_file), "", .check = check_path,
	RESTART},
    {"redis", "tls_name", TEXT(redis.tls_name), "", .check = check_host,
	RESTART},
    {"redis", "prefix", TEXT(redis.prefix), "mdefer:1:", .check = check_prefix,
	RESTART},
    {"redis", "deadline", MILLISECONDS(redis.deadline_ms), "200ms", 10, 10000,
	RESTART},
    {"redis", "connect_timeout", MILLISECONDS(redis.connect_ms), "1s", 10,
	60000, RESTART},

    {"store", "memory", SIZE(store.memory_max), "64M", MEGA, 1048576 * MEGA,
	RESTART},
    {"store", "network_cap", NUMBER(store.network_cap), "256", 16, 10000,
	RESTART},
    {"store", "file", TEXT(store.file), STATEDIR "/" STATE_FILE, .check = check_path,
	RESTART},
    {"store", "save_every", SECONDS(store.save_every), "5m", 1, DAY, RESTART},
    {"store", "remember_good", SECONDS(store.remember_good), "1d", 0, 36 * DAY},

    {"journal", "entries", NUMBER(journal.entries), "100000", 0, 10e6},
    {"journal", "age", SECONDS(journal.age), "7d", MINUTE, 90 * DAY},

    {"dns", "servers", TEXTS(dns.servers), "", .check = check_dns},
    {"dns", "timeout", MILLISECONDS(dns.timeout_ms), "2s", 100, 30000},
    {"dns", "patience", MILLISECONDS(dns.patience_ms), "0ms", 0, 10000},
    {"dns", "share", TRUTH(dns.share), "true"},
    {"dns", "cache", NUMBER(dns.answers_max), "100000", 100, COUNT_MAX},
    {"dns", "memory", SIZE(dns.memory_max), "32M", 65536, 1048576 * MEGA},

    {"geo", "country_file", TEXT(geo.country_file), "", .check = check_path},
    {"geo", "asn_file", TEXT(geo.asn_file), "", .check = check_path},

    {"load", "load_average", REAL(load.average), "0", 0, 1000},
    {"load", "pressure_cpu", REAL(load.pressure_cpu), "0.8", 0, 1},
    {"load", "pressure_io", REAL(load.pressure_io), "0.9", 0, 1},
    {"load", "pressure_memory", REAL(load.pressure_memory), "0.3", 0, 1},
    {"load", "sessions", NUMBER(load.sessions), "0", 0, COUNT_MAX},
    {"load", "queue_directory", TEXT(load.queue_directory), "",
	.check = check_path},
    {"load", "queue_messages", NUMBER(load.queue_messages), "20000", 1,
	COUNT_MAX},
    {"load", "disk_directory", TEXT(load.disk_directory), "",
	.check = check_path},
    {"load", "disk_free", REAL(load.disk_free), "0.05", 0, 1},
    {"load", "figure_file", TEXT(load.figure_file), "", .check = check_path},
    {"load", "figure_age", SECONDS(load.figure_age), "60s", 1, DAY},
    {"load", "farm", CHOICE(load.farm), "mean", .choices = "mean max own"},
    {"load", "hysteresis", REAL(load.hysteresis), "0.1", 0, 1},
    {"load", "dwell", SECONDS(load.dwell), "30s", 0, DAY},
    {"load", "silent_after", SECONDS(load.silent_after), "10s", 2, HOUR},

    {"reputation", "half_life", SECONDS(reputation.half_life), "7d", MINUTE,
	YEAR, RESTART},
    {"reputation", "prior", REAL(reputation.prior), "50", 1, 100000},
    {"reputation", "poor_below", REAL(reputation.poor_below), "-30", -100, 0},
    /* Refused recipients, commands and HELO names tell of a client's intent at
     * once; an abandoned triplet may be clumsiness, so it weighs little, and an
     * eager retry is what a second MX at once looks like (RFC 5321 5.1), so it
     * weighs nothing.  Accepted messages weigh least, because they are the most
     * frequent. */
    {"reputation", "greylist_passed",
	REAL(reputation.weights.points[REPUTATION_GREYLIST_PASSED]), "5", POINTS},
    {"reputation", "accepted",
	REAL(reputation.weights.points[REPUTATION_ACCEPTED]), "1", POINTS},
    {"reputation", "ham",
	REAL(reputation.weights.points[REPUTATION_HAM]), "2", POINTS},
    {"reputation", "abandoned",
	REAL(reputation.weights.points[REPUTATION_ABANDONED]), "2", POINTS, RESTART},
    {"reputation", "refused_recipient",
	REAL(reputation.weights.points[REPUTATION_REFUSED_RECIPIENT]), "5", POINTS},
    {"reputation", "unknown_command",
	REAL(reputation.weights.points[REPUTATION_UNKNOWN_COMMAND]), "5", POINTS},
    {"reputation", "malformed_helo",
	REAL(reputation.weights.points[REPUTATION_MALFORMED_HELO]), "5", POINTS},
    {"reputation", "hammering",
	REAL(reputation.weights.points[REPUTATION_HAMMERING]), "0", POINTS},
    {"reputation", "spam",
	REAL(reputation.weights.points[REPUTATION_SPAM]), "10", POINTS},
    {"reputation", "report_ham",
	REAL(reputation.weights.points[REPUTATION_REPORT_HAM]), "10", POINTS},
    {"reputation", "report_spam",
	REAL(reputation.weights.points[REPUTATION_REPORT_SPAM]), "10", POINTS},
    {"reputation", "report_trap",
	REAL(reputation.weights.points[REPUTATION_REPORT_TRAP]), "20", POINTS},
    {"reputation", "message_cap", REAL(reputation.message_cap), "30", POINTS},
    {"reputation", "spam_headers", TEXTS(reputation.spam_headers), "",
	.check = check_header},
    {"reputation", "ham_headers", TEXTS(reputation.ham_headers), "",
	.check = check_header},
    {"reputation", "reports_file", TEXT(reputation.reports_file), "",
	.check = check_path},

    {"web", "listen", TEXT(web.listen), "", .check = check_listen, RESTART},
    {"web", "connections", NUMBER(web.connections), "256", 8, 10000, RESTART},
    {"web", "connections_per_address", NUMBER(web.connections_per_address),
	"16", 1, 10000, RESTART},
    {"web", "timeout", SECONDS(web.timeout), "10s", 1, 300, RESTART},
    {"web", "proxies", TEXTS(web.proxies), "", .check = check_address, RESTART},
    {"web", "proxy_header", TEXT(web.proxy_header), "X-Forwarded-For",
	.check = check_field_name, RESTART},
    {"web", "hosts", TEXTS(web.hosts), "", .check = check_host},
    {"web", "metrics_to", TEXTS(web.metrics_to), "127.0.0.0/8\n::1/128",
	.check = check_network},
    {"web", "lookups", NUMBER(web.lookups), "30", 1, COUNT_MAX},
    {"web", "contact", TEXT(web.contact), ""},
    {"web", "texts", TEXT(web.texts), "", .check = check_path},
    {"web", "release", TRUTH(web.release), "false"},
    {"web", "expect_file", TEXT(web.expect_file), "", .check = check_path},
    {"web", "users_file", TEXT(web.users_file), "", .check = check_path},
    {"web", "refresh", SECONDS(web.refresh), "30s", 5, HOUR},
    /* clang-format on */
};

const size_t setting_count = sizeof setting_table / sizeof setting_table[0];
