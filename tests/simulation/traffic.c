#include "traffic.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR INT64_C(3600)
#define DAY  TRAFFIC_DAY

#define FIRST_NETWORK (UINT32_C(20) << 16) /* 20.0.0.0/24 */
#define USERS	      2000		   /* of ours */
#define PEOPLE	      3			   /* who write, of a sender */
#define BURST_SPACING 2			   /* seconds from one to the next */

/* One of those with the name that the kind gives, in turn. */
static const struct schedule *
schedule_of(const struct kind *kind, size_t number)
{
	const struct schedule *first = traffic_schedules;
	size_t count = 0;

	while (strcmp(first->name, kind->schedule) != 0)
		first++;
	while (first + count < traffic_schedules + traffic_schedule_count &&
	    strcmp(first[count].name, kind->schedule) == 0)
		count++;
	return &first[number % count];
}

static size_t
senders_of(const struct kind *kind, double scale, size_t servers)
{
	if (kind->rhythm == ATTACK)
		return kind->senders * servers;
	return (size_t)fmax(1, round(kind->senders * scale));
}

bool
traffic_open(
    struct traffic *traffic, uint64_t seed, double scale, size_t servers)
{
	uint32_t network = FIRST_NETWORK;
	size_t count = 0, number = 0;

	for (size_t i = 0; i < traffic_kind_count; i++)
		count += senders_of(&traffic_kinds[i], scale, servers);
	traffic->senders =
	    count == 0 ? NULL : calloc(count, sizeof *traffic->senders);
	traffic->sender_count = count;
	if (traffic->senders == NULL)
		return false;
	for (size_t i = 0; i < traffic_kind_count; i++) {
		const struct kind *kind = &traffic_kinds[i];

		for (size_t n = senders_of(kind, scale, servers); n > 0; n--) {
			traffic->senders[number] = (struct sender){.kind = kind,
			    .number = number,
			    .first_network = network,
			    .schedule = schedule_of(kind, number),
			    .chance = chance_of_seed(seed * 1000003 + number)};
			network += kind->networks;
			number++;
		}
	}
	return true;
}

void
traffic_close(struct traffic *traffic)
{
	free(traffic->senders);
	traffic->senders = NULL;
}

/* --- when --- */

/* Half of what the busiest hour has, on average over a week. */
static double
office_share(int64_t now)
{
	int64_t day = (now - TRAFFIC_START) / DAY % 7;
	int64_t hour = now % DAY / HOUR;
	double share = hour < 7 ? 0.2 : hour < 18 ? 1 : 0.5;

	return day >= 5 ? share / 2 : share;
}

#define OFFICE_MEAN 0.55

static double
attack_share(const struct traffic *traffic, int64_t now)
{
	int64_t from = traffic->attack + TRAFFIC_ATTACK_FROM;
	int64_t to = traffic->attack + TRAFFIC_ATTACK_TO;

	if (traffic->attack == TRAFFIC_NEVER || now < from || now >= to)
		return 0;
	return fmin(1,
	    fmin((double)(now - from), (double)(to - now)) /
		(double)TRAFFIC_ATTACK_RAMP);
}

bool
traffic_writes(
    const struct traffic *traffic, struct sender *sender, int64_t now)
{
	switch (sender->kind->rhythm) {
	case OFFICE_HOURS:
		return chance_happens(&sender->chance, office_share(now));
	case ATTACK:
		return chance_happens(
		    &sender->chance, attack_share(traffic, now));
	case ALL_DAY:
		break;
	}
	return true;
}

int64_t
traffic_next(const struct traffic *traffic, struct sender *sender, int64_t now)
{
	const struct kind *kind = sender->kind;
	double per_day = kind->rhythm == OFFICE_HOURS
	    ? kind->per_day / OFFICE_MEAN
	    : kind->per_day;
	int64_t from;

	if (kind->rhythm == ATTACK) {
		from = traffic->attack + TRAFFIC_ATTACK_FROM;
		if (traffic->attack == TRAFFIC_NEVER ||
		    now >= traffic->attack + TRAFFIC_ATTACK_TO)
			return TRAFFIC_NEVER;
		if (now < from)
			now = from;
	}
	return now +
	    llround(chance_wait(&sender->chance, (double)DAY / per_day));
}

