/* SPDX-License-Identifier: BSD-3-Clause */
/* One configuration and the next: what differs, what takes a restart, and the
 * digest that nodes compare.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/cluster.h"
#include "libcommon/os/conf.h"
#include "libcommon/os/fd.h"

#include "tests/unit/check.h"

static char path[] = "/tmp/test_cluster_compare.XXXXXX";
static struct cluster_conf before, after;

#define NAME         "[cluster]\nname = prod\n"
#define A(more)      "[node a]\nid = 1\nlink0 = 192.0.2.1\n" more
#define B(more)      "[node b]\nid = 2\nlink0 = 192.0.2.2\n" more
#define GROUPS(more) "[ring]\ntransport = multicast\n" more
#define BASE         NAME A("") B("")

static void
read_conf(struct cluster_conf *conf, const char *text)
{
	struct cluster_source source = { path, "", NULL };
	char bytes[4096];
	struct text report;
	FILE *file = fopen(path, "w");

	CHECK_EQ(fputs(text, file) >= 0, true);
	fclose(file);
	text_init(&report, bytes, sizeof bytes);
	CHECK_EQ(cluster_read(conf, &source, &report), 0);
	CHECK_STR(bytes, "");
}

/* A line for each difference, those that take a restart with a mark. */
static void
put_difference(void *arg, const struct cluster_difference *difference)
{
	struct text *out = arg;

	if (!difference->is_live)
		text_put(out, "! ");
	cluster_difference_put(difference, out);
	text_put_char(out, '\n');
}

static const char *
compare(const char *first, const char *second)
{
	static char bytes[8192];
	struct text out;
	uint32_t count, lines = 0;

	read_conf(&before, first);
	read_conf(&after, second);
	text_init(&out, bytes, sizeof bytes);
	count = cluster_compare(&before, &after, put_difference, &out);
	for (size_t i = 0; i < out.len; i++)
		lines += bytes[i] == '\n';
	CHECK_EQ(count, lines);
	CHECK_EQ(cluster_compare(&before, &after, NULL, NULL), count);
	return bytes;
}

/* ---- settings ---------------------------------------------------------- */

static const struct {
	const char *lines; /* more than BASE has */
	const char *differences;
	bool is_local; /* nodes may differ in it */
} settings[] = {
	{ "[ring]\npreset = wan\n", "[ring] preset\n", false },
	{ "[ring]\ndead_after = 2s\n", "[ring] dead_after\n", false },
	{ "[ring]\ntoken = 2s\n", "[ring] token\n", false },
	{ "[ring]\nheartbeat = 20ms\n", "[ring] heartbeat\n", false },
	{ "[ring]\nidle_hold = 20ms\n", "[ring] idle_hold\n", false },
	{ "[ring]\njoin = 20ms\n", "[ring] join\n", false },
	{ "[ring]\nconsensus = 2s\n", "[ring] consensus\n", false },
	{ "[ring]\nmerge = 2s\n", "[ring] merge\n", false },
	{ "[ring]\nlink_mode = rr\n", "[ring] link_mode\n", false },
	{ "[ring]\nlink0_priority = 9\n", "[ring] link0_priority\n", false },
	{ "[ring]\nlink7_priority = 9\n", "[ring] link7_priority\n", false },
	{ "[ring]\nframe_bytes = 1300\n", "! [ring] frame_bytes\n", false },
	{ "[ring]\nwindow = 100\n", "! [ring] window\n", false },
	{ "[ring]\nmessage_bytes_max = 2MiB\n", "! [ring] message_bytes_max\n",
	    false },
	{ "[ring]\nqueue_bytes = 8MiB\n", "! [ring] queue_bytes\n", false },
	{ "[ring]\nsocket_buffer = 1MiB\n", "! [ring] socket_buffer\n", false },
	{ "[ring]\nrt_priority = 3\n", "! [ring] rt_priority\n", false },
	{ "[quorum]\nexpected_votes = 5\n", "[quorum] expected_votes\n",
	    false },
	{ "[quorum]\nlease = 1500ms\n", "[quorum] lease\n", false },
	{ "[quorum]\nsettle = 3s\n", "[quorum] settle\n", false },
	{ "[quorum]\nwait_for_all = yes\n", "[quorum] wait_for_all\n", false },
	{ "[quorum]\nauto_tie_breaker = yes\n", "! [quorum] auto_tie_breaker\n",
	    false },
	{ "[quorum]\nauto_tie_breaker = yes\nauto_tie_breaker_node = b, a\n",
	    "! [quorum] auto_tie_breaker_node\n"
	    "! [quorum] auto_tie_breaker\n",
	    false },
	{ "[quorum]\ntwo_node = yes\n",
	    "[quorum] wait_for_all\n[quorum] two_node\n", false },
	{ "[quorum]\ndevice_votes = 1\ndevice_timeout = 3s\n",
	    "[quorum] expected_votes\n! [quorum] device_votes\n"
	    "[quorum] device_timeout\n",
	    false },
	{ "[ring]\ntransport = multicast\n", "! [ring] transport\n", false },
	{ "[ring]\nlink0_ttl = 3\n", "! [ring] link0_ttl\n", false },
	{ "[store]\nkeys_max = 1000\n", "! [store] keys_max\n", false },
	{ "[store]\ntie = node\n", "! [store] tie\n", false },
	{ "[store]\ndurability = memory\n", "! [store] durability\n", false },
	{ "[log]\nlevel = debug\n", "[log] level\n", true },
	{ "[acl]\nread = user:root\n", "[acl]\n", true },
	/* What is the default need not be said. */
	{ "[ring]\npreset = lan\nrt_priority = 20\n", "", false },
	{ "[quorum]\nexpected_votes = 2\nlease = 1s\n", "", false },
};

