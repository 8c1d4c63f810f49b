/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes down all that ring.sock of one node says, for evscheck.
 *
 *	recorder [-e GROUP] [-g GLOB] [-l] RUNDIR PREFIX
 *
 * Subscribes to `views` and to every message (of GLOB) on one connection, and
 *writes what comes to PREFIX.N, N counted up from 1: a file a connection.  When
 *the connection ends it tries again until there is another, for ever.  Ends 0
 * when it has recorded a message of GROUP, or at SIGTERM; prints "ready" when
 * the first connection is subscribed.  -l: lossless, so that a reader that is
 * too slow shows as the end of the connection and not as a gap.
 */
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/cli/talk.h"

enum { USAGE = 64, NO_OUTPUT = 73, GROUP_BYTES = 600 };

static struct {
	const char *rundir, *prefix, *until, *glob;
	bool is_lossless, is_ready;
	unsigned connections;
	FILE *out;
} recorder = { .glob = "**" };

static volatile sig_atomic_t is_stopped;

static void
on_term(int signo)
{
	(void)signo;
	is_stopped = 1;
}

static void
wait_a_little(void)
{
	const struct timespec pause = { .tv_nsec = 5000000 };

	nanosleep(&pause, NULL); /* no event: of a socket that will appear */
}

static FILE *
open_next(void)
{
	char path[4096];

	snprintf(path, sizeof path, "%s.%u", recorder.prefix,
	    ++recorder.connections);
	FILE *out = fopen(path, "we");
	if (out == NULL) {
		fprintf(stderr, "recorder: %s: %s\n", path, strerror(errno));
		exit(NO_OUTPUT);
	}
	return out;
}

/* true: it was the last one wanted. */
static bool
note(const struct talk_record *record)
{
	char group[GROUP_BYTES];

	fwrite(record->raw, 1, record->raw_len, recorder.out);
	if (talk_is(record, "ev 2 ready") && !recorder.is_ready) {
		recorder.is_ready = true;
		puts("ready");
		fflush(stdout);
	}
	return recorder.until != NULL && talk_is(record, "ev 2 msg") &&
	    talk_word(record, "group", group, sizeof group) &&
	    strcmp(group, recorder.until) == 0;
}

/* true: all is recorded. */
static bool
record(struct talk *talk)
{
	char ask[GROUP_BYTES + 64];
	int ask_len = snprintf(ask, sizeof ask,
	    "views id=1\nlisten id=2 group=%s members=yes%s\n", recorder.glob,
	    recorder.is_lossless ? " lossless=yes" : "");
	struct talk_record record;
	bool is_done = false;

	if (talk_send(talk, ask, (size_t)ask_len) < 0)
		return false;
	while (!is_done && !is_stopped && talk_fill(talk) > 0)
		while (!is_done && talk_next(talk, &record))
			is_done = note(&record);
	/* A record cut short by a crash is recorded as such. */
	if (!is_done)
		fwrite(
		    talk->in + talk->at, 1, talk->len - talk->at, recorder.out);
	return is_done;
}

static int
record_all(void)
{
	bool is_done = false;

	while (!is_done && !is_stopped) {
		struct talk talk;

		if (talk_open(&talk, recorder.rundir) < 0) {
			wait_a_little();
			continue;
		}
		recorder.out = open_next();
		is_done = record(&talk);
		talk_close(&talk);
		if (fclose(recorder.out) != 0)
			return NO_OUTPUT;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_term };
	int option;

	while ((option = getopt(argc, argv, "e:g:l")) != -1) {
		if (option == 'e')
			recorder.until = optarg;
		else if (option == 'g' && strlen(optarg) < GROUP_BYTES)
			recorder.glob = optarg;
		else if (option == 'l')
			recorder.is_lossless = true;
		else
			return USAGE;
	}
	if (argc - optind != 2)
		return USAGE;
	recorder.rundir = argv[optind];
	recorder.prefix = argv[optind + 1];
	sigaction(SIGTERM, &action, NULL);
	return record_all();
}
