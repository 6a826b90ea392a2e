#include <stdio.h>
#include <string.h>

#include "lib/check_main.h"
#include "lib/table.h"
#include "mail/mailaddr.h"

static const struct {
	const char *when;
	const char *raw;
	const char *normal;
} rows[] = {
    {"an ordinary sender stays", "bob@example.org", "bob@example.org"},
    {"the null sender stays", "<>", ""},
    {"a sender without a domain stays", "<bob>", "bob"},
    {"the case of the domain does not count", "bob@EXAMPLE.org",
	"bob@example.org"},
    {"the case of the local part does", "Bob@example.org", "Bob@example.org"},
    {"bob2 is not bob", "bob2@example.org", "bob2@example.org"},
    {"three digits are part of a name", "bob123@example.org",
	"bob123@example.org"},
    {"a year behind a name is a person's", "bob1984@example.org",
	"bob1984@example.org"},
    {"so is a date", "bea19850102@example.org", "bea19850102@example.org"},
    {"so is a number behind a dot", "bob.1984@example.org",
	"bob.1984@example.org"},
    {"six digits apart are a serial number", "order-123456@example.org",
	"order-#@example.org"},
    {"a program's number is a serial number", "bounce1234@example.org",
	"bounce#@example.org"},
    {"so is one of few digits", "bounces-12@example.org",
	"bounces-#@example.org"},
    {"a name that starts like a program's word is a person's",
	"newsome1984@example.org", "newsome1984@example.org"},
    {"a word of few digits is part of a name", "sales-2@example.org",
	"sales-2@example.org"},
    {"a domain's digits stay", "bob@host12345.example.org",
	"bob@host12345.example.org"},
    {"a quoted local part stays", "\"bob 12345+x\"@example.org",
	"\"bob 12345+x\"@example.org"},
    {"a number alone is a person's", "12345678@qq.example",
	"12345678@qq.example"},
    {"a telephone number is a person's", "491711234567890@mms.example",
	"491711234567890@mms.example"},
    {"a number too long to dial is a serial number",
	"4917112345678901@mms.example", "#@mms.example"},

    {"a tag is dropped", "bob+news@example.org", "bob@example.org"},
    {"all tags are dropped", "bob+a+b@example.org", "bob@example.org"},
    {"a + at the start is no tag", "+4912@example.org", "+4912@example.org"},
    {"a + at the end is an empty tag", "bob+@example.org", "bob@example.org"},

    {"serial numbers are masked", "bounce-12345678-99@example.org",
	"bounce-#-#@example.org"},
    {"short numbers before a serial number are masked too",
	"bounce-99-12345678@example.org", "bounce-#-#@example.org"},
    {"a digit within a word stays beside a serial number",
	"mc.us1_12345678.123@example.org", "mc.us1_#.#@example.org"},
    {"a hexadecimal word is masked", "bounce-1a2b3c4d@example.org",
	"bounce-#@example.org"},
    {"upper-case hexadecimal is masked", "bounce-1A2B3C4D@example.org",
	"bounce-#@example.org"},
    {"letters alone are a name, hexadecimal or not", "deadbeef@example.org",
	"deadbeef@example.org"},
    {"one digit does not make a name hexadecimal", "face2face@example.org",
	"face2face@example.org"},
    {"a short hexadecimal word is a name", "abc12@example.org",
	"abc12@example.org"},
    {"a hash alone is masked",
	"d41d8cd98f00b204e9800998ecf8427e@bounce.example", "#@bounce.example"},
    {"a UUID is masked as a whole",
	"0b6ad1a2-5e6f-4a8b-9c0d-1e2f3a4b5c6d@example.org", "#@example.org"},
    {"a UUID of unlucky digits is masked as well",
	"m-aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee@example.org",
	"m-#@example.org"},
    {"what goes on is no UUID",
	"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeeexyz@example.org",
	"aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeeexyz@example.org"},
    {"a scrambled word is masked", "m-x7k2p9q4w8z1@example.org",
	"m-#@example.org"},
    {"a long name with a year stays", "christophermiller1984@example.org",
	"christophermiller1984@example.org"},
    {"capitals do not scramble a name",
	"TheWeeklyLetterOfBobAndEve@example.org",
	"TheWeeklyLetterOfBobAndEve@example.org"},
    {"mixed case and a digit do", "m-aBcDeFgHiJk5LmN@example.org",
	"m-#@example.org"},
    {"a long name with a short number stays", "christophermiller84@example.org",
	"christophermiller84@example.org"},
    {"octets above 127 stay",
	"b\xc3\xb6"
	"b-123456@example.org",
	"b\xc3\xb6"
	"b-#@example.org"},

    {"ezmlm's message number and recipient are dropped",
	"list-return-123-bob=example.org@lists.example",
	"list-return@lists.example"},
    {"so is ezmlm's warning", "list-return-@lists.example-@[]",
	"list-return@[]"},
    {"without a list before it return is a word", "-return-1@lists.example",
	"-return-#@lists.example"},
    {"Mailman's recipient is dropped",
	"list-bounces+bob=example.org@lists.example",
	"list-bounces@lists.example"},
    {"qmail's recipient is dropped", "bounce+abc=example.org@lists.example",
	"bounce@lists.example"},
    {"a recipient behind a hyphen is dropped",
	"news-bob=example.org@lists.example", "news@lists.example"},
    {"a recipient's first words may stay, they do not change",
	"news-bob-smith=example.org@lists.example", "news-bob@lists.example"},
    {"a number before a recipient is a serial number",
	"news-42-bob=example.org@lists.example", "news-#@lists.example"},
    {"a number alone before a recipient is one too",
	"4242-bob=example.org@lists.example", "#@lists.example"},
    {"a recipient with nothing before it stays",
	"bob=example.org@relay.example", "bob=example.org@relay.example"},
    {"an = without a domain is none", "news-a=b@example.org",
	"news-a=b@example.org"},

    {"Amazon SES is a constant",
	"0100018c7e9f1a2b-3c4d5e6f-7a8b-9c0d-1e2f-3a4b5c6d7e8f-000000@"
	"eu-west-1.amazonses.com",
	"#@eu-west-1.amazonses.com"},
    {"a domain that only ends so is none", "bob@notamazonses.com",
	"bob@notamazonses.com"},
    {"it stays apart in a sender's own domain",
	"0100018c7e9f1a2b-3c4d5e6f-7a8b-9c0d-1e2f-3a4b5c6d7e8f-000000@"
	"mail.shop.example",
	"#-#-#@mail.shop.example"},
    {"Mailchimp keeps the list",
	"bounce-mc.us1_12345678.123-bob=example.org@mail1.mcsv.example",
	"bounce-mc.us1_12345678@mail1.mcsv.example"},
    {"whatever the campaign",
	"bounce-mc.us1_12345678.1234567-eve=example.org@mail1.mcsv.example",
	"bounce-mc.us1_12345678@mail1.mcsv.example"},
    {"SendGrid keeps its customer",
	"bounces+123-abcd-bob=example.org@em.shop.example",
	"bounces+123@em.shop.example"},
    {"Google Groups keeps the group",
	"group+bncBCX7LRXHQ4PBB6XJ7ZWQMGQEKAAAAAA@googlegroups.example",
	"group@googlegroups.example"},
    {"Google Calendar is a constant",
	"3sKw1ZBQ8KBg0abcdef7gh.2ijkl@calendar-server.bounces.example",
	"#.2ijkl@calendar-server.bounces.example"},
    {"Yahoo Groups keeps the list",
	"sentto-1234567-890-1234567890-bob=example.org@returns.example",
	"sentto-1234567@returns.example"},
    {"ExactTarget keeps its customer",
	"bounce-648_HTML-126963812-4522-7327404-650445@bounce.example",
	"bounce-7327404@bounce.example"},
    {"ExactTarget's other form is the same",
	"bounce-9_TEXT-126963-45-7327404-1@bounce.example",
	"bounce-7327404@bounce.example"},
    {"Silverpop is one sender in its domain",
	"v-loebil_bgedmglacb_cgfdlgfn_cgfdlgfn_a@bounce.example",
	"v@bounce.example"},
    {"Constant Contact keeps its customer",
	"AbCdE0pQrStUv==_1101234567890_xBcDeF9kL==@in.example",
	"1101234567890@in.example"},
    {"LISTSERV's recipient is dropped",
	"owner-news*bob**example.org@listserv.example",
	"owner-news@listserv.example"},
    {"Sympa keeps the list", "bounce+bob==a==example.org==staff@lists.example",
	"bounce==staff@lists.example"},
    {"SmartList keeps the list",
	"bounce-debian-devel=jean-luc=example.org@lists.example",
	"bounce-debian-devel@lists.example"},
    {"a counter before a tag with the recipient is dropped",
	"list-7+bob=example.org@lists.example", "list-#@lists.example"},
    {"a counter without a recipient is part of a name",
	"build-7+x@lists.example", "build-7@lists.example"},
    {"a recipient's own hyphen does not hide the counter",
	"news-12-jean-luc=example.org@lists.example", "news-#@lists.example"},
    {"nor the word bounces at the end",
	"dev-bounces-jean-luc=example.org@lists.example",
	"dev-bounces@lists.example"},
    {"two people behind a gateway stay two",
	"jean-luc=corp.example@gateway.example",
	"jean-luc=corp.example@gateway.example"},
    {"Salesforce keeps the person",
	"bob=corp.example__2eqk7hmx1l9s8xyz@a1.bnc.example",
	"bob=corp.example__#@a1.bnc.example"},
    {"SparkPost's signature is dropped",
	"msprvs1=18421Su_tTs5b=bounces-12345-67@bounces.example",
	"bounces-#-#@bounces.example"},
    {"Exchange's own mailbox is a constant",
	"MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@contoso.example",
	"#@contoso.example"},
    {"Microsoft's forwarding keeps both ends",
	"bob+SRS=44ldt=IX=Fabrikam.example=alice@contoso.example",
	"bob+SRS=fabrikam.example=alice@contoso.example"},
    {"Microsoft's shorter forwarding is a tag",
	"bounces+SRS=44ldt=IX@contoso.example", "bounces@contoso.example"},

    {"BATV's signature is dropped", "prvs=1234abcd56=bob@example.org",
	"bob@example.org"},
    {"BATV in upper case as well", "PRVS=1234ABCD56=bob@example.org",
	"bob@example.org"},
    {"the shorter BATV of some as well", "prvs=0742ef7ea=bob@example.org",
	"bob@example.org"},
    {"what does not look like BATV stays", "prvs=hello=bob@example.org",
	"prvs=hello=bob@example.org"},
    {"BATV without a user stays", "prvs=bob@example.org",
	"prvs=bob@example.org"},
    {"Barracuda's signature is dropped", "btv1==0f3c8a==bob@example.org",
	"bob@example.org"},
    {"half of Barracuda's signature stays", "btv1==bob@example.org",
	"btv1==bob@example.org"},
    {"BATV without its name is dropped", "0409f2fbbb=bob@example.org",
	"bob@example.org"},
    {"BATV behind the user is dropped", "prvs=bob/0409f2fbbb@example.org",
	"bob@example.org"},
    {"behind an = as well", "prvs=bob=0409f2fbbb@example.org",
	"bob@example.org"},
    {"a tag within BATV is dropped too", "prvs=1234abcd56=bob+news@example.org",
	"bob@example.org"},

    {"SRS0 loses hash and time", "SRS0=HHHH=TT=Orig.example=bob@fwd.example",
	"SRS0=orig.example=bob@fwd.example"},
    {"another day's SRS0 is the same",
	"SRS0=gggg=UU=orig.example=bob@fwd.example",
	"SRS0=orig.example=bob@fwd.example"},
    {"another user's SRS0 is not", "SRS0=gggg=UU=orig.example=eve@fwd.example",
	"SRS0=orig.example=eve@fwd.example"},
    {"SRS0 with + is the same", "SRS0+HHHH=TT=orig.example=bob@fwd.example",
	"SRS0=orig.example=bob@fwd.example"},
    {"SRS0 with - and in lower case is the same",
	"srs0-h+/h=TT=orig.example=bob@fwd.example",
	"SRS0=orig.example=bob@fwd.example"},
    {"the original sender of SRS0 is normalised too",
	"SRS0=HHHH=TT=orig.example=prvs=1234abcd56=bob+x@fwd.example",
	"SRS0=orig.example=bob@fwd.example"},
    {"SRS0 under BATV is normalised",
	"prvs=1234abcd56=SRS0=HHHH=TT=orig.example=bob@fwd.example",
	"SRS0=orig.example=bob@fwd.example"},
    {"SRS0 with + throughout is the same",
	"SRS0+dd00f2f123ee515c5e23+1562+orig.example+bob@fwd.example",
	"SRS0=orig.example=bob@fwd.example"},
    {"with - throughout as well", "SRS0-HHHH-TT-orig.example-bob@fwd.example",
	"SRS0=orig.example=bob@fwd.example"},
    {"the user's own = does not count",
	"SRS0+dd00+1562+orig.example+bob=a=b=c@fwd.example",
	"SRS0=orig.example=bob=a=b=c@fwd.example"},
    {"nor does the hash's own +", "SRS0=+Y+m=HS=orig.example=bob@fwd.example",
	"SRS0=orig.example=bob@fwd.example"},
    {"broken SRS0 is a name like others", "SRS0=HHHH=TT@fwd.example",
	"SRS0=HHHH=TT@fwd.example"},
    {"SRS0 alone is a name like others", "srs0@fwd.example",
	"srs0@fwd.example"},
    {"SRS1 loses both hashes and the time",
	"SRS1=GGGG=first.example==HHHH=TT=orig.example=bob@second.example",
	"SRS1=first.example=orig.example=bob@second.example"},
    {"another day's SRS1 is the same",
	"SRS1=JJJJ=First.example==KKKK=UU=orig.example=bob@second.example",
	"SRS1=first.example=orig.example=bob@second.example"},
    {"SRS1 of a forwarder that chose + is the same",
	"SRS1=GGGG=first.example=+HHHH=TT=orig.example=bob@second.example",
	"SRS1=first.example=orig.example=bob@second.example"},
    {"SRS1 with + throughout is the same",
	"SRS1+GGGG+first.example++HHHH+TT+orig.example+bob@second.example",
	"SRS1=first.example=orig.example=bob@second.example"},
    {"SRS1 of something unknown keeps it",
	"SRS1=GGGG=first.example==bob@second.example",
	"SRS1=first.example=bob@second.example"},
    {"SRS1 cut short is a name like others", "SRS1=GGGG=@second.example",
	"SRS1=GGGG=@second.example"},
};

