/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * evscheck: did a cluster of real daemons keep the promises of the ring?
 *
 * Reads what was recorded at its nodes and gives it to the oracle that also
 * judges the simulator.  A file holds one or several lives (incarnations) of
 * one node or of several; lives are judged in the order of incarnations, in
 * whatever files they are.  A life that ends is taken for crashed, unless
 * --settled says that the run had come to rest: then the last life of each
 * node lives on and must have delivered everything.
 */
#include <sys/types.h>

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"

#include "tests/check/evscheck_feed.h"
#include "tests/check/evscheck_read.h"
#include "tests/check/evscheck_sent.h"

enum { OK = 0, BROKEN = 1, USAGE = 64, BAD_DATA = 65, NO_INPUT = 66 };

static const char usage[] =
    "usage: evscheck [--settled] [--submitted NODE=FILE]...\n"
    "                [--accepted NODE=FILE]... RECORDING...\n"
    "Checks recordings of `msgcat --json --views` or of ring.sock (`views` and\n"
    "`listen`) against P1 to P15 of tests/sim/oracle.c.\n"
    "  --settled              the run came to rest before it ended\n"
    "  --submitted NODE=FILE  lines that were sent at NODE, in this order\n"
    "  --accepted NODE=FILE   the same, and each was answered ok\n"
    "  -h, --help             this text\n"
    "Ends 0 and prints `evscheck: ok N messages M views`, or ends 1 after\n"
    "FILE:LINE: PREDICATE: what was broken; 64, 65, 66: bad usage, record,\n"
    "file.\n";

/* One life's stretch of a recording. */
struct life {
	const char *path;
	uint32_t node;
	uint64_t inc;
	off_t from, to;
	uint64_t line; /* before from */
	size_t order;  /* among the stretches as given */
	bool is_cut;
	bool has_state; /* it was told the state of the nodes */
};

struct lives {
	struct life *life;
	size_t count;
	size_t room;
};

static int
complain(const char *path, uint64_t line, const char *why)
{
	fprintf(stderr, "evscheck: %s:%" PRIu64 ": %s\n", path, line, why);
	return BAD_DATA;
}

static FILE *
open_file(const char *path)
{
	FILE *file = fopen(path, "re");
	if (file == NULL)
		fprintf(stderr, "evscheck: %s: %s\n", path, strerror(errno));
	return file;
}

/* ---- whose is what
 * ------------------------------------------------------------ */

static void
add_life(struct lives *lives, struct life life)
{
	if (lives->count == lives->room) {
		lives->room = lives->room == 0 ? 16 : 2 * lives->room;
		lives->life =
		    realloc(lives->life, lives->room * sizeof(*lives->life));
		ENSURE(lives->life != NULL);
	}
	life.order = lives->count;
	lives->life[lives->count++] = life;
}

/*
 * A greeting, or the local node of a state, begins a stretch; but not the
 * first state after a greeting.  A second stretch of one life is one after a
 * gap.
 */
static bool
begins(struct life *last, const struct life *next,
    const struct evscheck_record *record)
{
	bool is_state = strcmp(record->event, "exists") == 0;
	bool is_same =
	    last != NULL && last->node == next->node && last->inc == next->inc;
	if (!is_state || !is_same || last->has_state)
		return true;
	last->has_state = true;
	return false;
}

static void
note_life(struct lives *lives, size_t first, struct life next,
    const struct evscheck_record *record)
{
	struct life *last =
	    lives->count > first ? &lives->life[lives->count - 1] : NULL;
	if (!begins(last, &next, record))
		return;
	if (last != NULL)
		last->to = next.from;
	next.has_state = strcmp(record->event, "exists") == 0;
	add_life(lives, next);
}

