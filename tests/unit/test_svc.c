/* SPDX-License-Identifier: BSD-3-Clause */
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/log.h"
#include "libcommon/os/loop.h"
#include "libcommon/os/svc.h"
#include "libcommon/os/svc_out.h"
#include "libcommon/os/unixsock.h"

#include "tests/unit/check.h"

enum { CLIENTS = 4, POOL = 1 << 20, DATA_MAX = 100000 };

static char dir[] = "/tmp/test_svc.XXXXXX";

static struct {
	struct loop *loop;
	struct svc *svc;
	struct unixsock sock;
	void *block;
	uint64_t wake_ns;
	bool is_busy;      /* "wait" answers SVC_WAIT */
	bool is_answering; /* replies to client 1 are under way */
	uint32_t rights;
	int opened, closed, drained;
} world;

static const char greeting[] =
    "ringkit proto=1 min=1 daemon=testd version=" RINGKIT_VERSION
    " node=1 max_line=8192 max_data=100000\n";

/* ---- a daemon ---------------------------------------------------------- */

static enum svc_result
run_echo(void *arg, struct svc_request *req)
{
	const struct word_pair *text = word_get(req->word, "text");

	(void)arg;
	if (text == NULL)
		svc_ok(req->client, req->tag, "len=%zu", req->data_len);
	else
		svc_ok(req->client, req->tag, "text=%s", text->value);
	return SVC_DONE;
}

static enum svc_result
run_wait(void *arg, struct svc_request *req)
{
	(void)arg;
	if (world.is_busy)
		return SVC_WAIT;
	svc_ok(req->client, req->tag, "waited=yes");
	return SVC_DONE;
}

/* Holds the connection, as a subscription does. */
static enum svc_result
run_listen(void *arg, struct svc_request *req)
{
	(void)arg;
	svc_client_hold(req->client, 1);
	svc_ok(req->client, req->tag, "%s", "");
	return SVC_DONE;
}

static void
greet(void *arg, struct text *out)
{
	(void)arg;
	text_put(out, " node=1");
}

static uint32_t
get_rights(void *arg, const struct unixsock_peer *peer)
{
	(void)arg;
	CHECK_EQ(peer->pid, getpid());
	return world.rights;
}

static bool
is_busy(void *arg, const struct svc_client *client)
{
	(void)arg;
	return world.is_answering && svc_client_id(client) == 1;
}

static void
on_opened(void *arg, struct svc_client *client)
{
	(void)arg;
	*(int *)svc_client_user(client) = 1;
	world.opened++;
}

static void
on_closed(void *arg, struct svc_client *client)
{
	(void)arg;
	CHECK_EQ(*(int *)svc_client_user(client), 1);
	world.closed++;
}

static void
on_drained(void *arg, struct svc_client *client)
{
	(void)arg;
	(void)client;
	world.drained++;
}

static const struct svc_verb verbs[] = {
	{ "echo", run_echo, SVC_RIGHT_READ, "[text=TEXT]", false },
	{ "wait", run_wait, SVC_RIGHT_WRITE, "", true },
	{ "listen", run_listen, SVC_RIGHT_READ, "", false },
};

/* ---- its world --------------------------------------------------------- */

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
	static const struct svc_config cfg = { .daemon = "testd",
		.verbs = verbs,
		.verb_count = ARRAY_COUNT(verbs),
		.clients_max = CLIENTS,
		.pool_bytes = POOL,
		.data_max = DATA_MAX,
		.gathers = 1,
		.user_bytes = sizeof(int),
		.greet = greet,
		.rights = get_rights,
		.is_busy = is_busy,
		.opened = on_opened,
		.closed = on_closed,
		.drained = on_drained };

	world.loop = loop_create(arena, CLIENTS + 2);
	world.svc = svc_create(arena, &cfg);
}

static void
start(void)
{
	struct arena arena;
	char path[256];

	memset(&world, 0, sizeof world);
	world.rights = SVC_RIGHT_ALL;
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
	svc_shut(world.svc, "over", clock_now_ns());
	CHECK_EQ(world.opened, world.closed);
	CHECK(svc_client_next(world.svc, NULL) == NULL);
	unixsock_close(&world.sock);
	loop_close(world.loop);
	free(world.block);
}

/* As many turns as there is work for, none of which waits. */
static void
turn(int count)
{
	while (count-- > 0) {
		world.wake_ns = 0;
		CHECK_EQ(loop_run(world.loop), 0);
	}
}

static int
open_client(void)
{
	int fd = unixsock_connect(world.sock.path, clock_now_ns());

	CHECK(fd >= 0);
	turn(2);
	return fd;
}

static void
say(int fd, const char *bytes, size_t len)
{
	CHECK_EQ(write(fd, bytes, len), (ssize_t)len);
}

