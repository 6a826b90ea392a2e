#include "mail/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/ascii.h"
#include "mail/hostname.h"
#include "mail/sightings.h"

/* The first and last address of a network.  Networks either nest or do not
 * meet.  Of nested ones the inner stays only if it lasts longer than all those
 * around it: so the innermost around an address tells of them all. */
struct range {
	unsigned char first[16];
	unsigned char last[16];
	int64_t until;
	size_t around; /* 1 + the place of the next one around it; 0: none */
};

/* A mail address or a domain. */
struct word {
	char *text; /* owned */
	int64_t until;
};

struct numbered {
	char *key; /* owned */
	int64_t number;
	int64_t until;
	size_t place; /* among those that were added */
};

/* A growing array; `width` is the size of one item. */
struct table {
	void *items;
	size_t width;
	size_t count;
	size_t first; /* number of its first item among those of the list */
};

struct list {
	struct table ipv4;	 /* struct range */
	struct table ipv6;	 /* struct range */
	struct table addresses;	 /* struct word */
	struct table domains;	 /* struct word */
	struct table numbers;	 /* struct numbered */
	struct sightings *found; /* of all items; NULL: not sealed */
	unsigned kinds;		 /* that are expected */
	size_t count;
	bool sealed;
	bool out_of_memory;
	char why[NETWORK_WHY_SIZE];
};

struct list *
list_new(unsigned kinds)
{
	struct list *list = calloc(1, sizeof(*list));

	if (list == NULL)
		return NULL;
	list->ipv4.width = list->ipv6.width = sizeof(struct range);
	list->addresses.width = list->domains.width = sizeof(struct word);
	list->numbers.width = sizeof(struct numbered);
	list->kinds = kinds;
	return list;
}

/* Each item begins with its text. */
static void
table_free_texts(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(*(char **)((char *)table->items + i * table->width));
	free(table->items);
}

void
list_free(struct list **list)
{
	if (*list == NULL)
		return;
	free((*list)->ipv4.items);
	free((*list)->ipv6.items);
	table_free_texts(&(*list)->addresses);
	table_free_texts(&(*list)->domains);
	table_free_texts(&(*list)->numbers);
	free((*list)->found);
	free(*list);
	*list = NULL;
}

/* Room for one item more at the end, or NULL. */
static void *
table_append(struct table *table)
{
	if (!array_grow(&table->items, table->count, table->width))
		return NULL;
	return (char *)table->items + table->count++ * table->width;
}

static bool
refuse(char why_r[NETWORK_WHY_SIZE], const char *why)
{
	snprintf(why_r, NETWORK_WHY_SIZE, "%s", why);
	return false;
}

/* ---- Reading */

/* A whole address without its length. */
static void
write_network(const struct network *network, char text_r[LIST_ENTRY_SIZE])
{
	if (network->bits == network->base.length * 8u)
		netaddr_format(&network->base, text_r);
	else
		network_format(network, text_r);
}

static bool
read_network(
    const char *text, struct list_entry *entry, char why_r[NETWORK_WHY_SIZE])
{
	entry->kind = LIST_NETWORK;
	if (!network_parse(text, &entry->network, why_r))
		return false;
	write_network(&entry->network, entry->text);
	return true;
}

/* DNS, and so mail, has names with other letters in another form. */
static bool
is_ascii(const char *text)
{
	while ((unsigned char)*text >= 1 && (unsigned char)*text < 0x80)
		text++;
	return *text == '\0';
}

static bool
read_domain(
    const char *text, struct list_entry *entry, char why_r[NETWORK_WHY_SIZE])
{
	_Static_assert(LIST_ENTRY_SIZE >= HOSTNAME_SIZE, "a name must fit");
	entry->kind = LIST_DOMAIN;
	return (hostname_clean(text, entry->text, HOSTNAME_SIZE) &&
		   hostname_is_valid(entry->text)) ||
	    refuse(why_r,
		is_ascii(text) ? "not an IP address, a network, a mail address "
				 "or a domain"
			       : "not an IP address, a network, a mail address "
				 "or a domain; DNS has it as xn--...");
}

