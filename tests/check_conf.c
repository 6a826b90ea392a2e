#include "config/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/check_main.h"
#include "lib/shipped.h"

/* What was said: one sentence a line, "E " or "W " before it, the path of the
 * file left out. */
struct said {
	const char *path;
	char text[4000];
	bool endless;
	bool empty;
};

static void
note(void *arg, bool error, const char *text)
{
	struct said *said = arg;
	size_t length = strlen(said->path);
	size_t at = strlen(said->text);

	ck_assert_msg(
	    strncmp(text, said->path, length) == 0 && text[length] == ':',
	    "no file in front: %s", text);
	text += length + 1;
	/* That of most files here is of no interest. */
	if (strstr(text, "there are no rules") != NULL) {
		said->empty = true;
		return;
	}
	/* See endless_rows. */
	if (strstr(text, "without end, until it is lost") != NULL) {
		said->endless = true;
		return;
	}
	snprintf(said->text + at, sizeof said->text - at, "%s%s%s%s",
	    at == 0 ? "" : "\n", error ? "E" : "W", *text == ' ' ? "" : " ",
	    text);
}

static struct policy *
load_octets(const char *text, size_t length, struct said *said)
{
	char path[] = "/tmp/check_conf.XXXXXX";
	int fd = mkstemp(path);
	FILE *file = fdopen(fd, "w");
	struct policy *policy;

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, length, file), length);
	ck_assert_int_eq(fclose(file), 0);
	said->path = path;
	said->text[0] = '\0';
	said->endless = false;
	said->empty = false;
	policy = conf_load(path, note, said);
	unlink(path);
	return policy;
}

static struct policy *
load(const char *text, struct said *said)
{
	return load_octets(text, strlen(text), said);
}

/* --- what is refused --- */

#define TEN "1234567890"
#define BAD_RESPONSE_NAME                                                      \
	"the name of a response is 1 to 80 letters of printable ASCII "        \
	"without blanks, quotes and backslashes"

#define DNSBL                                                                  \
	"dnsbl \"x\" { zones = {\"a.example=127.0.0.2\", "                     \
	"\"b.example=127.0.0.2\"} }\n"
#define ACCEPT "rule \"a\" { verdict = accept }\n"

