/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/out.h"

#include "tests/unit/check.h"

struct rig {
	int read_fd, write_fd;
	struct out out;
};

/* A pipe in packet mode: each read gives what one write had. */
static bool
rig_open(struct rig *rig)
{
	int fds[2];

	if (!CHECK_EQ(pipe2(fds, O_CLOEXEC | O_DIRECT | O_NONBLOCK), 0))
		return false;
	rig->read_fd = fds[0];
	rig->write_fd = fds[1];
	return CHECK_EQ(out_open(&rig->out, rig->write_fd), 0);
}

static void
rig_close(struct rig *rig)
{
	out_close(&rig->out);
	fd_close(&rig->read_fd);
	fd_close(&rig->write_fd);
}

static size_t
read_one(struct rig *rig)
{
	char bytes[PIPE_BUF];
	ssize_t n = read(rig->read_fd, bytes, sizeof bytes);

	return n < 0 ? 0 : (size_t)n;
}

static void
put_record(struct out *out, size_t len)
{
	char bytes[PIPE_BUF];

	memset(bytes, 'x', sizeof bytes);
	out_put(out, bytes, len);
	out_end(out);
}

static void
test_out_records_share_a_write(void)
{
	struct rig rig;

	if (!rig_open(&rig))
		return;
	put_record(&rig.out, 10);
	put_record(&rig.out, 20);
	CHECK_EQ(read_one(&rig), 0);
	CHECK_EQ(out_flush(&rig.out), 0);
	CHECK_EQ(read_one(&rig), 30);
	rig_close(&rig);
}

static void
test_out_never_splits_a_record(void)
{
	struct rig rig;

	if (!rig_open(&rig))
		return;
	put_record(&rig.out, 3000);
	put_record(&rig.out, 3000);
	CHECK_EQ(read_one(&rig), 3000);
	put_record(&rig.out, PIPE_BUF);
	CHECK_EQ(read_one(&rig), 3000);
	CHECK_EQ(read_one(&rig), PIPE_BUF);
	CHECK_EQ(out_flush(&rig.out), 0);
	CHECK_EQ(read_one(&rig), 0);
	rig_close(&rig);
}

static void
test_out_leaves_the_unfinished_record(void)
{
	struct rig rig;

	if (!rig_open(&rig))
		return;
	put_record(&rig.out, 5);
	out_put_string(&rig.out, "half");
	CHECK_EQ(out_flush(&rig.out), 0);
	CHECK_EQ(read_one(&rig), 5);
	out_put_u64(&rig.out, 12);
	out_put_value(&rig.out, "a b", 3);
	out_end(&rig.out);
	CHECK_EQ(out_flush(&rig.out), 0);
	CHECK_EQ(read_one(&rig), strlen("half12a\\0040b"));
	rig_close(&rig);
}

static void
test_out_failure_sticks(void)
{
	struct rig rig;

	if (!rig_open(&rig))
		return;
	CHECK(!out_is_deserted(&rig.out));
	fd_close(&rig.read_fd);
	CHECK(out_is_deserted(&rig.out));
	put_record(&rig.out, 5);
	CHECK_EQ(out_flush(&rig.out), -EPIPE);
	put_record(&rig.out, 5000 % PIPE_BUF);
	CHECK_EQ(out_flush(&rig.out), -EPIPE);
	rig_close(&rig);
}

static void
test_out_heeds_the_deadline(void)
{
	struct rig rig;

	if (!rig_open(&rig))
		return;
	rig.out.deadline_ns = clock_now_ns() + 20 * CLOCK_MS_NS;
	while (rig.out.rc == 0)
		put_record(&rig.out, PIPE_BUF);
	CHECK_EQ(out_flush(&rig.out), -ETIMEDOUT);
	CHECK(clock_now_ns() >= rig.out.deadline_ns);
	rig_close(&rig);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_out_records_share_a_write),
		CHECK_TEST(test_out_never_splits_a_record),
		CHECK_TEST(test_out_leaves_the_unfinished_record),
		CHECK_TEST(test_out_failure_sticks),
		CHECK_TEST(test_out_heeds_the_deadline),
	};

	signal(SIGPIPE, SIG_IGN);
	return CHECK_MAIN(argc, argv, tests);
}
