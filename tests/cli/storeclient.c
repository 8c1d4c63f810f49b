/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * storeclient: uses the store at random, or watches it, and writes down all
 * that it asked and was told, as lincheck reads it; on and on, at whichever
 * node answers, until SIGTERM.
 */
#include <sys/stat.h>

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/rng.h"
#include "libcommon/os/clock.h"

#include "tests/cli/talk.h"

enum {
	PLACES_MAX = 16,
	KEYS_MAX = 64,
	TEXT = 1024,
	LINE = TEXT + 8,
	ANSWER_MS = 8000, /* then it is given up */
	AGAIN_MS = 30,
};

static const char usage[] =
    "usage: storeclient [-W] [-s SEED] [-n NAME] [-p PREFIX] [-k KEYS]\n"
    "           [-g GAP_MS] RUNDIR...   writes a history until SIGTERM\n"
    "  -W  only watches\n"
    "  -o  only reads everything once, or until it can, and ends\n";

static volatile sig_atomic_t is_told_to_end;

static struct {
	const char *name, *prefix;
	const char *place[PLACES_MAX];
	unsigned places;
	uint64_t keys, gap_ms;
	bool is_watch, is_once;
	struct rng rng;
	struct talk talk;
	bool is_open;
	uint64_t written;        /* values so far */
	uint64_t seen[KEYS_MAX]; /* the last revision of each key */
	uint64_t begin_ns;
	char request[TEXT]; /* as the history has it */
	uint64_t watched;   /* the last revision */
	bool has_watched;
} my = {
	.name = "c",
	.prefix = "t/",
	.keys = 8,
	.gap_ms = 10,
	.talk.fd = -1,
};

static void
on_term(int signal)
{
	(void)signal;
	is_told_to_end = 1;
}

static bool
is_over(void)
{
	return is_told_to_end != 0;
}

/* ---- the history ------------------------------------------------------- */

static void
put_time(uint64_t ns)
{
	printf(" %" PRIu64 ".%09" PRIu64, ns / CLOCK_S_NS, ns % CLOCK_S_NS);
}