static const struct {
	const char *when;
	const char *text;
	const char *said;
} bad_rows[] = {
    /* DNS lists */
    {"a list without codes", "dnsbl \"x\" {\n zones = \"zen.example*2\" }\n",
	"E 2: zones \"zen.example*2\": the codes that count have to be named, "
	"such as list.example=127.0.0.[2..11]*2"},
    {"one bad zone of several",
	"dnsbl \"x\" { zones = {\"a.example=127.0.0.2\",\n\"b=127.0.0.2*0\"} "
	"}\n",
	"E 2: zones \"b=127.0.0.2*0\": a weight is a whole number from -1000 "
	"to "
	"1000, and not 0"},
    {"no list at all", "\ndnsbl \"x\" { alone = true }\n",
	"E 2: dnsbl \"x\" has no zones"},
    {"two sections of a name",
	"dnsbl \"x\" { alone = true zones = \"a.example=127.0.0.2\" }\n"
	"dnsbl \"x\" { alone = true zones = \"a.example=127.0.0.2\" }\n",
	"E 2: dnsbl \"x\" stands here twice; it is already on line 1"},
    {"a name that the log could not show",
	"dnsbl \"a b\" { alone = true zones = \"a.example=127.0.0.2\" }\n",
	"E 1: the name of a dnsbl is 1 to 80 letters of printable ASCII "
	"without "
	"blanks, quotes, backslashes and : , ="},
    {"a condition without its section",
	"rule \"x\" { dnsbl_above = 1 verdict = accept }\n",
	"E 1: dnsbl_above \"1\": it has to name a section dnsbl, as in "
	"\"name: 3\""},
    {"a section that is not there",
	DNSBL "rule \"x\" { dnsbl_below = \"y: 1\" verdict = accept }\n",
	"E 2: dnsbl_below \"y: 1\": there is no section dnsbl of this name"},
    {"a sum that is no number",
	DNSBL "rule \"x\" { dnsbl_below = \"x: 1.5\" verdict = accept }\n",
	"E 2: dnsbl_below \"x: 1.5\": a whole number from -100000 to 100000 is "
	"needed, as in \"name: 3\""},
    {"a result of SPF that there is not",
	"rule \"x\" {\nspf = {pass, good} verdict = accept }\n",
	"E 2: spf \"good\": none, neutral, pass, fail, softfail or permerror "
	"is "
	"needed"},
    {"a result of SPF that is never known",
	"rule \"x\" { spf = temperror verdict = accept }\n",
	"E 1: spf \"temperror\": what the DNS could not tell is unknown, so "
	"that a rule with it would never hold"},
    {"a name server by its name", "dns { servers = localhost }\n",
	"E 1: servers \"localhost\": an IP address is needed, such as "
	"127.0.0.1, "
	"127.0.0.1:5353 or [2001:db8::53]:53; or system, for /etc/resolv.conf"},
    {"the system's and another", "dns { servers = {system, \"::1\"} }\n",
	"E 1: servers: system stands for all servers, so it is the only one"},
    {"more patience than a decision has", "dns {\n patience = 201ms }\n",
	"E 2: patience: it has to be at most the deadline in section redis, "
	"which is 200ms"},
    /* syntax */
    {"an unknown name at the top", "\npid_fiel = \"/x\"\n",
	"E 2: there is no pid_fiel; did you mean pid_file?"},
    {"nothing like it", "frobnicate = 1\n", "E 1: there is no frobnicate"},
    {"an unknown section", "rules \"x\" { }\n",
	"E 1: there is no rules; did you mean rule?"},
    {"an unknown name in a section", "redis {\n  server = \"a:1\"\n}\n",
	"E 2: there is no server in a section redis; did you mean servers?"},
    {"an unknown condition",
	"rule \"x\" {\n  autenticated = true\n  verdict = accept }\n",
	"E 2: there is no autenticated in a section rule; did you mean "
	"authenticated?"},
    {"a comma is missing", "rule \"x\" { client = {\"::1\" \"::2\"} }\n",
	"E 1: unexpected token '::2'"},
    {"an equals sign is missing", "delay 5m\n",
	"E 1: missing equal sign after option 'delay'"},
    {"a rule without a name", "rule { verdict = accept }\n",
	"E 1: missing title for section 'rule'"},
    {"a value is missing", "\n\ndelay =\n", "E 4: premature end of file"},
    {"a brace is never closed",
	ACCEPT "rule \"x\" {\n verdict = accept\n" ACCEPT,
	"E 2: the brace that opens here is never closed"},
    {"a brace too many", ACCEPT "}\n",
	"E 2: a closing brace without an opening one"},
    {"braces within braces within braces", "redis { { { { {",
	"E 1: too many braces within each other"},
    {"a quote is never closed", "\nlink = \"https://a\n" ACCEPT,
	"E 2: a line break in a text; is its closing quote missing?"},
    {"also at the end of the file", "link = \"https://a",
	"E 1: a line break in a text; is its closing quote missing?"},
    {"a comment is never closed", "\n/* what\n",
	"E 2: this comment is never closed"},
    {"a bare text that a comment would cut", "link = https://a.test/\n",
	"E 1: a comment would begin within this text; put the text in quotes, "
	"or a blank before the comment"},
    {"a bare pattern",
	"rule \"x\" { recipient = postmaster@* verdict = accept }\n",
	"E 1: a text with * + \\ or ${ has to stand in quotes"},
    {"an environment variable", "user = ${USER}\n",
	"E 1: a text with * + \\ or ${ has to stand in quotes"},
    {"and in quotes", "link = \"${client_addr}\"\n",
	"E 1: ${ in a text; a placeholder is written %{...}"},
    {"a control character", "delay = 5m\n\001", "E 2: a control character"},
    {"and in a text", "user = \"a\033[1m\"\n",
	"E 1: a control character in a text"},
    {"the same setting twice", "delay = 5m\n\ndelay = 6m\n",
	"E 3: delay stands here twice; it is already on line 1"},
    {"the same condition twice",
	"rule \"x\" { client = \"::1\"\n client = \"::2\" verdict = accept }\n",
	"E 2: client stands here twice; it is already on line 1"},
    {"the same setting twice in a section given twice",
	"redis { database = 1 }\nredis { database = 2 }\n",
	"E 2: database stands here twice; it is already on line 1"},
    {"comments do not shift the lines",
	"# one\n/* two\n three */ /* still three */\n// four\n#\ndelay = x\n",
	"E 6: delay \"x\": a duration is needed, such as 30s, 5m, 2h, 36d or "
	"1h30m"},

    /* settings */
    {"a number out of range", "network_ipv4 = 40\n",
	"E 1: network_ipv4 \"40\": it has to be from 8 to 32"},
    {"a list where one value belongs", "delay = {5m,\n6m}\n",
	"E 1: delay \"5m\": one value is needed, not a list"},
    {"an empty list where one value belongs", "redis { database = {} }\n",
	"E database: one value is needed, not a list"},
    {"an unknown choice", "identity = host\n",
	"E 1: identity \"host\": it has to be one of: pool network address"},
    {"a port open to all", "socket = \"inet:8891\"\n",
	"E 1: socket \"inet:8891\": a host is needed, as in "
	"inet:8891@127.0.0.1; for all addresses say inet:8891@0.0.0.0"},
    {"a bad server among good ones",
	"redis { mode = cluster\n servers = {\"a:1\",\n \"b\"} }\n",
	"E 3: servers \"b\": an address is needed, such as "
	"redis1.example.org:6379, [2001:db8::1]:6379 or "
	"/run/redis/redis.sock\n"
	"E 1: mode: servers are missing"},
    {"an unknown placeholder in the link", "link = \"https://a/%{agian}\"\n",
	"E 1: link \"https://a/%{agian}\": unknown placeholder %{agian}; "
	"there are client_addr client_name helo sender recipient server rule "
	"reference link wait score"},
    {"a header without a pattern",
	"reputation { spam_headers = {\"X-Spam-Flag\"} }\n",
	"E 1: spam_headers \"X-Spam-Flag\": a header is needed, such as "
	"\"X-Spam-Flag: YES*\""},
    {"several servers without a mode", "redis { servers = {\"a:1\", \"b:1\"} }",
	"E 1: servers: mode = single has one server; for more, set mode to "
	"sentinel or cluster"},
    {"a cluster with a database",
	"redis { servers = {\"a:1\"} mode = cluster\n database = 3 }",
	"E 2: database: a cluster has no other than 0"},
    {"a Redis user without a password", "redis { user = joe }\n",
	"E 1: user: password_file is missing"},
    {"a certificate without a key",
	"redis { tls = true\n tls_cert_file = /c }\n",
	"E 2: tls_cert_file and tls_key_file go together"},
    {"a certificate without TLS", "redis { tls_ca_file = /c }\n",
	"E 1: tls_ca_file is of no use without tls = true"},
    {"a delay as long as the window", "delay = 2h\nretry_window = 2h\n",
	"E 1: delay (2h) has to be shorter than retry_window (2h), or nobody "
	"passes\n"
	"E 2: delay_cap (4h) has to be shorter than retry_window (2h), or be "
	"0"},
    {"a window as short as the usual delay",
	"delay_cap = 0\n\nretry_window = 3m\n",
	"E 3: delay (3m) has to be shorter than retry_window (3m), or nobody "
	"passes"},
    {"a delay cap as long as the window", "retry_window = 2d\ndelay_cap = 2d\n",
	"E 2: delay_cap (2d) has to be shorter than retry_window (2d), or be "
	"0"},
    {"a window as short as the usual delay cap", "\nretry_window = 4h\n",
	"E 2: delay_cap (4h) has to be shorter than retry_window (4h), or be "
	"0"},

    /* responses */
    {"a permanent rejection",
	"response \"no\" {\n  reply = \"550 5.7.1 Go away\"\n}\n",
	"E 2: response \"no\": code 550: milter-defer only defers, so a code "
	"from 400 to 459 is needed, such as 451"},
    {"a line break in a text",
	"response \"no\" { reply = \"451 4.7.1 try\\nagain\" }\n",
	"E 1: response \"no\": a line break in the text; give a list of texts "
	"for a reply of several lines"},
    {"an unknown placeholder",
	"response \"no\" { reply = {\"451 a\",\n \"451 b %{minutes}\"} }\n",
	"E 2: response \"no\": unknown placeholder %{minutes}; there are "
	"client_addr client_name helo sender recipient server rule reference "
	"link wait score"},
    {"a response without a reply", "\nresponse \"no\" { }\n",
	"E 2: response \"no\" has no reply"},
    {"a response whose name has a blank, and would be two words of the log",
	"\nresponse \"try again\" { reply = \"451 a\" }\n",
	"E 2: " BAD_RESPONSE_NAME},
    {"a response whose name has a quote",
	"response 'a\"b' { reply = \"451 a\" }\n", "E 1: " BAD_RESPONSE_NAME},
    {"or the other one", "response \"a'b\" { reply = \"451 a\" }\n",
	"E 1: " BAD_RESPONSE_NAME},
    {"a response whose name has a backslash",
	"response \"a\\\\b\" { reply = \"451 a\" }\n",
	"E 1: " BAD_RESPONSE_NAME},
    {"a response whose name is not ASCII",
	"response \"gr\303\274n\" { reply = \"451 a\" }\n",
	"E 1: " BAD_RESPONSE_NAME},
    {"a response without a name", "response \"\" { reply = \"451 a\" }\n",
	"E 1: " BAD_RESPONSE_NAME},
    {"a response of a name of 81",
	"response \"" TEN TEN TEN TEN TEN TEN TEN TEN "1\"\n"
	"{ reply = \"451 a\" }\n",
	"E 2: " BAD_RESPONSE_NAME},
    {"a response twice",
	"response \"a\" { reply = \"451 a\" }\n"
	"response \"a\" { reply = \"451 b\" }\n",
	"E 2: response \"a\" stands here twice"},

    /* rules */
    {"a rule without a verdict", "\nrule \"x\"\n{ known = true }\n",
	"E 3: rule \"x\": verdict is missing: accept, defer or greylist"},
    {"an unknown verdict", "rule \"x\" { verdict = reject }\n",
	"E 1: verdict \"reject\": it has to be one of: accept defer "
	"greylist"},
    {"no such response",
	"rule \"x\" { verdict = defer\n response = \"nosuch\" }\n",
	"E 2: rule \"x\": there is no response \"nosuch\""},
    {"a response for an accepting rule",
	"rule \"x\" { verdict = accept\n response = \"greylisted\" }\n",
	"E 2: rule \"x\": response does not belong to a rule that accepts"},
    {"a delay for a deferring rule",
	"rule \"x\" { verdict = defer\n delay = 5m\n by = client }\n",
	"E 3: rule \"x\": by belongs to a rule with verdict = greylist\n"
	"E 2: rule \"x\": delay belongs to a rule with verdict = greylist"},
    {"a wait for a greylisting rule",
	"rule \"x\" { verdict = greylist wait = 5m }\n",
	"E 1: rule \"x\": wait belongs to a rule with verdict = defer"},
    {"a delay longer than the window",
	"rule \"x\" { verdict = greylist\n delay = 2d }\n",
	"E 2: rule \"x\": delay (2d) has to be shorter than retry_window "
	"(25h), or nobody passes"},
    {"a delay as long as the window of the file",
	"retry_window = 5h\nrule \"x\" { verdict = greylist delay = 5h }\n",
	"E 2: rule \"x\": delay (5h) has to be shorter than retry_window "
	"(5h), or nobody passes"},
    {"a delay for all that is too long is told once",
	"delay = 2d\nrule \"x\" { verdict = greylist }\n",
	"E 1: delay (2d) has to be shorter than retry_window (25h), or nobody "
	"passes"},
    {"a window of its own, as a stored clock has one life",
	"rule \"x\" { verdict = greylist window = 2h }\n",
	"E 1: there is no window in a section rule"},
    {"and a keep", "rule \"x\" { verdict = greylist keep = 3d }\n",
	"E 1: there is no keep in a section rule; it belongs at the top, "
	"outside of all sections"},
    {"a delay beyond its range",
	"rule \"x\" { verdict = greylist delay = 30d }\n",
	"E 1: delay \"30d\": it has to be from 0s to 7d"},
    {"a triplet at mail", "rule \"x\" { verdict = greylist at = mail }\n",
	"E 1: rule \"x\": a triplet has a recipient, which is not known at "
	"mail"},
    {"a rule twice", ACCEPT "\n" ACCEPT,
	"E 3: rule \"a\" stands here twice; it is already on line 1"},
    {"a rule without letters", "rule \"\" { verdict = accept }\n",
	"E 1: the name of a rule is 1 to 80 letters of printable ASCII "
	"without quotes and backslashes"},

    /* conditions */
    {"/40 for IPv4",
	"rule \"x\" { client = {\"::1\",\n\"10.0.0.0/40\"} verdict = accept }",
	"E 2: client \"10.0.0.0/40\": /40 does not fit this address, /0 to /32 "
	"would"},
    {"bits beyond the prefix",
	"rule \"x\" { client = \"10.0.0.1/8\" verdict = accept }\n",
	"E 1: client \"10.0.0.1/8\": host bits are set; the network "
	"is 10.0.0.0/8"},
    {"every bad value is named",
	"rule \"x\" { client = {a, \"::1\", b} verdict = accept }\n",
	"E 1: client \"a\": not an IP address; for host names there is "
	"client_name\n"
	"E 1: client \"b\": not an IP address; for host names there is "
	"client_name"},
    {"an empty list of networks would be no condition",
	"\nrule \"x\" { client = {} verdict = accept }\n",
	"E 2: client: an empty list would never match"},
    {"an empty pattern", "rule \"x\" { sender = \"\" verdict = accept }\n",
	"E 1: sender \"\": an empty pattern matches nothing"},
    {"asking for the contrary",
	"rule \"x\" { authenticated = false verdict = accept }\n",
	"E 1: authenticated \"false\": only true can be asked for; leave the "
	"condition out"},
    {"a truth that is none",
	"rule \"x\" { authenticated = 1 verdict = accept }\n",
	"E 1: authenticated \"1\": it has to be true or false"},
    {"a score beyond its range",
	"rule \"x\" { reputation_below = -101 verdict = accept }\n",
	"E 1: reputation_below \"-101\": it has to be from -100 to 100"},
    {"a load of nothing", "rule \"x\" { load_above = 0 verdict = accept }\n",
	"E 1: load_above \"0\": it has to be above 0, and at most 100"},
    {"a load in percent", "rule \"x\" { load_above = 80% verdict = accept }\n",
	"E 1: load_above \"80%\": a number is needed, such as 0.85"},
    {"a share without a percent sign",
	"rule \"x\" { share = 10 verdict = accept }\n",
	"E 1: share \"10\": a percentage is needed, such as 10%"},
    {"hours that are none",
	"rule \"x\" { hours = \"Mon 8-18\" verdict = accept }\n",
	"E 1: hours \"Mon 8-18\": hours are needed, such as \"Mon-Fri "
	"08:00-18:00\" or \"22:00-06:00\""},
    {"a header number without a number",
	"rule \"x\" { header_above = \"X-Spam-Score: high\" verdict = accept }",
	"E 1: header_above \"X-Spam-Score: high\": a header and a number are "
	"needed, such as \"X-Spam-Score: 5\""},
    {"a relative path",
	"rule \"x\" { client_list = \"list\" verdict = accept }\n",
	"E 1: client_list \"list\": a path that begins with / is needed"},
    {"a shared list with a blank in its name",
	"rule \"x\" { listed = \"a b\" verdict = accept }\n",
	"E 1: listed \"a b\": the store can have no list of this name: 1 to 80 "
	"letters of printable ASCII without blanks, braces, quotes and "
	"backslashes are needed"},
    {"two values where there is one",
	"rule \"x\" { daemon_port = {25,\n26} verdict = accept }\n",
	"E 2: daemon_port \"26\": one value is needed, not a list"},
    {"a port beyond all",
	"rule \"x\" { daemon_port = 65536 verdict = accept }\n",
	"E 1: daemon_port \"65536\": it has to be from 1 to 65535"},

    {"a host name where addresses are asked for",
	"rule \"x\" { client = \"mx.partner.example\" verdict = accept }\n",
	"E 1: client \"mx.partner.example\": not an IP address; for host "
	"names there is client_name"},
    {"a domain as a sender",
	"rule \"x\" { sender = \"partner.example\" verdict = accept }\n",
	"E 1: sender \"partner.example\": no address is without @; of a "
	"domain, all addresses are \"*@example.org\""},
    {"a network as a sender",
	"rule \"x\" { sender = \"2001:db8::/32\" verdict = accept }\n",
	"E 1: sender \"2001:db8::/32\": no address is without @; of a domain, "
	"all addresses are \"*@example.org\""},
    {"and as what no recipient is",
	"rule \"x\" { not_recipient = \"@partner.example\" verdict = accept }",
	"E 1: not_recipient \"@partner.example\": no address begins with @; of "
	"a domain, all addresses are \"*@example.org\""},
    {"the null sender as a pattern",
	"rule \"x\" { sender = \"<>\" verdict = accept }\n",
	"E 1: sender \"<>\": the null sender matches no pattern; ask "
	"null_sender"},
    {"an address with its brackets",
	"rule \"x\" { sender = \"<*@a.example>\" verdict = accept }\n",
	"E 1: sender \"<*@a.example>\": addresses are compared without < and "
	">"},
    {"all below a domain, in the words of others",
	"rule \"x\" { client_name = \".a.example\" verdict = accept }\n",
	"E 1: client_name \".a.example\": no host name begins with a dot; all "
	"below a domain are \"*.example.org\""},
    {"an address where names are asked for",
	"rule \"x\" { client_name = \"192.0.2.7\" verdict = accept }\n",
	"E 1: client_name \"192.0.2.7\": that is an address, and no host name; "
	"for addresses and networks there is client"},
    {"a network where names are asked for",
	"rule \"x\" { client_name = \"192.0.2.0/24\" verdict = accept }\n",
	"E 1: client_name \"192.0.2.0/24\": no host name has one of @ / : [ or "
	"a blank; for addresses and networks there is client"},
    {"a file as a shared list",
	"rule \"x\" { listed = \"/etc/list\" verdict = accept }\n",
	"E 1: listed \"/etc/list\": that is a path, and a shared list has a "
	"name; for a file there are client_list, client_name_list, "
	"sender_list and recipient_list"},
    {"an empty contrary", "rule \"x\" { not_client = {} verdict = accept }\n",
	"E 1: not_client: an empty list would always match"},
    {"letters that changed places",
	"rule \"x\" { verdict = greylist dealy = 5m }\n",
	"E 1: there is no dealy in a section rule; did you mean delay?"},
    {"half of the name", "rule \"x\" { messages = 5 verdict = defer }\n",
	"E 1: there is no messages in a section rule; did you mean "
	"messages_above?"},
    {"a setting where it does not belong",
	"rule \"x\" { retry_window = 5h verdict = accept }\n",
	"E 1: there is no retry_window in a section rule; it belongs at the "
	"top, outside of all sections"},
    {"or the other way round", "\nmessages_above = 5\n",
	"E 2: there is no messages_above; it belongs in a section rule"},
    {"a verdict that is nearly one", "rule \"x\" { verdict = differ }\n",
	"E 1: verdict \"differ\": it has to be one of: accept defer greylist; "
	"did you mean defer?"},
    {"a response that is nearly one",
	"rule \"x\" { verdict = defer response = \"greylist\" }\n",
	"E 1: rule \"x\": there is no response \"greylist\"; did you mean "
	"greylisted?"},
    {"a unit that people say", "delay = \"5 minutes\"\n",
	"E 1: delay \"5 minutes\": there is no minutes; m is: a duration is "
	"needed, such as 30s, 5m, 2h, 36d or 1h30m"},
    {"and in a condition",
	"rule \"x\" { connected_longer = 2hrs verdict = defer }\n",
	"E 1: connected_longer \"2hrs\": there is no hrs; h is: a duration is "
	"needed, such as 30s, 5m, 2h, 36d or 1h30m"},
    {"and of sizes", "store { memory = 64MiB }\n",
	"E 1: memory \"64MiB\": there is no MiB; M is: a size is needed, such "
	"as 10k or 64M"},
    {"a blank within a value", "delay = \"1h 30m\"\n",
	"E 1: delay \"1h 30m\": no blank may stand in it; a duration is "
	"needed, such as 30s, 5m, 2h, 36d or 1h30m"},
    {"a truth that is nearly one", "log_accepted = ture\n",
	"E 1: log_accepted \"ture\": it has to be true or false; did you mean "
	"true?"},
    {"a placeholder without its brace",
	"response \"no\" { reply = \"451 wait %{wait\" }\n",
	"E 1: response \"no\": a placeholder without its brace; it is written "
	"%{wait}"},

    /* limits */
    {"a limit without a time",
	"rule \"x\" { messages_above = 5 verdict = defer }\n",
	"E 1: rule \"x\": a limit needs within, such as within = 1h"},
    {"a time without a limit", "rule \"x\" { within = 1h verdict = defer }\n",
	"E 1: rule \"x\": within belongs to a rule with a limit, such as "
	"messages_above"},
    {"a holder without a limit",
	"rule \"x\" { per = host\nscale_by_reputation = true verdict = defer }",
	"E 1: rule \"x\": per belongs to a rule with a limit, such as "
	"messages_above\n"
	"E 2: rule \"x\": scale_by_reputation belongs to a rule with a limit, "
	"such as messages_above"},
    {"two limits in a rule",
	"rule \"x\" { messages_above = 5\n recipients_above = 9\n within = 1h "
	"verdict = defer }\n",
	"E 2: rule \"x\" has two limits; make two rules of it"},
    {"connections of a sender",
	"rule \"x\" { connections_above = 5 within = 1h per = user\n"
	"verdict = defer }\n",
	"E 1: rule \"x\": connections are counted per network, host, server or "
	"all"},
    {"octets of a recipient",
	"rule \"x\" { octets_above = 1M within = 1h per = recipient\n"
	"verdict = defer }\n",
	"E 1: rule \"x\": of a recipient only messages are counted: "
	"messages_above"},
    {"messages of a recipient at data",
	"rule \"x\" { messages_above = 9 within = 1h per = recipient at = "
	"data\n"
	"verdict = defer }\n",
	"E 1: rule \"x\" counts messages of each recipient, and so has to "
	"speak "
	"at rcpt alone: leave its at out, and move it above all that wait for "
	"data"},
    {"or below a rule that waits for it",
	"rule \"y\" { at = data verdict = greylist }\n"
	"rule \"x\" { messages_above = 9 within = 1h per = recipient\n"
	"verdict = defer }\n",
	"E 2: rule \"x\" counts messages of each recipient, and so has to "
	"speak "
	"at rcpt alone: leave its at out, and move it above all that wait for "
	"data"},
    {"numbers of a file, of nobody",
	"rule \"x\" { messages_above = \"file:/x\" within = 1h verdict = defer "
	"}\n",
	"E 1: rule \"x\": numbers of a file need per = user, sender or "
	"sender_domain"},
    {"numbers of a file without a path",
	"rule \"x\" { messages_above = \"file:x\" within = 1h per = user\n"
	"verdict = defer }\n",
	"E 1: messages_above \"file:x\": a path that begins with / is needed "
	"behind file:"},
    {"a file of numbers that is a list, too",
	"rule \"x\" { messages_above = \"file:/x\" within = 1h per = user\n"
	"sender_list = \"/x\" verdict = defer }\n",
	"E 2: sender_list \"/x\": a file has either entries or keys with "
	"numbers, and another condition takes this one for the other"},
    {"different senders of a sender",
	"rule \"x\" { distinct_senders_above = 5 within = 1h per = sender\n"
	"verdict = defer }\n",
	"E 1: rule \"x\": a sender is one sender; count them per network, "
	"host, user, sender_domain, server or all"},
    {"more different things than can be told apart",
	"rule \"x\" { distinct_recipients_above = 10001 within = 1h\n"
	"verdict = defer }\n",
	"E 1: distinct_recipients_above \"10001\": it has to be from 1 to "
	"10000"},
    {"octets by the dozen",
	"rule \"x\" { octets_above = 12 within = 1h verdict = defer }\n",
	"E 1: octets_above \"12\": it has to be from 1k to 900G"},
    {"a limit of nothing",
	"rule \"x\" { messages_above = 0 within = 1h verdict = defer }\n",
	"E 1: messages_above \"0\": a limit below one lets nothing through, "
	"ever: it has to be from 1 to 1000000000"},
};

