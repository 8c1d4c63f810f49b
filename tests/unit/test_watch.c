/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/loop.h"
#include "libcommon/os/svc.h"
#include "libcommon/os/unixsock.h"
#include "libcommon/os/watch.h"

#include "tests/unit/check.h"

enum { POOL = 1 << 18, HISTORY = 1 << 17, EVENTS = 6 };

static char dir[] = "/tmp/test_watch.XXXXXX";

/* A daemon whose state is one number, and how long it takes to say it. */
static struct {
	struct loop *loop;
	struct svc *svc;
	struct watch *watch;
	struct unixsock sock;
	void *block;
	uint64_t wake_ns;
	int state;
	size_t padding;
} world;

static void
put_padding(struct text *out)
{
	for (size_t i = 0; i < world.padding; i++)
		text_put_char(out, 'x');
}

static void
put_state(struct text *out, const char *head)
{
	text_put(out, head);
	text_put_u64(out, (uint64_t)world.state);
}

static void
tell_exists(void *arg, struct watch_sink *sink)
{
	static char bytes[WATCH_RECORD_BYTES + 1];
	struct text record;

	(void)arg;
	text_init(&record, bytes, sizeof bytes);
	put_state(&record, "exists state=");
	text_put(&record, " pad=");
	put_padding(&record);
	watch_state(sink, &record);
}

static void
tell_ready(void *arg, struct watch_sink *sink)
{
	char bytes[64];
	struct text record;

	(void)arg;
	text_init(&record, bytes, sizeof bytes);
	put_state(&record, "ready state=");
	watch_ready(sink, &record);
}

/* The state changes, and that is told. */
static void
change(int count)
{
	static char bytes[WATCH_RECORD_BYTES + 1];
	struct text record;

	while (count-- > 0) {
		world.state++;
		text_init(&record, bytes, sizeof bytes);
		put_state(&record, "change state=");
		text_put(&record, " pad=");
		put_padding(&record);
		CHECK(watch_tell(world.watch, &record) > 0);
	}
	watch_flush(world.watch);
}

static enum svc_result
run_watch(void *arg, struct svc_request *req)
{
	(void)arg;
	return watch_request(world.watch, req);
}

static const struct svc_verb verbs[] = {
	{ "watch", run_watch, SVC_RIGHT_READ, "", false },
};

static void
greet(void *arg, struct text *out)
{
	(void)arg;
	text_put(out, " epoch=");
	watch_put_epoch(world.watch, out);
}

static uint32_t
get_rights(void *arg, const struct unixsock_peer *peer)
{
	(void)arg;
	(void)peer;
	return SVC_RIGHT_READ;
}

static bool
is_busy(void *arg, const struct svc_client *client)
{
	(void)arg;
	(void)client;
	return false;
}

static void
on_opened(void *arg, struct svc_client *client)
{
	(void)arg;
	(void)client;
}

static void
on_closed(void *arg, struct svc_client *client)
{
	(void)arg;
	watch_closed(world.watch, client);
}

static void
on_drained(void *arg, struct svc_client *client)
{
	(void)arg;
	watch_drained(world.watch, client);
}

static uint64_t
get_wake_ns(const void *arg)
{
	(void)arg;
	return world.wake_ns;
}

static void
on_wake(struct loop *loop, void *arg, uint64_t now_ns)
{
	(void)loop;
	(void)arg;
	world.wake_ns = now_ns + CLOCK_S_NS;
}

static void
stop_each_turn(struct loop *loop, void *arg, uint64_t now_ns)
{
	(void)arg;
	(void)now_ns;
	loop_stop(loop, 0);
}