/* The form in which addresses are stored and asked for. */
static void
canonical_address(const char *text, struct mailaddr *addr_r)
{
	struct mailaddr typed;

	mailaddr_parse(text, &typed);
	mailaddr_normalise_recipient(&typed, addr_r);
}

static bool
read_address(
    const char *text, struct list_entry *entry, char why_r[NETWORK_WHY_SIZE])
{
	struct mailaddr addr;

	entry->kind = LIST_ADDRESS;
	canonical_address(text, &addr);
	strcpy(entry->text, addr.text);
	return (addr.local_length > 0 &&
		   hostname_is_valid(mailaddr_domain(&addr))) ||
	    refuse(why_r, "not a complete mail address");
}

/* Whether whoever wrote this meant an address or a network, right or wrong:
 * then the reason should be about networks. */
static bool
is_meant_as_network(const char *text)
{
	return strpbrk(text, ":/[") != NULL ||
	    text[strspn(text, "0123456789.")] == '\0';
}

bool
list_entry_read(
    const char *text, struct list_entry *entry_r, char why_r[NETWORK_WHY_SIZE])
{
	memset(entry_r, 0, sizeof *entry_r);
	if (text[0] == '\0')
		return refuse(why_r, "empty");
	for (const char *c = text; *c != '\0'; c++) {
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return refuse(why_r, "more than one word");
	}
	if (strchr(text, '*') != NULL)
		return refuse(why_r,
		    "no * in a list; a domain stands for all below it too");
	if (text[0] == '@' || text[0] == '.')
		return read_domain(text + 1, entry_r, why_r);
	if (strchr(text, '@') != NULL)
		return read_address(text, entry_r, why_r);
	if (is_meant_as_network(text))
		return read_network(text, entry_r, why_r);
	return read_domain(text, entry_r, why_r);
}

/* ---- Filling */

static bool
refuse_for_memory(struct list *list)
{
	list->out_of_memory = true;
	return refuse(list->why, "out of memory");
}

static bool
add_word(
    struct list *list, struct table *table, const char *text, int64_t until)
{
	char *copy = strdup(text);
	struct word *word = copy == NULL ? NULL : table_append(table);

	if (word == NULL) {
		free(copy);
		return refuse_for_memory(list);
	}
	word->text = copy;
	word->until = until;
	return true;
}

static struct range
range_of(const struct network *net, int64_t until)
{
	struct range range = {.until = until};

	memcpy(range.first, net->base.octets, net->base.length);
	memcpy(range.last, net->base.octets, net->base.length);
	for (unsigned bit = net->bits; bit < net->base.length * 8u; bit++)
		range.last[bit / 8] |= (unsigned char)(0x80 >> bit % 8);
	return range;
}

static bool
add_range(struct list *list, const struct network *net, int64_t until)
{
	struct range *range =
	    table_append(net->base.length == 4 ? &list->ipv4 : &list->ipv6);

	if (range == NULL)
		return refuse_for_memory(list);
	*range = range_of(net, until);
	return true;
}

/* An entry of this kind can match nothing that is looked up: say so. */
static bool
refuse_kind(struct list *list, enum list_kind kind)
{
	static const struct {
		unsigned kinds;
		const char *text;
	} wanted[] = {{LIST_NETWORK, "addresses and networks"},
	    {LIST_DOMAIN, "host names and domains"},
	    {LIST_NETWORK | LIST_DOMAIN, "networks, host names and domains"},
	    {LIST_ADDRESS | LIST_DOMAIN, "mail addresses and domains"}};
	const char *is = kind == LIST_NETWORK ? "a network"
	    : kind == LIST_ADDRESS	      ? "a mail address"
					      : "a host name or domain";
	size_t i = 0;

	while (i + 1 < sizeof(wanted) / sizeof(wanted[0]) &&
	    wanted[i].kinds != list->kinds)
		i++;
	snprintf(list->why, sizeof(list->why),
	    "%s can never match here, only %s can", is, wanted[i].text);
	return false;
}

