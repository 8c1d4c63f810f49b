/* SPDX-License-Identifier: BSD-3-Clause */
/* [quorum], votes and tags: what is read, what is implied, every mistake. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/conf.h"
#include "libcommon/os/fd.h"

#include "tests/unit/check.h"

static char path[] = "/tmp/test_cluster_quorum.XXXXXX";
static struct cluster_conf conf;
static char report[8192];

#define TOP     "[cluster]\nname = prod\n"
#define A       "[node a]\nid = 1\nlink0 = 192.0.2.1\n"
#define B       "[node b]\nid = 2\nlink0 = 192.0.2.2\n"
#define C       "[node c]\nid = 3\nlink0 = 192.0.2.3\n"
#define ONE     TOP A
#define TWO     TOP A B
#define THREE   TOP A B C
#define QUORUM2 TWO "[quorum]\n"   /* its values begin in line 10 */
#define QUORUM3 THREE "[quorum]\n" /* and here in line 13 */

/* Reads a file of that text; the report is without the file's name. */
static int
read_conf(const char *text)
{
	static char full[8192];
	FILE *file = fopen(path, "w");
	struct cluster_source source = { path, "", NULL };
	struct text out;
	int rc;

	CHECK_EQ(fputs(text, file) >= 0, true);
	fclose(file);
	text_init(&out, full, sizeof full);
	rc = cluster_read(&conf, &source, &out);
	report[0] = '\0';
	for (char *line = strtok(full, "\n"); line != NULL;
	     line = strtok(NULL, "\n"))
		strcat(strcat(report, line + strlen(path)), "\n");
	return rc;
}

static void
check_mistake(const char *text, const char *expected)
{
	CHECK_EQ(read_conf(text), CONF_E_INVALID);
	CHECK_STR(report, expected);
}

/* ---- what is read ------------------------------------------------------ */

static void
test_cluster_quorum_defaults(void)
{
	const struct cluster_quorum *q = &conf.quorum;

	CHECK_EQ(read_conf(THREE "votes = 4\n"), 0);
	CHECK_EQ(q->expected_votes, 6);
	CHECK_EQ(q->device_votes, 0);
	CHECK_EQ(q->wait_for_all, CLUSTER_WAIT_NO);
	CHECK_EQ(q->last_man_standing_window_ns, 10 * CLOCK_S_NS);
	CHECK_EQ(q->lease_ns, CLOCK_S_NS);
	CHECK_EQ(q->settle_ns, 2 * CLOCK_S_NS);
	CHECK_EQ(q->device_timeout_ns, 10 * CLOCK_S_NS);
	CHECK_EQ(q->device_sync_timeout_ns, 30 * CLOCK_S_NS);
	CHECK_EQ(q->tie, CLUSTER_TIE_LOWEST);
	CHECK(!q->two_node && !q->last_man_standing && !q->auto_tie_breaker);
	CHECK(!q->allow_downscale && !q->expected_votes_tracking);
	CHECK(!q->device_master_wins);
}

static void
test_cluster_quorum_reads_every_key(void)
{
	const struct cluster_quorum *q = &conf.quorum;

	CHECK_EQ(read_conf(QUORUM3 "wait_for_all = always\n"
				   "last_man_standing = yes\n"
				   "last_man_standing_window = 3s\n"
				   "auto_tie_breaker = yes\n"
				   "auto_tie_breaker_node = c, 1\n"
				   "allow_downscale = yes\n"
				   "expected_votes = 4\n"
				   "lease = 500ms\n"
				   "settle = 600ms\n"),
	    0);
	CHECK_STR(report, "");
	CHECK_EQ(q->wait_for_all, CLUSTER_WAIT_ALWAYS);
	CHECK(q->last_man_standing);
	CHECK_EQ(q->last_man_standing_window_ns, 3 * CLOCK_S_NS);
	CHECK(q->auto_tie_breaker);
	CHECK_EQ(q->tie, CLUSTER_TIE_LIST);
	CHECK_EQ(q->tie_count, 2);
	CHECK_EQ(q->tie_nodes[0], 3);
	CHECK_EQ(q->tie_nodes[1], 1);
	CHECK(q->allow_downscale);
	CHECK(q->expected_votes_tracking);
	CHECK_EQ(q->expected_votes, 4);
	CHECK_EQ(q->lease_ns, CLOCK_S_NS / 2);
	CHECK_EQ(q->settle_ns, 600 * CLOCK_MS_NS);
	CHECK_EQ(read_conf(QUORUM3 "device_votes = 1\n"
				   "device_timeout = 2s\n"
				   "device_sync_timeout = 4s\n"
				   "device_master_wins = yes\n"
				   "expected_votes_tracking = yes\n"),
	    0);
	CHECK_EQ(q->device_votes, 1);
	CHECK_EQ(q->expected_votes, 4);
	CHECK_EQ(q->device_timeout_ns, 2 * CLOCK_S_NS);
	CHECK_EQ(q->device_sync_timeout_ns, 4 * CLOCK_S_NS);
	CHECK(q->device_master_wins);
	CHECK(q->expected_votes_tracking);
}

