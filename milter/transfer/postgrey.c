/* What postgrey leaves: two B-trees of Berkeley DB, and its whitelists.
 *
 * postgrey.db has "client/sender/recipient" -> "first,last", where the client is the
 * base of its network or, with --lookup-by-host, its address; postgrey_clients.db has
 * the address -> "deliveries,last".  With --privacy all of these are SHA-1, of which
 * nothing can be taken over. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "base/decimal.h"
#include "mail/netaddr.h"
#include "transfer/berkeley.h"
#include "transfer/foreign.h"

#define DELAY	    300 /* seconds: postgrey's default */
#define NUMBER_MAX  INT64_C(253402300799)
#define SHA_1_TEXT  40
#define IPV4_SUBNET 24 /* that of --lookup-by-subnet */
#define IPV6_SUBNET 64

struct postgrey {
	struct foreign *foreign;
	int64_t hidden;
	int64_t odd;
};

/* "12,34" and what may follow. */
static bool
read_numbers(const char *text, int64_t *one_r, int64_t *two_r)
{
	size_t length = decimal_read(text, strlen(text), NUMBER_MAX, one_r);

	if (length == 0 || text[length] != ',')
		return false;
	text += length + 1;
	return decimal_read(text, strlen(text), NUMBER_MAX, two_r) > 0;
}

/* The network that it lies in, as postgrey looks it up. */
static void
put_network(const struct netaddr *address, char text_r[NETWORK_TEXT_SIZE])
{
	struct network network = network_of(
	    address, address->length == 4 ? IPV4_SUBNET : IPV6_SUBNET);

	network_format(&network, text_r);
}

static void
take_client(
    struct postgrey *postgrey, const struct netaddr *address, const char *value)
{
	char text[NETADDR_TEXT_SIZE], network[NETWORK_TEXT_SIZE];
	struct foreign *foreign = postgrey->foreign;
	int64_t deliveries, last;

	if (!read_numbers(value, &deliveries, &last)) {
		postgrey->odd++;
		return;
	}
	netaddr_format(address, text);
	put_network(address, network);
	foreign_note(foreign, text);
	foreign_note(foreign, network);
	foreign_client(foreign, text, deliveries, last, false);
}

/* Who lies at the beginning of a network stands for all of it. */
static void
name_client(const struct netaddr *address, char text_r[NETWORK_TEXT_SIZE])
{
	char base[NETWORK_TEXT_SIZE];
	size_t length;

	netaddr_format(address, text_r);
	put_network(address, base);
	length = strcspn(base, "/");
	if (strlen(text_r) == length && strncmp(text_r, base, length) == 0)
		memcpy(text_r, base, sizeof base);
}

/* It was let in if it came back late enough, or came back at all and something of
 * its network was: the delay may have been set shorter. */
static bool
has_passed(const struct postgrey *postgrey, const char *client, int64_t first,
    int64_t last)
{
	return last - first >= DELAY ||
	    (last > first && foreign_is_noted(postgrey->foreign, client));
}

static void
take_pair(struct postgrey *postgrey, const struct berkeley_pair *found)
{
	char key[BERKELEY_ITEM_MAX + 1], client[NETWORK_TEXT_SIZE];
	struct foreign_pair pair = {.client = client};
	char *sender, *recipient;
	struct netaddr address;
	int64_t first, last;

	memcpy(key, found->key, found->key_length + 1);
	sender = strchr(key, '/');
	recipient = strrchr(key, '/');
	*sender++ = '\0';
	*recipient++ = '\0';
	if (recipient <= sender || !netaddr_parse(key, &address) ||
	    !read_numbers(found->value, &first, &last)) {
		postgrey->odd++;
		return;
	}
	name_client(&address, client);
	pair.sender = sender;
	pair.recipient = recipient;
	if (has_passed(postgrey, client, first, last))
		pair.passed = last;
	else
		pair.first = first;
	foreign_pair(postgrey->foreign, &pair);
}

