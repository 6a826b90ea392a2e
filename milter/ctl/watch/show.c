/* show -- everything that is remembered of a client, a network or an organisation.
 */
#include <libpsl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/secret.h"
#include "ctl/commands.h"
#include "mail/hostname.h"
#include "mail/mailaddr.h"
#include "policy/reputation.h"
#include "store/record.h"

#define CLOCKS_SHOWN 500 /* of one record; --all: all */

struct show {
	struct ctl *ctl;
	const struct settings *settings;
	int64_t now;
	/* whom: an address, or "" for all of a network or a pool */
	char address[NETADDR_TEXT_SIZE];
	char network[STORE_NETWORK_SIZE]; /* "" for a pool alone */
	char pool[HOSTNAME_SIZE];
	unsigned host;
	char token[TRIPLET_ADDRESS_SIZE]; /* of the address */
	char pair[TRIPLET_SIZE];	  /* show this alone; "": all */
	bool shows_all;
	bool is_found;
	bool is_pool; /* the record in hand is one */
};

static void
add_time(json_t *object, const char *key, int64_t at)
{
	if (at != 0)
		(void)json_object_set_new(object, key, json_integer(at));
}

/* ---- Records */

static const char *const space_names[CLOCK_SPACES] = {[CLOCK_REAL] = "",
    [CLOCK_OBSERVED] = "on trial",
    [CLOCK_DEFERRED] = "deferred again"};

/* Whether what stands under this address of the record is the client's. */
static bool
is_ours(const struct show *show, const char *address)
{
	return show->is_pool || show->address[0] == '\0' ||
	    address[0] == '\0' || strcmp(address, show->token) == 0;
}

static void
emit_clock(const struct show *show, const struct store_record *record,
    const struct record_clock *clock)
{
	bool has_passed = clock->at.last_passed != 0;
	json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "kind",
	    "clock", "record", record->name, "address", clock->address, "pair",
	    clock->pair[0] == '\0' ? "client" : clock->pair, "of",
	    space_names[clock->space], "state",
	    has_passed ? "passed" : "waiting");

	add_time(object, "at",
	    has_passed ? clock->at.last_passed : clock->at.first_seen);
	add_time(object, "until",
	    has_passed ? clock->at.last_passed + show->settings->keep
		       : clock->at.first_seen + show->settings->retry_window);
	if (!has_passed && clock->pair[0] != '\0' && clock->space == CLOCK_REAL)
		add_time(object, "may_pass",
		    clock->at.first_seen + show->ctl->policy->longest_delay);
	if (clock->opener.is_known)
		(void)json_object_set_new(
		    object, "sender", json_integer(clock->opener.sender));
	(void)ctl_emit(show->ctl, object);
}

static void
emit_clocks(const struct show *show, const struct store_record *record)
{
	size_t shown = 0;

	for (size_t i = 0; i < record->clock_count; i++) {
		const struct record_clock *clock = &record->clocks[i];

		if (!is_ours(show, clock->address) ||
		    (show->pair[0] != '\0' && clock->pair[0] != '\0' &&
			strcmp(clock->pair, show->pair) != 0))
			continue;
		if (shown++ == CLOCKS_SHOWN && !show->shows_all) {
			(void)ctl_nothing(
			    show->ctl, "more are there; --all shows them");
			return;
		}
		emit_clock(show, record, clock);
	}
}

static void
emit_trust(const struct show *show, const struct store_record *record)
{
	for (size_t i = 0; i < record->trust_count; i++) {
		const struct record_trust *trust = &record->trusts[i];
		json_t *object;

		if (!is_ours(show, trust->address))
			continue;
		object = json_pack("{s:s, s:s, s:s, s:I, s:b}", "kind", "trust",
		    "record", record->name, "address", trust->address, "passes",
		    (json_int_t)trust->passes, "enough",
		    show->settings->known_after > 0 &&
			trust->passes >= show->settings->known_after);
		add_time(object, "last_used", trust->last_used);
		if (trust->last_used != 0)
			add_time(object, "until",
			    trust->last_used + show->settings->keep);
		(void)ctl_emit(show->ctl, object);
	}
}

static void
emit_points(const struct show *show, const struct store_record *record,
    int host, const struct record_points *points)
{
	json_t *object = json_pack("{s:s, s:s, s:f, s:f}", "kind", "points",
	    "record", record->name, "good", points->good, "bad", points->bad);

	if (host >= 0)
		(void)json_object_set_new(object, "host", json_integer(host));
	add_time(object, "paced_at", points->paced_at);
	(void)ctl_emit(show->ctl, object);
}