int64_t
traffic_retry(struct mail *mail, int64_t now)
{
	const struct schedule *schedule = mail->sender->schedule;
	unsigned last = 0, turn = mail->tries - 1;
	double wait;
	int64_t at;

	if (mail->tries >= schedule->times)
		return TRAFFIC_NEVER;
	while (last + 1 < TRAFFIC_WAITS && schedule->waits[last + 1] != 0)
		last++;
	wait = (double)schedule->waits[turn < last ? turn : last];
	if (turn > last)
		wait *= pow(schedule->factor, turn - last);
	wait = fmin(wait, (double)schedule->longest);
	wait *= 1 + schedule->spread * (2 * chance_unit(&mail->chance) - 1);
	at = now + llround(fmax(wait, 1));
	return at - mail->written > schedule->give_up ? TRAFFIC_NEVER : at;
}

/* --- what --- */

static unsigned
recipient_of(const struct sender *sender, unsigned contact)
{
	struct chance chance =
	    chance_of_seed((uint64_t)sender->number << 32 | contact);

	return chance_pick(&chance, USERS);
}

/* Some are written to often, most now and then. */
static unsigned
pick_contact(struct mail *mail)
{
	double part = chance_unit(&mail->chance);

	return (unsigned)(mail->sender->kind->contacts * part * part);
}

static void
add_recipients(struct mail *mail)
{
	const struct kind *kind = mail->sender->kind;
	size_t count = 1 + chance_pick(&mail->chance, kind->recipients);
	unsigned first = kind->origin == FROM_VERP
	    ? (unsigned)mail->number % kind->contacts
	    : pick_contact(mail);

	mail->from = first % PEOPLE;
	for (size_t i = 0; i < count; i++) {
		unsigned contact = i == 0 ? first : pick_contact(mail);

		if (chance_happens(&mail->chance, kind->unknown))
			mail->unknown++;
		else
			mail->to[mail->to_count++] =
			    recipient_of(mail->sender, contact);
	}
}

static void
choose_host(struct mail *mail)
{
	mail->network =
	    chance_pick(&mail->chance, mail->sender->kind->networks);
	mail->host = chance_pick(&mail->chance, mail->sender->kind->hosts);
}

void
traffic_write(struct sender *sender, int64_t now, struct mail *mail_r)
{
	const struct kind *kind = sender->kind;

	memset(mail_r, 0, sizeof *mail_r);
	mail_r->sender = sender;
	mail_r->chance = chance_of_seed(chance_next(&sender->chance));
	mail_r->number = sender->written++;
	mail_r->written = now;
	mail_r->spam = chance_happens(&mail_r->chance, kind->spam);
	mail_r->malformed = chance_happens(&mail_r->chance, kind->malformed);
	if (kind->burst > 0)
		mail_r->written +=
		    BURST_SPACING * (int64_t)(mail_r->number % kind->burst);
	choose_host(mail_r);
	add_recipients(mail_r);
}

/* --- how it looks --- */

static void
name_client(
    const struct mail *mail, uint32_t network, struct traffic_texts *texts)
{
	unsigned a = network >> 16 & 255, b = network >> 8 & 255;
	unsigned c = network & 255, d = mail->host + 10;
	char *name = texts->name;
	size_t size = sizeof texts->name;

	switch (mail->sender->kind->naming) {
	case NAMED_AS_ONE:
		(void)snprintf(name, size, "mail%u-%u.sender%zu.example",
		    mail->network, mail->host, mail->sender->number);
		return;
	case NAMED_APART:
		(void)snprintf(
		    name, size, "mx%u.owner%u.example", mail->host, network);
		return;
	case NAMED_AS_LINE:
		(void)snprintf(name, size, "%u-%u-%u-%u.dyn.isp%u.example", a,
		    b, c, d, network % 50);
		return;
	case NOT_NAMED:
		break;
	}
	name[0] = '\0';
}

static void
name_helo(const struct mail *mail, struct traffic_texts *texts)
{
	const char *name = texts->name;

	if (mail->malformed)
		name = "local host";
	else if (name[0] == '\0')
		name = "server";
	memcpy(texts->helo, name, strlen(name) + 1);
}

/* Without digits, which would be taken for a counter. */
static void
name_once(const struct mail *mail, char name_r[13])
{
	struct chance chance =
	    chance_of_seed((uint64_t)mail->sender->number << 32 ^ mail->number);

	for (int i = 0; i < 12; i++)
		name_r[i] = (char)('a' + chance_pick(&chance, 26));
	name_r[12] = '\0';
}

