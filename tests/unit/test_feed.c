/* SPDX-License-Identifier: BSD-3-Clause */
/* A feed in its loop, and a daemon at the other end that says what it is
 * told to.
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/limits.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/feed.h"
#include "libcommon/os/loop.h"
#include "libcommon/os/unixsock.h"

#include "tests/unit/check.h"

enum { DATA_MAX = 100000, OUT_MAX = 8192 };

#define GREETING "ringkit proto=1 min=1 daemon=ringd node=1\n"

static char dir[] = "/tmp/test_feed.XXXXXX";

static struct {
	void *memory;
	struct loop *loop;
	struct feed *feed;
	struct unixsock sock;
	int fd; /* the daemon's end */
	char path[300];
	char heard[8192]; /* what the callbacks were given */
	struct text out;
	uint32_t opened, closed, lines;
	bool (*until)(void);
	uint64_t deadline_ns;
	const char *drop_at; /* an event that ends the connection */
	bool is_stopping;    /* by feed_stop, at the next line */
	size_t data_sum;
} world;

/* ---- callbacks --------------------------------------------------------- */

static void
on_opened(void *arg, struct feed *feed, uint64_t now_ns)
{
	CHECK(arg == &world && now_ns > 0);
	CHECK(feed_is_open(feed));
	world.opened++;
	text_put(&world.out, "opened ");
	text_put(&world.out, feed_greeting(feed, "daemon"));
	text_put(&world.out, "\n");
	CHECK(feed_putf(feed, "views id=%d\n", 7));
}

static void
on_line(
    void *arg, struct feed *feed, const struct feed_line *line, uint64_t now_ns)
{
	static const char *const kinds[] = { "ok", "no", "err", "item", "ev" };

	CHECK(arg == &world);
	world.lines++;
	world.data_sum += line->len;
	text_put(&world.out, kinds[line->kind]);
	text_put(&world.out, line->tag != NULL ? " #" : "");
	text_put(&world.out, line->tag != NULL ? line->tag : "");
	if (line->kind == FEED_EV) {
		text_put(&world.out, " ");
		text_put_u64(&world.out, line->id);
		text_put(&world.out, line->event);
		if (world.drop_at != NULL &&
		    strcmp(world.drop_at, line->event) == 0)
			feed_drop(feed, "unwanted", now_ns);
	}
	text_put(&world.out, " ");
	text_put(&world.out, feed_value(line, "a"));
	text_put_u64(&world.out, feed_u64(line, "n", 99));
	if (line->has_data && line->len < 50) {
		text_put(&world.out, " ");
		text_put_bytes(&world.out, line->data, line->len);
	}
	text_put(&world.out, "\n");
	if (world.is_stopping)
		feed_stop(feed);
}

static void
on_closed(void *arg, struct feed *feed, const char *why, uint64_t now_ns)
{
	CHECK(arg == &world && now_ns > 0);
	CHECK(!feed_is_open(feed));
	CHECK(!feed_put(feed, "x\n", 2));
	world.closed++;
	text_put(&world.out, "closed ");
	text_put(&world.out, why);
	text_put(&world.out, "\n");
}

/* ---- the loop ---------------------------------------------------------- */

static void
on_turn(struct loop *loop, void *arg, uint64_t now_ns)
{
	(void)arg;
	(void)now_ns;
	if (world.until())
		loop_stop(loop, 0);
}

static uint64_t
give_up_at(const void *arg)
{
	(void)arg;
	return world.deadline_ns;
}

static void
give_up(struct loop *loop, void *arg, uint64_t now_ns)
{
	(void)arg;
	(void)now_ns;
	loop_stop(loop, 1);
}

static bool
is_never(void)
{
	return false;
}

/* Turns until it is so; a failure after 5 s. */
static bool
run_until(bool (*until)(void))
{
	if (until())
		return true;
	world.until = until;
	world.deadline_ns = clock_now_ns() + 5 * CLOCK_S_NS;
	return CHECK_EQ(loop_run(world.loop), 0);
}

/* One turn, without waiting. */
static void
turn(void)
{
	world.deadline_ns = 0;
	world.until = is_never;
	CHECK_EQ(loop_run(world.loop), 1);
}

/* It connected by itself. */
static bool
is_accepted(void)
{
	world.fd = unixsock_accept(world.sock.fd);
	return world.fd >= 0;
}

static bool
is_open(void)
{
	return feed_is_open(world.feed);
}