static void
emit_record(void *arg, const struct store_record *record)
{
	struct show *show = arg;
	json_t *object = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I}", "kind",
	    "record", "record", record->name, "life",
	    record->worthy ? "known client" : "stranger", "clocks",
	    (json_int_t)record->clock_count, "addresses",
	    (json_int_t)record->trust_count, "hosts",
	    (json_int_t)record->host_count);

	show->is_found = true;
	add_time(object, "expires", record->expires);
	(void)ctl_emit(show->ctl, object);
	if (record->has_points)
		emit_points(show, record, -1, &record->points);
	for (size_t i = 0; record->has_points && i < record->host_count; i++)
		if (show->address[0] == '\0' ||
		    record->hosts[i].bucket == show->host)
			emit_points(show, record, (int)record->hosts[i].bucket,
			    &record->hosts[i].points);
	emit_trust(show, record);
	emit_clocks(show, record);
}

/* ---- What is asked of a client as for a message */

/* Units of limits, which are whole for all of them; -1: it is for nobody here. */
static int64_t
count_units(const struct window_counts *counts)
{
	int64_t units = 0;

	for (int i = 0; i < WINDOW_COUNTED; i++)
		units += counts->slots[i];
	return units;
}

static size_t
choose_limits(const struct show *show,
    struct store_take takes_r[STORE_TAKES_MAX],
    const struct limit *limits_r[STORE_TAKES_MAX])
{
	const struct policy *policy = show->ctl->policy;
	size_t count = 0;

	for (size_t i = 0; i < policy->limit_count; i++) {
		const struct condition *condition = policy->limits[i].condition;
		enum limit_by by = condition->by;

		/* The others ask for more than who the client is. */
		if ((by != LIMIT_BY_NETWORK && by != LIMIT_BY_HOST &&
			by != LIMIT_BY_ALL) ||
		    condition->type->counts == LIMIT_DISTINCT_SENDERS ||
		    condition->type->counts == LIMIT_DISTINCT_RECIPIENTS)
			continue;
		limits_r[count] = &policy->limits[i];
		takes_r[count++] =
		    (struct store_take){.id = policy->limits[i].id,
			.holder = by == LIMIT_BY_ALL ? "*" : NULL,
			.of_host = by == LIMIT_BY_HOST,
			.period = condition->period};
	}
	return count;
}

static void
emit_limits(const struct show *show, const struct limit *const *limits,
    size_t count, const struct store_answer *answer, double score)
{
	static const char *const per[] = {[LIMIT_BY_NETWORK] = "network",
	    [LIMIT_BY_HOST] = "host",
	    [LIMIT_BY_ALL] = "all"};

	for (size_t i = 0; i < count; i++) {
		const struct condition *condition = limits[i]->condition;
		int64_t above = condition->above;

		if (condition->scaled)
			above = reputation_scaled_limit(above, score);
		(void)ctl_emit(show->ctl,
		    json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "kind",
			"limit", "rule", limits[i]->rule->name, "counts",
			condition->type->name, "per", per[condition->by],
			"taken", (json_int_t)count_units(&answer->counts[i]),
			"above", (json_int_t)above, "within",
			(json_int_t)condition->period));
	}
}

/* As a message of the client would find it; nothing is changed. */
static enum store_result
emit_client(struct show *show)
{
	struct store_take takes[STORE_TAKES_MAX];
	const struct limit *limits[STORE_TAKES_MAX];
	size_t limit_count = choose_limits(show, takes, limits);
	struct store_query query = {.now = show->now,
	    .client = {.network = show->network,
		.host = show->host,
		.pool = show->pool[0] == '\0' ? NULL : show->pool,
		.address = show->settings->identity == IDENTITY_NETWORK
		    ? NULL
		    : show->address},
	    .takes = takes,
	    .take_count = limit_count,
	    .peeks = true};
	struct store_answer answer;
	struct standing standing;
	enum store_result result;
	json_t *object;

	result = store_look_up(show->ctl->store, &query, &answer);
	if (result != STORE_OK)
		return result;
	standing_of(show->settings, &answer.host, &answer.network,
	    answer.passes, &standing);
	object = json_pack("{s:s, s:s, s:s, s:i, s:b, s:f, s:I, s:b}", "kind",
	    "client", "address", show->address, "network", show->network,
	    "host", (int)show->host, "known", standing.known, "score",
	    standing.score, "passes", (json_int_t)answer.passes, "new",
	    answer.is_new && (show->pool[0] == '\0' || answer.pool_is_new));
	if (show->pool[0] != '\0')
		(void)json_object_set_new(
		    object, "pool", json_text(show->pool));
	add_time(object, "last_used", answer.last_used);
	add_time(object, "crowded_since", answer.crowded_since);
	(void)ctl_emit(show->ctl, object);
	emit_limits(show, limits, limit_count, &answer, standing.score);
	return STORE_OK;
}

