/* SPDX-License-Identifier: BSD-3-Clause */
/* Publishes messages at one node and writes down which, for evscheck.
 *
 *	publisher [-e] [-g BASE] [-n COUNT] [-r RATE] [-s SEED] [-w OPEN] [-x
 *BYTES] [-z] RUNDIR NAME PREFIX
 *
 * Sends until SIGTERM, or COUNT messages; RATE a second at most, OPEN of them
 * unanswered at most, to groups BASE/N (load), of up to BYTES bytes: most are
 *short, or with -e each is as long as that.  Every fourth is safe.  A message
 *is one line that begins with NAME and a number, so no two are equal, nor are
 *those of publishers with other names.  -z: the first is empty.  When the
 *connection ends it tries again until there is another.
 *
 * PREFIX.accepted has those that were answered ok, PREFIX.submitted those
 * that were not answered, both in the order in which they were sent.  Ends
 * when all are answered, and prints how many: "COUNT sent, COUNT accepted".
 */
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/rng.h"
#include "libcommon/os/clock.h"

#include "tests/cli/talk.h"

enum {
	USAGE = 64,
	NO_OUTPUT = 73,
	OPEN_MAX = 4096,
	SIZE_MAX_ = 1 << 20,
	GROUPS = 5,
	RETRY_MS = 5,
	DRAIN_MS = 30000, /* after SIGTERM */
};

/* One message that was sent and is not answered. */
struct pending {
	uint64_t number;
	size_t len;
};

static struct {
	const char *rundir, *name, *prefix, *base;
	uint64_t count, rate, seed, open_max, size_max;
	bool is_first_empty, is_every_long;
	struct rng rng;
	struct talk talk;
	struct pending pending[OPEN_MAX];
	uint64_t first, next; /* pending are those numbers */
	uint64_t accepted;
	uint64_t due_ns;
	uint64_t end_ns; /* of the drain; 0: not draining */
	FILE *accepted_log, *submitted_log;
	char body[SIZE_MAX_ + 64];
} publisher = { .base = "load",
	.rate = 100,
	.seed = 1,
	.open_max = 16,
	.size_max = 1024,
	.talk.fd = -1 };

static volatile sig_atomic_t is_stopped;

static void
on_term(int signo)
{
	(void)signo;
	is_stopped = 1;
}

/* ---- messages ---------------------------------------------------------- */

/* NAME.NUMBER and letters up to len bytes: a line, a function of number. */
static void
compose(const struct pending *message)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	size_t at;

	if (message->len == 0)
		return;
	at = (size_t)snprintf(publisher.body, sizeof publisher.body, "%s.%llu",
	    publisher.name, (unsigned long long)message->number);
	for (; at < message->len; at++)
		publisher.body[at] = letters[(at + message->number) % 26];
}

/* Short ones mostly, at times the longest; at least NAME.NUMBER. */
static size_t
draw_len(uint64_t number)
{
	size_t least = strlen(publisher.name) + 21;
	uint64_t most = publisher.size_max;

	if (number == 0 && publisher.is_first_empty)
		return 0;
	if (publisher.is_every_long)
		return most;
	if (rng_below(&publisher.rng, 8) != 0)
		most = most < 512 ? most : 512;
	else if (rng_below(&publisher.rng, 4) != 0)
		most = most < 8192 ? most : 8192;
	return most <= least
	    ? least
	    : least + (size_t)rng_below(&publisher.rng, most - least + 1);
}

static bool
publish(void)
{
	uint64_t number = publisher.next++;
	struct pending *message = &publisher.pending[number % OPEN_MAX];
	bool is_safe = rng_below(&publisher.rng, 4) == 0;
	char head[192];
	int head_len;

	*message = (struct pending){ number, draw_len(number) };
	compose(message);
	publisher.body[message->len] = '\n';
	head_len = snprintf(head, sizeof head,
	    "pub group=%.64s/%u confirm=%s len=%zu\n", publisher.base,
	    (unsigned)rng_below(&publisher.rng, GROUPS),
	    is_safe ? "safe" : "agreed", message->len);
	return talk_send(&publisher.talk, head, (size_t)head_len) == 0 &&
	    talk_send(&publisher.talk, publisher.body, message->len + 1) == 0;
}

static void
write_down(FILE *log)
{
	const struct pending *message =
	    &publisher.pending[publisher.first++ % OPEN_MAX];

	compose(message);
	publisher.body[message->len] = '\n';
	fwrite(publisher.body, 1, message->len + 1, log);
}

/* ---- the connection ---------------------------------------------------- */