START_TEST(bad_files)
{
	struct said said;
	struct policy *policy = load(bad_rows[_i].text, &said);

	ck_assert_msg(strcmp(said.text, bad_rows[_i].said) == 0, "%s:\n%s",
	    bad_rows[_i].when, said.text);
	ck_assert_ptr_null(policy);
}
END_TEST

START_TEST(a_file_that_is_not_there_is_named)
{
	struct said said = {.path = "/nonexistent/x.conf"};

	ck_assert_ptr_null(conf_load(said.path, note, &said));
	ck_assert_str_eq(said.text, "E No such file or directory");
}
END_TEST

START_TEST(a_nul_is_a_control_character)
{
	struct said said;

	ck_assert_ptr_null(load_octets("delay = 5m\0\n", 12, &said));
	ck_assert_str_eq(said.text, "E 1: a control character");
}
END_TEST

START_TEST(a_huge_file_is_refused)
{
	size_t length = 1024 * 1024 + 1;
	char *text = malloc(length);
	struct said said;

	ck_assert_ptr_nonnull(text);
	memset(text, '\n', length);
	ck_assert_ptr_null(load_octets(text, length, &said));
	ck_assert_str_eq(said.text, "E this file is larger than 1M");
	free(text);
}
END_TEST

/* The parser keeps its state in globals: nothing of a bad file may stay. */
START_TEST(a_bad_file_leaves_nothing_behind)
{
	struct said said;
	struct policy *policy;

	for (int i = 0; i < COUNT(bad_rows); i++) {
		ck_assert_ptr_null(load(bad_rows[i].text, &said));
		policy = load(ACCEPT, &said);
		ck_assert_str_eq(said.text, "");
		ck_assert_ptr_nonnull(policy);
		policy_release(&policy);
	}
}
END_TEST