/* In one piece: a history may be cut off, but not in a line's middle. */
static void RK_PRINTF(1, 2) note_answer(const char *format, ...)
{
	va_list args;
	fputs(my.name, stdout);
	put_time(my.begin_ns);
	put_time(clock_boot_ns());
	printf(" %s -> ", my.request);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static void
note_silence(void)
{
	fputs(my.name, stdout);
	put_time(my.begin_ns);
	printf(" - %s\n", my.request);
	fflush(stdout);
}

static void RK_PRINTF(1, 2) note_event(const char *format, ...)
{
	va_list args;
	fputs(my.name, stdout);
	put_time(clock_boot_ns());
	fputs(" - ", stdout);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

/* ---- the connection ---------------------------------------------------- */

static void
pause_ms(uint64_t ms)
{
	(void)poll(NULL, 0, (int)ms);
}

/* The next record; false: the connection is of no use any more. */
static bool
next(struct talk_record *record, int limit_ms)
{
	while (!talk_next(&my.talk, record)) {
		struct pollfd in = { .fd = my.talk.fd, .events = POLLIN };
		if (poll(&in, 1, limit_ms) <= 0 || talk_fill(&my.talk) <= 0)
			return false;
	}
	return true;
}

static void
part(void)
{
	if (my.is_open)
		talk_close(&my.talk);
	my.is_open = false;
}

static bool
meet(void)
{
	struct talk_record greeting;
	const char *place = my.place[rng_below(&my.rng, my.places)];
	if (my.is_open)
		return true;
	if (talk_open_socket(&my.talk, place, "cfg") < 0)
		return false;
	my.is_open = true;
	if (next(&greeting, ANSWER_MS) && talk_is(&greeting, "ringkit"))
		return true;
	part();
	return false;
}

static bool
send_text(const char *text)
{
	return talk_send(&my.talk, text, strlen(text)) == 0;
}

/* ---- answers ----------------------------------------------------------- */

static void
unexpected(const struct talk_record *record)
{
	fprintf(stderr, "storeclient %s: %s: answered %.*s\n", my.name,
	    my.request, (int)record->line_len, record->line);
	exit(1);
}

static bool
has_word(const struct talk_record *record, const char *key, const char *value)
{
	char word[64];
	return talk_word(record, key, word, sizeof word) &&
	    strcmp(word, value) == 0;
}

static const char *
store_rev(const struct talk_record *record)
{
	static char text[64];
	uint64_t rev = talk_number(record, "store_rev", UINT64_MAX);
	*text = '\0';
	if (rev != UINT64_MAX)
		snprintf(text, sizeof text, " store_rev=%" PRIu64, rev);
	return text;
}

/* Nothing was changed, and the client may try again: n=75, or quite unknown. */
static bool
is_refused(const struct talk_record *record)
{
	if (has_word(record, "code", "unknown"))
		note_silence();
	else if (talk_is(record, "err") &&
	    (has_word(record, "n", "75") || has_word(record, "n", "69")))
		note_answer("refused");
	else
		return false;
	return true;
}

static void
take_get(const struct talk_record *record, uint64_t key)
{
	uint64_t rev = talk_number(record, "rev", 0);
	if (talk_is(record, "ok")) {
		note_answer("ok rev=%" PRIu64 " value=%.*s%s", rev,
		    (int)record->data_len, record->data, store_rev(record));
		my.seen[key] = rev;
	} else if (has_word(record, "code", "absent")) {
		note_answer("absent%s", store_rev(record));
		my.seen[key] = 0;
	} else if (!is_refused(record)) {
		unexpected(record);
	}
}

static void
take_change(const struct talk_record *record, uint64_t key)
{
	uint64_t n = talk_number(record, "n", 1);
	if (talk_is(record, "ok")) {
		uint64_t rev = talk_number(record, "rev", 0);
		note_answer("ok rev=%" PRIu64 " n=%" PRIu64, rev, n);
		my.seen[key] = rev;
	} else if (has_word(record, "code", "conflict")) {
		char name[64];
		if (!talk_word(record, "key", name, sizeof name))
			unexpected(record);
		my.seen[key] = talk_number(record, "rev", 0);
		note_answer("conflict key=%s rev=%" PRIu64 "%s", name,
		    my.seen[key], store_rev(record));
	} else if (has_word(record, "code", "absent")) {
		note_answer("absent%s", store_rev(record));
	} else if (!is_refused(record)) {
		unexpected(record);
	}
}

/* False: cut off in the middle. */
static bool
take_list(struct talk_record *record)
{
	static char items[KEYS_MAX * 128];
	size_t len = 0;
	char key[64];
	while (talk_is(record, "item")) {
		if (!talk_word(record, "key", key, sizeof key) ||
		    len + 200 > sizeof items)
			unexpected(record);
		len += (size_t)snprintf(items + len, sizeof items - len,
		    " key=%s rev=%" PRIu64 " value=%.*s", key,
		    talk_number(record, "rev", 0), (int)record->data_len,
		    record->data);
		if (!next(record, ANSWER_MS))
			return false;
	}
	items[len] = '\0';
	if (talk_is(record, "ok"))
		note_answer("ok rev=%" PRIu64 "%s",
		    talk_number(record, "rev", 0), items);
	else if (!is_refused(record))
		unexpected(record);
	return true;
}

/* ---- requests ---------------------------------------------------------- */

static void
draw_value(char *value, size_t size)
{
	snprintf(value, size, "%s.%" PRIu64, my.name, ++my.written);
}

/* A condition, for the history and for the store; both may be "". */
static void
draw_condition(uint64_t key, bool is_txn, char *noted, char *asked)
{
	const char *mark = is_txn ? "" : "if_";
	*noted = *asked = '\0';
	if (my.seen[key] == 0) {
		snprintf(noted, TEXT / 4, " %sabsent=yes", mark);
	} else if (rng_below(&my.rng, 8) == 0) {
		snprintf(noted, TEXT / 4, " %sexists=yes", mark);
	} else {
		snprintf(
		    noted, TEXT / 4, " %srev=%" PRIu64, mark, my.seen[key]);
	}
	strcpy(asked, noted);
}

static void
make_get(uint64_t key, bool is_sync, char *line)
{
	snprintf(my.request, TEXT, "get key=%sk%" PRIu64 "%s", my.prefix, key,
	    is_sync ? " sync=yes" : "");
	snprintf(line, LINE, "%s\n", my.request);
}

static void
make_set(uint64_t key, bool is_conditional, char *line)
{
	char noted[TEXT / 4] = "", asked[TEXT / 4] = "", value[64];
	if (is_conditional)
		draw_condition(key, false, noted, asked);
	draw_value(value, sizeof value);
	snprintf(my.request, TEXT, "set key=%sk%" PRIu64 " value=%s%s",
	    my.prefix, key, value, noted);
	snprintf(line, TEXT, "set key=%sk%" PRIu64 "%s len=%zu\n%s\n",
	    my.prefix, key, asked, strlen(value), value);
}

static void
make_del(uint64_t key, char *line)
{
	snprintf(my.request, TEXT, "del key=%sk%" PRIu64, my.prefix, key);
	snprintf(line, LINE, "%s\n", my.request);
}

/* The value moves on to the next key, and so round and round. */
static void
make_txn(uint64_t key, char *line)
{
	char noted[TEXT / 4], asked[TEXT / 4], value[64], body[TEXT / 2];
	uint64_t other = (key + 1) % my.keys;
	draw_condition(key, true, noted, asked);
	draw_value(value, sizeof value);
	snprintf(my.request, TEXT,
	    "txn if=%sk%" PRIu64 "%s put=%sk%" PRIu64
	    " value=%s del=%sk%" PRIu64,
	    my.prefix, key, noted, my.prefix, key, value, my.prefix, other);
	snprintf(body, sizeof body,
	    "if key=%sk%" PRIu64 "%s\nput key=%sk%" PRIu64
	    " len=%zu\n%s\ndel key=%sk%" PRIu64 "\n",
	    my.prefix, key, asked, my.prefix, key, strlen(value), value,
	    my.prefix, other);
	snprintf(line, TEXT, "txn len=%zu\n%s\n", strlen(body), body);
}

static void
make_list(char *line)
{
	snprintf(my.request, TEXT, "list prefix=%s sync=yes", my.prefix);
	snprintf(line, LINE, "%s\n", my.request);
}

static void
make(uint64_t key, uint64_t draw, char *line)
{
	if (draw < 20 && !my.is_once)
		make_get(key, true, line);
	else if (draw < 35 && !my.is_once)
		make_get(key, false, line);
	else if (draw < 40 || my.is_once)
		make_list(line);
	else if (draw < 60)
		make_set(key, false, line);
	else if (draw < 80)
		make_set(key, true, line);
	else if (draw < 90)
		make_del(key, line);
	else
		make_txn(key, line);
}

static void
take(struct talk_record *record, uint64_t key)
{
	if (strncmp(my.request, "get", 3) == 0)
		take_get(record, key);
	else if (strncmp(my.request, "list", 4) != 0)
		take_change(record, key);
	else if (!take_list(record))
		part();
}

/* One operation; the connection is given up when it is not answered. */
static void
use(void)
{
	char line[LINE];
	struct talk_record record;
	uint64_t key = rng_below(&my.rng, my.keys);
	make(key, rng_below(&my.rng, 100), line);
	my.begin_ns = clock_boot_ns();
	if (send_text(line) && next(&record, ANSWER_MS)) {
		take(&record, key);
		my.is_once = my.is_once && !talk_is(&record, "ok");
		if (!talk_is(&record, "err"))
			return;
		/* Somewhere else it may be better. */
		part();
		return;
	}
	note_silence();
	part();
}

/* ---- watching ---------------------------------------------------------- */

static void
take_event(const struct talk_record *record)
{
	char key[64] = "", kind[32] = "", why[32] = "del";
	uint64_t rev = talk_number(record, "rev", 0);
	uint64_t len = talk_number(record, "len", 0);
	uint64_t old_len = talk_number(record, "old_len", 0);
	int value_len = (int)(len - old_len);
	(void)sscanf(record->line, "ev %*s %31s", kind);
	(void)talk_word(record, "key", key, sizeof key);
	(void)talk_word(record, "why", why, sizeof why);
	if (strcmp(kind, "exists") == 0)
		note_event("exists key=%s rev=%" PRIu64 " value=%.*s", key, rev,
		    (int)len, record->data);
	else if (strcmp(kind, "ready") == 0)
		note_event("ready rev=%" PRIu64, rev);
	else if (strcmp(kind, "put") == 0)
		note_event("put key=%s rev=%" PRIu64 " prev=%" PRIu64
			   " value=%.*s",
		    key, rev, talk_number(record, "prev", 0),
		    value_len < 0 ? (int)len : value_len, record->data);
	else if (strcmp(kind, "del") == 0)
		note_event("del key=%s rev=%" PRIu64 " prev=%" PRIu64 " why=%s",
		    key, rev, talk_number(record, "prev", 0), why);
	else if (strcmp(kind, "gap") == 0)
		note_event("gap");
	else
		return;
	my.has_watched = strcmp(kind, "gap") != 0;
	/* Not in the middle of a revision, nor of a snapshot. */
	if (my.has_watched && strcmp(kind, "exists") != 0 &&
	    !has_word(record, "more", "yes"))
		my.watched = rev;
}

static void
watch(void)
{
	char line[LINE];
	struct talk_record record;
	bool goes_on = my.watched > 0;
	if (goes_on)
		snprintf(line, sizeof line, "watch prefix=%s since=%" PRIu64,
		    my.prefix, my.watched);
	else
		snprintf(line, sizeof line, "watch prefix=%s", my.prefix);
	note_event("%s", line);
	strcat(line, "\n");
	if (!send_text(line)) {
		part();
		return;
	}
	while (!is_over() && next(&record, -1))
		if (talk_is(&record, "ev"))
			take_event(&record);
		else if (!talk_is(&record, "ok"))
			break; /* "err": not here */
	part();
}

/* ---- arguments --------------------------------------------------------- */

static void
parse(int argc, char **argv)
{
	int option;
	uint64_t seed = 1;
	while ((option = getopt(argc, argv, "Wos:n:p:k:g:")) != -1) {
		my.is_watch |= option == 'W';
		my.is_once |= option == 'o';
		if (option == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (option == 'n')
			my.name = optarg;
		else if (option == 'p')
			my.prefix = optarg;
		else if (option == 'k')
			my.keys = strtoull(optarg, NULL, 10);
		else if (option == 'g')
			my.gap_ms = strtoull(optarg, NULL, 10);
	}
	while (optind < argc && my.places < PLACES_MAX)
		my.place[my.places++] = argv[optind++];
	if (my.places == 0 || my.keys == 0 || my.keys > KEYS_MAX) {
		fputs(usage, stderr);
		exit(64);
	}
	rng_init(&my.rng, seed);
}

int
main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_term };
	parse(argc, argv);
	bool is_once = my.is_once;
	if (sigaction(SIGTERM, &action, NULL) < 0)
		return 71;
	while (!is_over() && (!is_once || my.is_once)) {
		if (!meet())
			pause_ms(AGAIN_MS);
		else if (my.is_watch)
			watch();
		else
			use();
		if (!my.is_watch)
			pause_ms(rng_below(&my.rng, 2 * my.gap_ms + 1));
	}
	return 0;
}
