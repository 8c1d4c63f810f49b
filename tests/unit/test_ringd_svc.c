/* SPDX-License-Identifier: BSD-3-Clause */
/* A whole ringd, alone in its ring, in a child process; spoken to by hand. */
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/glob.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/box.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/log.h"
#include "libcommon/os/loop.h"

#include "bin/ringd/ringd.h"
#include "tests/unit/check.h"

static char dir[] = "/tmp/test_ringd_svc.XXXXXX";
static pid_t daemon_pid;

/* ---- the daemon -------------------------------------------------------- */

/* A port that nobody has right now. */
static unsigned
free_port(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		.sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof addr;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CHECK_EQ(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
	CHECK_EQ(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	fd_close(&fd);
	return ntohs(addr.sin_port);
}

static void
write_config(const char *path)
{
	FILE *file = fopen(path, "w");

	fprintf(file,
	    "[cluster]\nname = test\n[node one]\nid = 1\n"
	    "link0 = 127.0.0.1:%u\n[node two]\nid = 2\n"
	    "link0 = 127.0.0.2:%u\n",
	    free_port(), free_port());
	fclose(file);
}

static void
on_term(struct loop *loop, void *arg, int signo, uint64_t now_ns)
{
	(void)loop;
	(void)signo;
	ringd_leave(arg, now_ns);
}

static int
run_daemon(const struct cluster_conf *conf, const char *sock_path)
{
	static struct ringd ringd;
	struct box_keyring keys = { .count = 1, .id = { 1 } };
	struct ringd_plan plan = { .keys = &keys, .seed = 1 };
	char state[300], bytes[300];
	struct text why;
	int rc;

	ringd.conf = conf;
	ringd.scheduling = "other";
	text_init(&why, bytes, sizeof bytes);
	snprintf(state, sizeof state, "%s/state", dir);
	if (ringd_disk_open(&ringd.disk, state, &why) < 0 ||
	    ringd_disk_start(&ringd.disk) < 0 ||
	    unixsock_listen(&ringd.sock, sock_path, 0600, NULL) < 0 ||
	    !ringd_create(&ringd, &plan) || ringd_open(&ringd, &why) < 0 ||
	    loop_add_signal(ringd.loop, SIGTERM, on_term, &ringd) < 0) {
		fprintf(stderr, "%s\n", bytes);
		return 1;
	}
	rc = loop_run(ringd.loop);
	ringd_close(&ringd);
	return rc;
}

static bool
start_daemon(void)
{
	static struct cluster_conf conf;
	struct cluster_source source = { .node = "one" };
	char path[300], bytes[1000];
	struct text report;

	snprintf(path, sizeof path, "%s/ringkit.conf", dir);
	write_config(path);
	source.path = path;
	text_init(&report, bytes, sizeof bytes);
	if (!CHECK_EQ(cluster_read(&conf, &source, &report), 0))
		return false;
	snprintf(path, sizeof path, "%s/ring.sock", dir);
	daemon_pid = fork();
	if (daemon_pid == 0)
		_exit(run_daemon(&conf, path));
	return true;
}

/* ---- its clients ------------------------------------------------------- */

struct client {
	int fd;
	size_t start, end;
	char bytes[1 << 21];
};

static struct client a, b, c;

static uint64_t
soon_ns(void)
{
	return clock_now_ns() + 5 * CLOCK_S_NS;
}

/* The next line, "" when there is none in time, NULL when it is closed. */
static const char *
hear(struct client *client, uint64_t deadline_ns)
{
	for (;;) {
		char *line = client->bytes + client->start;
		char *lf = memchr(line, '\n', client->end - client->start);
		ssize_t n;

		if (lf != NULL) {
			*lf = '\0';
			client->start = (size_t)(lf + 1 - client->bytes);
			return line;
		}
		memmove(client->bytes, line, client->end - client->start);
		client->end -= client->start;
		client->start = 0;
		if (fd_wait(client->fd, POLLIN, deadline_ns) <= 0)
			return "";
		n = read(client->fd, client->bytes + client->end,
		    sizeof client->bytes - client->end);
		if (n <= 0)
			return NULL;
		client->end += (size_t)n;
	}
}

/* The next line is like that (a glob). */
static bool
expect(struct client *client, const char *pattern)
{
	const char *line = hear(client, soon_ns());

	if (line == NULL)
		line = "(closed)";
	if (glob_match(pattern, strlen(pattern), line, strlen(line)))
		return CHECK(true);
	fprintf(stderr, "expected %s\ngot      %s\n", pattern, line);
	return CHECK(line == NULL);
}

static void
say(struct client *client, const char *bytes)
{
	CHECK_EQ(fd_write_full(client->fd, bytes, strlen(bytes), soon_ns()), 0);
}

static void
open_client(struct client *client)
{
	char path[300];

	snprintf(path, sizeof path, "%s/ring.sock", dir);
	client->start = client->end = 0;
	do
		client->fd = unixsock_connect(path, soon_ns());
	while (client->fd == -ENOENT); /* it is being made */
	CHECK(client->fd >= 0);
	expect(client,
	    "ringkit proto=1 min=1 daemon=ringd version=** node=1 name=one "
	    "inc=* max_line=8192 max_data=1048576");
}

static void
close_client(struct client *client)
{
	fd_close(&client->fd);
}

/* ---- tests ------------------------------------------------------------- */

static void
test_ringd_svc_tells_one_order_and_answers_after_the_event(void)
{
	open_client(&a);
	say(&a,
	    "hello proto=1 name=me\nlisten members=yes group=o/*\n"
	    "join group=o/g\n#t pub group=o/g data=x\\0040y\n"
	    "pub group=o/g confirm=safe id=i.1 len=3\na\nb\n"
	    "pub group=other data=unheard\nleave group=o/g\n");

	expect(&a, "ok conn=* pid=* uid=*");
	expect(&a, "ok id=1");
	expect(&a, "ev 1 ready view=1.*");
	expect(&a,
	    "ev 1 group group=o/g view=1.* pos=1.*:*.* "
	    "members=1.*:*:*:me joined=1.*:join:*:*:me left=");
	expect(&a, "ok pos=1.*:*.*");
	expect(&a,
	    "ev 1 msg group=o/g node=1 inc=* conn=* mid=* svc=agreed "
	    "view=1.* phase=regular pos=1.*:*.* len=3");
	expect(&a, "x y");
	expect(&a, "#t ok pos=1.*:*.* phase=regular");
	expect(&a,
	    "ev 1 msg group=o/g node=1 inc=* conn=* mid=* svc=safe "
	    "view=1.* phase=regular pos=1.*:*.* id=i.1 len=3");
	expect(&a, "a");
	expect(&a, "b");
	expect(&a, "ok pos=1.*:*.* phase=regular");
	expect(&a, "ok pos=1.*:*.* phase=regular");
	expect(&a,
	    "ev 1 group group=o/g view=1.* pos=1.*:*.* members= "
	    "joined= left=1.*:leave:*:*:me");
	expect(&a, "ok pos=1.*:*.*");
	close_client(&a);
}

static void
test_ringd_svc_refuses_bad_requests_in_their_place(void)
{
	static const char *const cases[][2] = {
		{ "pub data=x", "err code=usage n=64 msg=group:**" },
		{ "pub group= data=x", "err code=usage n=64 msg=group:**" },
		{ "pub group=g", "err code=usage **" },
		{ "pub group=g data=x confirm=maybe", "err code=usage **" },
		{ "pub group=g data=x if_view=7", "err code=usage **" },
		{ "pub group=g data=x nowait=y", "err code=usage **" },
		{ "pub group=g data=x id=a\\0040b", "err code=usage **" },
		{ "pub group=g data=x if_view=9.9", "no code=view view=1.*" },
		{ "leave group=g", "no code=notmember" },
		{ "attach conn=9999", "no code=notfound" },
		{ "attach", "err code=usage **" },
		{ "hello proto=2", "err code=version n=76 **" },
		{ "listen id=0", "err code=usage **" },
		{ "listen group=a\\x", "err code=usage **" },
		{ "listen members=perhaps", "err code=usage **" },
		{ "views tick=1", "err code=usage **" },
		{ "drop peer=1 for=1s", "err code=usage **" },
		{ "drop peer=two for=2h", "err code=usage **" },
		{ "drop peer=two dir=up for=1s", "err code=usage **" },
		{ "drop peer=two dir=in for=10ms", "ok left_ms=10" },
		{ "groups", "ok n=0 view=1.*" },
	};

	open_client(&a);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		/* Behind one that has to be ordered first. */
		say(&a, "pub group=g data=first\n");
		say(&a, cases[i][0]);
		say(&a, "\nping\n");
		check_case(cases[i][0]);
		expect(&a, "ok pos=1.*:*.* phase=regular");
		expect(&a, cases[i][1]);
		expect(&a, "ok");
	}
	check_case(NULL);
	close_client(&a);
}

static void
test_ringd_svc_membership_follows_the_connection(void)
{
	open_client(&a);
	open_client(&b);
	say(&b, "join group=g name=a\\0054b\njoin group=g\n");
	expect(&b, "ok pos=**");
	expect(&b, "no code=member");
	say(&a, "listen group=g members=yes\ngroups\n");
	expect(&a, "ok id=1");
	expect(&a,
	    "ev 1 exists group=g node=1 conn=* inc=* pid=* uid=* "
	    "name=a,b");
	expect(&a, "ev 1 ready view=1.*");
	expect(&a, "item group=g members=1.*:*:*:a**0054b");
	expect(&a, "ok n=1 view=1.*");

	close_client(&b);
	expect(&a,
	    "ev 1 group group=g view=1.* pos=** members= joined= "
	    "left=1.*:procdown:*:*:a**0054b");
	close_client(&a);
}

static void
test_ringd_svc_attached_connection_speaks_for_the_other(void)
{
	char line[100], conn[20] = "";

	open_client(&a);
	open_client(&b);
	say(&a, "hello\n");
	CHECK_EQ(sscanf(hear(&a, soon_ns()), "ok conn=%19s", conn), 1);
	say(&a, "listen group=g members=yes\n");
	expect(&a, "ok id=1");
	expect(&a, "ev 1 ready **");
	snprintf(line, sizeof line, "attach conn=%s\njoin group=g\n", conn);
	say(&b, line);
	snprintf(line, sizeof line, "ok conn=%s", conn);
	expect(&b, line);
	expect(&b, "ok pos=**");
	snprintf(line, sizeof line, "ev 1 group ** members=1.%s:**", conn);
	expect(&a, line);

	close_client(&a);
	CHECK(hear(&b, soon_ns()) == NULL);
	close_client(&b);
}

/* Its at_ms. */
static uint64_t
expect_tick(struct client *client)
{
	static const char pattern[] =
	    "ev 7 tick view=1.* state=operational token_age_ms=* at_ms=*";
	const char *line = hear(client, soon_ns());

	if (!CHECK(line != NULL) ||
	    !CHECK(glob_match(pattern, sizeof pattern - 1, line, strlen(line))))
		return 0;
	return strtoull(strstr(line, "at_ms=") + 6, NULL, 10);
}

static void
test_ringd_svc_views_tell_the_state_and_tick(void)
{
	uint64_t last_ns, last_ms = 0;

	open_client(&a);
	say(&a, "views id=7 tick=yes\n");
	expect(&a, "ok id=7");
	expect(&a, "ev 7 exists node=1 name=one state=member inc=* local=yes");
	expect(&a, "ev 7 exists node=2 name=two state=absent inc=0 local=no");
	expect(&a, "ev 7 ready view=1.* members=1 inc=*");
	last_ns = clock_now_ns();
	for (int i = 0; i < 5; i++) {
		uint64_t at_ms = expect_tick(&a);

		CHECK(at_ms > last_ms);
		CHECK(at_ms <= clock_boot_ns() / CLOCK_MS_NS);
		last_ms = at_ms;
		/* 100 ms, and what a busy machine may add. */
		CHECK(clock_boot_ns() / CLOCK_MS_NS - at_ms < 400);
		CHECK(clock_now_ns() - last_ns < 400 * CLOCK_MS_NS);
		last_ns = clock_now_ns();
	}
	close_client(&a);
}

/* More than may be under way at once, and all are answered, in order. */
static void
test_ringd_svc_pipelined_messages_keep_their_order(void)
{
	enum { COUNT = 6000 };
	static char batch[COUNT * 40];
	size_t len = 0;
	int heard = 0, answered = 0;

	open_client(&b);
	say(&b, "listen group=p\n");
	expect(&b, "ok id=1");
	expect(&b, "ev 1 ready **");
	open_client(&a);
	for (int i = 0; i < COUNT; i++)
		len += (size_t)sprintf(
		    batch + len, "#%d pub group=p data=%d\n", i, i);
	say(&a, batch);
	while (answered < COUNT) {
		char want[40];

		snprintf(want, sizeof want, "#%d ok pos=**", answered++);
		if (!expect(&a, want))
			break;
	}
	while (heard < COUNT) {
		char want[40];

		snprintf(want, sizeof want, "%d", heard++);
		if (!expect(&b, "ev 1 msg group=p **") || !expect(&b, want))
			break;
	}
	close_client(&a);
	close_client(&b);
}

static void
test_ringd_svc_largest_message_passes_whole(void)
{
	static char body[(1 << 20) + 3];

	open_client(&a);
	open_client(&b);
	memset(body, 'm', sizeof body - 1);
	body[1 << 20] = '\n';
	body[(1 << 20) + 1] = '\0';
	say(&a, "listen group=big\n");
	expect(&a, "ok id=1");
	expect(&a, "ev 1 ready **");
	say(&b, "pub group=big len=1048576\n");
	say(&b, body);
	expect(&b, "ok pos=** phase=regular");
	expect(&a, "ev 1 msg group=big ** len=1048576");
	CHECK_EQ(strlen(hear(&a, soon_ns())), 1 << 20);

	/* The daemons' own groups have some more room, others have not. */
	body[1 << 20] = 'm';
	body[(1 << 20) + 1] = '\n';
	say(&b, "pub group=big len=1048577\n");
	say(&b, body);
	expect(&b, "err code=toolong n=65 **1048576");
	say(&b, "pub group=ringkit/big len=1048577\n");
	say(&b, body);
	expect(&b, "ok pos=** phase=regular");
	say(&b, "pub group=big len=1050625\n");
	expect(&b, "err code=toolong n=65 **");
	CHECK(hear(&b, soon_ns()) == NULL);
	close_client(&a);
	close_client(&b);
}

/* One reader takes a gap, the other would rather lose its connection. */
static void
test_ringd_svc_slow_readers_get_a_gap_or_the_end(void)
{
	static char body[60002];
	const char *line;
	bool has_gap = false;

	open_client(&a);
	open_client(&b);
	open_client(&c);
	say(&a, "listen group=s members=yes\n");
	say(&b, "listen group=s lossless=yes\n");
	memset(body, 's', sizeof body - 2);
	body[sizeof body - 2] = '\n';
	for (int i = 0; i < 200; i++) {
		say(&c, "pub group=s len=60000\n");
		say(&c, body);
		if (!expect(&c, "ok pos=**"))
			return;
	}
	while (!has_gap) {
		line = hear(&a, soon_ns());
		if (!CHECK(line != NULL && *line != '\0'))
			break;
		has_gap = strncmp(line, "ev 1 gap lost=", 14) == 0;
	}
	expect(&a, "ev 1 ready view=1.*");
	say(&c, "pub group=s data=after\n");
	expect(&a, "ev 1 msg group=s ** len=5");
	expect(&a, "after");

	do
		line = hear(&b, soon_ns());
	while (line != NULL && strncmp(line, "err ", 4) != 0);
	CHECK(line != NULL && strncmp(line, "err code=slow n=75", 18) == 0);
	CHECK(hear(&b, soon_ns()) == NULL);
	close_client(&a);
	close_client(&b);
	close_client(&c);
}

static void
test_ringd_svc_status_and_stats_are_whole(void)
{
	const char *line;
	uint64_t items = 0;
	char want[40];

	open_client(&a);
	say(&a, "#s status\n");
	expect(&a, "#s item kind=ring state=operational view=1.* members=1 **");
	expect(&a, "#s item kind=node node=1 name=one state=member **");
	expect(&a, "#s item kind=node node=2 name=two state=absent **");
	expect(&a,
	    "#s item kind=link node=2 link=0 addr=127.0.0.2:* "
	    "state=down **");
	expect(&a, "#s item kind=local link=0 addr=127.0.0.1:* state=* **");
	expect(&a, "#s item kind=config digest=* reloads=0 nodes=2");
	expect(&a, "#s item kind=key id=1 active=yes fingerprint=*");
	expect(&a,
	    "#s item kind=detect preset=lan health=* heartbeat_ms=* "
	    "suspect_min_ms=100 suspect_max_ms=400 **");
	expect(&a, "#s item kind=process version=* pid=* **");
	expect(&a, "#s item kind=client conn=* **");
	expect(&a, "#s ok n=10");
	say(&a, "stats\n");
	while (strncmp(line = hear(&a, soon_ns()), "item name=", 10) == 0)
		items++;
	snprintf(want, sizeof want, "ok n=%llu", (unsigned long long)items);
	CHECK_STR(line, want);
	CHECK(items > 60);
	close_client(&a);
}

/* Comes last. */
static void
test_ringd_svc_leaves_when_told_and_says_why(void)
{
	int status = -1;

	open_client(&a);
	CHECK_EQ(kill(daemon_pid, SIGTERM), 0);
	expect(&a, "err code=leaving n=69 **");
	CHECK(hear(&a, soon_ns()) == NULL);
	CHECK_EQ(waitpid(daemon_pid, &status, 0), daemon_pid);
	CHECK_EQ(status, 0);
	close_client(&a);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(
		    test_ringd_svc_tells_one_order_and_answers_after_the_event),
		CHECK_TEST(test_ringd_svc_refuses_bad_requests_in_their_place),
		CHECK_TEST(test_ringd_svc_membership_follows_the_connection),
		CHECK_TEST(
		    test_ringd_svc_attached_connection_speaks_for_the_other),
		CHECK_TEST(test_ringd_svc_views_tell_the_state_and_tick),
		CHECK_TEST(test_ringd_svc_pipelined_messages_keep_their_order),
		CHECK_TEST(test_ringd_svc_largest_message_passes_whole),
		CHECK_TEST(test_ringd_svc_slow_readers_get_a_gap_or_the_end),
		CHECK_TEST(test_ringd_svc_status_and_stats_are_whole),
		CHECK_TEST(test_ringd_svc_leaves_when_told_and_says_why),
	};
	char command[300];
	int rc;

	if (mkdtemp(dir) == NULL || box_init() < 0)
		return 1;
	log_open(STDERR_FILENO, LOG_LEVEL_ERROR);
	if (!start_daemon())
		return 1;
	rc = CHECK_MAIN(argc, argv, tests);
	kill(daemon_pid, SIGKILL);
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	return system(command) == 0 ? rc : 1;
}
