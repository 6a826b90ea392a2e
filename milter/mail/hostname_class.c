/* Who gave a host its name?
 *
 * A provider's program names lines and machines by their address or a serial
 * number, beside words for the kind of line or product.  People name mail
 * servers by words for mail, mostly with a small number.  The words below are
 * those of providers all over the world in their own languages, as known from
 * reverse zones; tests/names/rdns.tsv has names with their sources. */
#include <string.h>

#include "base/ascii.h"
#include "mail/hostname.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum {
	SERIAL_DIGITS = 6,	   /* people count their servers with fewer */
	SERIAL_DIGITS_ALONE = 5,   /* if they stand without any letter */
	SERIAL_DIGITS_MACHINE = 4, /* beside a word for a rented machine */
	SERIAL_HEX = 8,
	LETTERS_BEHIND_SERIAL = 3,
	MAC_HEX = 12,
	SCRAMBLED_CHANGES = 6 /* between letters and digits in one word */
};

/* What providers call the lines of their customers. */
static const char *const line_words[] = {"abo", "abonent", "abonne", "adslplus",
    "aftr", "assinante", "bandalarga", "bband", "bng", "bras", "bredband",
    "breitband", "bredbaand", "cable", "catv", "cbl", "cgn", "cgnat", "client",
    "cliente", "clientes", "clients", "cmts", "cpe", "cust", "dclient", "dhcpv",
    "dial", "dialin", "dinamic", "dinamica", "dinamico", "dip", "docsis",
    "dslam", "dslite", "dyn", "dynamic", "dynamicip", "dynamique", "dynamisch",
    "dynip", "dynpool", "eduroam", "epon", "fiber", "fibra", "fibre", "fios",
    "fttb", "fttc", "ftth", "fttp", "fttx", "gpon", "gprs", "hfc", "hsd",
    "hsdpa", "hsi", "hsia", "ipbf", "ipngn", "isdn", "kabel", "klient",
    "klienti", "kunde", "kunden", "lns", "lte", "modem", "natpool", "onu",
    "ont", "pon", "pool", "pooles", "pools", "ppp", "pppoa", "pptp",
    "residencial", "resnet", "subs", "umts", "usuario", "uzivatel", "vpdn",
    "wifi", "wimax", "wireless", "wlan"};

/* Such words that are never part of another one. */
static const char *const line_parts[] = {"adsl", "broadband", "cablemodem",
    "customer", "dhcp", "dialup", "dyndsl", "modemcable", "pppoe",
    "residential", "subscriber", "vdsl"};

/* Words that mean a line when a label is made of nothing else and the host's
 * own label, before it, has a number. */
static const char *const line_labels[] = {"access", "bb", "cm", "fix", "home",
    "ip", "ipv4", "ipv6", "ip4", "ip6", "res", "user", "users"};

/* What owners call their mail servers. */
static const char *const mail_words[] = {"alerts", "bounce", "bounces", "bout",
    "bulk", "campaign", "delivery", "dispatch", "esa", "exch", "exchange",
    "exim", "forward", "forwarder", "fwd", "imap", "ironport", "list", "lists",
    "listserv", "mda", "mga", "mgw", "mout", "msa", "msg", "msgout", "news",
    "newsletter", "newsletters", "notification", "notifications", "notify",
    "out", "outgoing", "owa", "post", "queue", "send", "sender", "zimbra"};

/* Parts of their words: mailout, smtprelay, emp-mxpp, resqmta, postfix. */
static const char *const mail_parts[] = {
    "bound", "mail", "postfix", "postmas", "postout", "relay", "smtp", "spam"};

/* Other machines that people name by hand and number.  They do not answer for
 * an address, but for a line's word: nat-pool-2.example. */
static const char *const owner_words[] = {"fw", "firewall", "gate", "gateway",
    "gw", "nat", "ns", "proxy", "srv", "vpn", "web", "www"};

/* What providers call the machines that they rent out. */
static const char *const machine_words[] = {"dedibox", "dedicated", "droplet",
    "hwsrv", "instance", "instances", "kvm", "lvps", "ovz", "rdp", "vds", "vmi",
    "vps", "vserver", "xen"};

/* What says, alone or with each other, that nobody gave the host a name. */
static const char *const placeholder_words[] = {"by", "default", "generic",
    "localhost", "noname", "noptr", "nordns", "none", "nxdomain", "rdns",
    "reserved", "rev", "reverse", "static", "unallocated", "unassigned",
    "undefined", "unknown", "unnamed", "unset", "unused", "user", "users"};
static const char *const filler_words[] = {"addr", "address", "configured",
    "dns", "for", "has", "host", "hosted", "in", "ip", "is", "name", "net",
    "no", "not", "ptr", "record", "set", "the", "this", "yet"};

/* Domains below which a name with a digit is the default name of a rented
 * machine; mostly they are used for nothing else. */