static bool
is_closed(void)
{
	return world.closed > 0;
}

static bool
is_drained(void)
{
	return feed_is_drained(world.feed) && world.lines > 0;
}

static void
create(struct arena *arena)
{
	const struct feed_config cfg = { .path = world.path,
		.data_max = DATA_MAX,
		.out_max = OUT_MAX,
		.arg = &world,
		.opened = on_opened,
		.line = on_line,
		.closed = on_closed };

	world.loop = loop_create(arena, 8);
	world.feed = feed_create(arena, &cfg);
}

/* A daemon that listens, unless it is to come later. */
static void
begin(bool is_there)
{
	struct arena arena;

	memset(&world, 0, sizeof world);
	world.fd = -1;
	world.sock.fd = world.sock.lock_fd = -1;
	text_init(&world.out, world.heard, sizeof world.heard);
	snprintf(world.path, sizeof world.path, "%s/ring.sock", dir);
	if (is_there)
		CHECK_EQ(
		    unixsock_listen(&world.sock, world.path, 0600, NULL), 0);
	arena_init(&arena, NULL, 0);
	create(&arena);
	CHECK(world.feed == NULL);
	world.memory = calloc(1, arena.used_bytes);
	arena_init(&arena, world.memory, arena.used_bytes);
	create(&arena);
	CHECK_EQ(loop_open(world.loop), 0);
	loop_add_timer(world.loop, give_up_at, give_up, NULL);
	feed_start(world.feed, world.loop, clock_now_ns());
	loop_add_flush(world.loop, on_turn, NULL);
}

static void
end(void)
{
	feed_stop(world.feed);
	loop_close(world.loop);
	fd_close(&world.fd);
	unixsock_close(&world.sock);
	free(world.memory);
}

static void
say(const char *bytes, size_t len)
{
	CHECK_EQ(
	    fd_write_full(world.fd, bytes, len, clock_now_ns() + CLOCK_S_NS),
	    0);
}

static void
say_text(const char *text)
{
	say(text, strlen(text));
}

static void
accept_it(void)
{
	fd_close(&world.fd);
	world.fd = unixsock_accept(world.sock.fd);
	CHECK(world.fd >= 0);
}

/* Accepted and greeted; what was heard is forgotten. */
static void
begin_open(void)
{
	begin(true);
	accept_it();
	say_text(GREETING);
	run_until(is_open);
	CHECK_STR(world.heard, "opened ringd\n");
	text_init(&world.out, world.heard, sizeof world.heard);
}

/* What the daemon has got. */
static const char *
got(void)
{
	static char bytes[2 * OUT_MAX];
	ssize_t n = read(world.fd, bytes, sizeof bytes - 1);

	bytes[n > 0 ? n : 0] = '\0';
	return bytes;
}

/* ---- tests ------------------------------------------------------------- */

static void
test_feed_hands_out_lines_in_order(void)
{
	static const char part[] = "ok a=1 n=5\n"
				   "#t.1 no code=view\n"
				   "err code=denied n=77 msg=x\n"
				   "item a=b\\0040c\n"
				   "ev 3 msg a=x len=4\nq\n\0z\n"
				   "ev 7 view n=18446744073709551615\n";

	begin_open();
	CHECK_STR(got(), "views id=7\n");
	say(part, sizeof part - 1);
	run_until(is_drained);
	CHECK_MEM(world.heard, world.out.len,
	    "ok 15\n"
	    "no #t.1 99\n"
	    "err 77\n"
	    "item b c99\n"
	    "ev 3msg x99 q\n\0z\n"
	    "ev 7view 18446744073709551615\n",
	    strlen("ok 15\nno #t.1 99\nerr 77\nitem b c99\n"
		   "ev 3msg x99 q\n?z\nev 7view 18446744073709551615\n"));
	end();
}

static bool
has_two_lines(void)
{
	return world.lines == 2;
}

/* However the bytes fall apart, the lines are the same. */
static void
test_feed_puts_pieces_together(void)
{
	static const char part[] = "ev 3 msg a=x len=4\n\n\n\n\n\nok a=1\n";

	for (size_t cut = 1; cut < sizeof part - 1; cut++) {
		begin_open();
		say(part, cut);
		CHECK(!feed_drain(world.feed, clock_now_ns()) ||
		    feed_is_drained(world.feed));
		say(part + cut, sizeof part - 1 - cut);
		run_until(has_two_lines);
		CHECK_STR(world.heard, "ev 3msg x99 \n\n\n\n\nok 199\n");
		end();
	}
}

