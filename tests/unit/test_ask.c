/* SPDX-License-Identifier: BSD-3-Clause */
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/word.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/unixsock.h"

#include "tests/unit/check.h"

static char dir[] = "/tmp/test_ask.XXXXXX";

#define GREETING "ringkit proto=1 min=1 daemon=ringd node=1 max_data=1048576\n"

/* A daemon that takes one client, says its part and reads to the end. */
static pid_t
serve(const char *part, size_t len, size_t repeat)
{
	struct unixsock sock;
	char path[300], sink[65536];
	pid_t pid;
	int fd;

	snprintf(path, sizeof path, "%s/ring.sock", dir);
	if (!CHECK_EQ(unixsock_listen(&sock, path, 0600, NULL), 0))
		return -1;
	pid = fork();
	if (pid != 0) {
		fd_close(&sock.fd);
		fd_close(&sock.lock_fd);
		return pid;
	}
	if (fd_wait(sock.fd, POLLIN, UINT64_MAX) < 0)
		_exit(1);
	fd = unixsock_accept(sock.fd);
	for (size_t i = 0; i < repeat; i++)
		if (fd_write_full(fd, part, len, UINT64_MAX) < 0)
			_exit(1);
	if (fd_set_nonblock(fd, false) < 0)
		_exit(1);
	while (read(fd, sink, sizeof sink) > 0)
		;
	_exit(0);
}

static uint64_t
soon_ns(void)
{
	return clock_now_ns() + 2 * CLOCK_S_NS;
}

static void
reap(pid_t pid)
{
	int status = -1;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
}

static struct ask *
open_ask(int want)
{
	struct ask *ask;

	CHECK_EQ(ask_open(&ask, dir, "ring", soon_ns()), want);
	CHECK((ask != NULL) == (want == 0));
	return ask;
}

static void
test_ask_reads_replies_events_and_data(void)
{
	static const char part[] =
	    GREETING "#t1 ok pos=1.2:3.4\n"
		     "no code=view view=1.3\n"
		     "err code=denied n=77 msg=not\\0040you\n"
		     "ev 3 msg group=a\\0040b len=6\nx\ny\0z\n\n"
		     "item kind=ring\n";
	pid_t pid = serve(part, sizeof part - 1, 1);
	struct ask *ask = open_ask(0);
	struct ask_line line;

	CHECK_STR(ask_greeting(ask, "node"), "1");
	CHECK(ask_greeting(ask, "absent") == NULL);

	CHECK_EQ(ask_next(ask, &line, soon_ns()), 0);
	CHECK_EQ(line.kind, ASK_OK);
	CHECK_STR(line.tag, "t1");
	CHECK_STR(ask_value(&line, "pos"), "1.2:3.4");
	CHECK_EQ(ask_line_exitcode(&line), 0);

	CHECK_EQ(ask_next(ask, &line, soon_ns()), 0);
	CHECK_EQ(line.kind, ASK_NO);
	CHECK_EQ(ask_line_exitcode(&line), 1);

	CHECK_EQ(ask_next(ask, &line, soon_ns()), 0);
	CHECK_EQ(ask_line_exitcode(&line), 77);
	CHECK_STR(ask_value(&line, "msg"), "not you");

	CHECK_EQ(ask_next(ask, &line, soon_ns()), 0);
	CHECK_EQ(line.kind, ASK_EV);
	CHECK_EQ(line.id, 3);
	CHECK_STR(line.event, "msg");
	CHECK_STR(ask_value(&line, "group"), "a b");
	CHECK_MEM(line.data, line.len, "x\ny\0z\n", 6);

	CHECK_EQ(ask_next(ask, &line, soon_ns()), 0);
	CHECK_STR(ask_value(&line, "kind"), "ring");
	CHECK_EQ(ask_next(ask, &line, 0), -ETIMEDOUT);
	ask_close(ask);
	reap(pid);
}

static void
test_ask_judges_the_greeting(void)
{
	static const struct {
		const char *greeting;
		int want;
		enum exitcode code;
	} cases[] = {
		{ "ringkit proto=2 min=2 daemon=ringd\n", ASK_E_PROTOCOL, 76 },
		{ "ringkit proto=2 min=1 daemon=ringd\n", 0, 0 },
		{ "220 smtp.example.org ESMTP\n", ASK_E_PROTOCOL, 76 },
		{ "\n", ASK_E_PROTOCOL, 76 },
		{ "err code=busy n=75 msg=x\n", ASK_E_BUSY, 75 },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const char *greeting = cases[i].greeting;
		pid_t pid = serve(greeting, strlen(greeting), 1);

		check_case(greeting);
		ask_close(open_ask(cases[i].want));
		CHECK_EQ(ask_exitcode(cases[i].want), cases[i].code);
		reap(pid);
	}
	check_case(NULL);
}