static void
test_cluster_quorum_puts_in_what_is_implied(void)
{
	const struct cluster_quorum *q = &conf.quorum;

	CHECK_EQ(read_conf(QUORUM2 "two_node = yes\n"), 0);
	CHECK(q->two_node);
	CHECK_EQ(q->wait_for_all, CLUSTER_WAIT_YES);
	CHECK_EQ(read_conf(QUORUM2 "two_node = yes\nwait_for_all = no\n"), 0);
	CHECK_EQ(q->wait_for_all, CLUSTER_WAIT_NO);
	CHECK_EQ(read_conf(QUORUM3 "device_votes = auto\n"), 0);
	CHECK_EQ(q->device_votes, 2);
	CHECK_EQ(q->expected_votes, 5);
	CHECK_EQ(read_conf(QUORUM2 "auto_tie_breaker = yes\n"
				   "auto_tie_breaker_node = highest\n"),
	    0);
	CHECK_EQ(q->tie, CLUSTER_TIE_HIGHEST);
	CHECK_EQ(read_conf(QUORUM2 "auto_tie_breaker = yes\n"
				   "auto_tie_breaker_node = lowest\n"),
	    0);
	CHECK_EQ(q->tie, CLUSTER_TIE_LOWEST);
}

static void
test_cluster_quorum_warns_of_starts_without_memory(void)
{
	CHECK_EQ(read_conf(QUORUM3 "allow_downscale = yes\n"
				   "last_man_standing = yes\n"),
	    0);
	CHECK_STR(report,
	    ":14: warning: [quorum] last_man_standing: without wait_for_all, "
	    "nodes that restart while cut off may act beside the others\n"
	    ":13: warning: [quorum] allow_downscale: without wait_for_all, "
	    "nodes that restart while cut off may act beside the others\n");
	CHECK_EQ(read_conf(QUORUM3 "wait_for_all = yes\n"
				   "allow_downscale = yes\n"
				   "last_man_standing = yes\n"),
	    0);
	CHECK_STR(report, "");
}

/* Many nodes of many votes do not wrap around. */
static void
test_cluster_quorum_adds_votes_in_32_bits(void)
{
	static char text[8192];
	size_t len = (size_t)snprintf(text, sizeof text, TOP);

	for (int id = 1; id <= LIMIT_NODES; id++)
		len += (size_t)snprintf(text + len, sizeof text - len,
		    "[node n%d]\nid=%d\nlink0=192.0.2.%d\nvotes=65535\n", id,
		    id, id);
	CHECK_EQ(read_conf(text), 0);
	CHECK_EQ(conf.quorum.expected_votes, 64 * 65535);
}

static void
test_cluster_tags_belong_to_their_node(void)
{
	CHECK_EQ(read_conf(TOP B "tag.rack = r 2\ntag.a-b.c_d = x=y\n" A
				 "tag.rack = r1\n"),
	    0);
	CHECK_EQ(conf.tag_count, 3);
	CHECK_EQ(conf.tags[0].node, 2);
	CHECK_STR(conf.tags[0].name, "rack");
	CHECK_STR(conf.tags[0].value, "r 2");
	CHECK_STR(conf.tags[1].name, "a-b.c_d");
	CHECK_STR(conf.tags[1].value, "x=y");
	CHECK_EQ(conf.tags[2].node, 1);
	CHECK_STR(conf.tags[2].value, "r1");
	CHECK_EQ(conf.nodes[0].tag_count, 1);
	CHECK_EQ(conf.nodes[1].tag_count, 2);
}

/* ---- mistakes ---------------------------------------------------------- */

static void
test_cluster_tags_tell_every_mistake(void)
{
	static char text[8192];
	size_t len = (size_t)snprintf(text, sizeof text, ONE);

	check_mistake(ONE "tag. = x\ntag.Rack = x\ntag.a = 1\ntag.a = 2\n"
			  "tag.b =\n",
	    ":6: tag.: expected tag. and 1 to 63 of a-z 0-9 . _ -\n"
	    ":7: tag.Rack: expected tag. and 1 to 63 of a-z 0-9 . _ -\n"
	    ":9: tag.a: given twice, expected once\n"
	    ":10: tag.b: no value, expected text\n");
	for (int i = 0; i <= CLUSTER_TAGS; i++)
		len += (size_t)snprintf(
		    text + len, sizeof text - len, "tag.t%d = x\n", i);
	check_mistake(
	    text, ":38: tag.t32: expected at most 32 tags of a node\n");
}