static void
make_world(struct arena *arena)
{
	static const struct svc_config svc_cfg = { .daemon = "testd",
		.verbs = verbs,
		.verb_count = ARRAY_COUNT(verbs),
		.clients_max = 4,
		.pool_bytes = POOL,
		.gathers = 1,
		.greet = greet,
		.rights = get_rights,
		.is_busy = is_busy,
		.opened = on_opened,
		.closed = on_closed,
		.drained = on_drained };
	static const struct watch_config cfg = { .epoch = 0x00c0ffee,
		.history_bytes = HISTORY,
		.history_events = EVENTS,
		.exists = tell_exists,
		.ready = tell_ready };

	world.loop = loop_create(arena, 6);
	world.svc = svc_create(arena, &svc_cfg);
	world.watch = watch_create(arena, &cfg);
}

static void
start(void)
{
	struct arena arena;
	char path[256];

	memset(&world, 0, sizeof world);
	arena_init(&arena, NULL, 0);
	make_world(&arena);
	world.block = calloc(1, arena.used_bytes);
	arena_init(&arena, world.block, arena.used_bytes);
	make_world(&arena);
	arena_seal(&arena);
	snprintf(path, sizeof path, "%s/test.sock", dir);
	CHECK_EQ(loop_open(world.loop), 0);
	CHECK_EQ(unixsock_listen(&world.sock, path, 0600, NULL), 0);
	CHECK_EQ(
	    svc_listen(world.svc, world.loop, world.sock.fd, SVC_RIGHT_ALL), 0);
	loop_add_timer(world.loop, get_wake_ns, on_wake, NULL);
	loop_add_flush(world.loop, stop_each_turn, NULL);
}

static void
finish(void)
{
	struct watch_stats stats;

	svc_shut(world.svc, "over", clock_now_ns());
	watch_stats(world.watch, &stats);
	CHECK_EQ(stats.subs, 0);
	unixsock_close(&world.sock);
	loop_close(world.loop);
	free(world.block);
}

static void
turn(int count)
{
	while (count-- > 0) {
		world.wake_ns = 0;
		CHECK_EQ(loop_run(world.loop), 0);
	}
}

/* Cuts off each line's ts=, after a look at it, and long paddings. */
static void
plain(char *text)
{
	char *at = text, *from, *to;

	while ((from = strstr(at, " ts=")) != NULL) {
		to = strchr(from, '\n');
		if (!CHECK(to != NULL))
			return;
		CHECK_EQ(to - from, 4 + CLOCK_STAMP_BYTES - 1);
		memmove(from, to, strlen(to) + 1);
		at = from;
	}
	while ((from = strstr(text, " pad=")) != NULL) {
		to = from + 5 + strspn(from + 5, "x");
		memmove(from, to, strlen(to) + 1);
	}
}

/* Everything that is there. */
static const char *
hear(int fd)
{
	static char got[4 << 20];
	size_t len = 0;
	ssize_t n;

	turn(2);
	while ((n = read(fd, got + len, sizeof got - 1 - len)) > 0) {
		len += (size_t)n;
		turn(2);
	}
	got[len] = '\0';
	plain(got);
	return got;
}

static void
say(int fd, const char *line)
{
	CHECK_EQ(write(fd, line, strlen(line)), (ssize_t)strlen(line));
	turn(2);
}

static int
open_client(void)
{
	int fd = unixsock_connect(world.sock.path, clock_now_ns());

	CHECK(fd >= 0);
	CHECK(strstr(hear(fd), " epoch=00c0ffee") != NULL);
	return fd;
}

/* ---- tests ------------------------------------------------------------- */

static void
test_watch_tells_the_state_then_what_happens(void)
{
	int fd;

	start();
	change(2);
	fd = open_client();
	say(fd, "#a watch\n");
	CHECK_STR(hear(fd),
	    "#a ok id=1\n"
	    "ev 1 exists state=2 seq=2\n"
	    "ev 1 ready state=2 cursor=00c0ffee:2 seq=2\n");
	change(1);
	CHECK_STR(hear(fd), "ev 1 change state=3 seq=3\n");
	say(fd, "watch id=7 snapshot=no\n");
	CHECK_STR(
	    hear(fd), "ok id=7\nev 7 ready state=3 cursor=00c0ffee:3 seq=3\n");
	change(1);
	CHECK_STR(
	    hear(fd), "ev 1 change state=4 seq=4\nev 7 change state=4 seq=4\n");
	fd_close(&fd);
	finish();
}

