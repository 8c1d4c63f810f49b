/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/text.h"
#include "libcommon/os/acl.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/conf.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/svc.h"
#include "libcommon/os/unixsock.h"

#include "bin/ringd/ringd_conf.h"
#include "tests/unit/check.h"

static char path[] = "/tmp/test_cluster.XXXXXX";
static struct cluster_conf conf;
static char report[8192];

#define CLUSTER "[cluster]\nname = prod\nkey_file = /k\n"
#define ALPHA \
	"[node alpha]\nid = 7\nlink0 = 192.0.2.1\nlink1 = [2001:db8::1]:99\n"
#define BETA "[node beta]\nid = 2\nlink0 = 192.0.2.2:77\nlink1 = 198.51.100.2\n"

/* Reads a file of that text; the report is without the file's name. */
static int
read_conf(const char *text, const char *node)
{
	static char full[8192];
	FILE *file = fopen(path, "w");
	struct text out;
	int rc;

	CHECK_EQ(fputs(text, file) >= 0, true);
	fclose(file);
	text_init(&out, full, sizeof full);
	rc = cluster_read(&conf,
	    &(struct cluster_source){ path, node, ringd_conf_check }, &out);
	report[0] = '\0';
	for (char *line = strtok(full, "\n"); line != NULL;
	     line = strtok(NULL, "\n"))
		strcat(strcat(report, line + strlen(path)), "\n");
	return rc;
}

static const char *
addr_text(uint32_t node, uint32_t link)
{
	static char bytes[UDP_ADDR_TEXT_BYTES];
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	udp_addr_text(&conf.nodes[node].link[link], &out);
	return bytes;
}

static void
test_cluster_reads_nodes_by_id_with_default_ports(void)
{
	CHECK_EQ(
	    read_conf(CLUSTER ALPHA BETA "votes = 3\n"
					 "[ring]\nport = 6000\n"
					 "message_bytes_max = 2MiB\n"
					 "token = 300ms\nwindow = auto\n"
					 "link_mode = rr\nlink7_priority = 9\n"
					 "[member]\nwhatever = 1\n"
					 "[log]\nlevel = debug\n",
		"alpha"),
	    0);
	CHECK_STR(report, "");
	CHECK_STR(conf.cluster, "prod");
	CHECK_STR(conf.key_file, "/k");
	CHECK_EQ(conf.node_count, 2);
	CHECK_EQ(conf.link_count, 2);
	CHECK_EQ(conf.nodes[0].id, 2);
	CHECK_EQ(conf.nodes[0].votes, 3);
	CHECK_EQ(conf.nodes[1].votes, 1);
	CHECK_STR(conf.nodes[conf.self].name, "alpha");
	CHECK_STR(addr_text(0, 0), "192.0.2.2:77");
	CHECK_STR(addr_text(0, 1), "198.51.100.2:6001");
	CHECK_STR(addr_text(1, 0), "192.0.2.1:6000");
	CHECK_STR(addr_text(1, 1), "[2001:db8::1]:99");
	CHECK_EQ(conf.ring.message_bytes_max, 2 << 20);
	CHECK_EQ(conf.ring.token_loss_ns, UINT64_C(300000000));
	CHECK_EQ(conf.ring.link_mode, 2);
	CHECK_EQ(conf.ring.link_priority[0], 0);
	CHECK_EQ(conf.ring.link_priority[7], 9);
	CHECK_EQ(conf.log_level, LOG_LEVEL_DEBUG);
	CHECK_EQ(cluster_find(&conf, "beta"), 0);
	CHECK_EQ(cluster_find(&conf, "7"), 1);
	CHECK_EQ(cluster_find(&conf, "8"), -1);
}