static void
test_cluster_quorum_tells_bad_values(void)
{
	check_mistake(QUORUM2
	    "two_node = perhaps\nwait_for_all = sometimes\n"
	    "last_man_standing = 1\nlast_man_standing_window = 1ms\n"
	    "auto_tie_breaker = 1\nauto_tie_breaker_node =\n"
	    "allow_downscale = 1\nexpected_votes = 0\n"
	    "expected_votes_tracking = 1\nlease = 10ms\nsettle = 1h\n"
	    "device_votes = 0\ndevice_timeout = 1ms\n"
	    "device_sync_timeout = x\ndevice_master_wins = 1\n"
	    "[node d]\nid = 4\nlink0 = 192.0.2.4\nvotes = 65536\n",
	    ":10: two_node = perhaps: expected yes or no\n"
	    ":11: wait_for_all = sometimes: expected no or yes or always\n"
	    ":12: last_man_standing = 1: expected yes or no\n"
	    ":13: last_man_standing_window = 1ms: expected a duration from "
	    "100ms to 600000ms\n"
	    ":14: auto_tie_breaker = 1: expected yes or no\n"
	    ":15: auto_tie_breaker_node = : expected 1 to 198 bytes\n"
	    ":16: allow_downscale = 1: expected yes or no\n"
	    ":17: expected_votes = 0: expected a number from 1 to 16777216 or "
	    "auto\n"
	    ":18: expected_votes_tracking = 1: expected yes or no\n"
	    ":19: lease = 10ms: expected a duration from 300ms to 60000ms\n"
	    ":20: settle = 1h: expected a duration from 300ms to 600000ms\n"
	    ":21: device_votes = 0: expected a number from 1 to 4194304 or "
	    "auto\n"
	    ":22: device_timeout = 1ms: expected a duration from 100ms to "
	    "600000ms\n"
	    ":23: device_sync_timeout = x: expected a duration from 100ms to "
	    "600000ms\n"
	    ":24: device_master_wins = 1: expected yes or no\n"
	    ":28: votes = 65536: expected a number from 0 to 65535\n");
}

static void
test_cluster_quorum_two_node_stands_alone(void)
{
	check_mistake(QUORUM3 "two_node = yes\n",
	    ":13: [quorum] two_node: expected two nodes with one vote each\n");
	check_mistake(TOP A B "votes = 2\n[quorum]\ntwo_node = yes\n",
	    ":11: [quorum] two_node: expected two nodes with one vote each\n");
	check_mistake(QUORUM2 "expected_votes = 3\ntwo_node = yes\n",
	    ":11: [quorum] two_node: expected two nodes with one vote each\n");
	check_mistake(QUORUM2 "two_node = yes\nauto_tie_breaker = yes\n",
	    ":10: [quorum] two_node: expected no auto_tie_breaker\n");
	check_mistake(QUORUM2 "two_node = yes\ndevice_votes = 1\n",
	    ":10: [quorum] two_node: expected no device_votes\n");
}

static void
test_cluster_quorum_last_man_wants_equal_votes(void)
{
	check_mistake(THREE "votes = 2\n[quorum]\nlast_man_standing = yes\n",
	    ":14: [quorum] last_man_standing: expected one vote for each "
	    "node\n");
	check_mistake(QUORUM3 "last_man_standing = yes\ndevice_votes = 1\n",
	    ":13: [quorum] last_man_standing: expected no device_votes\n");
	check_mistake(QUORUM3 "last_man_standing_window = 4s\n",
	    ":13: [quorum] last_man_standing_window: expected "
	    "last_man_standing, too\n");
	check_mistake(QUORUM3 "last_man_standing = yes\n"
			      "auto_tie_breaker = yes\n",
	    ":14: [quorum] auto_tie_breaker: expected wait_for_all = always, "
	    "or an even number of votes\n");
	check_mistake(QUORUM3 "wait_for_all = yes\nauto_tie_breaker = yes\n",
	    ":14: [quorum] auto_tie_breaker: expected wait_for_all = always, "
	    "or an even number of votes\n");
	CHECK_EQ(read_conf(QUORUM3 "last_man_standing = yes\n"
				   "auto_tie_breaker = yes\n"
				   "wait_for_all = always\n"),
	    0);
}