static void
test_watch_resumes_where_a_cursor_stands(void)
{
	int fd;

	start();
	change(4);
	fd = open_client();
	say(fd, "watch since=00c0ffee:2\n");
	CHECK_STR(hear(fd),
	    "ok id=1\n"
	    "ev 1 change state=3 seq=3\n"
	    "ev 1 change state=4 seq=4\n"
	    "ev 1 ready state=4 cursor=00c0ffee:4 seq=4\n");
	say(fd, "watch since=00c0ffee:4\n");
	CHECK_STR(
	    hear(fd), "ok id=2\nev 2 ready state=4 cursor=00c0ffee:4 seq=4\n");
	fd_close(&fd);
	finish();
}

static void
test_watch_says_gap_when_it_cannot_resume(void)
{
	static const struct {
		const char *since, *lost;
	} cases[] = {
		{ "00c0ffee:0", "9" },
		{ "00c0ffee:2", "7" },
		{ "00c0ffee:10", "unknown" },
		{ "00c0ffef:5", "unknown" },
	};
	char line[128], want[256];
	int fd;

	start();
	change(9); /* of which 6 are kept: 4 … 9 */
	fd = open_client();
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i].since);
		snprintf(line, sizeof line, "watch snapshot=no since=%s\n",
		    cases[i].since);
		say(fd, line);
		snprintf(want, sizeof want,
		    "ok id=%zu\nev %zu gap lost=%s seq=9\n"
		    "ev %zu exists state=9 seq=9\n"
		    "ev %zu ready state=9 cursor=00c0ffee:9 seq=9\n",
		    i + 1, i + 1, cases[i].lost, i + 1, i + 1);
		CHECK_STR(hear(fd), want);
	}
	check_case(NULL);
	say(fd, "watch since=00c0ffee:3\n");
	CHECK(strstr(hear(fd), "ev 5 change state=4 seq=4\n") != NULL);
	fd_close(&fd);
	finish();
}

static void
test_watch_refuses_what_it_cannot_read(void)
{
	static const char *const cases[] = { "since=00c0ffee", "since=c0ffee:1",
		"since=00c0ffee:", "since=00c0ffee:-1", "since=", "id=0",
		"id=2147483648", "snapshot=maybe", "since=00C0FFEE:1",
		"since=00c0ffee:18446744073709551615" };
	char line[128];
	int fd;

	start();
	fd = open_client();
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i]);
		snprintf(line, sizeof line, "watch %s\n", cases[i]);
		say(fd, line);
		CHECK(strncmp(hear(fd), "err code=usage n=64 ", 20) == 0);
	}
	check_case(NULL);
	for (int i = 0; i < WATCH_SUBS; i++)
		say(fd, "watch\n");
	CHECK(strstr(hear(fd), "ok id=8\n") != NULL);
	say(fd, "watch\n");
	CHECK(strncmp(hear(fd), "err code=busy n=75 ", 19) == 0);
	fd_close(&fd);
	turn(2);
	finish();
}