static void
test_cluster_finds_itself_by_address(void)
{
	CHECK_EQ(read_conf("[cluster]\nname=x\n"
			   "[node a]\nid=1\nlink0=192.0.2.1\n"
			   "[node b]\nid=2\nlink0=127.0.0.1\n",
		     NULL),
	    0);
	CHECK_STR(conf.nodes[conf.self].name, "b");
	CHECK_EQ(read_conf("[cluster]\nname=x\n"
			   "[node a]\nid=1\nlink0=127.0.0.2\n"
			   "[node b]\nid=2\nlink0=127.0.0.1\n",
		     NULL),
	    CONF_E_INVALID);
	CHECK_STR(report,
	    ": 2 nodes have addresses of this machine, expected one, or "
	    "--node NAME\n");
	CHECK_EQ(
	    read_conf(
		"[cluster]\nname=x\n[node a]\nid=1\nlink0=192.0.2.1\n", NULL),
	    CONF_E_INVALID);
	CHECK_EQ(read_conf(CLUSTER ALPHA, "gamma"), CONF_E_INVALID);
	CHECK_STR(
	    report, ": no [node gamma], expected the --node of this file\n");
}

static void
test_cluster_tells_every_mistake(void)
{
	CHECK_EQ(read_conf("[cluster]\n"
			   "nmae = x\n"
			   "[node 12]\n"
			   "[node a]\n"
			   "id = 0\n"
			   "link1 = 192.0.2.1\n"
			   "link0 = example.org\n"
			   "[node b]\n"
			   "id = 2\n"
			   "link0 = 192.0.2.1\n"
			   "link0 = 192.0.2.9\n"
			   "[node b]\n"
			   "[node c]\n"
			   "id = 2\n"
			   "link0 = 192.0.2.1\n"
			   "linkx = 1\n"
			   "[rnig]\n"
			   "port = x\n"
			   "[ring]\n"
			   "transport = pigeon\n"
			   "[acl]\n"
			   "write = *\n"
			   "pub a = user:no-such-user-here, everybody\n",
		     NULL),
	    CONF_E_INVALID);
	CHECK_STR(report,
	    ":2: warning: nmae: unknown key\n"
	    ":3: [node 12]: expected a name of A-Z a-z 0-9 . _ -, at most "
	    "63, not all digits\n"
	    ":5: id = 0: expected a number from 1 to 65535\n"
	    ":6: link1: expected link0 first\n"
	    ":7: link0 = example.org: expected an address, ADDR:PORT or "
	    "[V6]:PORT\n"
	    ":11: link0: given twice, expected once\n"
	    ":12: [node b]: given twice, also in line 8, expected once\n"
	    ":16: linkx: expected link0 to link7\n"
	    ":17: [rnig]: expected [cluster], [node NAME], [ring], "
	    "[quorum], [store], [acl] or [log]\n"
	    ":20: transport = pigeon: expected unicast or multicast\n"
	    ":22: [acl] write: expected read, admin, vote, pub GLOB, cfg-read "
	    "GLOB or cfg-write GLOB\n"
	    ":23: [acl] pub a: \"user:no-such-user-here\": not known on this "
	    "machine, expected a name that is, or a number\n"
	    ":23: [acl] pub a: \"everybody\": expected *, user:NAME or "
	    "group:NAME\n"
	    ": no cluster name, expected [cluster] name = NAME\n"
	    ":13: [node c]: id 2 is that of [node b], expected another\n"
	    ":13: [node c] link0: the address of [node b] link0, expected "
	    "another\n");
}

/* Bound to, they would hear others' datagrams; sent to, nobody would answer. */
static void
test_cluster_addresses_are_of_one_machine(void)
{
	static const char *const bad[] = { "0.0.0.0", "224.0.0.1",
		"239.1.2.3:9", "255.255.255.255", "::", "[ff15::1]:9" };
	char file[200], want[200];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		snprintf(file, sizeof file,
		    "[cluster]\nname = x\n[node a]\nid = 1\nlink0 = %s\n",
		    bad[i]);
		snprintf(want, sizeof want,
		    ":5: link0 = %s: expected the address of one machine\n",
		    bad[i]);
		CHECK_EQ(read_conf(file, ""), CONF_E_INVALID);
		CHECK_STR(report, want);
	}
}