static void
test_feed_takes_the_longest_line_and_data(void)
{
	static char line[LIMIT_SERVER_LINE_BYTES + 1];
	static char data[DATA_MAX + 1];

	begin_open();
	memset(line, 'a', sizeof line);
	memcpy(line, "ok a=", 5);
	line[LIMIT_SERVER_LINE_BYTES] = '\n';
	world.out.is_full = false;
	say(line, sizeof line);
	CHECK(feed_drain(world.feed, clock_now_ns()));
	CHECK_EQ(world.lines, 1);
	memset(data, 'd', sizeof data);
	data[DATA_MAX] = '\n';
	say_text("ok len=100000\n");
	say(data, sizeof data);
	CHECK(feed_drain(world.feed, clock_now_ns()));
	CHECK_EQ(world.lines, 2);
	CHECK_EQ(world.data_sum, DATA_MAX);
	CHECK(feed_is_open(world.feed));
	end();
}

static void
test_feed_closes_what_is_no_daemon_of_ours(void)
{
	static const char *const parts[] = {
		"ok len=100001\n",
		"ok len=x\n",
		"ok len=1\nxy\n",
		"hello there\n",
		"ev 3\n",
		"ev x msg\n",
		"ok \001\n",
		"\n",
		"ok a=1 a=2\n",
	};

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		check_case(parts[i]);
		begin_open();
		say_text("item a=1\n");
		say_text(parts[i]);
		say_text("ok\n");
		run_until(is_closed);
		CHECK_STR(world.heard, "item 199\nclosed protocol\n");
		CHECK_STR(feed_trouble(world.feed), "protocol");
		end();
	}
	check_case(NULL);
}

static void
test_feed_closes_on_a_line_without_end(void)
{
	static char line[LIMIT_SERVER_LINE_BYTES + 1];

	begin_open();
	memset(line, 'a', sizeof line);
	say(line, sizeof line);
	run_until(is_closed);
	CHECK_STR(world.heard, "closed protocol\n");
	end();
}

static bool
is_in_trouble(void)
{
	return *feed_trouble(world.feed) != '\0';
}