static void
test_ask_without_daemon_is_69(void)
{
	struct ask *ask;
	int rc = ask_open(&ask, dir, "nobody", soon_ns());

	CHECK_EQ(rc, -ENOENT);
	CHECK_EQ(ask_exitcode(rc), EXITCODE_UNAVAILABLE);
}

/* A stopped daemon still has a backlog that takes connections. */
static void
test_ask_silent_daemon_times_out_as_69(void)
{
	pid_t pid = serve("", 0, 0);
	struct ask *ask;
	int rc = ask_open(&ask, dir, "ring", clock_now_ns() + CLOCK_S_NS / 20);

	CHECK_EQ(rc, -ETIMEDOUT);
	CHECK_EQ(ask_exitcode(rc), EXITCODE_UNAVAILABLE);
	reap(pid);
}

static void
test_ask_daemon_that_dies_is_noticed_after_its_last_line(void)
{
	static const char part[] = GREETING "ok\nok half";
	struct ask_line line;
	struct ask *ask;
	pid_t pid = serve(part, sizeof part - 1, 1);

	ask = open_ask(0);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);

	CHECK_EQ(ask_next(ask, &line, soon_ns()), 0);
	CHECK_EQ(ask_next(ask, &line, soon_ns()), ASK_E_CLOSED);
	CHECK_EQ(ask_next(ask, &line, soon_ns()), ASK_E_CLOSED);
	ask_close(ask);
}

/*
 * The daemon writes megabytes before it reads anything, and so does the
 * tool: both get through.
 */
static void
test_ask_both_sides_writing_do_not_lock_up(void)
{
	static char part[100000];
	size_t n = (size_t)sprintf(part, "%s", GREETING);
	struct ask_line line;
	struct ask *ask;
	pid_t pid;

	while (n + 40 < sizeof part)
		n += (size_t)sprintf(part + n, "ev 1 msg len=10\n0123456789\n");
	pid = serve(part, n, 1);
	ask = open_ask(0);
	for (int i = 0; i < 300000; i++)
		if (!CHECK_EQ(ask_putf(ask, "pub group=g data=%d\n", i), 0))
			break;
	CHECK_EQ(ask_flush(ask, soon_ns()), 0);
	CHECK_EQ(ask_unsent(ask), 0);

	for (size_t i = 0; i < (n - sizeof GREETING) / 27; i++)
		if (!CHECK_EQ(ask_next(ask, &line, soon_ns()), 0))
			break;
	ask_close(ask);
	reap(pid);
}

static void
test_ask_refuses_what_is_no_reply(void)
{
	static const char *const cases[] = {
		GREETING "hello\n",
		GREETING "ev msg\n",
		GREETING "ev x msg\n",
		GREETING "ok len=zz\n",
		GREETING "ok len=1\nab\n",
		GREETING "ok len=999999999999\n",
		GREETING "ok \x01\n",
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		pid_t pid = serve(cases[i], strlen(cases[i]), 1);
		struct ask *ask = open_ask(0);
		struct ask_line line;

		check_case(cases[i]);
		CHECK_EQ(ask_next(ask, &line, soon_ns()), ASK_E_PROTOCOL);
		ask_close(ask);
		reap(pid);
	}
	check_case(NULL);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_ask_reads_replies_events_and_data),
		CHECK_TEST(test_ask_judges_the_greeting),
		CHECK_TEST(test_ask_without_daemon_is_69),
		CHECK_TEST(test_ask_silent_daemon_times_out_as_69),
		CHECK_TEST(
		    test_ask_daemon_that_dies_is_noticed_after_its_last_line),
		CHECK_TEST(test_ask_both_sides_writing_do_not_lock_up),
		CHECK_TEST(test_ask_refuses_what_is_no_reply),
	};
	char command[300];
	int rc;

	if (mkdtemp(dir) == NULL)
		return 1;
	rc = CHECK_MAIN(argc, argv, tests);
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command) == 0 ? rc : 1;
}