/* A mistake is told once: not again by what rests on the line. */
static void
test_cluster_tells_nothing_that_only_follows(void)
{
	static const char nodes[] =
	    "[cluster]\nname = x\n"
	    "[node a]\nid = 1\nlink0 = 192.0.2.1\nlink1 = 198.51.100.1\n"
	    "[node b]\n%s\n%s\nlink1 = 198.51.100.2\n"
	    "[ring]\nlink1_mcast = 239.0.0.1\n"
	    "[quorum]\ntwo_node = yes\nauto_tie_breaker_node = 2\n";
	static const struct {
		const char *id, *link0, *want;
	} cases[] = {
		{ "id = two", "link0 = 192.0.2.2",
		    ":8: id = two: expected a number from 1 to 65535\n" },
		{ "id = 2", "link0 = here",
		    ":9: link0 = here: expected an address, ADDR:PORT or "
		    "[V6]:PORT\n" },
		{ "id = 2\nvotes = 70000", "link0 = 192.0.2.2",
		    ":9: votes = 70000: expected a number from 0 to 65535\n" },
		{ "id = 2", "link0 = 192.0.2.2\n[cluster",
		    ":10: [cluster: expected [section]\n"
		    ":7: [node b]: 1 links, expected as many as [node a] has"
		    "\n" },
	};
	char file[500];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		snprintf(file, sizeof file, nodes, cases[i].id, cases[i].link0);
		CHECK_EQ(read_conf(file, ""), CONF_E_INVALID);
		CHECK_STR(report, cases[i].want);
	}
}

/* Nor does what stands below a header that nobody understands. */
static void
test_cluster_broken_header_hides_its_section(void)
{
	CHECK_EQ(read_conf("[cluster]\nname =\n"
			   "[node a]\nid = 1\nlink0 = 192.0.2.1\n"
			   "[node b\nid = 2\nlink0 = 192.0.2.2\n"
			   "[node c] d\nid = 3\nlink0 = 192.0.2.3\n"
			   "[quorum]\ntwo_node = yes\n",
		     ""),
	    CONF_E_INVALID);
	CHECK_STR(report,
	    ":2: name = : expected 1 to 63 bytes\n"
	    ":6: [node b: expected [section]\n"
	    ":9: [node c] d: expected [section]\n");
	CHECK_EQ(read_conf("[cluster]\nname = x\n[node 1]\nid = 1\n", ""),
	    CONF_E_INVALID);
	CHECK_STR(report,
	    ":3: [node 1]: expected a name of A-Z a-z 0-9 . _ -, at most 63, "
	    "not all digits\n");
}

static void
test_cluster_empty_file_says_what_is_missing(void)
{
	CHECK_EQ(read_conf("", NULL), CONF_E_INVALID);
	CHECK_STR(report,
	    ": no cluster name, expected [cluster] name = NAME\n"
	    ": no nodes, expected [node NAME]\n");
	CHECK_EQ(
	    cluster_read(&conf,
		&(struct cluster_source){ "/nonexistent", NULL, NULL }, NULL),
	    -ENOENT);
}

static void
test_cluster_relative_key_file_lies_beside_the_file(void)
{
	CHECK_EQ(read_conf("[cluster]\nname=x\nkey_file=key\n" ALPHA, "7"), 0);
	CHECK_STR(conf.key_file, "/tmp/key");
	CHECK_EQ(read_conf("[cluster]\nname=x\n" ALPHA, "7"), 0);
	CHECK_STR(conf.key_file, "/etc/ringkit/key");
}