#define SAY(fd, string) say((fd), (string), sizeof(string) - 1)

/* Everything that is there, without the greeting. */
static const char *
hear(int fd)
{
	static char got[4 * POOL];
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, got + len, sizeof got - 1 - len)) > 0) {
		len += (size_t)n;
		turn(1);
	}
	got[len] = '\0';
	if (strncmp(got, greeting, sizeof greeting - 1) == 0)
		return got + sizeof greeting - 1;
	return got;
}

static bool
is_closed(int fd)
{
	char byte;

	return read(fd, &byte, 1) == 0;
}

/* ---- tests ------------------------------------------------------------- */

static void
test_svc_greets_answers_and_quits(void)
{
	char got[512] = "";
	int fd;

	start();
	fd = open_client();
	SAY(fd, "ping\n#a7 ping\r\necho text=a\\0040b\n\nquit\nping\n");
	turn(2);

	CHECK(read(fd, got, sizeof got - 1) > 0);
	CHECK(strncmp(got, greeting, sizeof greeting - 1) == 0);
	CHECK_STR(got + sizeof greeting - 1, "ok\n#a7 ok\nok text=a b\nok\n");
	CHECK(is_closed(fd));
	fd_close(&fd);
	finish();
}

static void
test_svc_refuses_what_it_cannot_parse_and_goes_on(void)
{
	static const struct {
		const char *line, *answer;
	} cases[] = {
		{ "frob\n",
		    "err code=unknown n=64 "
		    "msg=frob:\\0040no\\0040such\\0040verb\n" },
		{ "#x frob a=1\n",
		    "#x err code=unknown n=64 "
		    "msg=frob:\\0040no\\0040such\\0040verb\n" },
		{ "echo text=1 text=2\n",
		    "err code=usage n=64 "
		    "msg=key\\0040given\\0040twice:\\0040text\n" },
		{ "echo noise\n",
		    "err code=usage n=64 "
		    "msg=noise:\\0040expected\\0040key=value\n" },
		{ "\x01\x02\xff\n",
		    "err code=usage n=64 "
		    "msg=control\\0040byte\\0040in\\0040the\\0040line\n" },
		{ "log-level level=loud\n",
		    "err code=usage n=64 msg=level:\\0040expected\\0040error,"
		    "\\0040warning,\\0040notice,\\0040info\\0040or"
		    "\\0040debug\n" },
	};
	int fd;

	start();
	fd = open_client();
	hear(fd);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i].line);
		say(fd, cases[i].line, strlen(cases[i].line));
		turn(2);
		CHECK_STR(hear(fd), cases[i].answer);
	}
	check_case(NULL);
	SAY(fd, "ping\n");
	turn(2);
	CHECK_STR(hear(fd), "ok\n");
	fd_close(&fd);
	finish();
}

static void
test_svc_data_may_be_short_long_or_split(void)
{
	static char big[DATA_MAX + 64];
	int fd, n;

	start();
	fd = open_client();
	SAY(fd, "echo len=5\nab\ncd\necho len=0\n\nfrob len=3\nxyz\n");
	turn(2);
	CHECK_STR(hear(fd),
	    "ok len=5\nok len=0\nerr code=unknown n=64 "
	    "msg=frob:\\0040no\\0040such\\0040verb\n");

	n = snprintf(big, sizeof big, "echo len=%d\n", DATA_MAX);
	big[n + DATA_MAX] = '\n';
	for (int at = 0; at < n + DATA_MAX + 1; at += 7777) {
		int left = n + DATA_MAX + 1 - at;

		say(fd, big + at, (size_t)(left < 7777 ? left : 7777));
		turn(1);
	}
	SAY(fd, "ping\n");
	turn(3);
	CHECK_STR(hear(fd), "ok len=100000\nok\n");
	fd_close(&fd);
	finish();
}

/* What cannot be brought back into step is told so and closed. */
static void
test_svc_closes_who_breaks_the_framing(void)
{
	/* Most of it is not read: that must not reset the connection. */
	static char line[100000];
	static const char *const cases[][2] = {
		{ "echo len=2\nabc\n", "err code=usage" },
		{ "echo len=100001\n", "err code=toolong n=65" },
		{ "echo len=99999999999999999999999\n", "err code=usage" },
		{ line, "err code=toolong n=65" },
	};

	memset(line, 'x', sizeof line - 1);
	start();
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		int fd = open_client();

		check_case(cases[i][1]);
		hear(fd);
		say(fd, cases[i][0], strlen(cases[i][0]));
		turn(3);
		struct pollfd state = { .fd = fd, .events = POLLIN };
		CHECK_EQ(poll(&state, 1, 0), 1);
		CHECK_EQ(state.revents & POLLERR, 0);
		CHECK(strncmp(hear(fd), cases[i][1], strlen(cases[i][1])) == 0);
		CHECK(is_closed(fd));
		fd_close(&fd);
	}
	check_case(NULL);
	finish();
}