START_TEST(test_normalise)
{
	struct mailaddr addr;
	struct mailaddr normal;

	mailaddr_parse(rows[_i].raw, &addr);
	mailaddr_normalise_sender(&addr, &normal);
	ck_assert_msg(strcmp(normal.text, rows[_i].normal) == 0, "%s: %s",
	    rows[_i].when, normal.text);
	ck_assert_msg(
	    strcmp(mailaddr_domain(&normal), mailaddr_domain(&addr)) == 0,
	    "%s: the domain stays: %s", rows[_i].when,
	    mailaddr_domain(&normal));
}
END_TEST

/* One sender of the table of real ones. */
struct sender {
	char group[128];
	char normal[MAILADDR_SIZE];
};

struct senders {
	struct sender all[256];
	size_t count;
};

static void
take_sender(const char *fields[TABLE_FIELDS], void *context)
{
	struct senders *senders = context;
	struct sender *sender = &senders->all[senders->count++];
	struct mailaddr addr;
	struct mailaddr normal;

	ck_assert_uint_le(senders->count, COUNT(senders->all));
	mailaddr_parse(fields[1], &addr);
	mailaddr_normalise_sender(&addr, &normal);
	(void)snprintf(sender->group, sizeof sender->group, "%s", fields[0]);
	(void)snprintf(
	    sender->normal, sizeof sender->normal, "%s", normal.text);
}

