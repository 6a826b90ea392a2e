#include "mail/list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/ascii.h"
#include "mail/hostname.h"
#include "mail/mailaddr.h"

/* The first and last address of a network.  Networks either nest or do not
 * meet, so a set without nested ones is in order by either end. */
struct range {
	unsigned char first[16];
	unsigned char last[16];
};

/* A growing array; `width` is the size of one item. */
struct table {
	void *items;
	size_t width;
	size_t count;
};

struct list {
	struct table ipv4;	/* struct range */
	struct table ipv6;	/* struct range */
	struct table addresses; /* char *, owned */
	struct table domains;	/* char *, owned */
	size_t count;
	bool sealed;
	bool out_of_memory;
	char why[NETWORK_WHY_SIZE];
};

struct list *
list_new(void)
{
	struct list *list = calloc(1, sizeof(*list));

	if (list == NULL)
		return NULL;
	list->ipv4.width = list->ipv6.width = sizeof(struct range);
	list->addresses.width = list->domains.width = sizeof(char *);
	return list;
}

static void
table_free_strings(struct table *table)
{
	char **strings = table->items;

	for (size_t i = 0; i < table->count; i++)
		free(strings[i]);
	free(table->items);
}

void
list_free(struct list **list)
{
	if (*list == NULL)
		return;
	free((*list)->ipv4.items);
	free((*list)->ipv6.items);
	table_free_strings(&(*list)->addresses);
	table_free_strings(&(*list)->domains);
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
refuse(struct list *list, const char *why)
{
	snprintf(list->why, sizeof(list->why), "%s", why);
	return false;
}

static bool
refuse_for_memory(struct list *list)
{
	list->out_of_memory = true;
	return refuse(list, "out of memory");
}

static bool
add_string(struct list *list, struct table *table, const char *string)
{
	char *copy = strdup(string);
	char **item = copy == NULL ? NULL : table_append(table);

	if (item == NULL) {
		free(copy);
		return refuse_for_memory(list);
	}
	*item = copy;
	return true;
}

static struct range
range_of(const struct network *net)
{
	struct range range;

	memset(&range, 0, sizeof(range));
	memcpy(range.first, net->base.octets, net->base.length);
	memcpy(range.last, net->base.octets, net->base.length);
	for (unsigned bit = net->bits; bit < net->base.length * 8u; bit++)
		range.last[bit / 8] |= (unsigned char)(0x80 >> bit % 8);
	return range;
}

static bool
add_network(struct list *list, const char *text)
{
	struct network net;
	struct range *range;

	if (!network_parse(text, &net, list->why))
		return false;
	range = table_append(net.base.length == 4 ? &list->ipv4 : &list->ipv6);
	if (range == NULL)
		return refuse_for_memory(list);
	*range = range_of(&net);
	return true;
}

static bool
add_domain(struct list *list, const char *text)
{
	char clean[HOSTNAME_SIZE];

	if (!hostname_clean(text, clean, sizeof(clean)) ||
	    !hostname_is_valid(clean))
		return refuse(list,
		    "not an IP address, a network, a mail address or a domain");
	return add_string(list, &list->domains, clean);
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
add_address(struct list *list, const char *text)
{
	struct mailaddr addr;

	canonical_address(text, &addr);
	if (addr.local_length == 0 ||
	    !hostname_is_valid(mailaddr_domain(&addr)))
		return refuse(list, "not a complete mail address");
	return add_string(list, &list->addresses, addr.text);
}

/* Whether whoever wrote this meant an address or a network, right or wrong:
 * then the reason should be about networks. */
static bool
is_meant_as_network(const char *text)
{
	return strpbrk(text, ":/[") != NULL ||
	    text[strspn(text, "0123456789.")] == '\0';
}

static bool
add_entry(struct list *list, const char *text)
{
	if (text[0] == '\0')
		return refuse(list, "empty");
	for (const char *c = text; *c != '\0'; c++) {
		if ((unsigned char)*c <= ' ' || *c == 0x7f)
			return refuse(list, "more than one word");
	}
	if (strchr(text, '*') != NULL)
		return refuse(list,
		    "no * in a list; a domain stands for all below it too");
	if (text[0] == '@' || text[0] == '.')
		return add_domain(list, text + 1);
	if (strchr(text, '@') != NULL)
		return add_address(list, text);
	if (is_meant_as_network(text))
		return add_network(list, text);
	return add_domain(list, text);
}

bool
list_add(struct list *list, const char *text, const char **why_r)
{
	bool added;

	if (list->sealed)
		added = refuse(list, "the list is sealed");
	else
		added = add_entry(list, text);
	list->count += added;
	if (!added)
		*why_r = list->why;
	return added;
}

/* By first address; of two that start alike the wider one first. */
static int
compare_ranges(const void *a, const void *b)
{
	const struct range *left = a;
	const struct range *right = b;
	int order = memcmp(left->first, right->first, sizeof(left->first));

	if (order != 0)
		return order;
	return memcmp(right->last, left->last, sizeof(left->last));
}

static int
compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sort, and drop what lies inside another range. */
static void
seal_ranges(struct table *table)
{
	struct range *ranges = table->items;
	size_t kept = 0;

	if (table->count == 0)
		return;
	qsort(ranges, table->count, sizeof(*ranges), compare_ranges);
	for (size_t i = 1; i < table->count; i++) {
		if (memcmp(ranges[i].last, ranges[kept].last,
			sizeof(ranges[i].last)) > 0)
			ranges[++kept] = ranges[i];
	}
	table->count = kept + 1;
}

static void
seal_strings(struct table *table)
{
	if (table->count > 0)
		qsort(
		    table->items, table->count, table->width, compare_strings);
}

bool
list_seal(struct list *list)
{
	seal_ranges(&list->ipv4);
	seal_ranges(&list->ipv6);
	seal_strings(&list->addresses);
	seal_strings(&list->domains);
	list->sealed = true;
	return !list->out_of_memory;
}

size_t
list_count(const struct list *list)
{
	return list == NULL ? 0 : list->count;
}

static bool
has_string(const struct table *table, const char *string)
{
	return table->count > 0 &&
	    bsearch(&string, table->items, table->count, table->width,
		compare_strings) != NULL;
}

static int
compare_to_range(const void *octets, const void *item)
{
	const struct range *range = item;

	if (memcmp(octets, range->first, sizeof(range->first)) < 0)
		return -1;
	return memcmp(octets, range->last, sizeof(range->last)) > 0;
}

bool
list_has_client(const struct list *list, const struct netaddr *addr)
{
	const struct table *table;

	if (list == NULL)
		return false;
	table = addr->length == 4 ? &list->ipv4 : &list->ipv6;
	return table->count > 0 &&
	    bsearch(addr->octets, table->items, table->count, table->width,
		compare_to_range) != NULL;
}

bool
list_has_domain(const struct list *list, const char *name)
{
	char clean[HOSTNAME_SIZE];
	const char *domain = clean;

	if (list == NULL || !hostname_clean(name, clean, sizeof(clean)))
		return false;
	while (domain != NULL) {
		if (*domain == '.')
			domain++;
		if (has_string(&list->domains, domain))
			return true;
		domain = strchr(domain, '.');
	}
	return false;
}

bool
list_has_address(const struct list *list, const char *address)
{
	struct mailaddr addr;

	if (list == NULL)
		return false;
	canonical_address(address, &addr);
	return has_string(&list->addresses, addr.text) ||
	    list_has_domain(list, mailaddr_domain(&addr));
}