static void
test_svc_waiting_request_keeps_its_place(void)
{
	int fd, other;

	start();
	world.is_busy = true;
	fd = open_client();
	other = open_client();
	SAY(fd, "wait\nping\n");
	SAY(other, "ping\n");
	turn(3);
	CHECK_STR(hear(fd), "");
	CHECK_STR(hear(other), "ok\n");

	world.is_busy = false;
	svc_resume(world.svc);
	turn(2);

	CHECK_STR(hear(fd), "ok waited=yes\nok\n");
	fd_close(&fd);
	fd_close(&other);
	finish();
}

/* Only what orders its own replies goes on while some are under way. */
static void
test_svc_replies_keep_the_order_of_requests(void)
{
	int fd;

	start();
	world.is_answering = true;
	fd = open_client();
	SAY(fd, "wait\nping\nfrob\n\x01\n");
	turn(3);
	CHECK_STR(hear(fd), "ok waited=yes\n");

	svc_resume(world.svc);
	turn(2);
	CHECK_STR(hear(fd), "");
	world.is_answering = false;
	svc_resume(world.svc);
	turn(2);
	CHECK(strncmp(hear(fd), "ok\nerr code=unknown", 19) == 0);
	fd_close(&fd);
	finish();
}

static void
test_svc_half_closed_client_is_answered_then_closed(void)
{
	int asking, listening;

	start();
	asking = open_client();
	listening = open_client();
	SAY(asking, "echo text=1\n");
	SAY(listening, "listen\n");
	shutdown(asking, SHUT_WR);
	shutdown(listening, SHUT_WR);
	turn(4);

	CHECK_STR(hear(asking), "ok text=1\n");
	CHECK(is_closed(asking));
	CHECK_STR(hear(listening), "ok\n");
	CHECK(!is_closed(listening));
	fd_close(&listening);
	turn(2);
	CHECK_EQ(world.closed, 2);
	fd_close(&asking);
	finish();
}

/* nc without -N closes both directions once its input is sent. */
static void
test_svc_serves_what_was_sent_before_the_hang_up(void)
{
	struct svc_stats stats;
	int fd;

	start();
	fd = open_client();
	SAY(fd, "echo text=1\nlisten\n");
	fd_close(&fd);
	turn(4);

	svc_stats(world.svc, &stats);
	CHECK_EQ(stats.requests, 2);
	CHECK_EQ(world.closed, 1);
	finish();
}

static void
test_svc_more_clients_than_places_are_told(void)
{
	int fds[CLIENTS + 1];

	start();
	for (int i = 0; i <= CLIENTS; i++)
		fds[i] = open_client();

	CHECK_STR(hear(fds[CLIENTS]),
	    "err code=busy n=75 msg=too\\0040many\\0040clients\n");
	CHECK(is_closed(fds[CLIENTS]));
	fd_close(&fds[0]);
	fd_close(&fds[CLIENTS]);
	turn(2);
	fds[0] = open_client();
	SAY(fds[0], "ping\n");
	turn(2);
	CHECK_STR(hear(fds[0]), "ok\n");
	for (int i = 0; i < CLIENTS; i++)
		fd_close(&fds[i]);
	finish();
}

static void
test_svc_rights_are_checked_per_verb(void)
{
	int fd;

	start();
	world.rights = SVC_RIGHT_READ;
	fd = open_client();
	SAY(fd, "ping\nwait\nlog-level\n");
	turn(2);

	CHECK_STR(hear(fd),
	    "ok\n"
	    "err code=denied n=77 msg=wait:\\0040not\\0040allowed\n"
	    "err code=denied n=77 msg=log-level:\\0040not\\0040allowed\n");
	fd_close(&fd);
	finish();
}

/* A slow reader's offers are refused at its limit, and it is told later. */
static void
test_svc_slow_reader_is_refused_then_drained(void)
{
	static char line[1000];
	struct svc_client *client;
	size_t offered = 0;
	int fd;

	start();
	fd = open_client();
	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\n';
	client = svc_client_next(world.svc, NULL);
	while (svc_offer(client, line, sizeof line)) {
		offered += sizeof line;
		if (offered % 10000 == 0)
			turn(1);
	}

	CHECK(svc_client_queued(client) <= POOL / 2);
	CHECK(offered > POOL / 2);
	CHECK_EQ(world.drained, 0);
	CHECK(!svc_offer(client, "x\n", 2));
	CHECK_EQ(strlen(hear(fd)), offered);
	turn(1);
	CHECK_EQ(world.drained, 1);
	CHECK(svc_offer(client, "y\n", 2));
	fd_close(&fd);
	finish();
}