static void
test_feed_opens_only_after_a_good_greeting(void)
{
	static const struct {
		const char *said, *trouble;
	} cases[] = {
		{ "ringkit proto=2 min=2 daemon=ringd\n", "protocol" },
		{ "ringkit proto=0 min=0\n", "protocol" },
		{ "ringkit\n", "protocol" },
		{ "HTTP/1.1 400 Bad Request\n", "protocol" },
		{ "err code=busy n=75 msg=full\n", "busy" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_case(cases[i].said);
		begin(true);
		accept_it();
		CHECK(!feed_put(world.feed, "x\n", 2));
		CHECK_EQ(feed_room(world.feed), 0);
		say_text(cases[i].said);
		run_until(is_in_trouble);
		CHECK_STR(feed_trouble(world.feed), cases[i].trouble);
		CHECK_STR(world.heard, "");
		CHECK_EQ(world.opened + world.closed, 0);
		end();
	}
	check_case(NULL);
}

/* What was said before the end counts; half a line does not. */
static void
test_feed_reads_to_the_end_then_comes_back(void)
{
	struct feed_stats stats;

	begin_open();
	say_text("ok a=1\nok a=2\nok a=");
	fd_close(&world.fd);
	run_until(is_closed);
	CHECK_STR(world.heard, "ok 199\nok 299\nclosed closed\n");
	CHECK(!feed_is_drained(world.feed));
	CHECK_STR(feed_trouble(world.feed), "closed");
	world.fd = -1;
	world.closed = 0;
	text_init(&world.out, world.heard, sizeof world.heard);
	run_until(is_accepted);
	say_text(GREETING "ok a=3\n");
	run_until(is_open);
	CHECK(feed_drain(world.feed, clock_now_ns()));
	CHECK_STR(world.heard, "opened ringd\nok 399\n");
	CHECK_STR(feed_trouble(world.feed), "");
	feed_stats(world.feed, &stats);
	CHECK_EQ(stats.opened, 2);
	CHECK_EQ(stats.lost, 1);
	CHECK_EQ(stats.lines, 3);
	end();
}

/* A socket that is not there yet; and how long it waits each time. */
static void
test_feed_waits_for_a_daemon_longer_each_time(void)
{
	uint64_t began_ns = clock_now_ns();

	begin(false);
	CHECK_STR(feed_trouble(world.feed), strerror(ENOENT));
	CHECK_EQ(unixsock_listen(&world.sock, world.path, 0600, NULL), 0);
	run_until(is_accepted);
	CHECK(clock_now_ns() - began_ns >= 100 * CLOCK_MS_NS);
	say_text(GREETING);
	run_until(is_open);
	end();
}

static void
test_feed_drop_ends_it_within_a_callback(void)
{
	begin_open();
	world.drop_at = "gap";
	say_text("ok\nev 1 gap\nok a=not-this\n");
	run_until(is_closed);
	CHECK_STR(world.heard, "ok 99\nev 1gap 99\nclosed unwanted\n");
	CHECK_EQ(read(world.fd, world.path, 0), 0);
	end();
	begin_open();
	feed_drop(world.feed, "tired", clock_now_ns());
	CHECK_STR(world.heard, "closed tired\n");
	end();
}

static void
test_feed_stop_ends_it_without_a_word(void)
{
	begin_open();
	world.is_stopping = true;
	say_text("ok a=1\nok a=2\n");
	CHECK(!feed_drain(world.feed, clock_now_ns()));
	CHECK_STR(world.heard, "ok 199\n");
	CHECK_EQ(world.closed, 0);
	end();
}

/* All or nothing goes into the queue, and all of it arrives. */
static void
test_feed_queues_what_the_daemon_does_not_read(void)
{
	static char line[1000];
	struct feed_stats stats;
	size_t sent = 0, arrived = 0;
	int small = 4096;

	begin_open();
	(void)got();
	CHECK_EQ(
	    setsockopt(world.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small),
	    0);
	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\n';
	for (int i = 0; i < 2000; i++) {
		if (feed_put(world.feed, line, sizeof line))
			sent += sizeof line;
		else if (feed_room(world.feed) >= sizeof line)
			CHECK(false);
		if (i % 100 == 99)
			turn();
	}
	feed_stats(world.feed, &stats);
	CHECK(stats.refused > 0);
	CHECK(sent > OUT_MAX);
	while (arrived < sent) {
		size_t n = strlen(got());

		arrived += n;
		turn();
		if (n == 0)
			break;
	}
	CHECK_EQ(arrived, sent);
	CHECK_EQ(feed_room(world.feed), OUT_MAX);
	end();
}

/* After a stop, what is unread is handed out before anything is answered. */
static void
test_feed_drain_reads_what_waits(void)
{
	static char line[] = "ok a=0123456789\n";
	uint32_t said = 0;

	begin_open();
	while (
	    write(world.fd, line, sizeof line - 1) == (ssize_t)sizeof line - 1)
		said++;
	CHECK(feed_drain(world.feed, clock_now_ns()));
	CHECK_EQ(world.lines, said);
	CHECK(feed_is_drained(world.feed));
	fd_close(&world.fd);
	CHECK(!feed_drain(world.feed, clock_now_ns()));
	CHECK(!feed_is_drained(world.feed));
	CHECK_EQ(world.closed, 1);
	CHECK(!feed_drain(world.feed, clock_now_ns()));
	end();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_feed_hands_out_lines_in_order),
		CHECK_TEST(test_feed_puts_pieces_together),
		CHECK_TEST(test_feed_takes_the_longest_line_and_data),
		CHECK_TEST(test_feed_closes_what_is_no_daemon_of_ours),
		CHECK_TEST(test_feed_closes_on_a_line_without_end),
		CHECK_TEST(test_feed_opens_only_after_a_good_greeting),
		CHECK_TEST(test_feed_reads_to_the_end_then_comes_back),
		CHECK_TEST(test_feed_waits_for_a_daemon_longer_each_time),
		CHECK_TEST(test_feed_drop_ends_it_within_a_callback),
		CHECK_TEST(test_feed_stop_ends_it_without_a_word),
		CHECK_TEST(test_feed_queues_what_the_daemon_does_not_read),
		CHECK_TEST(test_feed_drain_reads_what_waits),
	};
	char path[300];
	int rc;

	if (mkdtemp(dir) == NULL)
		return 1;
	rc = CHECK_MAIN(argc, argv, tests);
	snprintf(path, sizeof path, "%s/ring.sock.lock", dir);
	unlink(path);
	rmdir(dir);
	return rc;
}
