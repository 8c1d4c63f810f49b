/* SPDX-License-Identifier: BSD-3-Clause */
/* Processes that live show it by holding the write end of a pipe: its reader
 * sees the end of file when the last of them is gone.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/os/child.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/tree.h"
#include "libcommon/os/tree_below.h"

#include "tests/unit/check.h"

#define SOON (clock_now_ns() + 20 * CLOCK_S_NS)

/* Says a word for each process, then stays whatever it is told. */
#define STUBBORN                                                           \
	"trap '' TERM INT HUP; echo a; "                                   \
	"setsid sh -c 'trap \"\" TERM; (echo b; exec tail -f /dev/null) &" \
	" exec tail -f /dev/null' & "                                      \
	"while :; do tail -f /dev/null & wait $!; done"

static int life[2]; /* its write end is the command's standard output */

static struct tree_command
command_of(char *const *argv)
{
	struct tree_command command = { .argv = argv,
		.std = { -1, life[1], -1 },
		.closes_fds = true,
		.grace_ns = 5 * CLOCK_S_NS };

	return command;
}

static struct tree
start_on_pipe(const char *script)
{
	char shell[] = "sh", option[] = "-c", text[1024];
	char *argv[] = { shell, option, text, NULL };
	struct tree_command command;
	struct tree tree;

	strcpy(text, script);
	command = command_of(argv);
	CHECK_EQ(tree_start(&tree, &command), 0);
	fd_close(&life[1]);
	return tree;
}

static struct tree
start_script(const char *script)
{
	CHECK_EQ(pipe2(life, O_CLOEXEC), 0);
	return start_on_pipe(script);
}