static int
scan(struct lives *lives, const char *path, FILE *file)
{
	struct evscheck_reader reader;
	struct evscheck_record record;
	struct life life = { .path = path };
	size_t first = lives->count;
	off_t at = 0;
	enum evscheck_read got;
	evscheck_read_init(&reader, file);
	for (;;) {
		life.line = reader.line;
		life.from = at;
		got = evscheck_read_next(&reader, &record);
		if (got != EVSCHECK_READ_RECORD)
			break;
		if (evscheck_feed_whose(&record, &life.node, &life.inc))
			note_life(lives, first, life, &record);
		at = ftello(file);
	}
	int rc = OK;
	if (got == EVSCHECK_READ_BAD)
		rc = complain(path, reader.line, reader.why);
	else if (lives->count == first && at > 0)
		rc = complain(path, reader.line, "nothing says whose it is");
	if (lives->count > first) {
		lives->life[lives->count - 1].to = at;
		lives->life[lives->count - 1].is_cut = reader.is_cut;
	}
	evscheck_read_fini(&reader);
	return rc;
}

static int
by_life(const void *a, const void *b)
{
	const struct life *x = a;
	const struct life *y = b;
	if (x->node != y->node)
		return x->node < y->node ? -1 : 1;
	if (x->inc != y->inc)
		return x->inc < y->inc ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* ---- what they say
 * ------------------------------------------------------------ */

static int
feed_life(struct evscheck_feed *feed, const struct life *life, FILE *file)
{
	struct evscheck_reader reader;
	struct evscheck_record record;
	int rc = OK;
	evscheck_read_init(&reader, file);
	reader.line = life->line;
	if (fseeko(file, life->from, SEEK_SET) != 0)
		rc = complain(life->path, 0, "cannot seek");
	while (rc == OK && ftello(file) < life->to) {
		feed->here =
		    (struct evscheck_place){ life->path, reader.line + 1 };
		if (evscheck_read_next(&reader, &record) !=
		    EVSCHECK_READ_RECORD)
			break;
		const char *why = evscheck_feed_record(feed, &record);
		if (why != NULL)
			rc = complain(life->path, feed->here.line, why);
		else if (evscheck_feed_has_failed(feed))
			rc = BROKEN;
	}
	evscheck_read_fini(&reader);
	return rc;
}

/* The life that comes now, after the one before it of the same node. */
static void
begin(struct evscheck_feed *feed, const struct life *before,
    const struct life *life)
{
	bool is_same_node = before != NULL && before->node == life->node;
	feed->here = (struct evscheck_place){ life->path, life->line + 1 };
	if (is_same_node && before->inc == life->inc) {
		evscheck_sent_excuse(feed->sent, life->node);
		evscheck_feed_plain(feed, ORACLE_GAP);
		return;
	}
	if (is_same_node) {
		evscheck_sent_excuse(feed->sent, life->node);
		evscheck_feed_plain(feed, ORACLE_CRASH);
	}
	feed->node = life->node;
	feed->inc = life->inc;
	evscheck_feed_plain(feed, ORACLE_START);
}

static int
feed_all(struct evscheck_feed *feed, const struct lives *lives)
{
	int rc = OK;
	for (size_t i = 0; rc == OK && i < lives->count; i++) {
		const struct life *life = &lives->life[i];
		FILE *file = open_file(life->path);
		if (file == NULL)
			return NO_INPUT;
		begin(feed, i == 0 ? NULL : life - 1, life);
		rc = evscheck_feed_has_failed(feed)
		    ? BROKEN
		    : feed_life(feed, life, file);
		fclose(file);
		bool is_last = i + 1 == lives->count ||
		    lives->life[i + 1].node != life->node;
		if (rc == OK && is_last && life->is_cut) {
			evscheck_sent_excuse(feed->sent, life->node);
			evscheck_feed_plain(feed, ORACLE_CRASH);
		}
	}
	return rc;
}

/* ---- the verdict
 * --------------------------------------------------------------- */

static int
report(const struct evscheck_feed *feed)
{
	const struct evscheck_breach *breach = &feed->breach;
	struct evscheck_place at = feed->here;
	if (feed->failure != NULL) {
		const struct oracle_failure *failure = feed->failure;
		if (failure->event_no >= 1 &&
		    failure->event_no <= feed->event_count)
			at = feed->place[failure->event_no - 1];
		printf("%s:%" PRIu64 ": %s: %s\n", at.path, at.line,
		    failure->predicate, failure->text);
		return BROKEN;
	}
	if (breach->path != NULL)
		at = (struct evscheck_place){ breach->path, breach->line };
	printf("%s:%" PRIu64 ": %s: %s\n", at.path, at.line, breach->predicate,
	    breach->text);
	return BROKEN;
}

static int
judge(struct evscheck_feed *feed, bool is_settled)
{
	if (is_settled)
		evscheck_feed_plain(feed, ORACLE_HEAL);
	feed->failure = oracle_end(feed->oracle, 0);
	if (feed->failure == NULL)
		evscheck_sent_end(feed->sent, is_settled, &feed->breach);
	if (evscheck_feed_has_failed(feed))
		return report(feed);
	printf("evscheck: ok %" PRIu64 " messages %" PRIu64 " views\n",
	    oracle_deliveries(feed->oracle), oracle_views(feed->oracle));
	return OK;
}

static int
check(struct lives *lives, struct evscheck_sent *sent, bool is_settled)
{
	struct evscheck_feed feed;
	if (lives->count > 0)
		qsort(lives->life, lives->count, sizeof(*lives->life), by_life);
	evscheck_feed_init(&feed, sent);
	int rc = feed_all(&feed, lives);
	if (rc == BROKEN)
		rc = report(&feed);
	else if (rc == OK)
		rc = judge(&feed, is_settled);
	evscheck_feed_fini(&feed);
	return rc;
}

/* ---- arguments
 * ------------------------------------------------------------------ */

/* NODE=FILE */
static int
load_log(struct evscheck_sent *sent, char *arg, bool is_accepted)
{
	char *path;
	uint64_t line;
	unsigned long node = strtoul(arg, &path, 10);
	if (path == arg || *path != '=' || node > LIMIT_NODE_ID_MAX) {
		fprintf(stderr, "evscheck: %s: expected NODE=FILE\n", arg);
		return USAGE;
	}
	const char *why = evscheck_sent_load(
	    sent, (uint32_t)node, path + 1, is_accepted, &line);
	return why == NULL ? OK : complain(path + 1, line, why);
}

static int
parse(int argc, char **argv, struct evscheck_sent *sent, bool *is_settled)
{
	static const struct option options[] = {
		{ "settled", no_argument, NULL, 's' },
		{ "submitted", required_argument, NULL, 'u' },
		{ "accepted", required_argument, NULL, 'a' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int rc = OK;
	int option;
	while (rc == OK &&
	    (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 's') {
			*is_settled = true;
		} else if (option == 'u' || option == 'a') {
			rc = load_log(sent, optarg, option == 'a');
		} else if (option == 'h') {
			fputs(usage, stdout);
			exit(OK);
		} else {
			rc = USAGE;
		}
	}
	if (rc == OK && optind == argc) {
		fputs(usage, stderr);
		rc = USAGE;
	}
	return rc;
}

int
main(int argc, char **argv)
{
	struct lives lives = { 0 };
	bool is_settled = false;
	struct evscheck_sent *sent = evscheck_sent_create();
	int rc = parse(argc, argv, sent, &is_settled);
	for (int i = optind; rc == OK && i < argc; i++) {
		FILE *file = open_file(argv[i]);
		rc = file == NULL ? NO_INPUT : scan(&lives, argv[i], file);
		if (file != NULL)
			fclose(file);
	}
	if (rc == OK)
		rc = check(&lives, sent, is_settled);
	free(lives.life);
	evscheck_sent_destroy(sent);
	return rc;
}