static bool
add_entry(struct list *list, const char *text, int64_t until)
{
	struct list_entry entry;

	if (list->sealed)
		return refuse(list->why, "the list is sealed");
	if (!list_entry_read(text, &entry, list->why))
		return false;
	if ((list->kinds & entry.kind) == 0)
		return refuse_kind(list, entry.kind);
	switch (entry.kind) {
	case LIST_NETWORK:
		return add_range(list, &entry.network, until);
	case LIST_ADDRESS:
		return add_word(list, &list->addresses, entry.text, until);
	case LIST_DOMAIN:
		break;
	}
	return add_word(list, &list->domains, entry.text, until);
}

bool
list_add(struct list *list, const char *text, int64_t until, const char **why_r)
{
	bool added = add_entry(list, text, until);

	list->count += added;
	if (!added)
		*why_r = list->why;
	return added;
}

bool
list_add_number(struct list *list, const char *key, int64_t number,
    int64_t until, const char **why_r)
{
	char *copy = strdup(key[0] == '@' ? key + 1 : key);
	struct numbered *item =
	    copy == NULL || list->sealed ? NULL : table_append(&list->numbers);

	if (item == NULL) {
		free(copy);
		*why_r = list->why;
		return list->sealed ? refuse(list->why, "the list is sealed")
				    : refuse_for_memory(list);
	}
	ascii_lower_all(copy);
	*item = (struct numbered){copy, number, until, list->numbers.count};
	list->count++;
	return true;
}

/* ---- Sealing */

/* Of words, or of numbered keys: each begins with its text. */
static int
compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Of the same key the last one first. */
static int
compare_numbers(const void *a, const void *b)
{
	const struct numbered *left = a;
	const struct numbered *right = b;
	int order = compare_texts(a, b);

	if (order != 0)
		return order;
	return (left->place < right->place) - (left->place > right->place);
}

static void
seal_numbers(struct table *table)
{
	struct numbered *numbers = table->items;
	size_t kept = 0;

	if (table->count == 0)
		return;
	qsort(numbers, table->count, sizeof(*numbers), compare_numbers);
	for (size_t i = 1; i < table->count; i++) {
		if (compare_texts(&numbers[i], &numbers[kept]) == 0)
			free(numbers[i].key);
		else
			numbers[++kept] = numbers[i];
	}
	table->count = kept + 1;
}

/* By first address; of two that start alike the wider one first, and of two that
 * are alike the one that lasts longer. */
static int
compare_ranges(const void *a, const void *b)
{
	const struct range *left = a;
	const struct range *right = b;
	int order = memcmp(left->first, right->first, sizeof(left->first));

	if (order == 0)
		order = memcmp(right->last, left->last, sizeof(left->last));
	if (order == 0)
		order =
		    (left->until < right->until) - (left->until > right->until);
	return order;
}

/* Sort, and drop what lies inside another range that lasts as long. */
static void
seal_ranges(struct table *table)
{
	struct range *ranges = table->items;
	size_t kept = 0;

	if (table->count == 0)
		return;
	qsort(ranges, table->count, sizeof(*ranges), compare_ranges);
	for (size_t i = 0; i < table->count; i++) {
		size_t around = kept;

		while (around > 0 &&
		    memcmp(ranges[i].first, ranges[around - 1].last,
			sizeof(ranges[i].first)) > 0)
			around = ranges[around - 1].around;
		if (around > 0 && ranges[i].until <= ranges[around - 1].until)
			continue;
		ranges[kept] = ranges[i];
		ranges[kept++].around = around;
	}
	table->count = kept;
}