/* --- what is allowed but hardly meant --- */

static const struct {
	const char *when;
	const char *text;
	const char *said; /* "" for nothing */
} warning_rows[] = {
    {"DNS lists in use",
	"dns { servers = \"127.0.0.1\" }\n" DNSBL
	"rule \"x\" { dnsbl_below = 1 verdict = accept }\n",
	""},
    {"DNS lists that nobody asks", DNSBL,
	"W 1: dnsbl \"x\" is not used by any rule"},
    {"DNS lists without a server",
	DNSBL "rule \"x\" { dnsbl_below = 1 verdict = accept }\n",
	"W 1: dnsbl \"x\" is never asked: section dns names no servers"},
    {"SPF in use",
	"dns { servers = \"127.0.0.1\" }\n"
	"rule \"x\" { spf = {PASS, none} verdict = accept }\n",
	""},
    {"SPF without a server", "rule \"x\" { spf = pass verdict = accept }\n",
	"W 1: rule \"x\": spf is never known: section dns names no servers"},
    {"one zone that needs a second",
	"dns { servers = \"127.0.0.1\" }\n"
	"dnsbl \"x\" { zones = \"a.example=127.0.0.2\" }\n"
	"rule \"x\" { dnsbl_below = 1 verdict = accept }\n",
	"W 2: dnsbl \"x\" has one zone, and one alone decides nothing unless "
	"alone = true"},
    {"carriage returns are blanks", "delay = 5m\r\n" ACCEPT, ""},
    {"a comment without text", "#\n" ACCEPT, ""},
    {"a comment as long as the parser's buffer",
	"#2345678901234567890123456789012\n" ACCEPT, ""},
    {"a trailing comma", "rule \"x\" { client = {\"::1\",} verdict = accept }",
	""},
    {"adding to a list",
	"rule \"x\" { client = \"::1\"\nclient += {\"::2\"} verdict = accept }",
	""},
    {"a text over two lines by a backslash",
	"response \"greylisted\" { reply = \"451 4.7.1 a \\\nb\" }\n", ""},
    {"a quote in quotes", "response \"policy\" { reply = \"451 \\\"a\\\"\" }",
	""},
    {"no pair is put off for as long as the window",
	"retry_window = 4h\ndelay_cap = 14399s\ndelay = 14399s\n", ""},
    {"without a delay cap the window can be short",
	"retry_window = 1h\ndelay_cap = 0\n", ""},
    {"a response of a name of 80",
	"response \"" TEN TEN TEN TEN TEN TEN TEN "!#$%&()*+~\"\n"
	"{ reply = \"451 a\" }\n"
	"rule \"x\" { verdict = defer response =\n"
	"  \"" TEN TEN TEN TEN TEN TEN TEN "!#$%&()*+~\" }\n",
	""},
    {"no mark of spam is looked for",
	"reputation { spam_headers = {} ham_headers = {} }\n", ""},
    {"a rule below one that holds for all",
	ACCEPT "rule \"b\" { known = true verdict = accept }\n",
	"W 2: rule \"b\" can never be reached: whatever meets it is settled "
	"by rule \"a\" on line 1"},
    {"a rule that only narrows one above",
	"rule \"a\" { client = {\"::1\", \"::2\"} verdict = accept }\n"
	"rule \"b\" { tls = true client = {\"::1\", \"::2\"} "
	"verdict = defer }\n",
	"W 2: rule \"b\" can never be reached: whatever meets it is settled "
	"by rule \"a\" on line 1"},
    {"other networks are another thing",
	"rule \"a\" { client = {\"::1\", \"::2\"} verdict = accept }\n"
	"rule \"b\" { client = {\"::3\"} verdict = defer }\n",
	""},
    {"a network within another",
	"rule \"a\" { client = \"10.0.0.0/8\" verdict = accept }\n"
	"rule \"b\" { client = {\"10.1.0.0/16\", \"10.2.0.1\"} verdict = defer "
	"}\n",
	"W 2: rule \"b\" can never be reached: whatever meets it is settled by "
	"rule \"a\" on line 1"},
    {"a pattern within another",
	"rule \"a\" { sender = \"*@a.example\" verdict = accept }\n"
	"rule \"b\" { sender = \"b*@A.example\" tls = true verdict = accept "
	"}\n",
	"W 2: rule \"b\" can never be reached: whatever meets it is settled by "
	"rule \"a\" on line 1"},
    {"but not the other way round",
	"rule \"a\" { sender = \"b*@a.example\" verdict = accept }\n"
	"rule \"b\" { sender = \"*@a.example\" verdict = accept }\n",
	""},
    {"nor by one letter more or less",
	"rule \"a\" { sender = \"?@a.example\" verdict = accept }\n"
	"rule \"b\" { sender = \"*@a.example\" verdict = accept }\n",
	""},
    {"a score that is lower still",
	"rule \"a\" { reputation_below = -10 verdict = accept }\n"
	"rule \"b\" { reputation_below = -20 verdict = accept }\n",
	"W 2: rule \"b\" can never be reached: whatever meets it is settled by "
	"rule \"a\" on line 1"},
    {"who is in neither of two networks",
	"rule \"a\" { not_client = {\"::1\"} verdict = accept }\n"
	"rule \"b\" { not_client = {\"::1\", \"::2\"} verdict = accept }\n",
	"W 2: rule \"b\" can never be reached: whatever meets it is settled by "
	"rule \"a\" on line 1"},
    {"who is not in one of two",
	"rule \"a\" { not_client = {\"::1\", \"::2\"} verdict = accept }\n"
	"rule \"b\" { not_client = {\"::1\"} verdict = accept }\n",
	""},
    {"each limit counts for itself",
	"rule \"a\" { messages_above = 5 within = 1h at = data verdict = defer "
	"}\n"
	"rule \"b\" { messages_above = 9 within = 1h at = data verdict = defer "
	"}\n",
	""},
    {"a load between two that are the wrong way round",
	"rule \"a\" { load_above = 0.9 load_below = 0.5 verdict = accept }\n",
	"W 1: rule \"a\" can never hold: its load_above and its load_below "
	"exclude each other"},
    {"a load between two",
	"rule \"a\" { load_above = 0.5 load_below = 0.9 "
	"verdict = accept }\n",
	""},
    {"a score between two that are the same",
	"rule \"a\" { reputation_below = 5 reputation_above = 5 verdict = "
	"accept "
	"}\n",
	"W 1: rule \"a\" can never hold: its reputation_below and its "
	"reputation_above exclude each other"},
    {"a thing and its contrary",
	"rule \"a\" { client = \"10.0.0.0/16\" not_client = \"10.0.0.0/8\" "
	"verdict = accept }\n",
	"W 1: rule \"a\" can never hold: its client and its not_client exclude "
	"each other"},
    {"all but some",
	"rule \"a\" { client = \"10.0.0.0/8\" not_client = \"10.0.0.0/16\" "
	"verdict = accept }\n",
	""},
    {"the null sender as somebody",
	"rule \"a\" { null_sender = true sender = \"*\" verdict = accept }\n",
	"W 1: rule \"a\" can never hold: its null_sender and its sender "
	"exclude each other"},
    {"good clients of poor reputation",
	"rule \"a\" { known = true reputation_below = -30 verdict = accept }\n",
	"W 1: rule \"a\" can never hold: its known and its reputation_below "
	"exclude each other"},
    {"known clients, where nobody becomes known",
	"known_after = 0\nrule \"a\" { known = true verdict = accept }\n",
	"W 2: rule \"a\" can never hold: nothing meets its known"},
    {"a score that there is not",
	"rule \"a\" { reputation_below = -100 verdict = accept }\n",
	"W 1: rule \"a\" can never hold: nothing meets its reputation_below"},
    {"a recipient without a domain",
	"rule \"a\" {\nrecipient = {\"postmaster\", \"root\"} verdict = accept "
	"}\n",
	"W 2: recipient \"root\": matches only an address without @, which "
	"hardly ever comes; \"root@*\" matches it at any domain"},
    {"a shared list that nobody can fill",
	"control = \"\"\nrule \"a\" { listed = \"l\" verdict = accept }\n",
	"W 2: rule \"a\": its list stays empty: without Redis lists are "
	"changed "
	"over the control socket, which is off"},
    {"a share of nobody", "rule \"a\" { share = 0% verdict = accept }\n",
	"W 1: rule \"a\" can never hold: nothing meets its share"},
    {"more than all lists together",
	"dns { servers = 127.0.0.1 }\n" DNSBL
	"rule \"a\" { dnsbl_above = 2 at = data verdict = accept }\n",
	"W 3: rule \"a\" can never hold: nothing meets its dnsbl_above"},
    {"a limit while nothing can be counted",
	"rule \"a\" { store_down = true messages_above = 5 within = 1h at = "
	"data "
	"verdict = defer }\n",
	"W 1: rule \"a\" can never hold: its store_down and its messages_above "
	"exclude each other"},
    {"a greylist rule lets go",
	"rule \"a\" { verdict = greylist }\n"
	"rule \"b\" { null_sender = true verdict = defer }\n",
	""},
    {"a rule on trial settles nothing",
	"rule \"a\" { verdict = accept observe = true }\n"
	"rule \"b\" { verdict = defer }\n",
	""},
    {"a rule at mail below one at data",
	"rule \"a\" { at = data verdict = greylist }\n"
	"rule \"b\" { authenticated = true verdict = accept }\n",
	"W 2: rule \"b\" could speak at mail, but waits for rule \"a\" on "
	"line 1, which speaks at data; move it up, or set its at to data"},
    {"a rule at mail below one on trial",
	"rule \"a\" { at = data verdict = greylist observe = true }\n"
	"rule \"b\" { authenticated = true verdict = accept }\n",
	""},
    {"an `at` that is too early",
	"rule \"a\" { at = rcpt size_above = 1M verdict = defer }\n",
	"W 1: rule \"a\": at = rcpt, but what it asks is known at eom"},
    {"a code that does not fit",
	"response \"timeout\" { reply = \"421 4.2.1 Timeout\" }\n",
	"W 1: response \"timeout\": code 4.2.1 does not fit 421: 421 closes "
	"the connection; a code 4.3.x, 4.4.x or 4.7.x goes with it"},
    {"a response that nobody uses",
	"response \"mine\" { reply = \"451 4.7.1 a\" }\n",
	"W 1: response \"mine\" is not used by any rule"},
    {"a link that is not set",
	"rule \"a\" { store_down = true verdict = defer "
	"response = \"internal-resource\" }\n",
	"W 1: rule \"a\": its response shows %{link}, but no link is set"},
    {"a whole policy on trial", "\nobserve = true\n" ACCEPT,
	"W 2: observe is set: nothing is deferred, only logged"},
};

