/* forget -- remove what is remembered of somebody, on all mail servers. */
#include <libpsl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/array.h"
#include "base/secret.h"
#include "base/thread.h"
#include "ctl/change/entries.h"
#include "ctl/commands.h"
#include "mail/hostname.h"
#include "mail/mailaddr.h"
#include "store/record.h"

#define NAME_MS 3000 /* for the host name of an address */
/* What servers have decided a moment ago may be on its way to Redis: it is forgotten
 * with a second time. */
#define UNDER_WAY_MS 200

#define FORGOTTEN_MAX 300 /* that servers are told of singly within an hour */

struct forgetting {
	struct ctl *ctl;
	const struct store_pair *pair; /* only its clocks; NULL: all */
	int64_t periods[LIMITS_MAX];   /* of limits, and their ids */
	uint32_t limits[LIMITS_MAX];
	size_t period_count;
	size_t count;	/* what there was */
	bool is_second; /* what is to be told was told the first time */
	/* of a walk */
	const struct network *network; /* whose records; NULL: all */
	char pair_name[TRIPLET_SIZE];
	char (*tags)[STORE_POOL_MAX];
	size_t tag_count;
	bool out_of_memory;
};

/* ---- Pairs */

static void
read_periods(struct forgetting *forgetting)
{
	const struct policy *policy = forgetting->ctl->policy;

	for (size_t i = 0; i < policy->limit_count; i++) {
		forgetting->periods[i] = policy->limits[i].condition->period;
		forgetting->limits[i] = policy->limits[i].id;
	}
	forgetting->period_count = policy->limit_count;
}

/* As sessions name the two of a pair. */
struct named_pair {
	struct mailaddr sender;
	struct mailaddr recipient;
	struct store_pair pair;
};

static bool
read_pair(
    struct ctl *ctl, const struct ctl_args *args, struct named_pair *named)
{
	const char *from = ctl_value(args, "from"), *to = ctl_value(args, "to");
	struct mailaddr typed;

	if ((from == NULL) != (to == NULL)) {
		(void)ctl_fail(
		    ctl, "a pair is --from SENDER and --to RECIPIENT");
		return false;
	}
	if (from == NULL)
		return true;
	mailaddr_parse(from, &typed);
	mailaddr_normalise_sender(&typed, &named->sender);
	mailaddr_parse(to, &typed);
	mailaddr_normalise_recipient(&typed, &named->recipient);
	named->pair.sender = named->sender.text;
	named->pair.recipient = named->recipient.text;
	return true;
}

/* ---- One record */

static enum ctl_status
forget_one(struct forgetting *forgetting, const struct store_forget *what)
{
	struct store_forget forget = *what;
	enum store_result result;
	size_t count;

	forget.pair = forgetting->pair;
	forget.periods = forgetting->periods;
	forget.limits = forgetting->limits;
	forget.period_count = forgetting->period_count;
	result = store_forget(forgetting->ctl->store, &forget, &count);
	forgetting->count += count;
	return result == STORE_OK ? CTL_DONE
				  : ctl_fail_store(forgetting->ctl, result);
}

static bool
count_forgotten(void *arg, const struct store_entry *entry)
{
	*(size_t *)arg +=
	    strncmp(entry->text, LEVERS_FORGET "@", sizeof LEVERS_FORGET) == 0;
	return true;
}

/* What servers keep in their own memory goes as they read this.  They read all of it
 * each second: of many it is everything that goes. */
static enum ctl_status
tell_servers(struct forgetting *forgetting, const char *what)
{
	struct ctl *ctl = forgetting->ctl;
	char text[sizeof LEVERS_FORGET + STORE_POOL_MAX];
	struct entry entry = {
	    .list = LEVERS_LIST, .text = text, .note = entries_note(ctl, NULL)};
	enum store_change change;
	size_t count = 0;

	(void)store_list_each(ctl->store, LEVERS_LIST, count_forgotten, &count);
	entry.until =
	    store_now(ctl->store, (int64_t)time(NULL)) + LEVERS_FORGET_FOR;
	if (forgetting->pair != NULL)
		what = "-";
	(void)snprintf(text, sizeof text, LEVERS_FORGET "@%s",
	    count < FORGOTTEN_MAX ? what : "*");
	return entries_put(ctl, &entry, &change);
}