/* Who reads late gets all that is kept, each once, and then what comes. */
static void
test_watch_lets_a_slow_reader_catch_up(void)
{
	const char *got;
	int fd, behind = 0;

	start();
	fd = open_client();
	say(fd, "watch snapshot=no\n");
	hear(fd);
	world.padding = 20000; /* six of them are kept */
	for (int i = 0; i < 12; i++) {
		change(1);
		turn(1);
	}
	for (int i = 0; i < 5; i++)
		change(1);
	world.padding = 0;
	got = hear(fd);
	for (int seq = 1; seq <= 17; seq++) {
		char want[64];

		snprintf(want, sizeof want, "ev 1 change state=%d seq=%d\n",
		    seq, seq);
		if (strncmp(got, want, strlen(want)) != 0)
			break;
		got += strlen(want);
		behind = 17 - seq;
	}
	if (behind > 0) {
		char want[64];

		snprintf(
		    want, sizeof want, "ev 1 gap lost=%d seq=17\n", behind);
		CHECK(strncmp(got, want, strlen(want)) == 0);
		got += strlen(want);
		CHECK_STR(got,
		    "ev 1 exists state=17 seq=17\n"
		    "ev 1 ready state=17 cursor=00c0ffee:17 seq=17\n");
	}
	change(1);
	CHECK_STR(hear(fd), "ev 1 change state=18 seq=18\n");
	fd_close(&fd);
	finish();
}

/* Who does not read at all loses events, and is told how many. */
static void
test_watch_counts_what_a_reader_lost(void)
{
	struct watch_stats stats;
	const char *got, *gap;
	unsigned told = 0, lost = 0;
	int fd;

	start();
	fd = open_client();
	say(fd, "watch snapshot=no\n");
	hear(fd);
	world.padding = 60000;
	for (int i = 0; i < 100; i++) {
		change(1);
		turn(1);
	}
	world.padding = 10;
	got = hear(fd);
	gap = strstr(got, "ev 1 gap ");
	if (!CHECK(gap != NULL))
		return;
	for (const char *at = got; (at = strstr(at, "ev 1 change ")) != NULL;
	     at++)
		told++;
	CHECK_EQ(sscanf(gap, "ev 1 gap lost=%u", &lost), 1);
	CHECK_EQ(told + lost, 100);
	CHECK(told > 0);
	CHECK(strstr(gap, "ev 1 exists state=100 seq=100\n") != NULL);
	CHECK(strstr(gap, "ev 1 change ") == NULL);
	watch_stats(world.watch, &stats);
	CHECK_EQ(stats.gaps, 1);
	CHECK_EQ(stats.seq, 100);
	change(1);
	CHECK_STR(hear(fd), "ev 1 change state=101 seq=101\n");
	fd_close(&fd);
	finish();
}

static void
test_watch_closes_its_readers_and_no_others(void)
{
	char byte;
	int fd, other;

	start();
	fd = open_client();
	other = open_client();
	say(fd, "watch snapshot=no\nwatch snapshot=no\n");
	hear(fd);
	change(1);
	watch_shut(world.watch, "away", "ringd is gone");
	CHECK_STR(hear(fd),
	    "ev 1 change state=1 seq=1\nev 2 change state=1 seq=1\n"
	    "err code=away n=69 msg=ringd\\0040is\\0040gone\n");
	CHECK_EQ(read(fd, &byte, 1), 0);
	say(other, "ping\n");
	CHECK_STR(hear(other), "ok\n");
	say(other, "watch since=00c0ffee:0\n");
	CHECK(strstr(hear(other), "ev 1 change state=1 seq=1\n") != NULL);
	fd_close(&fd);
	fd_close(&other);
	finish();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_watch_tells_the_state_then_what_happens),
		CHECK_TEST(test_watch_resumes_where_a_cursor_stands),
		CHECK_TEST(test_watch_says_gap_when_it_cannot_resume),
		CHECK_TEST(test_watch_refuses_what_it_cannot_read),
		CHECK_TEST(test_watch_lets_a_slow_reader_catch_up),
		CHECK_TEST(test_watch_counts_what_a_reader_lost),
		CHECK_TEST(test_watch_closes_its_readers_and_no_others),
	};
	int rc;

	if (mkdtemp(dir) == NULL)
		return 1;
	rc = CHECK_MAIN(argc, argv, tests);
	rmdir(dir);
	return rc;
}