#define UNCAPPED " verdict = defer uncapped = true }\n"
#define NO_CAP	 "delay_cap = 0s\n"

/* Which rules defer a message as often as it comes, without a word from the
 * postmaster that he means it. */
static const struct {
	const char *when;
	const char *text;
	bool endless;
} endless_rows[] = {
    {"capped at data", "rule \"a\" { at = data verdict = defer }\n", false},
    {"no pair is known at mail", "rule \"a\" { verdict = defer }\n", true},
    {"without a cap", NO_CAP "rule \"a\" { at = data verdict = defer }\n",
	true},
    {"greylisting has an end",
	NO_CAP "rule \"a\" { at = data verdict = greylist }\n", false},
    {"a size", "rule \"a\" { size_above = 1M" UNCAPPED, true},
    {"a header", "rule \"a\" { header = \"X: y\"" UNCAPPED, true},
    {"a header's number", "rule \"a\" { header_above = \"X: 1\"" UNCAPPED,
	true},
    {"a name in HELO", "rule \"a\" { helo = \"x\"" UNCAPPED, true},
    {"no name", "rule \"a\" { no_client_name = true" UNCAPPED, true},
    {"a client by name is meant", "rule \"a\" { client = \"::1\"" UNCAPPED,
	false},
    {"but not where the cap was to help",
	"rule \"a\" { client = \"::1\" verdict = defer }\n", true},
    {"domains, which can come one by one",
	"rule \"a\" { domains_in_message_above = 1" UNCAPPED, false},
    {"recipients likewise",
	"rule \"a\" { recipients_in_message_above = 9" UNCAPPED, false},
    {"but not those of the whole message",
	"rule \"a\" { domains_in_message_above = 1 at = data" UNCAPPED, true},
    {"nor below a rule that waits for it",
	"rule \"b\" { at = data verdict = greylist }\n"
	"rule \"a\" { domains_in_message_above = 1" UNCAPPED,
	true},
    {"nor any recipient at all",
	"rule \"a\" { recipients_in_message_above = 0" UNCAPPED, true},
    {"load falls", "rule \"a\" { load_above = 0.5" UNCAPPED, false},
    {"but may stay low", "rule \"a\" { load_below = 0.5" UNCAPPED, true},
    {"a limit lets go", "rule \"a\" { messages_above = 1 within = 1h" UNCAPPED,
	false},
    {"bad points fade", "rule \"a\" { reputation_below = -5" UNCAPPED, false},
    {"good ones never come", "rule \"a\" { reputation_below = 5" UNCAPPED,
	true},
    {"hours pass", "rule \"a\" { hours = \"01:00-02:00\"" UNCAPPED, false},
    {"one condition that passes is enough",
	"rule \"a\" { size_above = 1M load_above = 0.5" UNCAPPED, false},
    {"a rule on trial", "rule \"a\" { verdict = defer observe = true }\n",
	false},
};

