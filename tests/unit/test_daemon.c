/* SPDX-License-Identifier: BSD-3-Clause */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/os/daemon.h"
#include "libcommon/os/fd.h"

#include "tests/unit/check.h"

/* Receives what is sent to an abstract name, as a service manager does. */
static int
open_manager(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int n = snprintf(addr.sun_path + 1, 60, "test_daemon.%d", getpid());
	char name[120];

	CHECK_EQ(bind(fd, (struct sockaddr *)&addr,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			 (size_t)n)),
	    0);
	snprintf(name, sizeof name, "@%s", addr.sun_path + 1);
	setenv("NOTIFY_SOCKET", name, 1);
	return fd;
}

static void
test_daemon_ready_tells_both_who_may_ask(void)
{
	int manager = open_manager(), ends[2];
	char got[64];

	CHECK_EQ(pipe(ends), 0);

	daemon_ready(ends[1]);

	CHECK_EQ(read(ends[0], got, sizeof got), 1);
	CHECK_EQ(got[0], '\n');
	CHECK_EQ(read(ends[0], got, sizeof got), 0);
	CHECK_EQ(recv(manager, got, sizeof got, 0), 8);
	CHECK(memcmp(got, "READY=1\n", 8) == 0);
	unsetenv("NOTIFY_SOCKET");
	CHECK(!daemon_notify("STATUS=x\n"));
	daemon_ready(-1);
	fd_close(&manager);
	fd_close(&ends[0]);
}

static void
test_daemon_die_names_the_program_and_gives_the_code(void)
{
	int ends[2], status;
	char got[64] = "";
	pid_t pid;

	CHECK_EQ(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		daemon_set_name("testd");
		daemon_die(EXITCODE_CONFIG, "file:%d: wrong", 7);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 78);
	CHECK(read(ends[0], got, sizeof got - 1) > 0);
	CHECK_STR(got, "testd: file:7: wrong\n");
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

static void
test_daemon_become_nobody_fails_cleanly(void)
{
	CHECK_EQ(daemon_become("no-such-user-here"), -ENOENT);
}

static void
test_daemon_harden_makes_new_files_private(void)
{
	mode_t before = umask(0022);

	daemon_harden();
	CHECK_EQ(umask(before), 0077);
}

/* Whoever is to hear of its children's ends may be started like this. */
static void
test_daemon_harden_lets_children_wait_to_be_waited_for(void)
{
	struct sigaction now;

	(void)signal(SIGCHLD, SIG_IGN);
	daemon_harden();
	CHECK_EQ(sigaction(SIGCHLD, NULL, &now), 0);
	CHECK(now.sa_handler == SIG_DFL);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_daemon_ready_tells_both_who_may_ask),
		CHECK_TEST(
		    test_daemon_die_names_the_program_and_gives_the_code),
		CHECK_TEST(test_daemon_become_nobody_fails_cleanly),
		CHECK_TEST(test_daemon_harden_makes_new_files_private),
		CHECK_TEST(
		    test_daemon_harden_lets_children_wait_to_be_waited_for),
	};

	return CHECK_MAIN(argc, argv, tests);
}