/* What is written, up to so many bytes. */
static size_t
hear(char *bytes, size_t size)
{
	size_t len = 0;

	while (len < size && fd_wait(life[0], POLLIN, SOON) > 0) {
		ssize_t n = read(life[0], bytes + len, size - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	return len;
}

/* The last process has closed it. */
static bool
is_deserted(void)
{
	char byte;

	return fd_wait(life[0], POLLIN, SOON) > 0 &&
	    read(life[0], &byte, 1) == 0;
}

static void
finish(struct tree *tree)
{
	tree_close(tree);
	fd_close(&life[0]);
}

static void
test_tree_tells_how_the_command_ended(void)
{
	static const struct {
		const char *script;
		int code;
	} cases[] = {
		{ "exit 0", 0 },
		{ "exit 75", 75 },
		{ "kill -TERM $$", 128 + SIGTERM },
		{ "exec ./no-such-program 2>/dev/null", 127 },
		{ "kill -0 $PPID && exit 9", 9 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct tree tree = start_script(cases[i].script);

		check_case(cases[i].script);
		CHECK_EQ(tree_wait(&tree, TREE_EMPTY, SOON), TREE_EMPTY);
		CHECK_EQ(tree_code(&tree), cases[i].code);
		CHECK_EQ(tree.error, 0);
		finish(&tree);
	}
	check_case(NULL);
}

static void
test_tree_tells_what_cannot_be_started(void)
{
	static const struct {
		const char *program, *cwd;
		int code, error;
	} cases[] = {
		{ "ringkit-has-no-such-program", NULL, 127, ENOENT },
		{ "/", NULL, 126, EACCES },
		{ "true", "/no/such/folder", 125, ENOENT },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char name[64];
		char *argv[] = { name, NULL };
		struct tree_command command = {
			.argv = argv, .cwd = cases[i].cwd, .std = { -1, -1, -1 }
		};
		struct tree tree;

		check_case(cases[i].program);
		strcpy(name, cases[i].program);
		if (!CHECK_EQ(tree_start(&tree, &command), 0))
			continue;
		CHECK_EQ(tree_wait(&tree, TREE_EMPTY, SOON), TREE_EMPTY);
		CHECK_EQ(tree_code(&tree), cases[i].code);
		CHECK_EQ(tree.error, cases[i].error);
		tree_close(&tree);
	}
	check_case(NULL);
}

static void
test_tree_gives_what_it_was_told_to(void)
{
	char shell[] = "sh", option[] = "-c",
	     script[] = "pwd; echo $A$B; readlink /proc/self/fd/77; "
			"grep SigBlk: /proc/self/status; "
			"[ $(ps -o pgid= -p $$) = $$ ] && echo leader",
	     a[] = "A=x y", path[] = "PATH=/usr/bin:/bin";
	char *argv[] = { shell, option, script, NULL };
	char *envp[] = { a, path, NULL };
	const char *want = "/\nx y\nSigBlk:\t0000000000000000\nleader\n";
	struct tree_command command;
	struct tree tree;
	char said[256];
	size_t len;

	CHECK_EQ(pipe2(life, O_CLOEXEC), 0);
	CHECK_EQ(dup2(life[0], 77), 77);
	command = command_of(argv);
	command.envp = envp;
	command.cwd = "/";
	if (!CHECK_EQ(tree_start(&tree, &command), 0))
		return;
	fd_close(&life[1]);
	len = hear(said, sizeof said);
	CHECK_MEM(said, len, want, strlen(want));
	CHECK_EQ(tree_wait(&tree, TREE_EMPTY, SOON), TREE_EMPTY);
	close(77);
	finish(&tree);
}

static void
test_tree_is_not_empty_before_its_last_process_is_gone(void)
{
	struct tree tree =
	    start_script("setsid tail -f /dev/null & echo $!; exit 3");
	char said[1];

	CHECK_EQ(hear(said, 1), 1);
	CHECK_EQ(tree_wait(&tree, TREE_ENDED, SOON), TREE_ENDED);
	CHECK_EQ(tree_code(&tree), 3);
	CHECK_EQ(tree_turn(&tree), TREE_ENDED);
	tree_stop(&tree, 10 * CLOCK_S_NS); /* it dies of TERM */
	CHECK_EQ(tree_wait(&tree, TREE_EMPTY, SOON), TREE_EMPTY);
	CHECK_EQ(tree_code(&tree), 3);
	finish(&tree);
}

static void
test_tree_ends_all_that_ignores_term(void)
{
	struct tree tree = start_script(STUBBORN);
	uint64_t start_ns;
	char said[4];

	CHECK_EQ(hear(said, 4), 4); /* a, b and their line feeds */
	start_ns = clock_now_ns();
	tree_stop(&tree, 200 * CLOCK_MS_NS);
	CHECK_EQ(tree_turn(&tree), TREE_RUNNING);
	CHECK_EQ(tree_wait(&tree, TREE_EMPTY, SOON), TREE_EMPTY);
	CHECK(clock_now_ns() - start_ns >= 200 * CLOCK_MS_NS);
	CHECK_EQ(tree_code(&tree), 128 + SIGKILL);
	CHECK(is_deserted());
	finish(&tree);
}

static void
test_tree_may_be_hurried(void)
{
	struct tree tree = start_script(STUBBORN);
	char said[4];

	CHECK_EQ(hear(said, 4), 4);
	tree_stop(&tree, 1000 * CLOCK_S_NS);
	tree_stop(&tree, 0);
	CHECK_EQ(tree_wait(&tree, TREE_EMPTY, SOON), TREE_EMPTY);
	finish(&tree);
}

static void
test_tree_ends_what_is_stopped(void)
{
	struct tree tree = start_script("echo a; kill -STOP $$");
	char said[2];

	CHECK_EQ(hear(said, 2), 2);
	tree_stop(&tree, 1000 * CLOCK_S_NS);
	CHECK_EQ(tree_wait(&tree, TREE_EMPTY, SOON), TREE_EMPTY);
	CHECK_EQ(tree_code(&tree), 128 + SIGTERM);
	finish(&tree);
}

static void
test_tree_leaves_alone_what_it_did_not_start(void)
{
	pid_t other = fork();
	struct tree tree;
	char said[4];

	if (other == 0)
		for (;;)
			pause();
	tree = start_script(STUBBORN);
	CHECK_EQ(hear(said, 4), 4);
	tree_stop(&tree, 0);
	CHECK_EQ(tree_wait(&tree, TREE_EMPTY, SOON), TREE_EMPTY);
	CHECK_EQ(waitpid(other, NULL, WNOHANG), 0);
	kill(other, SIGKILL);
	CHECK_EQ(waitpid(other, NULL, 0), other);
	finish(&tree);
}

static void
test_tree_lets_go_what_was_left_behind(void)
{
	struct tree tree =
	    start_script("tail -f /dev/null >/dev/null & echo $!; echo .");
	char said[32] = "";
	pid_t left;

	CHECK_EQ(tree_wait(&tree, TREE_ENDED, SOON), TREE_ENDED);
	tree_release(&tree);
	CHECK_EQ(tree_turn(&tree), TREE_EMPTY);
	CHECK(hear(said, sizeof said - 1) > 2);
	left = (pid_t)strtol(said, NULL, 10);
	if (CHECK(left > 1))
		CHECK_EQ(kill(left, 0), 0);
	kill(left, SIGKILL);
	finish(&tree);
}

static void
test_tree_lets_the_command_go_on(void)
{
	struct tree tree;
	char said[2];
	int input[2];

	CHECK_EQ(pipe2(input, O_CLOEXEC), 0);
	CHECK_EQ(dup2(input[0], STDIN_FILENO), STDIN_FILENO);
	tree = start_script("read x; echo $x; read y; echo $y");
	CHECK_EQ(write(input[1], "a\n", 2), 2);
	CHECK_EQ(hear(said, 2), 2);
	tree_release(&tree);
	CHECK_EQ(tree_turn(&tree), TREE_EMPTY);
	tree_close(&tree);
	CHECK_EQ(write(input[1], "b\n", 2), 2);
	CHECK_EQ(hear(said, 2), 2);
	CHECK_EQ(said[0], 'b');
	CHECK(is_deserted());
	fd_close(&life[0]);
	fd_close(&input[0]);
	fd_close(&input[1]);
}

static uint64_t
from_now(uint64_t ms)
{
	return clock_boot_ns() + ms * CLOCK_MS_NS;
}

/* Nothing happens meanwhile, and nobody would tell. */
static void
pass_until(uint64_t boot_ns)
{
	while (clock_boot_ns() < boot_ns)
		CHECK(fd_wait(-1, 0, clock_now_ns() + 10 * CLOCK_MS_NS) == 0);
}

static void
test_tree_ends_by_itself_at_its_time(void)
{
	struct tree tree = start_script("trap 'echo t; exit 4' TERM; echo a; "
					"while :; do tail -f /dev/null & "
					"wait $!; done");
	uint64_t start_ns = clock_boot_ns();
	char said[2];

	CHECK_EQ(hear(said, 2), 2);
	tree_until(&tree, from_now(100), UINT64_MAX);
	/* Told again in time. */
	tree_until(&tree, from_now(300), UINT64_MAX);
	/* What it started may be gone, too, when we look. */
	CHECK(tree_wait(&tree, TREE_ENDED, SOON) >= TREE_ENDED);
	CHECK(tree.is_stopping);
	CHECK_EQ(tree_code(&tree), 4);
	CHECK(clock_boot_ns() - start_ns >= 300 * CLOCK_MS_NS);
	CHECK_EQ(tree_wait(&tree, TREE_EMPTY, SOON), TREE_EMPTY);
	finish(&tree);
}

/* Nobody tells the keeper again: we may have been stopped. */
static void
test_tree_is_killed_at_its_time_whatever_its_grace(void)
{
	char shell[] = "sh", option[] = "-c", text[] = STUBBORN;
	char *argv[] = { shell, option, text, NULL };
	struct tree_command command;
	uint64_t start_ns = clock_boot_ns();
	struct tree tree;
	char said[4];

	CHECK_EQ(pipe2(life, O_CLOEXEC), 0);
	command = command_of(argv);
	command.grace_ns = 1000 * CLOCK_S_NS;
	command.stop_ns = start_ns + 200 * CLOCK_MS_NS;
	command.kill_ns = start_ns + 400 * CLOCK_MS_NS;
	if (!CHECK_EQ(tree_begin(&tree, &command), 0))
		return;
	fd_close(&life[1]);
	CHECK_EQ(hear(said, 4), 4);
	CHECK_EQ(tree_wait(&tree, TREE_EMPTY, SOON), TREE_EMPTY);
	CHECK(clock_boot_ns() - start_ns >= 400 * CLOCK_MS_NS);
	CHECK_EQ(tree_code(&tree), 128 + SIGKILL);
	CHECK(is_deserted());
	finish(&tree);
}

/* Stopped itself until after its time. */
static void
test_tree_ends_at_once_when_the_keeper_wakes_late(void)
{
	struct tree tree = start_script(STUBBORN);
	uint64_t late_ns = from_now(300);
	char said[4];

	CHECK_EQ(hear(said, 4), 4);
	kill(tree.keeper, SIGSTOP);
	tree_until(&tree, from_now(100), from_now(200));
	pass_until(late_ns);
	CHECK_EQ(tree_turn(&tree), TREE_RUNNING);
	kill(tree.keeper, SIGCONT);
	CHECK_EQ(tree_wait(&tree, TREE_EMPTY, SOON), TREE_EMPTY);
	finish(&tree);
}

/* And what it was told meanwhile counts. */
static void
test_tree_goes_on_when_its_time_was_moved_while_the_keeper_slept(void)
{
	struct tree tree = start_script(STUBBORN);
	uint64_t late_ns = from_now(200);
	char said[4];

	CHECK_EQ(hear(said, 4), 4);
	tree_until(&tree, from_now(100), from_now(150));
	kill(tree.keeper, SIGSTOP);
	tree_until(&tree, UINT64_MAX, UINT64_MAX);
	pass_until(late_ns);
	kill(tree.keeper, SIGCONT);
	CHECK_EQ(
	    tree_wait(&tree, TREE_ENDED, clock_now_ns() + 200 * CLOCK_MS_NS),
	    TREE_RUNNING);
	tree_stop(&tree, 0);
	CHECK_EQ(tree_wait(&tree, TREE_EMPTY, SOON), TREE_EMPTY);
	finish(&tree);
}

static void
test_tree_passes_signals_on(void)
{
	struct tree tree = start_script("trap 'echo u; exit 6' USR1; echo a; "
					"while :; do tail -f /dev/null & "
					"wait $!; done");
	char said[4];

	CHECK_EQ(hear(said, 2), 2);
	tree_signal(&tree, SIGUSR1);
	/* What it waited for was told, too. */
	CHECK(tree_wait(&tree, TREE_ENDED, SOON) >= TREE_ENDED);
	CHECK_EQ(tree_code(&tree), 6);
	CHECK(!tree.is_stopping);
	tree_stop(&tree, 0);
	CHECK_EQ(tree_wait(&tree, TREE_EMPTY, SOON), TREE_EMPTY);
	finish(&tree);
}

/* All of it, though nobody of ours is left to look for it. */
static void
test_tree_contained_dies_with_its_keeper(void)
{
	char shell[] = "sh", option[] = "-c", text[] = STUBBORN;
	char *argv[] = { shell, option, text, NULL };
	struct tree_command command;
	struct tree tree;
	char said[4];

	if (geteuid() != 0) {
		puts("skipped: needs root");
		return;
	}
	CHECK_EQ(pipe2(life, O_CLOEXEC), 0);
	command = command_of(argv);
	command.is_contained = true;
	if (!CHECK_EQ(tree_start(&tree, &command), 0))
		return;
	fd_close(&life[1]);
	if (CHECK_EQ(hear(said, 4), 4)) {
		kill(tree.keeper, SIGKILL);
		CHECK(is_deserted());
	}
	CHECK_EQ(tree_wait(&tree, TREE_EMPTY, SOON), TREE_EMPTY);
	CHECK(tree.is_lost);
	finish(&tree);
}

static void
test_tree_contained_sees_itself_alone(void)
{
	char shell[] = "sh", option[] = "-c",
	     text[] = "ls -d /proc/[0-9]*; (setsid tail -f /dev/null &); "
		      "exit 5";
	char *argv[] = { shell, option, text, NULL };
	struct tree_command command;
	struct tree tree;
	char said[64];

	if (geteuid() != 0) {
		puts("skipped: needs root");
		return;
	}
	CHECK_EQ(pipe2(life, O_CLOEXEC), 0);
	command = command_of(argv);
	command.is_contained = true;
	if (!CHECK_EQ(tree_start(&tree, &command), 0))
		return;
	fd_close(&life[1]);
	/* Process 1 and the shell. */
	CHECK_EQ(hear(said, 16), 16);
	CHECK_MEM(said, 16, "/proc/1\n/proc/2\n", 16);
	CHECK_EQ(tree_wait(&tree, TREE_ENDED, SOON), TREE_ENDED);
	CHECK_EQ(tree_code(&tree), 5);
	CHECK_EQ(tree_turn(&tree), TREE_ENDED);
	tree_stop(&tree, 1000 * CLOCK_S_NS);
	CHECK_EQ(tree_wait(&tree, TREE_EMPTY, SOON), TREE_EMPTY);
	CHECK(is_deserted());
	CHECK(!tree.is_lost);
	finish(&tree);
}

/* A process of somebody else, here of ours. */
static pid_t
start_stranger(int *pidfd)
{
	pid_t pid;
	char said[4];

	CHECK_EQ(pipe2(life, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		dup2(life[1], STDOUT_FILENO);
		execlp("sh", "sh", "-c",
		    "echo a; sh -c 'trap \"\" TERM; echo b;"
		    " exec tail -f /dev/null'",
		    (char *)NULL);
		_exit(1);
	}
	fd_close(&life[1]);
	CHECK_EQ(hear(said, 4), 4);
	*pidfd = child_open(pid);
	CHECK(*pidfd >= 0);
	return pid;
}

static void
test_tree_of_a_stranger(void)
{
	struct tree_command command = { .std = { -1, -1, -1 },
		.grace_ns = 100 * CLOCK_MS_NS };
	struct tree tree;
	int status;

	command.stranger = start_stranger(&command.stranger_fd);
	if (!CHECK_EQ(tree_begin(&tree, &command), 0))
		return;
	CHECK_EQ(tree_turn(&tree), TREE_RUNNING);
	/* It dies of TERM, what is below it does not. */
	tree_stop(&tree, 200 * CLOCK_MS_NS);
	CHECK_EQ(waitpid(command.stranger, &status, 0), command.stranger);
	CHECK_EQ(WTERMSIG(status), SIGTERM);
	CHECK_EQ(tree_turn(&tree) < TREE_EMPTY, 1);
	CHECK_EQ(tree_wait(&tree, TREE_EMPTY, SOON), TREE_EMPTY);
	CHECK(is_deserted());
	fd_close(&command.stranger_fd);
	finish(&tree);
}

static void
test_tree_of_a_stranger_ends_with_it(void)
{
	struct tree_command command = { .std = { -1, -1, -1 } };
	struct tree tree;

	command.stranger = start_stranger(&command.stranger_fd);
	if (!CHECK_EQ(tree_begin(&tree, &command), 0))
		return;
	CHECK_EQ(tree_turn(&tree), TREE_RUNNING);
	kill(command.stranger, SIGKILL);
	CHECK_EQ(waitpid(command.stranger, NULL, 0), command.stranger);
	CHECK_EQ(tree_wait(&tree, TREE_EMPTY, SOON), TREE_EMPTY);
	CHECK(!tree.is_lost);
	fd_close(&command.stranger_fd);
	/* What it left behind is its own affair. */
	CHECK_EQ(fd_wait(life[0], POLLIN, clock_now_ns()), 0);
	tree_signal_below(SIGKILL);
	finish(&tree);
}

/* Another process starts it and is killed. */
static void
test_tree_does_not_outlive_us(void)
{
	char said[4];
	pid_t us;

	CHECK_EQ(pipe2(life, O_CLOEXEC), 0);
	us = fork();
	if (us == 0) {
		struct tree tree = start_on_pipe(STUBBORN);

		for (;;)
			(void)tree_wait(&tree, TREE_EMPTY, UINT64_MAX);
	}
	fd_close(&life[1]);
	CHECK_EQ(hear(said, 4), 4);
	kill(us, SIGKILL);
	CHECK_EQ(waitpid(us, NULL, 0), us);
	CHECK(is_deserted());
	fd_close(&life[0]);
}

static void
test_tree_dies_with_its_keeper(void)
{
	struct tree tree = start_script("trap '' TERM; echo a; "
					"while :; do tail -f /dev/null; done");
	char said[2];

	CHECK_EQ(hear(said, 2), 2);
	kill(tree.keeper, SIGKILL);
	CHECK_EQ(tree_wait(&tree, TREE_EMPTY, SOON), TREE_EMPTY);
	CHECK_EQ(tree_code(&tree), EXITCODE_WRAPPER);
	CHECK(is_deserted());
	finish(&tree);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_tree_tells_how_the_command_ended),
		CHECK_TEST(test_tree_tells_what_cannot_be_started),
		CHECK_TEST(test_tree_gives_what_it_was_told_to),
		CHECK_TEST(
		    test_tree_is_not_empty_before_its_last_process_is_gone),
		CHECK_TEST(test_tree_ends_all_that_ignores_term),
		CHECK_TEST(test_tree_may_be_hurried),
		CHECK_TEST(test_tree_ends_what_is_stopped),
		CHECK_TEST(test_tree_leaves_alone_what_it_did_not_start),
		CHECK_TEST(test_tree_lets_go_what_was_left_behind),
		CHECK_TEST(test_tree_lets_the_command_go_on),
		CHECK_TEST(test_tree_ends_by_itself_at_its_time),
		CHECK_TEST(test_tree_is_killed_at_its_time_whatever_its_grace),
		CHECK_TEST(test_tree_ends_at_once_when_the_keeper_wakes_late),
		CHECK_TEST(
		    test_tree_goes_on_when_its_time_was_moved_while_the_keeper_slept),
		CHECK_TEST(test_tree_passes_signals_on),
		CHECK_TEST(test_tree_contained_dies_with_its_keeper),
		CHECK_TEST(test_tree_contained_sees_itself_alone),
		CHECK_TEST(test_tree_of_a_stranger),
		CHECK_TEST(test_tree_of_a_stranger_ends_with_it),
		CHECK_TEST(test_tree_does_not_outlive_us),
		CHECK_TEST(test_tree_dies_with_its_keeper),
	};

	return CHECK_MAIN(argc, argv, tests);
}