static bool
is_hash(const struct berkeley_pair *pair)
{
	size_t length = 0;

	while (ascii_is_hex(pair->key[length]))
		length++;
	return length == SHA_1_TEXT && pair->key_length == SHA_1_TEXT;
}

static void
take(void *arg, const struct berkeley_pair *pair)
{
	struct postgrey *postgrey = arg;
	struct netaddr address;

	bool is_text = strlen(pair->key) == pair->key_length &&
	    strlen(pair->value) == pair->value_length;

	if (is_text && strchr(pair->key, '/') != strrchr(pair->key, '/'))
		take_pair(postgrey, pair);
	else if (is_text && netaddr_parse(pair->key, &address))
		take_client(postgrey, &address, pair->value);
	else if (is_hash(pair))
		postgrey->hidden++;
	else
		postgrey->odd++;
}

/* ---- Whitelists */

/* "1.2.3" and "1.2" as networks. */
static bool
complete(const char *entry, char network_r[NETWORK_TEXT_SIZE])
{
	size_t dots = 0, length = strlen(entry);

	if (strspn(entry, "0123456789.") != length || length > 12)
		return false;
	for (const char *at = entry; *at != '\0'; at++)
		dots += *at == '.';
	if (dots != 1 && dots != 2)
		return false;
	(void)snprintf(network_r, NETWORK_TEXT_SIZE, "%s%s", entry,
	    dots == 1 ? ".0.0/16" : ".0/24");
	return true;
}

static void
take_entry(struct foreign *foreign, const char *entry, bool of_recipients)
{
	char text[NETWORK_TEXT_SIZE], why[NETWORK_WHY_SIZE];
	struct network network;

	if (of_recipients) {
		foreign_left(foreign, "recipient", entry,
		    "a rule takes it: recipient, verdict = accept");
	} else if (network_parse(entry, &network, why) ||
	    (complete(entry, text) && network_parse(text, &network, why))) {
		network_format(&network, text);
		foreign_listed(foreign, text);
	} else {
		foreign_left(foreign, "client name", entry,
		    "a rule takes it: client_name, verdict = accept");
	}
}

static void
read_whitelist(struct foreign *foreign, FILE *file, bool of_recipients)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, file) > 0) {
		char *entry = line + strspn(line, " \t");

		entry[strcspn(entry, "#\r\n")] = '\0';
		entry[strcspn(entry, " \t")] = '\0';
		if (entry[0] != '\0')
			take_entry(foreign, entry, of_recipients);
	}
	free(line);
}

/* ---- Files */

static const char *
read_database(struct foreign *foreign, FILE *file, enum berkeley_kind kind)
{
	struct postgrey postgrey = {.foreign = foreign};
	const char *wrong = berkeley_read(file, kind, take, &postgrey);
	char text[64];

	if (postgrey.hidden > 0) {
		(void)snprintf(text, sizeof text, "%lld entries",
		    (long long)postgrey.hidden);
		foreign_left(foreign, "hidden", text,
		    "postgrey had --privacy: nobody can tell whose they are");
	}
	foreign_odd(
	    foreign, postgrey.odd, "entries", "they are none of postgrey's");
	return wrong;
}

static bool
begins_as_text(const unsigned char *head, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (head[i] < ' ' && strchr("\t\r\n", head[i]) == NULL)
			return false;
	return memchr(head, '\0', length) == NULL;
}

const char *
foreign_postgrey(struct foreign *foreign, FILE *file, const char *path)
{
	unsigned char head[BERKELEY_HEAD];
	enum berkeley_kind kind = BERKELEY_DUMP;
	size_t length;

	if (fseeko(file, 0, SEEK_CUR) == 0) { /* not a pipe */
		length = fread(head, 1, sizeof head, file);
		rewind(file);
		kind = berkeley_kind(head, length);
		if (kind == BERKELEY_NONE && !begins_as_text(head, length))
			return "is no B-tree of Berkeley DB";
	}
	if (kind != BERKELEY_NONE)
		return read_database(foreign, file, kind);
	read_whitelist(foreign, file, strstr(path, "recipient") != NULL);
	return NULL;
}