START_TEST(rules_without_an_end)
{
	struct said said;
	struct policy *policy = load(endless_rows[_i].text, &said);

	ck_assert_msg(
	    policy != NULL, "%s:\n%s", endless_rows[_i].when, said.text);
	ck_assert_msg(said.endless == endless_rows[_i].endless, "%s",
	    endless_rows[_i].when);
	policy_release(&policy);
}
END_TEST

START_TEST(a_file_without_rules_is_told)
{
	struct said said;
	struct policy *policy = load("delay = 5m\n", &said);

	ck_assert(said.empty);
	policy_release(&policy);
	policy = load(ACCEPT, &said);
	ck_assert(!said.empty);
	policy_release(&policy);
}
END_TEST

START_TEST(warnings)
{
	struct said said;
	struct policy *policy = load(warning_rows[_i].text, &said);

	ck_assert_msg(
	    policy != NULL && strcmp(said.text, warning_rows[_i].said) == 0,
	    "%s:\n%s", warning_rows[_i].when, said.text);
	policy_release(&policy);
}
END_TEST

/* --- what becomes of it --- */

static struct policy *
good(const char *text)
{
	struct said said;
	struct policy *policy = load(text, &said);

	ck_assert_msg(policy != NULL && said.text[0] == '\0', "%s", said.text);
	return policy;
}

