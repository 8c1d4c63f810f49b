/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"

#include "tests/unit/check.h"

static void
test_fd_flags_are_set_and_cleared(void)
{
	int ends[2];

	CHECK(pipe(ends) == 0);

	CHECK_EQ(fd_set_nonblock(ends[0], true), 0);
	CHECK_EQ(fd_set_cloexec(ends[0], true), 0);
	CHECK(fcntl(ends[0], F_GETFL) & O_NONBLOCK);
	CHECK(fcntl(ends[0], F_GETFD) & FD_CLOEXEC);
	CHECK_EQ(fd_set_nonblock(ends[0], false), 0);
	CHECK(!(fcntl(ends[0], F_GETFL) & O_NONBLOCK));

	fd_close(&ends[0]);
	fd_close(&ends[1]);
	CHECK_EQ(ends[0], -1);
	CHECK_EQ(fd_set_nonblock(-1, true), -EBADF);
}

static void
test_fd_write_full_stops_at_the_deadline(void)
{
	static char bytes[1 << 20];
	int ends[2];

	CHECK(pipe2(ends, O_NONBLOCK) == 0);

	CHECK_EQ(fd_write_full(ends[1], bytes, 1000, 0), 0);
	CHECK_EQ(fd_write_full(ends[1], bytes, sizeof bytes,
		     clock_now_ns() + 5 * CLOCK_MS_NS),
	    -ETIMEDOUT);

	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

static void
test_fd_wait_sees_a_reader_that_left(void)
{
	int ends[2];

	CHECK(pipe(ends) == 0);
	CHECK_EQ(fd_wait(ends[0], POLLIN, 0), 0);

	fd_close(&ends[0]);

	CHECK(fd_wait(ends[1], 0, UINT64_MAX) & POLLERR);
	fd_close(&ends[1]);
}

static void
test_fd_read_file_refuses_what_is_too_long(void)
{
	char path[] = "/tmp/test_fd.XXXXXX";
	char bytes[8];
	int fd = mkstemp(path);

	CHECK(fd >= 0);
	CHECK_EQ(fd_write_full(fd, "12345678", 8, UINT64_MAX), 0);

	CHECK_EQ(fd_read_file(path, bytes, 8), 8);
	CHECK_MEM(bytes, 8, "12345678", 8);
	CHECK_EQ(fd_read_file(path, bytes, 7), -EFBIG);
	unlink(path);
	CHECK_EQ(fd_read_file(path, bytes, 8), -ENOENT);
	fd_close(&fd);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_fd_flags_are_set_and_cleared),
		CHECK_TEST(test_fd_write_full_stops_at_the_deadline),
		CHECK_TEST(test_fd_wait_sees_a_reader_that_left),
		CHECK_TEST(test_fd_read_file_refuses_what_is_too_long),
	};

	return CHECK_MAIN(argc, argv, tests);
}
