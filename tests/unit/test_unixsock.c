/* SPDX-License-Identifier: BSD-3-Clause */
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/unixsock.h"

#include "tests/unit/check.h"

static char dir[] = "/tmp/test_unixsock.XXXXXX";
static char path[256];

static uint64_t
soon_ns(void)
{
	return clock_now_ns() + CLOCK_S_NS;
}

static void
test_unixsock_listen_gives_the_mode_and_takes_clients(void)
{
	struct unixsock sock;
	struct stat st;
	int client, server;

	CHECK_EQ(unixsock_listen(&sock, path, 0660, "no-such-group"), 0);

	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_mode & 0777, 0660);
	client = unixsock_connect(path, soon_ns());
	CHECK(client >= 0);
	server = unixsock_accept(sock.fd);
	CHECK(server >= 0);
	CHECK_EQ(unixsock_accept(sock.fd), -EAGAIN);

	fd_close(&client);
	fd_close(&server);
	unixsock_close(&sock);
	CHECK_EQ(stat(path, &st), -1);
}

static void
test_unixsock_listen_never_takes_a_live_socket(void)
{
	struct unixsock first, second;
	int client;

	CHECK_EQ(unixsock_listen(&first, path, 0600, NULL), 0);

	CHECK_EQ(unixsock_listen(&second, path, 0600, NULL), -EADDRINUSE);
	unixsock_close(&second);

	client = unixsock_connect(path, soon_ns());
	CHECK(client >= 0);
	fd_close(&client);
	unixsock_close(&first);
}

/* The lock alone would not show a listener that does not use it. */
static void
test_unixsock_listen_spares_a_live_socket_without_lock(void)
{
	struct unixsock first, second;
	char lock[300];

	CHECK_EQ(unixsock_listen(&first, path, 0600, NULL), 0);
	snprintf(lock, sizeof lock, "%s.lock", path);
	CHECK_EQ(unlink(lock), 0);

	CHECK_EQ(unixsock_listen(&second, path, 0600, NULL), -EADDRINUSE);
	unixsock_close(&first);
}

static void
test_unixsock_listen_replaces_a_dead_socket(void)
{
	struct unixsock sock;
	struct stat st;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		/* Ends without removing the name, as kill -9 does. */
		_exit(unixsock_listen(&sock, path, 0600, NULL) != 0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(stat(path, &st), 0);

	CHECK_EQ(unixsock_connect(path, soon_ns()), -ECONNREFUSED);
	CHECK_EQ(unixsock_listen(&sock, path, 0600, NULL), 0);
	unixsock_close(&sock);
}

/* Ends like one that was killed when it had just made a child. */
static void
die_with_a_child(void)
{
	const struct timespec while_it_ends = { .tv_nsec = 300000000 };
	struct unixsock sock;

	if (unixsock_listen(&sock, path, 0600, NULL) != 0)
		_exit(1);
	if (fork() == 0)
		nanosleep(&while_it_ends, NULL); /* no event: it is slow */
	_exit(0);
}

static void
test_unixsock_listen_waits_for_who_is_dying(void)
{
	struct unixsock sock;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		die_with_a_child();
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(status, 0);
	CHECK_EQ(unixsock_listen(&sock, path, 0600, NULL), 0);
	unixsock_close(&sock);
}

static void
test_unixsock_path_may_be_longer_than_sun_path(void)
{
	struct unixsock sock;
	char deep[400], name[600];
	int client;

	snprintf(deep, sizeof deep, "%s/%0100d", dir, 1);
	CHECK_EQ(mkdir(deep, 0700), 0);
	snprintf(name, sizeof name, "%s/ring.sock", deep);

	CHECK_EQ(unixsock_listen(&sock, name, 0600, NULL), 0);
	client = unixsock_connect(name, soon_ns());
	CHECK(client >= 0);

	fd_close(&client);
	unixsock_close(&sock);
	CHECK_EQ(unixsock_connect(name, soon_ns()), -ENOENT);
}

static void
test_unixsock_peer_knows_pid_uid_and_groups(void)
{
	struct unixsock sock;
	struct unixsock_peer peer;
	int client, server;

	CHECK_EQ(unixsock_listen(&sock, path, 0600, NULL), 0);
	client = unixsock_connect(path, soon_ns());
	server = unixsock_accept(sock.fd);

	CHECK_EQ(unixsock_peer(server, &peer), 0);

	CHECK_EQ(peer.pid, getpid());
	CHECK_EQ(peer.uid, getuid());
	CHECK(unixsock_peer_has_group(&peer, getgid()));
	CHECK(!unixsock_peer_has_group(&peer, 54321));
	fd_close(&client);
	fd_close(&server);
	unixsock_close(&sock);
}

static void
test_unixsock_inherit_obeys_pid_and_names(void)
{
	struct unixsock sock;
	char pid[32];

	snprintf(pid, sizeof pid, "%d", (int)getpid());
	CHECK_EQ(unixsock_inherit(&sock, "ring"), -ENOENT);

	setenv("LISTEN_PID", "1", 1);
	setenv("LISTEN_FDS", "2", 1);
	setenv("LISTEN_FDNAMES", "member:ring", 1);
	CHECK_EQ(unixsock_inherit(&sock, "ring"), -ENOENT);
	setenv("LISTEN_PID", pid, 1);
	CHECK(dup2(STDOUT_FILENO, 4) == 4);
	CHECK_EQ(unixsock_inherit(&sock, "ring"), 0);
	CHECK_EQ(sock.fd, 4);
	CHECK_EQ(unixsock_inherit(&sock, "quorum"), -ENOENT);
	CHECK_EQ(unixsock_inherit(&sock, "rin"), -ENOENT);

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(
		    test_unixsock_listen_gives_the_mode_and_takes_clients),
		CHECK_TEST(test_unixsock_listen_never_takes_a_live_socket),
		CHECK_TEST(
		    test_unixsock_listen_spares_a_live_socket_without_lock),
		CHECK_TEST(test_unixsock_listen_replaces_a_dead_socket),
		CHECK_TEST(test_unixsock_listen_waits_for_who_is_dying),
		CHECK_TEST(test_unixsock_path_may_be_longer_than_sun_path),
		CHECK_TEST(test_unixsock_peer_knows_pid_uid_and_groups),
		CHECK_TEST(test_unixsock_inherit_obeys_pid_and_names),
	};
	char command[300];
	int rc;

	if (mkdtemp(dir) == NULL)
		return 1;
	snprintf(path, sizeof path, "%s/ring.sock", dir);
	rc = CHECK_MAIN(argc, argv, tests);
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command) == 0 ? rc : 1;
}