/* What is counted for all networks of an IPv6 client. */
static enum ctl_status
forget_family(struct forgetting *forgetting, const struct netaddr *address)
{
	char family[STORE_POOL_MAX];

	store_name_family(&forgetting->ctl->policy->settings, address, "",
	    sizeof family, family);
	if (family[0] == '\0' || forgetting->pair != NULL)
		return CTL_DONE;
	return forget_one(forgetting, &(struct store_forget){.tag = family});
}

static enum ctl_status
forget_address(struct forgetting *forgetting, const struct netaddr *address)
{
	const struct settings *settings = &forgetting->ctl->policy->settings;
	char network[STORE_NETWORK_SIZE], text[NETADDR_TEXT_SIZE];
	struct store_forget forget = {.tag = network};

	store_name_network(settings, address, network);
	netaddr_format(address, text);
	if (settings->identity == IDENTITY_POOL) {
		forget.address = text;
		forget.host = netaddr_host_bucket(address);
	}
	if (forget_family(forgetting, address) != CTL_DONE)
		return CTL_FAILED;
	return forget_one(forgetting, &forget);
}

static const char *
name_in_memory(const struct forgetting *forgetting,
    const struct netaddr *address, char text_r[STORE_NETWORK_SIZE])
{
	const struct settings *settings = &forgetting->ctl->policy->settings;

	if (settings->identity == IDENTITY_NETWORK)
		store_name_network(settings, address, text_r);
	else
		netaddr_format(address, text_r);
	return text_r;
}

/* ---- The organisation */

static bool
find_organisation(
    const struct ctl *ctl, const char *name, char organisation_r[HOSTNAME_SIZE])
{
	psl_ctx_t *own = ctl->shared == NULL ? psl_latest(NULL) : NULL;
	bool is_found = hostname_organisation(name,
	    own != NULL		      ? own
		: ctl->shared != NULL ? ctl->shared->psl
				      : NULL,
	    organisation_r);

	psl_free(own);
	return is_found;
}

static enum ctl_status
forget_name(struct forgetting *forgetting, const char *name)
{
	char organisation[HOSTNAME_SIZE];
	const struct store_forget forget = {.tag = organisation};
	enum ctl_status status;

	if (!find_organisation(forgetting->ctl, name, organisation))
		return ctl_fail(forgetting->ctl,
		    "%.255s: this name is no organisation's", name);
	if (strcmp(organisation, name) != 0 && !forgetting->is_second)
		ctl_warn(forgetting->ctl,
		    "%.255s is remembered together with all of %s", name,
		    organisation);
	status = forget_one(forgetting, &forget);
	return status == CTL_DONE ? tell_servers(forgetting, organisation)
				  : status;
}

/* The verified name of an address, by the system's resolver, which may take its
 * time. */
struct looking {
	struct netaddr address;
	char name[HOSTNAME_SIZE]; /* "": there is none */
};

static void
look_for_name(void *data)
{
	struct looking *looking = data;
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *found = NULL;
	struct sockaddr_storage to;
	socklen_t size = (socklen_t)netaddr_to_sockaddr(&looking->address, &to);
	char name[1025];
	struct netaddr back;

	if (getnameinfo((struct sockaddr *)&to, size, name, sizeof name, NULL,
		0, NI_NAMEREQD) != 0 ||
	    strlen(name) >= sizeof looking->name ||
	    getaddrinfo(name, NULL, &hints, &found) != 0)
		return;
	for (const struct addrinfo *at = found; at != NULL; at = at->ai_next)
		if (netaddr_from_sockaddr(at->ai_addr, &back) &&
		    netaddr_equal(&back, &looking->address))
			strcpy(looking->name, name);
	freeaddrinfo(found);
}

/* False: it has none, or it could not be found out, which is told. */
static bool
find_name(const struct forgetting *forgetting, const struct netaddr *address,
    char name_r[HOSTNAME_SIZE])
{
	struct aside *aside =
	    aside_open("name", sizeof(struct looking), look_for_name, NULL);
	struct looking *looking;

	name_r[0] = '\0';
	if (aside == NULL)
		return false;
	looking = aside_data(aside);
	looking->address = *address;
	if (aside_start(aside) && aside_wait(aside, NAME_MS)) {
		looking = aside_data(aside);
		strcpy(name_r, looking->name);
	} else if (!forgetting->is_second) {
		ctl_warn(forgetting->ctl,
		    "the host name of the address could not be found out in "
		    "time: what its organisation has earned is not forgotten "
		    "(see --name)");
	}
	aside_close(&aside);
	return name_r[0] != '\0';
}

/* Where clients are known by their names, an address is known by its
 * organisation's as well. */