/* Whether the group of row `at` has an earlier row with another result; prints
 * that, and any other group's row with the same result is an error. */
static bool
is_unmerged(const struct senders *senders, size_t at)
{
	const struct sender *one = &senders->all[at];

	for (size_t i = 0; i < at; i++) {
		const struct sender *other = &senders->all[i];
		bool same_group = strcmp(one->group, other->group) == 0;
		bool same_normal = strcmp(one->normal, other->normal) == 0;

		ck_assert_msg(same_group || !same_normal,
		    "%s and %s are both %s", other->group, one->group,
		    one->normal);
		if (same_group && !same_normal) {
			printf("unmerged: %s: %s, %s\n", one->group,
			    other->normal, one->normal);
			return true;
		}
	}
	return false;
}

START_TEST(senders_that_were_seen)
{
	static struct senders senders;
	int unmerged = 0;

	table_read("names/senders.tsv", take_sender, &senders);
	ck_assert_uint_gt(senders.count, 0);
	for (size_t i = 0; i < senders.count; i++)
		unmerged += is_unmerged(&senders, i);
	ck_assert_int_le(unmerged, 2);
}
END_TEST

CHECK_MAIN("mailaddr_sender", tcase)
{
	tcase_add_test(tcase, senders_that_were_seen);
	tcase_add_loop_test(tcase, test_normalise, 0, COUNT(rows));
}