START_TEST(a_rule_has_what_was_written)
{
	struct policy *policy = good(
	    "\xef\xbb\xbf" /* as Windows saves it */
	    "delay = 6m retry_window = 5h keep = 3d\n"
	    "response \"mine\" { reply = {\"450 4.2.1 a\", \"450 4.2.1 b\"} }\n"
	    "rule \"x\" { client = {\"10.0.0.0/8\", \"::1\"} known = true\n"
	    "  verdict = greylist by = client at = eom\n"
	    "  response = \"mine\" uncapped = yes observe = on }\n"
	    "rule \"y\" { verdict = defer wait = 10m }\n");
	const struct rule *rule = &policy->rules[0];

	ck_assert_uint_eq(policy->rule_count, 2);
	ck_assert_str_eq(rule->name, "x");
	ck_assert_int_eq(rule->line, 3);
	ck_assert_int_eq(rule->verdict, RULE_GREYLIST);
	ck_assert_int_eq(rule->by, BY_CLIENT);
	ck_assert_int_eq(rule->terms.delay, 360);
	ck_assert_int_eq(rule->terms.window, 5 * 3600);
	ck_assert_int_eq(rule->terms.keep, 3 * 86400);
	ck_assert_int_eq(rule->at, STAGE_EOM);
	ck_assert(rule->observe && rule->uncapped);
	ck_assert_str_eq(rule->reply->name, "mine");
	ck_assert_uint_eq(rule->condition_count, 2);
	ck_assert_uint_eq(rule->conditions[0].count, 2);
	rule++;
	ck_assert_uint_eq(rule->index, 1);
	ck_assert_int_eq(rule->wait, 600);
	ck_assert_str_eq(rule->reply->name, "try-again");
	policy_release(&policy);
	ck_assert_ptr_null(policy);
}
END_TEST

START_TEST(a_greylist_rule_needs_no_options)
{
	struct policy *policy = good("rule \"x\" { verdict = greylist }\n");
	const struct rule *rule = &policy->rules[0];

	ck_assert_int_eq(rule->by, BY_TRIPLET);
	ck_assert_int_eq(rule->terms.delay, GREYLIST_DELAY);
	ck_assert_int_eq(rule->terms.window, GREYLIST_WINDOW);
	ck_assert_int_eq(rule->terms.keep, GREYLIST_KEEP);
	ck_assert_str_eq(rule->reply->name, "greylisted");
	policy_release(&policy);
}
END_TEST

START_TEST(observe_at_the_top_holds_for_all_rules)
{
	struct said said;
	struct policy *policy = load("observe = true\n" ACCEPT, &said);

	ck_assert(policy->rules[0].observe);
	policy_release(&policy);
}
END_TEST

START_TEST(a_response_of_the_file_replaces_the_built_in)
{
	struct policy *policy =
	    good("response \"greylisted\" { reply = \"451 4.7.1 Mine\" }\n"
		 "rule \"x\" { verdict = greylist }\n");

	ck_assert_str_eq(
	    policy->rules[0].reply->lines[0].whole, "451 4.7.1 Mine");
	policy_release(&policy);
}
END_TEST

START_TEST(loads_lists_and_headers_are_shared)
{
	struct policy *policy = good(
	    "reputation { spam_headers = {\"X-Spam: yes\"}\n"
	    "  ham_headers = {\"x-spam: no\"} }\n"
	    "rule \"a\" { load_above = 0.8 client_list = /a at = eom\n"
	    "  header = {\"X-Spam: maybe\", \"X-Mark: 1\"} verdict = defer }\n"
	    "rule \"b\" { load_below = 0.8 sender_list = /a at = eom\n"
	    "  header_above = \"X-Score: -1.5\" verdict = defer }\n"
	    "rule \"c\" { load_above = 0.9 listed = \"a\" at = eom\n"
	    "  verdict = defer }\n");

	ck_assert_uint_eq(policy->threshold_count, 2);
	ck_assert_int_eq(policy->rules[1].conditions[0].number, 0);
	ck_assert_double_eq(policy->thresholds[1], 0.9);
	ck_assert_uint_eq(policy->list_count, 2);
	ck_assert(!policy->lists[0].shared);
	ck_assert(policy->lists[1].shared);
	ck_assert_uint_eq(policy->header_count, 3);
	ck_assert_str_eq(policy->headers[0], "X-Spam");
	ck_assert_str_eq(policy->headers[1], "X-Mark");
	ck_assert_double_eq(policy->rules[1].conditions[2].real, -1.5);
	policy_release(&policy);
}
END_TEST

/* Anybody can write a mark, or results in the name of another server. */
START_TEST(no_marks_are_read_by_default)
{
	struct policy *policy = good("");

	ck_assert_uint_eq(policy->header_count, 0);
	policy_release(&policy);
}
END_TEST

START_TEST(headers_that_earn_nothing_are_not_read)
{
	struct policy *policy =
	    good("reputation { spam = 0  spam_headers = {\"X-Spam: yes\"} }\n");

	ck_assert_uint_eq(policy->header_count, 0);
	ck_assert(!policy->wants_headers);
	policy_release(&policy);
}
END_TEST

START_TEST(a_limit_counts_for_its_condition)
{
	const char *text =
	    "rule \"a\" { messages_above = 5 within = 1h per = host\n"
	    "  scale_by_reputation = true verdict = defer }\n"
	    "rule \"b\" { connections_above = 6 within = 1m verdict = defer "
	    "}\n";
	struct policy *policy = good(text);
	struct policy *again = good(text);
	const struct limit *limit = &policy->limits[0];
	const struct condition *condition = &policy->rules[0].conditions[0];

	ck_assert_uint_eq(policy->limit_count, 2);
	ck_assert_ptr_eq(limit->rule, &policy->rules[0]);
	ck_assert_ptr_eq(limit->condition, condition);
	ck_assert_int_eq(condition->type->counts, LIMIT_MESSAGES);
	ck_assert_int_eq(condition->by, LIMIT_BY_HOST);
	ck_assert_int_eq(condition->above, 5);
	ck_assert_int_eq(condition->period, 3600);
	ck_assert(condition->scaled);
	ck_assert_int_eq(policy->rules[1].conditions[0].number, 1);
	ck_assert_int_eq(policy->limits[1].condition->by, LIMIT_BY_NETWORK);
	ck_assert_uint_ne(policy->limits[1].id, limit->id);
	ck_assert_uint_eq(again->limits[0].id, limit->id);
	policy_release(&policy);
	policy_release(&again);
}
END_TEST

START_TEST(a_policy_lives_as_long_as_anybody_holds_it)
{
	struct policy *policy = good(ACCEPT);
	struct policy *other = policy_hold(policy);

	policy_release(&policy);
	ck_assert_str_eq(other->rules[0].name, "a");
	policy_release(&other);
}
END_TEST

/* --- files in files --- */

static char folder[] = "/tmp/check_conf.XXXXXX";