/* ---- Shared lists */

struct listing {
	struct show *show;
	const char *name;
	struct netaddr client;
};

static bool
emit_entry(void *arg, const struct store_entry *entry)
{
	const struct listing *listing = arg;
	struct list_entry read;
	char why[NETWORK_WHY_SIZE];
	json_t *object;

	if (!list_entry_read(entry->text, &read, why) ||
	    read.kind != LIST_NETWORK ||
	    !network_contains(&read.network, &listing->client))
		return true;
	object = json_pack("{s:s, s:s, s:s}", "kind", "listed", "list",
	    listing->name, "entry", read.text);
	if (entry->until != LIST_FOR_EVER)
		add_time(object, "until", entry->until);
	listing->show->is_found = true;
	(void)json_object_set_new(object, "note", json_text(entry->note));
	(void)ctl_emit(listing->show->ctl, object);
	return true;
}

static void
emit_lists(struct show *show)
{
	struct listing listing = {.show = show};
	const struct policy *policy = show->ctl->policy;

	(void)netaddr_parse(show->address, &listing.client);
	for (size_t i = 0; i < policy->list_count; i++) {
		listing.name = policy->lists[i].name;
		if (policy->lists[i].shared)
			(void)store_list_each(show->ctl->store, listing.name,
			    emit_entry, &listing);
	}
}

/* ---- Whom */

/* An organisation, by any name in it. */
static bool
set_pool(struct show *show, const char *name)
{
	psl_ctx_t *psl = psl_latest(NULL);
	char clean[HOSTNAME_SIZE];
	bool is_name = hostname_is_valid(name) &&
	    hostname_clean(name, clean, sizeof clean);

	if (is_name && !hostname_organisation(clean, psl, show->pool))
		(void)snprintf(show->pool, sizeof show->pool, "%s", clean);
	psl_free(psl);
	return is_name;
}

static bool
set_client(struct show *show, const struct netaddr *address)
{
	struct triplet_namer namer;
	struct store_client client = {.network = show->network};
	bool is_named;

	netaddr_format(address, show->address);
	store_name_network(show->settings, address, show->network);
	show->host = netaddr_host_bucket(address);
	if (show->settings->identity != IDENTITY_NETWORK)
		client.address = show->address;
	if (store_namer(show->ctl->store, &namer) != STORE_OK)
		return false;
	is_named = triplet_address(&namer, &client, show->token);
	secret_wipe(&namer, sizeof namer);
	return is_named;
}

static bool
set_pair(struct show *show, const char *from, const char *to)
{
	struct mailaddr sender, recipient, normal[2];
	struct triplet_namer namer;
	struct store_pair pair = {NULL, NULL, NULL};
	bool is_named;

	mailaddr_parse(from, &sender);
	mailaddr_normalise_sender(&sender, &normal[0]);
	mailaddr_parse(to, &recipient);
	mailaddr_normalise_recipient(&recipient, &normal[1]);
	pair.sender = normal[0].text;
	pair.recipient = normal[1].text;
	if (store_namer(show->ctl->store, &namer) != STORE_OK)
		return false;
	is_named = triplet_name(&namer, &pair, show->pair);
	secret_wipe(&namer, sizeof namer);
	return is_named;
}

/* An address, a network or a name.  CTL_FAILED, and that was told: none of them. */
static enum ctl_status
find_whom(struct show *show, const char *word)
{
	char why[NETWORK_WHY_SIZE];
	struct network network;
	struct netaddr address;

	if (netaddr_parse(word, &address))
		return set_client(show, &address)
		    ? CTL_DONE
		    : ctl_fail_store(show->ctl, STORE_DOWN);
	if (strchr(word, '/') == NULL)
		return set_pool(show, word)
		    ? CTL_DONE
		    : ctl_fail(show->ctl,
			  "%s: an address, a network or a host name is needed",
			  word);
	if (!network_parse(word, &network, why))
		return ctl_fail(show->ctl, "%s: %s", word, why);
	store_name_network(show->settings, &network.base, show->network);
	network_format(&network, why);
	if (strcmp(why, show->network) == 0)
		return CTL_DONE;
	return ctl_fail(show->ctl,
	    "what is remembered stands with a network such as %s",
	    show->network);
}

/* ---- The command */

static enum store_result
show_all(struct show *show)
{
	enum store_result result = STORE_OK;

	if (show->address[0] != '\0') {
		result = emit_client(show);
		emit_lists(show);
	}
	if (result == STORE_OK && show->network[0] != '\0')
		result = store_read_record(show->ctl->store, show->network,
		    show->now, emit_record, show);
	show->is_pool = true;
	if (result == STORE_OK && show->pool[0] != '\0')
		result = store_read_record(
		    show->ctl->store, show->pool, show->now, emit_record, show);
	return result;
}