static enum ctl_status
forget_its_name(struct forgetting *forgetting, const struct ctl_args *args,
    const struct netaddr *address)
{
	struct ctl *ctl = forgetting->ctl;
	const char *name = ctl_value(args, "name");
	char found[HOSTNAME_SIZE], organisation[HOSTNAME_SIZE];

	if (ctl->policy->settings.identity != IDENTITY_POOL)
		return CTL_DONE;
	if (name == NULL && find_name(forgetting, address, found))
		name = found;
	if (name == NULL || name[0] == '\0' ||
	    !find_organisation(ctl, name, organisation) ||
	    hostname_classify(name, address, organisation) != HOSTNAME_OWN)
		return CTL_DONE;
	return forget_name(forgetting, name);
}

/* ---- Many records */

static void
take_down(void *arg, const struct store_record *record)
{
	struct forgetting *forgetting = arg;
	struct network network;
	char why[NETWORK_WHY_SIZE];
	bool has_pair = forgetting->pair == NULL;

	if (forgetting->network != NULL &&
	    (!network_parse(record->name, &network, why) ||
		!network_contains(forgetting->network, &network.base) ||
		network.bits < forgetting->network->bits))
		return;
	for (size_t i = 0; i < record->clock_count && !has_pair; i++)
		has_pair =
		    strcmp(record->clocks[i].pair, forgetting->pair_name) == 0;
	if (!has_pair)
		return;
	if (!array_grow(&forgetting->tags, forgetting->tag_count,
		sizeof *forgetting->tags)) {
		forgetting->out_of_memory = true;
		return;
	}
	strcpy(forgetting->tags[forgetting->tag_count++], record->name);
}

/* What a page of records gave. */
static enum ctl_status
forget_page(struct forgetting *forgetting)
{
	enum ctl_status status = CTL_DONE;

	for (size_t i = 0; i < forgetting->tag_count && status == CTL_DONE; i++)
		status = forget_one(forgetting,
		    &(struct store_forget){.tag = forgetting->tags[i]});
	free(forgetting->tags);
	forgetting->tags = NULL;
	forgetting->tag_count = 0;
	if (forgetting->out_of_memory)
		return ctl_fail(forgetting->ctl, "out of memory");
	return status;
}

static enum ctl_status
forget_many(struct forgetting *forgetting, const struct network *network)
{
	struct ctl *ctl = forgetting->ctl;
	struct store_walk walk = {0};
	struct triplet_namer namer;
	enum store_result result = store_namer(ctl->store, &namer);
	enum ctl_status status = CTL_DONE;

	if (result == STORE_OK && forgetting->pair != NULL &&
	    !triplet_name(&namer, forgetting->pair, forgetting->pair_name))
		status = ctl_fail(ctl, "out of memory");
	secret_wipe(&namer, sizeof namer);
	forgetting->network = network;
	while (result == STORE_OK && status == CTL_DONE && !walk.is_done &&
	    !ctl->is_ended) {
		result = ctl_walk(ctl, &walk, take_down, forgetting);
		status = forget_page(forgetting);
	}
	forgetting->network = NULL;
	if (result != STORE_OK)
		return ctl_fail_store(ctl, result);
	return status == CTL_DONE ? tell_servers(forgetting, "*") : status;
}

/* ---- What somebody names */

static enum ctl_status
forget_singly(struct forgetting *forgetting, const struct network *network)
{
	struct netaddr address = network->base;
	unsigned count = 1U << (8U * address.length - network->bits);
	enum ctl_status status = CTL_DONE;
	unsigned char first = address.octets[address.length - 1];

	for (unsigned i = 0; i < count && status == CTL_DONE; i++) {
		address.octets[address.length - 1] = (unsigned char)(first + i);
		status = forget_address(forgetting, &address);
	}
	return status == CTL_DONE ? tell_servers(forgetting, "*") : status;
}

/* Narrower than a record, or as wide, or wider. */
static enum ctl_status
forget_network(struct forgetting *forgetting, const struct network *network)
{
	struct ctl *ctl = forgetting->ctl;
	char tag[STORE_NETWORK_SIZE];
	struct network of_record;
	char why[NETWORK_WHY_SIZE], text[NETWORK_TEXT_SIZE];
	enum ctl_status status;

	store_name_network(&ctl->policy->settings, &network->base, tag);
	if (!network_parse(tag, &of_record, why))
		return ctl_fail(ctl, "%s: %s", tag, why);
	if (network->bits < of_record.bits)
		return forget_many(forgetting, network);
	if (network->bits == of_record.bits) {
		status =
		    forget_one(forgetting, &(struct store_forget){.tag = tag});
		return status == CTL_DONE ? tell_servers(forgetting, "*")
					  : status;
	}
	if (8U * network->base.length - network->bits <= 8)
		return forget_singly(forgetting, network);
	network_format(network, text);
	return ctl_fail(ctl,
	    "%s: clients are remembered singly or by their %s; give one of "
	    "these",
	    text, tag);
}

