/* SPDX-License-Identifier: BSD-3-Clause */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/arena.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/loop.h"

#include "tests/unit/check.h"

static _Alignas(16) unsigned char block[65536];

/* What happened, one letter an event. */
static char story[64];

static void
tell(char letter)
{
	size_t len = strlen(story);

	if (len + 1 < sizeof story)
		story[len] = letter;
}

static struct loop *
make_loop(void)
{
	struct arena arena;
	struct loop *loop;

	memset(story, 0, sizeof story);
	memset(block, 0, sizeof block);
	arena_init(&arena, block, sizeof block);
	loop = loop_create(&arena, 4);
	CHECK_EQ(loop_open(loop), 0);
	return loop;
}

struct reader {
	int fd;
	int slot;
	int victim; /* slot to remove when called, or -1 */
	char letter;
};

static void
on_readable(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	struct reader *reader = arg;
	char byte;

	(void)now_ns;
	tell(reader->letter);
	if (ready & LOOP_READ)
		CHECK_EQ(read(reader->fd, &byte, 1), 1);
	if (reader->victim >= 0)
		loop_remove_fd(loop, reader->victim);
	reader->victim = -1;
}

static void
on_flush(struct loop *loop, void *arg, uint64_t now_ns)
{
	int *turns = arg;

	(void)now_ns;
	tell('.');
	if (--*turns == 0)
		loop_stop(loop, 7);
}

static void
add_reader(struct loop *loop, struct reader *reader, int ends[2])
{
	CHECK(pipe(ends) == 0);
	reader->fd = ends[0];
	reader->victim = -1;
	reader->slot = loop_add_fd(loop, ends[0], on_readable, reader);
	CHECK(reader->slot >= 0);
}

static void
test_loop_serves_descriptors_in_order_of_registration(void)
{
	struct loop *loop = make_loop();
	struct reader a = { .letter = 'a' }, b = { .letter = 'b' };
	int to_a[2], to_b[2], turns = 1;

	add_reader(loop, &a, to_a);
	add_reader(loop, &b, to_b);
	loop_add_flush(loop, on_flush, &turns);

	CHECK_EQ(write(to_b[1], "x", 1), 1);
	CHECK_EQ(write(to_a[1], "x", 1), 1);
	CHECK_EQ(loop_run(loop), 7);

	CHECK_STR(story, "ab.");
	loop_close(loop);
}

static void
test_loop_removed_descriptor_is_not_called_in_that_turn(void)
{
	struct loop *loop = make_loop();
	struct reader a = { .letter = 'a' }, b = { .letter = 'b' };
	int to_a[2], to_b[2], turns = 1;

	add_reader(loop, &a, to_a);
	add_reader(loop, &b, to_b);
	a.victim = b.slot;
	loop_add_flush(loop, on_flush, &turns);

	CHECK_EQ(write(to_a[1], "x", 1), 1);
	CHECK_EQ(write(to_b[1], "x", 1), 1);
	CHECK_EQ(loop_run(loop), 7);

	CHECK_STR(story, "a.");
	loop_close(loop);
}

static void
test_loop_refuses_more_descriptors_than_slots(void)
{
	struct loop *loop = make_loop();
	struct reader readers[4];
	int ends[4][2], more[2];

	for (int i = 0; i < 4; i++)
		add_reader(loop, &readers[i], ends[i]);
	CHECK(pipe(more) == 0);

	CHECK(loop_add_fd(loop, more[0], on_readable, &readers[0]) < 0);
	loop_remove_fd(loop, readers[2].slot);
	CHECK_EQ(loop_add_fd(loop, more[0], on_readable, &readers[2]),
	    readers[2].slot);
	loop_close(loop);
}

static uint64_t
get_deadline_ns(const void *arg)
{
	return *(const uint64_t *)arg;
}

static void
on_due(struct loop *loop, void *arg, uint64_t now_ns)
{
	uint64_t *deadline_ns = arg;

	CHECK(now_ns >= *deadline_ns);
	tell('t');
	if (strlen(story) >= 3)
		loop_stop(loop, 0);
	/* 0: at once; then 2 ms. */
	*deadline_ns = *deadline_ns == 0 ? now_ns + 2 * CLOCK_MS_NS : 0;
}

static void
test_loop_timer_fires_when_due_and_never_before(void)
{
	struct loop *loop = make_loop();
	uint64_t deadline_ns = clock_now_ns() + 5 * CLOCK_MS_NS;
	struct loop_stats stats;

	loop_add_timer(loop, get_deadline_ns, on_due, &deadline_ns);
	CHECK_EQ(loop_run(loop), 0);

	CHECK_STR(story, "ttt");
	loop_stats(loop, &stats);
	/* It waited: a loop that spins makes thousands of turns. */
	CHECK(stats.iterations < 10);
	loop_close(loop);
}

static void
on_signal(struct loop *loop, void *arg, int signo, uint64_t now_ns)
{
	(void)arg;
	(void)now_ns;
	CHECK_EQ(signo, SIGUSR1);
	tell('s');
	loop_stop(loop, 0);
}

static void
test_loop_signal_comes_before_descriptors(void)
{
	struct loop *loop = make_loop();
	struct reader a = { .letter = 'a' };
	int to_a[2];

	add_reader(loop, &a, to_a);
	CHECK_EQ(loop_add_signal(loop, SIGUSR1, on_signal, NULL), 0);

	CHECK_EQ(write(to_a[1], "x", 1), 1);
	raise(SIGUSR1);
	CHECK_EQ(loop_run(loop), 0);

	CHECK_STR(story, "sa");
	loop_close(loop);
}

static void
test_loop_reports_writable_and_hang_up(void)
{
	struct loop *loop = make_loop();
	struct reader w = { .letter = 'w', .victim = -1 };
	int ends[2], turns = 1;

	CHECK(pipe(ends) == 0);
	w.slot = loop_add_fd(loop, ends[1], on_readable, &w);
	loop_want(loop, w.slot, LOOP_WRITE);
	loop_add_flush(loop, on_flush, &turns);

	CHECK_EQ(loop_run(loop), 7);

	CHECK_STR(story, "w.");
	loop_close(loop);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(
		    test_loop_serves_descriptors_in_order_of_registration),
		CHECK_TEST(
		    test_loop_removed_descriptor_is_not_called_in_that_turn),
		CHECK_TEST(test_loop_refuses_more_descriptors_than_slots),
		CHECK_TEST(test_loop_timer_fires_when_due_and_never_before),
		CHECK_TEST(test_loop_signal_comes_before_descriptors),
		CHECK_TEST(test_loop_reports_writable_and_hang_up),
	};

	return CHECK_MAIN(argc, argv, tests);
}