static enum ctl_status
run_show(struct ctl *ctl, const struct ctl_args *args)
{
	const char *name = ctl_value(args, "name");
	const char *from = ctl_value(args, "from"), *to = ctl_value(args, "to");
	struct show show = {.ctl = ctl,
	    .settings = &ctl->policy->settings,
	    .now = store_now(ctl->store, (int64_t)time(NULL)),
	    .shows_all = ctl_value(args, "all") != NULL};
	enum ctl_status status = find_whom(&show, args->words[0]);
	enum store_result result;

	if (status != CTL_DONE)
		return status;
	if (name != NULL && !set_pool(&show, name))
		return ctl_fail(ctl, "--name %s: a host name is needed", name);
	if ((from == NULL) != (to == NULL))
		return ctl_fail(ctl, "--from and --to belong together");
	if (from != NULL && !set_pair(&show, from, to))
		return ctl_fail_store(ctl, STORE_DOWN);
	result = show_all(&show);
	if (result != STORE_OK)
		return ctl_fail_store(ctl, result);
	return show.is_found
	    ? CTL_DONE
	    : ctl_nothing(ctl, "nothing is remembered of %s", args->words[0]);
}

static const struct ctl_option options[] = {
    {"name", "NAME", "of an address: its host name, for its organisation",
	false},
    {"from", "SENDER", "show the clock of this pair alone", false},
    {"to", "RECIPIENT", "the other half of that pair", false},
    {"all", NULL, "show all clocks, however many", false}, {NULL}};

static const struct ctl_layout layouts[] = {
    {"client", false,
	{{"address", "client", CTL_TEXT}, {"network", "network", CTL_TEXT},
	    {"host", "host", CTL_TEXT}, {"pool", "pool", CTL_TEXT},
	    {"known", "known", CTL_MARK}, {"score", "score", CTL_TEXT},
	    {"passes", "pairs got through", CTL_TEXT},
	    {"last_used", "trust last used", CTL_AGO},
	    {"crowded_since", "crowded since", CTL_AGO}, {NULL}}},
    {"limit", true,
	{{"rule", "LIMIT", CTL_TEXT}, {"counts", "COUNTS", CTL_TEXT},
	    {"per", "PER", CTL_TEXT}, {"taken", "TAKEN", CTL_NUMBER},
	    {"above", "OF", CTL_NUMBER}, {"within", "WITHIN", CTL_SPAN},
	    {NULL}}},
    {"listed", true,
	{{"list", "LIST", CTL_TEXT}, {"entry", "ENTRY", CTL_TEXT},
	    {"until", "ENDS", CTL_UNTIL}, {"note", "NOTE", CTL_TEXT}, {NULL}}},
    {"record", false,
	{{"record", "record", CTL_TEXT}, {"life", "kept as", CTL_TEXT},
	    {"expires", "expires", CTL_UNTIL}, {"clocks", "clocks", CTL_TEXT},
	    {"addresses", "addresses", CTL_TEXT}, {"hosts", "hosts", CTL_TEXT},
	    {NULL}}},
    {"points", true,
	{{"record", "POINTS OF", CTL_TEXT}, {"host", "HOST", CTL_NUMBER},
	    {"good", "GOOD", CTL_NUMBER}, {"bad", "BAD", CTL_NUMBER},
	    {"paced_at", "EARNED", CTL_AGO}, {NULL}}},
    {"trust", true,
	{{"address", "TRUST OF", CTL_TEXT}, {"passes", "PAIRS", CTL_NUMBER},
	    {"enough", "ENOUGH", CTL_MARK}, {"last_used", "LAST USED", CTL_AGO},
	    {"until", "ENDS", CTL_UNTIL}, {NULL}}},
    {"clock", true,
	{{"pair", "CLOCK OF", CTL_TEXT}, {"address", "ADDRESS", CTL_TEXT},
	    {"of", "RULES", CTL_TEXT}, {"state", "STATE", CTL_MARK},
	    {"at", "SINCE", CTL_AGO}, {"may_pass", "MAY PASS", CTL_UNTIL},
	    {"until", "FORGOTTEN", CTL_UNTIL}, {NULL}}},
    {NULL}};

const struct ctl_command ctl_show = {.name = "show",
    .arguments = "ADDRESS|NETWORK|NAME",
    .help = "show everything that is remembered of a client",
    .flags = CTL_STORE,
    .least_words = 1,
    .most_words = 1,
    .options = options,
    .layouts = layouts,
    .run = run_show};
