/* Plays the scenarios of tests/scenarios (see the README there) through
 * session.h, with the embedded store and a clock that only they move. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/check_main.h"
#include "mail/glob.h"
#include "scenario_mail.h"
#include "scenario_text.h"
#include "scenario_world.h"

#define WORDS_MAX    64
#define CLAIMS_MAX   64
#define SHOWN_OF_LOG 2000

static struct scenario_book book;

/* A scenario that is being played. */
struct play {
	struct world world;
	const struct scenario *scenario;
	const struct scenario_step *step;
	char line[SCENARIO_STEP_MAX]; /* of the step, cut into words */
	char *words[WORDS_MAX];
	size_t count;
	char *const *rest; /* the words behind those that name the step */
	size_t rest_count;
	struct mail mail; /* of the session that is open */
	struct client client;
	char session_line[SCENARIO_STEP_MAX]; /* words that `mail` borrows */
	char claims[CLAIMS_MAX][SCENARIO_STEP_MAX]; /* about the log */
	size_t claim_count;
};

/* Fails the test; Check takes messages of a few kilobytes only. */
static _Noreturn void
give_up(struct play *play, const char *what, const char *detail)
{
	char context[SHOWN_OF_LOG + 1];
	const char *log = world_log(&play->world, true);
	size_t length = strlen(log);

	strcpy(
	    context, log + (length > SHOWN_OF_LOG ? length - SHOWN_OF_LOG : 0));
	ck_abort_msg("%s:%u: %s: %s: %.500s\n...%s", play->scenario->file,
	    play->step->line, play->scenario->title, what, detail, context);
	abort();
}

/* Words are cut at blanks; "..." is one word, without its quotes. */
static size_t
cut_words(char *line, char **words)
{
	size_t count = 0;

	for (;;) {
		char end = ' ';

		line += strspn(line, " \t");
		if (*line == '\0' || count == WORDS_MAX)
			return count;
		if (*line == '"') {
			end = '"';
			line++;
		}
		words[count++] = line;
		line += strcspn(line, end == '"' ? "\"" : " \t");
		if (*line != '\0')
			*line++ = '\0';
	}
}

static int64_t
duration(struct play *play, const char *number, const char *unit)
{
	static const struct {
		const char *name;
		int64_t seconds;
	} units[] = {
	    {"second", 1}, {"minute", 60}, {"hour", 3600}, {"day", 86400}};

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
		if (strncmp(unit, units[i].name, strlen(units[i].name)) == 0)
			return atoll(number) * units[i].seconds;
	give_up(play, "no unit of time", unit);
}

/* "451 4.7.1 Greylisted" is enough for "451 4.7.1 Greylisted at DATA"; "*" stands
 * for any text. */
static void
check_answer(struct play *play, const char *answer)
{
	const char *expected = play->step->expected;
	char anywhere[SCENARIO_STEP_MAX + 8];

	if (answer == NULL && expected == NULL)
		return;
	if (answer == NULL)
		give_up(play, "has no outcome", play->step->text);
	if (expected == NULL)
		expected = "ok";
	(void)snprintf(anywhere, sizeof anywhere, "%s at *", expected);
	if (!glob_match(expected, answer) && !glob_match(anywhere, answer))
		give_up(play, expected, answer);
}

/* --- mails --- */

static void
read_mail(
    struct play *play, struct mail *mail, char *const *words, size_t count)
{
	const char *why;

	if (!mail_read(mail, words, count, &why))
		give_up(play, "not understood", why);
}

static const char *
play_mail(struct play *play)
{
	struct mail mail;

	read_mail(play, &mail, play->rest, play->rest_count);
	return mail_send(&play->world, &mail);
}

/* "5 mails arrive from ...": the same outcome for each. */
static const char *
play_mails(struct play *play)
{
	const char *answer = "no mail";
	struct mail mail;

	read_mail(play, &mail, play->rest, play->rest_count);
	for (int i = 0; i < atoi(play->words[0]); i++) {
		answer = mail_send(&play->world, &mail);
		check_answer(play, answer);
	}
	return answer;
}

/* "mails arrive from ... every 1 second for 10 minutes": "12 accepted". */
static const char *
play_stream(struct play *play)
{
	static char text[32];
	size_t options = play->rest_count - 6;
	char *const *times = play->rest + options;
	struct mail mail;
	int64_t pause, end;
	int accepted = 0;

	if (play->rest_count < 6 || strcmp(times[0], "every") != 0 ||
	    strcmp(times[3], "for") != 0)
		give_up(play, "lacks", "every ... for ...");
	read_mail(play, &mail, play->rest, options);
	pause = duration(play, times[1], times[2]);
	end = play->world.now + duration(play, times[4], times[5]);
	while (play->world.now < end) {
		if (strcmp(mail_send(&play->world, &mail), "accepted") == 0)
			accepted++;
		world_pass(&play->world, pause);
	}
	(void)snprintf(text, sizeof text, "%d accepted", accepted);
	return text;
}