/* What the nodes tell each other before a ring must fit into few datagrams. */
static void
test_cluster_wants_longer_frames_for_many_nodes(void)
{
	static char text[8192];
	size_t len = (size_t)snprintf(
	    text, sizeof text, "[cluster]\nname=x\n[ring]\nframe_bytes=548\n");

	for (int id = 1; id <= 64; id++) {
		if (id == 50)
			CHECK_EQ(read_conf(text, "n1"), 0);
		len += (size_t)snprintf(text + len, sizeof text - len,
		    "[node n%d]\nid=%d\nlink0=192.0.2.%d\n", id, id, id);
	}
	CHECK_EQ(read_conf(text, "n1"), CONF_E_INVALID);
	CHECK_STR(report,
	    ": [ring] frame_bytes: 548, expected at least 684 for 64 nodes\n");
}

static void
test_cluster_hash_covers_what_must_agree(void)
{
	uint64_t hash;

	CHECK_EQ(read_conf(CLUSTER ALPHA, "7"), 0);
	hash = ringd_conf_hash(&conf);
	CHECK_EQ(read_conf(CLUSTER ALPHA BETA "[ring]\ntoken=1s\n", "7"), 0);
	CHECK_EQ(ringd_conf_hash(&conf), hash);
	CHECK_EQ(
	    read_conf(CLUSTER ALPHA "[ring]\nmessage_bytes_max=2MiB\n", "7"),
	    0);
	CHECK(ringd_conf_hash(&conf) != hash);
	CHECK_EQ(read_conf(CLUSTER ALPHA "[ring]\nframe_bytes=1300\n", "7"), 0);
	CHECK(ringd_conf_hash(&conf) != hash);
	CHECK_EQ(read_conf("[cluster]\nname=y\n" ALPHA, "7"), 0);
	CHECK(ringd_conf_hash(&conf) != hash);
}

/* ---- [acl] ------------------------------------------------------------- */

enum { JOE = 4001, ANN = 4002, OPS = 5001 };

static bool
may_publish(uint32_t uid, uint32_t gid, const char *group)
{
	struct unixsock_peer peer = { .uid = uid, .gid = gid };

	return acl_may_publish(&conf, &peer, group, strlen(group));
}

static uint32_t
rights(uint32_t uid, uint32_t gid)
{
	struct unixsock_peer peer = {
		.uid = uid, .gid = 1, .group_count = 1, .groups = { gid }
	};

	return acl_rights(&conf, &peer);
}

static void
test_acl_without_rules_lets_all_but_administer(void)
{
	CHECK_EQ(read_conf(CLUSTER ALPHA, "7"), 0);
	CHECK_EQ(rights(JOE, 1), SVC_RIGHT_READ | SVC_RIGHT_WRITE);
	CHECK_EQ(rights(0, 0), SVC_RIGHT_ALL);
	CHECK_EQ(rights(geteuid(), 1), SVC_RIGHT_ALL);
	CHECK_EQ(rights(65534, 1), SVC_RIGHT_READ);
	CHECK(may_publish(JOE, 1, "any/thing"));
}

/* Where the daemons agree, whatever the file says. */
static void
test_acl_keeps_the_groups_of_the_daemons(void)
{
	CHECK_EQ(read_conf(CLUSTER ALPHA, "7"), 0);
	CHECK(!may_publish(JOE, 1, "ringkit/member"));
	CHECK(!may_publish(JOE, 1, "ringkit/a/b"));
	CHECK(may_publish(JOE, 1, "ringkit"));
	CHECK(may_publish(JOE, 1, "ringkitten/a"));
	CHECK(may_publish(0, 1, "ringkit/member"));
	CHECK_EQ(read_conf(CLUSTER ALPHA "[acl]\n"
					 "pub ringkit/** = *\n"
					 "pub ** = *\n"
					 "admin = user:4002\n",
		     "7"),
	    0);
	CHECK(!may_publish(JOE, 1, "ringkit/member"));
	CHECK(may_publish(JOE, 1, "any/thing"));
	CHECK(may_publish(ANN, 1, "ringkit/member"));
}