static void
name_sender(
    const struct mail *mail, uint32_t network, struct traffic_texts *texts)
{
	const struct sender *sender = mail->sender;
	char *text = texts->sender, once[13];
	size_t size = sizeof texts->sender;

	switch (sender->kind->origin) {
	case FROM_VERP:
		(void)snprintf(text, size,
		    "<bounce+%llu-u%u=local.example@sender%zu.example>",
		    (unsigned long long)mail->number, mail->to[0],
		    sender->number);
		return;
	case FROM_UNIQUE:
		name_once(mail, once);
		(void)snprintf(
		    text, size, "<%s@sender%zu.example>", once, sender->number);
		return;
	case FROM_NOBODY:
		(void)snprintf(text, size, "<>");
		return;
	case FROM_PEOPLE:
		break;
	}
	if (sender->kind->good && sender->kind->naming != NAMED_APART)
		(void)snprintf(text, size, "<person%u@sender%zu.example>",
		    mail->from, sender->number);
	else
		(void)snprintf(text, size, "<person%u@owner%u.example>",
		    mail->from, network);
}

/* --- what DNS says of it --- */

/* The same of an owner whenever he comes: a sender, or one of his networks where
 * these are owned apart. */
static struct chance
chance_of_owner(const struct sender *sender, uint32_t network)
{
	bool apart = !sender->kind->good || sender->kind->naming == NAMED_APART;

	return chance_of_seed((uint64_t)(apart ? network : sender->number) ^
	    (uint64_t)0x5eed << 40);
}

/* A bot writes in the name of others; who has names of his own has all that
 * belongs to it. */
static enum spf_result
spf_of(const struct traffic_quality *quality, const struct kind *kind,
    struct chance *chance)
{
	double part = chance_unit(chance);

	if (kind->good)
		return part < quality->spf ? SPF_PASS : SPF_NONE;
	if (kind->naming == NAMED_APART)
		return SPF_PASS;
	return part < 0.5 ? SPF_NONE : part < 0.8 ? SPF_SOFTFAIL : SPF_FAIL;
}

static struct farm_says
says_of(const struct traffic_quality *quality, const struct mail *mail,
    uint32_t network)
{
	const struct kind *kind = mail->sender->kind;
	struct chance chance = chance_of_owner(mail->sender, network);
	struct chance wire = chance_of_seed(
	    (uint64_t)mail->sender->number << 32 ^ ~mail->number);
	struct farm_says says;

	says.trusted = chance_happens(
	    &chance, kind->good ? quality->trusted : quality->wrong);
	says.blocked = chance_happens(
	    &chance, kind->good ? quality->wrong : quality->blocked);
	says.spf = spf_of(quality, kind, &chance);
	says.in_time =
	    mail->tries > 1 || chance_happens(&wire, quality->in_time);
	return says;
}

void
traffic_visit(const struct traffic *traffic, struct mail *mail,
    struct traffic_texts *texts_r, struct farm_visit *visit_r)
{
	uint32_t network;

	if (mail->tries++ > 0 && mail->sender->kind->wanders)
		choose_host(mail);
	network = mail->sender->first_network + mail->network;
	name_client(mail, network, texts_r);
	name_helo(mail, texts_r);
	name_sender(mail, network, texts_r);
	memset(visit_r, 0, sizeof *visit_r);
	visit_r->address = network << 8 | (mail->host + 10);
	visit_r->client_name = texts_r->name[0] == '\0' ? NULL : texts_r->name;
	visit_r->helo = texts_r->helo;
	visit_r->sender = texts_r->sender;
	visit_r->asks = mail->sender->kind->origin == FROM_NOBODY;
	visit_r->recipient_count = mail->to_count;
	visit_r->refused = mail->unknown;
	visit_r->says = says_of(&traffic->quality, mail, network);
	for (size_t i = 0; i < mail->to_count; i++) {
		(void)snprintf(texts_r->recipients[i],
		    sizeof texts_r->recipients[i], "<u%u@local.example>",
		    mail->to[i]);
		visit_r->recipients[i] = texts_r->recipients[i];
	}
	visit_r->mark_name = "X-Spam-Status";
	visit_r->mark = mail->spam ? "Yes, score=9.1" : "No, score=0.1";
}