/* --- one session, step by step --- */

static const char *
play_connect(struct play *play)
{
	char *words[WORDS_MAX];
	size_t named = (size_t)(play->rest - (char *const *)play->words);
	size_t count;

	if (play->client.session != NULL)
		client_quit(&play->client);
	strcpy(play->session_line, play->step->text);
	count = cut_words(play->session_line, words);
	read_mail(play, &play->mail, words + named, count - named);
	return client_connect(&play->client, &play->world, &play->mail);
}

static struct client *
connected(struct play *play)
{
	if (play->client.session == NULL)
		give_up(play, "nobody is connected", play->step->text);
	return &play->client;
}

static const char *
first_word(struct play *play)
{
	if (play->rest_count == 0)
		give_up(play, "lacks something", play->step->text);
	return play->rest[0];
}

static const char *
play_from(struct play *play)
{
	return client_mail(connected(play), first_word(play));
}

static const char *
play_to(struct play *play)
{
	return client_rcpt(connected(play), first_word(play));
}

static const char *
play_data(struct play *play)
{
	return client_data(connected(play));
}

static const char *
play_header(struct play *play)
{
	client_header(connected(play), first_word(play));
	return NULL;
}

static const char *
play_end(struct play *play)
{
	return client_end(connected(play));
}

static const char *
play_reset(struct play *play)
{
	client_reset(connected(play));
	return NULL;
}

static const char *
play_quit(struct play *play)
{
	client_quit(connected(play));
	return NULL;
}

static const char *
play_refusal(struct play *play)
{
	client_refused_recipient(connected(play));
	return NULL;
}

static const char *
play_unknown(struct play *play)
{
	client_unknown_command(connected(play));
	return NULL;
}

/* --- the world --- */

static const char *
play_time(struct play *play)
{
	world_pass(
	    &play->world, duration(play, play->words[0], play->words[1]));
	return NULL;
}

static const char *
play_load(struct play *play)
{
	world_set_load(&play->world, atof(first_word(play)));
	return NULL;
}

static const char *
play_store(struct play *play)
{
	static const struct {
		const char *word;
		enum keeper_state state;
	} states[] = {{"goes", KEEPER_AWAY}, {"stops", KEEPER_MUTE},
	    {"comes", KEEPER_UP}};

	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
		if (strcmp(states[i].word, first_word(play)) == 0) {
			keeper_set_state(play->world.keeper, states[i].state);
			return NULL;
		}
	give_up(play, "what does the store do?", first_word(play));
}

static int
times(struct play *play, size_t word, int otherwise)
{
	const char *text = play->rest_count > word ? play->rest[word] : "";

	if (strcmp(text, "never") == 0)
		return 0;
	if (strcmp(text, "once") == 0)
		return 1;
	if (strcmp(text, "twice") == 0)
		return 2;
	return *text == '\0' ? otherwise : atoi(text);
}

static const char *
check_count(struct play *play, unsigned count)
{
	char text[32];

	(void)snprintf(text, sizeof text, "%u times", count);
	if ((int)count != times(play, 0, 1))
		give_up(play, play->step->text, text);
	return NULL;
}

static const char *
play_asked(struct play *play)
{
	return check_count(play, keeper_asked(play->world.keeper));
}

static const char *
play_told(struct play *play)
{
	return check_count(play, keeper_told(play->world.keeper));
}

/* The store's clock goes on as if nothing had happened. */
static const char *
play_clock(struct play *play)
{
	int64_t seconds;

	if (play->rest_count < 2)
		give_up(play, "lacks", "how far it goes back");
	seconds = duration(play, play->rest[0], play->rest[1]);
	play->world.now -= seconds;
	keeper_set_skew(play->world.keeper, seconds);
	return NULL;
}

static const char *
play_report(struct play *play)
{
	keeper_report(play->world.keeper, first_word(play));
	return NULL;
}

static const char *
play_file(struct play *play)
{
	const char *name = first_word(play);

	if (play->rest_count < 2)
		give_up(play, "lacks", "what it holds");
	world_set_file(
	    &play->world, name, play->rest + 2, play->rest_count - 2);
	return NULL;
}

static const char *
play_shared_list(struct play *play)
{
	keeper_set_list(play->world.keeper, first_word(play), play->rest + 2,
	    play->rest_count - 2);
	return NULL;
}

static const char *
play_reload(struct play *play)
{
	const char *text = scenario_policy(play->scenario, first_word(play));

	if (text == NULL)
		give_up(play, "no such policy", first_word(play));
	world_reload(&play->world, text);
	return NULL;
}

/* --- the log --- */

static int
occurrences(const char *text, const char *what)
{
	int count = 0;

	while ((text = strstr(text, what)) != NULL) {
		count++;
		text += strlen(what);
	}
	return count;
}