/* Sort, and keep of those that are alike the one that lasts longest. */
static void
seal_words(struct table *table)
{
	struct word *words = table->items;
	size_t kept = 0;

	if (table->count == 0)
		return;
	qsort(words, table->count, sizeof(*words), compare_texts);
	for (size_t i = 1; i < table->count; i++) {
		if (compare_texts(&words[i], &words[kept]) != 0) {
			words[++kept] = words[i];
			continue;
		}
		if (words[i].until > words[kept].until)
			words[kept].until = words[i].until;
		free(words[i].text);
	}
	table->count = kept + 1;
}

/* Number the items of all tables. */
static size_t
number_items(struct list *list)
{
	struct table *tables[] = {&list->ipv4, &list->ipv6, &list->addresses,
	    &list->domains, &list->numbers};
	size_t count = 0;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		tables[i]->first = count;
		count += tables[i]->count;
	}
	return count;
}

bool
list_seal(struct list *list)
{
	seal_ranges(&list->ipv4);
	seal_ranges(&list->ipv6);
	seal_words(&list->addresses);
	seal_words(&list->domains);
	seal_numbers(&list->numbers);
	list->found = sightings_new(number_items(list));
	list->sealed = true;
	return !list->out_of_memory && list->found != NULL;
}

size_t
list_count(const struct list *list)
{
	return list == NULL ? 0 : list->count;
}

size_t
list_count_of(const struct list *list, unsigned kinds)
{
	size_t count = 0;

	if ((kinds & LIST_NETWORK) != 0)
		count += list->ipv4.count + list->ipv6.count;
	if ((kinds & LIST_ADDRESS) != 0)
		count += list->addresses.count;
	if ((kinds & LIST_DOMAIN) != 0)
		count += list->domains.count;
	return count;
}

/* ---- Asking */

/* The answer is this item of a table. */
static bool
found(const struct list *list, const struct table *table, const void *item,
    int64_t now)
{
	size_t place = (size_t)((const char *)item - (char *)table->items);

	if (list->found != NULL)
		sightings_note(
		    list->found, table->first + place / table->width, now);
	return true;
}

static bool
has_word(const struct list *list, const struct table *table, const char *text,
    int64_t now)
{
	const struct word asked = {(char *)text, 0};
	const struct word *word = NULL;

	if (table->count > 0)
		word = bsearch(&asked, table->items, table->count, table->width,
		    compare_texts);
	return word != NULL && word->until > now &&
	    found(list, table, word, now);
}