static const char *const machine_domains[] = {"amazonaws.com",
    "bc.googleusercontent.com", "choopa.net", "clients.your-server.de",
    "cloudapp.azure.com", "colocrossing.com", "contaboserver.net", "fvds.ru",
    "host.secureserver.net", "hostwindsdns.com", "hstgr.cloud",
    "ip.linodeusercontent.com", "ip.secureserver.net", "kimsufi.com",
    "members.linode.com", "onlinehome-server.com", "onlinehome-server.info",
    "poneytelecom.eu", "quadranet.com", "regruhosting.ru", "scw.cloud",
    "stratoserver.net", "tmweb.ru", "vps.ovh.ca", "vps.ovh.net", "vps.ovh.us",
    "vs.sakura.ne.jp", "vultrusercontent.com", "yourvserver.net"};

/* A name, cut where the organisational domain starts. */
struct host {
	const char *name;
	size_t length; /* of what stands before the domain */
	const char *domain;
};

/* What the words before the domain say. */
struct words {
	bool mail;
	bool owner_first; /* before any other word */
	bool m_first;	  /* the letter alone, the same */
	bool line;
	bool machine;
	bool placeholder;
	bool other; /* none of these, nor a filler */
};

static bool
is_among(
    const char *word, size_t length, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strncmp(word, words[i], length) == 0 &&
		    words[i][length] == '\0')
			return true;
	}
	return false;
}

static bool
has_part(
    const char *word, size_t length, const char *const *parts, size_t count)
{
	for (size_t at = 0; at < length; at++) {
		for (size_t i = 0; i < count; i++) {
			size_t part = strlen(parts[i]);

			if (at + part <= length &&
			    memcmp(word + at, parts[i], part) == 0)
				return true;
		}
	}
	return false;
}

static bool
is_at_end(const char *word, size_t length, const char *end)
{
	size_t end_length = strlen(end);

	return length >= end_length &&
	    memcmp(word + length - end_length, end, end_length) == 0;
}

static bool
is_mail_word(const char *word, size_t length)
{
	return is_among(word, length, mail_words, COUNT(mail_words)) ||
	    has_part(word, length, mail_parts, COUNT(mail_parts)) ||
	    ascii_has_prefix(word, "mx") || ascii_has_prefix(word, "mta") ||
	    is_at_end(word, length, "mx") || is_at_end(word, length, "mta");
}

static bool
is_line_word(const char *word, size_t length)
{
	return is_among(word, length, line_words, COUNT(line_words)) ||
	    has_part(word, length, line_parts, COUNT(line_parts)) ||
	    is_at_end(word, length, "dsl");
}

static void
take_word(struct words *words, const char *word, size_t length, bool first)
{
	bool mail = is_mail_word(word, length);
	bool line = !mail && is_line_word(word, length);
	bool machine =
	    is_among(word, length, machine_words, COUNT(machine_words));
	bool placeholder =
	    is_among(word, length, placeholder_words, COUNT(placeholder_words));

	words->owner_first |=
	    first && is_among(word, length, owner_words, COUNT(owner_words));
	words->m_first |= first && length == 1 && word[0] == 'm';
	words->mail |= mail;
	words->line |= line;
	words->machine |= machine;
	words->placeholder |= placeholder;
	words->other |= !line && !placeholder &&
	    !is_among(word, length, filler_words, COUNT(filler_words));
}

static struct words
read_words(const struct host *host)
{
	struct words words = {.mail = false};
	bool first = true;
	size_t letters;

	for (size_t i = 0; i < host->length; i += letters) {
		letters = 0;
		while (i + letters < host->length &&
		    ascii_is_letter(host->name[i + letters]))
			letters++;
		if (letters == 0) {
			letters = 1;
			continue;
		}
		take_word(&words, host->name + i, letters, first);
		first = false;
	}
	return words;
}

static struct host
cut_host(const char *name, const char *organisation)
{
	struct host host = {.name = name, .length = strlen(name)};
	size_t org_length = organisation == NULL ? 0 : strlen(organisation);
	unsigned dots = 0;

	if (org_length > 0 && is_at_end(name, host.length, organisation)) {
		host.length -= org_length;
	} else {
		while (host.length > 0 &&
		    (name[host.length - 1] != '.' || ++dots < 2))
			host.length--;
	}
	host.domain = name + host.length;
	return host;
}

static bool
is_below(const char *name, const char *domain)
{
	size_t length = strlen(name);
	size_t domain_length = strlen(domain);

	return length > domain_length &&
	    name[length - domain_length - 1] == '.' &&
	    strcmp(name + length - domain_length, domain) == 0;
}

static bool
has_machine_domain(const char *name)
{
	for (size_t i = 0; i < COUNT(machine_domains); i++) {
		if (is_below(name, machine_domains[i]))
			return true;
	}
	return false;
}

/* Whether the host's own label has a number and a later one is a word such as
 * those of line_labels. */
static bool
has_line_label(const struct host *host)
{
	size_t length = strcspn(host->name, ".");
	size_t at = length + 1;

	if (strcspn(host->name, "0123456789") >= length)
		return false;
	for (; at < host->length; at += length + 1) {
		length = strcspn(host->name + at, ".");
		if (is_among(host->name + at, length, line_labels,
			COUNT(line_labels)))
			return true;
	}
	return false;
}