static void
disconnect(void)
{
	talk_close(&publisher.talk);
	while (publisher.first < publisher.next)
		write_down(publisher.submitted_log);
}

static void
on_record(const struct talk_record *record)
{
	if (publisher.first == publisher.next)
		return;
	if (talk_is(record, "ok")) {
		publisher.accepted++;
		write_down(publisher.accepted_log);
	} else if (talk_is(record, "err") || talk_is(record, "no")) {
		write_down(publisher.submitted_log);
	}
}

static void
hear(void)
{
	struct talk_record record;
	long n = talk_fill(&publisher.talk);

	while (n > 0 && talk_next(&publisher.talk, &record))
		on_record(&record);
	if (n == 0 || (n < 0 && n != -EINTR))
		disconnect();
}

/* ---- turns ------------------------------------------------------------- */

static bool
is_finished(uint64_t now_ns)
{
	bool is_ending = is_stopped != 0 ||
	    (publisher.count > 0 && publisher.next >= publisher.count);

	if (!is_ending)
		return false;
	if (publisher.end_ns == 0)
		publisher.end_ns = now_ns + DRAIN_MS * CLOCK_MS_NS;
	publisher.due_ns = UINT64_MAX;
	return publisher.first == publisher.next || publisher.talk.fd < 0 ||
	    now_ns >= publisher.end_ns;
}

static int
get_timeout_ms(uint64_t now_ns)
{
	bool is_full = publisher.next - publisher.first >= publisher.open_max;

	if (publisher.talk.fd < 0)
		return RETRY_MS;
	if (is_full || publisher.due_ns == UINT64_MAX)
		return 100;
	if (publisher.due_ns <= now_ns)
		return 0;
	return (int)((publisher.due_ns - now_ns) / CLOCK_MS_NS) + 1;
}

static void
turn(uint64_t now_ns)
{
	struct pollfd poll_fd = { .fd = publisher.talk.fd, .events = POLLIN };
	bool is_full = publisher.next - publisher.first >= publisher.open_max;

	if (publisher.talk.fd < 0)
		(void)talk_open(&publisher.talk, publisher.rundir);
	if (publisher.talk.fd >= 0 && !is_full && publisher.due_ns <= now_ns) {
		publisher.due_ns = now_ns + CLOCK_S_NS / publisher.rate;
		if (!publish())
			disconnect();
	}
	poll_fd.fd = publisher.talk.fd;
	if (poll(&poll_fd, 1, get_timeout_ms(now_ns)) > 0)
		hear();
}

static FILE *
open_log(const char *suffix)
{
	char path[4096];

	snprintf(path, sizeof path, "%s.%s", publisher.prefix, suffix);
	FILE *log = fopen(path, "we");
	if (log == NULL) {
		fprintf(stderr, "publisher: %s: %s\n", path, strerror(errno));
		exit(NO_OUTPUT);
	}
	return log;
}

static int
run(void)
{
	publisher.accepted_log = open_log("accepted");
	publisher.submitted_log = open_log("submitted");
	rng_init(&publisher.rng, publisher.seed);
	while (!is_finished(clock_now_ns()))
		turn(clock_now_ns());
	disconnect();
	printf("%llu sent, %llu accepted\n", (unsigned long long)publisher.next,
	    (unsigned long long)publisher.accepted);
	return fclose(publisher.accepted_log) == 0 &&
		fclose(publisher.submitted_log) == 0
	    ? 0
	    : NO_OUTPUT;
}

/* ---- arguments --------------------------------------------------------- */

static uint64_t *
number_option(int option)
{
	switch (option) {
	case 'n':
		return &publisher.count;
	case 'r':
		return &publisher.rate;
	case 's':
		return &publisher.seed;
	case 'w':
		return &publisher.open_max;
	case 'x':
		return &publisher.size_max;
	default:
		return NULL;
	}
}

int
main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_term };
	int option;

	while ((option = getopt(argc, argv, "eg:n:r:s:w:x:z")) != -1) {
		uint64_t *number = number_option(option);

		if (number != NULL)
			*number = strtoull(optarg, NULL, 10);
		else if (option == 'g')
			publisher.base = optarg;
		else if (option == 'e')
			publisher.is_every_long = true;
		else if (option == 'z')
			publisher.is_first_empty = true;
		else
			return USAGE;
	}
	if (argc - optind != 3 || publisher.open_max == 0 ||
	    publisher.open_max > OPEN_MAX || publisher.rate == 0 ||
	    publisher.size_max > SIZE_MAX_)
		return USAGE;
	publisher.rundir = argv[optind];
	publisher.name = argv[optind + 1];
	publisher.prefix = argv[optind + 2];
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	return run();
}
