/* SPDX-License-Identifier: BSD-3-Clause */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "libcommon/os/child.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"

#include "tests/unit/check.h"

static pid_t
start(void)
{
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

static void
test_child_is_waited_for_and_ended(void)
{
	pid_t pid = start();
	int pidfd = child_open(pid);

	if (!CHECK(pidfd >= 0))
		return;
	CHECK(!child_ends_by(pidfd, clock_now_ns() + 10 * CLOCK_MS_NS));
	child_signal(pidfd, SIGKILL);
	CHECK(child_ends_by(pidfd, UINT64_MAX));
	/* Not reaped yet, it has ended all the same. */
	CHECK(child_ends_by(pidfd, 0));
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	child_signal(pidfd, SIGKILL);
	fd_close(&pidfd);
	CHECK_EQ(child_open(pid), -ENOENT);
}

static void
test_fd_is_closed_on_exec_from_a_number_on(void)
{
	int low = fcntl(STDIN_FILENO, F_DUPFD, 100);
	int high = fcntl(STDIN_FILENO, F_DUPFD, 110);

	fd_close_on_exec_from(high);
	CHECK_EQ(fcntl(low, F_GETFD) & FD_CLOEXEC, 0);
	CHECK_EQ(fcntl(high, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	fd_close(&low);
	fd_close(&high);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_child_is_waited_for_and_ended),
		CHECK_TEST(test_fd_is_closed_on_exec_from_a_number_on),
	};

	return CHECK_MAIN(argc, argv, tests);
}