static void
test_acl_lets_vote_whom_it_names_or_who_administers(void)
{
	CHECK_EQ(read_conf(CLUSTER ALPHA "[acl]\n"
					 "vote = user:4001\n"
					 "admin = user:4002\n",
		     "7"),
	    0);
	CHECK_EQ(
	    rights(JOE, 1), SVC_RIGHT_READ | SVC_RIGHT_WRITE | SVC_RIGHT_VOTE);
	CHECK_EQ(rights(ANN, 1), SVC_RIGHT_ALL);
	CHECK_EQ(rights(ANN + 1, 1), SVC_RIGHT_READ | SVC_RIGHT_WRITE);
}

static void
test_acl_rules_name_users_and_groups(void)
{
	CHECK_EQ(read_conf(CLUSTER ALPHA "[acl]\n"
					 "read = user:4001, group:5001\n"
					 "admin = group:5001\n"
					 "pub deploy/* = user:4001\n"
					 "pub ** = group:5001\n",
		     "7"),
	    0);
	CHECK_EQ(rights(JOE, 1), SVC_RIGHT_READ | SVC_RIGHT_WRITE);
	CHECK_EQ(rights(ANN, OPS), SVC_RIGHT_ALL);
	CHECK_EQ(rights(ANN, 1), 0);
	CHECK(may_publish(JOE, 1, "deploy/web"));
	CHECK(!may_publish(JOE, 1, "deploy/web/1"));
	CHECK(!may_publish(JOE, 1, "drbd"));
	CHECK(may_publish(ANN, OPS, "drbd"));
	CHECK(!may_publish(ANN, 1, "deploy/web"));
	CHECK(may_publish(0, 1, "drbd"));
}

/* ---- keys -------------------------------------------------------------- */

static bool
may_use(uint32_t uid, uint32_t right, const char *key)
{
	struct unixsock_peer peer = { .uid = uid, .gid = 1 };

	return acl_may_use_key(&conf, &peer, right, key, strlen(key));
}

static bool
may_write_all(uint32_t uid, const char *prefix)
{
	struct unixsock_peer peer = { .uid = uid, .gid = 1 };

	return acl_may_use_prefix(
	    &conf, &peer, CLUSTER_RIGHT_CFG_WRITE, prefix, strlen(prefix));
}

static void
test_acl_without_rules_keeps_only_our_own_keys(void)
{
	CHECK_EQ(read_conf(CLUSTER ALPHA, "7"), 0);
	CHECK(may_use(JOE, CLUSTER_RIGHT_CFG_READ, "app/a"));
	CHECK(may_use(JOE, CLUSTER_RIGHT_CFG_WRITE, "app/a"));
	CHECK(may_use(65534, CLUSTER_RIGHT_CFG_READ, "app/a"));
	CHECK(!may_use(65534, CLUSTER_RIGHT_CFG_WRITE, "app/a"));
	CHECK(!may_use(JOE, CLUSTER_RIGHT_CFG_READ, "ringkit/a"));
	CHECK(!may_use(JOE, CLUSTER_RIGHT_CFG_WRITE, "ringkit/a/b"));
	CHECK(may_use(0, CLUSTER_RIGHT_CFG_WRITE, "ringkit/a"));
	CHECK(may_write_all(JOE, "app/"));
	CHECK(!may_write_all(JOE, "ringkit/a"));
	CHECK(!may_write_all(JOE, "ring"));
	CHECK(!may_write_all(JOE, ""));
}