static void
make_folder(void)
{
	memcpy(folder + sizeof folder - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void
remove_folder(void)
{
	char command[100];

	snprintf(command, sizeof command, "rm -r '%s'", folder);
	ck_assert_int_eq(system(command), 0);
}

static void
put(const char *name, const char *text)
{
	char path[100];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

static void
note_all(void *arg, bool error, const char *text)
{
	struct said *said = arg;
	size_t at = strlen(said->text);

	(void)error;
	ck_assert(strncmp(text, folder, strlen(folder)) == 0);
	snprintf(said->text + at, sizeof said->text - at, "%s\n",
	    text + strlen(folder) + 1);
}

static struct policy *
load_main(struct said *said)
{
	char path[100];

	snprintf(path, sizeof path, "%s/main", folder);
	said->text[0] = '\0';
	return conf_load(path, note_all, said);
}

START_TEST(a_file_is_read_in_place_of_its_name)
{
	char wanted[1000];
	struct said said;
	struct policy *policy;

	make_folder();
	put("main",
	    "delay = 6m\ninclude \"sub\" # with a comment\n"
	    "rule \"c\" { verdict = defer at = data }\n"
	    "include 'sub2'\n"
	    "rule \"e\" { tls = true at = data verdict = accept }");
	put("sub",
	    "# one\nrule \"a\" { tls = true at = data\n verdict = accept }\n"
	    "rule \"b\" { helo_ours = true at = data verdict = defer }");
	put("sub2", "\n\nrule \"d\" { verdict = greylist }\n");
	policy = load_main(&said);
	ck_assert_ptr_nonnull(policy);
	snprintf(wanted, sizeof wanted,
	    "sub2:3: rule \"d\" can never be reached: whatever meets it is "
	    "settled by rule \"c\" on line 3 of %s/main\n"
	    "main:5: rule \"e\" can never be reached: whatever meets it is "
	    "settled by rule \"a\" on line 2 of %s/sub\n",
	    folder, folder);
	ck_assert_str_eq(said.text, wanted);
	ck_assert_uint_eq(policy->rule_count, 5);
	ck_assert_int_eq(policy->settings.delay, 360);
	ck_assert_str_eq(policy->rules[3].name, "d");
	ck_assert_int_eq(policy->rules[3].line, 3);
	ck_assert_str_eq(policy->rules[3].file, policy->files[2]);
	ck_assert_int_eq(policy->rules[4].line, 5);
	ck_assert_str_eq(policy->rules[4].file, policy->files[0]);
	ck_assert_ptr_null(policy->files[3]);
	policy_release(&policy);
	remove_folder();
}
END_TEST

static const struct {
	const char *when;
	const char *main, *a, *b;
	const char *said; /* begins so */
} include_rows[] = {
    {"an error in the file", "\ninclude \"a\"\n", "delay = 5m\n\ndelya = 6m\n",
	"", "a:3: there is no delya; did you mean delay?\n"},
    {"an error behind the file", "include \"a\"\n\ndelya = 6m\n", "keep = 36d",
	"", "main:3: there is no delya; did you mean delay?\n"},
    {"on its line", "include \"a\" delya = 6m\n", "keep = 36d\n\n\n", "",
	"main:1: there is no delya; did you mean delay?\n"},
    {"an error in a file within a file", "include \"a\"\n", "\ninclude \"b\"\n",
	"keep = x", "b:1: keep \"x\": a duration is needed"},
    {"a setting in two files", "keep = 36d\ninclude \"a\"\n", "\nkeep = 36d\n",
	"", "a:2: keep stands here twice; it is already on line 1 of /tmp/"},
    {"a brace that another file closes", "include \"a\"\n}\n", "redis {\n", "",
	"a:1: the brace that opens here is never closed\n"},
    {"a file that is not there", "\ninclude \"c\"\n", "", "",
	"main:2: include \"/tmp/"},
    {"a directory", "\ninclude \"../\"\n", "", "", "main:2: include \"/tmp/"},
    {"a file in itself", "\n\ninclude \"main\"\n", "", "",
	"main:3: a file that includes itself: /tmp/"},
    {"a circle", "include \"a\"", "\ninclude \"b\"", "include \"a\"",
	"b:1: a file that includes itself: /tmp/"},
    {"a file in a section", "redis {\ninclude \"a\"\n}\n", "", "",
	"main:2: include belongs at the top, outside of all sections\n"},
    {"as if it were a setting", "include = \"a\"\n", "", "",
	"main:1: include needs a path in quotes, and no =, as in include "
	"\"rules.conf\"\n"},
    {"without quotes", "include a\n", "", "",
	"main:1: include needs a path in quotes"},
    {"without an end", "include \"a\n", "", "",
	"main:1: a path that does not end on its line\n"},
};

START_TEST(errors_of_included_files)
{
	struct said said;

	make_folder();
	put("main", include_rows[_i].main);
	put("a", include_rows[_i].a);
	put("b", include_rows[_i].b);
	ck_assert_ptr_null(load_main(&said));
	ck_assert_msg(strncmp(said.text, include_rows[_i].said,
			  strlen(include_rows[_i].said)) == 0,
	    "%s: %s", include_rows[_i].when, said.text);
	remove_folder();
}
END_TEST

START_TEST(files_within_each_other_are_bounded)
{
	struct said said;
	char name[12], text[30];

	make_folder();
	put("main", "include \"1\"");
	for (int i = 1; i < 9; i++) {
		snprintf(name, sizeof name, "%d", i);
		snprintf(text, sizeof text, "include \"%d\"\n", i + 1);
		put(name, text);
	}
	ck_assert_ptr_null(load_main(&said));
	ck_assert_str_eq(said.text,
	    "7:1: too many files are included: at most 100, and 8 within each "
	    "other\n");
	remove_folder();
}
END_TEST

/* --- files of ours --- */

static const struct {
	const char *path;
	int lines; /* at most; 0: any number */
} shipped[] = {
    {"conf/milter-defer.conf", 0},
    {"tests/policies/thirteen.conf", 120},
};

START_TEST(shipped_files_are_read_without_a_word)
{
	const char *top = getenv("srcdir");
	char path[1000];
	struct said said = {.path = path};
	struct policy *policy;
	FILE *file;
	int lines = 0;

	snprintf(path, sizeof path, "%s/%s", top == NULL ? ".." : top,
	    shipped[_i].path);
	policy = conf_load(path, note, &said);
	ck_assert_msg(policy != NULL && said.text[0] == '\0', "%s", said.text);
	policy_release(&policy);
	file = fopen(path, "r");
	for (int c = getc(file); c != EOF; c = getc(file))
		lines += c == '\n';
	fclose(file);
	ck_assert(shipped[_i].lines == 0 || lines <= shipped[_i].lines);
}
END_TEST

CHECK_MAIN("conf", tcase)
{
	tcase_add_loop_test(tcase, bad_files, 0, COUNT(bad_rows));
	tcase_add_test(tcase, a_file_that_is_not_there_is_named);
	tcase_add_test(tcase, a_nul_is_a_control_character);
	tcase_add_test(tcase, a_huge_file_is_refused);
	tcase_add_test(tcase, a_bad_file_leaves_nothing_behind);
	tcase_add_loop_test(tcase, rules_without_an_end, 0,
	    sizeof endless_rows / sizeof endless_rows[0]);
	tcase_add_test(tcase, a_file_without_rules_is_told);
	tcase_add_loop_test(tcase, warnings, 0, COUNT(warning_rows));
	tcase_add_test(tcase, a_rule_has_what_was_written);
	tcase_add_test(tcase, a_greylist_rule_needs_no_options);
	tcase_add_test(tcase, observe_at_the_top_holds_for_all_rules);
	tcase_add_test(tcase, a_response_of_the_file_replaces_the_built_in);
	tcase_add_test(tcase, loads_lists_and_headers_are_shared);
	tcase_add_test(tcase, no_marks_are_read_by_default);
	tcase_add_test(tcase, headers_that_earn_nothing_are_not_read);
	tcase_add_test(tcase, a_limit_counts_for_its_condition);
	tcase_add_test(tcase, a_policy_lives_as_long_as_anybody_holds_it);
	tcase_add_test(tcase, a_file_is_read_in_place_of_its_name);
	tcase_add_loop_test(
	    tcase, errors_of_included_files, 0, COUNT(include_rows));
	tcase_add_test(tcase, files_within_each_other_are_bounded);
	tcase_add_loop_test(
	    tcase, shipped_files_are_read_without_a_word, 0, COUNT(shipped));
}