static void
test_cluster_quorum_tie_has_no_device_and_known_nodes(void)
{
	check_mistake(QUORUM2 "auto_tie_breaker = yes\ndevice_votes = 2\n",
	    ":10: [quorum] auto_tie_breaker: expected no device_votes\n");
	check_mistake(QUORUM2 "auto_tie_breaker_node = lowest\n",
	    ":10: [quorum] auto_tie_breaker_node: expected auto_tie_breaker, "
	    "too\n");
	check_mistake(QUORUM2 "auto_tie_breaker = yes\n"
			      "auto_tie_breaker_node = a 9 1,zed\n",
	    ":11: [quorum] auto_tie_breaker_node: 9: expected lowest, highest "
	    "or nodes of this file\n"
	    ":11: [quorum] auto_tie_breaker_node: 1: given twice, expected "
	    "once\n"
	    ":11: [quorum] auto_tie_breaker_node: zed: expected lowest, "
	    "highest or nodes of this file\n");
	check_mistake(QUORUM2 "auto_tie_breaker = yes\n"
			      "auto_tie_breaker_node = ,\n",
	    ":11: [quorum] auto_tie_breaker_node: expected lowest, highest or "
	    "nodes of this file\n");
}

static void
test_cluster_quorum_votes_cannot_make_two_sides(void)
{
	check_mistake(QUORUM3 "expected_votes = 2\n",
	    ":13: [quorum] expected_votes: 2, expected at least 3, what all "
	    "have; with less two sides could be quorate\n");
	check_mistake(QUORUM3 "device_votes = 2\nexpected_votes = 4\n",
	    ":14: [quorum] expected_votes: 4, expected at least 5, what all "
	    "have; with less two sides could be quorate\n");
	check_mistake(
	    ONE "votes = 0\n", ": no node has a vote, expected one that has\n");
}

static void
test_cluster_quorum_device_wants_voters_and_a_number(void)
{
	check_mistake(ONE "[quorum]\ndevice_votes = 1\n",
	    ":7: [quorum] device_votes: expected nodes with at least 2 votes "
	    "in all\n");
	check_mistake(THREE "votes = 2\n[quorum]\ndevice_votes = auto\n",
	    ":14: [quorum] device_votes: auto, expected a number with "
	    "expected_votes or nodes that have not one vote each\n");
	check_mistake(QUORUM3 "expected_votes = 9\ndevice_votes = auto\n",
	    ":14: [quorum] device_votes: auto, expected a number with "
	    "expected_votes or nodes that have not one vote each\n");
	check_mistake(QUORUM3 "device_timeout = 5s\ndevice_sync_timeout = 5s\n"
			      "device_master_wins = yes\n",
	    ":13: [quorum] device_timeout: expected device_votes, too\n"
	    ":14: [quorum] device_sync_timeout: expected device_votes, too\n"
	    ":15: [quorum] device_master_wins: expected device_votes, too\n");
}

static void
test_cluster_quorum_times_and_tracking_agree(void)
{
	check_mistake(QUORUM3 "settle = 500ms\n",
	    ":13: [quorum] settle: expected settle to be at least lease\n");
	check_mistake(QUORUM3 "lease = 3s\n",
	    ":13: [quorum] lease: expected settle to be at least lease\n");
	check_mistake(QUORUM3 "allow_downscale = yes\n"
			      "expected_votes_tracking = no\n",
	    ":14: [quorum] expected_votes_tracking: expected yes with "
	    "allow_downscale\n");
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_cluster_quorum_defaults),
		CHECK_TEST(test_cluster_quorum_reads_every_key),
		CHECK_TEST(test_cluster_quorum_puts_in_what_is_implied),
		CHECK_TEST(test_cluster_quorum_warns_of_starts_without_memory),
		CHECK_TEST(test_cluster_quorum_adds_votes_in_32_bits),
		CHECK_TEST(test_cluster_tags_belong_to_their_node),
		CHECK_TEST(test_cluster_tags_tell_every_mistake),
		CHECK_TEST(test_cluster_quorum_tells_bad_values),
		CHECK_TEST(test_cluster_quorum_two_node_stands_alone),
		CHECK_TEST(test_cluster_quorum_last_man_wants_equal_votes),
		CHECK_TEST(
		    test_cluster_quorum_tie_has_no_device_and_known_nodes),
		CHECK_TEST(test_cluster_quorum_votes_cannot_make_two_sides),
		CHECK_TEST(
		    test_cluster_quorum_device_wants_voters_and_a_number),
		CHECK_TEST(test_cluster_quorum_times_and_tracking_agree),
	};
	int fd = mkstemp(path), rc;

	if (fd < 0)
		return 1;
	fd_close(&fd);
	rc = CHECK_MAIN(argc, argv, tests);
	unlink(path);
	return rc;
}