static enum ctl_status
forget_word(struct forgetting *forgetting, const struct ctl_args *args,
    const struct list_entry *entry)
{
	const struct network *network = &entry->network;
	char name[STORE_NETWORK_SIZE];
	enum ctl_status status;

	if (entry->kind == LIST_DOMAIN)
		return forget_name(forgetting, entry->text);
	if (network->bits < 8U * network->base.length)
		return forget_network(forgetting, network);
	status = forget_address(forgetting, &network->base);
	if (status == CTL_DONE)
		status = tell_servers(forgetting,
		    name_in_memory(forgetting, &network->base, name));
	return status == CTL_DONE
	    ? forget_its_name(forgetting, args, &network->base)
	    : status;
}

static bool
read_word(struct ctl *ctl, const char *word, struct list_entry *entry_r)
{
	char why[NETWORK_WHY_SIZE];

	if (!list_entry_read(word, entry_r, why)) {
		(void)ctl_fail(ctl, "%.200s: %s", word, why);
		return false;
	}
	if (entry_r->kind != LIST_ADDRESS)
		return true;
	(void)ctl_fail(ctl,
	    "%.200s: say --from SENDER --to RECIPIENT to forget a pair", word);
	return false;
}

static enum ctl_status
forget_words(struct forgetting *forgetting, const struct ctl_args *args)
{
	enum ctl_status status = CTL_DONE;
	struct list_entry entry;
	char why[NETWORK_WHY_SIZE];

	for (size_t i = 0; i < args->word_count && status == CTL_DONE; i++) {
		(void)list_entry_read(args->words[i], &entry, why);
		status = forget_word(forgetting, args, &entry);
	}
	return status;
}

static enum ctl_status
run(struct ctl *ctl, const struct ctl_args *args)
{
	struct forgetting forgetting = {.ctl = ctl};
	struct named_pair named = {.pair = {NULL, NULL, NULL}};
	enum ctl_status status = CTL_DONE;
	struct list_entry entry;

	if (!read_pair(ctl, args, &named))
		return CTL_FAILED;
	if (named.pair.sender != NULL)
		forgetting.pair = &named.pair;
	else if (args->word_count == 0)
		return ctl_fail(ctl, "whom?");
	for (size_t i = 0; i < args->word_count; i++)
		if (!read_word(ctl, args->words[i], &entry))
			return CTL_FAILED;
	read_periods(&forgetting);
	if (args->word_count == 0)
		status = forget_many(&forgetting, NULL);
	else
		status = forget_words(&forgetting, args);
	forgetting.is_second = true;
	if (status == CTL_DONE && forgetting.count > 0 &&
	    args->word_count > 0 && ctl_wait(ctl, UNDER_WAY_MS))
		status = forget_words(&forgetting, args);
	if (status != CTL_DONE)
		return status;
	(void)ctl_emit(ctl,
	    json_pack("{s:s, s:I}", "kind", "forgotten", "count",
		(json_int_t)forgetting.count));
	return forgetting.count > 0
	    ? CTL_DONE
	    : ctl_nothing(ctl, "there was nothing to forget");
}

static const struct ctl_option options[] = {
    {"name", "NAME", "the host name of an address (otherwise it is looked up)",
	false},
    {"from", "SENDER", "forget only the pair of this sender", false},
    {"to", "RECIPIENT", "and this recipient", false}, {NULL}};

static const struct ctl_layout layouts[] = {
    {"forgotten", false, {{"count", "forgotten", CTL_NUMBER}, {NULL}}}, {NULL}};

const struct ctl_command ctl_forget = {.name = "forget",
    .arguments = "ADDRESS|NETWORK|NAME... [--from S --to R]",
    .help = "remove all that is remembered of somebody, or of a pair",
    .flags = CTL_STORE | CTL_CHANGES,
    .most_words = CTL_WORDS_MAX,
    .options = options,
    .layouts = layouts,
    .run = run};