/* Of the last step that was more than a question. */
static const char *
play_log(struct play *play)
{
	const char *log = world_log(&play->world, false);
	int count = occurrences(log, first_word(play));
	int wanted = times(play, 1, -1);

	if (wanted < 0 ? count == 0 : count != wanted)
		give_up(play, "the log says otherwise", log);
	ck_assert(play->claim_count < CLAIMS_MAX);
	strcpy(play->claims[play->claim_count++], first_word(play));
	return NULL;
}

static bool
is_claimed(struct play *play, const char *line)
{
	for (size_t i = 0; i < play->claim_count; i++)
		if (strstr(line, play->claims[i]) != NULL)
			return true;
	return false;
}

/* A warning that no step expected is a failure. */
static void
check_warnings(struct play *play)
{
	char log[16384], *rest = log;
	char *line;

	strcpy(log, world_log(&play->world, true));
	while ((line = strtok_r(rest, "\n", &rest)) != NULL)
		if ((strncmp(line, "warning: ", 9) == 0 ||
			strncmp(line, "error: ", 7) == 0) &&
		    !is_claimed(play, line))
			give_up(play, "an unexpected line in the log", line);
}

/* --- the steps --- */

static const struct step_type {
	const char *phrase; /* "#" is any word */
	const char *(*play)(struct play *play);
	bool only_asks;
} step_types[] = {
    {"a mail arrives", play_mail, false},
    {"# mails arrive", play_mails, false},
    {"mails arrive", play_stream, false},
    {"# # pass", play_time, false},
    {"# # passes", play_time, false},
    {"a client connects", play_connect, false},
    {"MAIL", play_from, false},
    {"RCPT", play_to, false},
    {"DATA", play_data, false},
    {"header", play_header, false},
    {"end of message", play_end, false},
    {"RSET", play_reset, false},
    {"QUIT", play_quit, false},
    {"an unknown command", play_unknown, false},
    {"a recipient is refused", play_refusal, false},
    {"the load is", play_load, false},
    {"the store was asked", play_asked, true},
    {"the store was told", play_told, true},
    {"the store", play_store, false},
    {"the clock goes back", play_clock, false},
    {"the log says", play_log, true},
    {"a program reports", play_report, false},
    {"the file", play_file, false},
    {"the shared list", play_shared_list, false},
    {"the policy becomes", play_reload, false},
};

static bool
matches(struct play *play, const char *phrase)
{
	char copy[64], *words[8];
	size_t count;

	strcpy(copy, phrase);
	count = cut_words(copy, words);
	if (count > play->count)
		return false;
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], "#") != 0 &&
		    strcmp(words[i], play->words[i]) != 0)
			return false;
	play->rest = play->words + count;
	play->rest_count = play->count - count;
	return true;
}

static void
play_step(struct play *play)
{
	size_t i = 0;

	strcpy(play->line, play->step->text);
	play->count = cut_words(play->line, play->words);
	while (i < sizeof step_types / sizeof step_types[0] &&
	    !matches(play, step_types[i].phrase))
		i++;
	if (i == sizeof step_types / sizeof step_types[0])
		give_up(play, "no such step", play->step->text);
	if (!step_types[i].only_asks)
		world_mark_log(&play->world);
	check_answer(play, step_types[i].play(play));
}

START_TEST(scenario)
{
	const struct scenario *this = &book.scenarios[_i];
	static struct play play;

	memset(&play, 0, sizeof play);
	play.scenario = this;
	ck_assert_msg(scenario_policy(this, "") != NULL,
	    "%s: no policy without a name", this->file);
	world_open(&play.world, scenario_policy(this, ""));
	for (size_t i = 0; i < this->step_count; i++) {
		play.step = &this->steps[i];
		play_step(&play);
	}
	if (play.client.session != NULL)
		client_quit(&play.client);
	check_warnings(&play);
	world_close(&play.world);
}
END_TEST

/* Files or directories to play; else those that lie beside the source. */
static void
read_book(int argc, char **argv)
{
	const char *source = getenv("srcdir");
	char path[4096];

	for (int i = 1; i < argc; i++)
		scenario_read(argv[i], &book);
	if (argc > 1)
		return;
	(void)snprintf(path, sizeof path, "%s/tests/scenarios",
	    source == NULL ? "." : source);
	scenario_read(path, &book);
}

int
main(int argc, char **argv)
{
	Suite *suite = suite_create("scenario");
	TCase *tcase = tcase_create("scenario");
	int status;

	read_book(argc, argv);
	(void)setenv("TZ", "UTC", 1);
	tzset();
	suite_add_tcase(suite, tcase);
	tcase_set_timeout(tcase, 240);
	tcase_add_loop_test(tcase, scenario, 0, (int)book.count);
	status = check_run(suite);
	if (book.count == 0)
		status = EXIT_FAILURE;
	scenario_free(&book);
	return status;
}