/* Whether there are the 12 digits of a hardware address, in one (s0106 is a
 * prefix of a provider's own) or with a '-' between each two. */
static bool
has_hardware_address(const struct host *host)
{
	size_t run = 0;
	size_t digits = 0;
	size_t pairs = 0;

	for (size_t i = 0; i < host->length; i++) {
		char c = host->name[i];

		if (ascii_is_hex(c)) {
			run++;
			digits += ascii_is_digit(c);
			if (run >= MAC_HEX && digits >= 2)
				return true;
			continue;
		}
		pairs = c == '-' && run == 2 ? pairs + 1 : 0;
		if (pairs >= 5)
			return true;
		run = digits = 0;
	}
	return false;
}

/* h29n1fls306o1003 is the place of a line in a provider's network. */
static bool
is_scrambled(const struct host *host)
{
	size_t changes = 0;

	for (size_t i = 1; i < host->length; i++) {
		char before = host->name[i - 1];
		char c = host->name[i];

		if (!ascii_is_alnum(c))
			changes = 0;
		else if (ascii_is_alnum(before) &&
		    ascii_is_digit(c) != ascii_is_digit(before))
			changes++;
		if (changes >= SCRAMBLED_CHANGES)
			return true;
	}
	return false;
}

/* Whether the host's own label is a few letters and a serial number, as in
 * vmi123456, or a hexadecimal number, with a word before it or not. */
static bool
is_serial(const struct host *host)
{
	size_t length = strcspn(host->name, ".");
	size_t start = 0;
	size_t digits, hex;

	while (ascii_is_letter(host->name[start]))
		start++;
	if (host->name[start] == '-' || host->name[start] == '_')
		start++;
	digits = strspn(host->name + start, "0123456789");
	hex = strspn(host->name + start, "0123456789abcdef");
	if (start + hex == length && hex >= SERIAL_HEX &&
	    strcspn(host->name + start, "0123456789") < hex)
		return true;
	if (length - start - digits > LETTERS_BEHIND_SERIAL)
		return false;
	return digits >= SERIAL_DIGITS ||
	    (start == 0 && digits >= SERIAL_DIGITS_ALONE);
}

/* Whether the host's own label has a run of so many digits. */
static bool
has_digits(const struct host *host, size_t least)
{
	size_t length = strcspn(host->name, ".");
	size_t run = 0;

	for (size_t i = 0; i < length && run < least; i++)
		run = ascii_is_digit(host->name[i]) ? run + 1 : 0;
	return run >= least;
}

/* A name without any digit was typed by somebody, if only for all of his
 * addresses at once: dynamic.isp.example, hosted-by.hoster.example. */
static enum hostname_class
judge_without_digits(const struct words *words)
{
	if (words->other || words->mail)
		return HOSTNAME_OWN;
	if (words->line)
		return HOSTNAME_LINE;
	return words->placeholder ? HOSTNAME_RENTED : HOSTNAME_OWN;
}

static enum hostname_class
judge(const struct host *host, const struct words *words,
    enum hostname_spelling spelling)
{
	bool machine = words->machine || has_machine_domain(host->name);
	enum hostname_class provider =
	    machine ? HOSTNAME_RENTED : HOSTNAME_LINE;

	if (has_machine_domain(host->name) && !words->mail &&
	    strcspn(host->name, "0123456789") < strcspn(host->name, "."))
		return HOSTNAME_RENTED;
	if (host->length == 0)
		return spelling >= HOSTNAME_SPELLS_PART ? provider
							: HOSTNAME_OWN;
	if (strcspn(host->name, "0123456789") >= host->length)
		return judge_without_digits(words);
	if (words->line && spelling >= HOSTNAME_SPELLS_PART)
		return provider;
	if (words->mail ||
	    is_mail_word(host->domain, strcspn(host->domain, ".")))
		return HOSTNAME_OWN;
	/* NetEase: m13-65.163.com, its address ending in 13.65. */
	if (words->m_first && spelling == HOSTNAME_SPELLS_PART)
		return HOSTNAME_OWN;
	if (spelling != HOSTNAME_SPELLS_NONE || has_hardware_address(host) ||
	    is_scrambled(host))
		return provider;
	if (is_serial(host) ||
	    (words->machine && has_digits(host, SERIAL_DIGITS_MACHINE)))
		return HOSTNAME_RENTED;
	if (words->owner_first)
		return HOSTNAME_OWN;
	return words->line || has_line_label(host) ? HOSTNAME_LINE
						   : HOSTNAME_OWN;
}

enum hostname_class
hostname_classify(
    const char *name, const struct netaddr *addr, const char *organisation)
{
	char clean[HOSTNAME_SIZE];
	struct host host;
	struct words words;

	if (!hostname_clean(name, clean, sizeof clean) || clean[0] == '[')
		return HOSTNAME_NONE;
	host = cut_host(clean, organisation);
	words = read_words(&host);
	return judge(&host, &words, hostname_spelling(clean, addr));
}