static void
test_cluster_compare_settings(void)
{
	static char text[4096];

	for (size_t i = 0; i < ARRAY_COUNT(settings); i++) {
		bool is_same;

		check_case(settings[i].lines);
		snprintf(text, sizeof text, "%s%s", BASE, settings[i].lines);
		CHECK_STR(compare(BASE, text), settings[i].differences);
		is_same = settings[i].is_local || *settings[i].differences == 0;
		CHECK_EQ(
		    cluster_digest(&before) == cluster_digest(&after), is_same);
		/* And back again. */
		CHECK_STR(compare(text, BASE), settings[i].differences);
	}
	check_case(NULL);
}

static void
test_cluster_compare_what_is_fixed(void)
{
	CHECK_STR(compare(BASE, "[cluster]\nname = test\n" A("") B("")),
	    "! [cluster] name\n");
	CHECK(cluster_digest(&before) != cluster_digest(&after));
	CHECK_STR(compare(BASE,
		      "[cluster]\nname = prod\nkey_file = /k\n" A("") B("")),
	    "! [cluster] key_file\n");
	CHECK_EQ(cluster_digest(&before), cluster_digest(&after));
}

/* ---- nodes ------------------------------------------------------------- */

static void
test_cluster_compare_nodes(void)
{
	static const struct {
		const char *first, *second, *differences;
	} table[] = {
		{ BASE, BASE, "" },
		{ GROUPS("link0_mcast = 239.1.1.1:77\n") BASE,
		    GROUPS("link0_mcast = 239.1.1.2:77\n") BASE,
		    "! [ring] link0_mcast\n" },
		{ BASE, NAME B("") A(""), "" },
		{ BASE, BASE "[node c]\nid = 3\nlink0 = 192.0.2.3\n",
		    "[quorum] expected_votes\n[node c] added\n" },
		{ NAME B(""), BASE,
		    "[quorum] expected_votes\n[node a] added\n" },
		{ BASE, NAME B(""),
		    "[quorum] expected_votes\n[node a] removed\n" },
		{ BASE, NAME A(""),
		    "[quorum] expected_votes\n[node b] removed\n" },
		{ BASE, NAME A("") "[node c]\nid = 3\nlink0 = 192.0.2.2\n",
		    "[node b] removed\n[node c] added\n" },
		{ BASE, NAME A("") "[node c]\nid = 2\nlink0 = 192.0.2.2\n",
		    "[node b] renamed\n" },
		{ BASE, NAME A("") "[node b]\nid = 2\nlink0 = 192.0.2.9\n",
		    "[node b] address\n" },
		{ BASE, NAME A("") "[node b]\nid = 2\nlink0 = 192.0.2.2:77\n",
		    "[node b] address\n" },
		{ BASE, "[ring]\nport = 6000\n" BASE,
		    "[node a] address\n[node b] address\n" },
		{ BASE, NAME A("votes = 0\n") B("votes = 2\n"),
		    "[node a] votes\n[node b] votes\n" },
		{ BASE, NAME A("tag.rack = 7\n") B(""), "[node a] tags\n" },
		{ NAME A("tag.rack = 7\n") B(""),
		    NAME A("tag.rack = 8\n") B(""), "[node a] tags\n" },
		{ NAME A("tag.rack = 7\n") B(""),
		    NAME A("tag.rock = 7\n") B(""), "[node a] tags\n" },
		{ NAME A("tag.rack = 7\n") B("tag.x = 1\n"),
		    NAME B("tag.x = 1\n") A("tag.rack = 7\n"), "" },
		{ BASE,
		    NAME A("link1 = 198.51.100.1\n")
			B("link1 = 198.51.100.2\n"),
		    "number of links\n" },
		{ BASE,
		    NAME A(
			"link1 = 198.51.100.1\n") "[node b]\nid = 2\nlink0 = 192.0.2.9\n"
						  "link1 = 198.51.100.2\n",
		    "number of links\n[node b] address\n" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(table); i++) {
		check_case(table[i].second);
		CHECK_STR(compare(table[i].first, table[i].second),
		    table[i].differences);
		CHECK_EQ(cluster_digest(&before) == cluster_digest(&after),
		    *table[i].differences == '\0');
	}
	check_case(NULL);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_cluster_compare_settings),
		CHECK_TEST(test_cluster_compare_what_is_fixed),
		CHECK_TEST(test_cluster_compare_nodes),
	};
	int fd = mkstemp(path), rc;

	fd_close(&fd);
	rc = CHECK_MAIN(argc, argv, tests);
	unlink(path);
	return rc;
}