/* Two clients that do not read leave room for a third. */
static void
test_svc_slow_readers_never_fill_the_pool(void)
{
	static char line[10000];
	struct svc_client *a, *b, *c;
	int fds[3];

	start();
	for (int i = 0; i < 3; i++)
		fds[i] = open_client();
	a = svc_client_next(world.svc, NULL);
	b = svc_client_next(world.svc, a);
	c = svc_client_next(world.svc, b);
	for (int i = 0; i < 2000; i++) {
		bool is_taken_a = svc_offer(a, line, sizeof line);
		bool is_taken_b = svc_offer(b, line, sizeof line);

		turn(1);
		if (!is_taken_a && !is_taken_b)
			break;
	}
	CHECK(svc_client_queued(a) + svc_client_queued(b) > POOL / 2);
	for (int i = 0; i < 20; i++)
		CHECK(svc_offer(c, line, sizeof line));
	turn(2);

	CHECK_EQ(world.closed, 0);
	for (int i = 0; i < 3; i++)
		fd_close(&fds[i]);
	turn(1);
	finish();
}

/* Replies must arrive: if need be, at the expense of who holds most. */
static void
test_svc_full_pool_costs_the_greediest_its_connection(void)
{
	static char line[10000];
	struct svc_client *a, *b, *c;
	int fds[3];

	start();
	for (int i = 0; i < 3; i++)
		fds[i] = open_client();
	a = svc_client_next(world.svc, NULL);
	b = svc_client_next(world.svc, a);
	c = svc_client_next(world.svc, b);
	for (int i = 0; i < 50; i++) {
		svc_put(a, line, sizeof line);
		svc_put(b, line, sizeof line - (i == 0));
	}
	CHECK_EQ(world.closed, 0);
	for (int i = 0; i < 20; i++)
		svc_put(c, line, sizeof line);
	CHECK_EQ(svc_client_queued(c), 20 * sizeof line);
	turn(2);

	CHECK_EQ(world.closed, 1);
	CHECK_EQ(svc_client_id(svc_client_next(world.svc, NULL)), 2);
	for (int i = 0; i < 3; i++)
		fd_close(&fds[i]);
	turn(1);
	finish();
}

/* One place for long data: who sends nothing loses it to who waits. */
static void
test_svc_stalled_data_gives_way(void)
{
	static char body[40001];
	int holder, waiter;
	uint64_t begin_ns = clock_now_ns();

	start();
	holder = open_client();
	waiter = open_client();
	hear(holder);
	hear(waiter);
	SAY(holder, "echo len=90000\nabc");
	turn(2);
	SAY(waiter, "echo len=40000\n");
	memset(body, 'b', sizeof body);
	body[sizeof body - 1] = '\n';
	say(waiter, body, sizeof body);
	turn(3);
	CHECK_STR(hear(waiter), "");

	while (*hear(waiter) == '\0' &&
	    clock_now_ns() < begin_ns + 10 * CLOCK_S_NS) {
		world.wake_ns = clock_now_ns() + CLOCK_S_NS / 10;
		CHECK_EQ(loop_run(world.loop), 0);
	}
	CHECK(strncmp(hear(holder), "err code=slow n=75", 18) == 0);
	CHECK(is_closed(holder));
	CHECK(clock_now_ns() > begin_ns + 2 * CLOCK_S_NS);
	fd_close(&holder);
	fd_close(&waiter);
	turn(1);
	finish();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_svc_greets_answers_and_quits),
		CHECK_TEST(test_svc_refuses_what_it_cannot_parse_and_goes_on),
		CHECK_TEST(test_svc_data_may_be_short_long_or_split),
		CHECK_TEST(test_svc_closes_who_breaks_the_framing),
		CHECK_TEST(test_svc_waiting_request_keeps_its_place),
		CHECK_TEST(test_svc_replies_keep_the_order_of_requests),
		CHECK_TEST(test_svc_half_closed_client_is_answered_then_closed),
		CHECK_TEST(test_svc_serves_what_was_sent_before_the_hang_up),
		CHECK_TEST(test_svc_more_clients_than_places_are_told),
		CHECK_TEST(test_svc_rights_are_checked_per_verb),
		CHECK_TEST(test_svc_slow_reader_is_refused_then_drained),
		CHECK_TEST(test_svc_slow_readers_never_fill_the_pool),
		CHECK_TEST(
		    test_svc_full_pool_costs_the_greediest_its_connection),
		CHECK_TEST(test_svc_stalled_data_gives_way),
	};
	char command[300];
	int rc;

	if (mkdtemp(dir) == NULL)
		return 1;
	log_open(STDERR_FILENO, LOG_LEVEL_ERROR);
	rc = CHECK_MAIN(argc, argv, tests);
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command) == 0 ? rc : 1;
}