static void
test_acl_gives_keys_to_whom_it_names(void)
{
	CHECK_EQ(read_conf(CLUSTER ALPHA "[acl]\n"
					 "pub chat = user:4001\n"
					 "cfg-write app/** = user:4001\n"
					 "cfg-write lock/*/x = user:4001\n"
					 "cfg-read secret/** = user:4001\n"
					 "cfg-read app/** = *\n",
		     "7"),
	    0);
	CHECK(may_use(JOE, CLUSTER_RIGHT_CFG_WRITE, "app/a/b"));
	CHECK(may_use(JOE, CLUSTER_RIGHT_CFG_WRITE, "lock/a/x"));
	CHECK(!may_use(JOE, CLUSTER_RIGHT_CFG_WRITE, "lock/a/y"));
	CHECK(!may_use(ANN, CLUSTER_RIGHT_CFG_WRITE, "app/a"));
	CHECK(may_use(ANN, CLUSTER_RIGHT_CFG_READ, "app/a"));
	CHECK(!may_use(ANN, CLUSTER_RIGHT_CFG_READ, "secret/a"));
	CHECK(may_use(JOE, CLUSTER_RIGHT_CFG_READ, "secret/a"));
	CHECK(may_use(0, CLUSTER_RIGHT_CFG_WRITE, "other"));
	CHECK(may_write_all(JOE, "app/b"));
	CHECK(!may_write_all(JOE, "ap"));
	CHECK(!may_write_all(JOE, "lock/a/x"));
	CHECK(!may_write_all(ANN, "app/b"));
	CHECK(may_write_all(0, ""));
}

/* Each with the line and the key that it is of. */
static void
test_acl_tells_which_name_is_wrong(void)
{
	CHECK_EQ(read_conf(CLUSTER ALPHA "[acl]\n"
					 "read = user:4001 user:4002\n"
					 "vote =\n"
					 "pub = *\n"
					 "cfg-read \\x = *\n"
					 "cfg-write a = *, group:no-such-one\n",
		     "7"),
	    CONF_E_INVALID);
	CHECK_STR(report,
	    ":9: [acl] read: \"user:4001 user:4002\": not known on this "
	    "machine, expected a name that is, or a number\n"
	    ":10: [acl] vote: \"\": expected *, user:NAME or group:NAME\n"
	    ":11: [acl] pub: expected read, admin, vote, pub GLOB, cfg-read "
	    "GLOB or cfg-write GLOB\n"
	    ":12: [acl] cfg-read \\x: expected read, admin, vote, pub GLOB, "
	    "cfg-read GLOB or cfg-write GLOB\n"
	    ":13: [acl] cfg-write a: \"group:no-such-one\": not known on "
	    "this machine, expected a name that is, or a number\n");
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_cluster_reads_nodes_by_id_with_default_ports),
		CHECK_TEST(test_cluster_finds_itself_by_address),
		CHECK_TEST(test_cluster_tells_every_mistake),
		CHECK_TEST(test_cluster_addresses_are_of_one_machine),
		CHECK_TEST(test_cluster_tells_nothing_that_only_follows),
		CHECK_TEST(test_cluster_broken_header_hides_its_section),
		CHECK_TEST(test_cluster_empty_file_says_what_is_missing),
		CHECK_TEST(test_cluster_relative_key_file_lies_beside_the_file),
		CHECK_TEST(test_cluster_wants_longer_frames_for_many_nodes),
		CHECK_TEST(test_cluster_hash_covers_what_must_agree),
		CHECK_TEST(test_acl_without_rules_lets_all_but_administer),
		CHECK_TEST(test_acl_rules_name_users_and_groups),
		CHECK_TEST(test_acl_tells_which_name_is_wrong),
		CHECK_TEST(test_acl_keeps_the_groups_of_the_daemons),
		CHECK_TEST(test_acl_lets_vote_whom_it_names_or_who_administers),
		CHECK_TEST(test_acl_without_rules_keeps_only_our_own_keys),
		CHECK_TEST(test_acl_gives_keys_to_whom_it_names),
	};
	int fd = mkstemp(path), rc;

	if (fd < 0)
		return 1;
	fd_close(&fd);
	rc = CHECK_MAIN(argc, argv, tests);
	unlink(path);
	return rc;
}