/* How many begin at or before this address. */
static size_t
ranges_before(const struct table *table, const unsigned char octets[16])
{
	const struct range *ranges = table->items;
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(ranges[middle].first, octets, 16) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool
list_has_client(
    const struct list *list, const struct netaddr *addr, int64_t now)
{
	const struct table *table;
	const struct range *ranges;
	size_t around;

	if (list == NULL)
		return false;
	table = addr->length == 4 ? &list->ipv4 : &list->ipv6;
	ranges = table->items;
	around = ranges_before(table, addr->octets);
	while (
	    around > 0 && memcmp(addr->octets, ranges[around - 1].last, 16) > 0)
		around = ranges[around - 1].around;
	return around > 0 && ranges[around - 1].until > now &&
	    found(list, table, &ranges[around - 1], now);
}

bool
list_has_domain(const struct list *list, const char *name, int64_t now)
{
	char clean[HOSTNAME_SIZE];
	const char *domain = clean;

	if (list == NULL || !hostname_clean(name, clean, sizeof(clean)))
		return false;
	while (domain != NULL) {
		if (*domain == '.')
			domain++;
		if (has_word(list, &list->domains, domain, now))
			return true;
		domain = strchr(domain, '.');
	}
	return false;
}

bool
list_has_address(const struct list *list, const char *address, int64_t now)
{
	struct mailaddr addr;

	if (list == NULL)
		return false;
	canonical_address(address, &addr);
	return has_word(list, &list->addresses, addr.text, now) ||
	    list_has_domain(list, mailaddr_domain(&addr), now);
}

static bool
find_number(
    const struct list *list, const char *key, int64_t now, int64_t *number_r)
{
	const struct numbered wanted = {.key = (char *)key};
	const struct numbered *item = NULL;

	if (list->numbers.count > 0)
		item = bsearch(&wanted, list->numbers.items,
		    list->numbers.count, sizeof(wanted), compare_texts);
	if (item == NULL || item->until <= now)
		return false;
	*number_r = item->number;
	return found(list, &list->numbers, item, now);
}

bool
list_number(
    const struct list *list, const char *key, int64_t now, int64_t *number_r)
{
	char clean[MAILADDR_SIZE];
	const char *at;

	if (list == NULL)
		return false;
	snprintf(clean, sizeof(clean), "%s", key);
	ascii_lower_all(clean);
	if (find_number(list, clean, now, number_r))
		return true;
	at = strrchr(clean, '@');
	if (at == NULL)
		at = strchr(clean, '.');
	for (; at != NULL; at = strchr(at + 1, '.'))
		if (find_number(list, at + 1, now, number_r))
			return true;
	return find_number(list, "*", now, number_r);
}

/* ---- What was found */

struct sightings *
list_found(const struct list *list)
{
	return list == NULL ? NULL : list->found;
}

static void
write_range(
    const struct range *range, uint8_t length, char text_r[LIST_ENTRY_SIZE])
{
	struct network network = {.base.length = length};

	memcpy(network.base.octets, range->first, length);
	while (network.bits < length * 8u &&
	    ((range->first[network.bits / 8] ^ range->last[network.bits / 8]) &
		0x80 >> network.bits % 8) == 0)
		network.bits++;
	write_network(&network, text_r);
}

void
list_item_text(
    const struct list *list, size_t which, char text_r[LIST_ENTRY_SIZE])
{
	const struct range *ipv4 = list->ipv4.items, *ipv6 = list->ipv6.items;
	const struct word *addresses = list->addresses.items;
	const struct word *domains = list->domains.items;
	const struct numbered *numbers = list->numbers.items;

	if (which < list->ipv6.first)
		write_range(&ipv4[which], 4, text_r);
	else if (which < list->addresses.first)
		write_range(&ipv6[which - list->ipv6.first], 16, text_r);
	else if (which < list->domains.first)
		strcpy(text_r, addresses[which - list->addresses.first].text);
	else if (which < list->numbers.first)
		strcpy(text_r, domains[which - list->domains.first].text);
	else
		snprintf(text_r, LIST_ENTRY_SIZE, "%s",
		    numbers[which - list->numbers.first].key);
}

static int
compare_bounds(const void *a, const void *b)
{
	const struct range *left = a;
	const struct range *right = b;
	int order = memcmp(left->first, right->first, sizeof(left->first));

	return order != 0 ? order
			  : memcmp(right->last, left->last, sizeof(left->last));
}

/* Both tables are sorted alike. */
static void
carry_table(const struct list *to, const struct table *mine,
    const struct list *from, const struct table *theirs,
    int (*compare)(const void *a, const void *b))
{
	size_t i = 0, j = 0;

	while (i < mine->count && j < theirs->count) {
		int order = compare((char *)mine->items + i * mine->width,
		    (char *)theirs->items + j * theirs->width);

		if (order == 0)
			sightings_carry(to->found, mine->first + i, from->found,
			    theirs->first + j);
		i += order <= 0;
		j += order >= 0;
	}
}

void
list_carry(const struct list *to, const struct list *from)
{
	if (to->found == NULL || from->found == NULL)
		return;
	carry_table(to, &to->ipv4, from, &from->ipv4, compare_bounds);
	carry_table(to, &to->ipv6, from, &from->ipv6, compare_bounds);
	carry_table(to, &to->addresses, from, &from->addresses, compare_texts);
	carry_table(to, &to->domains, from, &from->domains, compare_texts);
	carry_table(to, &to->numbers, from, &from->numbers, compare_texts);
}
